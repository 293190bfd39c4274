"""Dagster Pipes, where Dagster launched the run: progress and results go to its log."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster_pipes import PipesContext


@contextmanager
def session() -> Iterator[PipesContext | None]:
    """The Pipes session of this process; null where Dagster did not launch it."""
    if "DAGSTER_PIPES_CONTEXT" not in os.environ:
        yield None
        return
    from dagster_pipes import open_dagster_pipes

    with open_dagster_pipes() as context:
        yield context

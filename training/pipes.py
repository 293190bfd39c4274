"""Dagster Pipes, where Dagster launched the run: progress and results go to its log."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING

from common.interrupts import taken

if TYPE_CHECKING:
    from dagster_pipes import PipesContext

_LOOK_S = 1.0


@contextmanager
def session() -> Iterator[PipesContext | None]:
    """The Pipes session of this process; null where Dagster did not launch it.

    It is stopped, as by Ctrl-C, when the step that launched it is gone: nobody waits for it, and the step
    that is tried again would train beside it.
    """
    if "DAGSTER_PIPES_CONTEXT" not in os.environ:
        yield None
        return
    from dagster_pipes import open_dagster_pipes

    taken()
    with open_dagster_pipes() as context, _ends_with(os.getppid()):
        yield context


@contextmanager
def _ends_with(parent: int) -> Iterator[None]:
    done = Event()

    def watch() -> None:
        while not done.wait(_LOOK_S):
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGINT)
                return

    watching = Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield
    finally:
        done.set()
        watching.join()

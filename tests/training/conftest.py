"""Fixtures of the training tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tiny import pair, tiny_recipe, write_corpus
from training.recipe import Recipe


@pytest.fixture(autouse=True)
def _clean_environment(restored_environment: None) -> None:
    """Lightning leaves its seed in the environment."""


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """As the subprocesses of these tests run: sums in another order would differ in the last digit."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 pairs of two sources: twelve batches of four. Do not write to it."""
    rows = [
        pair(number) if number % 3 else pair(number, source="beta", license="Apache-2.0")
        for number in range(48)
    ]
    return write_corpus(tmp_path_factory.mktemp("corpus") / "pairs.parquet", rows)


@pytest.fixture
def recipe(tiny_model: Path) -> Recipe:
    """One pass over `corpus` with the tiny model."""
    return tiny_recipe(tiny_model)

"""Where the sources are read; that a failing one stops no other is in tests.pipeline.test_graph."""

from __future__ import annotations

import os

import pytest

from pipeline import ingest
from pipeline.ingest import Outcome, ingest_all


@pytest.fixture(autouse=True)
def loud(monkeypatch: pytest.MonkeyPatch) -> None:
    """Warnings of this process stay as pytest has set them."""
    monkeypatch.setattr(ingest, "quiet", lambda: None)


def test_a_single_source_is_read_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "_ingest", lambda name: Outcome(name, None, 3, str(os.getpid())))
    told: list[Outcome] = []
    found = ingest_all(["demo"], 4, told.append)
    assert found == told == [Outcome("demo", None, 3, str(os.getpid()))]


def test_what_it_fails_with_is_its_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(name: str) -> Outcome:
        raise OSError(f"{name} is gone")

    monkeypatch.setattr(ingest, "_ingest", fails)
    told: list[Outcome] = []
    assert ingest_all(["demo"], 4, told.append) == [Outcome("demo", "demo is gone", 0, "")]
    assert len(told) == 1


def test_ctrl_c_is_no_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(name: str) -> Outcome:
        raise KeyboardInterrupt

    monkeypatch.setattr(ingest, "_ingest", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ingest_all(["demo"], 4, lambda _: None)

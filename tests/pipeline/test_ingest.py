"""Where the sources are read; that a failing one stops no other is in tests.pipeline.test_graph."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from pipeline import ingest
from pipeline.ingest import Outcome, ingest_all
from tests.corpus.snapshots.servers import Silent, serving


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


@contextmanager
def refreshing(folder: Path, count: int) -> Iterator[tuple[subprocess.Popen, Silent]]:
    """`provender refresh` of `count` sources whose remote, which it has just asked, never answers."""
    remote = Silent()
    sources = [
        {"name": f"silent{n}", "kind": "git", "url": remote.url, "ref": "main"}
        for n in range(count)
    ]
    (folder / "sources.yaml").write_text(yaml.safe_dump({"sources": sources}), encoding="utf-8")
    environment = {
        **os.environ,
        "PROVENDER_LAKE": str(folder / "lake"),
        "PROVENDER_SOURCES": str(folder / "sources.yaml"),
        "DAGSTER_HOME": str(folder / "home"),
    }
    command = [sys.executable, "-m", "pipeline.cli", "refresh"]
    with (
        serving(remote),
        subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as running,
    ):
        assert remote.asked.wait(60)
        yield running, remote


@pytest.mark.parametrize("count", [1, 2])
def test_ctrl_c_ends_the_wait_for_remotes_that_never_answer(tmp_path: Path, count: int) -> None:
    with refreshing(tmp_path, count) as (running, remote):
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=60)
        assert remote.hung_up.wait(60)
    assert running.returncode == 130
    assert told.strip() == "stopped; the same command continues where it was"


def test_no_process_outlives_a_refresh_that_was_killed(tmp_path: Path) -> None:
    with refreshing(tmp_path, 2) as (running, _):
        running.kill()
        running.communicate(
            timeout=60
        )  # each of them has its standard error: to the end of the last

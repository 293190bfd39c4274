"""The command line: mistakes get one line, and nothing is loaded for them."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app


@pytest.fixture(autouse=True)
def _own_environment(restored_environment: None) -> None:
    """The commands set environment variables."""


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.output


def test_an_unknown_key_in_the_manifest_is_named_with_the_nearest_known_one(tmp_path: Path) -> None:
    manifest = tmp_path / "mine.yaml"
    manifest.write_text(
        "sources:\n  - {name: a, kind: git, url: ./a, reff: main}\n", encoding="utf-8"
    )
    code, told = run("demo", "--sources", str(manifest))
    assert code == 1
    assert told.startswith(
        f"error: {manifest}: line 2: unknown key `sources.0.git.reff`; did you mean `ref`?"
    )
    assert told.count("\n") == 1


def test_a_missing_manifest_is_one_line(tmp_path: Path) -> None:
    code, told = run("demo", "--sources", str(tmp_path / "none.yaml"))
    assert (code, told) == (
        1,
        f"error: {tmp_path / 'none.yaml'}: There is no such file. Check the path.\n",
    )


def test_without_a_command_the_help_is_shown() -> None:
    _, told = run()
    assert "demo" in told
    assert "ui" in told

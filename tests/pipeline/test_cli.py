"""The command line: mistakes get one line, and nothing is loaded for them."""

from __future__ import annotations

import subprocess
import sys
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from rich.console import Console
from typer.testing import CliRunner

from pipeline import cli, datasets, running
from pipeline.cli import app
from pipeline.datasets import Made
from tests.tiny import write_curriculum


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


@pytest.mark.parametrize("name", ["rusty_eval", "rust_evil"])
def test_an_unknown_data_set_is_one_line_with_a_hint(name: str) -> None:
    code, told = run("datasets", name)
    assert code == 1
    assert told == (
        f"error: config/datasets.yaml: unknown data set `{name}`; did you mean `rust_eval`?"
        " Correct the name, or write the data set.\n"
    )


@pytest.mark.parametrize(
    ("name", "said"), [("rusty", "unknown data set `rusty`"), ("rust_eval", "It is held out")]
)
def test_a_recipe_of_a_data_set_not_to_be_trained_on_is_told_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    recipe = tmp_path / "train.yaml"
    recipe.write_text(f"dataset: {name}\n", encoding="utf-8")
    monkeypatch.setenv("PROVENDER_CURRICULUM", str(write_curriculum(tmp_path, "rust")))
    code, told = run("demo", "--lake", str(tmp_path / "lake"))
    assert (code, told.count("\n")) == (1, 1)
    assert said in told
    assert not (tmp_path / "lake").exists()


@pytest.mark.parametrize(
    ("job", "wanted", "fails", "steps"),
    [
        ("everything", [], None, ["everything"]),
        ("everything", ["a"], None, ["refresh_corpus", "datasets a", "everything"]),
        ("everything", ["a"], "refresh_corpus", ["refresh_corpus"]),
        ("everything", ["a"], "datasets", ["refresh_corpus", "datasets a"]),
        ("refresh_corpus", ["a", "b"], None, ["refresh_corpus", "datasets a b"]),
        ("refresh_corpus", ["a", "b"], "datasets", ["refresh_corpus", "datasets a b"]),
        ("refresh_corpus", ["a", "b"], "refresh_corpus", ["refresh_corpus"]),
    ],
)
def test_data_sets_follow_the_corpus_and_come_before_training(
    monkeypatch: pytest.MonkeyPatch,
    job: str,
    wanted: list[str],
    fails: str | None,
    steps: list[str],
) -> None:
    done = []

    def work(defs: Any, name: str, instance: Any) -> Any:
        done.append(name)
        return SimpleNamespace(success=name != fails, made=3)

    def make(names: list[str]) -> list[Made]:
        done.append(" ".join(["datasets", *names]))
        state = "failed" if fails == "datasets" else "made"
        return [Made(name, state, why="why", changed=1) for name in names]

    monkeypatch.setattr(running, "run", work)
    monkeypatch.setattr(running, "changed", lambda result: result.made)
    monkeypatch.setattr(running, "failures", lambda result: [] if result.success else ["fault"])
    monkeypatch.setattr(datasets, "make", make)
    with monkeypatch.context() as context, dg.DagsterInstance.ephemeral() as instance:
        context.setattr(dg.DagsterInstance, "get", lambda: nullcontext(instance))
        changed, failed, success = cli._after_sources(Console(quiet=True), job, wanted)
    assert done == steps
    assert changed == 3 * sum("datasets" not in step for step in done) + (
        len(wanted) if "datasets" in " ".join(done) else 0
    )
    assert success is (fails is None or (fails == "datasets" and job == "refresh_corpus"))
    assert failed == (
        {}
        if fails is None
        else {f"datasets/{name}": "why" for name in wanted}
        if fails == "datasets"
        else {job: "fault"}
    )


def test_without_a_command_the_help_is_shown() -> None:
    _, told = run()
    assert "demo" in told
    assert "ui" in told


def test_the_version_is_the_packages() -> None:
    assert run("--version") == (0, f"provender {version('provender')}\n")


def test_the_commands_load_nothing_heavy_to_be_shown() -> None:
    code = "import sys, pipeline.cli; print({'dagster', 'polars', 'pyarrow', 'mlflow'} & {*sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "set()\n"

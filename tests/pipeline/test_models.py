"""`provender models` and `search --model champion` over a real registry."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from common.errors import ProvenderError
from common.hashing import digest_file
from pipeline.cli import app
from pipeline.model import Model, chosen
from pipeline.models import registry
from resources.lake import Lake


@pytest.fixture
def lake(
    tmp_path: Path,
    mlflow_database: Path,
    monkeypatch: pytest.MonkeyPatch,
    restored_environment: None,
) -> Lake:
    """A lake whose first two models were champions, one after the other; a third is candidate."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("PROVENDER_LAKE", str(tmp_path / "lake"))
    made = Lake(root=str(tmp_path / "lake"))
    folder = made.path("models", "model")
    folder.mkdir(parents=True)
    made.path("mlflow").mkdir()
    shutil.copyfile(mlflow_database, made.path("mlflow", "mlflow.db"))
    for name in "abc":
        weights = folder / "model.safetensors"
        weights.write_bytes(name.encode())
        manifest = {
            "fingerprint": name * 32,
            "stage": "rust",
            "root": "embedded:minilm",
            "config": {"stage": "rust", "base_model": "embedded:minilm"},
            "tracking": {},
            "export": {"parity": 0.0, "sha256": {weights.name: digest_file(weights)}},
        }
        (folder / "manifest.json").write_text(json.dumps(manifest))
        version = registry().register(folder, "")
        if name != "c":
            registry().promote(version)
    return made


def told(*arguments: str) -> tuple[int, list[str]]:
    done = CliRunner().invoke(app, ["models", *arguments])
    return done.exit_code, [line.rstrip() for line in done.output.splitlines()]


def test_the_newest_comes_first_with_what_it_is(lake: Lake) -> None:
    code, lines = told()
    assert code == 0
    assert [line.split()[:3] for line in lines] == [
        ["version", "is", "checkpoint"],
        ["3", "candidate", "c" * 12],
        ["2", "champion", "b" * 12],
        ["1", "previous", "a" * 12],
    ]


def test_one_command_restores_the_champion_before_and_takes_it_back(lake: Lake) -> None:
    restored = f"Version 1 ({'a' * 12}) is the champion, in place of 2."
    assert told("restore") == (0, [restored])
    assert told("restore", "1") == (0, [f"Version 1 ({'a' * 12}) is the champion already."])
    assert told("restore") == (0, [f"Version 2 ({'b' * 12}) is the champion, in place of 1."])


def test_a_candidate_is_not_restored(lake: Lake) -> None:
    code, [line] = told("restore", "3")
    assert code == 1
    assert line.startswith("error: MLflow, model `provender`: Version 3 has never passed its gates")


def test_a_lake_without_a_model_says_how_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restored_environment: None
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("PROVENDER_LAKE", str(tmp_path / "lake"))
    assert told() == (0, ["No model is registered yet: `make demo` makes the first."])


@pytest.mark.parametrize(
    ("name", "weights"), [("champion", b"b"), ("previous", b"a"), ("1", b"a"), ("candidate", b"c")]
)
def test_a_search_takes_the_registered_model_that_is_named(
    lake: Lake, name: str, weights: bytes
) -> None:
    model = chosen(lake, name)
    assert isinstance(model, Model)
    assert (Path(model._recipe.base_model) / "model.safetensors").read_bytes() == weights


def test_a_version_that_is_not_there_is_told(lake: Lake) -> None:
    with pytest.raises(ProvenderError, match="There is no version 9"):
        chosen(lake, "9")

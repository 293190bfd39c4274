from __future__ import annotations

import fcntl
import json
import math
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
import yaml
from safetensors.torch import load_file

from common.errors import ProvenderError
from tests.tiny import pair, tiny_recipe, write_corpus, write_curriculum, write_recipe
from training.module import LateInteraction
from training.recipe import Recipe, load_recipe
from training.run import Stage, main, train

ROOT = Path(__file__).parents[2]


def _weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    return load_file(checkpoint / "adapter" / "adapter_model.safetensors")


def _manifest(checkpoint: Path) -> dict[str, Any]:
    return json.loads((checkpoint / "manifest.json").read_text(encoding="utf-8"))


def _same(one: Path, two: Path) -> bool:
    """Whether two checkpoints have the same weights and the same history."""
    ours, theirs = _weights(one), _weights(two)
    assert ours.keys() == theirs.keys()
    equal = all(torch.allclose(ours[key], theirs[key], atol=1e-6) for key in ours)
    return equal and _manifest(one)["history"] == _manifest(two)["history"]


def _left(folder: Path) -> set[str]:
    """What stands beside a checkpoint, hidden work folders included."""
    return {each.name for each in folder.iterdir()}


# The checkpoint


@pytest.fixture(scope="module")
def trained(
    tiny_model: Path, corpus: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """A finished checkpoint with what `train` returned."""
    output = tmp_path_factory.mktemp("trained") / "stage"
    with pytest.MonkeyPatch.context() as context:
        context.setenv("PL_GLOBAL_SEED", "0")
        result = train(tiny_recipe(tiny_model), Stage(corpus, output))
    return output, result


def test_checkpoint_is_an_adapter_in_safetensors_and_a_manifest(
    trained: tuple[Path, dict[str, Any]],
) -> None:
    output, _ = trained
    assert {each.name for each in output.iterdir()} == {
        "adapter",
        "manifest.json",
        "provenance.parquet",
    }
    weights = _weights(output)
    assert all("lora_" in name for name in weights)
    assert any(weight.abs().max() > 0 for name, weight in weights.items() if "lora_B" in name)


def test_checkpoint_holds_no_pickle(trained: tuple[Path, dict[str, Any]]) -> None:
    output, _ = trained
    suffixes = {each.suffix for each in output.rglob("*") if each.is_file()}
    assert not suffixes & {".bin", ".pt", ".pth", ".ckpt", ".pkl"}


def test_manifest_says_what_the_checkpoint_is_made_of(
    trained: tuple[Path, dict[str, Any]], recipe: Recipe
) -> None:
    output, result = trained
    found = _manifest(output)
    assert result == {**found, "trained": True}
    assert found["stage"] == "tiny"
    assert found["parent"] == recipe.base_model
    assert found["config"] == recipe.model_dump(mode="json")
    assert found["sources"] == [
        {"source": "alpha", "revision": "1.0", "license": "MIT", "pairs": 32},
        {"source": "beta", "revision": "1.0", "license": "Apache-2.0", "pairs": 16},
    ]
    assert re.fullmatch("[0-9a-f]{32}", found["fingerprint"])
    assert re.fullmatch("[0-9a-f]{32}", found["data_version"])
    assert set(found["code_version"]) == {"training", "provender"}
    assert found["tracking"] == {}


def test_checkpoint_names_every_file_that_it_is_made_of(
    trained: tuple[Path, dict[str, Any]], corpus: Path
) -> None:
    found = pq.read_table(trained[0] / "provenance.parquet").to_pylist()
    rows = pq.read_table(corpus).to_pylist()
    assert sum(each["pairs"] for each in found) == len(rows) == 48
    places = sorted({(row["source"], row["path"], row["blob_sha"]) for row in rows})
    assert [(each["source"], each["path"], each["blob_sha"]) for each in found] == places
    assert not any(";lines=" in each["swhid"] for each in found)


def test_manifest_keeps_every_step_and_the_last_figures(
    trained: tuple[Path, dict[str, Any]],
) -> None:
    found = _manifest(trained[0])
    assert [row["step"] for row in found["history"]] == list(range(12))
    assert set(found["metrics"]) == {"contrastive", "in_batch_P@1", "loss"}
    assert {**found["metrics"], "step": 11} == found["history"][-1]


def test_nothing_is_left_beside_the_checkpoint(trained: tuple[Path, dict[str, Any]]) -> None:
    assert _left(trained[0].parent) == {"stage"}


def test_same_recipe_and_corpus_write_nothing_again(
    trained: tuple[Path, dict[str, Any]], recipe: Recipe, corpus: Path
) -> None:
    output, first = trained
    before = {each: each.stat().st_mtime_ns for each in output.rglob("*")}
    again = train(recipe, Stage(corpus, output))
    assert again == {**first, "trained": False}
    assert {each: each.stat().st_mtime_ns for each in output.rglob("*")} == before


def test_two_trainings_give_the_same_weights(
    trained: tuple[Path, dict[str, Any]], recipe: Recipe, corpus: Path, tmp_path: Path
) -> None:
    train(recipe, Stage(corpus, tmp_path / "again"))
    ours, theirs = _weights(trained[0]), _weights(tmp_path / "again")
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_every_epoch_is_trained(corpus: Path, tiny_model: Path, tmp_path: Path) -> None:
    result = train(tiny_recipe(tiny_model, epochs=3), Stage(corpus, tmp_path / "stage"))
    assert [row["step"] for row in result["history"]] == list(range(36))


def test_epochs_have_as_many_batches_as_the_one_with_the_fewest(
    tiny_model: Path, tmp_path: Path
) -> None:
    # Drawn in the order B, C, A, A these give one batch of two, in most others two.
    units = ["a", "a", "b", "c"]
    rows = [
        pair(number, cluster_id=unit, positive=f"fn {number}", doc_rest="")
        for number, unit in enumerate(units)
    ]
    corpus = write_corpus(tmp_path / "c.parquet", rows)
    seeds = [tiny_recipe(tiny_model, batch_size=2, epochs=4, seed=seed) for seed in range(8)]
    steps = [
        len(train(recipe, Stage(corpus, tmp_path / str(recipe.seed)))["history"])
        for recipe in seeds
    ]
    assert set(steps) <= {4, 8}
    assert 4 in steps


def test_adapter_scale_is_part_of_the_checkpoint(
    trained: tuple[Path, dict[str, Any]], corpus: Path, tiny_model: Path, tmp_path: Path
) -> None:
    train(tiny_recipe(tiny_model, adapter_scale=0.25), Stage(corpus, tmp_path / "stage"))
    config = json.loads((tmp_path / "stage/adapter/adapter_config.json").read_text())
    assert config["lora_alpha"] == 0.25 * 8
    ours, theirs = _weights(trained[0]), _weights(tmp_path / "stage")
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


# When to train again


@pytest.mark.parametrize(
    "change", [{"seed": 8}, {"adapter": {"rank": 2}}, {"mixture": {"max_pairs": 16}}], ids=str
)
def test_a_changed_recipe_trains_again(
    change: dict[str, Any], corpus: Path, tiny_model: Path, tmp_path: Path
) -> None:
    output = tmp_path / "stage"
    small = {"mixture": {"max_pairs": 8}}
    first = train(tiny_recipe(tiny_model, **small), Stage(corpus, output))
    second = train(tiny_recipe(tiny_model, **{**small, **change}), Stage(corpus, output))
    assert second["trained"]
    assert second["fingerprint"] != first["fingerprint"]
    assert _manifest(output)["fingerprint"] == second["fingerprint"]


def test_a_changed_corpus_trains_again(tiny_model: Path, tmp_path: Path) -> None:
    recipe, stage = tiny_recipe(tiny_model), Stage(tmp_path / "corpus", tmp_path / "stage")
    write_corpus(tmp_path / "corpus" / "a.parquet", [pair(number) for number in range(8)])
    first = train(recipe, stage)
    write_corpus(tmp_path / "corpus" / "b.parquet", [pair(number) for number in range(8, 12)])
    second = train(recipe, stage)
    assert second["trained"]
    assert second["data_version"] != first["data_version"]


# Dying and going on


class _DiedError(Exception):
    """Stands for whatever ends a run."""


@contextmanager
def _dying_at(step: int) -> Iterator[None]:
    """Within it, training dies when it begins `step`."""
    real = LateInteraction.training_step

    def mortal(self: LateInteraction, batch: Any, batch_idx: int) -> Any:
        if self.global_step == step:
            raise _DiedError
        return real(self, batch, batch_idx)

    with pytest.MonkeyPatch.context() as context:
        context.setattr(LateInteraction, "training_step", mortal)
        yield


def _die(recipe: Recipe, stage: Stage, step: int) -> Path:
    """Train until `step`; returns the resume state."""
    with _dying_at(step), pytest.raises(_DiedError):
        train(recipe, stage)
    (state,) = stage.output.parent.glob(f".{stage.output.name}-*.work/last.ckpt")
    return state


@pytest.fixture(scope="module")
def two_epochs(
    tiny_model: Path, corpus: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Recipe, Path]:
    """A recipe of two epochs of twelve steps, and what it gives without interruption."""
    recipe = tiny_recipe(tiny_model, epochs=2, objective={"feature_weight": 1.0})
    output = tmp_path_factory.mktemp("two") / "stage"
    with pytest.MonkeyPatch.context() as context:
        context.setenv("PL_GLOBAL_SEED", "0")
        train(recipe, Stage(corpus, output))
    return recipe, output


@pytest.mark.parametrize("step", [5, 12, 13, 14, 21])
def test_a_run_that_died_ends_as_if_it_had_not(
    step: int, two_epochs: tuple[Recipe, Path], corpus: Path, tmp_path: Path
) -> None:
    recipe, uninterrupted = two_epochs
    stage = Stage(corpus, tmp_path / "stage")
    _die(recipe, stage, step)
    with _counted_steps() as steps:
        assert train(recipe, stage)["trained"]
    assert steps == list(range(step - step % 2, 24)), "it goes on at the last saved step"
    assert _same(stage.output, uninterrupted)
    assert _left(tmp_path) == {"stage"}


@contextmanager
def _counted_steps() -> Iterator[list[int]]:
    real, steps = LateInteraction.training_step, []

    def counting(self: LateInteraction, batch: Any, batch_idx: int) -> Any:
        steps.append(self.global_step)
        return real(self, batch, batch_idx)

    with pytest.MonkeyPatch.context() as context:
        context.setattr(LateInteraction, "training_step", counting)
        yield steps


def test_a_run_may_die_twice(two_epochs: tuple[Recipe, Path], corpus: Path, tmp_path: Path) -> None:
    recipe, uninterrupted = two_epochs
    stage = Stage(corpus, tmp_path / "stage")
    _die(recipe, stage, 7)
    _die(recipe, stage, 19)
    train(recipe, stage)
    assert _same(stage.output, uninterrupted)


def test_dropout_in_the_adapter_resumes_exactly_too(
    corpus: Path, tiny_model: Path, tmp_path: Path
) -> None:
    adapter = {"rank": 4, "alpha": 8, "dropout": 0.3}
    recipe = tiny_recipe(tiny_model, adapter=adapter)
    train(recipe, Stage(corpus, tmp_path / "whole"))
    stage = Stage(corpus, tmp_path / "stage")
    _die(recipe, stage, 6)
    train(recipe, stage)
    assert _same(stage.output, tmp_path / "whole")


def test_resume_state_holds_no_base_weights(recipe: Recipe, corpus: Path, tmp_path: Path) -> None:
    state = _die(recipe, Stage(corpus, tmp_path / "stage"), 5)
    saved = torch.load(state, weights_only=True)
    assert saved["global_step"] == 4
    assert len(saved["history"]) == 4
    assert all("lora_" in name for name in saved["state_dict"])


class _Payload:
    """Touches a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.marker),))


def test_resume_state_is_never_unpickled_freely(
    recipe: Recipe, corpus: Path, tmp_path: Path
) -> None:
    stage, marker = Stage(corpus, tmp_path / "stage"), tmp_path / "executed"
    state = _die(recipe, stage, 5)
    torch.save({**torch.load(state, weights_only=True), "more": _Payload(marker)}, state)
    with pytest.raises((ProvenderError, pickle.UnpicklingError)):
        train(recipe, stage)
    assert not marker.exists()
    assert not stage.output.exists()


def test_resume_state_of_another_recipe_is_not_used(
    tiny_model: Path, corpus: Path, tmp_path: Path
) -> None:
    stage = Stage(corpus, tmp_path / "stage")
    _die(tiny_recipe(tiny_model), stage, 9)
    with _counted_steps() as steps:
        train(tiny_recipe(tiny_model, seed=8), stage)
    assert steps == list(range(12))


def test_old_checkpoint_is_untouched_when_a_new_training_dies(
    tiny_model: Path, corpus: Path, tmp_path: Path
) -> None:
    stage = Stage(corpus, tmp_path / "stage")
    train(tiny_recipe(tiny_model, mixture={"max_pairs": 8}), stage)
    before = {each: each.read_bytes() for each in stage.output.rglob("*") if each.is_file()}
    _die(tiny_recipe(tiny_model), stage, 5)
    after = {each: each.read_bytes() for each in stage.output.rglob("*") if each.is_file()}
    assert after == before


# Real processes, really killed


@pytest.fixture(scope="module")
def long_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """80 batches of four."""
    rows = [pair(number) for number in range(320)]
    return write_corpus(tmp_path_factory.mktemp("long") / "pairs.parquet", rows)


@pytest.fixture(scope="module")
def uninterrupted(
    tiny_model: Path, long_corpus: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    output = tmp_path_factory.mktemp("uninterrupted") / "stage"
    with pytest.MonkeyPatch.context() as context:
        context.setenv("PL_GLOBAL_SEED", "0")
        train(tiny_recipe(tiny_model), Stage(long_corpus, output))
    return output


@pytest.fixture
def command(recipe: Recipe, long_corpus: Path, tmp_path: Path) -> list[str]:
    """The arguments of a long training of `tmp_path / "out/stage"`."""
    config = write_recipe(tmp_path / "recipe.yaml", recipe)
    output = tmp_path / "out" / "stage"
    return ["--config", str(config), "--corpus", str(long_corpus), "--output", str(output)]


@contextmanager
def _started(arguments: list[str]) -> Iterator[subprocess.Popen[str]]:
    """`python -m training.run` in a process of its own, until it has saved twice."""
    # A process started with SIGINT ignored would pass that on.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "training.run", *arguments],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    signal.signal(signal.SIGINT, before)
    try:
        parent = Path(arguments[-1]).parent
        saves = set()
        while len(saves) < 2 and process.poll() is None:
            saves |= {each.stat().st_mtime_ns for each in parent.glob(".stage-*.work/last.ckpt")}
            time.sleep(0.005)
        yield process
    finally:
        process.kill()
        process.communicate()


def _saved_steps(arguments: list[str]) -> int:
    (state,) = Path(arguments[-1]).parent.glob(".stage-*.work/last.ckpt")
    return torch.load(state, weights_only=True)["global_step"]


def test_a_killed_process_ends_as_if_it_had_not_been_killed(
    command: list[str], uninterrupted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with _started(command) as process:
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert 2 <= _saved_steps(command) < 80
    assert main(command) == 0
    assert capsys.readouterr().out.startswith(f"trained {command[-1]} ")
    assert len(_manifest(Path(command[-1]))["history"]) == 80
    assert _same(Path(command[-1]), uninterrupted)


def test_ctrl_c_stops_with_a_message_and_the_same_command_goes_on(
    command: list[str], uninterrupted: Path
) -> None:
    with _started(command) as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "stopped; the same command continues at the last saved step"
    assert "Traceback" not in err
    assert 2 <= _saved_steps(command) < 80
    assert not Path(command[-1]).exists()
    assert main(command) == 0
    assert _same(Path(command[-1]), uninterrupted)


_ALONE = """
import runpy, sys

class Without:
    # The finder it wraps, on a machine where three packages are not installed.
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, *rest):
        if name.split(".")[0] in {"dagster", "polars", "mlflow"}:
            asked.append(name)
            return None
        return self.finder.find_spec(name, *rest)

    def __getattr__(self, name):
        return getattr(self.finder, name)

asked = []
sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
try:
    import mlflow
except ImportError:
    assert asked
import evaluation.bm25, evaluation.compare, evaluation.metrics, evaluation.queries
import evaluation.report, evaluation.retrieve, training.merge
runpy.run_module("training.run", run_name="__main__", alter_sys=True)
"""


def test_training_and_evaluation_run_without_dagster_polars_and_mlflow(
    recipe: Recipe, corpus: Path, tmp_path: Path
) -> None:
    config = write_recipe(tmp_path / "recipe.yaml", recipe)
    output = tmp_path / "stage"
    arguments = ["--config", str(config), "--corpus", str(corpus), "--output", str(output)]
    done = subprocess.run(
        [sys.executable, "-c", _ALONE, *arguments],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"trained {output} contrastive=")
    assert done.stderr == ""
    assert _manifest(output)["stage"] == "tiny"


# The command line


def _error(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr."""
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("error: ")
    return line


def test_show_config_prints_yaml_that_loads_back_to_the_same_recipe(tmp_path: Path) -> None:
    recipe = Recipe.model_validate({"stage": "rust", "objective": {"scoring": "maxsim"}})
    config = tmp_path / "recipe.yaml"
    config.write_text("stage: rust\nobjective: {scoring: maxsim}\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "training.run", "--config", str(config), "--show-config"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    shown = tmp_path / "shown.yaml"
    shown.write_text(done.stdout, encoding="utf-8")
    assert load_recipe(shown) == recipe
    assert yaml.safe_load(done.stdout)["mixture"]["max_pairs"] == 4096, "defaults are shown too"


def test_show_config_trains_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_recipe(tmp_path / "recipe.yaml", Recipe())
    assert main(["--config", str(config), "--show-config"]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == Recipe().model_dump(mode="json")
    assert _left(tmp_path) == {"recipe.yaml"}


def test_missing_corpus_is_one_line(
    recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_recipe(tmp_path / "recipe.yaml", recipe)
    corpus, output = tmp_path / "absent", tmp_path / "stage"
    arguments = ["--config", str(config), "--corpus", str(corpus), "--output", str(output)]
    assert main(arguments) == 1
    assert f"{corpus}: There is no corpus." in _error(capsys)
    assert _left(tmp_path) == {"recipe.yaml"}


def test_corrupt_corpus_is_one_line(
    recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_recipe(tmp_path / "recipe.yaml", recipe)
    corpus, output = tmp_path / "corpus.parquet", tmp_path / "stage"
    write_corpus(corpus, [pair(number) for number in range(8)])
    corpus.write_bytes(corpus.read_bytes()[:200])
    arguments = ["--config", str(config), "--corpus", str(corpus), "--output", str(output)]
    assert main(arguments) == 1
    assert str(corpus) in _error(capsys)
    assert not output.exists()


def test_a_corpus_without_provenance_is_refused_before_training(
    recipe: Recipe, tmp_path: Path
) -> None:
    rows = [{k: v for k, v in pair(n).items() if k != "license"} for n in range(8)]
    corpus = write_corpus(tmp_path / "corpus.parquet", rows)
    with _counted_steps() as steps, pytest.raises(ProvenderError) as caught:
        train(recipe, Stage(corpus, tmp_path / "stage"))
    assert caught.value.where == str(corpus)
    assert steps == []


def test_missing_config_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(tmp_path / "absent.yaml")]) == 1
    assert f"{tmp_path / 'absent.yaml'}: There is no such file." in _error(capsys)


@pytest.mark.parametrize("text", ["stage: [", "- a list", "batch_size: 1\nepochs: 0"])
def test_bad_config_is_one_line(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "recipe.yaml"
    config.write_text(text, encoding="utf-8")
    assert main(["--config", str(config)]) == 1
    assert str(config) in _error(capsys)


def test_unusable_base_model_is_one_line(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_recipe(tmp_path / "recipe.yaml", tiny_recipe(tmp_path / "no-model"))
    output = tmp_path / "stage"
    arguments = ["--config", str(config), "--corpus", str(corpus), "--output", str(output)]
    assert main(arguments) == 1
    assert "The base model cannot be loaded" in _error(capsys)


def test_the_lake_is_where_nothing_else_is_said(
    recipe: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PROVENDER_LAKE", str(tmp_path / "lake"))
    config = write_recipe(tmp_path / "recipe.yaml", recipe)
    table = tmp_path / "lake" / "corpus" / "split=train" / "part-0.parquet"
    write_corpus(table, [pair(number) for number in range(8)])
    output = tmp_path / "lake" / "models" / "stage_tiny"
    assert main(["--config", str(config)]) == 0
    assert capsys.readouterr().out.startswith(f"trained {output} contrastive=")
    assert _manifest(output)["sources"][0]["pairs"] == 8
    assert main(["--config", str(config)]) == 0
    assert capsys.readouterr().out.startswith(f"unchanged, nothing to train: {output} ")


def test_experts_stand_beside_the_stages_each_on_the_base_itself(
    recipe: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PROVENDER_LAKE", str(tmp_path / "lake"))
    write_recipe(tmp_path / "train.yaml", recipe)
    curriculum = write_curriculum(tmp_path, "rust", "formal")
    rows = [pair(number, domain="formal" if number % 2 else "rust") for number in range(60)]
    corpus = tmp_path / "lake" / "corpus"
    write_corpus(corpus / "split=train" / "part-0.parquet", rows)
    models = tmp_path / "lake" / "models"
    command = ["--config", str(curriculum), "--experts"]
    assert main([*command, "--stage", "formal"]) == 0
    assert _left(models) == {"expert_formal"}
    assert main(command) == 0
    told = capsys.readouterr()
    assert told.out.splitlines()[-1].startswith("unchanged, nothing to train: ")
    assert (
        "without validation pairs (--valid) the experts are neither merged nor routed" in told.err
    )
    assert _left(models) == {"expert_formal", "expert_rust"}
    for domain in ("formal", "rust"):
        manifest = _manifest(models / f"expert_{domain}")
        assert (manifest["parent"], manifest["lineage"]) == (recipe.base_model, [])
        assert manifest["sources"][0]["pairs"] == 28  # whole batches

    write_corpus(
        corpus / "split=valid" / "part-0.parquet", [{**row, "split": "valid"} for row in rows]
    )
    assert main(command) == 0
    assert _left(models) == {"expert_formal", "expert_rust", "merged", "router"}
    assert "made " in capsys.readouterr().out
    assert main(command) == 0
    kinds = [line.partition(" ")[0] for line in capsys.readouterr().out.splitlines()]
    assert kinds == ["unchanged,", "unchanged,", "unchanged:", "unchanged:"]


def test_a_data_set_that_the_recipe_names_is_trained_on(
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PROVENDER_LAKE", str(tmp_path / "lake"))
    config = write_recipe(tmp_path / "recipe.yaml", tiny_recipe(tiny_model, dataset="mine"))
    arguments = ["--config", str(config)]
    place = tmp_path / "lake" / "datasets" / "mine.parquet"
    assert main(arguments) == 1
    assert _error(capsys).startswith(f"error: {place}: There is no data set `mine`. ")
    write_corpus(place.with_name("mines.parquet"), [pair(0)])
    assert main(arguments) == 1
    assert "There is no data set `mine`; did you mean `mines`?" in _error(capsys)
    assert _left(tmp_path / "lake") == {"datasets"}

    held_out = [pair(number, split="test") for number in range(8)]
    write_corpus(place, held_out)
    assert main(arguments) == 1
    assert f"{place}: These pairs are held out" in _error(capsys)
    assert not (tmp_path / "lake" / "models" / "stage_tiny").exists()

    write_corpus(place, [{**row, "split": "train"} for row in held_out])
    assert main(arguments) == 0
    manifest = _manifest(tmp_path / "lake" / "models" / "stage_tiny")
    assert (manifest["config"]["dataset"], manifest["sources"][0]["pairs"]) == ("mine", 8)


def test_what_the_pairs_are_called_changes_no_checkpoint(
    trained: tuple[Path, dict[str, Any]], tiny_model: Path, corpus: Path
) -> None:
    output, _ = trained
    again = train(tiny_recipe(tiny_model, dataset="mine"), Stage(corpus, output))
    assert not again["trained"]


def test_ctrl_c_in_process_returns_130(
    recipe: Recipe,
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    handler = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(LateInteraction, "training_step", interrupted)
    config = write_recipe(tmp_path / "recipe.yaml", recipe)
    output = tmp_path / "stage"
    arguments = ["--config", str(config), "--corpus", str(corpus), "--output", str(output)]
    try:
        assert main(arguments) == 130
    finally:
        signal.signal(signal.SIGINT, handler)  # Lightning turns it off while it shuts down
    assert capsys.readouterr().err.startswith("stopped; ")


def test_out_of_memory_says_what_to_lower(
    recipe: Recipe, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: Any) -> None:
        raise torch.cuda.OutOfMemoryError

    monkeypatch.setattr(LateInteraction, "training_step", exhausted)
    with pytest.raises(ProvenderError, match=r"lower batches\.chunk or document_length"):
        train(recipe, Stage(corpus, tmp_path / "stage"))


def test_a_gradient_that_is_no_number_stops_before_it_is_in_the_weights(
    recipe: Recipe, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = LateInteraction.training_step

    def poisoned(module: LateInteraction, batch: Any, batch_idx: int) -> Any:
        loss = step(module, batch, batch_idx)
        loss.register_hook(lambda gradient: gradient * math.nan)
        return loss

    monkeypatch.setattr(LateInteraction, "training_step", poisoned)
    with pytest.raises(ProvenderError, match="A gradient is no number any more") as caught:
        train(recipe, Stage(corpus, tmp_path / "stage"))
    assert caught.value.where == "step 0 in epoch 0"


def test_scales_without_validation_pairs_are_refused_before_training(
    tiny_model: Path, corpus: Path, tmp_path: Path
) -> None:
    recipe = tiny_recipe(tiny_model, adapter_scale=[0.5, 1.0])
    with _counted_steps() as steps, pytest.raises(ProvenderError, match="no scale"):
        train(recipe, Stage(corpus, tmp_path / "stage"))
    assert steps == []


def test_the_state_of_a_stage_with_a_longer_name_is_left_alone(
    recipe: Recipe, corpus: Path, tmp_path: Path
) -> None:
    other = tmp_path / ".stage-two-0123456789ab.work"
    older = tmp_path / ".stage-0123456789ab.work"
    for each in (other, older):
        each.mkdir()
    train(recipe, Stage(corpus, tmp_path / "stage"))
    assert other.is_dir()
    assert not older.exists()


def test_two_runs_of_one_checkpoint_go_one_after_the_other(
    tiny_model: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, stage = tiny_recipe(tiny_model), Stage(corpus, tmp_path / "stage")
    with (tmp_path / ".stage.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        monkeypatch.setattr("training.run._PATIENCE_S", 1)
        with pytest.raises(ProvenderError, match="Another process trains this checkpoint"):
            train(recipe, stage)
        assert _left(tmp_path) == {".stage.lock"}
        monkeypatch.setattr("training.run._PATIENCE_S", 30)
        ended = Timer(1.5, lambda: fcntl.flock(held, fcntl.LOCK_UN))
        ended.start()
        assert train(recipe, stage)["trained"]
    assert not train(recipe, stage)["trained"]
    assert _left(tmp_path) == {"stage"}

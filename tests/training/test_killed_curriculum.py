"""The quickstart's way in small: three stages, mined and watched, killed with -9 in each."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.tiny import pair, tiny_recipe, write_corpus, write_curriculum, write_recipe

ROOT = Path(__file__).parents[2]
STAGES = ("general", "rust", "formal")


@pytest.fixture(scope="module")
def arguments(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Of a curriculum of three stages of thirty steps, but for `--output`."""
    folder = tmp_path_factory.mktemp("curriculum")
    rows = [pair(n, domain=STAGES[n % 3]) for n in range(360)]
    valid = [pair(n, domain=STAGES[n % 3], split="valid", pair_id=f"v{n:02}") for n in range(24)]
    corpus = write_corpus(folder / "train" / "c.parquet", rows)
    held_out = write_corpus(folder / "valid" / "v.parquet", valid)
    recipe = tiny_recipe(
        tiny_model,
        save_every_steps=1,
        objective={"feature_weight": 1.0},
        hard_negatives={"per_pair": 1},
        adapter={"rank": 4, "alpha": 8, "dropout": 0.1},
        adapter_scale=[0.5, 1.0],
        watch={"every_steps": 5, "allowed_loss": 1.0},
    )
    write_recipe(folder / "train.yaml", recipe)
    config = write_curriculum(folder, *STAGES)
    return [
        *(sys.executable, "-m", "training.run", "--config", str(config)),
        *("--corpus", str(corpus), "--valid", str(held_out), "--output"),
    ]


def _start(arguments: list[str], models: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*arguments, str(models)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _finished(arguments: list[str], models: Path) -> list[str]:
    process = _start(arguments, models)
    out, err = process.communicate(timeout=250)
    assert process.returncode == 0, err
    return [line.split()[0] for line in out.splitlines()]


def _kill_in(stage: str, arguments: list[str], models: Path) -> int:
    """Start the curriculum, kill it once it has saved some steps of `stage`; returns the step it was at."""
    process = _start(arguments, models)
    saves: set[int] = set()
    deadline = time.monotonic() + 200
    try:
        while len(saves) < 7 and process.poll() is None and time.monotonic() < deadline:
            for each in models.glob(f".stage_{stage}-*.work/last.ckpt"):
                saves.add(each.stat().st_mtime_ns)
            time.sleep(0.002)
        assert process.poll() is None, process.communicate()
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    [state] = models.glob(f".stage_{stage}-*.work/last.ckpt")
    return torch.load(state, weights_only=True)["global_step"]


def _made(models: Path, stage: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    place = models / f"stage_{stage}"
    manifest = json.loads((place / "manifest.json").read_text(encoding="utf-8"))
    kept = {name: manifest[name] for name in ("history", "looks", "retention", "fingerprint")}
    return load_file(place / "adapter" / "adapter_model.safetensors"), kept


def test_a_curriculum_killed_in_each_stage_ends_as_one_that_was_not(
    arguments: list[str], tmp_path: Path
) -> None:
    whole, killed = tmp_path / "whole" / "models", tmp_path / "killed" / "models"
    assert _finished(arguments, whole) == ["trained"] * 3
    steps = [_kill_in(stage, arguments, killed) for stage in STAGES]
    assert all(0 < step < 30 for step in steps)
    assert _finished(arguments, killed) == ["unchanged,", "unchanged,", "trained"]
    for stage in STAGES:
        (ours, figures), (theirs, others) = _made(whole, stage), _made(killed, stage)
        assert figures == others
        assert ours.keys() == theirs.keys()
        for name, weight in ours.items():
            torch.testing.assert_close(theirs[name], weight, atol=1e-6, rtol=0)
        assert len(figures["history"]) == 30
        assert [look["step"] for look in figures["looks"]] == list(range(5, 31, 5))
        assert figures["retention"]["scale"] in (0.5, 1.0)
    assert {each.name for each in killed.iterdir()} == {f"stage_{stage}" for stage in STAGES}

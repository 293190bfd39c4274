"""Kill -9 in each stage, and a run that is cancelled: what was made stays, and the next run goes on."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.corpus.snapshots.repository import Repository
from tests.integration.compose import Stack, parent_of, until
from tests.integration.conftest import PROJECT, write_recipe
from tests.integration.graphql import Dagster
from tests.integration.mlflow import runs
from tests.integration.s3 import objects, tables, torn

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("quickstart"),
]

PARTITION = {"dagster/partition": "train"}
ONCE = {"dagster/max_retries": "0"}

KILLED = [
    ("ingest", (), "units", "run"),
    ("refresh_corpus", (), "corpus", "location"),
    ("__ASSET_JOB", ("eval_queries",), "eval_queries", "run"),
    ("train_curriculum", (), "model", "location"),
    ("evaluate", (), "metrics", "run"),
]
"""A job, its assets if not all, the step in which it is killed; and what is: the process of the run, or the
code server with all that it runs. In the order of the stages, so that each table is made once."""


def models(stack: Stack) -> dict[str, str]:
    """What the store has of models, with ETags."""
    found = objects(stack, "lake")
    return {key: tag for key, tag in found.items() if key.startswith("provender/models/")}


def test_a_kill_in_each_stage_leaves_every_table_whole(stack: Stack, dagster: Dagster) -> None:
    before = tables(stack)
    train = Repository(stack.path(PROJECT) / "train")
    train.write(
        "src/more.rs", "/// Adds three to a number.\npub fn add_three(n: u32) -> u32 { n + 3 }\n"
    )
    train.commit()
    seen = []
    for job, assets, step, victim in KILLED:
        tags = {**ONCE, **(PARTITION if job == "ingest" else {})}
        ending = set(stack.runs())  # a run is done before its process is
        run = dagster.launch(job, *assets, tags=tags)
        dagster.await_step(run, step)
        if victim == "run":
            [process] = set(stack.runs()) - ending
            os.kill(process, signal.SIGKILL)
        else:
            stack.kill("location")
            stack.restart("location")
        dagster.await_status(run, "FAILURE")
        seen.append(tables(stack))
        assert torn(stack) == []
        dagster.await_status(dagster.launch(job, *assets, tags=tags), "SUCCESS", patience_s=200)
    dagster.await_status(dagster.launch("everything"), "SUCCESS", patience_s=240)
    after = tables(stack)
    assert after != before
    for found in seen:
        assert found.keys() >= before.keys()
        assert {
            key for key, tag in found.items() if tag not in (before.get(key), after[key])
        } == set()


def begun(stack: Stack, dagster: Dagster, seed: int) -> tuple[str, set[str], Path]:
    """A training that has saved a state: its run, the runs that MLflow knew before, and the state."""
    known = {each["info"]["run_id"] for each in runs(stack)}
    write_recipe(stack.path(PROJECT), seed=seed, epochs=60, save_every_steps=10)
    run = dagster.launch("__ASSET_JOB", "stage_rust")
    [state] = until(
        "a state is saved", lambda: [*stack.path("/lake/models").glob(".*.work/last.ckpt")], 200
    )
    assert len(stack.trainings()) == 1
    return run, known, state


def went_on(stack: Stack, known: set[str], state: Path) -> None:
    """The model is there, and was trained in the one run of MLflow's that was begun."""
    assert not state.parent.exists()
    manifest = json.loads(stack.path("/lake/models/stage_rust/manifest.json").read_text())
    assert [each["step"] for each in manifest["history"]] == list(range(300))
    new = {each["info"]["run_id"] for each in runs(stack)} - known
    assert new == {manifest["tracking"]["run_id"]}


def test_a_training_that_is_cancelled_ends_and_goes_on_from_its_state(
    stack: Stack, dagster: Dagster
) -> None:
    before = models(stack)
    run, known, state = begun(stack, dagster, seed=2)
    dagster.cancel(run)
    dagster.await_status(run, "CANCELED")
    until("its training has ended", lambda: not stack.trainings(), 30)
    assert state.is_file()
    assert models(stack) == before
    dagster.await_status(dagster.launch("__ASSET_JOB", "stage_rust"), "SUCCESS", patience_s=200)
    went_on(stack, known, state)
    write_recipe(stack.path(PROJECT))


def test_a_step_that_is_killed_takes_its_training_along_and_is_run_again(
    stack: Stack, dagster: Dagster
) -> None:
    run, known, state = begun(stack, dagster, seed=3)
    [training] = stack.trainings()
    step = parent_of(training)
    assert step is not None
    os.kill(step, signal.SIGKILL)
    until("its training has ended", lambda: training not in stack.trainings(), 30)
    dagster.await_status(run, "FAILURE")
    dagster.await_rerun(run)
    went_on(stack, known, state)
    write_recipe(stack.path(PROJECT))

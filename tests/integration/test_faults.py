"""What a part of the stack that dies costs: nothing that was made, and no run that is shown wrongly."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.compose import Stack, until
from tests.integration.conftest import PROJECT, write_recipe
from tests.integration.graphql import ENDED, Dagster
from tests.integration.mlflow import runs
from tests.integration.s3 import objects

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("quickstart"),
]

PARTITION = {"dagster/partition": "train"}


@pytest.fixture
def tables(stack: Stack) -> Callable[[], dict[str, str]]:
    """Gives every table of the lake with its ETag: a hash of its bytes, as S3 has them."""

    def found() -> dict[str, str]:
        return {key: tag for key, tag in objects(stack, "lake").items() if key.endswith(".parquet")}

    return found


def rerun(dagster: Dagster, run: str) -> None:
    """Wait until the daemon has had `run` run again, with success."""
    again = until("it is run again", lambda: dagster.runs(**{"dagster/parent_run_id": run}))
    dagster.await_status(again[0]["runId"], "SUCCESS")


def test_postgres_is_gone_while_a_run_goes_on(
    stack: Stack, dagster: Dagster, tables: Callable[[], dict[str, str]]
) -> None:
    before = tables()
    run = dagster.launch("ingest", tags=PARTITION)
    dagster.await_status(run, "STARTED")
    stack.kill("postgres")
    time.sleep(10)  # longer than Dagster alone would wait
    stack.restart("postgres")
    # Whoever wants a connection waits for it. A run that had one, and lost it in a statement, fails.
    if dagster.await_status(run) != "SUCCESS":
        rerun(dagster, run)
    assert tables() == before
    for service in ("location", "webserver", "daemon"):
        stack.await_healthy(service)
    dagster.await_status(dagster.launch("ingest", tags=PARTITION), "SUCCESS")


def test_a_run_whose_code_server_was_killed_is_run_again(
    stack: Stack, dagster: Dagster, tables: Callable[[], dict[str, str]]
) -> None:
    before = tables()
    run = dagster.launch("ingest", tags=PARTITION)
    dagster.await_status(run, "STARTED")
    stack.kill("location")
    stack.restart("location")
    dagster.await_status(run, "FAILURE")
    assert any("its server no longer has its process" in each for each in dagster.messages(run))
    rerun(dagster, run)
    assert tables() == before


def test_a_daemon_that_comes_back_goes_on_with_the_queue(stack: Stack, dagster: Dagster) -> None:
    stack.kill("daemon")
    run = dagster.launch("ingest", tags=PARTITION)
    time.sleep(5)
    assert dagster.status(run) == "QUEUED"
    stack.start("daemon")
    dagster.await_status(run, "SUCCESS")
    stack.await_healthy("daemon")


def test_training_goes_on_while_mlflow_is_gone(stack: Stack, dagster: Dagster) -> None:
    known = {each["info"]["run_id"] for each in runs(stack)}
    write_recipe(stack.path(PROJECT), seed=1, epochs=100)
    run = dagster.launch("__ASSET_JOB", "stage_rust")
    [of_mlflow] = until(
        "the training has a run of MLflow's",
        lambda: [each for each in runs(stack) if each["info"]["run_id"] not in known],
        200,
    )
    stack.kill("mlflow")
    assert dagster.status(run) not in ENDED
    dagster.await_status(run, "SUCCESS", patience_s=200)
    stack.restart("mlflow")
    write_recipe(stack.path(PROJECT))

    manifest = json.loads(stack.path("/lake/models/stage_rust/manifest.json").read_text())
    assert [each["step"] for each in manifest["history"]] == list(range(500))
    tracked = manifest["tracking"]
    assert tracked["run_id"] == of_mlflow["info"]["run_id"]
    assert tracked["missing"] > 0
    told = [each for each in dagster.messages(run) if each.startswith("MLflow ")]
    assert told[0].startswith("MLflow does not answer; training goes on and logs later")
    assert told[-1].startswith(f"MLflow did not come back: {tracked['missing']} values")


def models(stack: Stack) -> dict[str, str]:
    """What the store has of models, with ETags."""
    found = objects(stack, "lake")
    return {key: tag for key, tag in found.items() if key.startswith("provender/models/")}


def begun(stack: Stack, dagster: Dagster, seed: int) -> tuple[str, set[str], Path]:
    """A training that has saved a state: its run, the runs that MLflow knew before, and the state."""
    known = {each["info"]["run_id"] for each in runs(stack)}
    write_recipe(stack.path(PROJECT), seed=seed, epochs=200, save_every_steps=10)
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
    assert [each["step"] for each in manifest["history"]] == list(range(1000))
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
    step = int(Path(f"/proc/{training}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(step, signal.SIGKILL)
    until("its training has ended", lambda: training not in stack.trainings(), 30)
    dagster.await_status(run, "FAILURE")
    rerun(dagster, run)
    went_on(stack, known, state)
    write_recipe(stack.path(PROJECT))


def test_two_refreshes_of_one_source_at_once_leave_what_one_leaves(
    dagster: Dagster, tables: Callable[[], dict[str, str]]
) -> None:
    before = tables()
    both = [dagster.launch("ingest", tags=PARTITION) for _ in range(2)]
    for run in both:
        dagster.await_status(run, "SUCCESS")
    assert tables() == before

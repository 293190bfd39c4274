"""What a part of the stack that dies costs: nothing that was made, and no run that is shown wrongly."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.corpus.snapshots.repository import Repository
from tests.integration.compose import Stack, until
from tests.integration.conftest import PROJECT, write_recipe
from tests.integration.graphql import ENDED, Dagster
from tests.integration.mlflow import runs
from tests.integration.s3 import tables

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("quickstart"),
]

PARTITION = {"dagster/partition": "train"}


def test_postgres_is_gone_while_a_run_goes_on(stack: Stack, dagster: Dagster) -> None:
    before = tables(stack)
    run = dagster.launch("ingest", tags=PARTITION)
    dagster.await_status(run, "STARTED")
    stack.kill("postgres")
    time.sleep(10)  # longer than Dagster alone would wait
    stack.restart("postgres")
    # Whoever wants a connection waits for it; who had one, and lost it in a statement, asks again.
    dagster.await_status(run, "SUCCESS")
    assert tables(stack) == before
    for service in ("location", "webserver", "daemon"):
        stack.await_healthy(service)
    dagster.await_status(dagster.launch("ingest", tags=PARTITION), "SUCCESS")


def test_a_run_whose_code_server_was_killed_is_run_again(stack: Stack, dagster: Dagster) -> None:
    before = tables(stack)
    run = dagster.launch("ingest", tags=PARTITION)
    dagster.await_status(run, "STARTED")
    stack.kill("location")
    stack.restart("location")
    dagster.await_status(run, "FAILURE")
    assert any("its server no longer has its process" in each for each in dagster.messages(run))
    dagster.await_rerun(run)
    assert tables(stack) == before


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


def test_two_refreshes_of_one_source_at_once_leave_what_one_leaves(
    stack: Stack, dagster: Dagster
) -> None:
    before = tables(stack)
    both = [dagster.launch("ingest", tags=PARTITION) for _ in range(2)]
    for run in both:
        dagster.await_status(run, "SUCCESS")
    assert tables(stack) == before


@contextmanager
def behind(stack: Stack, seconds: int) -> Iterator[None]:
    """The code server, and so its runs, with a clock that is set back.

    Not the daemon: gRPC's own code would measure by the real clock the deadlines that its Python sets.
    """
    stack.kill("location")
    stack.restart("location", seconds)
    try:
        yield
    finally:
        stack.kill("location")
        stack.restart("location")


def test_a_clock_that_steps_back_repeats_and_loses_nothing(stack: Stack, dagster: Dagster) -> None:
    """By an hour, in which the database has events of what was made."""
    before = tables(stack)
    repository = Repository(stack.path(PROJECT) / "train")
    with behind(stack, 3600):
        run = dagster.launch("ingest", tags=PARTITION)
        dagster.await_status(run, "SUCCESS")
        assert tables(stack) == before  # nothing is made anew for its age

        repository.write(
            "src/late.rs", "/// Adds four to a number.\npub fn add_four(n: u32) -> u32 { n + 4 }\n"
        )
        repository.commit()
        run = dagster.launch("ingest", tags=PARTITION)
        dagster.await_status(run, "SUCCESS")
        changed = {key for key, tag in tables(stack).items() if before.get(key) != tag}
        assert "provender/units/source=train/data.parquet" in changed
        assert all("source=train" in each for each in changed)
        assert dagster.newest("units", "train") == run
    dagster.await_status(dagster.launch("refresh_corpus"), "SUCCESS")
    corpus = "provender/corpus/split=train/part-0.parquet"
    assert tables(stack)[corpus] != before[corpus]

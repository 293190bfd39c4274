"""The quickstart through the webserver of the stack that docker/compose.yaml describes."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.jobs import PER_SOURCE
from tests.integration.compose import Stack
from tests.integration.conftest import SOURCES
from tests.integration.graphql import Dagster
from tests.integration.mlflow import ask, status_for_host
from tests.integration.s3 import objects

REST = ["corpus", "eval_queries", "stage_rust", "model", "metrics", "report"]

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


def test_the_quickstart_is_made_through_the_webserver(
    stack: Stack, dagster: Dagster, quickstart: dict[str, Any]
) -> None:
    assert dagster.locations() == {"provender": "RepositoryLocation"}
    made = dagster.materialized()
    for name in PER_SOURCE:
        assert set(made[name]) == set(SOURCES)
    for name in REST:
        assert set(made[name]) == {None}
    shared = objects(stack, "lake")
    assert {
        *("provender/reports/report.html", "provender/corpus/split=train/part-0.parquet"),
        *(f"provender/units/source={name}/data.parquet" for name in SOURCES),
        *(f"provender/models/{name}/_files.json" for name in ("stage_rust", "model")),
    } <= shared.keys()
    assert quickstart["tracking"]["missing"] == 0
    run = ask(stack, f"runs/get?run_id={quickstart['tracking']['run_id']}")["run"]
    assert run["info"]["status"] == "FINISHED"
    assert {each["key"]: each["value"] for each in run["data"]["params"]}["stage"] == "rust"
    assert run["info"]["artifact_uri"].startswith("mlflow-artifacts:/")
    assert any(key.endswith("model.safetensors") for key in objects(stack, "mlflow"))
    for service in ("postgres", "mlflow", "location", "webserver", "daemon"):
        stack.await_healthy(service)
    # DAGSTER_HOME is read-only in its container.
    assert {each.name for each in stack.path("/opt/dagster").iterdir()} == {
        *("dagster.yaml", "workspace.yaml")
    }


def test_mlflow_answers_to_its_own_names_only(stack: Stack) -> None:
    assert status_for_host(stack, "mlflow:5000") == 200
    assert status_for_host(stack, "localhost:5000") == 200
    assert status_for_host(stack, "elsewhere.example") == 403

"""Data sets in MLflow: one run a version, known again without MLflow."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from common.errors import ProvenderError
from resources.lake import Lake
from resources.tracking import Tracking

SCHEMA = pa.schema(
    [
        pa.field("query", pa.string(), nullable=False),
        pa.field("dialect", pa.string()),
        pa.field("start_line", pa.int32(), nullable=False),
        pa.field("is_test", pa.bool_(), nullable=False),
        pa.field("weight", pa.float32(), nullable=False),
    ]
)
ONE, TWO = "1" * 32, "2" * 32


@pytest.fixture
def tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tracking:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Tracking(lake=Lake(root=str(tmp_path / "lake")))


@pytest.fixture
def register(tracking: Tracking, tmp_path: Path) -> Callable[[str, str], str]:
    """Registers a data set by name and version."""
    source = str(tmp_path / "lake" / "datasets" / "mine.parquet")
    return lambda name, version: tracking.register(name, version, source, SCHEMA, {"pairs": 3})


def test_a_data_set_is_the_input_of_a_run_of_its_own(
    tracking: Tracking, register: Callable[[str, str], str], tmp_path: Path
) -> None:
    link = register("mine", ONE)

    client = tracking.client()
    run = client.get_run(link.rsplit("/", 1)[1])
    assert link == tracking.run_link(run.info.run_id)
    experiment = client.get_experiment(run.info.experiment_id)
    assert experiment.name == "provender"
    assert experiment.artifact_location == (tmp_path / "lake/mlflow/artifacts").as_uri()
    assert (run.info.run_name, run.info.status) == ("dataset mine", "FINISHED")
    assert run.inputs is not None
    [logged] = run.inputs.dataset_inputs
    assert (logged.dataset.name, logged.dataset.digest) == ("mine", ONE)
    assert logged.dataset.source_type == "local"
    assert json.loads(str(logged.dataset.source)) == {
        "uri": str(tmp_path / "lake/datasets/mine.parquet")
    }
    assert logged.dataset.profile is not None
    assert logged.dataset.schema is not None
    assert json.loads(str(logged.dataset.profile)) == {"pairs": 3}
    assert json.loads(str(logged.dataset.schema))["mlflow_colspec"] == [
        {"name": "query", "type": "string", "required": True},
        {"name": "dialect", "type": "string", "required": False},
        {"name": "start_line", "type": "integer", "required": True},
        {"name": "is_test", "type": "boolean", "required": True},
        {"name": "weight", "type": "float", "required": True},
    ]

    # The same version is the same run, also where the lake has forgotten it; another is another.
    (tmp_path / "lake/mlflow/datasets/mine.json").unlink()
    assert register("mine", ONE) == link
    assert register("mine", TWO) != link
    assert register("other", ONE) != link
    assert len(client.search_runs([experiment.experiment_id])) == 3


def test_what_was_registered_is_known_for_its_version_and_store_only(
    tracking: Tracking,
    register: Callable[[str, str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert tracking.registered("mine", ONE) is None
    link = register("mine", ONE)
    assert tracking.registered("mine", ONE) == link
    assert tracking.registered("mine", TWO) is None
    assert tracking.registered("other", ONE) is None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert tracking.registered("mine", ONE) is None


def test_to_know_it_needs_no_mlflow(tmp_path: Path) -> None:
    script = (
        "import sys; from resources.lake import Lake; from resources.tracking import Tracking;"
        f"print(Tracking(lake=Lake(root={str(tmp_path)!r})).registered('mine', '1'),"
        " 'mlflow' in sys.modules, 'lightning' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "None False False"


def test_a_server_that_is_not_there_is_told_soon_and_without_credentials(
    register: Callable[[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:hush@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    started = time.monotonic()
    with pytest.raises(ProvenderError, match="MLflow does not take the data set `mine`") as caught:
        register("mine", ONE)
    assert time.monotonic() - started < 60
    assert "hush" not in str(caught.value)
    assert caught.value.where == "MLFLOW_TRACKING_URI"

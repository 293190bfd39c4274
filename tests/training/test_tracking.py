from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.tiny import pair, tiny_recipe, write_corpus, write_recipe
from training.checkpoint import data_version, read_manifest
from training.patient import PatientLogger
from training.run import main
from training.tracking import mlflow_logger


def test_a_tracked_run_has_parameters_metrics_and_tags(
    tiny_model: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = write_recipe(tmp_path / "recipe.yaml", tiny_recipe(tiny_model))
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    arguments = [
        *("--config", str(config), "--corpus", str(corpus), "--output", str(tmp_path / "stage")),
        *("--tracking-uri", uri, "--tag", "dagster.run_id=run=1"),
    ]
    assert main(arguments) == 0

    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    manifest = read_manifest(tmp_path / "stage")
    run = client.get_run(manifest["tracking"]["run_id"])
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "stage_tiny"
    assert client.get_experiment(run.info.experiment_id).name == "provender"

    assert run.data.params["adapter.rank"] == "4"
    assert run.data.params["objective.scoring"] == "xtr"
    assert run.data.params["learning_rate"] == "0.01"

    assert run.data.tags["data_version"] == data_version(corpus) == manifest["data_version"]
    assert run.data.tags["dagster.run_id"] == "run=1"
    assert run.data.tags["corpus"] == str(corpus)

    logged = client.get_metric_history(run.info.run_id, "train/loss")
    assert [point.step for point in logged] == list(range(12))
    expected = [row["loss"] for row in manifest["history"]]
    assert [point.value for point in logged] == pytest.approx(expected, abs=1e-5)

    assert {each.name for each in tmp_path.iterdir()} <= {
        *("recipe.yaml", "stage", "mlflow.db", "artifacts")
    }


def test_what_a_stage_kept_is_in_its_run(tiny_model: Path, corpus: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(tiny_model, adapter_scale=[0.5, 1.0], watch={"allowed_loss": 1.0})
    valid = write_corpus(tmp_path / "valid.parquet", [pair(n, split="valid") for n in range(8)])
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    arguments = [
        *("--config", str(write_recipe(tmp_path / "recipe.yaml", recipe)), "--corpus", str(corpus)),
        *("--valid", str(valid), "--output", str(tmp_path / "stage"), "--tracking-uri", uri),
    ]
    assert main(arguments) == 0

    from mlflow import MlflowClient

    manifest = read_manifest(tmp_path / "stage")
    metrics = MlflowClient(tracking_uri=uri).get_run(manifest["tracking"]["run_id"]).data.metrics
    retention = manifest["retention"]
    at = {row["scale"]: row["MRR"] for row in retention["rows"]}
    assert metrics["retention/scale"] == retention["scale"]
    assert metrics["retention/passed"] == 1.0
    kept = metrics["retention/MRR/rust/documentation"]
    assert kept == pytest.approx(at[retention["scale"]])
    assert metrics["retention/gain/rust/documentation"] == pytest.approx(kept - at[0.0])


def test_artifacts_stand_beside_a_local_database_only() -> None:
    from training.tracking import artifacts

    assert artifacts("sqlite:////data/mlflow.db") == "file:///data/artifacts"
    assert artifacts("http://127.0.0.1:5000") is None


class Outage:
    """MLflow's client, which answers as long as `up`."""

    def __init__(self, logger: PatientLogger) -> None:
        self._client = logger.experiment
        self.up = True

    def __getattr__(self, name: str) -> Any:
        from mlflow.exceptions import MlflowException

        if not self.up:
            raise MlflowException("API request to http://me:secret@mlflow failed: refused")
        return getattr(self._client, name)


@pytest.fixture
def logger(
    tiny_model: Path, mlflow_database: Path, tmp_path: Path, told: list[str]
) -> PatientLogger:
    """A logger on a database of its own; `told` has what it begins and says."""
    uri = f"sqlite:///{shutil.copy(mlflow_database, tmp_path / 'mlflow.db')}"
    return mlflow_logger(
        tiny_recipe(tiny_model), uri, {}, begun=lambda run: told.append("begun"), tell=told.append
    )


@pytest.fixture
def told() -> list[str]:
    return []


def test_what_mlflow_misses_is_logged_when_it_is_back(
    logger: PatientLogger, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.patient._PAUSE_S", 0.0)
    client = Outage(logger)
    monkeypatch.setattr(logger, "_mlflow_client", client)
    logger.log_metrics({"loss": 3.0}, 1)
    client.up = False
    for step in range(2, 1302):
        logger.log_metrics({"loss": 2.0}, step)
    assert logger.missing == 1300
    client.up = True
    logger.log_metrics({"loss": 1.0}, 1302)
    assert logger.missing == 0
    begun, gone, back = told
    assert begun == "begun"
    assert gone.startswith("MLflow does not answer; training goes on and logs later")
    assert "secret" not in gone
    assert back == "MLflow is back; it has what was logged meanwhile."

    history = client.get_metric_history(logger.run_id, "loss")
    assert [point.step for point in history] == list(range(1, 1303))
    assert client.get_run(logger.run_id).info.status == "RUNNING"
    logger.finalize("success")
    assert client.get_run(logger.run_id).info.status == "FINISHED"
    assert logger.settle()["missing"] == 0


def test_an_end_that_mlflow_missed_is_told_with_the_rest(
    logger: PatientLogger, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Outage(logger)
    monkeypatch.setattr(logger, "_mlflow_client", client)
    client.up = False
    logger.log_metrics({"loss": 3.0, "rate": 0.5}, 1)
    logger.finalize("success")
    tracked = logger.settle()
    assert tracked["run_id"] == logger.run_id
    assert tracked["missing"] == 2
    assert told[-1].startswith("MLflow did not come back: 2 values are not in it.")
    client.up = True
    assert logger.settle()["missing"] == 0
    assert client.get_run(logger.run_id).info.status == "FINISHED"
    assert client.get_run(logger.run_id).data.metrics == {"loss": 3.0, "rate": 0.5}


def test_what_mlflow_refuses_is_no_outage(logger: PatientLogger) -> None:
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match="Changing param values"):
        logger.log_hyperparams({"stage": "another"})


def test_training_needs_no_mlflow_that_answers(
    tiny_model: Path, corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, and listening to nobody
        uri = f"http://127.0.0.1:{closed.getsockname()[1]}"
        arguments = [
            *("--config", str(write_recipe(tmp_path / "recipe.yaml", tiny_recipe(tiny_model)))),
            *("--corpus", str(corpus), "--output", str(tmp_path / "stage"), "--tracking-uri", uri),
        ]
        assert main(arguments) == 0
    said = capfd.readouterr().err
    assert said.count("note: MLflow does not answer; training goes on") == 1
    manifest = read_manifest(tmp_path / "stage")
    tracked = manifest["tracking"]
    assert (tracked["run_id"], tracked["experiment_id"]) == ("", "")
    assert tracked["missing"] > len(manifest["history"]) == 12
    assert f"{tracked['missing']} values are not in it" in said

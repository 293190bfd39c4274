from __future__ import annotations

from pathlib import Path

import pytest

from tests.tiny import pair, tiny_recipe, write_corpus, write_recipe
from training.checkpoint import data_version, read_manifest
from training.run import main


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

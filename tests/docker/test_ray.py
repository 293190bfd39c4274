"""docker/ray.yaml in an instance, and docker/training-ray.yaml."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from dagster_ray import RayRunLauncher

from common.config import load
from resources.rayjobs import STOPPING, TrainingJob
from tests.integration.compose import DOCKER, ROOT

BLOCK = DOCKER / "ray.yaml"


def test_an_instance_with_the_block_launches_on_the_cluster_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "http://head:8265")
    texts = [each.read_text(encoding="utf-8") for each in (ROOT / "config" / "dagster.yaml", BLOCK)]
    (tmp_path / "dagster.yaml").write_text("".join(texts), encoding="utf-8")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        launcher = instance.run_launcher
        assert isinstance(launcher, RayRunLauncher)
        assert launcher.address == "http://head:8265"
        assert launcher.num_cpus == 1
        assert launcher.runtime_env == {"env_vars": STOPPING}


def test_the_example_of_a_training_job_is_valid() -> None:
    job = load(DOCKER / "training-ray.yaml", TrainingJob)
    assert job.address == "http://127.0.0.1:8265"
    assert job.gpus == 1

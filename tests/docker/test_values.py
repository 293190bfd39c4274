"""docker/values.yaml and docker/training-pod.yaml.

The chart's own schema is not on a package index. So the chart's keys are those of its documentation, written
down here, and what is Kubernetes' own is checked by the models of its client.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import kubernetes.client as k8s
import pytest
import yaml
from dagster_k8s.job import UserDefinedDagsterK8sConfig
from dagster_k8s.models import k8s_snake_case_dict

from common.config import load
from resources.pods import TrainingPod
from tests.integration.compose import DOCKER

VALUES = yaml.safe_load((DOCKER / "values.yaml").read_text(encoding="utf-8"))
[DEPLOYMENT] = VALUES["dagster-user-deployments"]["deployments"]
KNOWN = {
    "": {
        *("global", "generatePostgresqlPasswordSecret", "postgresql", "telemetry"),
        *("dagsterWebserver", "dagsterDaemon", "dagster-user-deployments", "runLauncher"),
    },
    "global": {"postgresqlSecretName"},
    "postgresql": {
        *("enabled", "postgresqlHost", "postgresqlUsername", "postgresqlDatabase", "service"),
    },
    "telemetry": {"enabled"},
    "dagsterWebserver": {"replicaCount", "image", "service", "securityContext"},
    "dagsterDaemon": {
        *("enabled", "image", "securityContext", "runCoordinator", "runMonitoring", "runRetries"),
    },
    "dagsterDaemon.runCoordinator": {"enabled", "type", "config"},
    "dagsterDaemon.runCoordinator.config": {"queuedRunCoordinator"},
    "dagsterDaemon.runMonitoring": {
        *("enabled", "startTimeoutSeconds", "cancelTimeoutSeconds", "pollIntervalSeconds"),
        "freeSlotsAfterRunEndSeconds",
    },
    "dagsterDaemon.runRetries": {"enabled", "maxRetries", "retryOnAssetOrOpFailure"},
    "dagster-user-deployments": {"enabled", "enableSubchart", "deployments"},
    "runLauncher": {"type", "config"},
    "runLauncher.config": {"k8sRunLauncher"},
    "runLauncher.config.k8sRunLauncher": {"imagePullPolicy", "runK8sConfig"},
}
OF_A_DEPLOYMENT = {
    *("name", "image", "dagsterApiGrpcArgs", "port", "includeConfigInLaunchedRuns", "env"),
    *("envSecrets", "volumes", "volumeMounts", "podSecurityContext", "securityContext"),
    *("resources", "startupProbe"),
}


@pytest.mark.parametrize("place", KNOWN)
def test_the_charts_keys_are_known(place: str) -> None:
    found = VALUES
    for key in filter(None, place.split(".")):
        found = found[key]
    assert set(found) <= KNOWN[place]


def test_a_deployments_keys_are_known() -> None:
    assert set(DEPLOYMENT) <= OF_A_DEPLOYMENT


def test_what_is_kubernetes_own_is_valid() -> None:
    probe = {key: each for key, each in DEPLOYMENT["startupProbe"].items() if key != "enabled"}
    k8s_snake_case_dict(k8s.V1Probe, probe)
    container = {key: DEPLOYMENT[key] for key in ("env", "volumeMounts", "resources")}
    k8s_snake_case_dict(k8s.V1Container, {**container, "name": "a"})
    k8s_snake_case_dict(k8s.V1SecurityContext, DEPLOYMENT["securityContext"])
    k8s_snake_case_dict(
        k8s.V1PodSpec,
        {
            "containers": [{"name": "a"}],
            "volumes": DEPLOYMENT["volumes"],
            "securityContext": DEPLOYMENT["podSecurityContext"],
        },
    )
    run = VALUES["runLauncher"]["config"]["k8sRunLauncher"]["runK8sConfig"]
    names = {"containerConfig": "container_config", "jobSpecConfig": "job_spec_config"}
    UserDefinedDagsterK8sConfig.from_dict({names[key]: each for key, each in run.items()})


def test_training_has_a_pod_without_root_that_mounts_the_lake() -> None:
    pod = load(DOCKER / "training-pod.yaml", TrainingPod)
    spec = k8s_snake_case_dict(k8s.V1PodSpec, pod.spec)
    assert spec["security_context"]["run_as_non_root"] is True
    [container] = spec["containers"]
    mounts = {each["mount_path"]: each["name"] for each in container["volume_mounts"]}
    claimed = {
        each["name"]: each["persistent_volume_claim"]["claim_name"]
        for each in spec["volumes"]
        if "persistent_volume_claim" in each
    }
    env = {each["name"]: each["value"] for each in DEPLOYMENT["env"]}
    [lake] = [
        each["persistentVolumeClaim"]["claimName"]
        for each in DEPLOYMENT["volumes"]
        if "persistentVolumeClaim" in each
    ]
    assert claimed[mounts[env["PROVENDER_LAKE"]]] == lake
    assert env["PROVENDER_TRAINING_POD"].endswith("/training-pod.yaml")
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1


def images(value: Any) -> Iterator[dict[str, str]]:
    """Every image in the values."""
    if isinstance(value, dict):
        if {"repository", "tag"} <= set(value):
            yield value
        for each in value.values():
            yield from images(each)
    elif isinstance(value, list):
        for each in value:
            yield from images(each)


def test_all_images_are_pinned_and_dagsters_are_of_the_packages_version() -> None:
    from importlib.metadata import version

    found = list(images(VALUES))
    assert len(found) == 3
    for image in found:
        assert re.fullmatch(r"\d+\.\d+\.\d+", image["tag"])
        ours = image["repository"].startswith("provender-")
        assert image["tag"] == version("provender" if ours else "dagster")

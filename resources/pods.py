"""Training in a pod of its own on Kubernetes, through Dagster Pipes; needs the extra `k8s`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from common.config import Settings, load
from resources.extras import extra

if TYPE_CHECKING:
    import dagster as dg

VARIABLE = "PROVENDER_TRAINING_POD"


class TrainingPod(Settings):
    """The pod that training runs in, as a YAML file has it.

    Attributes:
        image: of the code location, with its tag.
        namespace: where pods are made; empty: that of the run.
        env: for the container, beside what Pipes adds.
        metadata, spec: Kubernetes' own, in camelCase; the first container is the one that trains, and is
            given image, command and env.
        wait_s: for its end; 0: for ever.
        poll_s: between two looks at it.
    """

    image: str
    namespace: str = ""
    env: dict[str, str] = Field(default_factory=dict)
    metadata: dict[str, Any] = Field(default_factory=dict)
    spec: dict[str, Any] = Field(default_factory=dict)
    wait_s: float = 86_400.0
    poll_s: float = 10.0


def run(context: dg.AssetExecutionContext, command: Sequence[str], settings: Path) -> None:
    """Run `command` in the pod that the file `settings` describes, and delete it when it has ended.

    Raises:
        ProvenderError: the file cannot be used, or `dagster-k8s` is not installed.
        dagster_k8s.client.DagsterK8sError: the pod failed.
    """
    pod = load(settings, TrainingPod)
    with extra("k8s", "Pods for training", VARIABLE):
        from dagster_k8s import PipesK8sClient
    PipesK8sClient(poll_interval=pod.poll_s).run(
        context=context,
        image=pod.image,
        command=list(command),
        namespace=pod.namespace or None,
        env=pod.env,
        base_pod_meta=pod.metadata or None,
        base_pod_spec=pod.spec or None,
        pod_wait_timeout=pod.wait_s,
    )

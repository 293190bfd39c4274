"""Where the steps of a run go: into the run's own process, into pods on Kubernetes, to nodes of Ray."""

import os

import dagster as dg

from common.errors import ProvenderError
from resources.extras import extra
from resources.rayjobs import STOPPING

_VARIABLE = "PROVENDER_EXECUTOR"


def chosen() -> dg.ExecutorDefinition:
    """The executor that PROVENDER_EXECUTOR names: `in_process`, the default, `k8s_job`, or `ray`.

    Raises:
        ProvenderError: it names another, or its extra is not installed.
    """
    name = os.environ.get(_VARIABLE) or "in_process"
    if name == "in_process":
        # Steps are short next to the 3 s that a process of their own would need to start; training, which
        # is not, runs in its own process anyway.
        return dg.in_process_executor
    if name == "k8s_job":
        with extra("k8s", "Steps in pods", _VARIABLE):
            from dagster_k8s import k8s_job_executor
        return k8s_job_executor
    if name == "ray":
        with extra("ray", "Steps on Ray", _VARIABLE):
            from dagster_ray import ray_executor
        # Ray keeps a job that asks for nothing on the head node.
        settings = {"num_cpus": 1, "runtime_env": {"env_vars": STOPPING}}
        return ray_executor.configured({"ray": settings}, name="ray")
    raise ProvenderError(
        f"There is no executor `{name}`.",
        where=_VARIABLE,
        remedy="Choose in_process, k8s_job or ray.",
    )

"""Where the steps of a run go: into the run's own process, or into pods of their own on Kubernetes."""

import os

import dagster as dg

from common.errors import ProvenderError

_VARIABLE = "PROVENDER_EXECUTOR"


def chosen() -> dg.ExecutorDefinition:
    """The executor that PROVENDER_EXECUTOR names: `in_process`, the default, or `k8s_job`.

    Raises:
        ProvenderError: it names another, or `dagster-k8s` is not installed.
    """
    name = os.environ.get(_VARIABLE) or "in_process"
    if name == "in_process":
        # Steps are short next to the 3 s that a process of their own would need to start; training, which
        # is not, runs in its own process anyway.
        return dg.in_process_executor
    if name != "k8s_job":
        raise ProvenderError(
            f"There is no executor `{name}`.",
            where=_VARIABLE,
            remedy="Choose in_process or k8s_job.",
        )
    try:
        from dagster_k8s import k8s_job_executor
    except ModuleNotFoundError:
        raise ProvenderError(
            "Steps in pods need the extra `k8s`, which is not installed.",
            where=_VARIABLE,
            remedy="Install provender[k8s] (the stack's image has it), or unset the variable.",
        ) from None
    return k8s_job_executor

"""Training as a job of its own on a Ray cluster, through Dagster Pipes; needs the extra `ray`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from common.config import Settings, load
from resources.extras import extra
from resources.project import ROOT

if TYPE_CHECKING:
    import dagster as dg

VARIABLE = "PROVENDER_TRAINING_RAY"
STOPPING = {"RAY_JOB_STOP_SIGNAL": "SIGINT", "RAY_JOB_STOP_WAIT_TIME_S": "60"}
"""For the environment of a job: it is stopped as by Ctrl-C, and has time to save.

Ray's own is SIGTERM, and SIGKILL 3 s later; and it blocks SIGINT, with which training ends itself, too.
"""


class TrainingJob(Settings):
    """The job that training runs in, as a YAML file has it.

    Attributes:
        address: of the cluster's dashboard, `http://host:8265`; empty: RAY_ADDRESS.
        env: for the job, beside what Pipes adds and what its node has.
        cpus, gpus: that its node has free.
        resources: of one's own, that its node has free: `{"train": 1}`.
        poll_s: between two looks at it.
    """

    address: str = ""
    env: dict[str, str] = Field(default_factory=dict)
    cpus: float = Field(default=1.0, gt=0)
    gpus: float = Field(default=0.0, ge=0)
    resources: dict[str, float] = Field(default_factory=dict)
    poll_s: float = 2.0


def run(context: dg.AssetExecutionContext, command: Sequence[str], settings: Path) -> None:
    """Run `command` as the job that the file `settings` describes; it is stopped if the step is.

    Raises:
        ProvenderError: the file cannot be used, or `dagster-ray` is not installed.
        RuntimeError: the job failed.
    """
    job = load(settings, TrainingJob)
    with extra("ray", "Jobs on Ray", VARIABLE):
        from dagster_ray import PipesRayJobClient
    client = PipesRayJobClient(address=job.address or None, poll_interval=job.poll_s)
    client.run(
        context=context,
        submit_job_params={
            # `exec`: it ends with Ray's supervisor of the job, whose child it has to be to see that.
            "entrypoint": f"cd {shlex.quote(str(ROOT))} && exec {shlex.join(command)}",
            "runtime_env": {"env_vars": {**STOPPING, **job.env}},
            "entrypoint_num_cpus": job.cpus,
            "entrypoint_num_gpus": job.gpus,
            "entrypoint_resources": job.resources,
        },
    )

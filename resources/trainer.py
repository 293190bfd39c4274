"""Training in a process of its own: Dagster launches `python -m training.run` through Pipes.

On this machine by default; in a pod on Kubernetes where PROVENDER_TRAINING_POD names a file that describes
one (resources/pods.py), in a job of a Ray cluster where PROVENDER_TRAINING_RAY does (resources/rayjobs.py).
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import dagster as dg

from common.errors import ProvenderError
from common.interrupts import held
from resources import pods, rayjobs
from resources.project import ROOT

_FOREVER_S = threading.TIMEOUT_MAX
"""A wait with a limit looks at signals between its naps; one without may miss what another thread took."""

_PATIENCE_S = 20
"""For a training process that was told to stop."""


class Trainer(dg.ConfigurableResource):
    """Launches training. DDP relaunches its command line, so it never runs inside a step.

    Attributes:
        pod: a file of `resources.pods.TrainingPod`; empty: PROVENDER_TRAINING_POD, else no pod.
        job: a file of `resources.rayjobs.TrainingJob`; empty: PROVENDER_TRAINING_RAY, else no job.
    """

    python: str = sys.executable
    pod: str = ""
    job: str = ""

    def run(
        self,
        context: dg.AssetExecutionContext,
        *,
        curriculum: Path,
        stage: str,
        expert: bool = False,
        corpus: Path,
        valid: Path,
        judged: Path,
        models: Path,
        tracking_uri: str,
    ) -> None:
        """Train one stage of the curriculum, or one domain's expert; its checkpoint goes below `models`.

        Raises:
            dagster.Failure: the command failed; its own message is in the run's log.
            ProvenderError: as `resources.pods.run` and `resources.rayjobs.run`; or it is to go to both.
        """
        command = [
            *("-m", "training.run", "--config", str(curriculum), "--stage", stage),
            *("--corpus", str(corpus), "--output", str(models), "--tracking-uri", tracking_uri),
            *("--valid", str(valid), "--judged", str(judged)),
            *("--tag", f"dagster.run_id={context.run.run_id}"),
            *(["--experts"] if expert else []),
        ]
        self._launch(context, command)

    def mine(
        self,
        context: dg.AssetExecutionContext,
        *,
        curriculum: Path,
        stage: str,
        expert: bool = False,
        corpus: Path,
        models: Path,
        output: Path,
    ) -> None:
        """Mine the hard negatives of one stage or expert into the folder `output`.

        Raises:
            dagster.Failure: the command failed; its own message is in the run's log.
            ProvenderError: as `resources.pods.run` and `resources.rayjobs.run`; or it is to go to both.
        """
        command = [
            *("-m", "training.mine", "--config", str(curriculum), "--stage", stage),
            *("--corpus", str(corpus), "--models", str(models), "--output", str(output)),
            *(["--experts"] if expert else []),
        ]
        self._launch(context, command)

    def _launch(self, context: dg.AssetExecutionContext, arguments: Sequence[str]) -> None:
        pod = self.pod or os.environ.get(pods.VARIABLE)
        job = self.job or os.environ.get(rayjobs.VARIABLE)
        if pod and job:
            raise ProvenderError(
                "Training is to go to Kubernetes and to Ray.",
                where=f"{pods.VARIABLE}, {rayjobs.VARIABLE}",
                remedy="Unset one of them.",
            )
        if pod:
            pods.run(context, ["python", *arguments], Path(pod))
        elif job:
            rayjobs.run(context, [self.python, *arguments], Path(job))
        else:
            _run(context, [self.python, *arguments])


def _run(context: dg.AssetExecutionContext, command: Sequence[str]) -> None:
    reader = dg.PipesTempFileMessageReader()
    injector = dg.PipesTempFileContextInjector()
    with dg.open_pipes_session(context, injector, reader) as session, ExitStack() as stack:
        environment = {**os.environ, **session.get_bootstrap_env_vars()}
        # Dagster's own client does not hold it: a step stopped just then has a traceback of Python's start.
        with held():
            process = subprocess.Popen(command, cwd=ROOT, env=environment)  # noqa: S603
            stack.callback(_stop, process)
        code = process.wait(timeout=_FOREVER_S)
    if code:
        raise dg.Failure(f"Training ended with code {code}; its own message is on standard error.")


def _stop(process: subprocess.Popen) -> None:
    if process.poll() is None:  # the step was stopped
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):  # it knows; what it still saves, nobody waits for
            process.wait(_PATIENCE_S)

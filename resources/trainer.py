"""Training in a process of its own: Dagster launches `python -m training.run` through Pipes."""

import sys
from pathlib import Path

import dagster as dg

from resources.project import ROOT


class Trainer(dg.ConfigurableResource):
    """Launches training. DDP relaunches its command line, so it never runs inside a step."""

    pipes: dg.ResourceDependency[dg.PipesSubprocessClient]
    python: str = sys.executable

    def run(
        self,
        context: dg.AssetExecutionContext,
        *,
        curriculum: Path,
        stage: str,
        corpus: Path,
        valid: Path,
        judged: Path,
        models: Path,
        tracking_uri: str,
    ) -> None:
        """Train one stage of the curriculum; its checkpoint goes below `models`.

        Raises:
            dagster.Failure: the command failed; its own message is in the run's log.
        """
        command = [
            *(self.python, "-m", "training.run", "--config", str(curriculum), "--stage", stage),
            *("--corpus", str(corpus), "--output", str(models), "--tracking-uri", tracking_uri),
            *("--valid", str(valid), "--judged", str(judged)),
            *("--tag", f"dagster.run_id={context.run.run_id}"),
        ]
        self.pipes.run(context=context, command=command, cwd=str(ROOT))

    def mine(
        self,
        context: dg.AssetExecutionContext,
        *,
        curriculum: Path,
        stage: str,
        corpus: Path,
        models: Path,
        output: Path,
    ) -> None:
        """Mine the hard negatives of one stage into the folder `output`.

        Raises:
            dagster.Failure: the command failed; its own message is in the run's log.
        """
        command = [
            *(self.python, "-m", "training.mine", "--config", str(curriculum), "--stage", stage),
            *("--corpus", str(corpus), "--models", str(models), "--output", str(output)),
        ]
        self.pipes.run(context=context, command=command, cwd=str(ROOT))

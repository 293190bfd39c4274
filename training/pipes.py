"""Progress and results of a run that Dagster launched, reported through Dagster Pipes."""

from __future__ import annotations

from typing import Any

import lightning
from dagster_pipes import PipesContext, open_dagster_pipes

_EVERY_STEPS = 20


class PipesProgress(lightning.Callback):
    """Logs the loss to the Dagster run every twenty steps."""

    def __init__(self) -> None:
        self._session = open_dagster_pipes()
        self._context: PipesContext = self._session.__enter__()

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step = trainer.global_step
        if step % _EVERY_STEPS == 0:
            loss = float(trainer.callback_metrics["train/loss"])
            total = trainer.estimated_stepping_batches
            self._context.log.info(f"step {step} of {total}: loss {loss:.3f}")

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        self._session.__exit__(None, None, None)

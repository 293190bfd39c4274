"""Progress of a run, for the log of whoever launched it."""

from __future__ import annotations

from typing import Any

import lightning
from dagster_pipes import PipesContext

_EVERY_STEPS = 20


class PipesProgress(lightning.Callback):
    """Logs the loss to the Dagster run every twenty steps. Needs an open Pipes session."""

    def __init__(self, total_steps: int) -> None:
        self._total_steps = total_steps

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step = trainer.global_step
        if step % _EVERY_STEPS == 0:
            loss = float(trainer.callback_metrics["train/loss"])
            PipesContext.get().log.info(f"step {step} of {self._total_steps}: loss {loss:.3f}")

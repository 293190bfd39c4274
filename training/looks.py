"""Callbacks that watch a run: looks at the validation queries, the best state, the speed."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import lightning
import torch

from training.model import TOKENIZING
from training.recipe import Recipe
from training.watch import Watch


class Looks(lightning.Callback):
    """Measures the model every some steps and after the last, keeps the best state, stops a run that gets no
    better.

    Its state is saved with the run's: a resumed run has looked as one without interruption. (Lightning's own
    validation loop skips the look of the step that a state was saved at.)

    Args:
        total_steps: of the whole run; by default it is looked at four times in it.
    """

    def __init__(
        self, watch: Watch, recipe: Recipe, total_steps: int, autocast: Callable[[], Any]
    ) -> None:
        self._watch, self._recipe, self._autocast = watch, recipe, autocast
        self._total_steps = total_steps
        self._every = recipe.watch.every_steps or max(1, total_steps // 4)
        self.found: list[dict[str, float]] = []
        self._best = -1.0
        self._stale = 0
        self._state: dict[str, torch.Tensor] = {}
        self.seconds = 0.0

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step = trainer.global_step
        due = step % self._every == 0 or step == self._total_steps
        if not step or not due or (self.found and self.found[-1]["step"] == step):
            return
        began = time.perf_counter()
        with TOKENIZING, _evaluating(pl_module):
            figures = self._watch.measure(pl_module.encoder, self._autocast())
        self.seconds += time.perf_counter() - began
        pl_module.log_dict({f"valid/{name}": value for name, value in figures.items()})
        self.found.append({"step": step, **{name: round(v, 6) for name, v in figures.items()}})
        self._stale += 1
        if figures["MRR"] > self._best:
            self._best, self._stale = figures["MRR"], 0
            if self._recipe.watch.keep == "best":
                self._state = {
                    name: each.detach().cpu().clone() for name, each in _trained(pl_module)
                }
        self._stop_if_stale(trainer)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self._stop_if_stale(trainer)  # a run that was killed when it had just stopped

    def _stop_if_stale(self, trainer: Any) -> None:
        patience = self._recipe.watch.patience
        stale = patience is not None and self._stale >= patience
        # The last digit of a figure may differ among processes: one that is stale stops all.
        trainer.should_stop |= trainer.strategy.reduce_boolean_decision(stale, all=False)

    def restore(self, module: lightning.LightningModule) -> None:
        """Put the best state back into `module`, where one is kept."""
        with torch.no_grad():
            for name, each in _trained(module):
                if name in self._state:
                    each.copy_(self._state[name])

    def state_dict(self) -> dict[str, Any]:
        return {
            "found": self.found,
            "best": self._best,
            "stale": self._stale,
            "state": self._state,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.found, self._best = list(state_dict["found"]), state_dict["best"]
        self._stale, self._state = state_dict["stale"], state_dict["state"]


@contextmanager
def _evaluating(module: lightning.LightningModule) -> Iterator[None]:
    """In it nothing is random and no gradient is kept; afterwards every part is in the mode it was in."""
    modes = [(each, each.training) for each in module.modules()]
    module.eval()
    with torch.no_grad():
        yield
    for each, training in modes:
        each.training = training


def _trained(module: lightning.LightningModule) -> list[tuple[str, torch.nn.Parameter]]:
    return [(name, each) for name, each in module.named_parameters() if each.requires_grad]


class Speed(lightning.Callback):
    """Pairs a second, the share of time that is not training, and the peak of memory; logged at each step."""

    def __init__(self, pairs_per_batch: int) -> None:
        self._pairs = pairs_per_batch
        self._began = self._ended = 0.0
        self.seconds = self.waited = 0.0
        self.batches = 0

    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        self._began = time.perf_counter()
        if self.batches:
            self.waited += self._began - self._ended

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._ended = time.perf_counter()
        taken = self._ended - self._began
        self.seconds += taken
        self.batches += 1
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        pl_module.log_dict(
            {
                "train/pairs_per_second": self._pairs / taken,
                "train/learning_rate": rate,
                "train/peak_memory_gb": peak_memory_gb(),
            }
        )

    def as_dict(self, *, looked: float = 0.0) -> dict[str, float]:
        """For the manifest: of this process's part of the run, without the seconds that it `looked`."""
        waited = max(0.0, self.waited - looked)
        whole = self.seconds + waited
        return {
            "pairs_per_second": round(self._pairs * self.batches / whole, 2) if whole else 0.0,
            "waited_share": round(waited / whole, 4) if whole else 0.0,
            "peak_memory_gb": round(peak_memory_gb(), 2),
        }


def peak_memory_gb() -> float:
    """The most memory that was in use: of the GPU where there is one, else of this process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**30
    unit = 2**30 if sys.platform == "darwin" else 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit

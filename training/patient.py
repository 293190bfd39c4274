"""A logger that keeps what MLflow does not take, and gives it to MLflow when it is back.

Training does not depend on MLflow: no step waits for it, or fails with it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from lightning.pytorch.loggers import MLFlowLogger
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

_PAUSE_S = 60.0
"""Between two tries while MLflow is gone."""
_AT_ONCE = {"metrics": 1000, "params": 100}
"""The most that MLflow takes in one request."""
_REFUSED = re.compile("[^a-zA-Z0-9_/. -]+")
"""What a metric's name may not have; Lightning leaves it out, too."""


class PatientLogger(MLFlowLogger):
    """Lightning's logger, patient.

    Args:
        begun, tell: as in `training.tracking.mlflow_logger`.
        settings: Lightning's.
    """

    def __init__(
        self, begun: Callable[[str], None], tell: Callable[[str], None], **settings: Any
    ) -> None:
        super().__init__(**settings)
        self._begun, self._tell = begun, tell
        self._waiting: dict[str, list[Any]] = {"params": [], "metrics": []}
        self._status = ""
        self._known = False
        self._gone = False
        self._next_try = 0.0

    @property
    def experiment(self) -> MlflowClient:
        """The client; Lightning asks for it before the first step, and would wait for MLflow then."""
        return self._mlflow_client

    @property
    def run_id(self) -> str | None:
        """The run's id; null as long as MLflow has given none."""
        return self._run_id

    @property
    def missing(self) -> int:
        """How many values MLflow has not taken."""
        return sum(map(len, self._waiting.values()))

    def log_hyperparams(self, params: Any) -> None:
        self._waiting["params"] += [Param(key, str(value)[:250]) for key, value in params.items()]
        self._flush()

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        now = int(time.time() * 1000)
        self._waiting["metrics"] += [
            Metric(_REFUSED.sub("", key), float(value), now, step or 0)
            for key, value in metrics.items()
        ]
        self._flush()

    def finalize(self, status: str = "success") -> None:
        self._status = "FAILED" if status == "failed" else "FINISHED"
        self._flush(now=True)

    def settle(self) -> dict[str, Any]:
        """One more try to log what is left; then what a manifest should know of the run."""
        self._flush(now=True)
        if self.missing:
            self._tell(
                f"MLflow did not come back: {self.missing} values are not in it. "
                "The manifest of the checkpoint has them all."
            )
        return {
            "run_id": self._run_id or "",
            "experiment_id": self._experiment_id or "",
            "missing": self.missing,
        }

    def _flush(self, *, now: bool = False) -> None:
        if self._gone and not now and time.monotonic() < self._next_try:
            return
        try:
            self._give()
        except (MlflowException, SQLAlchemyError) as error:  # it lets some of a database through
            if isinstance(error, MlflowException) and error.get_http_status_code() < 500:
                raise  # it is there, and refuses
            self._next_try = time.monotonic() + _PAUSE_S
            if not self._gone:
                said = re.sub("//[^/@ ]*@", "//", str(error).splitlines()[0])  # no credentials
                self._tell(f"MLflow does not answer; training goes on and logs later: {said}")
            self._gone = True
            return
        if self._gone:
            self._tell("MLflow is back; it has what was logged meanwhile.")
        self._gone = False

    def _give(self) -> None:
        """Log what waits, in requests of MLflow's size; what was taken waits no longer."""
        client = super().experiment  # a run was begun with it, at the latest now
        run_id = str(self._run_id)
        if not self._known:
            self._begun(run_id)
            self._known = True
        for kind, waiting in self._waiting.items():
            while waiting:
                some = waiting[: _AT_ONCE[kind]]
                client.log_batch(run_id, **{kind: some})
                del waiting[: len(some)]
        if self._status:
            client.set_terminated(run_id, self._status)

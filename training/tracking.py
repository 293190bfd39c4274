"""MLflow, where a tracking URI is given: one run a stage, with parameters, losses and the data set."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.recipe import Recipe

if TYPE_CHECKING:
    from training.patient import PatientLogger

EXPERIMENT = "provender"


def mlflow_logger(
    recipe: Recipe,
    tracking_uri: str,
    tags: dict[str, str],
    run_id: str | None = None,
    *,
    begun: Callable[[str], None],
    tell: Callable[[str], None],
) -> PatientLogger:
    """A logger for `recipe` with its parameters; it starts a run, or goes on in the run `run_id`.

    Args:
        begun: called with the run's id as soon as MLflow has given one.
        tell: called with a message when MLflow goes, and when it comes back.
    """
    # Its client would ask a server that is gone for four minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    from training.patient import PatientLogger

    logger = PatientLogger(
        begun,
        tell,
        experiment_name=EXPERIMENT,
        run_name=recipe.checkpoint,
        tracking_uri=tracking_uri,
        tags=tags,
        run_id=run_id,
        log_model=False,
        artifact_location=artifacts(tracking_uri),
    )
    logger.log_hyperparams(_flat(recipe.model_dump(mode="json")))
    return logger


def artifacts(tracking_uri: str) -> str | None:
    """Where the experiment's artifacts go: beside a local database; a server knows its own place."""
    if not tracking_uri.startswith("sqlite:///"):
        return None
    return (Path(tracking_uri.removeprefix("sqlite:///")).parent / "artifacts").resolve().as_uri()


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat

"""MLflow, where a tracking URI is given: one run a stage, with parameters, losses and the data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.recipe import Recipe

if TYPE_CHECKING:
    from lightning.pytorch.loggers import MLFlowLogger

EXPERIMENT = "provender"


def mlflow_logger(
    recipe: Recipe, tracking_uri: str, tags: dict[str, str], run_id: str | None = None
) -> MLFlowLogger:
    """A started MLflow run for `recipe`, its parameters logged; the run `run_id` where it exists."""
    from lightning.pytorch.loggers import MLFlowLogger

    logger = MLFlowLogger(
        experiment_name=EXPERIMENT,
        run_name=f"stage_{recipe.stage}",
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

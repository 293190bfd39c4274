"""`config/evaluation.yaml`: what is compared, and what a model has to show before it is promoted."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from common.config import Settings, load


class Evaluation(Settings):
    """The settings of `config/evaluation.yaml`."""

    baselines: list[str] = Field(
        default=[], description="other models that are asked the same queries"
    )


def load_evaluation(path: Path) -> Evaluation:
    """Read the settings from `path`."""
    return load(path, Evaluation)

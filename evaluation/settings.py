"""`config/evaluation.yaml`: what is compared, and what a model has to show before it is promoted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from common.config import Settings, load

Sets = Annotated[list[str], Field(min_length=1)]
Loss = Annotated[float, Field(ge=0, le=1)]


class Priority(Settings):
    """What has to become better."""

    sets: Sets = Field(default=["judged_test", "judged_formal_test", "judged_personal_test"])
    p: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.05,
        description="most that the paired randomization test over all of them may give",
    )


class Held(Settings):
    """What may not become worse."""

    sets: Sets
    may_lose: Loss = Field(default=0.0, description="of mean MRR")


class Gates(Settings):
    """What a model has to show before it is promoted. Sets that are not asked are passed over."""

    mode: Literal["semantic", "hybrid"] = "semantic"
    priority: Priority = Priority()
    documentation: Held = Held(sets=["doc_test"])
    general: Held = Held(sets=["judged_general_test"], may_lose=0.02)
    parity: Annotated[float, Field(gt=0)] = Field(
        default=1e-5, description="most that an exported vector may differ from its adapter's"
    )


class Evaluation(Settings):
    """The settings of `config/evaluation.yaml`."""

    baselines: list[str] = Field(
        default=[], description="other models that are asked the same queries"
    )
    gates: Gates = Field(default=Gates(), description="what a model has to show to be promoted")


def load_evaluation(path: Path) -> Evaluation:
    """Read the settings from `path`."""
    return load(path, Evaluation)

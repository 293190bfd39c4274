"""`config/evaluation.yaml`: what is compared, and what a model has to show before it is promoted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from common.config import Settings, load

Sets = Annotated[list[str], Field(min_length=1)]
Share = Annotated[float, Field(ge=0, le=1)]


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
    may_lose: Share = Field(default=0.0, description="of mean MRR")


class Gates(Settings):
    """What a model has to show before it is promoted. Sets that are not asked are passed over."""

    mode: Literal["semantic", "hybrid"] = "semantic"
    priority: Priority = Priority()
    documentation: Held = Held(sets=["doc_test"])
    general: Held = Held(sets=["judged_general_test"], may_lose=0.02)
    parity: Annotated[float, Field(gt=0)] = Field(
        default=1e-5, description="most that an exported vector may differ from its adapter's"
    )


class Target(Settings):
    """A figure that the tuned model is to reach."""

    name: str
    eval_sets: Sets = Field(
        description="query sets over which it is measured, every query counting once"
    )
    mode: Literal["semantic", "hybrid", "rrf", "pooled"] = "hybrid"
    metric: str = Field(description="as in the metrics table: P@1, MRR, recall@5 …")
    at_least: Share


class Expected(Settings):
    """What the plan expects of one kind of code, before training and after each of its phases."""

    name: str
    domain: str = Field(description="as in the corpus: general, rust, formal, personal")
    eval_set: str = Field(description="the judged test queries about it")
    phases: Annotated[list[Share], Field(min_length=4, max_length=4)] = Field(
        description="before, and after phase 1 (general), 2 (Rust), 3 (formal, personal)"
    )


class Targets(Settings):
    """What the report holds the measured figures against. None of it decides a promotion."""

    figures: list[Target] = Field(default=[], description="of the tuned model")
    expected: list[Expected] = Field(default=[], description="by kind of code and phase")


class Evaluation(Settings):
    """The settings of `config/evaluation.yaml`."""

    baselines: list[str] = Field(
        default=[], description="other models that are asked the same queries"
    )
    stages: bool = Field(
        default=False, description="whether the stages before the model are asked, too"
    )
    experts: bool = Field(
        default=False,
        description="whether the lake's experts are asked, too: routed, and merged into one model",
    )
    xtr_retrieved: Annotated[int, Field(ge=0)] = Field(
        default=0,
        description="tokens that a query token retrieves in the mode `xtr`; 0: no such mode",
    )
    gates: Gates = Field(default=Gates(), description="what a model has to show to be promoted")
    targets: Targets = Field(default=Targets(), description="what the report shows beside it")

    @field_validator("baselines")
    @classmethod
    def _have_names_of_their_own(cls, baselines: list[str]) -> list[str]:
        taken = {"base", "tuned", "bm25", "merged", "routed", "oracle"}
        for each in baselines:
            name = short_name(each)
            if not name:
                raise ValueError("a name is empty")
            if name in taken or name.startswith(("stage_", "fixed:")):
                raise ValueError(f"`{each}` would be called `{name}`, as another system is")
            taken.add(name)
        return baselines


def short_name(baseline: str) -> str:
    """What a baseline is called in tables: the last part of its name or folder."""
    return baseline.strip().rstrip("/").rpartition("/")[2]


def load_evaluation(path: Path) -> Evaluation:
    """Read the settings from `path`."""
    return load(path, Evaluation)

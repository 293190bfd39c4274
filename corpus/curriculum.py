"""`config/curriculum.yaml`: what may go into the corpus, what counts as the same, how often what is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from common.config import Settings, load
from common.stages import Stages
from corpus.licences import Tier
from corpus.sources import Domain
from corpus.splits import Splits

Weight = Annotated[float, Field(gt=0)]
Category = Literal["code", "spec", "verification"]


class Curriculum(Settings):
    """The settings of `config/curriculum.yaml`."""

    admit: Annotated[list[Tier], Field(min_length=1)] = Field(
        default=["owned", "permissive", "weak_file", "weak_lib"],
        description="licence tiers that may be trained on",
    )
    domain_weights: dict[Domain, Weight]
    category_weights: dict[Category, Weight] = Field(
        default={}, description="weights of categories, in place of their domains'"
    )
    splits: Splits = Field(default=Splits(), description="how sources are held out")
    near_duplicate: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.85,
        description="least Jaccard similarity of the code of two units that makes them near-duplicates",
    )
    benchmark_share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.8,
        description="least share of a unit's code that stands in a benchmark's text and keeps it out",
    )
    model: Literal["stages", "merged"] = Field(
        default="stages", description="what the model is: the last stage, or the experts merged"
    )
    stages: dict[str, Stages] = Field(
        default={}, description="by profile, how each stage is trained (training/curriculum.py)"
    )
    experts: dict[str, Stages] = Field(
        default={}, description="by profile, how each domain's expert is trained"
    )


def load_curriculum(path: Path) -> Curriculum:
    """Read the curriculum from `path`."""
    return load(path, Curriculum)

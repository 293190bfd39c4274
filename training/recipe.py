"""A training recipe: what `config/train_*.yaml` may say, with every default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from common.config import Settings, load

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]


class Adapter(Settings):
    """The LoRA adapter (Hu et al. 2021)."""

    rank: Positive = 16
    alpha: Annotated[float, Field(gt=0)] = 32
    dropout: Fraction = 0.0
    targets: list[str] = Field(
        default=["query", "key", "value", "dense"],
        description="names of the linear layers that are adapted",
    )


class Objective(Settings):
    """The in-batch contrastive loss and what holds the model near its base."""

    scoring: Literal["xtr", "maxsim"] = "xtr"
    top_k: Positive = Field(
        default=256, description="XTR: document tokens that each query token retrieves in a batch"
    )
    temperature: Annotated[float, Field(gt=0)] = 0.05
    feature_weight: Annotated[float, Field(ge=0)] = Field(
        default=0.0, description="weight of the distance of every token vector to the base model's"
    )


class Mixture(Settings):
    """Which pairs are drawn, and how their documents are written."""

    max_pairs: Positive = 4096
    query_kinds: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default={
            "doc": 1.0,
            "keywords": 1.0,
            "prose": 1.0,
            "symptom": 1.0,
            "implementation": 1.0,
            "property": 1.0,
            "specification": 1.0,
        },
        description="how often each kind of query is drawn, times the corpus weight",
    )
    pair_types: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default={
            "doc": 1.0,
            "path": 1.0,
            "body": 1.0,
            "readme": 1.0,
            "proof": 1.0,
            "dataset": 1.0,
        },
        description="the same for each type of pair",
    )
    same_source_batches: bool = Field(
        default=False,
        description="a batch's pairs, and so each query's negatives, come from one source",
    )
    indexed_share: Fraction = Field(
        default=0.5, description="share of documents written with path, doc and signature"
    )
    own_sentence_share: Fraction = Field(
        default=0.0, description="share of the indexed documents that keep the query's own sentence"
    )


class Recipe(Settings):
    """One training stage, start to end."""

    stage: str = "general"
    dataset: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$")] | None = Field(
        default=None,
        description="a named data set of config/datasets.yaml; the whole corpus by default",
    )
    base_model: str = Field(
        default="embedded:minilm",
        description="`embedded:minilm`, a folder, or a name on a model hub",
    )
    seed: int = 7
    query_length: Positive = 48
    document_length: Positive = Field(
        default=160, description="tokens of a document in training; the rest is cut"
    )
    index_length: Positive = Field(
        default=224, description="the same in the finished model, where more costs little"
    )
    batch_size: Annotated[int, Field(ge=2)] = 32
    epochs: Positive = 1
    learning_rate: Annotated[float, Field(gt=0)] = 2e-4
    warmup_share: Fraction = 0.1
    accelerator: Literal["auto", "cuda", "mps", "cpu"] = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    save_every_steps: Positive = 25
    adapter: Adapter = Adapter()
    objective: Objective = Objective()
    mixture: Mixture = Mixture()
    adapter_scale: Fraction = Field(
        default=1.0,
        description="share of the adapter in the finished model (WiSE-FT, Wortsman et al. 2022); "
        "choose it on validation queries",
    )


def load_recipe(path: Path) -> Recipe:
    """Read a recipe from `path`."""
    return load(path, Recipe)

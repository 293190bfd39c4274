"""The jobs: `ingest` for one source, `make_datasets` for one set, and the others for what follows.

A job has no asset's name: Dagster takes both for the same and does not load the location.
"""

from __future__ import annotations

from datetime import timedelta

import dagster as dg

from assets.checkpoints import (
    CONFIGURED,
    EXPERTS,
    OF_EXPERTS,
    key_of_negatives,
    place_of_expert,
)
from assets.pairs import TYPES
from common.stages import ORDER

PER_SOURCE = ("repos", "files", "units", "sections", *(f"{kind}_pairs" for kind in TYPES))
"""The assets with one partition a source."""

_PER_SOURCE = dg.AssetSelection.assets(*PER_SOURCE)
# With its partitions in them, the jobs for all sources would want one for everything they make.
_PER_DATA_SET = dg.AssetSelection.assets("datasets")


def within(**limit: float) -> dict[str, str]:
    """The tag of a run that is ended, and counted as failed, after so much time: it hangs."""
    return {dg.MAX_RUNTIME_SECONDS_TAG: str(int(timedelta(**limit).total_seconds()))}


def training(*stages: str) -> dg.AssetSelection:
    """Negatives and checkpoint of each of `stages`."""
    keys = [dg.AssetKey(["hard_negatives", name]) for name in stages]
    return dg.AssetSelection.assets(*keys, *(f"stage_{name}" for name in stages))


def experts(*domains: str) -> dg.AssetSelection:
    """Negatives and adapter of the expert of each of `domains`."""
    keys = [key_of_negatives(name, expert=True) for name in domains]
    return dg.AssetSelection.assets(*keys, *(place_of_expert(name)[-1] for name in domains))


_MODEL = dg.AssetSelection.assets("model")
_STAGES = training(*CONFIGURED)
_EXPERTS = dg.AssetSelection.groups("experts") - experts(
    *(name for name in ORDER if name not in EXPERTS)
)
# What the model is not made of is trained by its own job only.
_NOT_FOR_THE_MODEL = (
    training(*ORDER) | dg.AssetSelection.assets("router")
    if OF_EXPERTS
    else dg.AssetSelection.groups("experts")
)


INGEST = dg.define_asset_job(
    "ingest",
    selection=_PER_SOURCE,
    description="One source, from its repository to its pairs.",
    tags=within(hours=6),
)
REFRESH_CORPUS = dg.define_asset_job(
    "refresh_corpus",
    selection=dg.AssetSelection.assets("codesearchnet_pairs", "corpus"),
    description="The pairs of all sources to the corpus.",
    tags=within(hours=12),
)
DATASETS = dg.define_asset_job(
    "make_datasets",
    selection=_PER_DATA_SET,
    description="One named data set from the corpus, with its card, metadata and notice.",
    tags=within(hours=3),
)
TRAIN_CURRICULUM = dg.define_asset_job(
    "train_curriculum",
    selection=_STAGES if OF_EXPERTS else _STAGES | _MODEL,
    description="The corpus as it is to hard negatives, each stage's checkpoint, and the model.",
    tags=within(days=3),
)
TRAIN_EXPERTS = dg.define_asset_job(
    "train_experts",
    selection=_EXPERTS | _MODEL if OF_EXPERTS else _EXPERTS,
    description="The corpus as it is to an adapter a domain on one base model.",
    tags=within(days=3),
)
EVALUATE = dg.define_asset_job(
    "evaluate",
    selection=dg.AssetSelection.assets("eval_queries", "metrics", "promotion", "report"),
    description="The model as it is to metrics, the promotion's decision, and the report.",
    tags=within(hours=12),
)
EVERYTHING = dg.define_asset_job(
    "everything",
    selection=dg.AssetSelection.all()
    - _PER_SOURCE
    - _PER_DATA_SET
    - _NOT_FOR_THE_MODEL
    - training(*(name for name in ORDER if name not in CONFIGURED))
    - experts(*(name for name in ORDER if name not in EXPERTS)),
    description="The pairs of all sources to corpus, checkpoints, model, metrics and report.",
    tags=within(days=4),
)
JOBS = [INGEST, REFRESH_CORPUS, DATASETS, TRAIN_CURRICULUM, TRAIN_EXPERTS, EVALUATE, EVERYTHING]

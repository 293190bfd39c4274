"""Jobs: `ingest` for one source, `refresh_corpus` and `build` for what follows, `make_datasets` for one set.

A job has no asset's name: Dagster takes both for the same and does not load the location.
"""

from __future__ import annotations

import dagster as dg

from assets.checkpoints import CONFIGURED
from common.stages import ORDER

_PER_SOURCE = dg.AssetSelection.assets(
    *("repos", "files", "units", "sections"),
    *("doc_pairs", "path_pairs", "body_pairs", "readme_pairs", "proof_pairs"),
)
# With its partitions in them, `refresh_corpus` and `build` would want one for everything they make.
_PER_DATA_SET = dg.AssetSelection.assets("datasets")

INGEST = dg.define_asset_job(
    "ingest",
    selection=_PER_SOURCE,
    description="One source, from its repository to its pairs.",
)
REFRESH_CORPUS = dg.define_asset_job(
    "refresh_corpus",
    selection=dg.AssetSelection.assets("codesearchnet_pairs", "corpus"),
    description="All pairs to the corpus.",
)
_NOT_CONFIGURED = dg.AssetSelection.assets(
    *(
        each
        for name in ORDER
        if name not in CONFIGURED
        for each in (f"stage_{name}", dg.AssetKey(["hard_negatives", name]))
    )
)
BUILD = dg.define_asset_job(
    "build",
    selection=dg.AssetSelection.all() - _PER_SOURCE - _PER_DATA_SET - _NOT_CONFIGURED,
    description="All pairs to corpus, checkpoint, model, metrics and report.",
)
DATASETS = dg.define_asset_job(
    "make_datasets",
    selection=_PER_DATA_SET,
    description="One named data set from the corpus, with its card, metadata and notice.",
)
JOBS = [INGEST, REFRESH_CORPUS, BUILD, DATASETS]

"""Jobs: `ingest` for one source, `refresh_corpus` and `build` for what comes after the sources."""

from __future__ import annotations

import dagster as dg

_PER_SOURCE = dg.AssetSelection.assets(
    *("repos", "files", "units", "sections"),
    *("doc_pairs", "path_pairs", "body_pairs", "readme_pairs", "proof_pairs"),
)

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
BUILD = dg.define_asset_job(
    "build",
    selection=dg.AssetSelection.all() - _PER_SOURCE,
    description="All pairs to corpus, checkpoint, model, metrics and report.",
)
JOBS = [INGEST, REFRESH_CORPUS, BUILD]

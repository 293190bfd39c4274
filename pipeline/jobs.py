"""Jobs: `ingest` for one source, `build` for everything after the sources."""

from __future__ import annotations

import dagster as dg

_PER_SOURCE = dg.AssetSelection.assets(
    "repos", "files", "units", "doc_pairs", "path_pairs", "body_pairs"
)

INGEST = dg.define_asset_job(
    "ingest",
    selection=_PER_SOURCE,
    description="One source, from its repository to its pairs.",
)
BUILD = dg.define_asset_job(
    "build",
    selection=dg.AssetSelection.all() - _PER_SOURCE,
    description="All pairs to corpus, checkpoint, model, metrics and report.",
)
JOBS = [INGEST, BUILD]

"""The code location: every asset, check and job with its resources. Loads without torch or MLflow."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import dagster as dg

from assets import (
    checkpoints,
    checks,
    corpus,
    datasets,
    eval_queries,
    experts,
    files,
    metrics,
    negatives,
    pairs,
    promotion,
    report,
    repos,
    sections,
    units,
)
from pipeline.automation import automated, follow_changes
from pipeline.jobs import JOBS
from pipeline.schedules import weekly_refresh
from pipeline.sensors import follow_manifest, tell_failures
from resources.executor import chosen
from resources.lake import Lake
from resources.project import Project
from resources.registry import Registry
from resources.tracking import Tracking
from resources.trainer import Trainer

STAGES = [
    repos,
    files,
    units,
    sections,
    pairs,
    corpus,
    datasets,
    eval_queries,
    checkpoints,
    experts,
    negatives,
    metrics,
    promotion,
    report,
]


def assets() -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """Every asset, with the condition under which it is made again and a link to its code."""
    found = dg.load_assets_from_modules(STAGES, include_specs=True)
    known = [each for each in found if isinstance(each, dg.AssetsDefinition | dg.AssetSpec)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        linked = dg.with_source_code_references(dg.map_asset_specs(automated, known))
    return [each for each in linked if isinstance(each, dg.AssetsDefinition | dg.AssetSpec)]


def build_definitions(overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """The graph, with `overrides` in place of the default resources: the seam for tests."""
    lake = Lake()
    tracking = Tracking(lake=lake)
    resources = {
        "lake": lake,
        "project": Project(),
        "tracking": tracking,
        "registry": Registry(lake=lake, tracking=tracking),
        "trainer": Trainer(),
        **(overrides or {}),
    }
    return dg.Definitions(
        assets=assets(),
        asset_checks=dg.load_asset_checks_from_modules([*STAGES, checks]),
        jobs=JOBS,
        schedules=[weekly_refresh],
        sensors=[follow_manifest, follow_changes, tell_failures],
        resources=resources,
        executor=chosen(),
    )


defs = build_definitions()

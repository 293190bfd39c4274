"""Asset checks of `corpus`: what stops training where it fails, the targets, and what deserves a look.

A blocking check that fails stops everything downstream in its run. The rest only tells.
"""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from assets.common import counts, markdown_table, of_source, told
from assets.corpus import EDGES, LOSSES, SPLITS, place_of, trained_on
from corpus.targets import FIGURES, measure
from corpus.verify import leaks, unlicensed
from resources.lake import Lake
from resources.project import Project

WARN_LOSS, FAIL_LOSS = 0.6, 0.9
"""Shares of a source's units that stand in other sources, too: it is most likely a copy."""

_EXAMPLES = 20


@dg.asset_check(asset="corpus", blocking=True, description="There is something to train on.")
def not_empty(lake: Lake) -> dg.AssetCheckResult:
    """Counts the pairs of each split; held-out ones there need not be."""
    with told():
        rows = {split: lake.read(*place_of(split), columns=["split"]).height for split in SPLITS}
    said = f"{rows['train']:,} pairs to train on"
    return dg.AssetCheckResult(passed=rows["train"] > 0, description=said, metadata=rows)


@dg.asset_check(asset="corpus", blocking=True, description="Nothing held out is in training.")
def no_leak(lake: Lake, project: Project) -> dg.AssetCheckResult:
    """Compares sources, clusters and code of the splits, and asks the evidence of near-duplicates."""
    with told():
        splits = project.load_splits(project.load_manifest())
        found = leaks(corpus_rows(lake), lake.read(*EDGES), splits)
    return _none_of("leaking", found)


@dg.asset_check(asset="corpus", blocking=True, description="Every pair may be trained on.")
def all_licensed(lake: Lake, project: Project) -> dg.AssetCheckResult:
    """Compares licence tiers with those that the curriculum admits, and asks for an SPDX licence."""
    with told():
        found = unlicensed(corpus_rows(lake), project.load_curriculum().admit)
    return _none_of("unlicensed", found)


@dg.multi_asset_check(
    name="corpus_targets",
    specs=[
        dg.AssetCheckSpec(f"target_{name}", asset="corpus", description=f"Target: {figure.text}.")
        for name, figure in FIGURES.items()
    ],
    can_subset=True,
)
def targets(
    context: dg.AssetCheckExecutionContext, lake: Lake, project: Project
) -> Iterator[dg.AssetCheckResult]:
    """Measures each figure of the corpus and sets it beside the profile's target."""
    with told():
        targets = project.load_targets()
        train = lake.read(*place_of("train"))
        measured = measure(train.lazy(), targets.named(targets.profile))
    for target in measured:
        key = dg.AssetCheckKey(dg.AssetKey("corpus"), f"target_{target.name}")
        if key in context.selected_asset_check_keys:
            yield dg.AssetCheckResult(
                asset_key=key.asset_key,
                check_name=key.name,
                passed=target.passed,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={
                    "measured": round(target.measured, 1),
                    "target": str(target.bounds or "none"),
                    "unit": FIGURES[target.name].unit,
                    "profile": targets.profile,
                },
            )


@dg.asset_check(asset="corpus", description="Every source of the manifest has a snapshot.")
def all_sources_present(lake: Lake, project: Project) -> dg.AssetCheckResult:
    """Names the sources that gave nothing: they failed, and the corpus went on without them."""
    names = [source.name for source in project.load_manifest().repositories]
    missing = [name for name in names if lake.stored(*of_source("repos", name)) is None]
    return dg.AssetCheckResult(
        passed=not missing,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"missing": ", ".join(missing) or "none"},
    )


@dg.asset_check(asset="corpus", description="No source is mostly a copy of others.")
def no_source_is_a_copy(lake: Lake) -> dg.AssetCheckResult:
    """Warns of a source that loses 60 % of its units to others, and fails at 90 %."""
    losses = lake.read(*LOSSES).with_columns(share=pl.col("lost") / pl.col("units"))
    high = losses.filter(pl.col("share") > WARN_LOSS).sort("share", descending=True)
    fails = not high.filter(pl.col("share") > FAIL_LOSS).is_empty()
    return dg.AssetCheckResult(
        passed=high.is_empty(),
        severity=dg.AssetCheckSeverity.ERROR if fails else dg.AssetCheckSeverity.WARN,
        metadata={
            "target": f"at most {WARN_LOSS:.0%} of a source's units, never {FAIL_LOSS:.0%}",
            "copies": dg.MetadataValue.md(
                markdown_table(
                    ("source", "units", "in other sources", "share"),
                    ((*row[:3], f"{row[3]:.0%}") for row in high.iter_rows()),
                )
            ),
        },
    )


@dg.asset_check(asset="corpus", description="No checkpoint was trained on what is to be left out.")
def no_opted_out_in_checkpoints(lake: Lake) -> dg.AssetCheckResult:
    """Names the checkpoints that were trained on files whose authors want them left out."""
    found = trained_on(lake)
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "checkpoints": ", ".join(f"{name}: {count} files" for name, count in found.items())
            or "none"
        },
    )


def corpus_rows(lake: Lake) -> pl.DataFrame:
    """The corpus, all splits."""
    return pl.concat([lake.read(*place_of(split)) for split in SPLITS])


def _none_of(what: str, found: pl.DataFrame) -> dg.AssetCheckResult:
    """Passes where nothing was found; else says how much of what kind, and shows some of it."""
    some = found.group_by("found", maintain_order=True).head(_EXAMPLES)
    pairs = found["pair_id"].n_unique()
    kinds = ", ".join(found["found"].unique(maintain_order=True))
    return dg.AssetCheckResult(
        passed=found.is_empty(),
        description=f"{pairs:,} {what} pairs: {kinds}" if pairs else f"no {what} pairs",
        metadata={
            "pairs": pairs,
            "by_kind": counts(found, "found", "source"),
            "examples": dg.MetadataValue.md(markdown_table(some.columns, some.iter_rows())),
        },
    )

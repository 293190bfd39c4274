"""`corpus`: all pairs, filtered, deduplicated, split and weighted; and the check on its sources."""

import dagster as dg
import polars as pl

from assets.common import (
    OWNERS,
    counts,
    describe,
    markdown_table,
    of_source,
    told,
    versions,
)
from assets.pairs import DATASET, TYPES, pairs_of
from common.hashing import digest
from corpus import build, schema
from corpus.cards import mean_chars
from resources.lake import Lake
from resources.project import Project

SPLITS = ("train", "valid", "test")


def place_of(split: str) -> tuple[str, ...]:
    """Where the pairs of one split lie."""
    return ("corpus", f"split={split}", "part-0.parquet")


DROPS = ("corpus_drops", "data.parquet")
LOSSES = ("corpus_losses", "data.parquet")
EDGES = ("corpus_edges", "data.parquet")
WARN_LOSS, FAIL_LOSS = 0.6, 0.9
"""Shares of a source's units that stand in other sources, too: it is most likely a copy."""


@dg.asset(
    deps=[*(f"{kind}_pairs" for kind in TYPES), "codesearchnet_pairs"],
    group_name="corpus",
    kinds={"polars", "parquet"},
    owners=OWNERS,
    code_version=build.VERSION,
)
def corpus(lake: Lake, project: Project) -> dg.MaterializeResult:
    """Every pair that may be learned from, each source on one side of the split for good."""
    with told():
        manifest = project.load_manifest()
        curriculum, quality = project.load_curriculum(), project.load_quality()
        splits = {source.name: source.split for source in manifest.sources}
        weights = {each.name: each.weight for each in manifest.sources if each.weight is not None}
        tombstones = set(lake.read_every("tombstones", schema.TOMBSTONES)["blob_sha"])
        places = [pairs_of(kind, name) for name in manifest.names for kind in (*TYPES, DATASET)]
        fingerprint = digest(
            *(build.VERSION, versions(lake, *places), splits, curriculum.model_dump()),
            *(quality.model_dump(), weights, sorted(tombstones)),
        )
        stored = [lake.stored(*place_of(split)) for split in SPLITS]
        unchanged = all(each is not None and each.fingerprint == fingerprint for each in stored)
        if unchanged:
            frame = pl.concat([lake.read(*place_of(split)) for split in SPLITS])
            drops = lake.read(*DROPS)
        else:
            pairs = lake.read_all(places, schema.PAIRS)
            built = build.build_corpus(
                pairs, splits, curriculum, quality, weights=weights, tombstones=tombstones
            )
            frame, drops = built.pairs, built.drops
            lake.write(drops, schema.DROPS, *DROPS, fingerprint=fingerprint)
            lake.write(built.losses, schema.LOSSES, *LOSSES, fingerprint=fingerprint)
            lake.write(built.edges, schema.EDGES, *EDGES, fingerprint=fingerprint)
            for split in SPLITS:
                part = frame.filter(split=split)
                lake.write(part, schema.CORPUS, *place_of(split), fingerprint=fingerprint)
        first = lake.stored(*place_of("train"))
        assert first is not None
    train = frame.filter(split="train")
    reasons = drops.group_by("reason").agg(pl.col("pairs").sum()).sort("pairs", descending=True)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(versions(lake, *(place_of(split) for split in SPLITS))),
        metadata={
            **describe(first, train, schema.CORPUS, unchanged=unchanged),
            "dagster/row_count": frame.height,
            "splits": counts(frame, "split", "pair_type", "query_kind"),
            "languages": counts(frame, "language", "dialect", "pair_type"),
            "mean_query_chars": mean_chars(frame, "query"),
            "mean_code_chars": mean_chars(frame, "positive"),
            "sources": counts(frame, "split", "source", "revision", "license"),
            "drops": dg.MetadataValue.md(markdown_table(reasons.columns, reasons.iter_rows())),
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


@dg.asset_check(asset="corpus", description="No code of a held-out source is in training.")
def no_leak(lake: Lake) -> dg.AssetCheckResult:
    """Compares code by git blob and by normalised text, across the splits."""
    train, valid, test = (lake.read(*place_of(split)) for split in SPLITS)
    held_out = pl.concat([valid, test])
    squeeze = pl.col("positive").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
    texts = held_out.select(squeeze).to_series().implode()
    leaks = train.filter(
        squeeze.is_in(texts) | pl.col("source").is_in(held_out["source"].implode())
    )
    return dg.AssetCheckResult(
        passed=leaks.is_empty(),
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"leaks": leaks.height, "train": train.height, "held_out": held_out.height},
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


def trained_on(lake: Lake) -> dict[str, int]:
    """How many opted-out files each checkpoint of the lake was trained on, where there are any."""
    tombstones = lake.read_every("tombstones", schema.TOMBSTONES)
    found = {}
    for place in sorted(lake.path("models").glob("*/provenance.parquet")):
        blobs = pl.read_parquet(place, columns=["blob_sha"])
        count = blobs.join(tombstones, on="blob_sha", how="semi").height
        if count:
            found[place.parent.name] = count
    return found

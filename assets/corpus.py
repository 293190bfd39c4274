"""`corpus`: all pairs, filtered, deduplicated, split and weighted. What it must be like: `assets.checks`."""

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
from assets.eval_queries import JUDGED, load_personal
from assets.pairs import DATASET, TYPES, pairs_of
from common.hashing import digest, digest_file
from corpus import benchmarks, build, distribution, schema
from corpus.cards import mean_chars
from evaluation.queries import load_judged
from resources.lake import Lake
from resources.project import Project

SPLITS = ("train", "valid", "test")


def place_of(split: str) -> tuple[str, ...]:
    """Where the pairs of one split lie."""
    return ("corpus", f"split={split}", "part-0.parquet")


DROPS = ("corpus_drops", "data.parquet")
LOSSES = ("corpus_losses", "data.parquet")
EDGES = ("corpus_edges", "data.parquet")
REMOVED = ("corpus_removed", "data.parquet")
SIGNATURES = ("corpus_signatures", "data.parquet")


@dg.asset(
    deps=["units", *(f"{kind}_pairs" for kind in TYPES), "codesearchnet_pairs"],
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
        splits = project.load_splits(manifest)
        weights = {each.name: each.weight for each in manifest.sources if each.weight is not None}
        tombstones = set(lake.read_every("tombstones", schema.TOMBSTONES)["blob_sha"])
        places = [pairs_of(kind, name) for name in manifest.names for kind in (*TYPES, DATASET)]
        held_out = [of_source("units", name) for name, split in splits.items() if split != "train"]
        folder = project.benchmarks_path()
        personal = [query.query for judged in load_personal(project) for query in judged.queries]
        fingerprint = digest(
            *(build.VERSION, versions(lake, *places, *held_out), splits),
            curriculum.model_dump(exclude={"stages", "experts", "model"}),
            *(quality.model_dump(), weights, sorted(tombstones)),
            # Without any the corpus of before is still the corpus.
            [*(digest_file(path) for path in JUDGED), *personal],
            [(path.name, digest_file(path)) for path in benchmarks.files(folder)] if folder else [],
        )
        stored = lake.stored_all(place_of(split) for split in SPLITS)
        unchanged = all(each is not None and each.fingerprint == fingerprint for each in stored)
        signed = 0
        if not unchanged:
            evaluation = build.Evaluation(
                lake.read_all(held_out, schema.UNITS),
                [
                    *(query.query for path in JUDGED for query in load_judged(path).queries),
                    *personal,
                ],
                benchmarks.load_benchmarks(folder) if folder else None,
            )
            built = build.build_corpus(
                lake.read_all(places, schema.PAIRS),
                *(splits, curriculum, quality),
                evaluation=evaluation,
                weights=weights,
                tombstones=tombstones,
                signatures=lake.read_if_there(*SIGNATURES, schema=schema.SIGNATURES),
            )
            signed = built.signed
            _write(lake, built, fingerprint)
            del built
        frame = pl.concat([lake.read(*place_of(split)) for split in SPLITS])
        drops = lake.read(*DROPS)
        first = lake.stored(*place_of("train"))
        assert first is not None
    train = frame.filter(split="train")
    reasons = drops.group_by("reason").agg(pl.col("pairs").sum()).sort("pairs", descending=True)
    drawn = distribution.distribution(frame)
    evaluated = drops.filter(pl.col("reason").is_in(build.EVALUATED))
    return dg.MaterializeResult(
        data_version=dg.DataVersion(versions(lake, *(place_of(split) for split in SPLITS))),
        metadata={
            **describe(first, train, schema.CORPUS, asset="corpus", unchanged=unchanged),
            "dagster/row_count": frame.height,
            "splits": counts(frame, "split", "pair_type", "query_kind"),
            "languages": counts(frame, "language", "dialect", "pair_type"),
            "distribution": dg.MetadataValue.md(distribution.markdown(drawn)),
            "distribution_plot": dg.MetadataValue.md(distribution.image(drawn)),
            "mean_query_chars": mean_chars(frame, "query"),
            "mean_code_chars": mean_chars(frame, "positive"),
            "sources": counts(frame, "split", "source", "revision", "license"),
            "drops": dg.MetadataValue.md(markdown_table(reasons.columns, reasons.iter_rows())),
            "kept_from_training": dg.MetadataValue.md(
                markdown_table(evaluated.columns, evaluated.iter_rows())
            ),
            "texts_signed_anew": signed,
        },
    )


def _write(lake: Lake, built: build.Built, fingerprint: str) -> None:
    """The corpus last: its fingerprint says that the others are there, too."""
    tables = {
        DROPS: (built.drops, schema.DROPS),
        REMOVED: (built.removed, schema.REMOVED),
        LOSSES: (built.losses, schema.LOSSES),
        EDGES: (built.edges, schema.EDGES),
        SIGNATURES: (built.signatures, schema.SIGNATURES),
    }
    for place, (frame, columns) in tables.items():
        lake.write(frame, columns, *place, fingerprint=fingerprint)
    for split in SPLITS:
        part = built.pairs.filter(split=split)
        lake.write(part, schema.CORPUS, *place_of(split), fingerprint=fingerprint)


def trained_on(lake: Lake) -> dict[str, int]:
    """How many opted-out files each checkpoint of the lake was trained on, where there are any."""
    tombstones = lake.read_every("tombstones", schema.TOMBSTONES)
    found = {}
    for place in lake.every("models", "*/provenance.parquet"):
        blobs = pl.read_parquet(place, columns=["blob_sha"])
        count = blobs.join(tombstones, on="blob_sha", how="semi").height
        if count:
            found[place.parent.name] = count
    return found

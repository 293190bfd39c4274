"""`repos`: a snapshot of each source, and the tombstones of what its authors want left out."""

import dagster as dg
import polars as pl

from assets.common import (
    GIT,
    OWNERS,
    about,
    counts,
    of_source,
    produce,
    sources,
    told,
    with_columns,
)
from common.hashing import digest
from corpus import schema
from corpus.optout import OptOuts
from corpus.snapshots import VERSION, current_revision, take_snapshot
from corpus.sources import Repository
from resources.lake import Lake
from resources.project import Project

TABLE, TOMBSTONES = "repos", "tombstones"
ATTENDED = "provender/attended"
"""A tag of runs that somebody waits for: they rather fail than pause for minutes."""

heads = dg.AssetSpec(
    "heads",
    description="The sources of the manifest, as the weekly refresh found them when it last asked what their "
    "remotes name now. Nobody has asked yet where that refresh is off.",
    group_name="sources",
    kinds={"yaml", "git"},
    owners=OWNERS,
)


@dg.asset(
    partitions_def=sources,
    deps=[heads],
    group_name="sources",
    kinds={"git", "parquet"},
    owners=OWNERS,
    code_version=VERSION,
    pool=GIT,
)
def repos(context: dg.AssetExecutionContext, lake: Lake, project: Project) -> dg.MaterializeResult:
    """An immutable snapshot of each source at one revision: every file, and the bytes of those we read."""
    name = context.partition_key
    again = None if ATTENDED in context.run.tags else context
    with told(again=again):
        source = project.load_manifest().repository(name)
        wishes = project.load_optouts()
        revision = current_revision(source, lake.path("cache"))
        tombstones = lake.read_every(TOMBSTONES, schema.TOMBSTONES)

    def take() -> pl.DataFrame:
        with told(again=again):
            return _take(lake, source, wishes, tombstones)

    made = produce(
        lake,
        of_source(TABLE, name),
        schema.SNAPSHOT,
        asset=TABLE,
        fingerprint=_fingerprint(source, revision, wishes, tombstones),
        make=take,
        metadata=lambda frame: {
            **about(source),
            "origin": frame["origin"][0] if frame.height else "",
            "revision": revision,
            "swhid": frame["anchor"][0] if frame.height else "",
            "bytes": int(frame["size"].sum()),
            "held": counts(frame, "state"),
        },
    )
    seen(lake, name)
    return made


def seen(lake: Lake, name: str) -> None:
    """Note that the snapshot of `name` is of today: `provender sources` tells when it last was."""
    lake.touch(*of_source(TABLE, name))


def stale(
    lake: Lake, source: Repository, revision: str, wishes: OptOuts, tombstones: pl.DataFrame
) -> str:
    """Why a run would take another snapshot of `source`, now at `revision`; empty if it would not."""
    stored = lake.stored(*of_source(TABLE, source.name))
    if stored is None:
        return "new"
    now = with_columns(_fingerprint(source, revision, wishes, tombstones), schema.SNAPSHOT)
    if stored.fingerprint == now:
        return ""
    frame = lake.read(*of_source(TABLE, source.name), columns=["revision"])
    moved = frame.is_empty() or frame["revision"][0] != revision
    return f"moved to {revision}" if moved else "its settings, opt-outs or rules changed"


def _fingerprint(
    source: Repository, revision: str, wishes: OptOuts, tombstones: pl.DataFrame
) -> str:
    """What a snapshot is made from."""
    elsewhere = tombstones.filter(pl.col("source") != source.name)["blob_sha"].unique().sort()
    return digest(
        *(VERSION, source.kind, revision, source.include, source.exclude),
        *(wishes.model_dump(), elsewhere.to_list()),
    )


def _take(
    lake: Lake, source: Repository, wishes: OptOuts, tombstones: pl.DataFrame
) -> pl.DataFrame:
    frame, out = take_snapshot(
        source,
        lake.path("cache"),
        lake.blobs(source.name),
        previous=lake.read_if_there(*of_source(TABLE, source.name), schema=schema.SNAPSHOT),
        wishes=wishes,
        tombstones=set(tombstones["blob_sha"]),
    )
    lake.publish("blobs", f"source={source.name}")
    mine = out.union(tombstones.filter(source=source.name)["blob_sha"])
    if mine:
        rows = pl.DataFrame({"blob_sha": sorted(mine)}).with_columns(source=pl.lit(source.name))
        place = of_source(TOMBSTONES, source.name)
        lake.write(rows, schema.TOMBSTONES, *place, fingerprint=digest(sorted(mine)))
    return frame

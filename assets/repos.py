"""`repos`: a snapshot of each source, and the tombstones of what its authors want left out."""

import dagster as dg
import polars as pl

from assets.common import OWNERS, counts, of_source, produce, sources, told
from common.hashing import digest
from corpus import schema
from corpus.optout import OptOuts
from corpus.snapshots import VERSION, current_revision, take_snapshot
from corpus.sources import Repository
from resources.lake import Lake
from resources.project import Project

TABLE, TOMBSTONES = "repos", "tombstones"


@dg.asset(
    partitions_def=sources,
    group_name="sources",
    kinds={"git", "parquet"},
    owners=OWNERS,
    code_version=VERSION,
)
def repos(context: dg.AssetExecutionContext, lake: Lake, project: Project) -> dg.MaterializeResult:
    """An immutable snapshot of each source at one revision: every file, and the bytes of those we read."""
    name = context.partition_key
    with told():
        source = project.load_manifest().repository(name)
        wishes = project.load_optouts()
        revision = current_revision(source, lake.path("cache"))
        tombstones = lake.read_every(TOMBSTONES, schema.TOMBSTONES)
    elsewhere = tombstones.filter(pl.col("source") != name)["blob_sha"].unique().sort()
    made = produce(
        lake,
        of_source(TABLE, name),
        schema.SNAPSHOT,
        asset=TABLE,
        fingerprint=digest(
            *(VERSION, source.kind, revision, source.include, source.exclude),
            *(wishes.model_dump(), elsewhere.to_list()),
        ),
        make=lambda: _take(lake, source, wishes, tombstones),
        metadata=lambda frame: {
            "revision": revision,
            "swhid": frame["anchor"][0] if frame.height else "",
            "bytes": int(frame["size"].sum()),
            "held": counts(frame, "state"),
        },
    )
    lake.path(
        *of_source(TABLE, name)
    ).touch()  # `provender sources` tells when it was last refreshed
    return made


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
    mine = out.union(tombstones.filter(source=source.name)["blob_sha"])
    if mine:
        rows = pl.DataFrame({"blob_sha": sorted(mine)}).with_columns(source=pl.lit(source.name))
        place = of_source(TOMBSTONES, source.name)
        lake.write(rows, schema.TOMBSTONES, *place, fingerprint=digest(sorted(mine)))
    return frame

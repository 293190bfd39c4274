"""`repos`: an immutable snapshot of each source."""

import dagster as dg

from assets.common import OWNERS, of_source, produce, sources, told
from common.hashing import digest
from corpus import schema
from corpus.snapshots import pinned_revision, take_snapshot
from resources.lake import Lake
from resources.project import Project

TABLE = "repos"
VERSION = "1"


@dg.asset(
    partitions_def=sources,
    group_name="sources",
    kinds={"git", "parquet"},
    owners=OWNERS,
    code_version=VERSION,
)
def repos(context: dg.AssetExecutionContext, lake: Lake, project: Project) -> dg.MaterializeResult:
    """An immutable snapshot of each source at its pinned revision: every file with its git blob id."""
    name = context.partition_key
    with told():
        source = project.load_manifest()[name]
        revision = pinned_revision(source)
    return produce(
        lake,
        of_source(TABLE, name),
        schema.SNAPSHOT,
        fingerprint=digest(VERSION, source.kind, revision),
        make=lambda: take_snapshot(source, lake.path("downloads")),
        metadata=lambda frame: {
            "revision": revision,
            "swhid": f"swh:1:dir:{frame['tree'][0]}" if frame.height else "",
            "bytes": int(frame["size"].sum()),
        },
    )

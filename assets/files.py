"""`files`: what each file of a snapshot is, and whether it goes on."""

import dagster as dg

from assets.common import OWNERS, counts, of_source, produce, sources, told, versions
from common.hashing import digest
from corpus import files as rules
from corpus import schema
from resources.lake import Lake
from resources.project import Project

TABLE = "files"


@dg.asset(
    partitions_def=sources,
    deps=["repos"],
    group_name="sources",
    kinds={"parquet"},
    owners=OWNERS,
    code_version=rules.VERSION,
)
def files(context: dg.AssetExecutionContext, lake: Lake, project: Project) -> dg.MaterializeResult:
    """Every file with its language, licence and tier; kept, or dropped for a named reason."""
    name = context.partition_key
    snapshot = of_source("repos", name)
    with told():
        policy = project.load_policy()
    return produce(
        lake,
        of_source(TABLE, name),
        schema.FILES,
        fingerprint=digest(rules.VERSION, versions(lake, snapshot), policy.model_dump()),
        make=lambda: rules.classify(lake.read(*snapshot), policy),
        metadata=lambda frame: {
            "kept": int(frame["kept"].sum()),
            "reasons": counts(frame, "drop_reason"),
            "languages": counts(frame.filter("kept"), "language"),
            "license": counts(frame, "license", "license_evidence"),
        },
    )

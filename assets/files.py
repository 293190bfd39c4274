"""`files`: what each file of a snapshot is, whose licence it bears, and whether it goes on."""

import dagster as dg
import polars as pl

from assets.common import OWNERS, about, counts, of_source, produce, sources, told, versions
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
    place, snapshot = of_source(TABLE, name), of_source("repos", name)
    with told():
        policy = project.load_policy()
        source = project.load_manifest().repository(name)
    options = (source.domain, source.nested_licences, source.max_test_files)

    def classify() -> pl.DataFrame:
        previous = lake.read_if_there(*place, schema=schema.FILES)
        return rules.classify(lake.read(*snapshot), lake.blobs(name).read, policy, source, previous)

    return produce(
        lake,
        place,
        schema.FILES,
        asset=TABLE,
        fingerprint=digest(rules.VERSION, versions(lake, snapshot), policy.model_dump(), options),
        make=classify,
        metadata=lambda frame: {
            **about(source),
            "kept": int(frame["kept"].sum()),
            "dropped": counts(frame.filter(~pl.col("kept")), "drop_reason"),
            "languages": counts(frame.filter("kept"), "language", "dialect"),
            "license": counts(frame.filter("kept"), "license", "license_tier"),
        },
    )

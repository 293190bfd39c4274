"""`units`: every definition of the kept files, parsed once."""

from collections import Counter

import dagster as dg
import polars as pl

from assets.common import OWNERS, counts, of_source, produce, sources, told, versions
from common.hashing import digest
from common.progress import Progress
from corpus import extract, schema
from resources.lake import Lake
from resources.project import Project

TABLE, PARSED = "units", "parsed"


@dg.asset(
    partitions_def=sources,
    deps=["files"],
    group_name="sources",
    kinds={"treesitter", "parquet"},
    owners=OWNERS,
    code_version=digest(extract.versions()),
)
def units(context: dg.AssetExecutionContext, lake: Lake, project: Project) -> dg.MaterializeResult:
    """Functions, types, theorems, operators … with doc, contracts and code; unchanged files carried over."""
    name = context.partition_key
    place, parsed, kept = (of_source(table, name) for table in (TABLE, PARSED, "files"))
    with told():
        domain = project.load_manifest()[name].domain
    work: Counter[str] = Counter()
    fingerprint = digest(extract.versions(), domain, versions(lake, kept))

    def parse() -> pl.DataFrame:
        found = extract.extract_units(
            lake.read(*kept),
            lake.blobs(name).read,
            domain,
            lake.read_if_there(*place, schema=schema.UNITS),
            lake.read_if_there(*parsed, schema=schema.PARSED),
            progress=Progress(context.log.info, "files parsed"),
        )
        work.update(found.counts)
        lake.write(found.parsed, schema.PARSED, *parsed, fingerprint=fingerprint)
        return found.units

    return produce(
        lake,
        place,
        schema.UNITS,
        asset=TABLE,
        fingerprint=fingerprint,
        make=parse,
        metadata=lambda frame: {
            **{f"files_{key}": value for key, value in work.items()},
            "documented": int((frame["doc"] != "").sum()),
            "specified": int((frame["contracts"].list.len() > 0).sum()),
            "faults": counts(lake.read(*parsed).drop_nulls("fault"), "language", "fault"),
            "redacted": counts(frame.explode("redacted").drop_nulls("redacted"), "redacted"),
            "kinds": counts(frame, "language", "kind", "dialect"),
        },
    )

"""`units`: every definition of the kept files, parsed once."""

from collections import Counter

import dagster as dg
import polars as pl

from assets.common import OWNERS, counts, of_source, produce, sources, told, versions
from common.hashing import digest
from corpus import extract, schema
from resources.lake import Lake
from resources.project import Project

TABLE = "units"


@dg.asset(
    partitions_def=sources,
    deps=["files", "repos"],
    group_name="sources",
    kinds={"rust", "parquet"},
    owners=OWNERS,
    code_version=digest(extract.versions()),
)
def units(context: dg.AssetExecutionContext, lake: Lake, project: Project) -> dg.MaterializeResult:
    """Every function with its signature, doc, attributes and code; unchanged files are carried over."""
    name = context.partition_key
    place, kept, snapshot = (of_source(table, name) for table in (TABLE, "files", "repos"))
    with told():
        domain = project.load_manifest()[name].domain
    work: Counter[str] = Counter()

    def parse() -> pl.DataFrame:
        previous = lake.read(*place) if lake.stored(*place) else None
        frame, counted = extract.extract_units(
            lake.read(*kept), lake.read(*snapshot), domain, previous
        )
        work.update(counted)
        return frame

    return produce(
        lake,
        place,
        schema.UNITS,
        fingerprint=digest(extract.versions(), domain, versions(lake, kept)),
        make=parse,
        metadata=lambda frame: {
            **{f"files_{key}": value for key, value in work.items()},
            "documented": int((frame["doc"] != "").sum()),
            "kinds": counts(frame, "language", "kind", "dialect"),
        },
    )

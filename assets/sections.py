"""`sections`: READMEs and documentation, section by section, with the code that they name."""

from collections import Counter

import dagster as dg
import polars as pl

from assets.common import OWNERS, counts, of_source, produce, sources, versions
from common.hashing import digest
from corpus import schema
from corpus import sections as reading
from resources.lake import Lake

TABLE = "sections"


@dg.asset(
    partitions_def=sources,
    deps=["files"],
    group_name="sources",
    kinds={"parquet"},
    owners=OWNERS,
    code_version=digest(reading.versions()),
)
def sections(context: dg.AssetExecutionContext, lake: Lake) -> dg.MaterializeResult:
    """Every section of Markdown, reStructuredText and AsciiDoc, as prose and the names in it."""
    name = context.partition_key
    place, kept = of_source(TABLE, name), of_source("files", name)
    work: Counter[str] = Counter()

    def parse() -> pl.DataFrame:
        found = reading.extract_sections(
            lake.read(*kept),
            lake.blobs(name).read,
            lake.read_if_there(*place, schema=schema.SECTIONS),
        )
        work.update(found.counts)
        return found.sections

    return produce(
        lake,
        place,
        schema.SECTIONS,
        asset=TABLE,
        fingerprint=digest(reading.versions(), versions(lake, kept)),
        make=parse,
        metadata=lambda frame: {
            **{f"files_{key}": value for key, value in work.items()},
            "languages": counts(frame, "language"),
        },
    )

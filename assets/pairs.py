"""`doc_pairs`, `path_pairs`, `body_pairs`: the kinds of training pair that units give."""

from collections.abc import Callable

import dagster as dg
import polars as pl

from assets.common import OWNERS, counts, of_source, produce, sources, versions
from common.hashing import digest
from corpus import schema
from corpus.pairs import body, doc, path
from resources.lake import Lake

TYPES = ("doc", "path", "body")


def pairs_of(pair_type: str, source: str) -> tuple[str, ...]:
    """Where the pairs of one type and source lie."""
    return of_source(f"pairs/pair_type={pair_type}", source)


def _pairs(
    name: str,
    pair_type: str,
    build: Callable[[pl.DataFrame], pl.DataFrame],
    version: str,
    text: str,
) -> dg.AssetsDefinition:
    @dg.asset(
        name=name,
        partitions_def=sources,
        deps=["units"],
        group_name="pairs",
        kinds={"parquet"},
        owners=OWNERS,
        description=text,
        code_version=version,
    )
    def pairs(context: dg.AssetExecutionContext, lake: Lake) -> dg.MaterializeResult:
        units = of_source("units", context.partition_key)
        return produce(
            lake,
            pairs_of(pair_type, context.partition_key),
            schema.PAIRS,
            fingerprint=digest(version, versions(lake, units)),
            make=lambda: build(lake.read(*units)),
            metadata=lambda frame: {"query_kinds": counts(frame, "query_kind")},
        )

    return pairs


doc_pairs = _pairs(
    "doc_pairs",
    "doc",
    doc.doc_pairs,
    doc.VERSION,
    "Doc comment -> code: first sentences, later sentences and keyword forms.",
)
path_pairs = _pairs(
    "path_pairs",
    "path",
    path.path_pairs,
    path.VERSION,
    "Path, module and symbol in words -> code, for units without a usable doc.",
)
body_pairs = _pairs(
    "body_pairs",
    "body",
    body.body_pairs,
    body.VERSION,
    "Remarks and messages inside a body -> the function without them.",
)

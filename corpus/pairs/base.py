"""From queries and their units to rows of `schema.PAIRS`."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from common.hashing import digest
from corpus import schema

_FROM_UNIT = [
    name for name in schema.UNITS.names if name in schema.PAIRS.names and name != "signature"
]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A query for a unit. `doc_rest` is what of the unit's doc may stay beside the code."""

    unit_id: str
    query: str
    query_kind: str
    doc_rest: str


def to_pairs(proposals: list[Proposal], units: pl.DataFrame, pair_type: str) -> pl.DataFrame:
    """The proposals joined with what `units` (rows of `schema.UNITS`) knows of their code."""
    proposed = pl.DataFrame(
        [(each.unit_id, each.query, each.query_kind, each.doc_rest) for each in proposals],
        schema=dict.fromkeys(("unit_id", "query", "query_kind", "doc_rest"), pl.String),
        orient="row",
    )
    joined = proposed.join(units, on="unit_id", how="inner", maintain_order="left").rename(
        {"code": "positive"}
    )
    return joined.with_columns(
        pair_type=pl.lit(pair_type),
        pair_id=pl.struct("query", "positive").map_elements(_pair_id, return_dtype=pl.String),
    ).select(schema.PAIRS.names)


def _pair_id(pair: dict[str, str]) -> str:
    return digest(normal(pair["query"]), normal(pair["positive"]))


def normal(text: str) -> str:
    """`text` as exact deduplication sees it: case and white space do not count."""
    return " ".join(text.casefold().split())

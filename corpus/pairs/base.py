"""From queries and their units to rows of `schema.PAIRS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from common.hashing import digest
from corpus import schema
from corpus.text import STOPWORDS, identifier_words, stem

_OF_REVISION = ["revision", "license", "license_tier", "domain", "swhid"]
"""What of a unit may change while its file's bytes do not."""

CALLABLE = ("function", "method", "constructor", "proof_function", "spec_function")
"""Kinds of units whose code is a body, and not an outline."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A query for a unit.

    `doc_rest` is what of the unit's doc may stay beside the code, `code` what of its code the query
    leaves in place; null for all of it.
    """

    unit_id: str
    query: str
    query_kind: str
    doc_rest: str
    code: str | None = None


_SYNTAX = frozenset(
    "fn pub self static public private protected const async def class struct enum void final override impl "
    "where str string bool int u8 u16 u32 u64 usize i32 i64 f64 vec option result mut ref dyn".split()
)


def names_of(symbol: str, signature: str) -> frozenset[str]:
    """The stems of the words of a unit's header: what a sentence about it most likely speaks of."""
    words = {word for word in identifier_words(signature) if word not in _SYNTAX}
    words |= set(identifier_words(symbol))
    return frozenset(stem(word) for word in words if len(word) > 1 and word not in STOPWORDS)


def refresh(
    build: Callable[[pl.DataFrame], pl.DataFrame],
    version: str,
    units: pl.DataFrame,
    previous: pl.DataFrame | None,
) -> pl.DataFrame:
    """`build(units)`, in which the pairs of files that did not change come from `previous`.

    `build` must make the pairs of a file from the units of that file alone, in the units' order.
    """
    if previous is None:
        return build(units)
    marked = units.with_row_index("row").with_columns(builder=_builder(version))
    key = ["unit_id", "path", "blob_sha", "builder"]
    carried = previous.drop(_OF_REVISION).join(
        marked.select(*key, *_OF_REVISION), on=key, how="inner", maintain_order="left"
    )
    fresh = units.join(carried.select("path", "blob_sha").unique(), on=key[1:3], how="anti")
    pairs = pl.concat([carried.select(schema.PAIRS.names), build(fresh)])
    place = marked.select("unit_id", "row")
    ordered = pairs.join(place, on="unit_id", how="left", maintain_order="left")
    return ordered.sort("row", maintain_order=True).select(schema.PAIRS.names)


def _builder(version: str) -> pl.Expr:
    return pl.format("{}/{}", "extractor", pl.lit(version))


def to_pairs(
    proposals: list[Proposal], units: pl.DataFrame, pair_type: str, version: str
) -> pl.DataFrame:
    """The proposals joined with what `units` (rows of `schema.UNITS`) knows of their code."""
    columns = ("unit_id", "query", "query_kind", "doc_rest", "left")
    proposed = pl.DataFrame(
        [
            (each.unit_id, each.query, each.query_kind, each.doc_rest, each.code)
            for each in proposals
        ],
        schema=dict.fromkeys(columns, pl.String),
        orient="row",
    )
    joined = proposed.join(units, on="unit_id", how="inner", maintain_order="left")
    return (
        joined.with_columns(positive=pl.coalesce("left", "code"))
        .with_columns(
            pair_type=pl.lit(pair_type),
            builder=_builder(version),
            pair_id=pl.struct("query", "positive").map_elements(_pair_id, return_dtype=pl.String),
        )
        .select(schema.PAIRS.names)
    )


def _pair_id(pair: dict[str, str]) -> str:
    return digest(normal(pair["query"]), normal(pair["positive"]))


def normal(text: str) -> str:
    """`text` as exact deduplication sees it: case and white space do not count."""
    return " ".join(text.casefold().split())

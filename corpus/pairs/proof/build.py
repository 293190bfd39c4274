"""Proof pairs of a source: every verifier's queries, without those that many units would answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import polars as pl

from corpus.pairs.base import Proposal, normal, to_pairs
from corpus.pairs.proof import counterpart, lean, rust, smtlib, tlaplus
from corpus.pairs.proof.base import Query, Unit

VERSION = "3"

_MAX_PER_UNIT = 4
_MAX_BEARERS = 10
_MAX_UNITS_A_QUERY = 2
"""A text that more units answer tells them apart for nobody."""

_BY_LANGUAGE: Mapping[str, Callable[[Unit], Iterator[Query]]] = {
    "rust": rust.queries,
    "lean": lean.queries,
    "tlaplus": tlaplus.queries,
    "smtlib": smtlib.queries,
}


def proof_pairs(units: pl.DataFrame) -> pl.DataFrame:
    """Rows of `schema.PAIRS` for the verification code among the rows of `units`."""
    wanted = units.filter(
        pl.col("dialect").is_not_null()
        | (pl.col("contracts").list.len() > 0)
        | pl.col("language").is_in([each for each in _BY_LANGUAGE if each != "rust"])
    )
    proposed: list[tuple[Unit, Query]] = []
    common = _common(wanted)
    for unit in wanted.iter_rows(named=True):
        proposed += [(unit, query) for query in _of_unit({**unit, "common": common})]
    if wanted.filter(pl.col("language").is_in(["lean", "tlaplus"])).height:
        proposed += counterpart.queries(units.rows(named=True))
    answers: dict[str, set[str]] = defaultdict(set)
    for unit, query in proposed:
        for text in _meanings(query):
            answers[text].add(unit["unit_id"])
    proposals = [
        Proposal(unit["unit_id"], query.text, query.kind, unit["prose"], query.code)
        for unit, query in proposed
        if all(len(answers[text]) <= _MAX_UNITS_A_QUERY for text in _meanings(query))
    ]
    return to_pairs(proposals, units, "proof", VERSION)


def _common(units: pl.DataFrame) -> frozenset[str]:
    """Clauses that so many units have that they tell nothing of any: `ctx_safe(ctx)`."""
    texts = units.select(pl.col("contracts").list.eval(pl.element().struct.field("text")).explode())
    counted = texts.to_series().drop_nulls().value_counts().filter(pl.col("count") > _MAX_BEARERS)
    return frozenset(counted.to_series())


def _meanings(query: Query) -> tuple[str, str]:
    """The query as it stands, and what it says in whatever phrase."""
    return normal(query.text), f"core {normal(query.core or query.text)}"


def _of_unit(unit: Unit) -> Iterator[Query]:
    build = _BY_LANGUAGE.get(unit["language"], rust.queries)
    taken: set[str] = set()
    for query in build(unit):
        text = " ".join(query.text.split())
        if len(taken) < _MAX_PER_UNIT and text not in taken:
            taken.add(text)
            yield replace(query, text=text)

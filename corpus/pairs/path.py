"""File path -> code, for units without a usable doc: path, module and symbol in words."""

from __future__ import annotations

import polars as pl

from corpus.pairs.base import Proposal, to_pairs
from corpus.text import identifier_words, prose

VERSION = "1"

_MAX_PER_FILE = 8
_MEANINGLESS = frozenset(
    [
        "src",
        "lib",
        "mod",
        "main",
        "rs",
        "crates",
        "crate",
        "core",
        "common",
        "util",
        "utils",
        "tests",
        "test",
    ]
)
_EVERYWHERE = frozenset(
    "new fmt clone default eq ne cmp partial_cmp hash drop deref deref_mut as_ref borrow next".split()
)
"""Methods that every type has: their names search for nothing."""


def path_pairs(units: pl.DataFrame) -> pl.DataFrame:
    """Rows of `schema.PAIRS`, at most eight a file, for the rows of `units` whose doc says nothing.

    Plain tests are left out: their names repeat what they test. Proof harnesses are not.
    """
    wanted = units.filter(~pl.col("is_test") | pl.col("dialect").is_not_null())
    taken: dict[str, int] = {}
    proposals = []
    for unit in wanted.sort("path", "start_line").iter_rows(named=True):
        if prose(unit["doc"]) or taken.get(unit["path"], 0) >= _MAX_PER_FILE:
            continue
        query = path_query(unit)
        if query:
            taken[unit["path"]] = taken.get(unit["path"], 0) + 1
            proposals.append(Proposal(unit["unit_id"], query, "keywords", ""))
    return to_pairs(proposals, units, "path", VERSION)


def path_query(unit: dict) -> str:
    """`kani proof`, then the last two folders, the file, the module and the symbol in words.

    Empty where the symbol itself has no more than one word: too little to search for.
    """
    symbol = identifier_words(unit["symbol"])
    if len(symbol) < 2 or unit["symbol"].rsplit("::", 1)[-1] in _EVERYWHERE:
        return ""
    place = [
        word
        for part in [*unit["path"].split("/")[-3:], unit["module"]]
        for word in identifier_words(part)
        if word not in _MEANINGLESS
    ]
    category = [unit["dialect"], "proof"] if unit["dialect"] else []
    return " ".join(dict.fromkeys([*category, *place, *symbol]))

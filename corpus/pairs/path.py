"""File path -> code, for units without a usable doc: category, path, module and symbol in words."""

from __future__ import annotations

import re
from typing import Any

import polars as pl

from common.hashing import digest
from corpus.pairs.base import Proposal, to_pairs
from corpus.quality import Quality, doc_is_usable
from corpus.text import identifier_words, sentences

VERSION = "4"

_MAX_PER_FILE = 8
_MAX_WORDS, _MAX_HEADING = 14, 4
_MEANINGLESS = frozenset(
    """
    src lib mod main rs crates crate core common util utils tests test impl init index java org com net io
    python javascript packages package include internal types spec specs specifications mc tla lean
    """.split()
)
_EVERYWHERE = frozenset(
    """
    new fmt clone default eq ne cmp partial_cmp hash drop deref deref_mut as_ref borrow next from into main
    toString equals hashCode compareTo close get set run init __init__ __repr__ __str__ __eq__ __hash__
    __len__ __iter__ __enter__ __exit__ constructor toJSON begin end size swap operator== operator!=
    """.split()
)
"""Methods that every type has: their names search for nothing."""

_UNNAMED = re.compile(r"(?:assert|assert-soft|rule|script)\b|inst[A-Z]|[\W\d]")
"""Names that an extractor or a compiler gave, not a person."""

_SEPARATOR = re.compile(r"::|[.!]")
_CATEGORIES = {
    "kani": "kani proof",
    "verus": "verus",
    "prusti": "prusti",
    "creusot": "creusot",
    "lean": "lean",
    "tlaplus": "tla+",
    "smtlib": "smt",
}
_KINDS = {
    "proof_function": "proof",
    "spec_function": "spec",
    "theorem": "theorem",
    "lemma": "lemma",
    "axiom": "axiom",
    "instance": "instance",
    "invariant": "invariant",
    "temporal": "temporal property",
    "action": "action",
    "assumption": "assumption",
    "algorithm": "algorithm",
    "structure": "structure",
    "inductive": "inductive",
    "datatype": "datatype",
    "transition": "transition",
}


def path_pairs(units: pl.DataFrame, quality: Quality) -> pl.DataFrame:
    """Rows of `schema.PAIRS`, at most eight a file, for the rows of `units` whose doc says nothing.

    Plain tests are left out: their names repeat what they test. Proof harnesses are not.
    """
    wanted = units.filter(~pl.col("is_test") | pl.col("dialect").is_not_null())
    taken: dict[str, int] = {}
    proposals = []
    for unit in wanted.sort("path", "start_line").iter_rows(named=True):
        if taken.get(unit["path"], 0) >= _MAX_PER_FILE or _has_doc(unit, quality):
            continue
        query = path_query(unit)
        if query:
            taken[unit["path"]] = taken.get(unit["path"], 0) + 1
            proposals.append(Proposal(unit["unit_id"], query, "keywords", unit["prose"]))
    return to_pairs(proposals, units, "path", version(quality))


def version(quality: Quality) -> str:
    """What a path pair depends on beside its unit: these rules, and those for a usable doc."""
    return f"{VERSION}/{digest(quality.model_dump())[:8]}"


def _has_doc(unit: dict[str, Any], quality: Quality) -> bool:
    first = next(iter(sentences(unit["prose"])), "")
    return doc_is_usable(first, unit["symbol"], unit["language"], quality.of(unit["language"]))


def path_query(unit: dict[str, Any]) -> str:
    """`kani proof`, then the last two folders, the file, its section, the module and the symbol in words.

    Empty where the symbol itself has no more than one word: too little to search for.
    """
    symbol = identifier_words(unit["symbol"])
    *owners, name = _SEPARATOR.split(unit["symbol"])
    # Every type has constructors and a destructor, too.
    is_everywhere = name in _EVERYWHERE or name.lstrip("~") in owners[-1:]
    if len(symbol) < 2 or is_everywhere or _UNNAMED.match(name):
        return ""
    *folders, file = unit["path"].split("/")[-3:]
    heading = unit["heading"] if len(unit["heading"].split()) <= _MAX_HEADING else ""
    place = [
        word
        for part in [*folders, file.split(".")[0], heading, unit["module"]]
        for word in identifier_words(part)
        if word not in _MEANINGLESS and word not in symbol
    ]
    category = _category(unit)
    place = [word for word in dict.fromkeys(place) if word not in category]
    # The symbol says most, so that words in front of it go first, the farthest before the others.
    room = max(0, _MAX_WORDS - len(category) - len(symbol))
    return " ".join([*category, *(place[-room:] if room else []), *_once(symbol)])


def _once(words: list[str]) -> list[str]:
    """`words` without repetitions of the type in its members: `ring ring buffer push`."""
    return [word for index, word in enumerate(words) if not index or word != words[index - 1]]


def _category(unit: dict[str, Any]) -> list[str]:
    tool = _CATEGORIES.get(unit["dialect"] or unit["language"], "")
    return [*tool.split(), *_KINDS.get(unit["kind"], "").split()] if tool else []

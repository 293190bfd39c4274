"""What the verifiers' modules share: the words of a unit's name, a choice of phrase, code without a spec."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common.hashing import digest
from corpus.pairs.proof.formula import spoken
from corpus.text import identifier_words

Unit = Mapping[str, Any]
"""A row of `schema.UNITS`."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query of a kind.

    `code` is what of the unit's code it leaves in place, null for all. `core` is what it says without
    its turn of phrase, null for all of it: units that share it cannot be told apart.
    """

    kind: str
    text: str
    code: str | None = None
    core: str | None = None


_ROLE_WORDS = frozenset(
    "check checks verify verifies proof prove proves harness test kani lemma axiom theorem thm prop "
    "verus spec contract unit".split()
)


def subject(unit: Unit) -> str:
    """The words of a unit's name and of what encloses it, without those that only say that it is a proof."""
    return symbol_words(unit["symbol"])


def symbol_words(symbol: str) -> str:
    """`crate::epoch::Epoch::from_tai` and `<Epoch as Ord>::cmp` as a person would name them."""
    *owners, name = re.split(r"::|\.", re.sub(r"<[^<>]*>|[\[\]&]", " ", symbol))
    owner = next((each.strip() for each in reversed(owners) if each.strip()[:1].isupper()), "")
    own = _meaningful(identifier_words(name))
    of_owner = [word for word in _meaningful(identifier_words(owner)) if word not in own]
    return " ".join([*of_owner, *own])


def _meaningful(words: list[str]) -> list[str]:
    return [word for word in words if word not in _ROLE_WORDS and (len(word) > 1 or word.isdigit())]


def place(unit: Unit) -> str:
    """The words of the file's name, for a subject that says little."""
    stem = unit["path"].rsplit("/", 1)[-1].split(".")[0]
    return " ".join(word for word in identifier_words(stem) if word not in _ROLE_WORDS)


def pick(unit: Unit, about: str, phrases: Sequence[str]) -> str:
    """One of several ways to say the same, always the same one for the same unit."""
    return phrases[int(digest(unit["unit_id"], about)[:8], 16) % len(phrases)]


def ask(unit: Unit, kind: str, about: str, phrases: Sequence[str], *words: str) -> Query:
    """A query of these words in one of several phrases."""
    text = pick(unit, about, phrases).format(*words)
    return Query(kind, text, core=f"{about} {' '.join(words)}")


def clauses(unit: Unit, *kinds: str) -> list[str]:
    """The texts of the unit's clauses of these kinds, but for those that all the source repeats."""
    common = unit.get("common", ())
    texts = (each["text"] for each in unit["contracts"] if each["kind"] in kinds)
    return [text for text in texts if text not in common]


def said(formulas: Sequence[str]) -> Iterator[str]:
    """The formulas that can be said in words, each way of saying it once."""
    yield from dict.fromkeys(text for text in map(spoken, formulas) if text)


_HEADER_KINDS = ("requires", "ensures", "decreases", "recommends", "returns", "modifies")
_LEFT_OVER = re.compile(
    r"\b(?:requires|ensures|decreases|recommends|returns)\b(?:\s*,)*"
    r"(?=\s*(?:\b(?:requires|ensures|decreases|recommends|returns|opens_invariants|no_unwind)\b|[{;]|\Z))"
)
_CLAUSE = re.compile(r"^\s*(?:requires|ensures|decreases|recommends|returns)\b", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n(?:[ \t,]*\n)+")


def without_contract(unit: Unit) -> str | None:
    """The unit's code without the contract in its header; null where a clause is not found in it."""
    code = unit["code"]
    for attribute in unit["attributes"]:
        if _is_clause(attribute):
            code = _cut(code, attribute)
    left = [
        each["text"]
        for each in unit["contracts"]
        if each["kind"] in _HEADER_KINDS and not _in_attribute(each["text"], unit["attributes"])
    ]
    if left:
        clause = _CLAUSE.search(code)
        if clause is None:
            return None
        head, tail = code[: clause.start()], code[clause.start() :]
        for text in left:
            shorter = _cut(tail, text)
            if shorter == tail:
                return None
            tail = shorter
        code = head + _LEFT_OVER.sub("", tail)
    return _BLANK_LINES.sub("\n", code).strip("\n") or None


def _is_clause(attribute: str) -> bool:
    return (
        re.match(
            r"#!?\[\s*(?:cfg_attr\([^,]*,\s*)?[\w:]*(?:requires|ensures|variant|modifies)\b",
            attribute,
        )
        is not None
    )


def _in_attribute(text: str, attributes: Sequence[str]) -> bool:
    squeezed = "".join(text.split())
    return any(squeezed in "".join(each.split()) for each in attributes if _is_clause(each))


def _cut(code: str, text: str) -> str:
    """`code` without the first occurrence of `text`, in which white space may be any."""
    pattern = r"\s+".join(map(re.escape, text.split()))
    return re.sub(rf"(?<!\w){pattern}(?!\w)", "", code, count=1) if pattern else code

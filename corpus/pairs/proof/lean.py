"""Queries for Lean: statements in words, and what a theorem's name says by the library's naming rules.

The rules: https://leanprover-community.github.io/contribute/naming.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from corpus.pairs.proof.base import Query, Unit, ask, clauses, place, subject
from corpus.pairs.proof.formula import spoken
from corpus.text import identifier_words

_SHORT = 6
_THEOREMS = frozenset({"theorem", "lemma", "axiom"})

_NAMED = {
    "comm": "is commutative",
    "assoc": "is associative",
    "le": "is at most",
    "lt": "is less than",
    "ge": "is at least",
    "gt": "is greater than",
    "iff": "if and only if",
    "mem": "membership",
    "nmem": "not a member",
    "inj": "is injective",
    "injective": "is injective",
    "surj": "is surjective",
    "mono": "is monotone",
    "of": "of",
    "imp": "implies",
    "succ": "successor",
    "pred": "predecessor",
    "neg": "negation",
    "mul": "multiplication",
    "add": "addition",
    "sub": "subtraction",
    "div": "division",
    "mod": "remainder",
    "pow": "power",
    "symm": "is symmetric",
    "refl": "is reflexive",
    "trans": "is transitive",
    "antisymm": "is antisymmetric",
    "append": "append",
    "cons": "cons",
    "dvd": "divides",
    "pos": "is positive",
    "nonneg": "is not negative",
    "zero": "zero",
    "one": "one",
    "distrib": "distributes",
    "left": "on the left",
    "right": "on the right",
    "cancel": "cancels",
    "self": "itself",
    "nodup": "has no duplicates",
    "toList": "to list",
    "irrefl": "is irreflexive",
    "total": "is total",
    "def": "definition",
    "apply": "applied",
    "not": "not",
}

# Binders before the colon and instance arguments: `{α : Type u} [LE α] (h : a ≤ b)`.
_HYPOTHESIS = re.compile(r"\(\s*(?:h\w*|H\w*|_\w*)\s*:\s*([^()]*(?:\([^()]*\)[^()]*)*)\)")
_ARROW = re.compile(r"→(?![^(]*\))")


def queries(unit: Unit) -> Iterator[Query]:
    """What a person might type who wants this theorem, definition or instance."""
    if unit["kind"] in _THEOREMS:
        yield from _theorem(unit)
    elif unit["kind"] == "instance":
        yield from _instance(unit)
    for measure in clauses(unit, "decreases")[:1] if unit["kind"] not in _THEOREMS else []:
        words = _said(measure) or " ".join(identifier_words(measure)[:6])
        if words:
            about = _about(unit)
            phrases = ("prove that {0} terminates, {1} decreases", "termination of {0} by {1}")
            yield ask(unit, "property", "decreases", phrases, about, words)
    for kind in ("requires", "ensures", "invariant", "safety"):
        for formula in clauses(unit, kind)[:1]:
            words = _said(formula)
            if words:
                yield Query("property", f"{_about(unit)} {kind} {words}")


def _said(formula: str) -> str:
    """`formula` in words; here `^` raises to a power."""
    return spoken(formula.replace("^", "**"))


def _theorem(unit: Unit) -> Iterator[Query]:
    named = by_name(unit)
    if len(named.split()) >= 3:
        phrases = ("prove {}", "lean theorem: {}", "{}", "lemma {}")
        yield ask(unit, "property", "name", phrases, named)
    for statement in clauses(unit, "statement")[:1]:
        words = _said(statement)
        if not words or len(words.split()) < 4:
            continue
        hypotheses = [_said(each) for each in _HYPOTHESIS.findall(unit["signature"])]
        given = next((each for each in hypotheses if each and len(each.split()) <= 8), "")
        phrases = ("prove that {0}", "theorem {0}", "show {0}", "lean proof of {0}")
        if not given and _HYPOTHESIS.search(unit["signature"]) and len(words.split()) < _SHORT:
            continue  # what holds only under a hypothesis, said without it, is another statement
        whole = f"{words} if {given}" if given else words
        yield ask(unit, "property", "statement", phrases, whole)
        if 12 <= len(statement) <= 120:
            yield Query("specification", statement)


def _instance(unit: Unit) -> Iterator[Query]:
    wanted = unit["signature"].partition(":")[2] if ":" in unit["signature"] else ""
    wanted = re.sub(r"\s*(:=|where).*$", "", wanted).strip()
    name, _, arguments = wanted.partition(" ")
    first = " ".join(identifier_words(name.rsplit(".", 1)[-1]))
    others = [word for word in identifier_words(arguments) if len(word) > 1]
    if first and 1 <= len(others) <= 9:
        phrases = ("{0} instance for {1}", "derive {0} for {1}", "{1} is an instance of {0}")
        yield ask(unit, "keywords", "instance", phrases, first, " ".join(others))


def by_name(unit: Unit) -> str:
    """`Nat.add_comm` as `nat addition is commutative`."""
    *owners, name = unit["symbol"].split(".")
    words: list[str] = []
    for owner in owners[-1:]:
        words += identifier_words(owner)
    for part in re.split(r"_", name.replace("'", "")):
        said = _NAMED.get(part)
        words += said.split() if said else identifier_words(part)
    return " ".join(
        word for index, word in enumerate(words) if not index or word != words[index - 1]
    )


def _about(unit: Unit) -> str:
    return subject(unit) or place(unit)

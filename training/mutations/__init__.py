"""Negatives made from the positive itself: one small, named change to what formal code states.

A mutant differs from its original by what a specification means, and by next to nothing else: a flipped
operator, a dropped or weakened clause, a bound off by one. Such pairs teach a model to read operators,
which mined negatives never isolate (mutation operators: Jia and Harman 2011, An Analysis and Survey of
the Development of Mutation Testing).

Here: `mutate` and what it returns. One module a language finds the edits; `source` reads text.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from training.mutations import lean, rust, smtlib, tlaplus
from training.mutations.source import Edit, Mutation, squeezed

__all__ = ["NAMES", "Mutation", "conclusion_shape", "mutate"]

NAMES = (
    *("flipped_comparison", "flipped_equality", "flipped_connective", "flipped_quantifier"),
    *("flipped_membership", "flipped_temporal", "dropped_ensures", "weakened_ensures"),
    *("dropped_requires", "strengthened_requires", "swapped_contract", "converse"),
    *("dropped_conjunct", "changed_bound"),
)
"""Every name that a mutation can have."""

_EDITS: dict[str, Callable[[str, str | None], list[Edit]]] = {
    "rust": rust.edits,
    "lean": lean.edits,
    "tlaplus": tlaplus.edits,
    "smtlib": smtlib.edits,
}


def mutate(code: str, language: str, dialect: str | None, *, seed: int) -> list[Mutation]:
    """Every mutant of `code`; the first ones have different names, so that a few are a mixture.

    Only what specifies is changed (contract clauses, a Kani harness' assertions, statements without
    their proofs, logical definitions), never comments, strings, imports, identifiers or types. No two
    mutants are equal, nor one equal to `code`, even if all white space is taken away.

    Args:
        code: the definition, without its doc.
        language: `rust`, `lean`, `tlaplus` or `smtlib`; any other gives no mutant.
        dialect: `kani`, `verus`, `prusti`, `creusot` or None.
        seed: orders the mutants; the set does not depend on it.
    """
    found = _EDITS[language](code, dialect) if language in _EDITS else []
    seen = {squeezed(code)}
    by_name: dict[str, list[Mutation]] = {}
    for edit in sorted(found, key=lambda edit: (edit.start, edit.end, edit.name, edit.replacement)):
        text = code[: edit.start] + edit.replacement + code[edit.end :]
        if squeezed(text) in seen:
            continue
        seen.add(squeezed(text))
        by_name.setdefault(edit.name, []).append(
            Mutation(
                name=edit.name,
                text=text,
                start=edit.start,
                end=edit.end,
                replacement=edit.replacement,
                scope=edit.scope,
                is_condition=edit.part == "requires",
            )
        )
    return _mixed(by_name, random.Random(seed))  # noqa: S311  # a draw, no secret


_CONCLUSIONS: dict[str, Callable[[str, str | None], str | None]] = {
    "rust": rust.conclusion,
    "lean": lean.conclusion,
    "tlaplus": tlaplus.conclusion,
}
_WORD = re.compile(r"[^\W\d][\w'!?]*")
_RELATION = re.compile(r"[=<>≤≥≠↔∧∨∈∉⊆∣#]|\\in")


def conclusion_shape(code: str, language: str, dialect: str | None) -> str | None:
    """What a lemma concludes, every name written `_`: `_._ = _` for `a.length = n`.

    Lemmas of one shape look alike and state different things. None for what is no lemma, and for a
    conclusion without a relation: one predicate applied to some names is no shape.
    """
    if language not in _CONCLUSIONS:
        return None
    concluded = _CONCLUSIONS[language](code, dialect)
    shape = squeezed(_WORD.sub("_", concluded)) if concluded else ""
    return shape if _RELATION.search(shape) else None


def _mixed(by_name: dict[str, list[Mutation]], generator: random.Random) -> list[Mutation]:
    """One of each name, then a second of each …"""
    columns = [by_name[name] for name in sorted(by_name)]
    for column in columns:
        generator.shuffle(column)
    generator.shuffle(columns)
    longest = max((len(column) for column in columns), default=0)
    return [column[row] for row in range(longest) for column in columns if row < len(column)]

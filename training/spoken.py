"""Which mutations a query speaks of. The mutants of the others still answer it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from evaluation.bm25 import tokens
from training.mutations import Mutation

_SILENT = frozenset(
    "old ret final int nat usize bool true false forall exists trigger some".split()
)
"""What clauses are full of and queries do not say."""

_CONDITION = re.compile(
    r"\b(?:given|if|when|whenever|requires?|provided|assum\w+|under|unless|preconditions?)\b",
    re.IGNORECASE,
)
_RELATION = re.compile(
    r"\b(?:equals?|implies|if|is|are|not|less|greater|most|least|in|all|some|every|exists|leads|always"
    r"|eventually|never|contains?)\b|[=<>≤≥≠∈∉∀∃→↔⊆]",
    re.IGNORECASE,
)


def spoken_of(mutations: Sequence[Mutation], query: str, share: float) -> list[Mutation]:
    """Those of a definition's `mutations` whose mutants `query` is answered wrongly by.

    The query must relate things to each other (`equals`, `at most`, `=` …), and say two words of the
    changed part at least and `share` of them: after a word like `given` where a condition is changed,
    before it otherwise. And it must not say more of another part, nor as much unless it says all of both:
    a query about natural numbers is answered whatever the lemma next says of integers.

    Args:
        mutations: all of one definition; each tells which other parts there are.
        query: as typed.
        share: of the words of the changed part, from 0 to 1.
    """
    condition = _CONDITION.search(query)
    before, after = (
        (query[: condition.start()], query[condition.end() :]) if condition else (query, "")
    )
    return [
        each
        for is_condition, part in ((False, before), (True, after))
        if _RELATION.search(part)
        for each in _said(
            [each for each in mutations if each.is_condition == is_condition], part, share
        )
    ]


def _said(mutations: list[Mutation], part: str, share: float) -> list[Mutation]:
    spoken = set(tokens(part))
    covered = {scope: _cover(scope, spoken) for scope in {each.scope for each in mutations}}
    return [
        each
        for each in mutations
        if _is_told(each.scope, spoken, share)
        and not any(
            cover > covered[each.scope] or cover == covered[each.scope] < 1
            for scope, cover in covered.items()
            if scope not in each.scope and each.scope not in scope
        )
    ]


def _is_told(scope: str, spoken: set[str], share: float) -> bool:
    words = {word for word in tokens(scope) if _is_telling(word)}
    return len(words & spoken) >= max(2, share * len(words))


def _is_telling(word: str) -> bool:
    return (len(word) > 1 or word.isdecimal()) and word not in _SILENT


def _cover(scope: str, spoken: set[str]) -> float:
    """How much of `scope` is said; of an identifier in parts, its parts."""
    words = {word for word in tokens(scope) if len(tokens(word)) == 1}
    return len(words & spoken) / len(words) if words else 0.0

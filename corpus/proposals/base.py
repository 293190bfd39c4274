"""What the modules of proposals share: a wording, and words that say nothing of one definition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Style = Literal["what", "keywords", "property", "symptom"]
STYLES: tuple[Style, ...] = ("what", "property", "symptom", "keywords")
"""In the order of their turns: keywords can be made of anything."""

Unit = Mapping[str, Any]
"""A row of `schema.UNITS`."""

MIN_WORDS = 3
"""Of a query."""
ROLES = frozenset(
    "test tests check checks verify verifies prove proves proof harness kani contract contracts model verus"
    " creusot prusti lean lemma theorem function guarantees assuming it should can works ok basic case cases"
    " main smoke regression issue repro gh".split()
)
"""Words that only say what a definition is there for."""
SYNTAX = frozenset(
    """
    abstract args array assert async await bool break case catch char class clone const continue crate cls
    default def derive dict double dyn elif else enum eq err error except export extends extern false final
    finally float fn format from frozenset func function if impl implements import inline instanceof int
    interface into isinstance iter kwargs lambda len let list loop match mod mut namespace new none null
    ok option override package panic pass private proof protected ptr pub public raise range ref requires
    ensures result return self set some static std str string struct super switch template tests theorem
    this throw throws trait true try tuple type typename union unsafe unsigned unwrap usize use value vec
    virtual void where while with yield
    """.split()
)
"""Words of the languages themselves, and of what every program does."""


@dataclass(frozen=True, slots=True)
class Wording:
    """One way to ask for a definition."""

    style: Style
    query: str

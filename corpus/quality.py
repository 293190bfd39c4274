"""What makes a pair not worth training on, as far as its query and its code tell: named rules.

Every rule has its fault, and a setting by language in `config/quality.yaml`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

import polars as pl
from pydantic import Field, model_validator

from common.config import Settings, load
from common.errors import hint
from corpus import paths
from corpus.bodies import lack
from corpus.english import is_foreign
from corpus.wording import has_letters, is_code, notice, only_names, points_elsewhere, repeats

VERSION = "1"

LANGUAGES = frozenset(paths.LANGUAGES.values()) - paths.DOCUMENTATION | {"go", "php", "ruby"}
"""Languages of files, and those that data sets add."""

_Count = Annotated[int, Field(ge=0)]
_Share = Annotated[float, Field(ge=0, le=1)]


class Fault(StrEnum):
    """What is wrong with a pair. The order is the order of the checks."""

    QUERY_SHORT = "query_too_short"
    QUERY_LONG = "query_too_long"
    QUERY_TODO = "query_is_a_todo"
    QUERY_DEPRECATION = "query_is_a_deprecation"
    QUERY_LEGAL = "query_is_a_legal_notice"
    QUERY_GENERATED = "query_is_generated"
    QUERY_POINTER = "query_points_elsewhere"
    QUERY_CODE = "query_is_code"
    QUERY_REPEATS = "query_repeats_itself"
    QUERY_SYMBOLS = "query_has_few_letters"
    QUERY_FOREIGN = "query_not_english"
    QUERY_NAME = "query_says_only_the_name"
    CODE_SHORT = "code_too_short"
    CODE_LONG = "code_too_long"
    CODE_STUB = "code_is_a_stub"
    CODE_DELEGATION = "code_only_delegates"


class Rules(Settings):
    """Thresholds and switches of one language."""

    min_query_words: _Count = Field(default=2, description="fewest words of a query")
    max_query_words: _Count = Field(default=40, description="most words of a query")
    min_code_chars: _Count = Field(default=60, description="fewest characters of code")
    max_code_chars: _Count = Field(default=8000, description="most characters of code")
    min_letters: _Share = Field(
        default=0.6,
        description="smallest share of letters in a query; each letter excuses one sign or digit",
    )
    max_repetition: _Share = Field(
        default=0.5, description="largest share of a query, from 4 words on, that is one word"
    )
    drop_todos: bool = Field(default=True, description="drop queries that say what is to be done")
    drop_deprecations: bool = Field(
        default=True, description="drop queries that only say that something is deprecated"
    )
    drop_legal: bool = Field(default=True, description="drop notices of copyright and licence")
    drop_generated: bool = Field(default=True, description="drop what tools write as a doc")
    drop_pointers: bool = Field(
        default=True, description="drop queries that only say where else to read"
    )
    drop_code: bool = Field(default=True, description="drop queries that are code or a field list")
    drop_foreign: bool = Field(default=True, description="drop queries that are not English")
    drop_names: bool = Field(
        default=True,
        description="drop queries that say no more than the symbol does, but for path pairs",
    )
    drop_stubs: bool = Field(
        default=True, description="drop code that does nothing yet: `todo!()`, `pass`, `sorry`"
    )
    delegations: Literal["keep", "namesakes", "all"] = Field(
        default="namesakes",
        description="drop functions that only forward: to one of the same name, or to any",
    )


class Quality(Settings):
    """`config/quality.yaml`: the rules, and where a language's differ."""

    default: Rules = Rules()
    languages: dict[str, Rules] = Field(
        default={}, description="by language, only the rules that differ from `default`"
    )

    @model_validator(mode="after")
    def _known(self) -> Self:
        for name in self.languages:
            if name not in LANGUAGES:
                raise ValueError(f"unknown language `{name}`; {hint(name, LANGUAGES)}")
        return self

    @cached_property
    def _merged(self) -> dict[str, Rules]:
        return {
            name: self.default.model_copy(
                update={key: getattr(own, key) for key in own.model_fields_set}
            )
            for name, own in self.languages.items()
        }

    def of(self, language: str) -> Rules:
        """The rules of `language`."""
        return self._merged.get(language, self.default)


def load_quality(path: Path) -> Quality:
    """Read the rules from `path`."""
    return load(path, Quality)


# --- Queries --------------------------------------------------------------------------------------

_NOTICES = {
    "todo": (Fault.QUERY_TODO, "drop_todos"),
    "deprecation": (Fault.QUERY_DEPRECATION, "drop_deprecations"),
    "legal": (Fault.QUERY_LEGAL, "drop_legal"),
    "generated": (Fault.QUERY_GENERATED, "drop_generated"),
}
_OF_A_DOC = frozenset({"doc", "keywords", "prose"})
"""Kinds of queries that a doc's own words make. Messages and remarks may well be the symbol's words."""
_FORMULAS = frozenset({"property", "specification"})
"""Kinds of queries that may be formulas: people paste those. A `symptom` is a message, whatever it says."""


def query_fault(
    query: str, *, symbol: str, language: str, query_kind: str, rules: Rules, pair_type: str = "doc"
) -> Fault | None:
    """What is wrong with `query` as something that a person types who wants `symbol`, if anything."""
    words = len(query.split())
    if words < rules.min_query_words:
        return Fault.QUERY_SHORT
    if words > rules.max_query_words:
        return Fault.QUERY_LONG
    if pair_type == "path":
        # Made of names: it need be no sentence, and says the name because that is all there is.
        return None
    return (
        (None if query_kind == "symptom" else _notice(query, rules))
        or (None if query_kind in _FORMULAS else _form(query, language, rules))
        or (Fault.QUERY_FOREIGN if rules.drop_foreign and is_foreign(query) else None)
        or (_name(query, symbol, rules) if query_kind in _OF_A_DOC else None)
    )


def doc_is_usable(first_sentence: str, symbol: str, language: str, rules: Rules) -> bool:
    """Whether a doc that begins so is worth a query; a unit without such a doc gets a path pair."""
    query = first_sentence.rstrip(". ")
    fault = query_fault(query, symbol=symbol, language=language, query_kind="doc", rules=rules)
    return fault in (None, Fault.QUERY_LONG)


def _notice(query: str, rules: Rules) -> Fault | None:
    kind = notice(query)
    if kind is None:
        return None
    fault, switch = _NOTICES[kind]
    return fault if getattr(rules, switch) else None


def _name(query: str, symbol: str, rules: Rules) -> Fault | None:
    return Fault.QUERY_NAME if rules.drop_names and only_names(query, symbol) else None


def _form(query: str, language: str, rules: Rules) -> Fault | None:
    """Whether `query` is something else than words that are about the code."""
    if rules.drop_pointers and points_elsewhere(query):
        return Fault.QUERY_POINTER
    if rules.drop_code and is_code(query, language):
        return Fault.QUERY_CODE
    if repeats(query, rules.max_repetition):
        return Fault.QUERY_REPEATS
    return None if has_letters(query, rules.min_letters) else Fault.QUERY_SYMBOLS


# --- Code -----------------------------------------------------------------------------------------

_TYPES = frozenset(
    """
    annotation class concept enum inductive interface module namespace record struct structure trait
    type typedef union
    """.split()
)
"""Kinds of units that have no body of their own to be a stub."""


def code_fault(
    code: str, *, language: str, rules: Rules, kind: str = "", dialect: str | None = None
) -> Fault | None:
    """What is wrong with `code` as an answer, if anything.

    Code of a verifier (`dialect`) may have an empty body: what it says stands in its contracts.
    """
    if len(code) < rules.min_code_chars:
        return Fault.CODE_SHORT
    if len(code) > rules.max_code_chars:
        return Fault.CODE_LONG
    if dialect is not None or kind in _TYPES:
        return None
    found = lack(code, language)
    if found == "stub":
        return Fault.CODE_STUB if rules.drop_stubs else None
    unwanted = {"keep": (), "namesakes": ("namesake",), "all": ("namesake", "other")}
    return Fault.CODE_DELEGATION if found in unwanted[rules.delegations] else None


# --- Pairs ----------------------------------------------------------------------------------------


def judge(pairs: pl.DataFrame, quality: Quality) -> pl.Series:
    """The fault of each row of `schema.PAIRS`, the query's before the code's, or null.

    Each query and each piece of code is judged once, however often it comes.
    """

    def of_query(query: str, symbol: str, language: str, kind: str, pair_type: str) -> Fault | None:
        return query_fault(
            query,
            symbol=symbol,
            language=language,
            query_kind=kind,
            pair_type=pair_type,
            rules=quality.of(language),
        )

    def of_code(code: str, language: str, dialect: str | None) -> Fault | None:
        return code_fault(code, language=language, dialect=dialect, rules=quality.of(language))

    asked = _each(pairs, ["query", "symbol", "language", "query_kind", "pair_type"], of_query)
    held = _each(pairs, ["positive", "language", "dialect"], of_code)
    return pl.select(fault=pl.coalesce(asked, held))["fault"]


def _each(
    pairs: pl.DataFrame, columns: list[str], judged: Callable[..., Fault | None]
) -> pl.Series:
    """What `judged` says of the values in `columns` of each row; it is asked once for equal ones."""
    found: dict[tuple[str, ...], Fault | None] = {}
    faults: list[Fault | None] = []
    for values in pairs.select(columns).iter_rows():
        if values not in found:
            found[values] = judged(*values)
        faults.append(found[values])
    return pl.Series(faults, dtype=pl.String)

"""The plan's figures: what is counted as what, and where the bounds lie."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from corpus.targets import PLAN, Target, measure
from tests.corpus.frames import pairs


def measured(*rows: dict[str, Any]) -> dict[str, float]:
    """The figures of a corpus of `rows`, which are of the train split unless they say otherwise."""
    splits = [row.get("split", "train") for row in rows]
    frame = pairs(*({k: v for k, v in row.items() if k != "split"} for row in rows))
    corpus = frame.with_columns(split=pl.Series(splits, dtype=pl.String))
    return {target.name: target.measured for target in measure(corpus.lazy())}


def test_each_figure_counts_its_own_pairs() -> None:
    figures = measured(
        {"language": "rust", "query": "q" * 10, "positive": "c" * 100},
        {"language": "rust", "dialect": "kani", "query": "q" * 20, "positive": "c" * 100},
        {"language": "lean", "query": "q" * 30, "positive": "c" * 100},
        {"language": "java", "source": "tlaplus-java", "query": "é" * 60, "positive": "c" * 100},
        {"language": "java", "source": "other", "query": "q" * 30, "positive": "c" * 200},
        {"language": "tlaplus", "source": "tlaplus-specs", "query": "q" * 30, "positive": ""},
    )
    assert figures == {
        "pairs": 6,
        "Rust": 2,
        "formal": 3,
        "TLA+ tooling": 1,
        "verification": 1,
        "languages": 4,
        "mean query": 30.0,
        "mean code": 100.0,
    }


def test_an_unknown_dialect_is_no_verification() -> None:
    figures = measured({"dialect": "jml"}, {"dialect": "creusot"}, {"dialect": None})
    assert (figures["verification"], figures["formal"]) == (1, 1)


def test_only_the_train_split_is_measured() -> None:
    held_out = {"language": "lean", "query": "q" * 500}
    figures = measured(
        {"query": "q" * 40}, held_out | {"split": "valid"}, held_out | {"split": "test"}
    )
    assert (figures["pairs"], figures["formal"], figures["mean query"]) == (1, 0, 40.0)


def test_an_empty_corpus_measures_nothing_and_meets_nothing() -> None:
    assert measured() == dict.fromkeys(PLAN, 0)
    empty = measure(pairs().with_columns(split=pl.lit("train")).lazy())
    assert not any(target.passed for target in empty)


def test_the_bounds_are_the_plans() -> None:
    assert {name: (bounds.low, bounds.high) for name, bounds in PLAN.items()} == {
        "pairs": (100_000, 200_000),
        "Rust": (50_000, None),
        "formal": (5_000, None),
        "TLA+ tooling": (1_000, None),
        "verification": (2_000, None),
        "languages": (4, None),
        "mean query": (20, 100),
        "mean code": (100, 2_000),
    }


@pytest.mark.parametrize(
    ("value", "high", "passed"),
    [(3, 9, False), (4, 9, True), (9, 9, True), (9.5, 9, False), (1_000, None, True)],
)
def test_bounds_are_inclusive_and_may_be_open_above(
    value: float, high: float | None, passed: bool
) -> None:
    assert Target("x", value, 4, high, "pairs").passed is passed

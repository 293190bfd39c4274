from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from evaluation.compare import EvalSet, Run
from evaluation.metrics import NAMES, corrected, estimate, paired_difference
from evaluation.tables import differences, per_query_rows, slices, summary

ASKED = EvalSet(
    name="test",
    form="code",
    query_ids=["a", "b", "c"],
    queries=["qa", "qb", "qc"],
    styles=["what", "what", "symptom"],
    dialects=[None, "kani", "kani"],
    documents=[],
    answers=[],
    fields=[],
)


def _runs() -> list[Run]:
    good = [np.array([1]), np.array([1]), np.array([2, 3])]
    bad = [np.array([4]), np.array([1]), np.array([12, 20])]
    return [
        Run("test", "tuned", "hybrid", 0.65, good),
        Run("test", "base", "semantic", None, bad),
    ]


def test_summary_has_a_row_for_each_run_and_metric() -> None:
    rows = summary(_runs())
    assert [(row["system"], row["metric"]) for row in rows] == [
        (system, metric) for system in ("tuned", "base") for metric in NAMES
    ]
    found = estimate(np.array([1.0, 1.0, 0.5]))
    assert rows[1] == {
        "eval_set": "test",
        "system": "tuned",
        "mode": "hybrid",
        "alpha": 0.65,
        "metric": "MRR",
        "mean": pytest.approx(2.5 / 3),
        "low": found.low,
        "high": found.high,
        "queries": 3,
    }
    assert rows[len(NAMES)]["alpha"] is None


def test_differences_are_paired_by_query() -> None:
    rows = differences(_runs(), [(("tuned", "hybrid"), ("base", "semantic"))])
    assert [row["metric"] for row in rows] == list(NAMES)
    found = paired_difference(np.array([1, 1, 1 / 2]), np.array([1 / 4, 1, 1 / 12]))
    assert rows[1] == {
        "eval_set": "test",
        "system": "tuned hybrid",
        "against": "base semantic",
        "metric": "MRR",
        "difference": pytest.approx((3 / 4 + 5 / 12) / 3),
        "low": found.low,
        "high": found.high,
        "p": pytest.approx(0.5),  # two of three queries differ: one in two draws of signs
        "q": 1.0,  # other metrics differ in one query or none, and correct this one up
    }


def test_differences_are_corrected_for_all_that_were_compared() -> None:
    generator = np.random.default_rng(2)
    better = [np.array([1]) for _ in range(30)]
    worse = [np.array([int(rank)]) for rank in generator.integers(1, 9, 30)]
    runs = [
        Run("test", name, "semantic", None, found)
        for name, found in (("a", better), ("b", worse), ("c", worse))
    ]
    pairs: list[Any] = [
        (("a", "semantic"), ("b", "semantic")),
        (("b", "semantic"), ("c", "semantic")),
    ]
    rows = differences(runs, pairs)
    assert [row["p"] for row in rows[len(NAMES) :]] == [1.0] * len(NAMES)
    first = [row for row in rows[: len(NAMES)] if not row["metric"].startswith("recall")]
    assert all(row["p"] < 0.01 for row in first)
    assert [row["q"] for row in rows] == corrected([row["p"] for row in rows])
    assert all(row["q"] >= row["p"] for row in rows)


def test_differences_are_of_the_sets_that_have_both() -> None:
    pairs: list[Any] = [(("tuned", "hybrid"), ("base", "semantic"))]
    other = [Run("formal", "tuned", "hybrid", 0.5, [np.array([1])])]
    assert {row["eval_set"] for row in differences(_runs() + other, pairs)} == {"test"}
    assert differences(other, pairs) == []


def test_per_query_rows_hold_the_rank_of_the_best_answer() -> None:
    rows = per_query_rows(_runs(), [ASKED])
    assert [(row["system"], row["query_id"], row["rank"]) for row in rows] == [
        *(("tuned", "a", 1), ("tuned", "b", 1), ("tuned", "c", 2)),
        *(("base", "a", 4), ("base", "b", 1), ("base", "c", 12)),
    ]
    assert rows[5] == {
        "eval_set": "test",
        "system": "base",
        "mode": "semantic",
        "query_id": "c",
        "query": "qc",
        "style": "symptom",
        "dialect": "kani",
        "rank": 12,
        "top": None,
        "gold": None,
    }


def test_per_query_rows_name_what_came_first_where_the_units_are_known() -> None:
    asked = replace(
        ASKED, queries=["qa", "qb"], query_ids=["a", "b"], styles=["what"] * 2, dialects=[None] * 2
    )
    found = [np.array([2]), np.array([1])]
    run = Run("test", "tuned", "semantic", None, found, np.array([[3, 1], [0, 0]]))
    unknown = [(row["top"], row["gold"]) for row in per_query_rows([run], [asked])]
    assert unknown == [(None, None)] * 2
    asked = replace(asked, unit_ids=["u0", "u1", "u2", "u3"])
    rows = per_query_rows([run], [asked])
    assert [(row["top"], row["gold"]) for row in rows] == [("u3", "u1"), ("u0", "u0")]


# Slices


CUT = EvalSet(
    name="test",
    form="code",
    query_ids=["a", "b", "c", "d"],
    queries=["qa", "qb", "qc", "qd"],
    styles=["what", "symptom", "what", "what"],
    dialects=[None, "kani", "kani", "verus"],
    documents=[],
    answers=[],
    fields=[],
)
RANKS = [np.array([1]), np.array([4]), np.array([2, 3]), np.array([12])]
RUN = Run("test", "tuned", "semantic", None, RANKS)


def _of(rows: list[dict[str, Any]], metric: str) -> dict[tuple[str, str], tuple[float, int]]:
    return {
        (row["slice"], row["value"]): (row["mean"], row["queries"])
        for row in rows
        if row["metric"] == metric
    }


def test_a_set_is_cut_by_dialect_and_by_style() -> None:
    found = _of(slices([RUN], [CUT]), "MRR")
    assert found == {
        ("dialect", "kani"): (pytest.approx(3 / 8), 2),
        ("dialect", "none"): (1.0, 1),
        ("dialect", "verus"): (pytest.approx(1 / 12), 1),
        ("style", "symptom"): (0.25, 1),
        ("style", "what"): (pytest.approx((1 + 1 / 2 + 1 / 12) / 3), 3),
    }


def test_every_metric_has_a_row_with_its_interval() -> None:
    rows = [row for row in slices([RUN], [CUT]) if row["value"] == "what"]
    assert [row["metric"] for row in rows] == list(NAMES)
    interval = estimate(np.array([1, 1 / 2, 1 / 12]))
    assert rows[1] == {
        "eval_set": "test",
        "slice": "style",
        "value": "what",
        "system": "tuned",
        "mode": "semantic",
        "metric": "MRR",
        "mean": interval.mean,
        "low": interval.low,
        "high": interval.high,
        "queries": 3,
    }


def test_slices_of_several_answers_count_all_of_them() -> None:
    # Not to be had from the rank of the best answer alone.
    assert _of(slices([RUN], [CUT]), "recall@5")["dialect", "kani"] == (1.0, 2)
    late = Run("test", "base", "semantic", None, [*RANKS[:2], np.array([2, 30]), RANKS[3]])
    assert _of(slices([late], [CUT]), "recall@5")["dialect", "kani"] == (0.75, 2)

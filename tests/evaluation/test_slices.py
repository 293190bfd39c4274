from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evaluation.compare import EvalSet, Run
from evaluation.metrics import NAMES, estimate
from evaluation.slices import slices

ASKED = EvalSet(
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
    found = _of(slices([RUN], [ASKED]), "MRR")
    assert found == {
        ("dialect", "kani"): (pytest.approx(3 / 8), 2),
        ("dialect", "none"): (1.0, 1),
        ("dialect", "verus"): (pytest.approx(1 / 12), 1),
        ("style", "symptom"): (0.25, 1),
        ("style", "what"): (pytest.approx((1 + 1 / 2 + 1 / 12) / 3), 3),
    }


def test_every_metric_has_a_row_with_its_interval() -> None:
    rows = [row for row in slices([RUN], [ASKED]) if row["value"] == "what"]
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
    assert _of(slices([RUN], [ASKED]), "recall@5")["dialect", "kani"] == (1.0, 2)
    late = Run("test", "base", "semantic", None, [*RANKS[:2], np.array([2, 30]), RANKS[3]])
    assert _of(slices([late], [ASKED]), "recall@5")["dialect", "kani"] == (0.75, 2)

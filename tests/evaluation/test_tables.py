from __future__ import annotations

from typing import Any

import pytest

from evaluation.settings import Expected, Target
from evaluation.tables import (
    comparable,
    expected,
    headline,
    named,
    results,
    slices,
    targets,
    verdict,
)


def _metric(
    system: str, mode: str, mean: float, metric: str = "MRR", **changes: Any
) -> dict[str, Any]:
    row = {"eval_set": "judged_test", "system": system, "mode": mode, "metric": metric}
    return {**row, "mean": mean, "low": mean - 0.1, "high": mean + 0.1, "queries": 10} | changes


def _both(system: str, mode: str, p1: float, mrr: float, **changes: Any) -> list[dict[str, Any]]:
    return [
        _metric(system, mode, p1, "P@1", **changes),
        _metric(system, mode, mrr, "MRR", **changes),
    ]


def _rank(query: str, system: str, rank: int, **changes: Any) -> dict[str, Any]:
    mode = "lexical" if system == "bm25" else "semantic"
    row = {"eval_set": "judged_test", "system": system, "mode": mode, "query_id": query}
    return {**row, "style": "what", "rank": rank} | changes


def _stage(name: str, pairs: int) -> dict[str, Any]:
    return {"stage": name, "sources": [{"pairs": pairs}], "retention": None}


MANIFEST: dict[str, Any] = {
    **_stage("formal", 4),
    "lineage": [_stage("rust", 2), _stage("general", 1)],
}


def test_a_set_that_nobody_named_keeps_its_own_name() -> None:
    assert (named("judged_test"), named("other_test")) == ("Judged: Rust", "other_test")


# Headline


def test_the_headline_leaves_out_what_was_not_measured() -> None:
    metrics = [_metric("tuned", "semantic", 0.5), _metric("tuned", "semantic", 0.4, "P@1")]
    assert headline(metrics, []) == [
        {
            "name": "Judged: Rust",
            "queries": 10,
            "bm25": None,
            "base": None,
            "tuned": 0.5,
            "hybrid": None,
            "difference": None,
        }
    ]


@pytest.mark.parametrize(
    ("low", "high", "q", "said"),
    [
        (0.01, 0.2, 0.05, "better"),
        (0.01, 0.2, 0.051, "no difference shown"),
        (0.0, 0.2, 0.01, "no difference shown"),
        (-0.2, 0.0, 0.01, "no difference shown"),
        (-0.2, -0.01, 0.01, "worse"),
    ],
)
def test_a_difference_is_one_where_interval_and_corrected_test_agree(
    low: float, high: float, q: float, said: str
) -> None:
    assert verdict({"low": low, "high": high, "q": q}) == said


def test_what_was_not_compared_has_no_verdict() -> None:
    assert verdict(None) == "not compared"


# Results


def test_results_are_bm25_base_stages_and_tuned_in_this_order() -> None:
    metrics = [
        *_both("bm25", "lexical", 0.1, 0.2),
        *_both("tuned", "semantic", 0.5, 0.6),
        *_both("tuned", "rrf", 0.9, 0.9),
        *_both("base", "semantic", 0.3, 0.4),
        *_both("unixcoder", "semantic", 0.2, 0.3),
    ]
    ranks = [_rank("a", "tuned", 1), _rank("b", "tuned", 4)]
    found = results(metrics, MANIFEST, {"rust": ranks})
    assert [(row["model"], row["pairs"], row["mode"], row["cells"]) for row in found] == [
        ("unixcoder", None, "semantic", [{"P@1": 0.2, "MRR": 0.3}]),
        ("bm25", 0, "lexical", [{"P@1": 0.1, "MRR": 0.2}]),
        ("base", 0, "semantic", [{"P@1": 0.3, "MRR": 0.4}]),
        ("stage_rust", 3, "semantic", [{"P@1": 0.5, "MRR": 0.625}]),
        ("tuned", 7, "semantic", [{"P@1": 0.5, "MRR": 0.6}]),
    ]


def test_a_stage_that_was_asked_now_is_shown_as_of_now() -> None:
    metrics = [
        *_both("base", "semantic", 0.3, 0.4),
        *_both("stage_rust", "semantic", 0.1, 0.2),
        *_both("tuned", "semantic", 0.5, 0.6),
    ]
    _, stage, _ = results(metrics, MANIFEST, {"rust": [_rank("a", "tuned", 1)]})
    assert (stage["model"], stage["pairs"], stage["cells"]) == (
        *("stage_rust", 3),
        [{"P@1": 0.1, "MRR": 0.2}],
    )


def test_a_set_that_a_model_was_not_asked_has_an_empty_cell() -> None:
    metrics = [
        *_both("base", "semantic", 0.3, 0.4),
        *_both("tuned", "semantic", 0.5, 0.6),
        *_both("tuned", "semantic", 0.7, 0.8, eval_set="doc_test"),
    ]
    base, tuned = results(metrics, MANIFEST, {})
    assert base["cells"] == [{"P@1": 0.3, "MRR": 0.4}, None]
    assert tuned["cells"] == [{"P@1": 0.5, "MRR": 0.6}, {"P@1": 0.7, "MRR": 0.8}]


def test_an_earlier_evaluation_counts_for_the_sets_that_are_the_same() -> None:
    now = [
        _rank("a", "bm25", 3),
        _rank("b", "bm25", 5, eval_set="doc_test"),
        _rank("a", "tuned", 9),
    ]
    then = [
        *(_rank("a", "bm25", 3), _rank("a", "tuned", 2), _rank("a", "base", 4)),
        *(_rank("b", "bm25", 6, eval_set="doc_test"), _rank("b", "tuned", 1, eval_set="doc_test")),
    ]
    assert comparable(now, then) == [then[1]]
    assert comparable(now, [*then, _rank("c", "bm25", 1)]) == []  # it was asked more
    assert comparable([], then) == []


# Expected results

RUST = Expected(name="Rust", domain="rust", eval_set="judged_test", phases=[0.75, 0.85, 0.92, 0.9])


def _expected(manifest: dict[str, Any], tuned: float, sets: list[str]) -> dict[str, Any]:
    metrics = [
        *_both("base", "semantic", 0.3, 0.4),
        *_both("tuned", "semantic", 0.1, tuned),
        *_both("tuned", "hybrid", 0.1, 0.99),
    ]
    rows = results(metrics, manifest, {})
    [found] = expected([RUST], rows, {"sets": sets, "manifest": manifest})
    return found


@pytest.mark.parametrize(
    ("tuned", "state"), [(0.9, "met"), (0.899, "missed by 0.001"), (0.5, "missed by 0.400")]
)
def test_the_end_is_held_against_the_plan(tuned: float, state: str) -> None:
    found = _expected(MANIFEST, tuned, ["judged_test"])
    assert found["plan"] == [0.75, 0.85, 0.92, 0.9]
    assert found["rows"] == [{"name": "judged test queries", "cells": [0.4, None, None, tuned]}]
    assert found["state"] == state


def test_a_model_whose_last_stage_is_rust_says_nothing_of_the_third_phase() -> None:
    found = _expected({**_stage("rust", 2), "lineage": []}, 0.95, ["judged_test"])
    assert found["rows"][0]["cells"] == [0.4, None, 0.95, None]
    assert found["state"] == "not measured"


def test_queries_that_nobody_asked_are_not_measured() -> None:
    found = _expected(MANIFEST, 0.95, ["doc_test"])
    assert found["rows"][0]["cells"] == [None] * 4
    assert found["state"] == "not measured"


def test_phases_between_are_shown_by_validation_queries() -> None:
    def kept(values: dict[str, list[float]]) -> dict[str, Any]:
        rows = [
            {"scale": float(scale), "domain": "rust", "kind": kind, "MRR": value}
            for kind, both in values.items()
            for scale, value in enumerate(both)
        ]
        return {"scale": 1.0, "rows": rows}

    manifest = {
        **_stage("rust", 2),
        "retention": kept({"typed": [0.5, 0.6], "doc": [0.3, 0.2], "judged": [0.25, 0.75]}),
        "lineage": [
            {
                **_stage("general", 1),
                "retention": kept({"typed": [0.4, 0.5], "doc": [0.2, 0.3], "judged": [0.1, 0.25]}),
            }
        ],
    }
    judged, others = _expected(manifest, 0.5, ["judged_test"])["rows"][1:]
    assert judged == {"name": "judged validation queries", "cells": [0.1, 0.25, 0.75, None]}
    assert others["name"] == "validation pairs"
    assert others["cells"][:3] == pytest.approx([0.3, 0.4, 0.4])
    assert others["cells"][3] is None


# Targets


def test_a_target_over_several_sets_counts_every_query_once() -> None:
    metrics = [
        _metric("tuned", "hybrid", 0.5, "P@1", queries=30),
        _metric("tuned", "hybrid", 0.9, "P@1", queries=10, eval_set="judged_formal_test"),
        _metric("tuned", "semantic", 0.1, "P@1"),
        _metric("base", "hybrid", 0.1, "P@1"),
        _metric("tuned", "hybrid", 0.1, "MRR"),
    ]
    sets = ["judged_test", "judged_formal_test", "judged_personal_test"]
    figures = [Target(name="Hybrid", eval_sets=sets, metric="P@1", at_least=0.6)]
    assert targets(figures, metrics) == [
        {
            "name": "Hybrid",
            "mode": "hybrid",
            "target": 0.6,
            "measured": pytest.approx(0.6),
            "interval": None,
            "state": "met",
            "sets": ["Judged: Rust", "Judged: formal"],
            "queries": 40,
        }
    ]


def test_a_target_over_one_set_has_its_interval() -> None:
    figures = [Target(name="Rust", eval_sets=["judged_test"], metric="P@1", at_least=0.6)]
    [row] = targets(figures, [_metric("tuned", "hybrid", 0.5, "P@1")])
    assert (row["interval"], row["state"]) == ((0.4, 0.6), "missed by 0.100")


def test_a_target_of_which_nothing_was_measured_is_neither_met_nor_missed() -> None:
    figures = [Target(name="Mine", eval_sets=["judged_personal_test"], metric="P@1", at_least=0)]
    [row] = targets(figures, [_metric("tuned", "hybrid", 0.5, "P@1")])
    assert (row["measured"], row["state"], row["sets"]) == (None, "not measured", [])


# Slices


def test_a_slice_compares_the_queries_that_both_were_asked() -> None:
    ranks = [
        *(_rank("a", "base", 4), _rank("a", "tuned", 1)),
        *(_rank("b", "base", 2), _rank("b", "tuned", 2)),
        *(_rank("c", "tuned", 1), _rank("d", "bm25", 1)),
        _rank("a", "tuned", 9, mode="hybrid"),
        *(_rank("e", "base", 1, style="symptom"), _rank("e", "tuned", 1, style="symptom")),
    ]
    what, symptom = slices(ranks, "style")
    assert (what["name"], what["value"], what["queries"]) == ("Judged: Rust", "what", 2)
    assert what["base"] == {"P@1": 0.0, "MRR": 0.375}
    assert what["tuned"] == {"P@1": 0.5, "MRR": 0.75}
    assert what["difference"]["difference"] == 0.375
    assert (symptom["value"], symptom["queries"]) == ("symptom", 1)


def test_queries_without_a_dialect_are_in_no_slice_of_it() -> None:
    assert slices([_rank("a", "base", 4), _rank("a", "tuned", 1)], "dialect") == []
    ranks = [_rank("a", system, 2, dialect="kani") for system in ("base", "tuned")]
    ranks += [_rank("b", system, 2, dialect=None) for system in ("base", "tuned")]
    assert [(row["value"], row["queries"]) for row in slices(ranks, "dialect")] == [("kani", 1)]

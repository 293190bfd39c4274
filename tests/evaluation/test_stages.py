from __future__ import annotations

from typing import Any

from evaluation.stages import heat_map, retention_matrix, stages_of, trained_pairs


def _stage(name: str, pairs: int, scale: float, mrr: dict[float, float]) -> dict[str, Any]:
    rows = [
        {"scale": each, "domain": "rust", "kind": "typed", "MRR": value}
        for each, value in mrr.items()
    ]
    return {
        "stage": name,
        "sources": [{"pairs": pairs}, {"pairs": 1}],
        "retention": {"scale": scale, "rows": rows},
    }


MANIFEST = {
    **_stage("formal", 30, 1.0, {0.0: 0.47, 1.0: 0.2}),
    "lineage": [
        _stage("rust", 20, 0.5, {0.0: 0.45, 0.5: 0.47, 1.0: 0.2}),
        _stage("general", 10, 0.5, {0.0: 0.4, 0.5: 0.45}),
    ],
}


def test_stages_are_in_the_order_of_training() -> None:
    assert [stage["stage"] for stage in stages_of(MANIFEST)] == ["general", "rust", "formal"]


def test_the_pairs_of_earlier_stages_count() -> None:
    assert trained_pairs(MANIFEST) == {"general": 11, "rust": 32, "formal": 63}


def test_the_matrix_has_the_base_and_each_stage_at_its_chosen_scale() -> None:
    assert retention_matrix(MANIFEST) == {
        "columns": ["base", "general", "rust", "formal"],
        "rows": [{"domain": "rust", "kind": "typed", "cells": [0.4, 0.45, 0.47, 0.2]}],
    }


def test_a_colour_is_as_deep_as_the_change_against_the_base_and_no_deeper_than_full() -> None:
    found = heat_map(MANIFEST)
    assert found is not None
    [row] = found["rows"]
    assert [cell["depth"] for cell in row["cells"]] == [0.0, 0.5, 0.7, -1.0]
    assert [cell["value"] for cell in row["cells"]] == [0.4, 0.45, 0.47, 0.2]


def test_a_set_that_a_stage_was_first_asked_has_no_change() -> None:
    later = MANIFEST["retention"]["rows"][1]
    rows = [*MANIFEST["retention"]["rows"], {**later, "kind": "judged"}]
    found = heat_map({**MANIFEST, "retention": {"scale": 1.0, "rows": rows}})
    assert found is not None
    assert found["rows"][1]["cells"] == [
        *[{"value": None, "change": None, "depth": 0.0}] * 3,
        {"value": 0.2, "change": None, "depth": 0.0},
    ]


def test_a_model_that_was_never_watched_has_no_matrix() -> None:
    manifest = {**MANIFEST, "retention": None, "lineage": []}
    assert retention_matrix(manifest) is None
    assert heat_map(manifest) is None

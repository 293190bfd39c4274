"""The report's tables as rows: the headline, results, expected results, targets, slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evaluation.metrics import paired_difference, per_query
from evaluation.settings import Expected, Target
from evaluation.stages import retention_matrix, trained_pairs

Row = dict[str, Any]

NAMES = {
    "doc_test": "Documentation",
    "judged_test": "Judged: Rust",
    "judged_formal_test": "Judged: formal",
    "judged_general_test": "Judged: other languages",
    "judged_personal_test": "Judged: your code",
}
"""What the query sets are called in a table's head."""

MODES = ("lexical", "semantic", "hybrid")
"""What search does; the other modes stand in the full tables only."""

_SIGNIFICANT = 0.05

_PHASES = {"general": 1, "rust": 2, "formal": 3, "personal": 3}
"""The phase of the plan that a stage belongs to; phase 0 is the untouched model."""


def named(eval_set: str) -> str:
    """The short name of a query set."""
    return NAMES.get(eval_set, eval_set)


def asked(metrics: Sequence[Row]) -> list[str]:
    """The query sets that were asked, in order."""
    return list(dict.fromkeys(row["eval_set"] for row in metrics))


def headline(metrics: Sequence[Row], differences: Sequence[Row]) -> list[Row]:
    """MRR of each set: `bm25`, `base`, `tuned`, `hybrid` (tuned), and the `difference` of tuned and base."""
    mean = {(r["eval_set"], r["system"], r["mode"]): r for r in metrics if r["metric"] == "MRR"}
    gains = {
        row["eval_set"]: row
        for row in differences
        if (row["system"], row["against"], row["metric"])
        == ("tuned semantic", "base semantic", "MRR")
    }

    def of(eval_set: str, system: str, mode: str) -> float | None:
        row = mean.get((eval_set, system, mode))
        return None if row is None else row["mean"]

    return [
        {
            "name": named(each),
            "queries": next(row["queries"] for row in metrics if row["eval_set"] == each),
            "bm25": of(each, "bm25", "lexical"),
            "base": of(each, "base", "semantic"),
            "tuned": of(each, "tuned", "semantic"),
            "hybrid": of(each, "tuned", "hybrid"),
            "difference": gains.get(each),
        }
        for each in asked(metrics)
    ]


def verdict(difference: Row | None) -> str:
    """What a difference says: it is one where its interval and the corrected test (5 %) both find it."""
    if difference is None:
        return "not compared"
    if difference["q"] > _SIGNIFICANT or difference["low"] <= 0 <= difference["high"]:
        return "no difference shown"
    return "better" if difference["low"] > 0 else "worse"


def comparable(now: Sequence[Row], then: Sequence[Row]) -> list[Row]:
    """The tuned model's ranks of an earlier evaluation, of the sets that were the same then.

    A set is the same where BM25, which never learns, ranks the answer of every query as it did.

    Args:
        now, then: rows of the lake's table of ranks.
    """
    found, before = _lexical(now), _lexical(then)
    same = {each for each in found if found[each] == before.get(each)}
    return [row for row in then if row["system"] == "tuned" and row["eval_set"] in same]


def _lexical(ranks: Sequence[Row]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for row in ranks:
        if row["system"] == "bm25":
            found.setdefault(row["eval_set"], {})[row["query_id"]] = row["rank"]
    return found


def results(
    metrics: Sequence[Row], manifest: Row, earlier: Mapping[str, Sequence[Row]]
) -> list[Row]:
    """The plan's table of results: `model`, `pairs`, `mode`, and P@1 and MRR (`cells`) on each set.

    `pairs` counts those that were trained on, null where nobody knows. A cell is null where the model was
    not asked.

    Args:
        earlier: the ranks of stages that were evaluated as models of their own, by stage. They are called
            `stage_NAME`, as where they are asked beside the model.
    """
    trained = trained_pairs(manifest)
    systems = list(dict.fromkeys(row["system"] for row in metrics))
    measured: dict[tuple[str, str, str], dict[str, float]] = {}
    for row in metrics:
        key = (row["system"], row["mode"], row["eval_set"])
        measured.setdefault(key, {})[row["metric"]] = row["mean"]
    for stage, rows in earlier.items():
        measured = _means(f"stage_{stage}", rows) | measured
    known = {"bm25": 0, "base": 0, **{f"stage_{stage}": pairs for stage, pairs in trained.items()}}
    known["tuned"] = trained[manifest["stage"]]
    others = [each for each in systems if each not in known]
    models = [(each, known.get(each)) for each in (*others, *known)]
    rows = [
        {
            "model": model,
            "pairs": pairs,
            "mode": mode,
            "cells": [measured.get((model, mode, each)) for each in asked(metrics)],
        }
        for model, pairs in models
        for mode in MODES
    ]
    return [row for row in rows if any(row["cells"])]


def _means(model: str, ranks: Sequence[Row]) -> dict[tuple[str, str, str], dict[str, float]]:
    groups: dict[tuple[str, str, str], list[np.ndarray]] = {}
    for row in ranks:
        key = (model, row["mode"], row["eval_set"])
        groups.setdefault(key, []).append(np.array([row["rank"]]))
    found = {}
    for key, own in groups.items():
        values = per_query(own)  # of the best answer alone, which says all of these two
        found[key] = {name: float(values[name].mean()) for name in ("P@1", "MRR")}
    return found


def expected(expectations: Sequence[Expected], results_: Sequence[Row], facts: Row) -> list[Row]:
    """The plan's table of expected results: a group of rows for each kind of code, a cell for each phase.

    Each group has the plan's row, the semantic MRR on judged test queries, and that on validation queries,
    as far as there are any. A cell is null where nothing was measured.

    Args:
        results_: from `results`.
        facts: `sets`, the query sets in the order of the cells of `results_`; `manifest`.
    """
    kept = retention_matrix(facts["manifest"])
    groups = []
    for each in expectations:
        test = _on_test(each, results_, facts)
        rows = [("judged test queries", test), *_on_validation(each.domain, kept)]
        groups.append(
            {
                "name": each.name,
                "plan": each.phases,
                "rows": [{"name": name, "cells": cells} for name, cells in rows],
                "state": _state(test[-1], each.phases[-1]),
            }
        )
    return groups


def _on_test(each: Expected, results_: Sequence[Row], facts: Row) -> list[float | None]:
    cells: list[float | None] = [None] * 4
    if each.eval_set not in facts["sets"]:
        return cells
    of = {
        "base": 0,
        "tuned": _PHASES[facts["manifest"]["stage"]],
        **{f"stage_{stage}": phase for stage, phase in _PHASES.items()},
    }
    for row in results_:
        found = row["cells"][facts["sets"].index(each.eval_set)]
        if row["mode"] == "semantic" and row["model"] in of and found:
            cells[of[row["model"]]] = found["MRR"]
    return cells


def _on_validation(domain: str, kept: Row | None) -> list[tuple[str, list[float | None]]]:
    """Judged validation queries, and the mean over the other kinds."""
    if kept is None:
        return []
    own = [row for row in kept["rows"] if row["domain"] == domain]
    judged = [row for row in own if row["kind"] == "judged"]
    others = [row for row in own if row["kind"] != "judged"]
    found = []
    for name, rows in (("judged validation queries", judged), ("validation pairs", others)):
        cells: list[float | None] = [None] * 4
        for column, stage in enumerate(kept["columns"]):
            values = [row["cells"][column] for row in rows]
            if values and None not in values:
                cells[_PHASES.get(stage, 0)] = sum(values) / len(values)
        if rows:
            found.append((name, cells))
    return found


def targets(figures: Sequence[Target], metrics: Sequence[Row]) -> list[Row]:
    """Each target with what was measured: `measured` (null: nothing was), `state`, `sets`, `queries`.

    Over several sets every query counts once, which is the mean of their means by their queries.
    """
    found = []
    for each in figures:
        rows = [
            row
            for row in metrics
            if (row["system"], row["mode"], row["metric"]) == ("tuned", each.mode, each.metric)
            and row["eval_set"] in each.eval_sets
        ]
        queries = sum(row["queries"] for row in rows)
        measured = sum(row["mean"] * row["queries"] for row in rows) / queries if rows else None
        found.append(
            {
                "name": each.name,
                "mode": each.mode,
                "target": each.at_least,
                "measured": measured,
                "interval": (rows[0]["low"], rows[0]["high"]) if len(rows) == 1 else None,
                "state": _state(measured, each.at_least),
                "sets": [named(row["eval_set"]) for row in rows],
                "queries": queries,
            }
        )
    return found


def _state(measured: float | None, target: float) -> str:
    if measured is None:
        return "not measured"
    return "met" if measured >= target else f"missed by {target - measured:.3f}"


def experts(metrics: Sequence[Row]) -> list[Row]:
    """MRR of the experts and of what they are compared with: `system`, `mode`, and a row of `metrics` a set.

    A cell is null where the system was not asked.
    """
    found = {
        (row["system"], row["mode"], row["eval_set"]): row
        for row in metrics
        if row["metric"] == "MRR" and row["mode"] in ("semantic", "hybrid")
    }
    systems = dict.fromkeys((row["system"], row["mode"]) for row in found.values())
    return [
        {
            "system": system,
            "mode": mode,
            "cells": [found.get((system, mode, each)) for each in asked(metrics)],
        }
        for system, mode in systems
        if system in (*_EXPERTS, "base", "tuned") or system.startswith("fixed:")
    ]


_EXPERTS = ("merged", "routed", "oracle")


def slices(ranks: Sequence[Row], by: str) -> list[Row]:
    """Base and tuned model, semantic, on the queries of each set that have the same value of `by`.

    Queries that have none are left out.

    Returns:
        `name` of the set, `value`, `queries`, `base` and `tuned` with P@1 and MRR, `difference` in MRR.
    """
    groups: dict[tuple[str, str], dict[str, dict[str, int]]] = {}
    for row in ranks:
        if row["mode"] == "semantic" and row["system"] in ("base", "tuned") and row.get(by):
            group = groups.setdefault((row["eval_set"], row[by]), {"base": {}, "tuned": {}})
            group[row["system"]][row["query_id"]] = row["rank"]
    found = []
    for (eval_set, value), group in groups.items():
        both = [each for each in group["base"] if each in group["tuned"]]
        if not both:
            continue
        values = {
            system: per_query([np.array([own[each]]) for each in both])
            for system, own in group.items()
        }
        change = paired_difference(values["tuned"]["MRR"], values["base"]["MRR"])
        found.append(
            {
                "name": named(eval_set),
                "value": value,
                "queries": len(both),
                **{
                    system: {name: float(own[name].mean()) for name in ("P@1", "MRR")}
                    for system, own in values.items()
                },
                "difference": {"difference": change.mean, "low": change.low, "high": change.high},
            }
        )
    return found


def full(metrics: Sequence[Row], eval_set: str) -> list[Row]:
    """One row for each system and mode of a set, its metrics by name in `values`."""
    rows: dict[tuple[str, str], Row] = {}
    for row in metrics:
        if row["eval_set"] == eval_set:
            key = (row["system"], row["mode"])
            wide = rows.setdefault(key, {**row, "values": {}})
            wide["values"][row["metric"]] = row
    return list(rows.values())

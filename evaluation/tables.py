"""What is written of a comparison: the rows of the tables `metrics`, `differences`, `slices` and `ranks`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evaluation.compare import EvalSet, Mode, Run
from evaluation.metrics import NAMES, corrected, estimate, paired_difference, paired_p

NONE = "none"
"""The value of queries that are about no dialect."""


def summary(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """One row for each run and metric: mean and 95 % bootstrap interval."""
    rows = []
    for run in runs:
        values = run.values
        for metric in NAMES:
            found = estimate(values[metric])
            rows.append(
                {
                    "eval_set": run.eval_set,
                    "system": run.system,
                    "mode": run.mode,
                    "alpha": run.alpha,
                    "metric": metric,
                    "mean": found.mean,
                    "low": found.low,
                    "high": found.high,
                    "queries": len(run.ranks),
                }
            )
    return rows


def differences(
    runs: Sequence[Run], pairs: Sequence[tuple[tuple[str, Mode], tuple[str, Mode]]]
) -> list[dict[str, Any]]:
    """For each metric and (better, worse) pair of systems, on each set that has both: the paired difference.

    `p` is its own randomization test, `q` that corrected for all rows that are returned.
    """
    by_key = {(run.eval_set, run.system, run.mode): run.values for run in runs}
    rows = []
    for eval_set in dict.fromkeys(run.eval_set for run in runs):
        for (system, mode), (other, other_mode) in pairs:
            ours = by_key.get((eval_set, system, mode))
            theirs = by_key.get((eval_set, other, other_mode))
            if ours is None or theirs is None:
                continue
            for metric in NAMES:
                found = paired_difference(ours[metric], theirs[metric])
                rows.append(
                    {
                        "eval_set": eval_set,
                        "system": f"{system} {mode}",
                        "against": f"{other} {other_mode}",
                        "metric": metric,
                        "difference": found.mean,
                        "low": found.low,
                        "high": found.high,
                        "p": paired_p(ours[metric], theirs[metric]),
                    }
                )
    rates = corrected([row["p"] for row in rows])
    return [{**row, "q": rate} for row, rate in zip(rows, rates, strict=True)]


def per_query_rows(runs: Sequence[Run], sets: Sequence[EvalSet]) -> list[dict[str, Any]]:
    """One row for each run and query: the rank of its best answer and what came first, for a closer look."""
    by_name = {each.name: each for each in sets}
    rows = []
    for run in runs:
        asked = by_name[run.eval_set]
        for query_id, query, style, dialect, own, units in zip(
            asked.query_ids,
            asked.queries,
            asked.styles,
            asked.dialects,
            run.ranks,
            _units(run, asked),
            strict=True,
        ):
            rows.append(
                {
                    "eval_set": run.eval_set,
                    "system": run.system,
                    "mode": run.mode,
                    "query_id": query_id,
                    "query": query,
                    "style": style,
                    "dialect": dialect,
                    "rank": int(own[0]),
                    **units,
                }
            )
    return rows


def _units(run: Run, asked: EvalSet) -> list[dict[str, str | None]]:
    """The units `top` and `gold` of each query; null where the run or the set does not know them."""
    if run.best is None or not asked.unit_ids:
        return [{"top": None, "gold": None}] * len(run.ranks)
    return [{"top": asked.unit_ids[top], "gold": asked.unit_ids[gold]} for top, gold in run.best]


def slices(runs: Sequence[Run], sets: Sequence[EvalSet]) -> list[dict[str, Any]]:
    """One row for each run, slice of its set, and metric: mean and 95 % bootstrap interval.

    Each set is cut twice, by dialect and by style; a slice may be the whole set.
    """
    by_name = {each.name: each for each in sets}
    rows = []
    for run in runs:
        asked = by_name[run.eval_set]
        values = run.values
        for name, labels in (("dialect", asked.dialects), ("style", asked.styles)):
            own = [label or NONE for label in labels]
            for value in sorted(set(own)):
                inside = [label == value for label in own]
                for metric in NAMES:
                    found = estimate(values[metric][inside])
                    rows.append(
                        {
                            "eval_set": run.eval_set,
                            "slice": name,
                            "value": value,
                            "system": run.system,
                            "mode": run.mode,
                            "metric": metric,
                            "mean": found.mean,
                            "low": found.low,
                            "high": found.high,
                            "queries": sum(inside),
                        }
                    )
    return rows

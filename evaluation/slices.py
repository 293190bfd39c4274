"""The metrics of parts of a set: its dialects, its styles of query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evaluation.compare import EvalSet, Run
from evaluation.metrics import NAMES, estimate

NONE = "none"
"""The value of queries that are about no dialect."""


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

"""The conditions under which a model replaces another, and what was measured of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Gate:
    """One condition of promotion."""

    name: str
    passed: bool
    detail: str


def promotion_gates(metrics: Sequence[Row], differences: Sequence[Row]) -> list[Gate]:
    """The conditions under which the tuned model replaces its base.

    Documentation queries alone mislead, so judged queries have a gate of their own.
    """
    mean = {(r["eval_set"], r["system"], r["mode"], r["metric"]): r["mean"] for r in metrics}
    gains = {(r["eval_set"], r["system"], r["against"], r["metric"]): r for r in differences}
    semantic = ("tuned semantic", "base semantic", "MRR")
    documentation = gains.get(("doc_test", *semantic))
    judged = gains.get(("judged_test", *semantic))
    hybrid = mean.get(("doc_test", "tuned", "hybrid", "MRR"))
    bm25 = mean.get(("doc_test", "bm25", "lexical", "MRR"))
    return [
        Gate(
            "documentation queries: tuned beats base beyond doubt",
            documentation is not None and documentation["low"] > 0,
            _gain(documentation),
        ),
        Gate(
            "documentation queries: hybrid beats BM25",
            hybrid is not None and bm25 is not None and hybrid > bm25,
            _UNASKED if hybrid is None else f"MRR {hybrid:.3f} against {bm25:.3f}",
        ),
        Gate(
            "judged queries: tuned is not below base",
            judged is not None and judged["difference"] >= 0,
            _gain(judged),
        ),
        *(
            Gate(
                f"judged {domain} queries: tuned is not worse than base beyond doubt",
                row["high"] >= 0,
                _gain(row),
            )
            for domain in ("formal", "general")
            if (row := gains.get((f"judged_{domain}_test", *semantic)))
        ),
    ]


_UNASKED = "not asked: the held-out sources have no such queries"


def _gain(row: Row | None) -> str:
    if row is None:
        return _UNASKED
    interval = f"{row['low']:+.3f} to {row['high']:+.3f}"
    return f"semantic MRR {row['difference']:+.3f}, 95 % interval {interval}"

"""Plots as PNG data addresses: of the report, and of what a run's metadata shows in the UI."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _png(figure: Any) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


_COLOURS = {
    "bm25 lexical": "#9aa0a6",
    "base semantic": "#a7c7e7",
    "base hybrid": "#5b8db8",
    "tuned semantic": "#f4b183",
    "tuned hybrid": "#d9631e",
}


def bars(metrics: Sequence[Row]) -> str:
    """P@1 and MRR of every system on every set, with their intervals."""
    sets = list(dict.fromkeys(row["eval_set"] for row in metrics))
    across = min(2, len(sets))
    down = -(-len(sets) // across)
    figure = _figure(9, 3.4 * down)
    axes = figure.subplots(down, across, sharey=True, squeeze=False).flatten()
    for axis in axes[len(sets) :]:
        axis.set_axis_off()
    axes = axes[: len(sets)]
    for axis, eval_set in zip(axes, sets, strict=True):
        for offset, (label, colour) in enumerate(_COLOURS.items()):
            for group, metric in enumerate(("P@1", "MRR")):
                for row in metrics:
                    name = f"{row['system']} {row['mode']}"
                    if (row["eval_set"], name, row["metric"]) == (eval_set, label, metric):
                        error = [[row["mean"] - row["low"]], [row["high"] - row["mean"]]]
                        axis.bar(
                            group + (offset - 2) * 0.16,
                            row["mean"],
                            0.15,
                            color=colour,
                            yerr=error,
                            ecolor="#444",
                            error_kw={"linewidth": 1},
                            label=label if group == 0 else None,
                        )
        axis.set_xticks([0, 1], ["P@1", "MRR"])
        axis.set_title(eval_set, fontsize=10)
        axis.set_ylim(0, 1)
        axis.grid(axis="y", alpha=0.3)
    axes[-1].legend(fontsize=7, loc="upper left")
    return _png(figure)


def losses(history: Sequence[Row]) -> str:
    """The losses of a run by step."""
    figure = _figure(9, 2.8)
    axis = figure.subplots()
    steps = [row["step"] for row in history]
    for name, colour in (("loss", "#d9631e"), ("contrastive", "#5b8db8"), ("drift", "#7a9e59")):
        values = [row[name] for row in history if name in row]
        if values:
            axis.plot(steps[: len(values)], values, color=colour, linewidth=1.2, label=name)
    axis.set_xlabel("step")
    axis.set_ylabel("loss")
    axis.legend(fontsize=8)
    axis.grid(alpha=0.3)
    return _png(figure)


def looks(found: Sequence[Row], metric: str = "MRR") -> str:
    """A metric of each validation set at every look (`training/looks.py`), and the mean of all."""
    figure = _figure(9, 3.2)
    axis = figure.subplots()
    steps = [row["step"] for row in found]
    names = [name for name in found[0] if name.partition("/")[0] == metric and name != metric]
    for name in names:
        axis.plot(
            steps, [row[name] for row in found], marker=".", label=name.removeprefix(f"{metric}/")
        )
    if metric in found[0]:
        axis.plot(steps, [row[metric] for row in found], color="#222", linewidth=2.2, label="mean")
    axis.set_xlabel("step")
    axis.set_ylabel(f"validation {metric}")
    axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    axis.grid(alpha=0.3)
    return _png(figure)


def pairs_by_source(pairs: Sequence[Row]) -> str:
    """Training pairs of each source and language, by type."""
    train = [row for row in pairs if row["split"] == "train"]
    names = sorted({(row["language"], row["source"]) for row in train})
    kinds = sorted({f"{row['pair_type']}: {row['query_kind']}" for row in train})
    figure = _figure(9, 1.2 + 0.45 * max(1, len(names)))
    axis = figure.subplots()
    left = [0] * len(names)
    for kind in kinds:
        widths = [
            sum(
                row["pairs"]
                for row in train
                if (row["language"], row["source"]) == name
                and f"{row['pair_type']}: {row['query_kind']}" == kind
            )
            for name in names
        ]
        axis.barh(
            [f"{source} ({language})" for language, source in names], widths, left=left, label=kind
        )
        left = [a + b for a, b in zip(left, widths, strict=True)]
    axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    axis.set_xlabel("pairs")
    return _png(figure)

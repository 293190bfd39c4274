"""Plots as data addresses: SVG for the report, in the light or dark of its reader, PNG for Dagster."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

Row = dict[str, Any]
Form = Literal["png", "svg"]

_INK = "#34383d"
"""Of text, axes and intervals: in an SVG the colour of the text around it."""

_THEME = "<style>svg{color:#34383d}@media (prefers-color-scheme:dark){svg{color:#d5d9de}}</style>"

_COLOURS = {
    "bm25 lexical": "#8b929a",
    "base semantic": "#6fa8dc",
    "base hybrid": "#3d7ab8",
    "tuned semantic": "#eb9a63",
    "tuned hybrid": "#d2601a",
}
_OTHER = "#7d9f5f"
_SHOWN = ("lexical", "semantic", "hybrid")
_SOURCES = 24


@contextmanager
def _figure(width: float, height: float) -> Iterator[Any]:
    """A figure of inches; what is drawn inside has the page's colour and bytes that never change."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    names = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    settings: dict[Any, Any] = {
        **dict.fromkeys(names, _INK),
        "font.size": 9,
        "svg.fonttype": "none",
        "svg.hashsalt": "provender",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
    }
    with rc_context(settings):
        yield Figure(figsize=(width, height), layout="constrained")


def _address(figure: Any, form: Form) -> str:
    """The figure as a data address."""
    buffer = io.BytesIO()
    if form == "png":
        figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
        return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue().decode().replace(_INK, "currentColor")
    text = re.sub(r'font-family: [^;"]*', "font-family: sans-serif", text)
    start = text.index("<svg")
    end = text.index(">", start) + 1
    text = text[start:end] + _THEME + text[end:]
    return "data:image/svg+xml;base64," + base64.b64encode(text.encode()).decode()


def bars(metrics: Sequence[Row], eval_set: str, form: Form = "png") -> str:
    """P@1 and MRR of every system on one set, with their intervals."""
    rows = [row for row in metrics if row["eval_set"] == eval_set and row["mode"] in _SHOWN]
    systems = list(dict.fromkeys(f"{row['system']} {row['mode']}" for row in rows))
    most = max(row["high"] for row in rows)
    with _figure(4.5, 0.75 + 0.24 * len(systems)) as figure:
        axes = figure.subplots(1, 2, sharey=True)
        for axis, metric in zip(axes, ("P@1", "MRR"), strict=True):
            for row in rows:
                if row["metric"] == metric:
                    label = f"{row['system']} {row['mode']}"
                    axis.barh(
                        systems.index(label),
                        row["mean"],
                        0.72,
                        color=_COLOURS.get(label, _OTHER),
                        xerr=[[row["mean"] - row["low"]], [row["high"] - row["mean"]]],
                        error_kw={"linewidth": 1, "ecolor": _INK, "capsize": 2},
                    )
            axis.set_yticks(range(len(systems)), systems)
            axis.set_xlim(0, min(1.0, most * 1.05))
            axis.set_title(metric, fontsize=9)
            axis.tick_params(axis="y", length=0)
            axis.grid(axis="x", alpha=0.25, color=_INK)
            axis.set_axisbelow(True)
        axes[0].invert_yaxis()
        return _address(figure, form)


def losses(history: Sequence[Row], form: Form = "png") -> str:
    """The losses of a run by step."""
    with _figure(4.5, 2.6) as figure:
        axis = figure.subplots()
        steps = [row["step"] for row in history]
        for name, colour in (("loss", "#d2601a"), ("contrastive", "#3d7ab8"), ("drift", "#7d9f5f")):
            values = [row[name] for row in history if name in row]
            if values:
                axis.plot(steps[: len(values)], values, color=colour, linewidth=1.2, label=name)
        axis.set_xlabel("step")
        axis.set_ylabel("loss")
        axis.legend(fontsize=8)
        axis.grid(alpha=0.25, color=_INK)
        return _address(figure, form)


def looks(found: Sequence[Row], metric: str = "MRR", form: Form = "png") -> str:
    """A metric of each validation set at every look (`training/looks.py`), and the mean of all."""
    with _figure(9, 3.2) as figure:
        axis = figure.subplots()
        steps = [row["step"] for row in found]
        names = [name for name in found[0] if name.partition("/")[0] == metric and name != metric]
        for name in names:
            axis.plot(
                steps,
                [row[name] for row in found],
                marker=".",
                label=name.removeprefix(f"{metric}/"),
            )
        if metric in found[0]:
            axis.plot(
                steps, [row[metric] for row in found], color=_INK, linewidth=2.2, label="mean"
            )
        axis.set_xlabel("step")
        axis.set_ylabel(f"validation {metric}")
        axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
        axis.grid(alpha=0.25, color=_INK)
        return _address(figure, form)


def pairs_by_source(pairs: Sequence[Row], form: Form = "png") -> str:
    """Training pairs of the sources that have most, by type; the others as one bar."""
    train = [row for row in pairs if row["split"] == "train"]
    totals: dict[str, int] = {}
    for row in train:
        totals[row["source"]] = totals.get(row["source"], 0) + row["pairs"]
    ranked = sorted(totals, key=lambda name: (-totals[name], name))
    rest = f"{len(ranked) - _SOURCES} others"
    names = [*ranked[:_SOURCES], *([rest] if len(ranked) > _SOURCES else [])]
    kinds = sorted({row["pair_type"] for row in train})
    with _figure(4.5, 1.1 + 0.24 * max(1, len(names))) as figure:
        axis = figure.subplots()
        left = [0] * len(names)
        for kind in kinds:
            widths = dict.fromkeys(names, 0)
            for row in train:
                if row["pair_type"] == kind:
                    name = row["source"] if row["source"] in widths else rest
                    widths[name] += row["pairs"]
            axis.barh(names, list(widths.values()), left=left, label=kind, height=0.72)
            left = [a + b for a, b in zip(left, widths.values(), strict=True)]
        if names:
            axis.legend(fontsize=8, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))
            axis.invert_yaxis()
        axis.set_xlabel("training pairs")
        axis.grid(axis="x", alpha=0.25, color=_INK)
        axis.set_axisbelow(True)
        return _address(figure, form)

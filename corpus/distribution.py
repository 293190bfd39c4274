"""What the corpus is made of before and after weighting: a table, and its plot. Pure: it is given rows."""

from __future__ import annotations

import base64
import io
from typing import Any

import polars as pl

KINDS = ("language", "domain", "category")
"""The columns whose values are counted."""

_BEFORE, _AFTER = "#a7c7e7", "#d9631e"


def distribution(corpus: pl.DataFrame) -> pl.DataFrame:
    """How many training pairs have each value of `KINDS`, most first within a kind.

    `share` is that of the pairs; `weighted_share` that of their weights, which is how often the sampler
    would draw such a pair if all else in the recipe were equal.

    Args:
        corpus: rows of `schema.CORPUS`, of any splits.
    """
    train = (
        corpus.lazy()
        .filter(pl.col("split") == "train")
        .with_columns(pl.col("weight").cast(pl.Float64))
    )
    counted = [
        train.group_by(value=pl.col(kind))
        .agg(pairs=pl.len(), weight=pl.col("weight").sum())
        .sort("pairs", "value", descending=[True, False])
        .select(
            kind=pl.lit(kind),
            value="value",
            pairs="pairs",
            share=pl.col("pairs") / pl.col("pairs").sum(),
            weighted_share=pl.col("weight") / pl.col("weight").sum(),
        )
        for kind in KINDS
    ]
    return pl.concat(counted).collect()


def markdown(counted: pl.DataFrame) -> str:
    """`counted`, as `distribution` gives it, as a Markdown table."""
    rows = [
        f"| {kind} | {value} | {pairs:,} | {share:.1%} | {weighted:.1%} |"
        for kind, value, pairs, share, weighted in counted.iter_rows()
    ]
    head = ["| | | pairs | share | weighted |", "|---|---|--:|--:|--:|"]
    return "\n".join([*head, *rows])


def image(counted: pl.DataFrame) -> str:
    """The plot of `counted` as a Markdown image that holds its own bytes."""
    address = "data:image/png;base64," + base64.b64encode(plot(counted)).decode()
    return f"![Shares of the pairs before and after weighting]({address})"


def plot(counted: pl.DataFrame) -> bytes:
    """`counted` as a PNG: for each kind its values, with two bars each. The same rows give the same bytes."""
    kinds = counted.partition_by("kind", maintain_order=True)
    heights = [max(1, each.height) for each in kinds] or [1]
    figure = _figure(7, 1 + 0.5 * len(heights) + 0.32 * sum(heights))
    axes = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False, sharex=True)[:, 0]
    for axis, rows in zip(axes, kinds, strict=False):
        places = list(range(rows.height))
        for column, label, colour, offset in (
            ("share", "pairs", _BEFORE, -0.2),
            ("weighted_share", "weighted", _AFTER, 0.2),
        ):
            percents = (rows[column] * 100).to_list()
            axis.barh(
                [place + offset for place in places], percents, 0.38, color=colour, label=label
            )
        axis.set_yticks(places, rows["value"].to_list(), fontsize=8)
        axis.invert_yaxis()
        axis.set_title(rows["kind"][0], fontsize=9, loc="left")
        axis.grid(axis="x", alpha=0.3)
    axes[-1].set_xlabel("% of the training pairs")
    if kinds:
        axes[0].legend(fontsize=8, loc="lower right")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100, metadata={"Software": None})
    return buffer.getvalue()


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")

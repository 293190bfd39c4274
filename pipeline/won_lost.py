"""`provender report --diff`: the queries that one model wins or loses against another, with their texts."""

from __future__ import annotations

from typing import Any

import polars as pl

from common.errors import ProvenderError
from pipeline import render
from resources.lake import Lake

_KEPT = 10
"""Of those won, and of those lost, of one set; the largest changes first."""


def print_diff(console: Any, first: str, second: str, mode: str, *, everything: bool) -> None:
    """Queries whose best answer is at another rank by `second` than by `first`, with their texts.

    Args:
        first, second: a system of the last evaluation (`base`, `tuned`, `bm25`, `stage_rust`, a baseline), or
            the beginning of a checkpoint's fingerprint.
        mode: `semantic` or `hybrid`; BM25 has one of its own.

    Raises:
        ProvenderError: nothing was evaluated under one of the names.
    """
    from rich.table import Table

    found = compared(_ranks(first, mode), _ranks(second, mode))
    if found.is_empty():
        raise ProvenderError(
            "The two were asked no common query.",
            where=f"{first}, {second}",
            remedy="Evaluate both on the same sources: materialize `metrics` with each.",
        )
    for (eval_set,), rows in found.group_by("eval_set", maintain_order=True):
        won, lost = (rows.filter(pl.col("gain") * sign > 0) for sign in (1, -1))
        console.print(
            f"{eval_set}: {rows.height} queries, {won.height} better, {lost.height} worse, "
            f"MRR {rows['gain'].mean():+.3f}",
            highlight=False,
        )
        for title, some in (("better", won), ("worse", lost)):
            kept = some if everything else some.head(_KEPT)
            table = Table(box=None, pad_edge=False, show_header=False)
            for row in kept.iter_rows(named=True):
                ranks = f"{row['rank']} → {row['rank_second']}"
                # A doc sentence is a repository's: neither markup nor control characters act.
                table.add_row(f"  {title}", ranks, row["style"], render.text(row["query"]))
            console.print(table, highlight=False)
            if some.height > kept.height:
                console.print(f"  … {some.height - kept.height} more: --all", highlight=False)


def compared(first: pl.DataFrame, second: pl.DataFrame) -> pl.DataFrame:
    """Both ranks of each query that both were asked, and the gain in reciprocal rank; large changes first."""
    keys = ["eval_set", "query_id"]
    return (
        first.join(second.select(*keys, "rank"), on=keys, suffix="_second", maintain_order="left")
        .with_columns(gain=1 / pl.col("rank_second") - 1 / pl.col("rank"))
        .sort("eval_set", pl.col("gain").abs(), "query_id", descending=[False, True, False])
    )


def _ranks(name: str, mode: str) -> pl.DataFrame:
    """The best ranks of what is called `name`, of the last evaluation or of an earlier one."""
    from assets.metrics import RANKS, RUNS, TUNED

    lake = Lake()
    last = lake.read(*RANKS)
    systems = sorted(set(last["system"]))
    if name in systems:
        return last.filter(system=name, mode="lexical" if name == "bm25" else mode)
    runs = lake.every(RUNS[0], f"{RUNS[1]}/*.parquet")
    fitting = [path for path in runs if path.stem.startswith(name)]
    if len(fitting) != 1:
        known = ", ".join(path.stem for path in runs) or "none"
        raise ProvenderError(
            f"{len(fitting)} evaluated checkpoints begin with `{name}`; there are: {known}.",
            where="--diff",
            remedy=f"Give {', '.join(systems)}, or the beginning of one of these fingerprints.",
        )
    return lake.read(*RUNS, fitting[0].name).filter(system=TUNED, mode=mode)

"""The metrics of the lake as tables in the terminal."""

from __future__ import annotations

from typing import Any

from pipeline import render

_SHOWN = ("P@1", "MRR", "recall@5", "nDCG@10")
_NAME = 17
"""Most of a system's name, so that with its mode a table has 80 columns."""


def print_results(console: Any) -> None:
    """The metrics, differences and gates of the lake as tables in the terminal."""
    from rich.table import Table

    from assets.metrics import METRICS, REPORT
    from assets.promotion import read_decision, read_gates, told_decision
    from resources.lake import Lake

    lake = Lake()
    metrics = lake.read(*METRICS).to_dicts()
    for eval_set in dict.fromkeys(row["eval_set"] for row in metrics):
        rows = [row for row in metrics if row["eval_set"] == eval_set]
        # Narrow enough for 80 columns: the report has the other intervals.
        table = Table(box=None, pad_edge=False)
        table.add_column("", no_wrap=True)
        for name in _SHOWN:
            table.add_column(name, no_wrap=True)
        shown = (each for each in rows if each["mode"] in ("lexical", "semantic", "hybrid"))
        for system in dict.fromkeys((row["system"], row["mode"]) for row in shown):
            values = {row["metric"]: row for row in rows if (row["system"], row["mode"]) == system}
            name = render.text(f"{_cut(system[0])} {system[1]}")
            table.add_row(name, *(_cell(values[metric]) for metric in _SHOWN))
        console.print(f"{eval_set}: {rows[0]['queries']} queries", table, "", highlight=False)
    for gate in read_gates(lake):
        mark = "[green]✓[/]" if gate.passed else "[red]✗[/]"
        console.print(f"{mark} {gate.name}: {gate.detail}", highlight=False, soft_wrap=True)
    decision = read_decision(lake)
    if decision:
        number = f" (version {decision['version']})" if decision["version"] else ""
        console.print(f"the model{number}: {told_decision(decision)}", highlight=False)
    console.print(f"report: {lake.uri(*REPORT)}", highlight=False, soft_wrap=True)


def _cell(row: dict[str, Any]) -> str:
    if row["metric"] not in ("P@1", "MRR"):
        return f"{row['mean']:.3f}"
    return f"{row['mean']:.3f} [dim]{row['low']:.2f}–{row['high']:.2f}[/]"


def _cut(name: str) -> str:
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"

"""Experts against one model for all: `python -m tests.benchmarks.experts OUTPUT`.

Trains the experts of PROVENDER_LAKE's corpus, merges them and learns the router, as far as they are not
there, and asks base, tuned, merged and routed model the test queries. Prints MRR with intervals, paired
tests, the router's confusion and what it all costs, and writes it to OUTPUT as Markdown, and beside it the
ranks of every query as Parquet. The lake's own tables stay as they are.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from assets.checkpoints import MODEL
from assets.common import markdown_table
from assets.metrics import DIFFERENCES, METRICS, RANKS, evaluate
from assets.report import rivals
from assets.systems import experts, loaders
from common.atomic import write_text
from common.errors import ProvenderError
from corpus import schema
from evaluation import tables
from evaluation.gates import Gate
from resources.lake import Lake
from resources.project import ROOT, Project
from training.checkpoint import read_manifest
from training.run import main as train


def compared(lake: Lake, ranks: Path) -> str:
    """The comparison as Markdown; the ranks of every query go to `ranks`.

    Raises:
        ProvenderError: the lake has no model or no queries, or something cannot be asked.
    """
    manifest = read_manifest(lake.path(*MODEL))
    routed, merged, missing = experts(lake, manifest)
    if routed is None or missing:
        raise ProvenderError(
            "; ".join(f"{name} cannot be asked: {why}" for name, why in missing.items()),
            where=str(lake.path("models")),
            remedy="Correct that, and run the same command again.",
        )
    rows, known = evaluate(lake, loaders(lake, manifest, merged), merged, 0, routed)
    pl.DataFrame(rows[RANKS][0], schema=schema.empty(rows[RANKS][1]).schema).write_parquet(ranks)
    metrics, differences = rows[METRICS][0], rows[DIFFERENCES][0]
    return "\n\n".join(
        [
            "MRR, 95 % interval",
            _table(metrics),
            "Paired differences of MRR",
            _differences(differences),
            "Conditions of promotion that are about queries",
            _conditions(rivals(rows[RANKS][0], Project().load_evaluation().gates)),
            f"Router: below {known['router']['threshold']:g} to the two best",
            f"Documents of a domain without an adapter: {known['unknown']}",
            _router(known),
            _costs(known["costs"]),
        ]
    )


def _table(metrics: Sequence[dict[str, Any]]) -> str:
    names = [tables.named(each) for each in tables.asked(metrics)]
    return markdown_table(
        ["model", "mode", *names],
        (
            [row["system"], row["mode"], *map(_cell, row["cells"])]
            for row in tables.experts(metrics)
        ),
    )


def _cell(row: dict[str, Any] | None) -> str:
    return f"{row['mean']:.3f} [{row['low']:.2f}, {row['high']:.2f}]" if row else ""


def _differences(rows: Iterable[dict[str, Any]]) -> str:
    return markdown_table(
        ["queries", "model", "against", "difference", "p", "q"],
        (
            [
                *(tables.named(row["eval_set"]), row["system"], row["against"]),
                f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]",
                *(f"{row['p']:.3f}", f"{row['q']:.3f}"),
            ]
            for row in rows
            if row["metric"] == "MRR"
        ),
    )


def _conditions(gates: dict[str, list[Gate]]) -> str:
    return markdown_table(
        ["model", "condition", "", "measured"],
        (
            [system, gate.name, "✓" if gate.passed else "✗", gate.detail]
            for system, some in gates.items()
            for gate in some
        ),
    )


def _router(known: dict[str, Any]) -> str:
    domains = known["router"]["domains"]
    figures = {"of the corpus, held out": known["router"]["held_out"]}
    figures |= {f"validation {name}": each for name, each in known["router"]["validation"].items()}
    return "\n\n".join(
        [
            markdown_table(
                ["queries", "number", "accuracy", "calibration error"],
                (
                    [name, each["queries"], *_rounded(each, "accuracy", "calibration_error")]
                    for name, each in figures.items()
                ),
            ),
            markdown_table(
                ["test queries", "about", "number", *(f"to {name}" for name in domains)],
                (
                    [tables.named(name), row["domain"], row["queries"], *row["sent"].values()]
                    for name, rows in known["confusion"].items()
                    for row in rows
                ),
            ),
        ]
    )


def _rounded(row: dict[str, Any], *names: str) -> list[str]:
    return [f"{row[name]:.3f}" for name in names]


def _costs(costs: dict[str, dict[str, float]]) -> str:
    return markdown_table(
        ["cost", "one model", "experts"],
        ([name, *_rounded(each, "one", "experts")] for name, each in costs.items()),
    )


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.experts", description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--curriculum", type=Path, default=ROOT / "config" / "curriculum.yaml")
    options = parser.parse_args()
    lake = Lake()
    os.environ["PROVENDER_LAKE"] = str(lake.path())
    code = train(["--config", str(options.curriculum), "--experts"])
    if code:
        return code
    try:
        found = compared(lake, options.output.with_suffix(".parquet"))
    except ProvenderError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(found)
    write_text(found + "\n", options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())

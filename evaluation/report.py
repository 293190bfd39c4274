"""One HTML page that stands alone: tables, plots, the promotion decision, and where each number is from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from evaluation.gates import Gate, promoted
from evaluation.metrics import NAMES
from evaluation.plots import bars, losses, pairs_by_source

Row = dict[str, Any]
_TITLES = {
    "doc_test": "Documentation queries: first doc sentences, over code without docs",
    "judged_test": "Judged queries: as engineers type them, over Rust functions as search indexes them",
    "judged_formal_test": "Judged queries about formal code: contracts, proofs, specifications, harnesses",
    "judged_general_test": "Judged queries about other languages",
}


@dataclass(frozen=True)
class Facts:
    """What the page shows.

    Attributes:
        metrics, differences, ranks: rows of the lake's tables of these names.
        manifest: the checkpoint's.
        pairs: pairs by split, language, source, pair_type and query_kind.
        kept_out: pairs by source and reason that were not trained on because they are evaluated.
        pool: number of units that the test queries search.
        gates: the conditions of promotion.
    """

    metrics: list[Row]
    differences: list[Row]
    ranks: list[Row]
    manifest: dict[str, Any]
    pairs: list[Row]
    kept_out: list[Row]
    pool: int
    gates: Sequence[Gate]


def render_report(facts: Facts) -> str:
    """The page. The same facts give the same bytes."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        names=NAMES,
        sets=[
            {"name": name, "title": _TITLES.get(name, name), "rows": _wide(facts.metrics, name)}
            for name in dict.fromkeys(row["eval_set"] for row in facts.metrics)
        ],
        differences=[row for row in facts.differences if row["metric"] in ("P@1", "MRR")],
        gates=facts.gates,
        promoted=promoted(facts.gates),
        styles=_by_style(facts.ranks),
        misses=_misses(facts.ranks),
        manifest=facts.manifest,
        stages=stages_of(facts.manifest),
        retention=retention_matrix(facts.manifest),
        pool=facts.pool,
        kept_out=facts.kept_out,
        plots=[
            ("Quality, with 95 % bootstrap intervals", bars(facts.metrics)),
            ("Loss of the last stage by step", losses(facts.manifest["history"])),
            ("Training pairs by source and type", pairs_by_source(facts.pairs)),
        ],
    )


def stages_of(manifest: Row) -> list[Row]:
    """The stages that a checkpoint went through, the first one first: `stage`, `sources`, `retention`."""
    return [*reversed(manifest["lineage"]), manifest]


def retention_matrix(manifest: Row) -> dict[str, Any] | None:
    """Validation MRR of the base and after each stage, by domain and kind of query.

    Null where no stage was watched.

    Returns:
        `columns`, the base and the stages, and `rows` with `domain`, `kind` and a cell for each column.
    """
    watched = [stage for stage in stages_of(manifest) if stage["retention"]]
    if not watched:
        return None
    columns = {"base": _at(watched[0]["retention"], 0.0)}
    columns |= {
        each["stage"]: _at(each["retention"], each["retention"]["scale"]) for each in watched
    }
    keys = dict.fromkeys(key for values in columns.values() for key in values)
    rows = [
        {
            "domain": domain,
            "kind": kind,
            "cells": [values.get((domain, kind)) for values in columns.values()],
        }
        for domain, kind in keys
    ]
    return {"columns": list(columns), "rows": rows}


def _at(retention: Row, scale: float) -> dict[tuple[str, str], float]:
    """MRR by domain and kind at one scale."""
    rows = [row for row in retention["rows"] if row["scale"] == scale]
    return {(row["domain"], row["kind"]): row["MRR"] for row in rows}


def _wide(metrics: Sequence[Row], eval_set: str) -> list[Row]:
    """One row for each system and mode of a set, its metrics by name."""
    rows: dict[tuple[str, str], Row] = {}
    for row in metrics:
        if row["eval_set"] == eval_set:
            key = (row["system"], row["mode"])
            wide = rows.setdefault(key, {**row, "values": {}})
            wide["values"][row["metric"]] = row
    return list(rows.values())


def _by_style(ranks: Sequence[Row]) -> list[Row]:
    """P@1 and MRR of the semantic runs on judged queries, by the style of the query."""
    groups: dict[tuple[str, str, str], list[int]] = {}
    for row in ranks:
        if row["eval_set"].startswith("judged") and row["mode"] == "semantic":
            key = (row["eval_set"], row["style"], row["system"])
            groups.setdefault(key, []).append(row["rank"])
    return [
        {
            "eval_set": eval_set,
            "style": style,
            "system": system,
            "queries": len(found),
            "p1": sum(rank == 1 for rank in found) / len(found),
            "mrr": sum(1 / rank for rank in found) / len(found),
        }
        for (eval_set, style, system), found in sorted(groups.items())
    ]


def _misses(ranks: Sequence[Row], limit: int = 12) -> list[Row]:
    """The judged queries that the tuned model answers worst, with the base model's rank."""
    found: dict[str, Row] = {}
    for row in ranks:
        if row["eval_set"].startswith("judged") and row["mode"] == "semantic":
            entry = found.setdefault(
                row["query_id"], {key: row[key] for key in ("query", "eval_set", "style")}
            )
            entry[row["system"]] = row["rank"]
    return sorted(found.values(), key=lambda entry: (-entry["tuned"], entry["query"]))[:limit]

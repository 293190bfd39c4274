"""What a checkpoint's manifest says of its stages: their order, their pairs, and what each kept."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]

FULL_SCALE = 0.1
"""Change of MRR that has the heat map's deepest colour."""


def stages_of(manifest: Row) -> list[Row]:
    """The stages that a checkpoint went through, the first one first: `stage`, `sources`, `retention`."""
    return [*reversed(manifest["lineage"]), manifest]


def trained_pairs(manifest: Row) -> dict[str, int]:
    """The pairs that were trained on by the end of each stage, earlier stages' included."""
    total, found = 0, {}
    for stage in stages_of(manifest):
        total += sum(row["pairs"] for row in stage["sources"])
        found[stage["stage"]] = total
    return found


def retention_matrix(manifest: Row) -> Row | None:
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


def heat_map(manifest: Row) -> Row | None:
    """The retention matrix; each cell with its `value`, its `change` against the base, and a colour.

    Returns:
        As `retention_matrix`; `depth` is the colour's, from -1 (a loss) to 1.
    """
    found = retention_matrix(manifest)
    if found is None:
        return None
    return {
        "columns": found["columns"],
        "rows": [
            {**row, "cells": [_cell(value, row["cells"][0]) for value in row["cells"]]}
            for row in found["rows"]
        ],
    }


def _cell(value: float | None, base: float | None) -> Row:
    change = None if value is None or base is None else value - base
    depth = 0.0 if change is None else max(-1.0, min(1.0, change / FULL_SCALE))
    return {"value": value, "change": change, "depth": round(depth, 2)}

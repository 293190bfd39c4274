"""Small rows for the tables of `corpus.schema`: a test names only the columns it is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import pyarrow as pa

from corpus import schema
from corpus.licences import LicencePolicy
from corpus.snapshots.snapshot import Entry, snapshot_of

LONG_CODE = "fn long_enough(left: u64, right: u64) -> u64 {\n    left.wrapping_add(right)\n}"

POLICY = LicencePolicy(
    tiers={
        "permissive": ["MIT", "Apache-2.0", "BSD-3-Clause"],
        "weak_file": ["MPL-2.0"],
        "weak_lib": ["LGPL-3.0-only"],
        "strong": ["GPL-3.0-only", "GPL-2.0-only"],
    },
    keep=["permissive", "weak_file"],
)

_PLACE = {
    "source": "demo",
    "revision": "r1",
    "path": "src/lib.rs",
    "blob_sha": "0" * 40,
    "start_line": 1,
    "end_line": 3,
    "language": "rust",
    "dialect": None,
    "category": "code",
    "is_test": False,
    "license": "MIT",
    "license_tier": "permissive",
    "domain": "rust",
    "symbol": "long_enough",
    "signature": "fn long_enough()",
    "unit_id": "u1",
}
_UNIT = {
    **_PLACE,
    "kind": "function",
    "name": "long_enough",
    "module": "",
    "doc": "",
    "prose": "",
    "attributes": [],
    "code": LONG_CODE,
    "extractor": "rust-1",
}
_PAIR = {
    **_PLACE,
    "pair_id": "p1",
    "query": "Adds two numbers",
    "positive": LONG_CODE,
    "doc_rest": "",
    "query_kind": "doc",
    "pair_type": "doc",
    "swhid": "swh:1:cnt:0",
}


def snapshot(files: Mapping[str, str | bytes], *, revision: str = "r1") -> pl.DataFrame:
    """A snapshot of the source `demo` that holds `files`."""
    entries = [
        Entry(path, "100644", text.encode() if isinstance(text, str) else text)
        for path, text in files.items()
    ]
    return snapshot_of("demo", revision, entries)


def units(*rows: dict[str, Any]) -> pl.DataFrame:
    return _frame(_UNIT, rows, schema.UNITS)


def pairs(*rows: dict[str, Any]) -> pl.DataFrame:
    return _frame(_PAIR, rows, schema.PAIRS)


def _frame(
    defaults: dict[str, Any], rows: tuple[dict[str, Any], ...], table: pa.Schema
) -> pl.DataFrame:
    full = [{**defaults, **row} for row in rows]
    for row in full:
        row.setdefault("file_context", f"{row['source']}/{row['path']}")
    return pl.DataFrame(full, schema=schema.empty(table).schema)

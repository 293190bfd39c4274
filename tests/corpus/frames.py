"""Small rows for the tables of `corpus.schema`: a test names only the columns it is about."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import polars as pl
import pyarrow as pa

from common.hashing import git_object
from corpus import paths, schema
from corpus.files import Contents
from corpus.licences import LicencePolicy
from corpus.snapshots.tree import Entry, tree_id
from corpus.sources import GitSource

LONG_CODE = "fn long_enough(left: u64, right: u64) -> u64 {\n    left.wrapping_add(right)\n}"

POLICY = LicencePolicy(
    tiers={
        "permissive": ["MIT", "Apache-2.0", "BSD-3-Clause"],
        "weak_file": ["MPL-2.0"],
        "weak_lib": ["LGPL-3.0-only"],
        "strong": ["GPL-3.0-only", "GPL-2.0-only"],
    },
    keep=["owned", "permissive", "weak_file"],
)

ORIGIN = "https://example.org/me/demo.git"
SOURCE = GitSource(name="demo", url=ORIGIN)
COMMIT = "c" * 40
BLOB = "0" * 40
SWHID = f"swh:1:cnt:{BLOB};origin={ORIGIN};anchor=swh:1:rev:{COMMIT};path=/src/lib.rs"

_PLACE = {
    "source": "demo",
    "revision": "r1",
    "path": "src/lib.rs",
    "blob_sha": BLOB,
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
    "swhid": f"{SWHID};lines=1-3",
}
_UNIT = {
    **_PLACE,
    "kind": "function",
    "name": "long_enough",
    "module": "",
    "doc": "",
    "prose": "",
    "attributes": [],
    "contracts": [],
    "heading": "",
    "code": LONG_CODE,
    "redacted": [],
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
    "builder": "rust-1/1",
}


def snapshot(
    files: Mapping[str, str | bytes],
    *,
    revision: str = "r1",
    states: Mapping[str, str] | None = None,
) -> pl.DataFrame:
    """A snapshot of `SOURCE` that holds `files`: those that the pipeline reads, or `states` as it says."""
    raw = {path: _bytes(text) for path, text in files.items()}
    entries = [Entry(path, "100644", git_object("blob", data)) for path, data in raw.items()]
    said = states or {}
    rows = []
    for each in sorted(entries, key=lambda entry: entry.path):
        state = said.get(each.path, "stored" if paths.is_read(each.path) else "no_code")
        rows.append(
            {
                "source": SOURCE.name,
                "origin": ORIGIN,
                "revision": revision,
                "anchor": f"swh:1:rev:{COMMIT}",
                "tree": tree_id(entries, "frames"),
                "path": each.path,
                "mode": each.mode,
                "size": len(raw[each.path]) if state == "stored" else None,
                "blob_sha": each.blob,
                "state": state,
            }
        )
    return pl.DataFrame(rows, schema=schema.empty(schema.SNAPSHOT).schema)


def contents(files: Mapping[str, str | bytes], asked: list[str] | None = None) -> Contents:
    """Gives the bytes of `files` by blob, as a store does, and notes in `asked` what it gave."""
    held = {git_object("blob", _bytes(text)): _bytes(text) for text in files.values()}

    def read(blobs: Collection[str]) -> Iterator[tuple[str, bytes]]:
        for blob in [each for each in held if each in blobs]:
            if asked is not None:
                asked.append(blob)
            yield blob, held[blob]

    return read


def units(*rows: dict[str, Any]) -> pl.DataFrame:
    return _frame(_UNIT, rows, schema.UNITS)


def pairs(*rows: dict[str, Any]) -> pl.DataFrame:
    return _frame(_PAIR, rows, schema.PAIRS)


def corpus(*rows: dict[str, Any]) -> pl.DataFrame:
    """Rows of the corpus; in training, of weight 1, each its own cluster, unless they say otherwise."""
    added = pl.DataFrame(
        [
            {
                "split": row.get("split", "train"),
                "weight": row.get("weight", 1.0),
                "cluster_id": row.get("cluster_id", row.get("pair_id", _PAIR["pair_id"])),
            }
            for row in rows
        ],
        {"split": pl.String, "weight": pl.Float32, "cluster_id": pl.String},
    )
    plain = ({key: value for key, value in row.items() if key not in added.columns} for row in rows)
    return pairs(*plain).hstack(added).select(schema.CORPUS.names)


def _frame(
    defaults: dict[str, Any], rows: tuple[dict[str, Any], ...], table: pa.Schema
) -> pl.DataFrame:
    full = [{**defaults, **row} for row in rows]
    for row in full:
        row.setdefault("file_context", f"{row['source']}/{row['path']}")
    return pl.DataFrame(full, schema=schema.empty(table).schema)


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text

"""A snapshot: every file of a source at one revision, under one git tree id."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from common.errors import ProvenderError
from common.hashing import git_object
from corpus import schema
from corpus.sources import GitSource, PypiSource

MAX_FILE_BYTES = 1 << 20
"""Larger files are recorded by hash, without their content: no source file is that large."""


GITLINK = "160000"
"""The mode of a submodule: its commit counts for the tree id, its files are not part of the source."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a snapshot.

    `mode` is git's: 100644, 100755, 120000 (a link; `data` is its target) or 160000 (a submodule;
    `data` is its binary commit id).
    """

    path: str
    mode: str
    data: bytes


def take_snapshot(source: PypiSource | GitSource, downloads: Path) -> pl.DataFrame:
    """Fetch `source` as a frame of `schema.SNAPSHOT`. `downloads` is a scratch folder.

    Raises:
        ProvenderError: the source cannot be had, or is not what the manifest pins.
    """
    if isinstance(source, PypiSource):
        from corpus.snapshots.pypi import fetch_release

        revision, entries = fetch_release(source, downloads)
    else:
        from corpus.snapshots.git import fetch_commit

        revision, entries = fetch_commit(source, downloads)
    return snapshot_of(source.name, revision, entries)


def pinned_revision(source: PypiSource | GitSource) -> str:
    """The revision that `source` names now: its digest, or the commit behind its ref.

    Raises:
        ProvenderError: a git remote cannot be asked.
    """
    if isinstance(source, PypiSource):
        return source.sha256
    from corpus.snapshots.git import remote_commit

    return remote_commit(source)


def snapshot_of(name: str, revision: str, entries: Iterable[Entry]) -> pl.DataFrame:
    """Hash `entries` and put them into a table; content is kept for text of a sane size."""
    rows, leaves = [], []
    for entry in entries:
        if entry.mode == GITLINK:
            leaves.append((entry.path, entry.mode, entry.data.hex()))
            continue
        blob = git_object("blob", entry.data)
        leaves.append((entry.path, entry.mode, blob))
        if not _is_utf8(entry.path):
            continue  # part of the tree, but no table can name it
        content = entry.data if _is_source_text(entry) else None
        rows.append((entry.path, entry.mode, len(entry.data), blob, content))
    kinds = schema.empty(schema.SNAPSHOT).schema
    columns = ["path", "mode", "size", "blob_sha", "content"]
    frame = pl.DataFrame(rows, schema={name: kinds[name] for name in columns}, orient="row")
    return (
        frame.with_columns(
            source=pl.lit(name), revision=pl.lit(revision), tree=pl.lit(tree_id(leaves, name))
        )
        .select(schema.SNAPSHOT.names)
        .sort("path")
    )


def _is_source_text(entry: Entry) -> bool:
    return entry.mode != "120000" and len(entry.data) <= MAX_FILE_BYTES and b"\0" not in entry.data


def tree_id(leaves: Iterable[tuple[str, str, str]], name: str = "") -> str:
    """The git tree id of (path, mode, blob id) leaves, as `git write-tree` computes it.

    Raises:
        ProvenderError: a path is both file and folder; `name` says of which source.
    """
    root: dict = {}
    for path, mode, blob in leaves:
        *folders, last = path.split("/")
        node = root
        for folder in folders:
            node = node.setdefault(folder, {})
            if not isinstance(node, dict):
                break
        if not isinstance(node, dict) or last in node:
            raise ProvenderError(
                f"{path!r} is both a file and a folder, or there twice.",
                where=f"source {name}",
                remedy="Do not trust this source; leave it out of the manifest.",
            )
        node[last] = (mode, blob)
    return _write_tree(root)


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _write_tree(node: dict) -> str:
    entries = []
    for name, child in node.items():
        raw = name.encode("utf-8", "surrogateescape")
        if isinstance(child, dict):
            # git sorts a folder as if its name ended in a slash.
            entries.append((raw + b"/", b"40000", raw, _write_tree(child)))
        else:
            entries.append((raw, child[0].encode(), raw, child[1]))
    body = b"".join(
        mode + b" " + raw + b"\0" + bytes.fromhex(sha) for _, mode, raw, sha in sorted(entries)
    )
    return git_object("tree", body)

"""Immutable snapshots of sources: fetched, checked, bounded, and stored as Parquet.

One module a kind of source (`git`, `pypi`, `local`), each with `current_revision` and `open_tree`.
Nothing from a source is executed or unpacked onto the disk.
"""

from corpus.snapshots.snapshot import VERSION, current_revision, open_tree, take_snapshot
from corpus.snapshots.store import BlobStore

__all__ = ["VERSION", "BlobStore", "current_revision", "open_tree", "take_snapshot"]

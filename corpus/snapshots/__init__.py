"""Immutable snapshots of sources: fetched, checked, bounded, and stored as one Parquet file each.

Nothing from a source is executed or unpacked onto the disk.
"""

from corpus.snapshots.snapshot import Entry, pinned_revision, take_snapshot

__all__ = ["Entry", "pinned_revision", "take_snapshot"]

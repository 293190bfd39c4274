"""The bytes of a source's files by git blob id, in Parquet parts that are only ever added or swept.

A refresh adds one part with what is new. The store is no table: which files a snapshot has, its table
says; two stores with other parts hold the same bytes for the same ids.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from common.atomic import replacing
from common.errors import ProvenderError

_SCHEMA = pa.schema(
    [
        pa.field("blob_sha", pa.string(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("content", pa.large_binary(), nullable=False),
    ]
)
_GROUP_BYTES = 8 << 20
_MAX_PARTS = 16
_MAX_DEAD_SHARE = 0.5


class BlobStore:
    """The parts below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def sizes(self) -> dict[str, int]:
        """Every blob that the store holds, with its size in bytes."""
        known: dict[str, int] = {}
        for part in self._parts():
            with _reading(part) as file:
                table = file.read(columns=["blob_sha", "size"])
            known.update(zip(table["blob_sha"].to_pylist(), table["size"].to_pylist(), strict=True))
        return known

    def add(self, blobs: Iterable[tuple[str, bytes]]) -> None:
        """Append `blobs`, a few megabytes in memory at a time, as one part or not at all."""
        stream = iter(blobs)
        first = next(stream, None)
        if first is None:
            return
        numbers = [int(part.stem.rpartition("-")[2]) for part in self._parts()]
        path = self._folder / f"part-{max(numbers, default=-1) + 1:05d}.parquet"
        with replacing(path) as temporary:
            _write(temporary, first, stream)

    def read(self, blobs: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """The bytes of those of `blobs` that the store holds, each once, in the store's order."""
        left = set(blobs)
        for part in self._parts():
            if not left:
                return
            yield from _read(part, left)

    def sweep(self, live: Collection[str], *, force: bool = False) -> None:
        """Forget what is not in `live`, where that is worth it; with `force`, in any case."""
        parts = self._parts()
        known = self.sizes().keys()
        dead = len(known - set(live))
        worth = dead > _MAX_DEAD_SHARE * len(known) or len(parts) > _MAX_PARTS
        if not worth and not (force and dead):
            return
        self.add(self.read(live))
        for part in parts:
            part.unlink()

    def _parts(self) -> list[Path]:
        return sorted(self._folder.glob("part-*.parquet"))


def _read(part: Path, left: set[str]) -> Iterator[tuple[str, bytes]]:
    with _reading(part) as file:
        for group in range(file.num_row_groups):
            ids = file.read_row_group(group, columns=["blob_sha"])["blob_sha"]
            rows = [row for row, blob in enumerate(ids.to_pylist()) if blob in left]
            if not rows:
                continue
            wanted = pc.take(file.read_row_group(group), pa.array(rows))
            for blob, content in zip(wanted["blob_sha"], wanted["content"], strict=True):
                left.discard(blob.as_py())
                yield blob.as_py(), content.as_py()


def _write(path: Path, first: tuple[str, bytes], rest: Iterator[tuple[str, bytes]]) -> None:
    with pq.ParquetWriter(path, _SCHEMA, compression="zstd", write_page_checksum=True) as writer:
        rows, size = [first], len(first[1])
        for blob, content in rest:
            if size > _GROUP_BYTES:
                writer.write_table(_table(rows))
                rows, size = [], 0
            rows.append((blob, content))
            size += len(content)
        writer.write_table(_table(rows))


def _table(rows: list[tuple[str, bytes]]) -> pa.Table:
    ids, contents = zip(*rows, strict=True)
    return pa.table([ids, [len(content) for content in contents], contents], schema=_SCHEMA)


@contextmanager
def _reading(part: Path) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(part, page_checksum_verification=True) as file:
            yield file
    except (pa.ArrowException, OSError):
        raise ProvenderError(
            "This part of the blob store is damaged.",
            where=str(part),
            remedy="Delete the folder around it and materialize `repos` again.",
        ) from None

"""The lake: Parquet tables below one folder, each written whole with its fingerprint inside.

A fingerprint says what a table was made from, a data version what it holds. Both live in the Parquet
footer, so they can neither be lost nor disagree with the rows.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import dagster as dg
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from common.atomic import replacing
from common.errors import ProvenderError
from corpus.schema import conform, empty
from corpus.snapshots import BlobStore

_FINGERPRINT, _DATA_VERSION = "provender.fingerprint", "provender.data_version"


@dataclass(frozen=True)
class Stored:
    """A table of the lake, known by its footer."""

    path: Path
    fingerprint: str
    data_version: str
    rows: int


class Lake(dg.ConfigurableResource):
    """Tables and folders below `root` (PROVENDER_LAKE, else `./lake`)."""

    root: str = ""

    def path(self, *parts: str) -> Path:
        """A place in the lake."""
        return (
            Path(self.root or os.environ.get("PROVENDER_LAKE", "lake")).resolve().joinpath(*parts)
        )

    def check_writable(self) -> None:
        """Find out before any work whether the lake can be written.

        Raises:
            ProvenderError: it cannot.
        """
        root = self.path()
        try:
            root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=root):
                pass
        except OSError as error:
            raise ProvenderError(
                f"The lake cannot be written: {error.strerror}.",
                where=str(root),
                remedy="Give another folder with --lake (or PROVENDER_LAKE), or its permissions.",
            ) from None

    def stored(self, *parts: str) -> Stored | None:
        """What is known of the table at `parts`; null where there is none."""
        path = self.path(*parts)
        if not path.is_file():
            return None
        try:
            footer = pq.read_metadata(path)
        except pa.ArrowInvalid:
            raise ProvenderError(
                "This table is damaged.",
                where=str(path),
                remedy="Delete the file and materialize its asset again.",
            ) from None
        known = footer.metadata or {}
        return Stored(
            path,
            known.get(_FINGERPRINT.encode(), b"").decode(),
            known.get(_DATA_VERSION.encode(), b"").decode(),
            footer.num_rows,
        )

    def write(
        self, frame: pl.DataFrame, schema: pa.Schema, *parts: str, fingerprint: str
    ) -> Stored:
        """Write `frame` as the table at `parts`, checked against `schema`, whole or not at all."""
        table = conform(frame, schema).combine_chunks()
        path = self.path(*parts)
        with replacing(path) as temporary, temporary.open("wb") as file:
            sink = _Hashing(file, schema)
            with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
                writer.write_table(table)
                version = sink.digest()
                writer.add_key_value_metadata({_FINGERPRINT: fingerprint, _DATA_VERSION: version})
        return Stored(path, fingerprint, version, table.num_rows)

    def read(self, *parts: str, columns: list[str] | None = None) -> pl.DataFrame:
        """The table at `parts`.

        Raises:
            ProvenderError: it does not exist.
        """
        path = self.path(*parts)
        if not path.is_file():
            raise ProvenderError(
                "This table does not exist yet.",
                where=str(path),
                remedy="Materialize the asset that writes it first.",
            )
        return pl.read_parquet(path, columns=columns)

    def blobs(self, source: str) -> BlobStore:
        """The bytes of a source's files."""
        return BlobStore(self.path("blobs", f"source={source}"))

    def read_if_there(self, *parts: str, schema: pa.Schema | None = None) -> pl.DataFrame | None:
        """The table at `parts`, or null; null too where an older version wrote it by another `schema`."""
        if self.stored(*parts) is None:
            return None
        if schema is not None and not pq.read_schema(self.path(*parts)).equals(schema):
            return None
        return self.read(*parts)

    def read_every(self, table: str, schema: pa.Schema) -> pl.DataFrame:
        """The rows of a table of all sources, those that left the manifest included."""
        found = sorted(self.path(table).glob("source=*/data.parquet"))
        return pl.concat([empty(schema), *map(pl.read_parquet, found)])

    def read_all(self, places: Iterable[tuple[str, ...]], schema: pa.Schema) -> pl.DataFrame:
        """The rows of all tables at `places` that exist; an empty frame of `schema` if none does.

        Raises:
            ProvenderError: one of them has other columns than `schema`; nothing is read then.
        """
        found = [self.path(*parts) for parts in places if self.path(*parts).is_file()]
        for path in found:
            _check_columns(path, schema)
        return pl.concat([empty(schema), *map(pl.read_parquet, found)])


def _check_columns(path: Path, schema: pa.Schema) -> None:
    there = pq.read_schema(path)
    wrong = [
        f"`{field.name}` is missing"
        if field.name not in there.names
        else f"`{field.name}` is {there.field(field.name).type}, not {field.type}"
        for field in schema
        if field.name not in there.names or there.field(field.name).type != field.type
    ]
    wrong += [f"`{name}` is unknown" for name in there.names if name not in schema.names]
    if wrong or there.names != schema.names:
        raise ProvenderError(
            f"This table has other columns than it should: "
            f"{', '.join(wrong) or 'their order differs'}.",
            where=str(path),
            remedy="Materialize its asset again, with `provender refresh`; it writes the columns of today.",
        )


class _Hashing:
    """A file that keeps a digest of what is written.

    Parquet's pages hold the values and nothing else, where Arrow's buffers hold whatever lies in the
    slots of nulls: equal tables have equal pages.
    """

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        self._file = file
        self._state = hashlib.blake2b(schema.to_string().encode(), digest_size=16)
        self.closed = False

    def write(self, data: Any) -> int:
        self._state.update(data)
        return self._file.write(data)

    def digest(self) -> str:
        return self._state.hexdigest()

    def tell(self) -> int:
        return self._file.tell()

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self.closed = True

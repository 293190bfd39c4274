"""The lake: Parquet tables below one folder, or on S3, each written whole with its fingerprint inside.

A fingerprint says what a table was made from, a data version what it holds. Both live in the Parquet
footer, so they can neither be lost nor disagree with the rows.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import dagster as dg
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from common.atomic import replacing
from common.errors import ProvenderError
from corpus.schema import conform, empty
from corpus.snapshots import BlobStore

if TYPE_CHECKING:
    from resources.shared import Shared

SCHEME = "s3://"
_FINGERPRINT, _DATA_VERSION = "provender.fingerprint", "provender.data_version"
_AT_ONCE = 8


OWN = ("cache", "mlflow", "index")
"""What each machine has for itself: downloads, MLflow's database where it has no server, search indexes."""

_FOLDERS = ("blobs", "models", "negatives")
"""Of these tables an entry is a folder; everywhere else it is a file."""


@dataclass(frozen=True)
class Stored:
    """A table of the lake, known by its footer."""

    uri: str
    fingerprint: str
    data_version: str
    rows: int


class Lake(dg.ConfigurableResource):
    """Tables and folders below `root`: a folder, or `s3://bucket/prefix` (resources/shared.py).

    Attributes:
        root: PROVENDER_LAKE, else `./lake`.
        copy_root: of a lake on S3, the folder of this machine's working copy: PROVENDER_LAKE_COPY, else one
            of the user's cache.
        endpoint: of an S3 server other than AWS, addressed by path-style: AWS_ENDPOINT_URL_S3 or
            AWS_ENDPOINT_URL.
        region: as AWS's own settings name it.
    """

    root: str = ""
    copy_root: str = ""
    endpoint: str = ""
    region: str = ""

    def path(self, *parts: str) -> Path:
        """A place in the lake, on this machine. On S3 a file, model or blob store is fetched first."""
        place = self._local().joinpath(*parts)
        shared = self._shared()
        if shared is None or not parts or parts[0] in OWN:
            return place
        if parts[0] in _FOLDERS:
            if len(parts) > 1:
                shared.fetch_folder(parts[:2])
        elif place.suffix:
            shared.fetch(parts)
        return place

    def uri(self, *parts: str) -> str:
        """The same place as people name it: nothing is fetched."""
        shared = None if parts and parts[0] in OWN else self._shared()
        return shared.objects.uri(parts) if shared else str(self._local().joinpath(*parts))

    def exists(self, *parts: str) -> bool:
        """Whether there is a file at `parts`."""
        shared = self._shared()
        if shared is None or parts[0] in OWN:
            return self._local().joinpath(*parts).is_file()
        return shared.objects.seen(parts) is not None

    def every(self, table: str, pattern: str) -> list[Path]:
        """What below `table` matches `pattern`, as a glob finds it."""
        shared = self._shared()
        if shared is not None and table in _FOLDERS:
            for key in shared.folders(table):
                shared.fetch_folder(key)
        elif shared is not None:
            keys = [key for key in shared.objects.list((table,)) if _matches(key[1:], pattern)]
            shared.fetch_all(keys)
        return sorted(self._local().joinpath(table).glob(pattern))

    def publish(self, *parts: str) -> None:
        """Share what was written at `parts` other than by `write`; nothing where the lake is a folder."""
        shared = self._shared()
        if shared is None:
            return
        if parts[0] in _FOLDERS:
            shared.publish_folder(parts)
        else:
            shared.publish(parts)

    def remove(self, *parts: str) -> None:
        """Forget the file at `parts`; nothing where there is none."""
        shared = self._shared()
        if shared is not None:
            shared.remove(parts)
        else:
            self._local().joinpath(*parts).unlink(missing_ok=True)

    def touch(self, *parts: str) -> None:
        """Note that the file at `parts` is of today: `changed` tells."""
        shared = self._shared()
        if shared is not None:
            shared.objects.touch(parts)
        else:
            self._local().joinpath(*parts).touch()

    def changed(self, *parts: str) -> float:
        """When the file at `parts` was written or touched, in seconds since 1970.

        Raises:
            FileNotFoundError: there is none.
        """
        shared = self._shared()
        if shared is None:
            return self._local().joinpath(*parts).stat().st_mtime
        seen = shared.objects.seen(parts)
        if seen is None:
            raise FileNotFoundError(shared.objects.uri(parts))
        return seen.modified

    def check_writable(self) -> None:
        """Find out before any work whether the lake can be written.

        Raises:
            ProvenderError: it cannot.
        """
        root = self._local()
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
        shared = self._shared()
        if shared is not None:
            shared.objects.check(("_probe", uuid.uuid4().hex))

    def stored(self, *parts: str) -> Stored | None:
        """What is known of the table at `parts`; null where there is none. Fetches nothing."""
        shared = self._shared()
        if shared is not None:
            seen = shared.objects.seen(parts)
            if seen is None or "fingerprint" in seen.notes:
                return seen and _noted(self.uri(*parts), seen.notes)
        path = self.path(*parts)
        if not path.is_file():
            return None
        try:
            footer = pq.read_metadata(path)
        except pa.ArrowInvalid:
            raise ProvenderError(
                "This table is damaged.",
                where=self.uri(*parts),
                remedy="Delete the file and materialize its asset again.",
            ) from None
        known = footer.metadata or {}
        return Stored(
            self.uri(*parts),
            known.get(_FINGERPRINT.encode(), b"").decode(),
            known.get(_DATA_VERSION.encode(), b"").decode(),
            footer.num_rows,
        )

    def write(
        self, frame: pl.DataFrame, schema: pa.Schema, *parts: str, fingerprint: str
    ) -> Stored:
        """Write `frame` as the table at `parts`, checked against `schema`, whole or not at all."""
        table = conform(frame, schema).combine_chunks()
        with self._replacing(parts) as (temporary, notes), temporary.open("wb") as file:
            sink = _Hashing(file, schema)
            with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
                writer.write_table(table)
                version = sink.digest()
                writer.add_key_value_metadata({_FINGERPRINT: fingerprint, _DATA_VERSION: version})
            notes |= {"fingerprint": fingerprint, "version": version, "rows": str(table.num_rows)}
        return _noted(self.uri(*parts), notes)

    def read(self, *parts: str, columns: list[str] | None = None) -> pl.DataFrame:
        """The table at `parts`.

        Raises:
            ProvenderError: it does not exist.
        """
        path = self.path(*parts)
        if not path.is_file():
            raise ProvenderError(
                "This table does not exist yet.",
                where=self.uri(*parts),
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
        found = self.every(table, "source=*/data.parquet")
        return pl.concat([empty(schema), *map(pl.read_parquet, found)])

    def read_all(self, places: Iterable[tuple[str, ...]], schema: pa.Schema) -> pl.DataFrame:
        """The rows of all tables at `places` that exist; an empty frame of `schema` if none does.

        Raises:
            ProvenderError: one of them has other columns than `schema`; nothing is read then.
        """
        wanted = list(places)
        shared = self._shared()
        if shared is not None:
            shared.fetch_all(wanted)
        local = [self._local().joinpath(*parts) for parts in wanted]
        found = [path for path in local if path.is_file()]
        for path in found:
            _check_columns(path, schema)
        return pl.concat([empty(schema), *map(pl.read_parquet, found)])

    def stored_all(self, places: Iterable[tuple[str, ...]]) -> list[Stored | None]:
        """`stored` of each of `places`; on S3 several are asked at once."""
        with ThreadPoolExecutor(_AT_ONCE if self._shared() else 1) as pool:
            return list(pool.map(lambda parts: self.stored(*parts), places))

    @contextmanager
    def _replacing(self, parts: tuple[str, ...]) -> Iterator[tuple[Path, dict[str, str]]]:
        """A temporary file that becomes the one at `parts`, and what is to be noted of it on S3."""
        shared = self._shared()
        if shared is not None:
            with shared.replacing(parts) as both:
                yield both
        else:
            with replacing(self._local().joinpath(*parts)) as temporary:
                yield temporary, {}

    def _root(self) -> str:
        return self.root or os.environ.get("PROVENDER_LAKE", "lake")

    def _local(self) -> Path:
        """The folder of the lake, or of its working copy."""
        root = self._root()
        if not root.startswith(SCHEME):
            return Path(root).resolve()
        given = self.copy_root or os.environ.get("PROVENDER_LAKE_COPY")
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        name = root.removeprefix(SCHEME).strip("/")
        return Path(given).resolve() if given else cache / "provender" / name

    def _shared(self) -> Shared | None:
        """The lake on S3; null where it is a folder."""
        root = self._root()
        if not root.startswith(SCHEME):
            return None
        from resources.shared import shared

        named = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        return shared(root, self._local(), self.endpoint or named or "", self.region)


def _noted(uri: str, notes: Mapping[str, str]) -> Stored:
    return Stored(uri, notes["fingerprint"], notes["version"], int(notes["rows"]))


def _matches(key: tuple[str, ...], pattern: str) -> bool:
    parts = pattern.split("/")
    return len(parts) == len(key) and all(map(fnmatchcase, key, parts))


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

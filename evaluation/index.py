"""Token vectors that outlive a search: each document encoded once, kept in LanceDB, scored by MaxSim.

A table is a folder; what writes to it adds whole versions, so a killed run leaves the version before.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from math import isqrt
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from common.errors import ProvenderError
from evaluation.retrieve import maxsim_scores
from evaluation.rows import rows_of, vectors_of

if TYPE_CHECKING:
    import torch

EXACT_DOCUMENTS = 10_000
"""Up to here every document is scored, in seconds. Above, the candidates of an IVF index are."""

BATCH = 256
"""Documents that are encoded and written together: what a killed run loses, at most."""

_TABLE = "documents"
_READ = 512
_KEYS = 1_000
_MAX_FRAGMENTS = 64
"""Batches before they are rewritten as one: rewriting at each change would cost all, not what changed."""
_MAX_STALE = 0.2
_MAX_PARTITIONS = 512
_PROBES = 32

Encode = Callable[[list[str]], "Sequence[torch.Tensor]"]
Told = Callable[[int, int], None]


@dataclass(frozen=True)
class Updated:
    """Documents that an update encoded, deleted, and left as they were.

    `outdated` counts, by the adapter's name, those among the deleted that an older adapter had encoded.
    """

    encoded: int
    deleted: int
    kept: int
    outdated: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Adapters:
    """What encodes the documents of an index, where several adapters of one model do.

    Attributes:
        of: that of each document, by its key; written `NAME:FINGERPRINT`.
        current: all that encode today, those of no document among them.
    """

    of: Mapping[str, str]
    current: Collection[str]


def key_of(model: str, text: str) -> str:
    """32 hex digits that name a document: its text, as read by one model at one length.

    Args:
        model: what identifies the model with its lengths.
        text: the document as it is rendered.
    """
    return hashlib.blake2b(f"{model}\0{text}".encode(), digest_size=16).hexdigest()


class VectorIndex:
    """The documents below `folder`, all of one model. A document has a key, a source and its vectors.

    Vectors are stored in half precision: scores are exact up to that, about 0.001.

    Args:
        adapters: where several encode the documents; that of each is kept beside its vectors.
    """

    def __init__(self, folder: Path, adapters: Adapters | None = None) -> None:
        self._folder = folder
        self._adapters = adapters

    def update(
        self,
        wanted: Mapping[str, Mapping[str, str]],
        encode: Encode,
        told: Told = lambda done, total: None,
    ) -> Updated:
        """Hold exactly the documents `wanted` of the sources that it names; others stay as they are.

        Args:
            wanted: for each source, the texts by `key_of`.
            encode: gives the token vectors of each text, `(tokens, dim)` of unit length; called for
                new documents only, `BATCH` at a time.
            told: hears how many of the new ones are done: none, then after each batch.

        Raises:
            ProvenderError: the index is damaged, in use by another update, or the disk is full.
        """
        there = {(source, key) for source, texts in wanted.items() for key in texts}
        # Searches of what is indexed do not wait for each other.
        if self._held(wanted) == there and not self._lacks_ivf(self._table()):
            return Updated(0, 0, len(there))
        with self._locked("update"), self._explained():
            held = self._held(wanted)
            gone, new = held - there, there - held
            outdated = self._outdated(wanted)
            table = self._table()
            # By adapter, as changing it takes time; and the longest first: who waits is told too much rather
            # than too little.
            of = self._adapters.of if self._adapters else {}
            order = sorted(
                new, key=lambda each: (of.get(each[1], ""), -len(wanted[each[0]][each[1]]), each)
            )
            if order:
                told(0, len(order))
            for start in range(0, len(order), BATCH):
                batch = order[start : start + BATCH]
                vectors = encode([wanted[source][key] for source, key in batch])
                adapters = [self._adapters.of[key] for _, key in batch] if self._adapters else []
                rows = rows_of(batch, vectors, adapters)
                table = self._create(rows.schema) if table is None else table
                table.add(rows)
                told(start + len(batch), len(order))
            # After the new ones: a killed run has not lost what is to be replaced.
            if table is not None:
                for source in wanted:
                    _delete(table, source, [key for name, key in gone if name == source])
                self._tidy(table, len(gone))
            return Updated(len(new), len(gone), len(held) - len(gone), outdated)

    def _outdated(self, sources: Collection[str]) -> dict[str, int]:
        """How many documents of `sources` are held of adapters that encode none now, by their names."""
        with self._locked("read", shared=True), self._explained():
            table = self._table()
            if table is None or self._adapters is None:
                return {}
            other = f"NOT {_one_of('adapter', sorted(self._adapters.current))}"
            rows = (
                table.search().where(f"{_of(sources)} AND {other}").select(["adapter"]).to_arrow()
            )
        return Counter(each.partition(":")[0] for each in rows["adapter"].to_pylist())

    def scores(
        self, query: torch.Tensor, sources: Collection[str], keys: Collection[str] | None = None
    ) -> dict[str, float]:
        """MaxSim with `query` (`(tokens, dim)`) of each document of `sources`, or of those of `keys`.

        Raises:
            ProvenderError: the index is damaged.
        """
        found: dict[str, float] = {}
        with self._locked("read", shared=True), self._explained():
            table = self._table()
            for where in _filters(sources, keys) if table is not None else ():
                for names, vectors in _vectors(table, where):
                    found.update(
                        zip(names, maxsim_scores([query], vectors)[0].tolist(), strict=True)
                    )
        return found

    def candidates(self, query: torch.Tensor, sources: Collection[str], count: int) -> list[str]:
        """The keys of about `count` documents of `sources` that score high, by LanceDB's IVF index.

        Raises:
            ProvenderError: the index is damaged.
        """
        with self._locked("read", shared=True), self._explained():
            table = self._table()
            if table is None:
                return []
            found = (
                table.search(query.float().cpu().numpy(), vector_column_name="vectors")
                .distance_type("cosine")
                .where(_of(sources), prefilter=True)
                .nprobes(_PROBES)
                .limit(count)
                .select(["key", "_distance"])
                .to_arrow()
            )
        return list(dict.fromkeys(found["key"].to_pylist()))

    @cached_property
    def _database(self) -> Any:
        """One connection: opening another for each search takes a third of the search."""
        import lancedb

        return lancedb.connect(self._folder)

    def _table(self) -> Any:
        """The table, or null where none was ever whole."""
        place = self._folder / f"{_TABLE}.lance"
        if not any((place / "_versions").glob("*.manifest")):
            return None
        return self._database.open_table(_TABLE)

    def _held(self, sources: Collection[str]) -> set[tuple[str, str]]:
        """The (source, key) of what the table holds of `sources`."""
        with self._locked("read", shared=True), self._explained():
            table = self._table()
            if table is None:
                return set()
            rows = table.search().where(_of(sources)).select(["source", "key"]).to_arrow()
        return set(zip(rows["source"].to_pylist(), rows["key"].to_pylist(), strict=True))

    def _create(self, schema: pa.Schema) -> Any:
        return self._database.create_table(_TABLE, schema=schema)

    def _lacks_ivf(self, table: Any) -> bool:
        return (
            table is not None
            and table.count_rows() > EXACT_DOCUMENTS
            and not table.list_indices()  # a run may have been killed before it made one
        )

    def _tidy(self, table: Any, deleted: int) -> None:
        """Rewrite and index what has changed, where it is enough to be worth it."""
        if self._lacks_ivf(table):
            _make_ivf(table)
        rows = table.count_rows()
        stale = deleted + sum(
            table.index_stats(each.name).num_unindexed_rows for each in table.list_indices()
        )
        fragments = table.stats()["fragment_stats"]["num_fragments"]
        if stale > _MAX_STALE * rows or fragments > _MAX_FRAGMENTS:
            with self._locked("read"):  # nobody reads what is taken away
                table.optimize(cleanup_older_than=timedelta(milliseconds=1))

    @contextmanager
    def _locked(self, what: str, *, shared: bool = False) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / f".{what}.lock").open("a") as file:
            try:
                kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
                fcntl.flock(file, kind | (fcntl.LOCK_NB if what == "update" else 0))
            except BlockingIOError:
                raise ProvenderError(
                    "Another search is encoding for this index.",
                    where=str(self._folder),
                    remedy="Search again when it is done, or with `--mode lexical` now.",
                ) from None
            yield

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turns what LanceDB raises over its files into a message."""
        try:
            yield
        # Lance has no exceptions of its own: Rust's come as these.
        except (RuntimeError, ValueError, OSError, pa.ArrowException) as error:
            said = " ".join(str(error).split())
            if "No space left" in said:
                raise ProvenderError(
                    "The disk is full; what was encoded before is kept.",
                    where=str(self._folder),
                    remedy="Free some space and search again.",
                ) from None
            if not _is_lance(error):
                raise
            raise ProvenderError(
                f"The search index is damaged ({said.partition(', /')[0][:120]}).",
                where=str(self._folder),
                remedy="Delete this folder; the next search makes it again.",
            ) from error


def _is_lance(error: BaseException) -> bool:
    """Whether `error` came out of LanceDB, rather than out of a model that encodes."""
    modules = [frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__)]
    return isinstance(error, pa.ArrowException) or any(
        name.partition(".")[0] == "lancedb" for name in modules
    )


def _vectors(table: Any, where: str) -> Iterator[tuple[list[str], list[torch.Tensor]]]:
    """Keys and token vectors of the rows that meet `where`, some at a time."""
    for batch in table.search().where(where).select(["key", "vectors"]).to_batches(_READ):
        if batch.num_rows:
            yield batch["key"].to_pylist(), vectors_of(batch)


def _delete(table: Any, source: str, keys: Sequence[str]) -> None:
    for start in range(0, len(keys), _KEYS):
        table.delete(f"{_of([source])} AND {_one_of('key', keys[start : start + _KEYS])}")


def _filters(sources: Collection[str], keys: Collection[str] | None) -> Iterator[str]:
    if keys is None:
        yield _of(sources)
        return
    ordered = sorted(keys)
    for start in range(0, len(ordered), _KEYS):
        yield f"{_of(sources)} AND {_one_of('key', ordered[start : start + _KEYS])}"


def _of(sources: Collection[str]) -> str:
    return _one_of("source", sorted(sources))


def _one_of(column: str, values: Sequence[str]) -> str:
    quoted = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
    return f"{column} IN ({quoted})"


def _make_ivf(table: Any) -> None:
    """An IVF index of one bit a dimension (RaBitQ): its candidates are scored again, exactly.

    A tenth of the vectors' size, and no codebook to train.
    """
    from lancedb.index import IvfRq

    [first] = table.search().select(["vectors"]).limit(1).to_arrow()["vectors"].to_pylist()
    table.create_index(
        "vectors",
        config=IvfRq(
            distance_type="cosine",
            num_partitions=max(1, min(_MAX_PARTITIONS, isqrt(table.count_rows() * len(first)))),
            max_iterations=10,
            sample_rate=64,
        ),
    )

"""The mined negatives of a stage as training reads them: those of a pair, by its id, from a mapped file.

How they are found is `training/negatives.py`.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from common.atomic import replacing
from common.errors import ProvenderError

_COLUMNS = ["code", "prose", "file_context", "cluster_id"]


class Negatives(Protocol):
    """Hard negatives by pair."""

    @property
    def left_out(self) -> Collection[str]:
        """Pairs that are not to be trained on."""
        ...

    def of(self, pair_id: str) -> list[dict[str, Any]]:
        """The negatives of a pair, best first: `code`, `prose`, `file_context`, `cluster_id`."""
        ...


class NoNegatives:
    """In-batch negatives alone."""

    left_out: Collection[str] = ()

    def of(self, pair_id: str) -> list[dict[str, Any]]:
        return []


class Mined:
    """What `training/negatives.py` wrote into `folder`.

    Args:
        folder: holds `negatives.parquet` and `consistency.parquet`.
        work: where the texts are put, memory-mapped.
        consistency: pairs whose own document is not among so many first are left out.

    Raises:
        ProvenderError: a table is missing or unreadable.
    """

    def __init__(self, folder: Path, work: Path, consistency: int | None) -> None:
        table = _read(folder / "negatives.parquet", ["pair_id", "rank", *_COLUMNS])
        table = table.sort_by([("pair_id", "ascending"), ("rank", "ascending")])
        pairs = table["pair_id"].to_pylist()
        starts = [n for n, pair in enumerate(pairs) if n == 0 or pair != pairs[n - 1]]
        self._place = {
            pairs[start]: (start, stop)
            for start, stop in zip(starts, [*starts[1:], len(pairs)], strict=True)
        }
        path = work / "negatives.arrow"
        schema = pa.schema([(name, pa.large_string()) for name in _COLUMNS])
        with replacing(path) as temporary, pa.ipc.new_file(temporary, schema) as writer:
            writer.write_table(table.select(_COLUMNS).cast(schema))
        with pa.memory_map(str(path)) as source:
            self._table = pa.ipc.open_file(source).read_all()
        self.left_out: Collection[str] = frozenset()
        if consistency is not None:
            ranks = _read(folder / "consistency.parquet", ["pair_id", "rank"])
            worse = np.asarray(ranks["rank"]) > consistency
            self.left_out = frozenset(ranks["pair_id"].filter(pa.array(worse)).to_pylist())

    def of(self, pair_id: str) -> list[dict[str, Any]]:
        start, stop = self._place.get(pair_id, (0, 0))
        return self._table.slice(start, stop - start).to_pylist()


def _read(path: Path, columns: list[str]) -> pa.Table:
    try:
        return pq.read_table(path, columns=columns)
    except (OSError, pa.ArrowInvalid) as error:
        raise ProvenderError(
            f"The mined negatives cannot be read: {str(error).splitlines()[0]}",
            where=str(path),
            remedy="Mine them again: materialize `hard_negatives`, or run `python -m training.negatives`.",
        ) from None

"""The pairs of a Parquet corpus: which are drawn in an epoch, and their texts at hand by position.

The corpus is streamed. What stays in memory is its `Index`, about 50 bytes a pair; the texts of what is drawn
lie in a memory-mapped file beside the run, from which the system drops pages as it needs to.
How pairs meet in a batch is `training/batches.py`; how they are written for a model, `training/data.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from common.atomic import replacing
from common.errors import ProvenderError, hint
from training.recipe import Mixture, Recipe

TEXTS = [
    *("pair_id", "query", "positive", "doc_rest", "file_context", "query_kind", "cluster_id"),
    *("symbol", "language", "dialect", "domain", "pair_type"),
]
"""The columns that a drawn pair has."""

_INDEXED = [
    *("pair_id", "query", "positive", "doc_rest", "query_kind", "pair_type"),
    *("cluster_id", "source", "language", "domain", "weight"),
]
_PROVENANCE = ["revision", "license"]
_ROWS = 16_384


@dataclass(frozen=True)
class Index:
    """What is asked of a pair before its texts are: one entry each, in the order of the corpus.

    Attributes:
        weight: how often it is drawn; 0 never.
        domain, group: codes of its domain, and of what a batch may not mix (language or source).
        cluster, query: hashes of its near-duplicate cluster and of its query without case.
        length: characters of its document.
        doubtful: whether it is left out though it is drawn.
    """

    weight: np.ndarray
    domain: np.ndarray
    group: np.ndarray
    cluster: np.ndarray
    query: np.ndarray
    length: np.ndarray
    doubtful: np.ndarray
    domains: tuple[str, ...]
    groups: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.weight)


def read_index(corpus: Path, recipe: Recipe, left_out: Collection[str] = ()) -> Index:
    """One pass over the Parquet table or folder `corpus`.

    Args:
        left_out: pair_ids that are doubtful. They are drawn as if they were not, so that a draw does not
            depend on them, and nothing takes their place.

    Raises:
        ProvenderError: the table is missing, unreadable or held out, or lacks a column.
    """
    by = {"language": "language", "source": "source", "anything": None}[recipe.batches.within]
    domains, groups = _Codes(), _Codes()
    columns: dict[str, list[np.ndarray]] = {}
    out = frozenset(left_out)
    for rows in _stream(corpus, _INDEXED):
        values = {name: rows[name].to_pylist() for name in rows.schema.names}
        found = {
            "weight": np.array(_weights(values, recipe.mixture), dtype=np.float64),
            "doubtful": np.array([each in out for each in values["pair_id"]], dtype=bool),
            "domain": domains(values["domain"]),
            "group": groups(values[by] if by else [""] * rows.num_rows),
            "cluster": np.array([hash(each) for each in values["cluster_id"]], dtype=np.int64),
            "query": np.array([hash(each.casefold()) for each in values["query"]], dtype=np.int64),
            "length": np.array(
                [
                    len(c) + len(d)
                    for c, d in zip(values["positive"], values["doc_rest"], strict=True)
                ],
                dtype=np.int32,
            ),
        }
        for name, array in found.items():
            columns.setdefault(name, []).append(array)
    whole = {name: np.concatenate(arrays) for name, arrays in columns.items()}
    if not whole:
        raise ProvenderError(
            "The corpus has no pair.",
            where=str(corpus),
            remedy="Add sources, or name another data set.",
        )
    return Index(**whole, domains=tuple(domains.names), groups=tuple(groups.names))


class _Codes:
    """Names as small numbers, in order of appearance."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}

    def __call__(self, values: Sequence[str]) -> np.ndarray:
        return np.array(
            [self.names.setdefault(each, len(self.names)) for each in values], dtype=np.int32
        )


def _weights(values: dict[str, list[Any]], mixture: Mixture) -> list[float]:
    kinds, types = mixture.query_kinds, mixture.pair_types
    columns = (values[name] for name in ("weight", "query_kind", "pair_type"))
    return [
        (weight if mixture.weighted else float(weight > 0))
        * kinds.get(kind, 0.0)
        * types.get(pair_type, 0.0)
        for weight, kind, pair_type in zip(*columns, strict=True)
    ]


def draw(index: Index, mixture: Mixture, seed: int) -> np.ndarray:
    """Positions of `max_pairs` pairs, by weight without replacement, in random order.

    Weighted sampling is Efraimidis and Spirakis's (2006). With `domains`, each has its share; one that has
    fewer pairs gives what it has, and the others no more for it.
    """
    weights = index.weight
    kept = np.flatnonzero(weights > 0)
    uniform = np.random.default_rng(seed).random(len(index))
    keys = np.full(len(index), -np.inf)
    keys[kept] = np.log(uniform[kept]) / weights[kept]
    order = kept[np.argsort(-keys[kept], kind="stable")]
    if not mixture.domains:
        return order[: mixture.max_pairs]
    of_domain = index.domain[order]
    chosen = np.zeros(len(order), dtype=bool)
    for name, share in mixture.domains.items():
        if name in index.domains:
            rows = np.flatnonzero(of_domain == index.domains.index(name))
            chosen[rows[: round(share * mixture.max_pairs)]] = True
    return order[chosen]


def pairs_of(recipe: Recipe, lake: Path) -> Path:
    """Where `lake` has the pairs that `recipe` asks for.

    Raises:
        ProvenderError: it has no such data set.
    """
    if recipe.dataset is None:
        return lake / "corpus" / "split=train"
    place = lake / "datasets" / f"{recipe.dataset}.parquet"
    if not place.is_file():
        made = [each.stem for each in place.parent.glob("*.parquet")]
        known = f"; {hint(recipe.dataset, made)}" if made else ""
        raise ProvenderError(
            f"There is no data set `{recipe.dataset}`{known}",
            where=str(place),
            remedy="Correct `dataset` in the recipe, or run `provender datasets` first.",
        )
    return place


class Texts:
    """The texts of drawn pairs, memory-mapped: any of them is at hand, none is held."""

    def __init__(self, path: Path, positions: np.ndarray) -> None:
        """Open the file `path`, which holds the rows of `positions` (ascending) in their order."""
        self._positions = positions
        with pa.memory_map(str(path)) as source:
            self._table = pa.ipc.open_file(source).read_all()

    @classmethod
    def write(cls, corpus: Path, positions: np.ndarray, path: Path) -> Texts:
        """Copy the rows of `positions` (ascending) out of `corpus` to `path`, streaming.

        Raises:
            ProvenderError: the corpus cannot be read, or the disk is full.
        """
        schema = pa.schema([(name, pa.large_string()) for name in TEXTS])
        with replacing(path) as temporary, pa.ipc.new_file(temporary, schema) as writer:
            start = 0
            for rows in _stream(corpus, TEXTS):
                stop = start + rows.num_rows
                first, last = np.searchsorted(positions, (start, stop))
                if first < last:
                    taken = rows.take(pa.array(positions[first:last] - start))
                    writer.write_batch(taken.select(TEXTS).cast(schema))
                start = stop
        return cls(path, positions)

    @property
    def table(self) -> pa.Table:
        """All rows, without a copy."""
        return self._table

    def rows(self, positions: np.ndarray) -> list[dict[str, Any]]:
        """The rows at `positions` of the corpus, in that order."""
        return self._table.take(pa.array(np.searchsorted(self._positions, positions))).to_pylist()


def _stream(corpus: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The rows of `corpus` in a fixed order, some thousands at a time."""
    if not corpus.exists():
        raise ProvenderError(
            "There is no corpus.",
            where=str(corpus),
            remedy="Materialize the asset `corpus` first, or run `make demo`.",
        )
    try:
        table = ds.dataset(corpus, format="parquet")
        table.scanner(columns=_PROVENANCE)
        held_out = "split" in table.schema.names
        asked = list(dict.fromkeys([*columns, *(["split"] if held_out else [])]))
        for rows in table.scanner(columns=asked, batch_size=_ROWS, use_threads=True).to_batches():
            if held_out and set(rows["split"].unique().to_pylist()) - {"train"}:
                raise ProvenderError(
                    "These pairs are held out: what is trained on them cannot be judged by them.",
                    where=str(corpus),
                    remedy="Name a data set of split `train`.",
                )
            if rows.num_rows:
                yield rows
    except (OSError, pa.ArrowInvalid) as error:
        raise ProvenderError(
            f"The corpus cannot be read: {str(error).splitlines()[0]}",
            where=str(corpus),
            remedy="Materialize the asset `corpus` again.",
        ) from None

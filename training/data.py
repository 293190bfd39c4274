"""Pairs from Parquet, drawn by weight, written as documents, put into batches.

Deterministic: recipe and table give the same batches in the same order, so that a killed run
continues at its exact batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from common.errors import ProvenderError
from evaluation.documents import render
from training.recipe import Mixture, Recipe

if TYPE_CHECKING:
    from sentence_transformers import MultiVectorEncoder

_COLUMNS = [
    *("pair_id", "query", "positive", "doc_rest", "signature", "query_kind", "pair_type"),
    *("cluster_id", "file_context", "source", "weight"),
]


_CHUNK = 8
"""Documents embedded together: they are sorted by length, so that a chunk needs little padding."""

TokenBatch = tuple[dict[str, Any], list[dict[str, Any]]]
"""The token ids of a batch's queries, and of its documents chunk by chunk."""


@dataclass(frozen=True, slots=True)
class Example:
    """One query with its document, as the model reads them."""

    query: str
    document: str


def read_batches(corpus: Path, recipe: Recipe, epoch: int = 0) -> list[list[Example]]:
    """Draw the pairs of `epoch` from the Parquet table or folder `corpus` and batch them.

    No query, and no unit or near-duplicate of it, is twice in a batch, in which short documents come first.

    Raises:
        ProvenderError: the table is missing, or has too few pairs for one batch.
    """
    rows = _draw(_read(corpus), recipe.mixture, recipe.seed + epoch)
    generator = np.random.default_rng([recipe.seed, epoch])
    if recipe.mixture.same_source_batches:
        sources = dict.fromkeys(row["source"] for row in rows)
        groups = [[row for row in rows if row["source"] == source] for source in sources]
        grouped = [batch for group in groups for batch in _batch(group, recipe.batch_size)]
        batches = [grouped[index] for index in generator.permutation(len(grouped))]
    else:
        batches = _batch(rows, recipe.batch_size)
    if not batches:
        raise ProvenderError(
            f"The corpus gives {len(rows)} pairs, too few for one batch of {recipe.batch_size}.",
            where=str(corpus),
            remedy="Add sources, or lower batch_size.",
        )
    return [
        sorted(
            (_example(row, recipe.mixture, generator) for row in each),
            key=lambda example: len(example.document),
        )
        for each in batches
    ]


class EpochLoader:
    """Endless epochs of tokenized batches; its state is (epoch, position), so it resumes exactly."""

    def __init__(self, corpus: Path, recipe: Recipe, encoder: MultiVectorEncoder) -> None:
        self._corpus, self._recipe, self._encoder = corpus, recipe, encoder
        self._epoch = self._position = 0
        self._batches = read_batches(corpus, recipe)

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[TokenBatch]:
        # Epochs may differ by a batch where collisions fall otherwise; the first one sets the length.
        batches = read_batches(self._corpus, self._recipe, self._epoch)[: len(self)]
        for batch in batches[self._position :]:
            self._position += 1
            if self._position == len(batches):  # Lightning asks for nothing past the last batch
                self._epoch, self._position = self._epoch + 1, 0
            yield self._tokens(batch)

    def state_dict(self) -> dict[str, int]:
        return {"epoch": self._epoch, "position": self._position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self._epoch, self._position = state["epoch"], state["position"]

    def _tokens(self, batch: list[Example]) -> TokenBatch:
        queries = self._encoder.preprocess([each.query for each in batch], task="query")
        chunks = [batch[start : start + _CHUNK] for start in range(0, len(batch), _CHUNK)]
        documents = [
            self._encoder.preprocess([each.document for each in chunk], task="document")
            for chunk in chunks
        ]
        return queries, documents


def _read(corpus: Path) -> list[dict[str, Any]]:
    if not corpus.exists():
        raise ProvenderError(
            "There is no corpus.",
            where=str(corpus),
            remedy="Materialize the asset `corpus` first, or run `make demo`.",
        )
    try:
        table = ds.dataset(corpus, format="parquet")
        table.scanner(columns=["revision", "license"])
        _check_split(table, corpus)
        return table.to_table(columns=_COLUMNS).to_pylist()
    except pa.ArrowInvalid as error:
        raise ProvenderError(
            f"The corpus cannot be read: {str(error).splitlines()[0]}",
            where=str(corpus),
            remedy="Materialize the asset `corpus` again.",
        ) from None


def _check_split(table: ds.Dataset, corpus: Path) -> None:
    """A named data set may be one to evaluate on."""
    if "split" not in table.schema.names:
        return
    splits = set(table.to_table(columns=["split"])["split"].unique().to_pylist())
    if splits - {"train"}:
        raise ProvenderError(
            "These pairs are held out: what is trained on them cannot be judged by them.",
            where=str(corpus),
            remedy="Name a data set of split `train`.",
        )


def _draw(rows: list[dict[str, Any]], mixture: Mixture, seed: int) -> list[dict[str, Any]]:
    """`max_pairs` rows without replacement, by weight (Efraimidis and Spirakis 2006)."""
    weights = np.array([_weight(row, mixture) for row in rows])
    kept = np.flatnonzero(weights > 0)
    uniform = np.random.default_rng(seed).random(len(rows))
    keys = np.log(uniform[kept]) / weights[kept]
    return [rows[index] for index in kept[np.argsort(-keys)][: mixture.max_pairs]]


def _weight(row: Mapping[str, Any], mixture: Mixture) -> float:
    kind = mixture.query_kinds.get(row["query_kind"], 0.0)
    return row["weight"] * kind * mixture.pair_types.get(row["pair_type"], 0.0)


def _batch(rows: list[dict[str, Any]], size: int) -> list[list[dict[str, Any]]]:
    """Fill batches in order; a row whose query or near-duplicate is in the batch waits for the next."""
    batches: list[list[dict[str, Any]]] = []
    waiting = rows
    while len(waiting) >= size:
        batch, rest, clusters, queries = [], [], set(), set()
        for row in waiting:
            query = row["query"].casefold()
            if len(batch) == size or row["cluster_id"] in clusters or query in queries:
                rest.append(row)
                continue
            batch.append(row)
            clusters.add(row["cluster_id"])
            queries.add(query)
        if len(batch) < size:
            break
        batches.append(batch)
        waiting = rest
    return batches


def _example(row: Mapping[str, Any], mixture: Mixture, generator: np.random.Generator) -> Example:
    indexed, own = generator.random(2)
    if indexed >= mixture.indexed_share:
        return Example(row["query"], row["positive"])
    keeps_own = own < mixture.own_sentence_share and row["query_kind"] != "keywords"
    doc = f"{row['query']}. {row['doc_rest']}" if keeps_own else row["doc_rest"]
    definition = {**row, "code": row["positive"], "prose": doc}
    return Example(row["query"], render(definition, "indexed"))

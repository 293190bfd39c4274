"""Batches as a model reads them: a pair's query, its document in one of two forms, their token ids.

Deterministic: recipe and table give the same batches in the same order, so that a killed run continues at its
exact batch. What is drawn is `training/pairs.py`'s, what meets in a batch `training/batches.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from common.errors import ProvenderError
from evaluation.documents import render
from training.batches import plan
from training.hard import Negatives, NoNegatives
from training.model import Task, tokenize
from training.pairs import Texts, draw, read_index
from training.recipe import Mixture, Recipe

if TYPE_CHECKING:
    from sentence_transformers import MultiVectorEncoder

Features = dict[str, Any]
"""Token ids and attention mask of some texts, `(texts, tokens)` each."""

_QUERIES = 4
"""Queries are some times shorter than documents: as many times more are embedded together."""


@dataclass(frozen=True, slots=True)
class Negative:
    """A wrong document. `cluster` is of its unit, empty where a mutation made it."""

    document: str
    cluster: str


@dataclass(frozen=True, slots=True)
class Example:
    """One query with its document, as the model reads them, and wrong documents that are near it."""

    query: str
    document: str
    cluster: str
    negatives: tuple[Negative, ...] = ()


class TokenBatch(NamedTuple):
    """What one process embeds of a batch, in chunks, and which documents of all processes are whose.

    The documents of a batch are those of the first process, its positives before its negatives, then those of
    the second, and so on.

    Attributes:
        queries, documents: token ids, chunk by chunk, short documents first.
        targets: `(queries,)`, the place of each query's own document among those of all processes.
        allowed: `(queries, documents of all processes)`, false for another query's negative that answers it.
        counts: documents of each process.
        teacher: the same queries and documents for another model that scores them, where there is one.
    """

    queries: list[Features]
    documents: list[Features]
    targets: torch.Tensor
    allowed: torch.Tensor
    counts: list[int]
    teacher: tuple[list[Features], list[Features]] | None = None


class Batches:
    """The batches of the epochs of `recipe` over the pairs of `corpus`.

    Args:
        corpus: a Parquet table or folder of training pairs (`corpus/schema.py`, CORPUS).
        folder: where the texts of what is drawn are put, memory-mapped.
        negatives: hard negatives of the pairs, where there are any.

    Raises:
        ProvenderError: the table is missing or unreadable, or has too few pairs for one batch.
    """

    def __init__(
        self, corpus: Path, recipe: Recipe, folder: Path, negatives: Negatives | None = None
    ) -> None:
        self._recipe = recipe
        self._negatives = negatives or NoNegatives()
        self._index = read_index(corpus, recipe, self._negatives.left_out)
        epochs = [self._plan(epoch) for epoch in range(recipe.epochs)]
        # An epoch's collisions may fall so that it has a batch more than another: all have as many.
        self._length = min(len(each) for each in epochs)
        if not self._length:
            drawn = len(draw(self._index, recipe.mixture, recipe.seed))
            raise ProvenderError(
                f"The corpus gives {drawn} pairs, too few for one batch of {recipe.batch_size}.",
                where=str(corpus),
                remedy="Add sources, or lower batch_size.",
            )
        self.positions = np.unique(np.concatenate([rows for each in epochs for rows in each]))
        """Which pairs of the corpus are trained on, ascending."""
        self._texts = Texts.write(corpus, self.positions, folder / "pairs.arrow")

    def __len__(self) -> int:
        """Batches in an epoch."""
        return self._length

    def epoch(self, number: int, start: int = 0) -> Iterator[list[Example]]:
        """The batches of epoch `number`, from the batch `start` on."""
        batches = self._plan(number)[: len(self)]
        for place, positions in enumerate(batches[start:], start):
            # A generator of its own for each batch: where a run goes on changes nothing.
            generator = np.random.default_rng([self._recipe.seed, number, place])
            rows = self._texts.rows(positions)
            examples = [self._example(row, generator) for row in rows]
            # As written, and so by the length that is padded.
            yield sorted(examples, key=lambda example: len(example.document))

    def _plan(self, epoch: int) -> list[np.ndarray]:
        recipe = self._recipe
        drawn = draw(self._index, recipe.mixture, recipe.seed + epoch % recipe.epochs)
        drawn = drawn[~self._index.doubtful[drawn]]
        generator = np.random.default_rng([recipe.seed, epoch])
        return plan(self._index, drawn, recipe.batch_size, recipe.batches, generator)

    def _example(self, row: Mapping[str, Any], generator: np.random.Generator) -> Example:
        mixture = self._recipe.mixture
        indexed, own = generator.random(2)
        write = _writer(mixture) if indexed < mixture.indexed_share else _code
        keeps_own = own < mixture.own_sentence_share and row["query_kind"] != "keywords"
        doc = f"{row['query']}. {row['doc_rest']}" if keeps_own else row["doc_rest"]
        found = self._negatives.of(row["pair_id"])
        per_pair = self._recipe.hard_negatives.per_pair
        if len(found) > per_pair:
            some = generator.choice(len(found), per_pair, replace=False)
            found = [found[place] for place in sorted(some)]
        return Example(
            row["query"],
            # A negative is written as its positive is, or its form would give it away.
            write({"code": row["positive"], "prose": doc, "file_context": row["file_context"]}),
            row["cluster_id"],
            tuple(Negative(write(each), each["cluster_id"] or "") for each in found),
        )


def _code(definition: Mapping[str, str]) -> str:
    return render(definition, "code")


def _writer(mixture: Mixture) -> Any:
    if mixture.file_context:
        return lambda definition: render(definition, "indexed")
    return lambda definition: render({**definition, "file_context": ""}, "indexed")


class EpochLoader:
    """Epochs of tokenized batches; its state is (epoch, position), so it resumes exactly.

    The next batch is tokenized while the current one is trained on.

    Args:
        encoder: whose tokenizer cuts queries and documents.
        teacher: another model that is to read the same texts.
        rank, world: which share of each batch this process embeds, of how many processes.
    """

    def __init__(
        self,
        batches: Batches,
        recipe: Recipe,
        encoder: MultiVectorEncoder,
        *,
        teacher: MultiVectorEncoder | None = None,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._batches, self._recipe, self._encoder, self._teacher = (
            batches,
            recipe,
            encoder,
            teacher,
        )
        self._rank, self._world = rank, world
        self._epoch = self._position = 0

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[TokenBatch]:
        upcoming = self._batches.epoch(self._epoch, self._position)
        with ThreadPoolExecutor(1) as pool:
            following = pool.submit(self._next, upcoming)
            while (batch := following.result()) is not None:
                following = pool.submit(self._next, upcoming)
                self._position += 1
                if self._position == len(self):  # Lightning asks for nothing past the last batch
                    self._epoch, self._position = self._epoch + 1, 0
                yield batch

    def state_dict(self) -> dict[str, int]:
        return {"epoch": self._epoch, "position": self._position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self._epoch, self._position = state["epoch"], state["position"]

    def _next(self, upcoming: Iterator[list[Example]]) -> TokenBatch | None:
        batch = next(upcoming, None)
        return None if batch is None else self._tokens(batch)

    def _tokens(self, batch: list[Example]) -> TokenBatch:
        shares = [_share(batch[rank :: self._world]) for rank in range(self._world)]
        queries, documents = _texts(shares[self._rank])
        offset = sum(len(_texts(share)[1]) for share in shares[: self._rank])
        return TokenBatch(
            queries=self._chunks(self._encoder, queries, "query"),
            documents=self._chunks(self._encoder, documents, "document"),
            targets=torch.arange(len(queries)) + offset,
            allowed=_allowed(shares[self._rank][0], shares),
            counts=[len(_texts(share)[1]) for share in shares],
            teacher=None
            if self._teacher is None
            else (
                self._chunks(self._teacher, queries, "query"),
                self._chunks(self._teacher, documents, "document"),
            ),
        )

    def _chunks(
        self, encoder: MultiVectorEncoder, texts: Sequence[str], task: Task
    ) -> list[Features]:
        size = self._recipe.batches.chunk * (_QUERIES if task == "query" else 1)
        return [
            tokenize(encoder, list(texts[start : start + size]), task)
            for start in range(0, len(texts), size)
        ]


_Share = tuple[list[Example], list[Negative]]
"""The examples of one process, and their negatives, short ones first."""


def _share(examples: Sequence[Example]) -> _Share:
    negatives = [each for example in examples for each in example.negatives]
    return list(examples), sorted(negatives, key=lambda each: len(each.document))


def _texts(share: _Share) -> tuple[list[str], list[str]]:
    examples, negatives = share
    documents = [each.document for each in (*examples, *negatives)]
    return [each.query for each in examples], documents


def _allowed(own: Sequence[Example], shares: Sequence[_Share]) -> torch.Tensor:
    """`(own, documents of all shares)`: a negative of one query may be an answer to another."""
    clusters: list[str] = []
    for examples, negatives in shares:
        # The batch has no two positives of one cluster: they are right or wrong for sure.
        clusters += [""] * len(examples) + [each.cluster for each in negatives]
    return torch.tensor([[each.cluster != cluster for cluster in clusters] for each in own])

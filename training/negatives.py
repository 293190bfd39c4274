"""Hard negatives: what a search finds for a training query, near its answer, and must not find.

Mined with the checkpoint that goes on to be trained and with BM25, filtered by what the positive itself
scores, and joined by mutants of formal code (`training.mutations`). The same pass ranks every pair's own
document: a pair whose document is not found by its query is a doubtful one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from common.errors import ProvenderError
from common.hashing import digest
from common.progress import silent
from evaluation.bm25 import bm25_scores
from evaluation.documents import render
from evaluation.retrieve import encode, maxsim_scores
from training.model import tokenize
from training.mutations import Mutation, mutate
from training.pools import Row, Shard, right_answers, shape_of, shards
from training.recipe import Negatives
from training.spoken import spoken_of

if TYPE_CHECKING:
    import torch
    from sentence_transformers import MultiVectorEncoder


@dataclass(frozen=True, slots=True)
class Mined:
    """Both tables of a pass: `NEGATIVES` and `CONSISTENCY`, ordered by pair_id and rank."""

    negatives: pa.Table
    consistency: pa.Table


def _column(name: str, kind: pa.DataType, description: str, *, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"description": description})


NEGATIVES = pa.schema(
    [
        _column("pair_id", pa.string(), "the pair whose query it is a negative of"),
        _column("rank", pa.int32(), "place among the pair's negatives, from 0; mutants come last"),
        _column("kind", pa.string(), "model, bm25, both, sibling, or the name of a mutation"),
        _column(
            "negative_id", pa.string(), "the pair it was taken from; null: mutant", nullable=True
        ),
        _column("code", pa.string(), "the code, without its doc"),
        _column("prose", pa.string(), "the doc, without its own query's sentence"),
        _column("file_context", pa.string(), "source name + path"),
        _column("cluster_id", pa.string(), "its near-duplicates; null: mutant", nullable=True),
        _column("score", pa.float32(), "MaxSim of the query with it"),
        _column("positive_score", pa.float32(), "MaxSim of the query with its own document"),
    ]
)

CONSISTENCY = pa.schema(
    [
        _column("pair_id", pa.string(), "the pair"),
        _column(
            "rank", pa.int32(), "of its own document for its query, from 1; ties count against it"
        ),
        _column("score", pa.float32(), "MaxSim of its query with its own document"),
        _column("pool", pa.int32(), "documents ranked, its own and no other right answer included"),
    ]
)

COLUMNS = (
    *("pair_id", "query", "positive", "doc_rest", "file_context", "symbol", "language", "dialect"),
    *("domain", "cluster_id", "query_kind", "pair_type"),
)
"""What `mine` reads of a corpus."""


def mine(
    pairs: pa.Table,
    encoder: MultiVectorEncoder,
    settings: Negatives,
    autocast: AbstractContextManager,
    progress: Callable[[int, int], None] = silent,
) -> Mined:
    """Hard negatives of `pairs`, and each pair's consistency rank.

    Languages are searched apart, and one of more than `pool_size` documents in shards: whole files side
    by side, drawn by a hash. In its shard, a query meets every document by exact MaxSim (Khattab and
    Zaharia 2020) and by BM25, as search would index them (path, prose, code). Never negatives: documents
    of the pair's cluster, of its symbol in its file or of the type around it, of equal code, and the
    answers of an equal query.

    Candidates are both rankings' tops, and lemmas whose conclusion has the positive's shape. Those near
    or above the positive's own score are dropped (positive-aware mining, Moreira et al. 2024,
    NV-Retriever), by the model's score and by BM25's. The rest is ordered by reciprocal rank fusion of
    the rankings (Cormack et al. 2009), so that names, words and meaning all count; of a cluster, only the
    first stays. Mutants are no candidates: that they score like the positive is why they are there.
    A mutant counts if the query speaks of what it changes and the encoder sees the change: it may stand
    behind the last token, or be written with signs that the tokenizer does not tell apart.

    Memory: token vectors in fp16 of one shard's documents and queries, `tokens * dim * 2` bytes (20,000
    documents of 224 tokens at 384 dimensions: 3.4 GB), and two score matrices of up to 256 MB each. Time:
    on top of one encoding, `queries * documents` MaxSims a shard; on a CPU, keep `pool_size` to thousands.

    The result does not depend on the order of rows, nor on anything but pairs, weights and settings; in
    half precision, the last digits of a score depend on the device.

    Args:
        pairs: has `COLUMNS`; no pair_id twice.
        encoder: cuts documents at its own document length.
        settings: see `Negatives`.
        autocast: the precision in which the encoder runs; entered again for each batch.
        progress: told after each pair, how many were gone through and how many will be.

    Raises:
        ProvenderError: a column is missing, or a pair is there twice.
    """
    negatives: list[dict[str, Any]] = []
    ranks: list[dict[str, Any]] = []
    for shard in shards(_rows(pairs), settings.pool_size):
        mutants = _mutants(shard, encoder, settings, autocast)
        for row, place in _search(shard, encoder, settings, autocast):
            ranks.append(place.consistency(row))
            progress(len(ranks), pairs.num_rows)
            found = place.mined(
                row, shard, settings, settings.per_pair - len(mutants[row["pair_id"]])
            )
            for rank, negative in enumerate(found + mutants[row["pair_id"]]):
                negatives.append(negative | {"rank": rank, "positive_score": place.own})
    return Mined(_table(negatives, NEGATIVES), _table(ranks, CONSISTENCY))


def _rows(pairs: pa.Table) -> list[Row]:
    missing = [name for name in COLUMNS if name not in pairs.column_names]
    if missing:
        raise ProvenderError(
            f"The pairs have no column {', '.join(missing)}.",
            where="training.negatives",
            remedy="Give pairs of the corpus, or of a data set made from it.",
        )
    rows = sorted(pairs.select(COLUMNS).to_pylist(), key=lambda row: row["pair_id"])
    twice = [a["pair_id"] for a, b in pairwise(rows) if a["pair_id"] == b["pair_id"]]
    if twice:
        raise ProvenderError(
            f"{len(twice)} pairs are there twice, {twice[0]} first.",
            where="training.negatives",
            remedy="Give each pair once.",
        )
    return rows


def _table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    rows.sort(key=lambda row: (row["pair_id"], row["rank"]))
    return pa.Table.from_pylist(rows, schema=schema)


# Search


_QUERIES = {"cpu": 256, "other": 4096}
"""Queries scored at once."""

_ELEMENTS = 64_000_000
"""Scores held at once, in each of two matrices."""


@dataclass(frozen=True, slots=True)
class _Place:
    """What one pair's query scores with every document of its shard, in the shard's order."""

    model: np.ndarray
    lexical: np.ndarray
    own: float
    own_lexical: float
    allowed: np.ndarray
    """Which documents can be negatives."""

    def consistency(self, row: Row) -> dict[str, Any]:
        others = self.model[self.allowed]
        return {
            "pair_id": row["pair_id"],
            "rank": 1 + int((others >= self.own).sum()),
            "score": self.own,
            "pool": 1 + len(others),
        }

    def mined(
        self, row: Row, shard: Shard, settings: Negatives, count: int
    ) -> list[dict[str, Any]]:
        """At most `count` negatives, best first."""
        if settings.top_k and self.consistency(row)["rank"] > settings.top_k:
            return []
        tops = {
            "model": _top(self.model, self.allowed, settings.candidates),
            "bm25": _top(self.lexical, self.allowed & (self.lexical > 0), settings.candidates),
            "sibling": _top(
                self.model, self.allowed & self._siblings(row, shard), settings.candidates
            ),
        }
        fused: dict[int, float] = defaultdict(float)
        for top in tops.values():
            for rank, at in enumerate(top, 1):
                fused[at] += 1 / (_FUSION + rank)
        found: dict[str, dict[str, Any]] = {}
        for at in sorted(fused, key=lambda at: (-fused[at], at)):
            document = shard.documents[at]
            if len(found) < count and self._is_negative(at, settings):
                kind = _kind(at, tops)
                negative = _negative(row, document, kind, float(self.model[at]))
                found.setdefault(document["cluster_id"], negative)
        return list(found.values())

    def _siblings(self, row: Row, shard: Shard) -> np.ndarray:
        found = np.zeros(len(shard.documents), dtype=bool)
        shape = shape_of(row)
        found[shard.shapes.get(shape or "", [])] = True
        return found

    def _is_negative(self, at: int, settings: Negatives) -> bool:
        def exceeds(score: float, share: float | None, own: float) -> bool:
            return share is not None and score > share * own

        return not (
            exceeds(self.model[at], settings.threshold, self.own)
            or exceeds(self.lexical[at], settings.lexical_threshold, self.own_lexical)
            or (settings.floor is not None and self.model[at] < settings.floor * self.own)
        )


_FUSION = 60
"""Of reciprocal rank fusion, as in Cormack et al. 2009."""


def _top(scores: np.ndarray, allowed: np.ndarray, count: int) -> list[int]:
    """The best of the allowed documents; of equal ones, the one of the lower pair_id comes first."""
    order = np.argsort(-scores, kind="stable")
    return order[allowed[order]][:count].tolist()


def _kind(at: int, tops: Mapping[str, list[int]]) -> str:
    if at in tops["sibling"]:
        return "sibling"
    if at in tops["model"] and at in tops["bm25"]:
        return "both"
    return "model" if at in tops["model"] else "bm25"


def _negative(row: Row, document: Row, kind: str, score: float) -> dict[str, Any]:
    return {
        "pair_id": row["pair_id"],
        "kind": kind,
        "negative_id": document["pair_id"],
        "code": document["positive"],
        "prose": document["doc_rest"],
        "file_context": document["file_context"],
        "cluster_id": document["cluster_id"],
        "score": score,
    }


def _search(
    shard: Shard,
    encoder: MultiVectorEncoder,
    settings: Negatives,
    autocast: AbstractContextManager,
) -> Iterator[tuple[Row, _Place]]:
    """Each pair of `shard` with its scores."""
    pool = [_indexed(row) for row in shard.documents]
    own = [_indexed(row) for row in shard.rows]
    texts = sorted({*pool, *own}, key=lambda text: (len(text), text))
    column = {text: at for at, text in enumerate(texts)}
    vectors = _encode(encoder, texts, "document", autocast)
    documents = [vectors[column[text]] for text in pool]
    columns = [column[text] for text in pool]
    size = max(1, _ELEMENTS // len(texts))
    for start in range(0, len(shard.rows), size):
        rows = shard.rows[start : start + size]
        asked = [row["query"] for row in rows]
        queries = dict(zip(asked, _encode(encoder, asked, "query", autocast), strict=True))
        model = _maxsim([queries[query] for query in asked], documents, encoder.device)
        lexical = bm25_scores(asked, texts)
        for at, row in enumerate(rows):
            mine = column[own[start + at]]
            score = maxsim_scores([queries[row["query"]]], [vectors[mine]])
            allowed = np.ones(len(pool), dtype=bool)
            allowed[right_answers(row, shard)] = False
            yield (
                row,
                _Place(
                    model=model[at],
                    lexical=lexical[at, columns],
                    own=score.item(),
                    own_lexical=float(lexical[at, mine]),
                    allowed=allowed,
                ),
            )


def _maxsim(
    queries: list[torch.Tensor], documents: list[torch.Tensor], device: torch.device
) -> np.ndarray:
    size = _QUERIES["cpu" if device.type == "cpu" else "other"]
    parts = [
        maxsim_scores([each.to(device) for each in queries[start : start + size]], documents)
        for start in range(0, len(queries), size)
    ]
    return np.concatenate(parts)


def _encode(
    encoder: MultiVectorEncoder, texts: Sequence[str], task: str, autocast: AbstractContextManager
) -> list[torch.Tensor]:
    """Token vectors in host memory, in fp16: they lose 0.0005 of their length, and half their size."""
    vectors: list[torch.Tensor] = []
    for start in range(0, len(texts), 1024):
        some = encode(encoder, texts[start : start + 1024], task, autocast=autocast)
        vectors += [each.cpu().half() for each in some]
    return vectors


def _indexed(row: Row, code: str | None = None) -> str:
    """A pair's document as search would index it, or that of a mutant of its code."""
    code = row["positive"] if code is None else code
    parts = {"file_context": row["file_context"], "prose": row["doc_rest"], "code": code}
    return render(parts, "indexed")


# Mutants


def _mutants(
    shard: Shard, encoder: MultiVectorEncoder, settings: Negatives, autocast: AbstractContextManager
) -> dict[str, list[dict[str, Any]]]:
    """Of each pair, the first mutants that count."""
    found: dict[str, list[dict[str, Any]]] = {row["pair_id"]: [] for row in shard.rows}
    count = min(settings.mutations, settings.per_pair)
    for row in shard.rows if count else []:
        seen = _seen(row, _spoken(row, settings), encoder)[:count]
        if not seen:
            continue
        texts = [_indexed(row, mutation.text) for mutation in seen]
        query = _encode(encoder, [row["query"]], "query", autocast)
        scores = maxsim_scores(query, _encode(encoder, texts, "document", autocast))[0]
        for mutation, score in zip(seen, scores.tolist(), strict=True):
            found[row["pair_id"]].append(
                _negative(row, row, mutation.name, score)
                | {"negative_id": None, "cluster_id": None, "code": mutation.text}
            )
    return found


def _spoken(row: Row, settings: Negatives) -> list[Mutation]:
    """Mutations of the positive whose mutants do not answer the query."""
    if row["query_kind"] not in settings.mutated_kinds:
        return []
    seed = int(digest(settings.seed, row["pair_id"]), 16)
    found = mutate(row["positive"], row["language"], row["dialect"], seed=seed)
    spoken = spoken_of(found, row["query"], settings.spoken_share)
    return [each for each in found if each in spoken]  # in the order of the draw


def _seen(row: Row, mutations: Sequence[Mutation], encoder: MultiVectorEncoder) -> list[Mutation]:
    """Those that the encoder can tell from their original by its tokens."""
    if not mutations:
        return []
    texts = [_indexed(row), *(_indexed(row, each.text) for each in mutations)]
    original, *others = tokenize(encoder, texts, "document")["input_ids"].tolist()
    return [each for each, ids in zip(mutations, others, strict=True) if ids != original]

"""The best documents for one query: exact where the pool is small, over candidates where it is not."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evaluation import index as vectors
from evaluation.retrieve import min_max, min_max_fusion

if TYPE_CHECKING:
    import torch

    from evaluation.index import VectorIndex

ALPHA = 0.5
"""Weight of the semantic score in the fusion, where no validation queries have chosen one."""

_CANDIDATES = 200
_SAMPLE = 256
"""Documents scored beside the candidates, so that the lowest score of the pool is about known."""


@dataclass(frozen=True)
class Hit:
    """A document by its position in the pool, and its score."""

    position: int
    score: float


@dataclass(frozen=True)
class Semantic:
    """What MaxSim needs of a pool.

    Attributes:
        queries: the query's token vectors, `(tokens, dim)`, and 1; where several adapters encode it, those of
            each with its share: their scores are each scaled to 0..1 and added up by these.
        index: holds every document of the pool.
        sources: those of the pool.
        keys: the key of each document.
    """

    queries: Sequence[tuple[torch.Tensor, float]]
    index: VectorIndex
    sources: Collection[str]
    keys: Sequence[str]


def best(
    count: int,
    *,
    semantic: Semantic | None = None,
    lexical: np.ndarray | None = None,
    alpha: float = ALPHA,
) -> list[Hit]:
    """The `count` best documents of a pool, best first, ties in the order of the pool.

    Args:
        count: how many at most. A document that shares no word with the query is no lexical hit.
        semantic: scores by MaxSim.
        lexical: BM25 of each document, `(documents,)`.
        alpha: where both are given, the weight of the semantic score in their min-max fusion.

    Raises:
        ProvenderError: the index is damaged.
    """
    if semantic is None:
        assert lexical is not None
        hits = _top(range(len(lexical)), lexical, count)
        return [hit for hit in hits if hit.score > 0]
    positions = _positions(semantic, lexical, count)
    exact = len(positions) == len(semantic.keys)
    wanted = None if exact else {semantic.keys[each] for each in positions}
    found = [
        semantic.index.scores(query, semantic.sources, wanted) for query, _ in semantic.queries
    ]
    # What another process has deleted since is not found.
    positions = [each for each in positions if all(semantic.keys[each] in own for own in found)]
    by_query = np.array(
        [[own[semantic.keys[each]] for each in positions] for own in found], dtype=np.float32
    )
    scores = by_query[0]
    if len(found) > 1 and positions:
        shares = np.array([share for _, share in semantic.queries], dtype=np.float32)
        scores = shares @ min_max(by_query)
    if lexical is not None and positions:
        scores = min_max_fusion(scores[None], lexical[positions][None], alpha)[0]
    return _top(positions, scores, count)


def _positions(semantic: Semantic, lexical: np.ndarray | None, count: int) -> list[int]:
    """The documents to score, in the order of the pool: all of a small one."""
    size = len(semantic.keys)
    if size <= vectors.EXACT_DOCUMENTS:
        return list(range(size))
    most = max(_CANDIDATES, 20 * count)
    near = {
        key
        for query, _ in semantic.queries
        for key in semantic.index.candidates(query, semantic.sources, most)
    }
    chosen = {position for position, key in enumerate(semantic.keys) if key in near}
    if lexical is not None:
        chosen.update(hit.position for hit in _top(range(size), lexical, most))
        chosen.update(range(0, size, max(1, size // _SAMPLE)))
    return sorted(chosen)


def _top(positions: Sequence[int], scores: np.ndarray, count: int) -> list[Hit]:
    order = np.argsort(-scores, kind="stable")[:count]
    return [Hit(positions[each], float(scores[each])) for each in order]

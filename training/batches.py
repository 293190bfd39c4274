"""Which drawn pairs meet in a batch: of one language (or source), of like length, no answer twice.

Works on positions and codes alone; texts are `training/pairs.py`'s.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from training.pairs import Index
from training.recipe import Batching


def plan(
    index: Index, drawn: np.ndarray, size: int, batching: Batching, generator: np.random.Generator
) -> list[np.ndarray]:
    """The batches of an epoch: `(size,)` positions each, short documents first.

    No query, and no unit or near-duplicate of it, is twice in a batch. Pairs of a group (language or source)
    fill batches of their own; what is left over of all groups is batched together. An incomplete last batch
    is left out.

    Args:
        drawn: the positions that the epoch draws, in random order.
        size: pairs in a batch.
        generator: orders the batches.
    """
    batches: list[np.ndarray] = []
    rest: list[np.ndarray] = []
    groups = index.group[drawn]
    for group in np.unique(groups):
        filled, left = _fill(index, drawn[groups == group], size, batching.window)
        batches += filled
        rest.append(left)
    if rest:
        batches += _fill(index, np.concatenate(rest), size, batching.window)[0]
    return [batches[place] for place in generator.permutation(len(batches))]


def _fill(
    index: Index, rows: np.ndarray, size: int, window: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """Batches of `rows`, and what each window leaves over. A row that collides waits for the next batch."""
    batches: list[np.ndarray] = []
    left: list[int] = []
    for start in range(0, len(rows), size * window):
        some = rows[start : start + size * window]
        waiting = deque(some[np.argsort(index.length[some], kind="stable")].tolist())
        while len(batch := _batch(index, waiting, size)) == size:
            chosen = np.array(batch)
            batches.append(chosen[np.argsort(index.length[chosen], kind="stable")])
        left += batch + list(waiting)
    return batches, np.array(left, dtype=np.int64)


def _batch(index: Index, waiting: deque[int], size: int) -> list[int]:
    """Take at most `size` rows that do not collide from `waiting`, first come, first served."""
    batch: list[int] = []
    clusters: set[int] = set()
    queries: set[int] = set()
    passed: list[int] = []
    while waiting and len(batch) < size:
        row = waiting.popleft()
        cluster, query = int(index.cluster[row]), int(index.query[row])
        if cluster in clusters or query in queries:
            passed.append(row)
            continue
        batch.append(row)
        clusters.add(cluster)
        queries.add(query)
    waiting.extendleft(reversed(passed))
    return batch

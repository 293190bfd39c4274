from __future__ import annotations

import numpy as np
import pytest

from training.batches import plan
from training.pairs import Index
from training.recipe import Batching


def _index(**columns: list[int]) -> Index:
    """An index of pairs that differ in cluster and query unless `columns` say otherwise."""
    count = len(next(iter(columns.values())))
    defaults = {
        "weight": [1] * count,
        "domain": [0] * count,
        "group": [0] * count,
        "cluster": list(range(count)),
        "query": list(range(count)),
        "length": [10] * count,
        "doubtful": [False] * count,
    }
    arrays = {name: np.array(columns.get(name, default)) for name, default in defaults.items()}
    return Index(**arrays, domains=("rust",), groups=("rust", "lean", "python"))


def _plan(index: Index, size: int, window: int = 8, seed: int = 0) -> list[list[int]]:
    drawn = np.random.default_rng(seed).permutation(len(index))
    generator = np.random.default_rng(seed)
    found = plan(index, drawn, size, Batching(window=window), generator)
    return [batch.tolist() for batch in found]


def _groups(index: Index, batch: list[int]) -> set[int]:
    return set(index.group[batch].tolist())


def test_a_batch_is_of_one_language() -> None:
    index = _index(group=[number % 2 for number in range(32)])
    batches = _plan(index, 4)
    assert len(batches) == 8
    assert [len(_groups(index, batch)) for batch in batches] == [1] * 8


def test_what_languages_leave_over_is_batched_together() -> None:
    # 6 and 5 and 5: a batch of each, and 2 + 1 + 1 in one of all three.
    index = _index(group=[0] * 6 + [1] * 5 + [2] * 5)
    batches = _plan(index, 4)
    assert sorted(sorted(batch) for batch in batches)
    assert sorted(len(_groups(index, batch)) for batch in batches) == [1, 1, 1, 3]
    assert sorted(row for batch in batches for row in batch) == list(range(16))


def test_pairs_of_like_length_meet() -> None:
    lengths = np.random.default_rng(1).permutation(256).tolist()
    index = _index(length=lengths)
    spread = {
        window: np.mean([np.ptp(index.length[batch]) for batch in _plan(index, 8, window)])
        for window in (1, 8, 32)
    }
    assert spread[32] == 7  # the whole epoch is one window: each batch is a run of eight lengths
    assert spread[32] < spread[8] < spread[1] / 4


def test_short_documents_come_first() -> None:
    index = _index(length=np.random.default_rng(2).permutation(64).tolist())
    for batch in _plan(index, 8):
        assert index.length[batch].tolist() == sorted(index.length[batch].tolist())


@pytest.mark.parametrize("column", ["cluster", "query"])
def test_no_cluster_and_no_query_is_twice_in_a_batch(column: str) -> None:
    index = _index(**{column: [number % 8 for number in range(64)]})
    batches = _plan(index, 4)
    assert len(batches) >= 14
    values = getattr(index, column)
    assert all(len(set(values[batch].tolist())) == 4 for batch in batches)


def test_every_pair_is_in_at_most_one_batch() -> None:
    index = _index(cluster=[number % 5 for number in range(64)])
    rows = [row for batch in _plan(index, 4) for row in batch]
    assert len(rows) == len(set(rows))


def test_batches_of_languages_come_in_mixed_order() -> None:
    index = _index(group=[number % 2 for number in range(64)])
    orders = {
        tuple(min(_groups(index, batch)) for batch in _plan(index, 4, seed=seed))
        for seed in range(6)
    }
    assert len(orders) > 3


def test_one_cluster_gives_no_batch() -> None:
    assert _plan(_index(cluster=[7] * 1000), 4) == []

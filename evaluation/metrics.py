"""Retrieval metrics from ranks, with bootstrap intervals. Binary relevance, several answers allowed.

Ties count against the model: an answer ranks below every other document of its score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import bootstrap, false_discovery_control, permutation_test

NAMES = ("P@1", "MRR", "recall@5", "recall@10", "nDCG@10")
_RESAMPLES = 2000
_PERMUTATIONS = 9999


@dataclass(frozen=True)
class Estimate:
    """A mean over queries with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


def ranks(scores: np.ndarray, answers: Sequence[Sequence[int]]) -> list[np.ndarray]:
    """The ranks (from 1, ascending) of each query's answers.

    Args:
        scores: `(queries, documents)`.
        answers: for each query, the columns of its acceptable answers; at least one.
    """
    found = []
    for row, columns in zip(scores, answers, strict=True):
        relevant = np.asarray(columns)
        others = np.delete(row, relevant)
        own = np.sort(row[relevant])[::-1]
        above = (others[None, :] >= own[:, None]).sum(axis=1)
        found.append(above + np.arange(1, len(own) + 1))
    return found


def per_query(found: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Each metric of `NAMES` for each query, `(queries,)` each, from the ranks of its answers.

    recall@k is the share of the answers that k places have room for: of seven answers five can be found in
    five places, and then recall@5 is 1. Elsewhere recall@k is often divided by all seven.
    """
    best = np.array([own[0] for own in found])
    gains = [float((1 / np.log2(own[own <= 10] + 1)).sum()) for own in found]
    ideal = [float((1 / np.log2(np.arange(1, min(len(own), 10) + 1) + 1)).sum()) for own in found]
    return {
        "P@1": (best == 1).astype(float),
        "MRR": 1 / best,
        "recall@5": np.array([_recall(own, 5) for own in found]),
        "recall@10": np.array([_recall(own, 10) for own in found]),
        "nDCG@10": np.array(gains) / np.array(ideal),
    }


def _recall(own: np.ndarray, k: int) -> float:
    return float((own <= k).sum()) / min(len(own), k)


def estimate(values: np.ndarray, seed: int = 0) -> Estimate:
    """Mean of `values` with its percentile-bootstrap interval over queries."""
    mean = float(values.mean())
    if len(values) < 2 or np.all(values == values[0]):
        return Estimate(mean, mean, mean)
    interval = bootstrap(
        (values,),
        np.mean,
        n_resamples=_RESAMPLES,
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Estimate(mean, float(interval.low), float(interval.high))


def paired_difference(tuned: np.ndarray, base: np.ndarray, seed: int = 0) -> Estimate:
    """Mean of `tuned - base`, query by query, with its bootstrap interval: a paired bootstrap."""
    return estimate(tuned - base, seed)


def paired_p(tuned: np.ndarray, base: np.ndarray, seed: int = 0) -> float:
    """How often chance alone gives a mean difference as large, either way.

    Fisher's randomization test: the sign of each query's difference is drawn (Smucker et al. 2007).
    """
    differences = tuned - base
    if not differences.any():
        return 1.0
    return float(
        permutation_test(
            (differences,),
            np.mean,
            permutation_type="samples",
            vectorized=True,
            n_resamples=_PERMUTATIONS,
            rng=np.random.default_rng(seed),
        ).pvalue
    )


def corrected(p_values: Sequence[float]) -> list[float]:
    """`p_values` of many comparisons as false discovery rates (Benjamini and Hochberg 1995)."""
    return false_discovery_control(p_values).tolist() if p_values else []

from __future__ import annotations

from math import log2

import numpy as np
import pytest

from evaluation.metrics import (
    NAMES,
    Estimate,
    corrected,
    estimate,
    paired_difference,
    paired_p,
    per_query,
    ranks,
)


def _ranks(row: list[float], answers: list[int]) -> list[int]:
    return ranks(np.array([row]), [answers])[0].tolist()


def _metrics(found: list[int]) -> dict[str, float]:
    return {name: float(value[0]) for name, value in per_query([np.array(found)]).items()}


@pytest.mark.parametrize(
    ("answers", "expected"), [([1], [1]), ([2], [2]), ([0], [4]), ([0, 2], [2, 4])]
)
def test_rank_counts_the_documents_above(answers: list[int], expected: list[int]) -> None:
    assert _ranks([0.1, 0.9, 0.5, 0.2], answers) == expected


def test_ranks_ascend_whatever_the_order_of_the_answers() -> None:
    assert _ranks([0.1, 0.9, 0.5, 0.2], [0, 1, 2]) == [1, 2, 4]


def test_ties_count_against_the_model() -> None:
    assert _ranks([0.5, 0.5, 0.5], [0]) == [3]
    assert _ranks([0.5, 0.5, 0.1, 0.5], [1]) == [3]


def test_tied_answers_do_not_count_against_each_other() -> None:
    assert _ranks([0.5, 0.5, 0.1], [0, 1]) == [1, 2]
    assert _ranks([0.5, 0.5, 0.5], [0, 1]) == [2, 3]


def test_ranks_equal_a_stable_sort_that_puts_answers_last() -> None:
    generator = np.random.default_rng(0)
    scores = generator.integers(0, 6, size=(50, 12)).astype(float)  # many ties
    answers = [sorted(generator.choice(12, size=3, replace=False)) for _ in range(50)]
    for row, columns, found in zip(scores, answers, ranks(scores, answers), strict=True):
        order = sorted(range(12), key=lambda column, r=row, c=columns: (-r[column], column in c))
        assert found.tolist() == sorted(order.index(column) + 1 for column in columns)


def test_every_metric_is_1_for_a_sole_answer_at_rank_1() -> None:
    assert _metrics([1]) == dict.fromkeys(NAMES, 1.0)


def test_metrics_of_a_sole_answer_at_rank_3() -> None:
    assert _metrics([3]) == pytest.approx(
        {"P@1": 0.0, "MRR": 1 / 3, "recall@5": 1.0, "recall@10": 1.0, "nDCG@10": 1 / log2(4)}
    )


def test_metrics_of_several_answers() -> None:
    ideal = 1 / log2(2) + 1 / log2(3) + 1 / log2(4)
    assert _metrics([2, 5, 12]) == pytest.approx(
        {
            "P@1": 0.0,
            "MRR": 0.5,
            "recall@5": 2 / 3,
            "recall@10": 2 / 3,
            "nDCG@10": (1 / log2(3) + 1 / log2(6)) / ideal,
        }
    )


def test_recall_at_5_is_1_when_the_first_five_of_many_are_found() -> None:
    assert _metrics([1, 2, 3, 4, 5, 9, 20])["recall@5"] == 1.0
    assert _metrics([1, 2, 3, 4, 6, 9, 20])["recall@5"] == pytest.approx(4 / 5)
    assert _metrics([1, 2, 3, 4, 6, 9, 20])["recall@10"] == pytest.approx(6 / 7)


def test_ideal_of_more_than_ten_answers_is_ten_of_them() -> None:
    assert _metrics(list(range(1, 13)))["nDCG@10"] == pytest.approx(1.0)
    ideal = sum(1 / log2(rank + 1) for rank in range(1, 11))
    assert _metrics(list(range(2, 14)))["nDCG@10"] == pytest.approx((ideal - 1) / ideal + 0.0)


@pytest.mark.parametrize(
    ("rank", "at_5", "at_10", "ndcg"),
    [(5, 1, 1, 1 / log2(6)), (6, 0, 1, 1 / log2(7)), (10, 0, 1, 1 / log2(11)), (11, 0, 0, 0)],
)
def test_cutoffs_include_their_rank(rank: int, at_5: float, at_10: float, ndcg: float) -> None:
    found = _metrics([rank])
    shown = (found["recall@5"], found["recall@10"], found["nDCG@10"])
    assert shown == pytest.approx((at_5, at_10, ndcg))


def test_metrics_come_for_each_query() -> None:
    found = per_query([np.array([1]), np.array([4]), np.array([2, 3])])
    assert found["MRR"].tolist() == [1.0, 0.25, 0.5]
    assert found["P@1"].tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("values", [[0.4], [0.25, 0.25, 0.25], [0.0] * 5])
def test_interval_of_constant_values_is_a_point(values: list[float]) -> None:
    assert estimate(np.array(values)) == Estimate(values[0], values[0], values[0])


def test_interval_holds_the_mean_and_is_the_same_every_time() -> None:
    values = np.random.default_rng(0).random(40)
    found = estimate(values)
    assert found.low < found.mean < found.high
    assert found.mean == pytest.approx(values.mean())
    assert estimate(values) == found


def test_interval_agrees_with_a_bootstrap_by_hand() -> None:
    values = np.random.default_rng(0).random(40)
    generator = np.random.default_rng(1)
    means = [generator.choice(values, 40).mean() for _ in range(4000)]
    low, high = np.percentile(means, [2.5, 97.5])
    found = estimate(values)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.01)


def test_interval_narrows_with_more_queries() -> None:
    values = np.random.default_rng(0).random(400)
    few, many = estimate(values[:25]), estimate(values)
    assert many.high - many.low < few.high - few.low


def test_paired_difference_is_positive_where_the_first_is_better() -> None:
    tuned, base = np.array([1.0, 0.5, 1.0, 0.2]), np.array([0.5, 0.5, 0.2, 0.1])
    found = paired_difference(tuned, base)
    assert found.mean == pytest.approx(0.35)
    turned = paired_difference(base, tuned)
    assert turned.mean == pytest.approx(-0.35)


def test_paired_difference_of_equal_systems_is_nothing() -> None:
    values = np.array([0.1, 0.9, 0.5])
    assert paired_difference(values, values) == Estimate(0.0, 0.0, 0.0)


def test_pairing_sees_what_unpaired_intervals_hide() -> None:
    base = np.random.default_rng(0).random(50)
    found = paired_difference(base + 0.01 + 0.001 * np.arange(50) / 50, base)
    assert found.low > 0
    assert estimate(base + 0.01).low < estimate(base).high


def test_a_randomization_test_counts_the_draws_of_signs() -> None:
    # All eight draws of three signs are tried: two are as far from nothing as what was seen.
    assert paired_p(np.array([1.0, 1.0, 1.0]), np.zeros(3)) == pytest.approx(2 / 8)
    assert paired_p(np.zeros(3), np.array([1.0, 1.0, 1.0])) == pytest.approx(2 / 8)
    assert paired_p(np.ones(3), np.ones(3)) == 1.0


def test_a_clear_difference_is_not_chance() -> None:
    generator = np.random.default_rng(0)
    base = generator.random(200)
    assert paired_p(base + 0.1 + 0.05 * generator.standard_normal(200), base) < 0.001
    assert paired_p(base + 0.1 * generator.standard_normal(200), base) > 0.01


def test_corrected_rates_are_those_of_benjamini_and_hochberg() -> None:
    assert corrected([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])
    assert corrected([]) == []

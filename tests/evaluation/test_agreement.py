"""Our metrics against ranx and sentence-transformers' evaluators, on the same scores.

No score occurs twice for a query: we count a tie against the system, they break it by their own order.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers.multi_vector_encoder.evaluation import (
    MultiVectorInformationRetrievalEvaluator,
)
from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

from common.device import Device
from evaluation.compare import scores_of
from evaluation.metrics import per_query, ranks
from tests.evaluation.test_compare import TEST
from tests.tiny import tiny_recipe
from training.model import load_encoder

QUERIES, DOCUMENTS = 40, 60
CUTOFFS = {"mrr_at_k": [DOCUMENTS], "ndcg_at_k": [10], "precision_recall_at_k": [1, 5, 10]}


def _scores(answers_each: int) -> tuple[np.ndarray, list[list[int]]]:
    """Scores without ties, and one to `answers_each` answers of each query."""
    generator = np.random.default_rng(7)
    scores = np.array([generator.permutation(DOCUMENTS) for _ in range(QUERIES)]) / DOCUMENTS
    counts = generator.integers(1, answers_each + 1, QUERIES)
    return scores, [generator.choice(DOCUMENTS, n, replace=False).tolist() for n in counts]


def _whole_recall(scores: np.ndarray, answers: list[list[int]], k: int) -> np.ndarray:
    """recall@k as others have it: of all answers, where ours is of those that k places have room for."""
    ours = per_query(ranks(scores, answers))[f"recall@{k}"]
    return ours * np.array([min(len(each), k) / len(each) for each in answers])


def _evaluator(kind: Any, answers: list[list[int]], queries: list[str], texts: list[str]) -> Any:
    return kind(
        queries={f"q{n}": text for n, text in enumerate(queries)},
        corpus={f"d{n}": text for n, text in enumerate(texts)},
        relevant_docs={f"q{n}": {f"d{d}" for d in each} for n, each in enumerate(answers)},
        **CUTOFFS,
        write_csv=False,
    )


@pytest.mark.parametrize("answers_each", [1, 4, 15])
def test_metrics_are_those_of_ranx(answers_each: int) -> None:
    from ranx import Qrels, Run, evaluate

    scores, answers = _scores(answers_each)
    wanted = {f"q{n:02}": {f"d{d}": 1 for d in each} for n, each in enumerate(answers)}
    run = {
        f"q{n:02}": {f"d{d}": float(score) for d, score in enumerate(row)}
        for n, row in enumerate(scores)
    }
    names = ["precision@1", "mrr", "recall@5", "recall@10", "ndcg@10"]
    theirs: Any = evaluate(Qrels(wanted), Run(run), names, return_mean=False)
    ours = per_query(ranks(scores, answers))
    for name, found in (
        ("precision@1", ours["P@1"]),
        ("mrr", ours["MRR"]),
        ("recall@5", _whole_recall(scores, answers, 5)),
        ("recall@10", _whole_recall(scores, answers, 10)),
        ("ndcg@10", ours["nDCG@10"]),
    ):
        assert np.abs(theirs[name] - found).max() < 1e-9, name


@pytest.mark.parametrize("answers_each", [1, 4, 15])
def test_metrics_are_those_of_sentence_transformers(answers_each: int) -> None:
    scores, answers = _scores(answers_each)
    evaluator = _evaluator(
        InformationRetrievalEvaluator, answers, ["text"] * QUERIES, ["text"] * DOCUMENTS
    )
    theirs = evaluator.compute_metrics(
        [[{"corpus_id": f"d{d}", "score": s} for d, s in enumerate(row)] for row in scores]
    )
    ours = per_query(ranks(scores, answers))
    assert abs(theirs["precision@k"][1] - ours["P@1"].mean()) < 1e-9
    assert abs(theirs["mrr@k"][DOCUMENTS] - ours["MRR"].mean()) < 1e-9
    assert abs(theirs["ndcg@k"][10] - ours["nDCG@10"].mean()) < 1e-9
    for k in (5, 10):
        assert abs(theirs["recall@k"][k] - _whole_recall(scores, answers, k).mean()) < 1e-9


def test_a_model_is_measured_as_by_the_librarys_evaluator(tiny_model: Path) -> None:
    model = load_encoder(tiny_recipe(tiny_model))
    scores = scores_of(model, [TEST], Device("cpu", "fp32"))["test"]["semantic"]
    assert all(len(set(row)) == len(row) for row in scores.tolist())
    evaluator = _evaluator(
        MultiVectorInformationRetrievalEvaluator, TEST.answers, TEST.queries, TEST.documents
    )
    theirs = evaluator(model)
    ours = per_query(ranks(scores, TEST.answers))
    for name, found in (
        ("precision@1", ours["P@1"]),
        (f"mrr@{DOCUMENTS}", ours["MRR"]),
        ("recall@5", ours["recall@5"]),  # with one answer each the two are the same
        ("ndcg@10", ours["nDCG@10"]),
    ):
        [value] = [value for key, value in theirs.items() if key.endswith(f"_{name}")]
        assert abs(value - found.mean()) < 1e-9, name


def test_a_tie_is_what_we_count_against_the_system_and_others_break() -> None:
    [found] = ranks(np.array([[0.5, 0.5]]), [[0]])
    assert found.tolist() == [2]
    evaluator = _evaluator(InformationRetrievalEvaluator, [[0]], ["text"], ["text"] * 2)
    hits = [[{"corpus_id": f"d{d}", "score": 0.5} for d in range(2)]]
    assert evaluator.compute_metrics(hits)["precision@k"][1] == 1.0

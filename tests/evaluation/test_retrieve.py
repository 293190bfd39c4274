from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch

from common.device import Device
from evaluation import retrieve
from evaluation.retrieve import (
    encode,
    maxsim_scores,
    min_max_fusion,
    pooled_scores,
    reciprocal_rank_fusion,
    xtr_scores,
)


def _vectors(lengths: list[int], seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.nn.functional.normalize(torch.randn(n, 8, generator=generator), dim=1)
        for n in lengths
    ]


QUERIES = _vectors([3, 1, 5], seed=1)
DOCUMENTS = _vectors([4, 9, 1, 2, 9, 6, 3], seed=2)


def _by_hand(queries: list[torch.Tensor], documents: list[torch.Tensor]) -> np.ndarray:
    scores = np.zeros((len(queries), len(documents)))
    for i, query in enumerate(queries):
        for j, document in enumerate(documents):
            best = [max(float(token @ other) for other in document) for token in query]
            scores[i, j] = sum(best) / len(best)
    return scores


def test_maxsim_is_the_mean_of_the_best_matches() -> None:
    scores = maxsim_scores(QUERIES, DOCUMENTS)
    assert np.allclose(scores, _by_hand(QUERIES, DOCUMENTS), atol=1e-6)


@pytest.mark.parametrize("elements", [1, 50, 100, 200, 10_000])
def test_maxsim_does_not_depend_on_the_chunk_size(
    elements: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(retrieve._ELEMENTS, "cpu", elements)
    scores = maxsim_scores(QUERIES, DOCUMENTS)
    assert np.allclose(scores, _by_hand(QUERIES, DOCUMENTS), atol=1e-6)


def _xtr_by_hand(retrieved: int, documents: list[torch.Tensor] = DOCUMENTS) -> np.ndarray:
    tokens = [(j, other) for j, document in enumerate(documents) for other in document]
    scores = np.zeros((len(QUERIES), len(documents)))
    for i, query in enumerate(QUERIES):
        for token in query:
            found = sorted(((float(token @ other), j) for j, other in tokens), reverse=True)
            kept = found[:retrieved]
            for j in range(len(documents)):
                own = [value for value, owner in kept if owner == j]
                scores[i, j] += max(own) if own else kept[-1][0]
        scores[i] /= len(query)
    return scores


@pytest.mark.parametrize("retrieved", [1, 5, 12])
def test_xtr_imputes_what_a_query_token_did_not_retrieve(retrieved: int) -> None:
    scores = xtr_scores(QUERIES, DOCUMENTS, retrieved)
    assert np.allclose(scores, _xtr_by_hand(retrieved), atol=1e-6)


@pytest.mark.parametrize("elements", [1_000, 64_000_000])
@pytest.mark.parametrize("retrieved", [1, 7, 15])
def test_xtr_finds_the_nearest_of_many(
    retrieved: int, elements: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Few of many tokens: only groups of tokens are looked through.
    monkeypatch.setitem(retrieve._ELEMENTS, "cpu", elements)
    documents = _vectors([17, 3, 24, 8, 31] * 8, seed=6)
    scores = xtr_scores(QUERIES, documents, retrieved)
    assert np.allclose(scores, _xtr_by_hand(retrieved, documents), atol=1e-6)


@pytest.mark.parametrize("elements", [1, 50, 200])
@pytest.mark.parametrize("retrieved", [1, 5, 12, 33])
def test_xtr_does_not_depend_on_how_much_is_held_at_once(
    elements: int, retrieved: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(retrieve._ELEMENTS, "cpu", elements)
    monkeypatch.setattr(retrieve, "_XTR_QUERIES", 2)
    scores = xtr_scores(QUERIES, DOCUMENTS, retrieved)
    assert np.allclose(scores, _xtr_by_hand(retrieved), atol=1e-6)


def test_xtr_is_the_librarys_where_nothing_is_imputed() -> None:
    from sentence_transformers.multi_vector_encoder.scoring import xtr_scores as theirs

    queries, documents = _vectors([4] * 3, seed=3), _vectors([30] * 4, seed=4)
    stacked = torch.stack(documents)[None].expand(3, -1, -1, -1)
    expected = theirs(torch.stack(queries), stacked[:1], top_k=90)  # in training it imputes 0
    found = xtr_scores(queries, documents, 90)
    assert np.allclose(found, np.asarray(expected), atol=1e-5)


@pytest.mark.parametrize("retrieved", [34, 1000])
def test_xtr_that_retrieves_every_token_is_maxsim(retrieved: int) -> None:
    scores = xtr_scores(QUERIES, DOCUMENTS, retrieved)
    assert np.allclose(scores, maxsim_scores(QUERIES, DOCUMENTS), atol=1e-6)


def test_pooled_scores_are_cosines_of_means() -> None:
    query, document = QUERIES[2].mean(dim=0), DOCUMENTS[4].mean(dim=0)
    expected = torch.nn.functional.cosine_similarity(query, document, dim=0)
    assert pooled_scores(QUERIES, DOCUMENTS)[2, 4] == pytest.approx(float(expected), abs=1e-6)


def test_reciprocal_ranks_are_added() -> None:
    one, two = np.array([[0.9, 0.5, 0.1]]), np.array([[2.0, 2.0, 7.0]])
    expected = [[1 / 61 + 1 / 63, 1 / 62 + 1 / 63, 1 / 63 + 1 / 61]]
    assert np.allclose(reciprocal_rank_fusion(one, two), expected)


def test_padding_never_wins_over_negative_similarities() -> None:
    query, document = torch.tensor([[1.0, 0.0]]), torch.tensor([[-1.0, 0.0]])
    long = torch.tensor([[-1.0, 0.0]] * 5)
    assert maxsim_scores([query], [document, long]).tolist() == [[-1.0, -1.0]]


def test_half_precision_vectors_are_scored_in_full() -> None:
    scores = maxsim_scores([q.bfloat16() for q in QUERIES], [d.bfloat16() for d in DOCUMENTS])
    assert scores.dtype == np.float32
    assert np.allclose(scores, _by_hand(QUERIES, DOCUMENTS), atol=0.02)


def test_fusion_scales_each_query_to_0_1_and_mixes() -> None:
    semantic = np.array([[0.2, 0.6, 1.0], [5.0, 1.0, 3.0]])
    lexical = np.array([[10.0, 0.0, 5.0], [0.0, 4.0, 1.0]])
    expected = [
        [0.25 * 0.0 + 0.75 * 1.0, 0.25 * 0.5, 0.25 * 1.0 + 0.75 * 0.5],
        [0.25 * 1.0, 0.75 * 1.0, 0.25 * 0.5 + 0.75 * 0.25],
    ]
    assert np.allclose(min_max_fusion(semantic, lexical, 0.25), expected)


def test_scores_that_are_all_equal_add_nothing_to_the_fusion() -> None:
    semantic, lexical = np.array([[1.0, 3.0, 2.0]]), np.zeros((1, 3))
    assert np.allclose(min_max_fusion(semantic, lexical, 0.6), [[0.0, 0.6, 0.3]])


def test_fusion_does_not_depend_on_the_scale_of_a_score() -> None:
    semantic, lexical = np.random.default_rng(0).random((2, 3, 5))
    one = min_max_fusion(semantic, lexical, 0.4)
    assert np.allclose(min_max_fusion(semantic * 100 - 7, lexical / 3, 0.4), one)


def test_texts_become_unit_token_vectors_in_their_order(tiny_model: Path) -> None:
    from tests.tiny import tiny_recipe
    from training.model import load_encoder

    model = load_encoder(tiny_recipe(tiny_model))
    texts = ["parse the date text", "date", "open file"]
    found = encode(model, texts, "document", autocast=nullcontext())
    assert [len(each) for each in found] == [6, 3, 4]
    for text, vectors in zip(texts, found, strict=True):
        alone = torch.as_tensor(model.encode_document([text])[0])
        assert torch.allclose(vectors, alone, atol=1e-5)
        assert torch.allclose(vectors.norm(dim=1), torch.ones(len(vectors)), atol=1e-5)


def test_queries_and_documents_have_their_own_lengths(tiny_model: Path) -> None:
    from tests.tiny import tiny_recipe
    from training.model import load_encoder

    model = load_encoder(tiny_recipe(tiny_model))
    autocast = Device("cpu", "bf16").autocast()
    assert len(encode(model, ["date " * 50], "query", autocast=autocast)[0]) == 12
    assert len(encode(model, ["date " * 50], "document", autocast=autocast)[0]) == 32

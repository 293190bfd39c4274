from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers.multi_vector_encoder.scoring import XTRScores

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
from tests.training.layouts import (
    POOLING,
    TRANSFORMER,
    WIDTH,
    random_weight,
    write_modernbert,
    write_modules,
    write_pooling,
    write_pylate,
    write_t5,
)


def _vectors(lengths: list[int], seed: int, dim: int = 8) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.nn.functional.normalize(torch.randn(n, dim, generator=generator), dim=1)
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


@pytest.mark.parametrize("block", [(1, 1), (2, 5), (4, 9), (100, 12), (3, 1000)])
def test_maxsim_does_not_depend_on_the_block_size(
    block: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(retrieve._BLOCK, "cpu", block)
    scores = maxsim_scores(QUERIES, DOCUMENTS)
    assert np.allclose(scores, _by_hand(QUERIES, DOCUMENTS), atol=1e-6)


LENGTHS = [17, 3, 1, 40, 17, 8, 8, 1, 29, 17]


@pytest.mark.parametrize("storage", [torch.float32, torch.float16])
def test_maxsim_is_the_librarys_similarity(tiny_model: Path, storage: torch.dtype) -> None:
    from tests.tiny import tiny_recipe
    from training.model import load_encoder

    model = load_encoder(tiny_recipe(tiny_model))
    queries = _vectors([8, 32, 1, 20, 11], seed=3, dim=384)
    stored = [each.to(storage) for each in _vectors(LENGTHS * 20, seed=4, dim=384)]
    documents = [each.float() for each in stored]
    ours = maxsim_scores(queries, stored)
    assert model.similarity_fn_name == "meanmaxsim"
    assert np.abs(ours - model.similarity(queries, documents).numpy()).max() < 1e-5
    model.similarity_fn_name = "maxsim"
    counts = np.array([[len(each)] for each in queries])
    assert np.abs(ours * counts - model.similarity(queries, documents).numpy()).max() < 1e-5


def test_multiplied_in_bf16_scores_change_in_the_third_decimal() -> None:
    queries, documents = _vectors([8, 32], seed=3, dim=384), _vectors(LENGTHS, seed=4, dim=384)
    exact, near = (maxsim_scores(queries, documents, bf16=bf16) for bf16 in (False, True))
    assert near.dtype == np.float32
    assert 0 < np.abs(near - exact).max() < 2e-3


def test_equal_documents_score_the_same_wherever_they_stand() -> None:
    documents = _vectors(LENGTHS * 9, seed=5, dim=384)
    queries = _vectors([12, 7, 30], seed=6, dim=384)
    scores = maxsim_scores(queries, [*documents, *documents, documents[3]])
    count = len(documents)
    assert (scores[:, :count] == scores[:, count : 2 * count]).all()
    assert (scores[:, -1] == scores[:, 3]).all()


def test_scores_do_not_depend_on_the_order() -> None:
    documents = _vectors(LENGTHS * 9, seed=5, dim=384)
    queries = _vectors([12, 7, 30], seed=6, dim=384)
    scores = maxsim_scores(queries, documents)
    assert np.allclose(scores[:, ::-1], maxsim_scores(queries, documents[::-1]), atol=1e-6)
    assert np.allclose(scores[::-1], maxsim_scores(queries[::-1], documents), atol=1e-6)
    alone = np.concatenate([maxsim_scores([query], documents) for query in queries])
    assert np.allclose(scores, alone, atol=1e-6)


@pytest.mark.parametrize("score", [maxsim_scores, pooled_scores, partial(xtr_scores, retrieved=5)])
def test_of_nothing_there_are_no_scores(score: Callable[..., np.ndarray]) -> None:
    assert score(QUERIES, []).shape == (3, 0)
    assert score([], DOCUMENTS).shape == (0, 7)


def test_texts_without_a_token_are_like_nothing() -> None:
    nothing = torch.empty(0, 8)
    scores = maxsim_scores([*QUERIES, nothing], [*DOCUMENTS, nothing])
    assert np.allclose(scores[:3, :7], _by_hand(QUERIES, DOCUMENTS), atol=1e-6)
    assert scores[:, 7].tolist() == [-1.0] * 4
    assert scores[3, :7].tolist() == [0.0] * 7
    assert maxsim_scores(QUERIES, [nothing]).tolist() == [[-1.0]] * 3


def test_one_token_texts_score_their_cosine() -> None:
    queries, documents = _vectors([1, 1], seed=8), _vectors([1, 1, 1], seed=9)
    cosines = torch.cat(queries) @ torch.cat(documents).T
    assert np.allclose(maxsim_scores(queries, documents), cosines.numpy(), atol=1e-6)


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


@pytest.mark.parametrize("retrieved", [1, 5, 20, 34])
def test_xtr_differs_from_the_librarys_by_what_is_imputed(retrieved: int) -> None:
    """The library divides the sum of what was retrieved by how many query tokens retrieved something of the
    document (Z), as in training; we add the imputed similarities and divide by all query tokens."""
    padded = torch.nn.utils.rnn.pad_sequence(DOCUMENTS, batch_first=True)[None]
    queries = torch.nn.utils.rnn.pad_sequence(QUERIES, batch_first=True)
    library = XTRScores(top_k=retrieved)(queries, padded).numpy()
    ours = xtr_scores(QUERIES, DOCUMENTS, retrieved)
    similar = [query @ torch.cat(DOCUMENTS).T for query in QUERIES]
    owner = torch.repeat_interleave(torch.tensor([len(each) for each in DOCUMENTS]))
    whole = 0
    for row, found in enumerate(each.topk(retrieved, dim=1) for each in similar):
        size = len(QUERIES[row])
        lowest = found.values[:, -1]
        for column in range(len(DOCUMENTS)):
            reached = (owner[found.indices] == column).any(dim=1)
            imputed = float(lowest[~reached].sum())
            expected = library[row, column] * int(reached.sum()) + imputed
            assert ours[row, column] * size == pytest.approx(expected, abs=1e-5)
            if reached.all():
                assert ours[row, column] == pytest.approx(library[row, column], abs=1e-5)
                whole += 1
    assert whole >= 1 if retrieved < 34 else whole == 21


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


def _prompted(folder: Path) -> Path:
    write_pooling(write_modernbert(folder) / "1_Pooling")
    modules = [("", TRANSFORMER), ("1_Pooling", POOLING)]
    write_modules(folder, modules, prompts={"query": "find: ", "document": "text: "})
    return folder


def _pylate(folder: Path) -> Path:
    weights = [random_weight(8, WIDTH)]
    return write_pylate(folder, weights, skiplist_words=["."], do_query_expansion=True)


@pytest.mark.parametrize("task", ["query", "document"])
@pytest.mark.parametrize(
    ("write", "side"),
    [
        (write_modernbert, "right"),
        (write_modernbert, "left"),
        (write_t5, "right"),
        (_prompted, "right"),
        (_pylate, "right"),
    ],
)
def test_vectors_are_those_of_the_library(
    write: Callable[[Path], Path],
    side: str,
    task: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tests.tiny import tiny_recipe
    from training.model import load_encoder

    monkeypatch.setattr(retrieve, "_WINDOW", 4)
    monkeypatch.setitem(retrieve._ENCODED, "cpu", 40)
    model = load_encoder(tiny_recipe(write(tmp_path / "model")))
    model.tokenizer.padding_side = side
    texts = ["date", "fn open(path) { self.file.open() }", "parse. the. date.", ".", "date " * 50]
    texts += ["the file", "", "date", "open the file from the path"]
    found = encode(model, texts, task, autocast=nullcontext())
    alone = model.encode_query if task == "query" else model.encode_document
    for text, vectors in zip(texts, found, strict=True):
        expected = torch.as_tensor(alone([text])[0])
        assert vectors.shape == expected.shape
        assert torch.allclose(vectors, expected, atol=1e-5)


def test_texts_of_like_length_share_a_batch_of_so_many_tokens(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.tiny import tiny_recipe
    from training.model import load_encoder

    model = load_encoder(tiny_recipe(tiny_model))
    shapes = []
    forward = model.forward

    def recorded(features: dict[str, torch.Tensor], **kwargs: Any) -> dict[str, torch.Tensor]:
        shapes.append(tuple(features["input_ids"].shape))
        return forward(features, **kwargs)

    monkeypatch.setattr(model, "forward", recorded)
    monkeypatch.setitem(retrieve._ENCODED, "cpu", 24)
    texts = ["date"] * 9 + ["date " * 20] * 2 + ["date " * 5]
    encode(model, texts, "document", autocast=nullcontext())
    assert shapes == [(1, 22), (1, 22), (3, 7), (7, 3)]


def test_no_text_has_no_vectors(tiny_model: Path) -> None:
    from tests.tiny import tiny_recipe
    from training.model import load_encoder

    assert encode(load_encoder(tiny_recipe(tiny_model)), [], "query", autocast=nullcontext()) == []


def test_queries_and_documents_have_their_own_lengths(tiny_model: Path) -> None:
    from tests.tiny import tiny_recipe
    from training.model import load_encoder

    model = load_encoder(tiny_recipe(tiny_model))
    autocast = Device("cpu", "bf16").autocast()
    assert len(encode(model, ["date " * 50], "query", autocast=autocast)[0]) == 12
    assert len(encode(model, ["date " * 50], "document", autocast=autocast)[0]) == 32

"""Routes and routed scores from numbers that can be checked by hand; encoding is asked of a stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import MultiVectorEncoder

from common.device import Device
from evaluation.compare import EvalSet
from evaluation.retrieve import encode, maxsim_scores
from evaluation.routing import (
    BASE,
    Router,
    ask,
    combined,
    confusion,
    embed,
    encode_documents,
    routes,
)
from tests.tiny import tiny_recipe
from training.model import load_encoder

CPU = Device("cpu", "fp32")
DOMAINS = ("general", "rust", "formal")


def test_a_sure_router_sends_to_one_and_an_unsure_one_to_the_two_best() -> None:
    probabilities = np.array([[0.1, 0.8, 0.1], [0.5, 0.1, 0.4]])
    assert routes(probabilities, DOMAINS, 0.6) == [
        {"rust": 1.0},
        {"general": pytest.approx(5 / 9), "formal": pytest.approx(4 / 9)},
    ]
    assert routes(probabilities, DOMAINS, 0.0) == [{"rust": 1.0}, {"general": 1.0}]


def test_probabilities_are_a_softmax_over_linear_scores() -> None:
    router = Router(("a", "b"), "encoder", np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0.0, 1.0]))
    [found] = router.probabilities(np.array([[2.0, 0.5]]))
    assert found == pytest.approx([np.exp(2) / (np.exp(2) + np.exp(1.5)), 1 / (1 + np.exp(0.5))])


def test_one_route_keeps_its_scores_and_two_are_scaled_and_added_by_their_shares() -> None:
    scores = {
        "rust": np.array([[0.2, 0.4, 0.6], [0.2, 0.4, 0.6]]),
        "formal": np.array([[9.0, 9.0, 9.0], [3.0, 1.0, 2.0]]),
    }
    found = combined(scores, [{"rust": 1.0}, {"rust": 0.75, "formal": 0.25}])
    assert found.tolist() == [[0.2, 0.4, 0.6], pytest.approx([0.25, 0.375, 0.875])]


def test_confusion_counts_where_each_domains_queries_went_first() -> None:
    chosen = [{"rust": 1.0}, {"formal": 0.4, "rust": 0.6}, {"formal": 1.0}]
    assert confusion(chosen, ["rust", "formal", "formal"], ("rust", "formal")) == [
        {"domain": "rust", "queries": 1, "sent": {"rust": 1, "formal": 0}},
        {"domain": "formal", "queries": 2, "sent": {"rust": 1, "formal": 1}},
    ]


class Switched:
    """Two "adapters" that are the same encoder cut at different lengths: their vectors differ."""

    domains = ("rust", "formal")

    def __init__(self, model: Path) -> None:
        recipe = tiny_recipe(model)
        self.encoders: dict[str, MultiVectorEncoder] = {
            "rust": load_encoder(recipe.model_copy(update={"query_length": 6}), 8),
            "formal": load_encoder(recipe.model_copy(update={"query_length": 8}), 12),
            BASE: load_encoder(recipe, 20),
        }

    @property
    def encoder(self) -> MultiVectorEncoder:
        return self.encoders["formal"]

    def to(self, accelerator: str) -> None:
        assert accelerator == "cpu"

    def use(self, name: str) -> MultiVectorEncoder:
        return self.encoders[name]

    @contextmanager
    def merged(self, name: str) -> Iterator[MultiVectorEncoder]:
        yield self.encoders[name]


def test_a_router_reads_the_mean_of_embeddings_or_of_token_vectors(tiny_model: Path) -> None:
    experts = Switched(tiny_model)
    queries = ["parse the date", "open a file of the path"]
    found = embed(experts, queries, CPU, "encoder")
    vectors = encode(experts.encoders[BASE], queries, "query", autocast=CPU.autocast())
    means = torch.stack([each.mean(dim=0) for each in vectors])
    assert np.allclose(found, torch.nn.functional.normalize(means, dim=1), atol=1e-6)

    encoder = experts.encoder
    table = encoder[0].model.get_input_embeddings().weight  # type: ignore[union-attr, operator]
    for query, row in zip(queries, embed(experts, queries, CPU, "embeddings"), strict=True):
        [ids] = encoder.preprocess([query], prompt=None, task="query")["input_ids"]
        mean = table[ids].mean(dim=0).detach()
        assert np.allclose(row, mean / mean.norm(), atol=1e-6)


TEXTS = ["fn parse_date(text) { read the file index }", "fn open_file(path) { merge token graph }"]


def test_a_document_is_read_by_the_adapter_of_its_domain_and_else_by_the_base(
    tiny_model: Path,
) -> None:
    experts = Switched(tiny_model)
    texts = [TEXTS[0], TEXTS[1], TEXTS[0], TEXTS[0]]
    found = encode_documents(experts, texts, ["rust", "formal", "personal", "formal"], CPU)
    for vectors, text, name in zip(found, texts, ("rust", "formal", BASE, "formal"), strict=True):
        [alone] = encode(experts.encoders[name], [text], "document", autocast=CPU.autocast())
        assert torch.allclose(vectors, alone, atol=1e-6)
    assert [len(each) for each in found[:3]] == [8, 12, 15]


def test_every_way_to_route_is_asked_over_the_same_documents(tiny_model: Path) -> None:
    experts = Switched(tiny_model)
    queries = ["parse the date from the file text", "open the path of the graph and merge"]
    asked = EvalSet(
        name="judged_test",
        form="indexed",
        query_ids=["a", "b"],
        queries=queries,
        styles=["what"] * 2,
        dialects=[None] * 2,
        documents=[*TEXTS, "fn third() {}"],
        answers=[[0], [2]],
        fields=[],
        domains=["rust", "formal", "personal"],
    )
    router = Router(("rust", "formal"), "encoder", np.zeros((2, 32)), np.array([0.0, 5.0]))
    found = ask(experts, router, [asked], CPU)
    assert list(found.scores) == ["routed", "oracle", "fixed:rust", "fixed:formal", "fixed:base"]
    assert found.unknown == 1
    assert found.own == {"judged_test": ["rust", "personal"]}
    scores = {name: each["judged_test"] for name, each in found.scores.items()}
    documents = encode_documents(experts, asked.documents, asked.domains, CPU)
    for name in ("rust", "formal", BASE):
        vectors = encode(experts.encoders[name], queries, "query", autocast=CPU.autocast())
        assert np.allclose(scores[f"fixed:{name}"], maxsim_scores(vectors, documents), atol=1e-6)
    # The router sends all to `formal`; the oracle knows that nobody is at home for the second.
    assert np.array_equal(scores["routed"], scores["fixed:formal"])
    assert np.array_equal(scores["oracle"][0], scores["fixed:rust"][0])
    assert np.array_equal(scores["oracle"][1], scores["fixed:base"][1])

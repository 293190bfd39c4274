"""One adapter of several: exactly the sum where it is to be, and a checkpoint as any other."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from sentence_transformers import MultiVectorEncoder

from common.errors import ProvenderError
from tests.tiny import pair, tiny_recipe, write_corpus
from tests.training.layouts import scores
from tests.training.test_experts import write_experts
from training.checkpoint import read_manifest
from training.combine import METHODS, Candidate, add, candidates, combine, remove
from training.experts import Experts
from training.merge import export
from training.model import adapter_of, load_encoder

LAYER = "base_model.model.encoder.layer.0.attention.self.query"


@pytest.fixture(scope="module")
def places(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_experts(tmp_path_factory.mktemp("alike"), tiny_model, rust=4, formal=4)


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [
        pair(number, split="valid", domain=("rust", "formal")[number % 2]) for number in range(24)
    ]
    return write_corpus(tmp_path_factory.mktemp("valid") / "v.parquet", rows)


def _change(experts: Experts, name: str) -> torch.Tensor:
    layer = adapter_of(experts.use(name)).get_submodule(LAYER)
    return layer.get_delta_weight(name).detach()  # type: ignore[operator]


def test_every_method_is_tried_with_every_weighting_once() -> None:
    tried = candidates(["rust", "formal"])
    # Of two, each leading is both alike.
    assert len(tried) == len(METHODS) * 2
    three = [each.weights for each in candidates(["general", "rust", "formal"])][:5]
    assert [sum(each.values()) for each in three] == pytest.approx([1, 2, 1, 1, 1])
    assert three[3] == {"general": 0.25, "rust": 0.5, "formal": 0.25}


@pytest.mark.parametrize("ranks", [{"rust": 4, "formal": 4}, {"rust": 4, "formal": 2}])
def test_cat_is_the_weighted_sum_whatever_the_ranks(
    ranks: dict[str, int], tiny_model: Path, tmp_path: Path
) -> None:
    experts = Experts.load(write_experts(tmp_path, tiny_model, **ranks))
    name = add(experts, Candidate("cat", {"rust": 0.75, "formal": 0.5}), 7)
    whole = 0.75 * _change(experts, "rust") + 0.5 * _change(experts, "formal")
    assert torch.allclose(_change(experts, name), whole, atol=1e-5)


def test_every_method_takes_experts_of_different_ranks(tiny_model: Path, tmp_path: Path) -> None:
    experts = Experts.load(write_experts(tmp_path, tiny_model, rust=4, formal=2))
    for method in METHODS:
        name = add(experts, Candidate(method, {"rust": 0.5, "formal": 0.5}), 7)
        change = _change(experts, name)
        assert torch.isfinite(change).all()
        assert change.abs().sum() > 0
        remove(experts, name)
    assert experts.domains == ("rust", "formal")


def test_what_is_dropped_at_random_is_the_same_each_time(places: dict[str, Path]) -> None:
    experts = Experts.load(places)
    found = []
    for seed in (7, 7, 8):
        name = add(experts, Candidate("dare_linear", {"rust": 0.5, "formal": 0.5}), seed)
        found.append(_change(experts, name))
        remove(experts, name)
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_the_best_is_a_checkpoint_as_any_other(
    places: dict[str, Path], valid: Path, tiny_model: Path, tmp_path: Path
) -> None:
    output = tmp_path / "merged"
    made = combine(places, output, valid=valid)
    assert made["combined"] is True
    assert read_manifest(output)["merged_from"].keys() == {"rust", "formal"}
    best = max(made["tried"], key=lambda row: row["MRR"])
    if made["retention"]["retained"]:
        assert made["method"] == best["method"]
    assert {row["scale"] for row in made["retention"]["rows"]} == {0.0, 1.0}
    assert combine(places, output, valid=valid)["combined"] is False
    files = pq.read_table(output / "provenance.parquet").to_pylist()
    one = pq.read_table(places["rust"] / "provenance.parquet").to_pylist()
    assert [row["pairs"] for row in files] == [2 * row["pairs"] for row in one]

    experts = Experts.load(places)
    weights = {domain: each["weight"] for domain, each in made["merged_from"].items()}
    name = add(experts, Candidate(made["method"], weights), 7)
    expected = scores(experts.use(name))
    recipe = tiny_recipe(output)
    assert torch.allclose(scores(load_encoder(recipe, recipe.index_length)), expected, atol=1e-5)
    export(output, tmp_path / "model")
    plain = MultiVectorEncoder(str(tmp_path / "model"), device="cpu")
    assert torch.allclose(scores(plain), expected, atol=1e-5)
    assert not torch.allclose(expected, scores(load_encoder(tiny_recipe(tiny_model))), atol=1e-2)


def test_one_expert_cannot_be_combined(
    places: dict[str, Path], valid: Path, tmp_path: Path
) -> None:
    with pytest.raises(ProvenderError, match="1 experts cannot be combined"):
        combine({"rust": places["rust"]}, tmp_path / "merged", valid=valid)

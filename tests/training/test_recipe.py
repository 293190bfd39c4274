from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from common.errors import ProvenderError
from training.recipe import Recipe, load_recipe

ROOT = Path(__file__).parents[2]


def _written(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_fill_what_a_recipe_leaves_out(tmp_path: Path) -> None:
    recipe = load_recipe(_written(tmp_path, "stage: rust\nadapter:\n  rank: 8\n"))
    assert recipe == Recipe.model_validate({"stage": "rust", "adapter": {"rank": 8}})
    assert (recipe.batch_size, recipe.epochs, recipe.seed) == (32, 1, 7)
    assert recipe.adapter.targets is None
    assert recipe.objective.scoring == "xtr"


def test_unknown_key_is_refused_with_the_nearest(tmp_path: Path) -> None:
    path = _written(tmp_path, "learning_rat: 0.1\n")
    with pytest.raises(
        ProvenderError, match="unknown key `learning_rat`; did you mean `learning_rate`"
    ):
        load_recipe(path)


def test_unknown_nested_key_is_refused_with_the_nearest(tmp_path: Path) -> None:
    path = _written(tmp_path, "objective:\n  temprature: 0.1\n")
    with pytest.raises(
        ProvenderError, match=r"`objective\.temprature`; did you mean `temperature`"
    ):
        load_recipe(path)


@pytest.mark.parametrize(
    "setting",
    [
        "dataset: ../elsewhere",
        "batch_size: 1",
        "epochs: 0",
        "learning_rate: 0",
        "warmup_share: 1.1",
        "adapter_scale: -0.1",
        "precision: fp8",
        "adapter_scale: []",
        "mixture: {domains: {rust: 0.5, formal: 0.4}}",
        "batches: {within: repository}",
        "accelerator: tpu",
        "adapter: {rank: 0}",
        "adapter: {dropout: 2}",
        "objective: {scoring: dot}",
        "objective: {temperature: 0}",
        "objective: {feature_weight: -1}",
        "mixture: {max_pairs: 0}",
        "mixture: {indexed_share: 1.5}",
        "mixture: {query_kinds: {doc: -1}}",
    ],
)
def test_value_out_of_range_is_refused_by_name(setting: str, tmp_path: Path) -> None:
    key = setting.split(":", maxsplit=1)[0]
    with pytest.raises(ProvenderError, match=f"`{key}"):
        load_recipe(_written(tmp_path, setting + "\n"))


@pytest.mark.parametrize(
    "path", sorted((ROOT / "config").glob("train_*.yaml")), ids=lambda p: p.name
)
def test_shipped_recipe_loads(path: Path) -> None:
    assert load_recipe(path).base_model


def test_recipe_survives_a_round_trip_through_yaml(tmp_path: Path) -> None:
    recipe = Recipe.model_validate({"seed": 3, "mixture": {"pair_types": {"doc": 0.5}}})
    text = yaml.safe_dump(recipe.model_dump(mode="json"))
    assert load_recipe(_written(tmp_path, text)) == recipe

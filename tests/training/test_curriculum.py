from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import ProvenderError
from training.curriculum import load_experts, load_recipes, load_stages

CONFIG = Path(__file__).parents[2] / "config"

CURRICULUM = """
domain_weights: {rust: 1}
stages:
  small:
    formal: {recipe: b.yaml, replay: 0.4}
    general: {recipe: a.yaml, pairs: 10, replay: 0.9}
    rust: {recipe: a.yaml, replay: 0.2}
  own:
    personal: {recipe: b.yaml}
experts:
  small:
    rust: {recipe: b.yaml, pairs: 20, replay: 0.4}
    general: {recipe: a.yaml}
    formal: {recipe: c.yaml}
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("PROVENDER_STAGES", raising=False)
    (tmp_path / "a.yaml").write_text("seed: 1\nbase_model: some/base\n", encoding="utf-8")
    (tmp_path / "b.yaml").write_text("seed: 2\nbase_model: some/base\n", encoding="utf-8")
    (tmp_path / "c.yaml").write_text(
        "base_model: stage:rust\nmixture: {domains: {rust: 1.0}}\n", encoding="utf-8"
    )
    path = tmp_path / "curriculum.yaml"
    path.write_text(CURRICULUM, encoding="utf-8")
    return path


def test_each_stage_starts_from_the_one_before(path: Path) -> None:
    found = load_stages(path)
    assert list(found) == ["general", "rust", "formal"]
    bases = [recipe.base_model for recipe in found.values()]
    assert bases == ["some/base", "stage:general", "stage:rust"]
    assert [recipe.stage for recipe in found.values()] == ["general", "rust", "formal"]
    assert [recipe.seed for recipe in found.values()] == [1, 1, 2]


def test_replay_is_shared_by_the_domains_of_earlier_stages(path: Path) -> None:
    shares = {name: recipe.mixture.domains for name, recipe in load_stages(path).items()}
    assert shares["general"] == {"general": 1.0}
    assert shares["rust"] == {"rust": 0.8, "general": 0.2}
    assert shares["formal"] == {"formal": 0.6, "general": 0.2, "rust": 0.2}


def test_pairs_of_a_stage_go_before_the_recipes(path: Path) -> None:
    found = load_stages(path)
    assert [recipe.mixture.max_pairs for recipe in found.values()] == [10, 4096, 4096]


def test_a_recipe_that_names_shares_itself_keeps_them(path: Path) -> None:
    text = "mixture: {domains: {formal: 1.0}}\n"
    (path.parent / "b.yaml").write_text(text, encoding="utf-8")
    assert load_stages(path)["formal"].mixture.domains == {"formal": 1.0}


def test_the_profile_is_the_named_one_else_that_of_the_environment_else_the_first(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(load_stages(path, "own")) == ["personal"]
    monkeypatch.setenv("PROVENDER_STAGES", "own")
    assert list(load_stages(path)) == ["personal"]
    assert len(load_stages(path, "small")) == 3


def test_an_unknown_profile_is_told_with_the_nearest(path: Path) -> None:
    with pytest.raises(ProvenderError, match="no profile of stages `smal`; did you mean `small`"):
        load_stages(path, "smal")


def test_an_unknown_stage_is_told_with_the_nearest(path: Path) -> None:
    with pytest.raises(ProvenderError, match="no stage `rusty`; did you mean `rust`"):
        load_recipes(path, stage="rusty")


def test_a_missing_recipe_is_named(path: Path) -> None:
    (path.parent / "b.yaml").unlink()
    with pytest.raises(ProvenderError, match="no such file") as caught:
        load_stages(path)
    assert caught.value.where == str(path.parent / "b.yaml")


def test_a_recipe_is_one_recipe_and_has_no_stages(path: Path) -> None:
    [recipe] = load_recipes(path.parent / "a.yaml")
    assert recipe.seed == 1
    with pytest.raises(ProvenderError, match="This is a recipe"):
        load_recipes(path.parent / "a.yaml", stage="rust")


def test_a_curriculum_gives_one_stage_or_all(path: Path) -> None:
    assert [recipe.stage for recipe in load_recipes(path)] == ["general", "rust", "formal"]
    assert [recipe.stage for recipe in load_recipes(path, stage="rust")] == ["rust"]


def test_every_expert_stands_on_the_first_ones_base(path: Path) -> None:
    found = load_experts(path)
    assert list(found) == ["general", "rust", "formal"]
    assert {recipe.base_model for recipe in found.values()} == {"some/base"}
    assert [recipe.checkpoint for recipe in found.values()] == [
        *("expert_general", "expert_rust", "expert_formal")
    ]


def test_an_expert_draws_its_own_domain_and_is_judged_by_it(path: Path) -> None:
    found = load_experts(path)
    assert {name: recipe.mixture.domains for name, recipe in found.items()} == {
        "general": {"general": 1.0},
        "rust": {"rust": 0.6, "general": 0.2, "formal": 0.2},
        "formal": {"formal": 1.0},
    }
    assert [recipe.watch.domains for recipe in found.values()] == [
        *(["general"], ["rust"], ["formal"])
    ]
    assert found["rust"].mixture.max_pairs == 20


def test_a_profile_may_have_no_experts(path: Path) -> None:
    assert load_experts(path, "own") == {}
    with pytest.raises(ProvenderError, match="The profile has no experts"):
        load_recipes(path, stages="own", experts=True)
    with pytest.raises(ProvenderError, match="no profile of stages `smal`"):
        load_recipes(path, stages="smal", experts=True)


def test_a_curriculum_gives_one_expert_or_all(path: Path) -> None:
    assert len(load_recipes(path, experts=True)) == 3
    [recipe] = load_recipes(path, stage="rust", experts=True)
    assert recipe.stage == "expert_rust"
    with pytest.raises(ProvenderError, match="no expert `personal`"):
        load_recipes(path, stage="personal", experts=True)


@pytest.mark.parametrize("recipe", sorted(CONFIG.glob("train_*.yaml")), ids=lambda path: path.name)
def test_every_shipped_recipe_can_be_read(recipe: Path) -> None:
    assert len(load_recipes(recipe)) == 1


def test_every_shipped_profile_is_whole() -> None:
    from training.curriculum import _Curriculum, load

    found = load(CONFIG / "curriculum.yaml", _Curriculum)
    assert found.stages.keys() == found.experts.keys()
    for name in found.stages:
        stages = load_stages(CONFIG / "curriculum.yaml", name)
        assert load_experts(CONFIG / "curriculum.yaml", name).keys() == stages.keys()

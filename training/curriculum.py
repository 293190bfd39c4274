"""The curriculum: which recipe trains which stage, from which checkpoint, on which domains; and its experts.

What goes into the corpus is in the same file, and `corpus/curriculum.py`'s to read.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml
from pydantic import ConfigDict, Field

from common.config import Settings, load
from common.errors import ProvenderError, hint
from common.stages import EXPERT, StageName, Stages, profile
from training.recipe import Recipe, load_recipe


class _Curriculum(Settings):
    model_config = ConfigDict(extra="ignore", frozen=True)

    stages: dict[str, Stages] = Field(default={})
    experts: dict[str, Stages] = Field(default={})


def load_stages(path: Path, name: str | None = None) -> dict[StageName, Recipe]:
    """The recipe of each stage of the curriculum at `path`, in order, made whole.

    A stage starts from the one before it, and draws `replay` of its pairs from the domains of earlier stages,
    in equal shares; a recipe that names shares of domains itself keeps them.

    Args:
        name: the profile; by default the one that PROVENDER_STAGES names, else the first.

    Raises:
        ProvenderError: the curriculum, the profile or a recipe cannot be used.
    """
    stages = profile(load(path, _Curriculum).stages, where=f"{path}: stages", name=name)
    made: dict[StageName, Recipe] = {}
    for stage, settings in stages.items():
        recipe = load_recipe(path.parent / settings.recipe)
        earlier = list(made)
        mixture = recipe.mixture
        if settings.pairs:
            mixture = mixture.model_copy(update={"max_pairs": settings.pairs})
        if not mixture.domains:
            shares = _shares(stage, earlier, settings.replay)
            mixture = mixture.model_copy(update={"domains": shares})
        base = f"stage:{earlier[-1]}" if earlier else recipe.base_model
        made[stage] = recipe.model_copy(
            update={"stage": stage, "base_model": base, "mixture": mixture}
        )
    return made


def load_experts(path: Path, name: str | None = None) -> dict[StageName, Recipe]:
    """The recipe of each expert of the curriculum at `path`: one a domain, all on one base model.

    That is the first expert's. An expert draws its own domain alone, but for `replay`, which the other
    experts' share; and its own domain's queries decide about its state and scale.

    Args:
        name: the profile; as in `load_stages`.

    Returns:
        By domain; nothing where the profile has no experts.

    Raises:
        ProvenderError: the curriculum or a recipe cannot be used.
    """
    curriculum = load(path, _Curriculum)
    asked = name or os.environ.get("PROVENDER_STAGES") or next(iter(curriculum.stages), None)
    if asked not in curriculum.experts:
        return {}
    settings = profile(curriculum.experts, where=f"{path}: experts", name=asked)
    recipes: dict[StageName, Recipe] = {
        each: load_recipe(path.parent / own.recipe) for each, own in settings.items()
    }
    base = next(iter(recipes.values())).base_model
    made: dict[StageName, Recipe] = {}
    for domain, recipe in recipes.items():
        own = settings[domain]
        others: list[StageName] = [each for each in recipes if each != domain]
        mixture: dict[str, Any] = {"domains": _shares(domain, others, own.replay)}
        if own.pairs:
            mixture["max_pairs"] = own.pairs
        made[domain] = recipe.model_copy(
            update={
                "stage": f"{EXPERT}{domain}",
                "base_model": base,
                "mixture": recipe.mixture.model_copy(update=mixture),
                "watch": recipe.watch.model_copy(update={"domains": [domain]}),
            }
        )
    return made


def _shares(own: StageName, others: list[StageName], replay: float) -> dict[StageName, float]:
    """The share of each domain of what is drawn: `replay` for all of `others`, what is left for `own`."""
    shared: dict[StageName, float] = {}
    if replay and others:
        shared = dict.fromkeys(others, replay / len(others))
    return {own: 1 - sum(shared.values()), **shared}


def load_recipes(
    path: Path, *, stages: str | None = None, stage: str | None = None, experts: bool = False
) -> list[Recipe]:
    """The recipes that `path` asks for: its own, or those of a curriculum's stages or experts, in order.

    Args:
        stages: of a curriculum, the profile.
        stage: of a curriculum, the one stage, or the domain of the one expert.
        experts: whether the curriculum's experts are meant.

    Raises:
        ProvenderError: the file cannot be used, or has no such stage or expert.
    """
    if not is_curriculum(path):
        if stage or stages or experts:
            raise ProvenderError(
                "This is a recipe, which has no stages.",
                where=str(path),
                remedy="Name a curriculum, or leave --stage, --stages and --experts out.",
            )
        return [load_recipe(path)]
    if experts:
        made = load_experts(path, stages)
        if not made:
            profile(load(path, _Curriculum).stages, where=f"{path}: stages", name=stages)
            raise ProvenderError(
                "The profile has no experts.",
                where=f"{path}: experts",
                remedy="Write them there as the profile's stages are written, or choose another --stages.",
            )
    else:
        made = load_stages(path, stages)
    if stage is None:
        return list(made.values())
    for name, recipe in made.items():
        if name == stage:
            return [recipe]
    what = "expert" if experts else "stage"
    raise ProvenderError(
        f"The profile has no {what} `{stage}`; {hint(stage, made, f'{what}s')}",
        where=str(path),
        remedy="Correct --stage or --stages.",
    )


def is_curriculum(path: Path) -> bool:
    """Whether the file at `path` names stages, and so is no recipe."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return False  # what is wrong with it, the reader of recipes says
    return isinstance(found, dict) and "stages" in found

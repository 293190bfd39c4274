"""The curriculum: which recipe trains which stage, from which checkpoint, on which domains.

What goes into the corpus is in the same file, and `corpus/curriculum.py`'s to read.
"""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import ConfigDict, Field

from common.config import Settings, load
from common.errors import ProvenderError, hint
from common.stages import StageName, Stages, profile
from training.recipe import Recipe, load_recipe


class _Curriculum(Settings):
    model_config = ConfigDict(extra="ignore", frozen=True)

    stages: dict[str, Stages] = Field(default={})


def load_stages(path: Path, name: str | None = None) -> dict[StageName, Recipe]:
    """The recipe of each stage of the curriculum at `path`, in order, made whole.

    A stage starts from the one before it, and draws `replay` of its pairs from the domains of earlier stages,
    in equal shares; a recipe that names shares of domains itself keeps them.

    Args:
        name: the profile; by default the one that PROVENDER_STAGES names, else the first.

    Raises:
        ProvenderError: the curriculum, the profile or a recipe cannot be used.
    """
    stages = profile(load(path, _Curriculum).stages, where=str(path), name=name)
    made: dict[StageName, Recipe] = {}
    for stage, settings in stages.items():
        recipe = load_recipe(path.parent / settings.recipe)
        earlier = list(made)
        mixture = recipe.mixture
        if settings.pairs:
            mixture = mixture.model_copy(update={"max_pairs": settings.pairs})
        if not mixture.domains:
            replay = settings.replay if earlier else 0.0
            shares = {stage: 1 - replay} | {
                each: replay / len(earlier) for each in earlier if replay
            }
            mixture = mixture.model_copy(update={"domains": shares})
        base = f"stage:{earlier[-1]}" if earlier else recipe.base_model
        made[stage] = recipe.model_copy(
            update={"stage": stage, "base_model": base, "mixture": mixture}
        )
    return made


def load_recipes(
    path: Path, *, stages: str | None = None, stage: str | None = None
) -> list[Recipe]:
    """The recipes that `path` asks for: its own, or those of a curriculum's stages, in order.

    Args:
        stages: of a curriculum, the profile.
        stage: of a curriculum, the one stage.

    Raises:
        ProvenderError: the file cannot be used, or has no such stage.
    """
    if not is_curriculum(path):
        if stage or stages:
            raise ProvenderError(
                "This is a recipe, which has no stages.",
                where=str(path),
                remedy="Name a curriculum, or leave --stage and --stages out.",
            )
        return [load_recipe(path)]
    made = load_stages(path, stages)
    if stage is None:
        return list(made.values())
    for name, recipe in made.items():
        if name == stage:
            return [recipe]
    raise ProvenderError(
        f"The profile has no stage `{stage}`; {hint(stage, made, 'stages')}",
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

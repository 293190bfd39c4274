"""The models that are asked: the untouched base, the tuned one, the champion, and what
`config/evaluation.yaml` adds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assets.checkpoints import MODEL, place_of_stage
from assets.experts import MERGED, Routed, read_routed
from common.errors import ProvenderError
from evaluation.settings import Evaluation, short_name
from resources.lake import Lake
from resources.registry import CHAMPION, Registry

if TYPE_CHECKING:
    from sentence_transformers import MultiVectorEncoder

    from training.recipe import Recipe

BASE, TUNED = "base", "tuned"


def others(
    lake: Lake, manifest: Mapping[str, Any], settings: Evaluation
) -> tuple[dict[str, str], dict[str, str]]:
    """The models to ask beside base and tuned one, stages first: by name, what `load_encoder` takes.

    Each is loaded once to see whether it can be; nothing is where the settings name none.

    Returns:
        Those that can be loaded, and of the others why not.
    """
    stages = reversed(manifest["lineage"]) if settings.stages else ()
    named = {f"stage_{each['stage']}": _stage(lake, each) for each in stages}
    named |= {short_name(each): (_place(each), "") for each in settings.baselines}
    found, missing = {}, {}
    for name, (base_model, wrong) in named.items():
        problem = wrong or _problem(base_model, manifest)
        if problem:
            missing[name] = problem
        else:
            found[name] = base_model
    return found, missing


def experts(
    lake: Lake, manifest: Mapping[str, Any]
) -> tuple[Routed | None, dict[str, str], dict[str, str]]:
    """The lake's experts with their router, the model that is merged of them, and what of it cannot be asked.

    Returns:
        The experts; the merged model by name, as of `others`; by name why not.
    """
    from evaluation.routing import ROUTED

    missing: dict[str, str] = {}
    routed = None
    try:
        routed = read_routed(lake)
    except ProvenderError as error:
        missing[ROUTED] = str(error)
    place = str(lake.path(*MERGED))
    problem = _problem(place, manifest)
    if problem:
        return routed, {}, {**missing, MERGED[-1]: problem}
    return routed, {MERGED[-1]: place}, missing


def champion(registry: Registry, fingerprint: str) -> tuple[dict[str, str], dict[str, str]]:
    """The registered champion as a system, where there is one and it is not the model itself.

    Its gate fails while it cannot be asked, so that no model takes its place unmeasured.

    Args:
        registry: where it is registered.
        fingerprint: of the model.

    Returns:
        Its folder by name; and, where it cannot be read, why not.
    """
    try:
        version = registry.version(CHAMPION)
        if version is None or version.fingerprint == fingerprint:
            return {}, {}
        return {CHAMPION: str(registry.folder(version))}, {}
    except ProvenderError as error:
        return {}, {CHAMPION: str(error)}


def _stage(lake: Lake, stage: Mapping[str, Any]) -> tuple[str, str]:
    """Where a stage's checkpoint lies, and what is wrong with it."""
    from training.checkpoint import is_current

    place = lake.path(*place_of_stage(stage["stage"]))
    wrong = (
        "" if is_current(place, stage["fingerprint"]) else "the model was made from another one."
    )
    return str(place), wrong


def _place(baseline: str) -> str:
    folder = Path(baseline).expanduser()
    return str(folder) if folder.is_dir() else baseline


def _problem(base_model: str, manifest: Mapping[str, Any]) -> str:
    """Why a model cannot be loaded; nothing where it can."""
    from training.model import load_encoder

    recipe = recipe_of(manifest, base_model)
    try:
        load_encoder(recipe, recipe.index_length)
    except ProvenderError as error:
        return f"{error.what} {error.remedy}"
    return ""


def recipe_of(manifest: Mapping[str, Any], base_model: str) -> Recipe:
    """The tuned model's recipe on another base: all are asked at the same lengths."""
    from training.recipe import Recipe

    return Recipe.model_validate({**manifest["config"], "base_model": base_model})


def loaders(
    lake: Lake, manifest: Mapping[str, Any], found: Mapping[str, str]
) -> dict[str, Callable[[], MultiVectorEncoder]]:
    """All models by name, base and tuned one first, each to be loaded when it is asked."""
    from functools import partial

    from sentence_transformers import MultiVectorEncoder

    from training.model import load_encoder

    # Against what nobody here has trained, however many stages there were.
    named = {BASE: recipe_of(manifest, manifest["root"])}
    named |= {name: recipe_of(manifest, each) for name, each in found.items()}
    loaded = {
        name: partial(load_encoder, recipe, recipe.index_length) for name, recipe in named.items()
    }
    tuned = partial(MultiVectorEncoder, str(lake.path(*MODEL)), device="cpu")
    return {BASE: loaded.pop(BASE), TUNED: tuned, **loaded}

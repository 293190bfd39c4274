"""The model that a command searches with: found and identified at once, loaded when it is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from common.errors import ProvenderError, hint
from common.hashing import digest
from pipeline.experts import NAME as EXPERTS
from pipeline.experts import RoutedModel, routed
from resources.lake import Lake
from resources.project import Project
from resources.registry import ALIASES, Registry

if TYPE_CHECKING:
    import torch
    from sentence_transformers import MultiVectorEncoder

    from training.recipe import Recipe

BASE, EMBEDDED = "base", "embedded:minilm"


@dataclass
class Model:
    """A model by what identifies it, its lengths included."""

    name: str
    fingerprint: str
    _recipe: Recipe
    _encoder: MultiVectorEncoder | None = None

    def encode(self, texts: list[str], task: str) -> list[torch.Tensor]:
        """Token vectors of each text, `(tokens, dim)`, unit length; loads the model the first time.

        Raises:
            ProvenderError: it cannot be loaded.
        """
        from common.device import pick
        from evaluation.retrieve import encode
        from training.model import load_encoder

        device = pick()
        if self._encoder is None:
            self._encoder = load_encoder(self._recipe, self._recipe.index_length)
            self._encoder.to(device.accelerator)
        return encode(self._encoder, texts, task, autocast=device.autocast())

    # As `pipeline.experts.RoutedModel`, of which several adapters read.
    readers: ClassVar[list[str]] = []

    def reader(self, domain: str) -> str:
        """What encodes a document of `domain`: this model."""
        return self.fingerprint

    def encode_documents(self, texts: list[str], domains: Sequence[str]) -> list[torch.Tensor]:
        """As `encode`; of what domains they are does not matter."""
        return self.encode(texts, "document")

    def encode_query(self, query: str) -> list[tuple[torch.Tensor, float]]:
        """As `encode`, and 1: the share of the score that it has."""
        [vectors] = self.encode([query], "query")
        return [(vectors, 1.0)]


def chosen(lake: Lake, name: str) -> Model | RoutedModel:
    """The model that `name` means: the lake's where it is empty, `base` for the one it began as, `experts`
    for those that are routed to, else an alias or a number of the registry, a stage of the lake, a folder,
    or a name that training's `base_model` may have.

    Raises:
        ProvenderError: there is none.
    """
    from assets.checkpoints import MODEL

    if name == EXPERTS:
        return routed(lake)
    own = lake.path(*MODEL)
    if not name and not own.is_dir():
        raise ProvenderError(
            "There is no model yet.",
            where=lake.uri(*MODEL),
            remedy="Run `make demo` first, or name one: `--model base` is the untouched one.",
        )
    place = _registered(lake, name) if _is_registered(name) else _place(lake, name)
    recipe = _recipe(place if place is not None else own)
    if name == BASE:
        recipe = recipe.model_copy(update={"base_model": _root(own) or recipe.base_model})
    else:
        recipe = recipe.model_copy(update={"base_model": name if place is None else str(place)})
    return Model(name or own.name, _fingerprint(recipe), recipe)


def _is_registered(name: str) -> bool:
    return name in ALIASES or name.isdecimal()


def _registered(lake: Lake, name: str) -> Path:
    """The folder of a version in MLflow's registry.

    Raises:
        ProvenderError: there is none, or its files are gone.
    """
    from resources.tracking import Tracking

    registry = Registry(lake=lake, tracking=Tracking(lake=lake))
    version = registry.version(name)
    if version is None:
        raise ProvenderError(
            f"There is no {name} yet." if name in ALIASES else f"There is no version {name}.",
            where="--model",
            remedy="`provender models` lists what is registered; without --model the lake's is taken.",
        )
    return registry.folder(version)


def _place(lake: Lake, name: str) -> Path | None:
    """The folder that `name` means; null for what is no folder's name."""
    from assets.checkpoints import MODEL
    from assets.experts import ROUTER

    if name in (BASE, EMBEDDED):
        return None
    for place in (
        lake.path("models", name) if name else lake.path(*MODEL),
        Path(name).expanduser(),
    ):
        if place.is_dir():
            return place.resolve()
    # A hub's names have one slash at most; what looks like a path is one.
    if name.startswith((".", "/", "~")) or "/" not in name:
        folders = [each.name for each in lake.every("models", "*") if each.is_dir()]
        stages = [each for each in folders if each != ROUTER[-1]]
        raise ProvenderError(
            f"There is no model `{name}`; {hint(name, [*stages, BASE, EMBEDDED], 'models')}",
            where="--model",
            remedy="Correct it, or give a folder.",
        )
    return None


def _recipe(place: Path) -> Recipe:
    """The recipe of the checkpoint at `place`, whose lengths count; that of the first stage if it is none."""
    from training.checkpoint import MANIFEST, read_manifest
    from training.recipe import Recipe

    if (place / MANIFEST).is_file():
        return Recipe.model_validate(read_manifest(place)["config"])
    return next(iter(Project().load_stages().values()))


def _root(place: Path) -> str:
    """What the checkpoint at `place` began as, before any stage; nothing where it is none."""
    from training.checkpoint import MANIFEST, read_manifest

    return str(read_manifest(place)["root"]) if (place / MANIFEST).is_file() else ""


def _fingerprint(recipe: Recipe) -> str:
    from training.model import identity

    return digest(identity(recipe.base_model), recipe.query_length, recipe.index_length)

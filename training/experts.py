"""Experts in memory: one base model, with the adapter of each domain on it.

Which of them a query goes to is `evaluation.routing`; what learns that, `training.router`; and one model
made of all of them, `training.combine`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import ProvenderError
from common.hashing import digest
from common.stages import EXPERT, ORDER
from evaluation.routing import BASE
from training.checkpoint import MANIFEST, content, read_manifest
from training.recipe import Recipe

if TYPE_CHECKING:
    from sentence_transformers import MultiVectorEncoder


class Experts:
    """One base model, and the adapters of some domains side by side on it.

    An adapter is put to use in milliseconds: nothing is read again, and the base's weights stay where they
    are.

    Attributes:
        domains: those that have an adapter.
        recipe: of the first; base model and lengths are the same for all.
        encoder: with whatever was put to use last.
        fingerprints: what identifies each adapter with its base and lengths, by domain, and the base by
            `BASE`.
    """

    def __init__(
        self, encoder: MultiVectorEncoder, recipe: Recipe, fingerprints: Mapping[str, str]
    ) -> None:
        from peft.tuners.lora import LoraLayer

        self.encoder = encoder
        self._layers = [each for each in encoder.modules() if isinstance(each, LoraLayer)]
        self.recipe, self.fingerprints = recipe, dict(fingerprints)
        self.domains = tuple(name for name in fingerprints if name != BASE)

    @classmethod
    def load(cls, checkpoints: Mapping[str, Path]) -> Experts:
        """The experts of the domains of `checkpoints`, on the CPU.

        Raises:
            ProvenderError: one is missing or damaged, or they were trained on different base models or for
                other lengths.
        """
        from training.model import ADAPTER, load_adapter, load_encoder

        recipe, fingerprints = identified(checkpoints)
        encoder = load_encoder(recipe, recipe.index_length)
        for domain, checkpoint in checkpoints.items():
            load_adapter(encoder, checkpoint / ADAPTER, domain)
        return cls(encoder, recipe, fingerprints)

    def to(self, accelerator: str) -> None:
        """Move all of it to an accelerator."""
        self.encoder.to(accelerator)

    def use(self, name: str) -> MultiVectorEncoder:
        """The encoder as the adapter of a domain makes it, or as it is without one (`BASE`).

        It is one object: it reads as what was put to use last.
        """
        # Layer by layer: to walk the whole model and freeze what is frozen takes peft three times as long.
        for layer in self._layers:
            layer.set_adapter([] if name == BASE else [name], inference_mode=True)
        return self.encoder

    @contextmanager
    def merged(self, name: str) -> Iterator[MultiVectorEncoder]:
        """As `use`, with the adapter's change added to the weights: for many texts.

        Beside the weights an adapter costs a fifth of the time of a document. To add it and to take it away
        again costs a tenth of a second, and leaves the base as it was but for a rounding (1e-7).
        """
        from training.model import adapter_of

        encoder = self.use(name)
        if name == BASE:
            yield encoder
            return
        adapted: Any = adapter_of(encoder).base_model
        adapted.merge_adapter([name])
        try:
            yield encoder
        finally:
            adapted.unmerge_adapter()


def identified(checkpoints: Mapping[str, Path]) -> tuple[Recipe, dict[str, str]]:
    """The common recipe and the fingerprints of `Experts`, from the files alone.

    A fingerprint says what is computed: base and adapter by their content, and the lengths.

    Raises:
        ProvenderError: as in `Experts.load`.
    """
    from training.model import ADAPTER, identity, parent_of

    recipes: dict[str, Recipe] = {}
    for domain, checkpoint in checkpoints.items():
        if not (checkpoint / MANIFEST).is_file() or not (checkpoint / ADAPTER).is_dir():
            raise ProvenderError(
                f"There is no expert for `{domain}`.",
                where=str(checkpoint),
                remedy=f"Train it: {_COMMAND} --stage {domain}",
            )
        parent = parent_of(checkpoint)
        recipe = Recipe.model_validate(read_manifest(checkpoint)["config"])
        recipes[domain] = recipe.model_copy(update={"base_model": parent})
    if not recipes:
        raise ProvenderError(
            "There are no experts.", where="experts", remedy=f"Train them: {_COMMAND}"
        )
    bases = {each.base_model: identity(each.base_model) for each in recipes.values()}
    first, *others = recipes
    for other in others:
        _check_alike(first, other, recipes, bases)
    recipe = recipes[first]
    base, lengths = bases[recipe.base_model], (recipe.query_length, recipe.index_length)
    fingerprints = {
        domain: digest([*base, content(str(checkpoint / ADAPTER))], *lengths)
        for domain, checkpoint in checkpoints.items()
    }
    return recipe, {BASE: digest(base, *lengths), **fingerprints}


_COMMAND = "python -m training.run --config config/curriculum.yaml --experts"


def _check_alike(
    one: str, other: str, recipes: Mapping[str, Recipe], bases: Mapping[str, object]
) -> None:
    ours, theirs = recipes[one], recipes[other]
    if bases[ours.base_model] != bases[theirs.base_model]:
        what = f"on `{ours.base_model}`, `{other}` on `{theirs.base_model}`"
    elif ours.query_length != theirs.query_length or ours.index_length != theirs.index_length:
        what = (
            f"for {ours.query_length} and {ours.index_length} tokens of a query and a document, `{other}` "
            f"for {theirs.query_length} and {theirs.index_length}"
        )
    else:
        return
    raise ProvenderError(
        f"These experts cannot be used together: `{one}` was trained {what}.",
        where=f"{EXPERT}{one}, {EXPERT}{other}",
        remedy="Let their recipes agree, and train them again.",
    )


def found(models: Path) -> dict[str, Path]:
    """The experts among the checkpoints in the folder `models`, by domain, in the order of the stages."""
    places = {domain: models / f"{EXPERT}{domain}" for domain in ORDER}
    return {domain: place for domain, place in places.items() if (place / MANIFEST).is_file()}

"""What training reads of a corpus, for tests that look at it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from sentence_transformers import MultiVectorEncoder

from training.data import Batches, EpochLoader, Example, TokenBatch
from training.model import load_encoder
from training.recipe import Recipe


def read_batches(corpus: Path, recipe: Recipe, epoch: int = 0) -> list[list[Example]]:
    """The batches of one epoch."""
    with tempfile.TemporaryDirectory() as folder:
        recipe = recipe.model_copy(update={"epochs": max(recipe.epochs, epoch + 1)})
        return list(Batches(corpus, recipe, Path(folder)).epoch(epoch))


def loader(
    corpus: Path, recipe: Recipe, encoder: MultiVectorEncoder, folder: Path, epochs: int = 3
) -> EpochLoader:
    """A loader of `epochs` epochs."""
    recipe = recipe.model_copy(update={"epochs": epochs})
    return EpochLoader(Batches(corpus, recipe, folder), recipe, encoder)


def token_batches(corpus: Path, recipe: Recipe) -> list[TokenBatch]:
    """The token ids of the first epoch."""
    with tempfile.TemporaryDirectory() as folder:
        return list(loader(corpus, recipe, load_encoder(recipe), Path(folder), 1))


def documents_of(batches: Sequence[Sequence[Example]]) -> list[str]:
    """The documents of all batches."""
    return [example.document for batch in batches for example in batch]

"""`python -m training.mine --config config/train_rust_specialist.yaml`: the hard negatives of a stage.

Mines for the pairs that the recipe draws, with the checkpoint that it starts from. `python -m training.run`
does it by itself where there are none yet. How negatives are found is `training/negatives.py`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from common.atomic import replacing_folder, write_json
from common.errors import ProvenderError
from common.hashing import digest
from common.progress import Progress
from training.checkpoint import MANIFEST, base_version, beside, data_version, read_manifest
from training.curriculum import load_recipes
from training.pairs import Texts, draw, pairs_of, read_index
from training.pipes import session
from training.recipe import Recipe

VERSION = "1"
"""Raise it when the code of mining changes what it finds."""


def mine_stage(
    recipe: Recipe,
    corpus: Path,
    checkpoint: Path,
    output: Path,
    *,
    tell: Callable[[str], object] = lambda _: None,
) -> dict[str, Any]:
    """Mine for `recipe` into the folder `output`, unless the same was mined already.

    Args:
        corpus: the pairs that it trains on.
        checkpoint: where its own checkpoint is to be: `stage:NAME` is beside it.
        output: gets `negatives.parquet`, `consistency.parquet` and a manifest with counts.
        tell: told now and then how far it is.

    Returns:
        The manifest, with `mined` added: false where nothing had to be done.

    Raises:
        ProvenderError: the recipe asks for none, or the corpus or base model cannot be used.
    """
    if not recipe.hard_negatives.per_pair:
        raise ProvenderError(
            "The recipe asks for no hard negatives.",
            where="hard_negatives.per_pair",
            remedy="Set it to a number above 0.",
        )
    base = beside(recipe.base_model, checkpoint)
    current = _fingerprint(recipe, corpus, base)
    if _is_current(output, current):
        return {**read_manifest(output), "mined": False}
    found = _mine(recipe.model_copy(update={"base_model": base}), corpus, tell)
    kinds = found.negatives["kind"].value_counts().to_pylist()
    ranks = np.asarray(found.consistency["rank"])
    manifest = {
        "fingerprint": current,
        "base_model": recipe.base_model,
        "pairs": found.consistency.num_rows,
        "negatives": found.negatives.num_rows,
        "kinds": {each["values"]: each["counts"] for each in kinds},
        "consistent": {f"top {k}": int((ranks <= k).sum()) for k in (1, 5, 20)},
    }
    with replacing_folder(output) as folder:
        pq.write_table(found.negatives, folder / "negatives.parquet", compression="zstd")
        pq.write_table(found.consistency, folder / "consistency.parquet", compression="zstd")
        write_json(manifest, folder / MANIFEST)
    return {**manifest, "mined": True}


def is_mined(recipe: Recipe, corpus: Path, checkpoint: Path, output: Path) -> bool:
    """Whether `output` holds what `mine_stage` would write there."""
    base = beside(recipe.base_model, checkpoint)
    return _is_current(output, _fingerprint(recipe, corpus, base))


def _is_current(output: Path, fingerprint: str) -> bool:
    return (output / MANIFEST).is_file() and read_manifest(output)["fingerprint"] == fingerprint


def _fingerprint(recipe: Recipe, corpus: Path, base: str) -> str:
    asked = {"hard_negatives", "mixture", "seed", "epochs", "query_length", "document_length"}
    settings = recipe.model_dump(mode="json", include=asked)
    return digest(VERSION, settings, data_version(corpus), base_version(base))


def _mine(recipe: Recipe, corpus: Path, tell: Callable[[str], object]) -> Any:
    from common.device import pick
    from training.model import load_encoder
    from training.negatives import mine

    index = read_index(corpus, recipe)
    epochs = [draw(index, recipe.mixture, recipe.seed + epoch) for epoch in range(recipe.epochs)]
    positions = np.unique(np.concatenate(epochs))
    device = pick(recipe.accelerator, recipe.precision)
    encoder = load_encoder(recipe).to(device.accelerator)
    with tempfile.TemporaryDirectory() as folder:
        pairs = Texts.write(corpus, positions, Path(folder) / "pairs.arrow").table
        progress = Progress(tell, "pairs mined for")
        return mine(pairs, encoder, recipe.hard_negatives.mining, device.autocast(), progress)


def _note(said: str) -> None:
    print(said, file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    """The command line; 0 on success, 1 where a message says what to do."""
    parser = argparse.ArgumentParser(prog="python -m training.mine", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="a recipe or a curriculum")
    parser.add_argument("--stage", help="of a curriculum, the stage to mine for")
    parser.add_argument("--stages", help="of a curriculum, the profile of stages")
    parser.add_argument(
        "--experts", action="store_true", help="of a curriculum, its experts in place of its stages"
    )
    parser.add_argument("--corpus", type=Path, help="Parquet table or folder of training pairs")
    parser.add_argument("--models", type=Path, help="folder of the checkpoints")
    parser.add_argument("-o", "--output", type=Path, help="folder of the negatives")
    options = parser.parse_args(arguments)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    lake = Path(os.environ.get("PROVENDER_LAKE", "lake"))
    models = options.models or lake / "models"
    try:
        with session() as pipes:
            tell = pipes.log.info if pipes is not None else _note
            for recipe in _recipes(options):
                name = recipe.checkpoint
                output = options.output or lake / "negatives" / name
                corpus = options.corpus or pairs_of(recipe, lake)
                result = mine_stage(recipe, corpus, models / name, output, tell=tell)
                done = "mined" if result["mined"] else "unchanged"
                told = (
                    f"{done} {output}: {result['negatives']} negatives of {result['pairs']} pairs"
                )
                print(told, flush=True)
                if pipes is not None:
                    pipes.log.info(told)
    except ProvenderError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; nothing was written", file=sys.stderr)
        return 130
    return 0


def _recipes(options: argparse.Namespace) -> list[Recipe]:
    """The recipes that are asked for; of a whole curriculum, those that want negatives."""
    found = load_recipes(
        options.config, stages=options.stages, stage=options.stage, experts=options.experts
    )
    wanting = [recipe for recipe in found if recipe.hard_negatives.per_pair]
    if len(wanting) > 1 and options.output:
        raise ProvenderError(
            f"{len(wanting)} stages would be written into one folder.",
            where="--output",
            remedy="Name one stage by --stage, or leave --output out.",
        )
    return wanting or found[:1]


if __name__ == "__main__":
    sys.exit(main())

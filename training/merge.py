"""`python -m training.merge CHECKPOINT -o FOLDER`: base model + adapter -> one model that people load."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.atomic import replacing_folder, write_json
from common.errors import ProvenderError
from training.checkpoint import MANIFEST, PROVENANCE, read_manifest
from training.recipe import Recipe

if TYPE_CHECKING:
    from sentence_transformers import MultiVectorEncoder

_TOLERANCE = 1e-5
_PROBES = ("parse a date", "fn parse(text: &str) -> Result<Date, Error> { todo!() }")


def export(checkpoint: Path, output: Path) -> dict[str, Any]:
    """Merge `checkpoint` and save it as a plain `MultiVectorEncoder` folder with its manifest.

    Returns:
        The manifest.

    Raises:
        ProvenderError: `checkpoint` is none, or the saved model does not score as the adapter does.
    """
    from sentence_transformers import MultiVectorEncoder

    from training.model import merge

    manifest = read_manifest(checkpoint)
    if not (checkpoint / PROVENANCE).is_file():
        raise ProvenderError(
            f"The checkpoint does not say which files it was made of: it has no {PROVENANCE}.",
            where=str(checkpoint),
            remedy="Train it again with this version.",
        )
    encoder = load_adapted(checkpoint)
    before = _probe(encoder)
    merge(encoder)
    with replacing_folder(output) as folder:
        encoder.save_pretrained(str(folder), create_model_card=False, safe_serialization=True)
        shutil.copyfile(checkpoint / PROVENANCE, folder / PROVENANCE)
        write_json(manifest, folder / MANIFEST)
        after = _probe(MultiVectorEncoder(str(folder), device="cpu"))
        if abs(before - after) > _TOLERANCE:
            raise ProvenderError(
                f"The merged model scores {after:.6f} where its adapter scores {before:.6f}.",
                where=str(checkpoint),
                remedy="Report this: the export is wrong, and was not kept.",
            )
    return manifest


def load_adapted(checkpoint: Path) -> MultiVectorEncoder:
    """The base model of `checkpoint` with its adapter on it, unmerged."""
    from training.model import load_adapter, load_encoder

    manifest = read_manifest(checkpoint)
    try:
        recipe = Recipe.model_validate(manifest["config"])
        encoder = load_encoder(recipe, recipe.index_length)
        load_adapter(encoder, checkpoint / "adapter")
    except (KeyError, OSError, ValueError) as error:
        raise ProvenderError(
            f"The checkpoint cannot be loaded: {' '.join(str(error).split())}",
            where=str(checkpoint),
            remedy="Train it again with this version.",
        ) from None
    return encoder


def _probe(encoder: MultiVectorEncoder) -> float:
    query, document = encoder.encode_query([_PROBES[0]]), encoder.encode_document([_PROBES[1]])
    return float(encoder.similarity(query, document)[0][0])


def main(arguments: list[str] | None = None) -> int:
    """The command line; 1 where a message says what to do."""
    parser = argparse.ArgumentParser(prog="python -m training.merge", description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="a folder that training.run wrote")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the model")
    options = parser.parse_args(arguments)
    try:
        export(options.checkpoint, options.output)
    except ProvenderError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"merged {options.checkpoint} into {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

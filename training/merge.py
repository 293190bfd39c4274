"""`python -m training.merge CHECKPOINT -o FOLDER`: base model + adapter -> one model that people load.

The release gate is here: an export that does not say what its adapter says is not kept.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.atomic import replacing_folder, write_json
from common.errors import ProvenderError, hint
from common.hashing import digest_file
from training import formats
from training.card import Card, write_card
from training.checkpoint import MANIFEST, PROVENANCE, read_manifest
from training.parity import TOLERANCE, Measured, distance, measure
from training.recipe import Recipe

if TYPE_CHECKING:
    from sentence_transformers import MultiVectorEncoder


@dataclass(frozen=True)
class Exported:
    """What an export is made of, and how far each format is from the adapter."""

    manifest: dict[str, Any]
    parity: dict[str, float]


def export(
    checkpoint: Path, output: Path, names: Sequence[str] = (formats.SENTENCE_TRANSFORMERS,)
) -> Exported:
    """Merge `checkpoint` and save it with its manifest, its model card and the list of its files.

    One format is `output` itself; of several, each is a folder of its name in it. What was at `output`
    is replaced, once everything is written and checked.

    Raises:
        ProvenderError: `checkpoint` is none, a format cannot hold it or lacks its packages, or what was
            written does not give the adapter's vectors and scores.
    """
    from training.model import base_of, merge, resolve

    for name in names:
        formats.check(name)
    manifest = read_manifest(checkpoint)
    if not (checkpoint / PROVENANCE).is_file():
        raise ProvenderError(
            f"The checkpoint does not say which files it was made of: it has no {PROVENANCE}.",
            where=str(checkpoint),
            remedy="Train it again with this version.",
        )
    encoder = load_adapted(checkpoint)
    base, _ = base_of(str(checkpoint))
    adapted = measure(encoder, encoder.similarity)
    merge(encoder)
    _compare(adapted, measure(encoder, encoder.similarity), "merged model", checkpoint)
    parity = {}
    with replacing_folder(output) as folder:
        for name in names:
            place = folder if len(names) == 1 else folder / name
            place.mkdir(exist_ok=True)
            formats.write(name, encoder, place)
            saved = formats.read(name, place)
            # The other formats leave the scores to the program that reads them.
            scored = saved if name == formats.SENTENCE_TRANSFORMERS else encoder
            found = measure(saved, scored.similarity)  # type: ignore[attr-defined]
            parity[name] = _compare(adapted, found, f"{name} export", checkpoint)
            write_card(manifest, Card(name, parity[name], base, resolve(base)), place)
            shutil.copyfile(checkpoint / PROVENANCE, place / PROVENANCE)
            write_json({**manifest, "export": _stated(name, parity[name], place)}, place / MANIFEST)
    return Exported(manifest, parity)


def _stated(name: str, parity: float, place: Path) -> dict[str, Any]:
    """What the manifest of an export says of it: how far it is from its adapter, and of which weights."""
    weights = sorted(each for each in place.rglob("*") if each.suffix in (".safetensors", ".onnx"))
    return {
        "format": name,
        "parity": parity,
        "sha256": {str(each.relative_to(place)): digest_file(each) for each in weights},
    }


def _compare(adapted: Measured, other: Measured, what: str, checkpoint: Path) -> float:
    found = distance(adapted, other)
    if not found <= TOLERANCE:
        raise ProvenderError(
            f"The {what} differs from its adapter by {found:.1e}, more than {TOLERANCE:.0e}.",
            where=str(checkpoint),
            remedy="Report this: the export is wrong, and was not kept.",
        )
    return found


def load_adapted(checkpoint: Path) -> MultiVectorEncoder:
    """The base model of `checkpoint` with its adapter on it, unmerged.

    Raises:
        ProvenderError: `checkpoint` is none, or it or its base cannot be loaded.
    """
    from training.model import ADAPTER, load_adapter, load_encoder, parent_of

    base = parent_of(checkpoint)
    recipe = Recipe.model_validate(read_manifest(checkpoint)["config"])
    recipe = recipe.model_copy(update={"base_model": base})
    encoder = load_encoder(recipe, recipe.index_length)
    load_adapter(encoder, checkpoint / ADAPTER)
    return encoder


def main(arguments: list[str] | None = None) -> int:
    """The command line; 1 where a message says what to do."""
    parser = argparse.ArgumentParser(prog="python -m training.merge", description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="a folder that training.run wrote")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the model")
    parser.add_argument(
        "--format",
        action="extend",
        type=_formats,
        metavar="FORMAT[,FORMAT]",
        help=f"{', '.join(formats.FORMATS)}; may be repeated, and then each gets a folder of its own "
        f"(default: {formats.SENTENCE_TRANSFORMERS})",
    )
    options = parser.parse_args(arguments)
    names = list(dict.fromkeys(options.format or [formats.SENTENCE_TRANSFORMERS]))
    try:
        exported = export(options.checkpoint, options.output, names)
    except ProvenderError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"merged {options.checkpoint} into {options.output}")
    for name, found in exported.parity.items():
        print(f"  {name}: {found:.1e} from its adapter at most")
    return 0


def _formats(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in formats.FORMATS:
            known = hint(name, formats.FORMATS)
            raise argparse.ArgumentTypeError(f"there is no format `{name}`; {known}")
    return names


if __name__ == "__main__":
    sys.exit(main())

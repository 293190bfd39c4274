"""A checkpoint: an adapter in safetensors and a manifest that says what it was made of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from common.errors import ProvenderError, hint
from common.hashing import digest, digest_file
from training.recipe import Recipe

VERSION = "3"
"""Raise it when training code changes what a recipe and a corpus give."""

MANIFEST = "manifest.json"
PROVENANCE = "provenance.parquet"
_STAGE = "stage:"
_OF_A_MODEL = (".safetensors", ".json", ".txt")
"""Files that say what a model computes; a manifest says how it was made."""
_PROVENANCE = ["source", "revision", "path", "blob_sha", "swhid", "license", "license_tier"]


def data_version(
    corpus: Path,
    valid: Path | None = None,
    judged: Path | None = None,
    negatives: Path | None = None,
) -> str:
    """A hash of the bytes of all tables that a run reads."""
    judging = sorted(judged.glob("*_valid.parquet")) if judged else []
    files = [*_tables(corpus), *_tables(valid), *judging, *_tables(negatives)]
    return digest([digest_file(file) for file in files])


def _tables(place: Path | None) -> list[Path]:
    if place is None:
        return []
    return [place] if place.is_file() else sorted(place.rglob("*.parquet"))


def beside(base_model: str, checkpoint: Path) -> str:
    """What `base_model` names in the recipe of `checkpoint`: `stage:NAME` is a checkpoint beside it.

    Raises:
        ProvenderError: there is no such stage, or it lost more than it may and is not to be built upon.
    """
    if not base_model.startswith(_STAGE):
        return base_model
    place = checkpoint.parent / f"stage_{base_model.removeprefix(_STAGE)}"
    if not (place / MANIFEST).is_file():
        made = sorted(each.name.removeprefix("stage_") for each in place.parent.glob("stage_*"))
        raise ProvenderError(
            f"There is no checkpoint of the stage before, `{base_model}`"
            + (f"; {hint(base_model.removeprefix(_STAGE), made, 'stages')}" if made else ""),
            where=str(place),
            remedy="Train that stage first, or correct base_model.",
        )
    retention = read_manifest(place).get("retention")
    if retention is not None and not retention["retained"]:
        raise ProvenderError(
            f"The stage `{place.name}` forgot more than its recipe allows, and is not built upon.",
            where=str(place / MANIFEST),
            remedy="Train it again with more replay, a larger feature_weight or smaller scales, or raise "
            "watch.allowed_loss.",
        )
    return str(place)


def made_from(recipe: Recipe, checkpoint: Path) -> tuple[Recipe, str]:
    """`recipe` with its base model and teacher found, and what identifies these two.

    Raises:
        ProvenderError: as in `beside`.
    """
    base = beside(recipe.base_model, checkpoint)
    distillation = recipe.objective.distillation
    teacher = distillation.teacher
    if teacher == "base":
        return recipe.model_copy(update={"base_model": base}), base_version(base)
    teacher = beside(teacher, checkpoint)
    taught = distillation.model_copy(update={"teacher": teacher})
    objective = recipe.objective.model_copy(update={"distillation": taught})
    found = recipe.model_copy(update={"base_model": base, "objective": objective})
    return found, digest(base_version(base), base_version(teacher))


def base_version(base_model: str) -> str:
    """What identifies a base model: a checkpoint's manifest, a folder's weights, any other's name."""
    folder = Path(base_model)
    if not folder.is_dir():
        return base_model
    if (folder / MANIFEST).is_file():
        return str(read_manifest(folder)["fingerprint"])
    return digest([digest_file(file) for file in sorted(folder.rglob("*.safetensors"))])


def content(place: str) -> object:
    """The hashes of a folder's files, as far as they make a model; a hub's name as it stands."""
    folder = Path(place)
    if not folder.is_dir():
        return place
    return [
        (str(each.relative_to(folder)), digest_file(each))
        for each in sorted(folder.rglob("*"))
        if each.suffix in _OF_A_MODEL and each.name != MANIFEST and each.is_file()
    ]


def fingerprint(recipe: Recipe, data: str, base: str) -> str:
    """What a stage depends on: the same fingerprint gives the same checkpoint."""
    # What the pairs are says `data`, whatever they are called.
    settings = recipe.model_dump(mode="json", exclude={"dataset"})
    if (
        not recipe.watch.domains
    ):  # a checkpoint from before there was this setting is still what it was
        del settings["watch"]["domains"]
    return digest(VERSION, settings, data, base)


def sources_of(corpus: Path, drawn: Sequence[int] | None = None) -> list[dict[str, Any]]:
    """The sources of a corpus with revision, licence and number of pairs, by name.

    Args:
        drawn: positions of the pairs that were trained on; by default all.
    """
    columns = ["source", "revision", "license"]
    table = _taken(corpus, columns, drawn)
    counted = table.group_by(columns).aggregate([("source", "count")]).sort_by("source")
    return [
        {**{name: row[name] for name in columns}, "pairs": row["source_count"]}
        for row in counted.to_pylist()
    ]


def _taken(corpus: Path, columns: list[str], drawn: Sequence[int] | None) -> pa.Table:
    table = ds.dataset(corpus, format="parquet").to_table(columns=columns)
    return table if drawn is None else table.take(pa.array(drawn, pa.int64()))


def write_provenance(
    corpus: Path, path: Path, parent: Path | None = None, drawn: Sequence[int] | None = None
) -> None:
    """Write which files a checkpoint was made of: each once, with its SWHID, licence and number of pairs.

    Those of the checkpoint `parent` are among them; of `corpus`, those of the pairs at `drawn`.
    """
    table = _taken(corpus, _PROVENANCE, drawn)
    # A pair's SWHID names its lines; its file's does not.
    of_file = [str(each).partition(";lines=")[0] for each in table["swhid"].to_pylist()]
    table = table.set_column(
        table.schema.get_field_index("swhid"), "swhid", pa.array(of_file, pa.string())
    )
    counted = table.group_by(_PROVENANCE).aggregate([([], "count_all")])
    tables = [counted.rename_columns([*_PROVENANCE, "pairs"])]
    if parent is not None and (parent / PROVENANCE).is_file():
        tables.append(pq.read_table(parent / PROVENANCE))
    write_files(tables, path)


def write_files(tables: Sequence[pa.Table], path: Path) -> None:
    """Write several lists of files, as `write_provenance` makes them, as one: each once, with its pairs."""
    files = tables[0]
    if len(tables) > 1:
        whole = pa.concat_tables(tables, promote_options="permissive")
        summed = whole.group_by(_PROVENANCE).aggregate([("pairs", "sum")])
        files = summed.rename_columns([*_PROVENANCE, "pairs"])
    order = ("source", "path", "blob_sha", "swhid", "revision")
    pq.write_table(files.sort_by([(name, "ascending") for name in order]), path, compression="zstd")


def manifest(
    recipe: Recipe,
    corpus: Path,
    *,
    drawn: Sequence[int],
    parent: str,
    fingerprint: str,
    data: str,
    metrics: dict[str, float],
    history: Sequence[dict[str, float]],
    looks: Sequence[dict[str, float]],
    retention: dict[str, Any] | None,
    speed: dict[str, float],
    tracking: dict[str, Any],
) -> dict[str, Any]:
    """What `manifest.json` holds (design: weights plus a JSON manifest).

    Args:
        drawn: positions of the pairs that were trained on.
        parent: the base model: a name, a folder, or the checkpoint of the stage before.
        looks, retention, speed: of `training/looks.py` and `training/retention.py`.
        tracking: of `training/patient.py`; empty without MLflow.
    """
    before = _before(Path(parent))
    return {
        "stage": recipe.stage,
        "parent": recipe.base_model,
        "root": before[-1]["base_model"] if before else recipe.base_model,
        "lineage": before,
        "fingerprint": fingerprint,
        "config": recipe.model_dump(mode="json"),
        "data_version": data,
        "sources": sources_of(corpus, drawn),
        "code_version": versions_of_code(),
        "metrics": metrics,
        "history": list(history),
        "looks": list(looks),
        "retention": retention,
        "speed": speed,
        "tracking": tracking,
    }


def _before(parent: Path) -> list[dict[str, Any]]:
    """The stages before, the last one first: what each was made of and what it kept."""
    if not (parent / MANIFEST).is_file():
        return []
    found = read_manifest(parent)
    own = {name: found.get(name) for name in ("stage", "fingerprint", "sources", "retention")}
    return [{**own, "base_model": found["parent"]}, *found.get("lineage", [])]


def read_manifest(checkpoint: Path) -> dict[str, Any]:
    """The manifest of `checkpoint`.

    Raises:
        ProvenderError: `checkpoint` is no checkpoint.
    """
    try:
        found = json.loads((checkpoint / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError):
        found = None
    if not isinstance(found, dict) or "fingerprint" not in found:
        raise ProvenderError(
            "This is no checkpoint: it has no readable manifest.json.",
            where=str(checkpoint),
            remedy="Name a folder that `python -m training.run` wrote.",
        )
    return found


def is_current(checkpoint: Path, fingerprint: str) -> bool:
    """True where `checkpoint` exists and was made from exactly this."""
    if not (checkpoint / MANIFEST).is_file():
        return False
    return read_manifest(checkpoint).get("fingerprint") == fingerprint


def versions_of_code() -> dict[str, str]:
    """The versions of what trains, for a manifest."""
    return {"training": VERSION, "provender": _package_version()}


def _package_version() -> str:
    try:
        return version("provender")
    except PackageNotFoundError:
        return "not installed"

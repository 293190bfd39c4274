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

from common.errors import ProvenderError
from common.hashing import digest, digest_file
from training.recipe import Recipe

VERSION = "2"
"""Raise it when training code changes what a recipe and a corpus give."""

MANIFEST = "manifest.json"
PROVENANCE = "provenance.parquet"
_PROVENANCE = ["source", "revision", "path", "blob_sha", "swhid", "license", "license_tier"]


def data_version(corpus: Path) -> str:
    """A hash of the corpus table's bytes."""
    files = [corpus] if corpus.is_file() else sorted(corpus.rglob("*.parquet"))
    return digest([digest_file(file) for file in files])


def base_version(base_model: str) -> str:
    """What identifies a base model: the weights of a folder, the name of any other."""
    folder = Path(base_model)
    if not folder.is_dir():
        return base_model
    return digest([digest_file(file) for file in sorted(folder.rglob("*.safetensors"))])


def fingerprint(recipe: Recipe, data: str, base: str) -> str:
    """What a stage depends on: the same fingerprint gives the same checkpoint."""
    # What the pairs are says `data`, whatever they are called.
    return digest(VERSION, recipe.model_dump(mode="json", exclude={"dataset"}), data, base)


def sources_of(corpus: Path) -> list[dict[str, Any]]:
    """The sources of a corpus with revision, licence and number of pairs, by name."""
    columns = ["source", "revision", "license"]
    table = ds.dataset(corpus, format="parquet").to_table(columns=columns)
    counted = table.group_by(columns).aggregate([("source", "count")]).sort_by("source")
    return [
        {**{name: row[name] for name in columns}, "pairs": row["source_count"]}
        for row in counted.to_pylist()
    ]


def write_provenance(corpus: Path, path: Path) -> None:
    """Write which files a corpus was made of: each once, with its SWHID, licence and number of pairs."""
    table = ds.dataset(corpus, format="parquet").to_table(columns=_PROVENANCE)
    # A pair's SWHID names its lines; its file's does not.
    of_file = [str(each).partition(";lines=")[0] for each in table["swhid"].to_pylist()]
    table = table.set_column(
        table.schema.get_field_index("swhid"), "swhid", pa.array(of_file, pa.string())
    )
    counted = table.group_by(_PROVENANCE).aggregate([([], "count_all")])
    order = ("source", "path", "blob_sha", "swhid", "revision")
    files = counted.rename_columns([*_PROVENANCE, "pairs"]).sort_by(
        [(name, "ascending") for name in order]
    )
    pq.write_table(files, path, compression="zstd")


def manifest(
    recipe: Recipe,
    corpus: Path,
    *,
    fingerprint: str,
    data: str,
    metrics: dict[str, float],
    history: Sequence[dict[str, float]],
    tracking: dict[str, str],
) -> dict[str, Any]:
    """What `manifest.json` holds (design: weights plus a JSON manifest)."""
    return {
        "stage": recipe.stage,
        "parent": recipe.base_model,
        "fingerprint": fingerprint,
        "config": recipe.model_dump(mode="json"),
        "data_version": data,
        "sources": sources_of(corpus),
        "code_version": {"training": VERSION, "provender": _package_version()},
        "metrics": metrics,
        "history": list(history),
        "tracking": tracking,
    }


def read_manifest(checkpoint: Path) -> dict[str, Any]:
    """The manifest of `checkpoint`.

    Raises:
        ProvenderError: `checkpoint` is no checkpoint.
    """
    try:
        return json.loads((checkpoint / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        raise ProvenderError(
            "This is no checkpoint: it has no readable manifest.json.",
            where=str(checkpoint),
            remedy="Name a folder that `python -m training.run` wrote.",
        ) from None


def is_current(checkpoint: Path, fingerprint: str) -> bool:
    """True where `checkpoint` exists and was made from exactly this."""
    if not (checkpoint / MANIFEST).is_file():
        return False
    return read_manifest(checkpoint).get("fingerprint") == fingerprint


def _package_version() -> str:
    try:
        return version("provender")
    except PackageNotFoundError:
        return "not installed"

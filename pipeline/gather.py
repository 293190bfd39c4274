"""What a search searches: definitions of the lake's sources, or of a folder that is read for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import ProvenderError, hint
from common.hashing import digest
from corpus.sources import DatasetSource, PathSource
from resources.lake import Lake
from resources.project import Project

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

INDEX = "index"
"""The folder of the lake that all searches share; it may be deleted at any time."""

_COLUMNS = (
    *("source", "revision", "path", "start_line", "end_line", "symbol", "language"),
    *("code", "file_context", "prose", "domain"),
)


@dataclass(frozen=True)
class Pool:
    """Definitions to search.

    Attributes:
        scope: what names their index among those of a model: `sources`, or `folder-…`.
        units: some columns of `schema.UNITS`, by source, path and line.
        sources: every source that is searched, those without a definition included.
        folder: where their paths begin on this machine; null for sources.
    """

    scope: str
    units: pl.DataFrame
    sources: list[str]
    folder: Path | None = None


def gather(lake: Lake, place: str) -> Pool:
    """The definitions of the source or folder `place`; of every source where it is empty.

    Raises:
        ProvenderError: there is no such place, it is not in the lake yet, or it holds no definition.
    """
    names = [source.name for source in Project().load_manifest().repositories]
    if not place:
        pool = _of_sources(lake, names)
    elif place in names:
        pool = _of_sources(lake, [place])
    elif Path(place).expanduser().is_dir():
        pool = _of_folder(lake, Path(place).expanduser().resolve())
    else:
        raise _unknown(place, names)
    if pool.units.is_empty():
        raise ProvenderError(
            "There is no definition to search.",
            where=place or lake.uri("units"),
            remedy="Languages and what is left out: docs/sources.md. Plain tests are not searched.",
        )
    return pool


def _unknown(place: str, names: list[str]) -> ProvenderError:
    data_sets = [
        each.name for each in Project().load_manifest().sources if isinstance(each, DatasetSource)
    ]
    if place in data_sets:
        return ProvenderError(
            "This source is a data set: it has pairs, but no definitions.",
            where=f"--in {place}",
            remedy="Name another one.",
        )
    return ProvenderError(
        f"There is no source and no folder `{place}`; {hint(place, names, 'sources')}",
        where="--in",
        remedy="Correct it, or name the manifest with --sources.",
    )


def _of_sources(lake: Lake, names: list[str]) -> Pool:
    from assets.common import of_source
    from assets.units import TABLE
    from corpus import schema

    places = [of_source(TABLE, name) for name in names]
    if not any(lake.exists(*place) for place in places):
        raise ProvenderError(
            f"{names[0]} is not in the lake yet."
            if len(names) == 1
            else "There is no definition in the lake yet.",
            where=lake.uri(TABLE),
            remedy="Run `provender refresh` first, or `make demo`.",
        )
    return Pool("sources", _searched(lake.read_all(places, schema.UNITS)), names)


def _of_folder(lake: Lake, folder: Path) -> Pool:
    """The definitions of `folder` as its files lie there; those that are unchanged are not parsed again."""
    from assets.common import of_source
    from corpus import schema
    from corpus.extract import extract_units
    from corpus.files import classify
    from corpus.licences.policy import STRICTNESS
    from corpus.snapshots import take_snapshot

    key = digest(str(folder))[:16]
    own = Lake(root=str(lake.path(INDEX, "folders", key)))
    source = PathSource(
        name=_name(folder),
        domain="personal",
        path=folder,
        worktree=True,
        nested_licences="keep",
        max_test_files=0,  # plain tests are not searched
    )
    # Who searches a folder has it already: no licence keeps its code from them.
    policy = Project().load_policy().model_copy(update={"keep": list(STRICTNESS)})

    def kept(table: str, columns: pa.Schema) -> pl.DataFrame | None:
        return own.read_if_there(*of_source(table, source.name), schema=columns)

    def keep(table: str, columns: pa.Schema, make: Callable[[], pl.DataFrame]) -> pl.DataFrame:
        before, made = kept(table, columns), make()
        if before is None or not before.equals(made):
            own.write(made, columns, *of_source(table, source.name), fingerprint="")
        return made

    blobs = own.blobs(source.name)
    snapshot = keep(
        "repos",
        schema.SNAPSHOT,
        lambda: take_snapshot(
            source, own.path("cache"), blobs, previous=kept("repos", schema.SNAPSHOT)
        )[0],
    )
    files = keep(
        "files",
        schema.FILES,
        lambda: classify(snapshot, blobs.read, policy, source, kept("files", schema.FILES)),
    )
    found = extract_units(
        files,
        blobs.read,
        source.domain,
        kept("units", schema.UNITS),
        kept("parsed", schema.PARSED),
    )
    units = keep("units", schema.UNITS, lambda: found.units)
    keep("parsed", schema.PARSED, lambda: found.parsed)
    return Pool(f"folder-{key}", _searched(units), [source.name], folder)


def _name(folder: Path) -> str:
    """The folder's own name, as far as a source may have it."""
    name = re.sub(r"[^a-z0-9_.-]+", "-", folder.name.lower()).strip("-._")
    return name[:80] or "folder"


def _searched(units: pl.DataFrame) -> pl.DataFrame:
    """Without plain tests, which repeat what they test: as what is evaluated (`corpus.heldout`)."""
    import polars as pl

    plain_test = pl.col("is_test") & pl.col("dialect").is_null()
    return units.filter(~plain_test).sort("source", "path", "start_line", "symbol").select(_COLUMNS)

"""The notice file of a data set or model: every repository, commit and licence, and the texts to carry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.resources import files
from urllib.parse import unquote

import jinja2
import polars as pl

from corpus.licences import header_text
from corpus.licences.policy import names

Lookup = Callable[[str], pl.DataFrame | None]
Bytes = Callable[[str, list[str]], dict[str, bytes]]


def notice(title: str, rows: pl.DataFrame, listed: Lookup, contents: Bytes) -> str:
    """A notice file as Markdown.

    Args:
        title: what it is the notice of.
        rows: one row a file, with source, revision, path, blob_sha, swhid, license, license_tier.
        listed: a source's rows of `schema.FILES`, if they are still there.
        contents: the bytes of a source's blobs by id, as far as they are still there.
    """
    sources = [
        _source(name, found, listed(name), contents) for (name,), found in _by(rows, "source")
    ]
    ids = sorted({each for text in rows["license"].drop_nulls().unique() for each in names(text)})
    template = files("corpus").joinpath("templates/notice.md").read_text(encoding="utf-8")
    environment = jinja2.Environment(  # noqa: S701  # Markdown, not HTML
        trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.from_string(template).render(
        title=title, sources=sources, ids=ids, files=rows.height
    )


def _source(name: str, rows: pl.DataFrame, listed: pl.DataFrame | None, contents: Bytes) -> dict:
    licences = rows.group_by("license").len("files").sort("files", "license", descending=True)
    return {
        "name": name,
        "origin": _qualifier(rows["swhid"][0], "origin"),
        "anchor": _qualifier(rows["swhid"][0], "anchor") or rows["revision"][0],
        "licences": [
            {"expression": expression or "none found", "files": count}
            for expression, count in licences.iter_rows()
        ],
        "texts": list(_texts(name, rows, listed, contents)) if listed is not None else [],
    }


def _texts(
    name: str, rows: pl.DataFrame, listed: pl.DataFrame, contents: Bytes
) -> Iterator[dict[str, str]]:
    """The licence texts and headers that speak for `rows`, each once."""
    used = listed.join(rows.select("path").unique(), on="path", how="semi")
    evidence = used.select("path", "license_evidence").explode("license_evidence").drop_nulls()
    said = pl.concat(
        [evidence.select("path"), evidence["license_evidence"].struct.unnest()], how="horizontal"
    )
    places = set(said.filter(pl.col("by").is_in(["text", "sidecar"]))["place"])
    # Of all of them: equal headers are one text below, but each author's notice is to be carried.
    heads = said.filter(
        pl.col("by").is_in(["header", "spdx", "notice"]) & (pl.col("place") == pl.col("path"))
    )
    places.update(heads["place"])
    blobs = dict(
        listed.filter(pl.col("path").is_in(sorted(places))).select("path", "blob_sha").iter_rows()
    )
    found = contents(name, list(blobs.values()))
    headed = set(heads["place"])
    seen: set[str] = set()
    for path in sorted(blobs):
        content = found.get(blobs[path], b"")
        text = (
            header_text(content) if path in headed else content.decode("utf-8", "replace").strip()
        )
        if text and text not in seen:
            seen.add(text)
            yield {"path": path, "text": text}


def _qualifier(swhid: str, name: str) -> str:
    """The value of one of a SWHID's qualifiers, or empty."""
    parts = (part.partition("=") for part in swhid.split(";")[1:])
    return next((unquote(value) for key, _, value in parts if key == name), "")


def _by(rows: pl.DataFrame, column: str) -> Iterator[tuple[tuple, pl.DataFrame]]:
    return iter(rows.sort(column, "path").group_by(column, maintain_order=True))

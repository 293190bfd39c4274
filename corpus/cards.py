"""What goes beside a named data set: its card as Markdown, and its metadata in Croissant's vocabulary."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import polars as pl

from common.hashing import digest_file
from corpus import schema
from corpus.datasets import JSONL_FIELDS, DataSet, copies
from corpus.licences.policy import names

_FIELDS = {
    key: (schema.PAIRS.field(column).metadata or {})[b"description"].decode()
    for key, column in JSONL_FIELDS.items()
}

MANY = "many"
"""In place of an origin and a revision, where the pairs of a source come from several."""

_CONTEXT = json.loads(
    files("corpus").joinpath("templates/croissant_context.json").read_text(encoding="utf-8")
)
"""The context of Croissant 1.1's appendix, with the terms that mlcroissant misses in it, and PROV's.

schema.org is `https:` in it, as mlcroissant and the published examples write it; the appendix has `http:`.
"""


def card(name: str, chosen: DataSet, frame: pl.DataFrame) -> str:
    """The data set card of `frame`, which holds the rows of `schema.CORPUS` that `chosen` selects."""
    template = files("corpus").joinpath("templates/card.md").read_text(encoding="utf-8")
    environment = jinja2.Environment(  # noqa: S701  # Markdown, not HTML
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    kinds = {"Language": "language", "Dialect": "dialect", "Category": "category"}
    return environment.from_string(template).render(
        name=name,
        title=chosen.title,
        description=chosen.description,
        filter=chosen.filter,
        pairs=frame.height,
        lines=copies(frame).sum() if chosen.repeat_by_weight else None,
        query_chars=mean_chars(frame, "query"),
        code_chars=mean_chars(frame, "positive"),
        fields=_FIELDS,
        sources=_origins(frame).select("source", "origin", "revision", "pairs").rows(),
        licences=_counted(frame, "license", "license_tier"),
        kinds={
            title: _counted(frame, column)
            for title, column in {**kinds, "Pair type": "pair_type", "Split": "split"}.items()
        },
    )


def croissant(name: str, chosen: DataSet, frame: pl.DataFrame, jsonl: Path) -> dict[str, Any]:
    """The metadata of `frame`, which was written to `jsonl`, as JSON-LD of Croissant 1.1."""
    sha256 = digest_file(jsonl)
    # A hash has no order. Semantic versions carry it as build metadata, which has none either.
    version = f"1.0.0+{sha256[:16]}"
    lines = copies(frame).sum() if chosen.repeat_by_weight else frame.height
    published = chosen.publication
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": name,
        "description": f"{chosen.title}. {chosen.description}".strip(),
        "version": version,
        "citeAs": _citation(name, chosen, version),
        "license": _licences(frame["license"]),
        "usageInfo": {
            "@type": "sc:CreativeWork",
            "name": "Each pair stays under the licence of its file; this carries the texts.",
            "url": f"{name}.NOTICE.md",
        },
        **(
            {
                "url": published.url,
                "creator": {"@type": f"sc:{published.creator_type}", "name": published.creator},
                "datePublished": published.date.isoformat(),
            }
            if published
            else {}
        ),
        "prov:wasDerivedFrom": [_entity(*row) for row in _origins(frame).drop("pairs").rows()],
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": jsonl.name,
                "name": jsonl.name,
                "contentUrl": jsonl.name,
                "contentSize": f"{jsonl.stat().st_size} B",
                "encodingFormat": "application/jsonlines",
                "sha256": sha256,
            }
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "pairs",
                "name": "pairs",
                "description": f"{lines} lines, each a query and the code that answers it",
                "field": [_field(key, text, jsonl.name) for key, text in _FIELDS.items()],
            }
        ],
    }


def mean_chars(frame: pl.DataFrame, column: str) -> float:
    """How many characters `column` has in the mean."""
    mean = frame.select(pl.col(column).str.len_chars().mean()).item()
    return round(mean or 0.0, 1)


def _citation(name: str, chosen: DataSet, version: str) -> str:
    """The data set as BibTeX."""
    fields = {"title": chosen.title, "note": f"Made by Provender, version {version}"}
    if chosen.publication:
        published = chosen.publication
        fields |= {
            "author": f"{{{published.creator}}}",
            "year": str(published.date.year),
            "url": published.url,
        }
    return f"@misc{{{name}, " + ", ".join(f"{k} = {{{v}}}" for k, v in fields.items()) + "}"


def _licences(column: pl.Series) -> list[str]:
    """The addresses of every licence that the expressions in `column` name."""
    ids = {each for text in column.drop_nulls().unique() for each in names(text)}
    return [_address(each) for each in sorted(ids)]


def _entity(
    source: str, origin: str, revision: str, anchor: str | None, licences: list[str | None]
) -> dict[str, Any]:
    """What the pairs of one source were derived from, in PROV's terms."""
    return {
        "@type": "prov:Entity",
        **({"@id": anchor} if anchor else {}),
        "name": source,
        **({"description": "many repositories"} if origin == MANY else {"url": origin}),
        **({"version": revision} if revision != MANY else {}),
        "license": _licences(pl.Series(licences, dtype=pl.String)),
    }


def _address(licence: str) -> str:
    # SPDX has no page for what it does not list.
    listed = not licence.startswith("LicenseRef-")
    return f"https://spdx.org/licenses/{licence}.html" if listed else licence


def _field(key: str, text: str, file: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"pairs/{key}",
        "name": key,
        "description": text,
        "dataType": "sc:Text",
        "source": {"fileObject": {"@id": file}, "extract": {"column": key}},
    }


def _counted(frame: pl.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    """Each value of `columns`, the most frequent first, with how many rows have it."""
    found = frame.group_by(pl.col(columns).fill_null("none")).len("pairs")
    return found.sort("pairs", *columns, descending=[True, *(False for _ in columns)]).rows()


def _origins(frame: pl.DataFrame) -> pl.DataFrame:
    """Source, where it is from, its revision, that one's SWHID and its licences, by name."""
    # Published pairs come from many repositories, each with a commit of its own.
    one = pl.col("from").n_unique() == 1
    swhid = pl.col("swhid").str
    return (
        frame.with_columns(
            swhid.extract(r";origin=([^;]*)")
            .str.replace_many(["%3B", "%25"], [";", "%"])
            .fill_null("")
            .alias("from"),
            swhid.extract(r";anchor=([^;]*)").alias("anchor"),
        )
        .group_by("source")
        .agg(
            pl.when(one).then(pl.col("from").first()).otherwise(pl.lit(MANY)).alias("origin"),
            pl.when(one).then(pl.col("revision").first()).otherwise(pl.lit(MANY)),
            pl.when(one).then(pl.col("anchor").first()),
            pl.col("license").unique(),
            pl.len().alias("pairs"),
        )
        .sort("source")
    )

"""What goes beside a named data set: its card as Markdown, and its metadata in Croissant's vocabulary."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import polars as pl

from common.hashing import digest_file
from corpus import schema
from corpus.datasets import JSONL_FIELDS, DataSet
from corpus.licences.policy import names

_FIELDS = {
    key: (schema.PAIRS.field(column).metadata or {})[b"description"].decode()
    for key, column in JSONL_FIELDS.items()
}

_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context that Croissant 1.0 prescribes, word for word."""


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
        query_chars=mean_chars(frame, "query"),
        code_chars=mean_chars(frame, "positive"),
        fields=_FIELDS,
        sources=_sources(frame),
        licences=_counted(frame, "license", "license_tier"),
        kinds={
            title: _counted(frame, column)
            for title, column in {**kinds, "Pair type": "pair_type", "Split": "split"}.items()
        },
    )


def croissant(name: str, chosen: DataSet, frame: pl.DataFrame, jsonl: Path) -> dict[str, Any]:
    """The metadata of `frame`, which was written to `jsonl`, as JSON-LD of Croissant 1.0."""
    ids = {each for text in frame["license"].drop_nulls().unique() for each in names(text)}
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "description": f"{chosen.title}. {chosen.description}".strip(),
        "license": [_address(each) for each in sorted(ids)],
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": jsonl.name,
                "name": jsonl.name,
                "contentUrl": jsonl.name,
                "contentSize": f"{jsonl.stat().st_size} B",
                "encodingFormat": "application/jsonlines",
                "sha256": digest_file(jsonl),
            }
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "pairs",
                "name": "pairs",
                "description": f"{frame.height} pairs of a query and the code that answers it",
                "field": [_field(key, text, jsonl.name) for key, text in _FIELDS.items()],
            }
        ],
    }


def mean_chars(frame: pl.DataFrame, column: str) -> float:
    """How many characters `column` has in the mean."""
    mean = frame.select(pl.col(column).str.len_chars().mean()).item()
    return round(mean or 0.0, 1)


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


def _sources(frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    """Source, where it is from, its revision and the number of pairs."""
    # Published pairs come from many repositories, each with a commit of its own.
    one = pl.col("from").n_unique() == 1
    return (
        frame.with_columns(
            pl.col("swhid").str.extract(r";origin=([^;]*)").fill_null("").alias("from")
        )
        .group_by("source")
        .agg(
            pl.when(one).then(pl.col("from").first()).otherwise(pl.lit("many")),
            pl.when(one).then(pl.col("revision").first()).otherwise(pl.lit("many")),
            pl.len().alias("pairs"),
        )
        .sort("source")
        .rows()
    )

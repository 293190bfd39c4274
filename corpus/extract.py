"""Units of a source: each kept file parsed once, unchanged files carried over from the last table."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from functools import cache
from importlib import import_module

import polars as pl

from common.hashing import digest
from corpus import files, schema
from corpus.languages.base import Definition, Extractor
from corpus.text import prose

_MODULES = {"rust": "corpus.languages.rust"}
"""The languages whose definitions are extracted; the others wait for their module."""

SUPPORTED = frozenset(_MODULES)


@cache
def extractor(language: str) -> tuple[Extractor, str]:
    """The `extract` function of a language's module, and the version of what its rows depend on."""
    module = import_module(_MODULES[language])
    return module.extract, f"{module.VERSION}/files-{files.VERSION}"


def versions() -> dict[str, str]:
    """The extractor version of every supported language."""
    return {language: extractor(language)[1] for language in sorted(SUPPORTED)}


def extract_units(
    listed: pl.DataFrame, snapshot: pl.DataFrame, domain: str, previous: pl.DataFrame | None = None
) -> tuple[pl.DataFrame, Counter[str]]:
    """The units of one source.

    Args:
        listed: rows of `schema.FILES`.
        snapshot: rows of `schema.SNAPSHOT`, where the contents are.
        domain: the source's domain; verification code is formal whatever its source is.
        previous: the source's units of an earlier revision, if any.

    Returns:
        Rows of `schema.UNITS` in the order of path and line; and how many files were parsed,
        carried over, or are in a language without an extractor.
    """
    wanted = listed.filter("kept").join(snapshot.select("path", "content"), on="path")
    counts: Counter[str] = Counter()
    carried = _carried(wanted, domain, previous)
    frames = [carried] if carried.height else []
    done = set(carried.select("path").unique().to_series())
    rows = []
    for file in wanted.sort("path").iter_rows(named=True):
        if file["path"] in done:
            counts["carried"] += 1
        elif file["language"] not in SUPPORTED:
            counts["no_extractor"] += 1
        else:
            counts["parsed"] += 1
            extract, version = extractor(file["language"])
            rows += [_row(file, each, domain, version) for each in extract(file["content"])]
    frames.append(pl.DataFrame(rows, schema=schema.empty(schema.UNITS).schema))
    units = pl.concat(frames).sort("path", "start_line", "symbol", maintain_order=True)
    return units, counts


def _carried(wanted: pl.DataFrame, domain: str, previous: pl.DataFrame | None) -> pl.DataFrame:
    """The rows of `previous` that parsing the same bytes again would give again."""
    if previous is None:
        return schema.empty(schema.UNITS)
    current = list(versions().values())
    fresh = wanted.select("path", "blob_sha", "revision", "license", "license_tier")
    return (
        previous.filter(pl.col("extractor").is_in(current))
        .drop("revision", "license", "license_tier")
        .join(fresh, on=["path", "blob_sha"], how="inner")
        .with_columns(
            domain=pl.when(pl.col("dialect").is_null())
            .then(pl.lit(domain))
            .otherwise(pl.lit("formal"))
        )
        .select(schema.UNITS.names)
    )


def _row(file: dict, unit: Definition, domain: str, version: str) -> dict:
    # A file with one harness is not all proof: only the unit's own attributes make it formal.
    formal = unit.dialect is not None
    place = {key: file[key] for key in ("source", "revision", "path", "blob_sha", "language")}
    return {
        **asdict(unit),
        **place,
        "prose": " ".join(prose(unit.doc)),
        "unit_id": digest(file["source"], file["path"], unit.module, unit.symbol, unit.start_line),
        "category": "verification" if formal else "code",
        "is_test": unit.is_test or file["is_test"],
        "license": file["license"],
        "license_tier": file["license_tier"],
        "domain": "formal" if formal else domain,
        "file_context": f"{file['source']}/{file['path']}",
        "extractor": version,
    }

"""Units of a source: each kept file read and parsed once, unchanged files carried over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from importlib import import_module

import polars as pl

from common.hashing import digest
from corpus import paths, provenance, redact, schema
from corpus.files import Contents, bytes_missing
from corpus.languages.base import Definition, Extractor
from corpus.text import prose

_MODULES = {"rust": "corpus.languages.rust"}
"""The languages whose definitions are extracted; the others wait for their module."""

SUPPORTED = frozenset(_MODULES)

_CHUNK_ROWS = 4096


@dataclass(frozen=True)
class Extracted:
    """What `extract_units` gives.

    `units` are rows of `schema.UNITS` in the order of path and line, `barren` rows of `schema.BARREN`;
    `counts` says how many files were parsed, carried over, or are in a language without an extractor.
    """

    units: pl.DataFrame
    barren: pl.DataFrame
    counts: Counter[str]


@cache
def extractor(language: str) -> tuple[Extractor, str]:
    """The `extract` function of a language's module, and the version of what its rows depend on."""
    module = import_module(_MODULES[language])
    return module.extract, f"{module.VERSION}/paths-{paths.VERSION}/redact-{redact.VERSION}"


def versions() -> dict[str, str]:
    """The extractor version of every supported language."""
    return {language: extractor(language)[1] for language in sorted(SUPPORTED)}


def extract_units(
    listed: pl.DataFrame,
    contents: Contents,
    domain: str,
    previous: pl.DataFrame | None = None,
    barren: pl.DataFrame | None = None,
) -> Extracted:
    """The units of one source.

    Args:
        listed: rows of `schema.FILES`.
        contents: where the bytes are; those of unchanged files are not read.
        domain: the source's domain; verification code is formal whatever its source is.
        previous: the source's units of an earlier revision, if any.
        barren: its files without units of that revision.

    Raises:
        ProvenderError: `contents` lacks bytes of a kept file.
    """
    counts: Counter[str] = Counter()
    kept = listed.filter("kept")
    wanted = kept.filter(pl.col("language").is_in(sorted(SUPPORTED))).with_columns(
        extractor=_extractor_of()
    )
    counts["no_extractor"] = kept.height - wanted.height
    carried = _carried(wanted, domain, previous)
    key = ["path", "blob_sha", "extractor"]
    empty = schema.empty(schema.BARREN)
    still_barren = empty if barren is None else barren.join(wanted, on=key, how="semi")
    done = pl.concat([carried.select(key).unique(), still_barren])
    fresh = wanted.join(done, on=key, how="anti")
    counts["carried"] = wanted.height - fresh.height
    counts["parsed"] = fresh.height
    frames, found = [carried], set[str]()
    for frame in _parsed(fresh, contents, domain):
        frames.append(frame)
        found.update(frame["path"])
    units = pl.concat(frames).sort("path", "start_line", "symbol", maintain_order=True)
    new_barren = fresh.filter(~pl.col("path").is_in(sorted(found))).select(key)
    return Extracted(units, pl.concat([still_barren, new_barren]).sort("path"), +counts)


def _extractor_of() -> pl.Expr:
    """The version of what a file's rows depend on: its language's extractor, and its role."""
    version = pl.col("language").replace_strict(versions(), default="")
    # A unit of a test file is a test; the same bytes at another place may not be.
    return pl.when("is_test").then(version + "/test").otherwise(version)


def _carried(wanted: pl.DataFrame, domain: str, previous: pl.DataFrame | None) -> pl.DataFrame:
    """The rows of `previous` that parsing the same bytes again would give again."""
    if previous is None:
        return schema.empty(schema.UNITS)
    of_file = ["revision", "license", "license_tier", "swhid"]
    fresh = wanted.select("path", "blob_sha", "extractor", *of_file)
    return (
        previous.drop(of_file)
        .join(fresh, on=["path", "blob_sha", "extractor"], how="inner", maintain_order="left")
        .with_columns(
            domain=pl.when(pl.col("dialect").is_null())
            .then(pl.lit(domain))
            .otherwise(pl.lit("formal")),
            swhid=pl.format("{};lines={}-{}", "swhid", "start_line", "end_line"),
        )
        .select(schema.UNITS.names)
    )


def _parsed(fresh: pl.DataFrame, contents: Contents, domain: str) -> Iterator[pl.DataFrame]:
    """The units of `fresh`, a few thousand at a time, in any order."""
    kinds = schema.empty(schema.UNITS).schema
    places: dict[str, list[dict]] = {}
    for file in fresh.iter_rows(named=True):
        places.setdefault(file["blob_sha"], []).append(file)
    rows: list[dict] = []
    for blob, content in contents(places) if places else ():
        clean, found = redact.redact(content.removeprefix(b"\xef\xbb\xbf"))
        found_at = places.pop(blob)
        extract, _ = extractor(found_at[0]["language"])
        definitions = _numbered(extract(clean))
        for file in found_at:
            rows += [_row(file, *each, domain, found) for each in definitions]
        if len(rows) > _CHUNK_ROWS:
            yield pl.DataFrame(rows, schema=kinds)
            rows = []
    if places:
        raise bytes_missing(fresh["source"][0], len(places))
    yield pl.DataFrame(rows, schema=kinds)


def _numbered(definitions: list[Definition]) -> list[tuple[Definition, int]]:
    """Each with the number of equally named ones before it on its line, which is mostly none."""
    seen: Counter[tuple[str, str, int]] = Counter()
    found = []
    for each in definitions:
        place = (each.module, each.symbol, each.start_line)
        found.append((each, seen[place]))
        seen[place] += 1
    return found


def _row(file: dict, unit: Definition, number: int, domain: str, found: list[redact.Found]) -> dict:
    # A file with one harness is not all proof: only the unit's own attributes make it formal.
    formal = unit.dialect is not None
    names = ("source", "revision", "path", "blob_sha", "language", "license", "license_tier")
    first = unit.start_line - (unit.doc.count("\n") + 1 if unit.doc else 0)
    return {
        **asdict(unit),
        **{name: file[name] for name in names},
        "prose": " ".join(prose(unit.doc)),
        "unit_id": digest(
            *(file["source"], file["path"], unit.module, unit.symbol, unit.start_line),
            *((number,) if number else ()),
        ),
        "category": "verification" if formal else "code",
        "is_test": unit.is_test or file["is_test"],
        "domain": "formal" if formal else domain,
        "file_context": f"{file['source']}/{file['path']}",
        "swhid": provenance.with_lines(file["swhid"], unit.start_line, unit.end_line),
        "redacted": sorted({rule for line, rule in found if first <= line <= unit.end_line}),
        "extractor": file["extractor"],
    }

"""Units of a source: each kept file read and parsed once, unchanged files carried over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any

import polars as pl
import pyarrow as pa

from common.hashing import digest
from common.progress import silent
from corpus import paths, provenance, redact, schema
from corpus.files import FORMAL_LANGUAGES, Contents, bytes_missing
from corpus.isolated import extractions
from corpus.languages.base import Definition
from corpus.reading import SUPPORTED, reader
from corpus.text import prose

VERSION = "1"
"""Part of every extractor's version: raise it when rows come out otherwise for the same definitions."""

_CHUNK_ROWS = 4096


@dataclass(frozen=True)
class Extracted:
    """What `extract_units` gives.

    `units` are rows of `schema.UNITS` in the order of path and line, `parsed` rows of `schema.PARSED`;
    `counts` says how many files were parsed, carried over, or are in a language without definitions.
    """

    units: pl.DataFrame
    parsed: pl.DataFrame
    counts: Counter[str]


def versions() -> dict[str, str]:
    """The extractor version of every supported language: of all that its rows depend on."""
    about = f"{VERSION}/paths-{paths.VERSION}/redact-{redact.VERSION}"
    return {name: f"{reader(name).VERSION}/{about}" for name in sorted(SUPPORTED)}


def extract_units(
    listed: pl.DataFrame,
    contents: Contents,
    domain: str,
    previous: pl.DataFrame | None = None,
    parsed: pl.DataFrame | None = None,
    *,
    progress: Callable[[int, int], None] = silent,
) -> Extracted:
    """The units of one source.

    Args:
        listed: rows of `schema.FILES`.
        contents: where the bytes are; those of unchanged files are not read.
        domain: the source's domain; verification code is formal whatever its source is.
        previous: the source's units of an earlier revision, if any.
        parsed: the files that were searched for them.
        progress: told after each file that is parsed, how many were and how many will be.

    Raises:
        ProvenderError: `contents` lacks bytes of a kept file.
    """
    counts: Counter[str] = Counter()
    kept = listed.filter("kept")
    wanted = kept.filter(pl.col("language").is_in(sorted(SUPPORTED))).with_columns(
        extractor=_extractor_of()
    )
    counts["no_extractor"] = kept.height - wanted.height
    known, carried = _carried(wanted, domain, previous, parsed)
    fresh = wanted.join(known, on=_KEY, how="anti")
    counts["carried"] = wanted.height - fresh.height
    counts["parsed"] = fresh.height
    frames, searched = [carried], [known]
    for units, files in _parsed(fresh, contents, domain, progress):
        frames.append(units)
        searched.append(files)
    units = pl.concat(frames).sort("path", "start_line", "symbol", maintain_order=True)
    return Extracted(units, pl.concat(searched).sort("path"), +counts)


_KEY = ["path", "blob_sha", "extractor"]


def _extractor_of() -> pl.Expr:
    """The version of what a file's rows depend on: its language's extractor, and its role."""
    version = pl.col("language").replace_strict(versions(), default="")
    # A unit of a test file is a test; the same bytes at another place may not be.
    return pl.when("is_test").then(version + "/test").otherwise(version)


def _carried(
    wanted: pl.DataFrame, domain: str, previous: pl.DataFrame | None, parsed: pl.DataFrame | None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows of `parsed` and of `previous` that parsing the same bytes again would give again."""
    if previous is None or parsed is None:
        return schema.empty(schema.PARSED), schema.empty(schema.UNITS)
    held = previous.group_by(_KEY).agg(held=pl.len())
    # The two tables are written one after the other: a killed run may leave them apart.
    known = (
        parsed.join(wanted, on=_KEY, how="semi")
        .join(held, on=_KEY, how="left", maintain_order="left")
        .filter(pl.col("units") == pl.col("held").fill_null(0))
        .select(schema.PARSED.names)
    )
    of_file = ["revision", "license", "license_tier", "swhid"]
    files = wanted.join(known, on=_KEY, how="semi").select(*_KEY, *of_file)
    formal = pl.col("dialect").is_not_null() | pl.col("language").is_in(sorted(FORMAL_LANGUAGES))
    units = (
        previous.drop(of_file)
        .join(files, on=_KEY, how="inner", maintain_order="left")
        .with_columns(
            domain=pl.when(formal).then(pl.lit("formal")).otherwise(pl.lit(domain)),
            swhid=pl.format("{};lines={}-{}", "swhid", "start_line", "end_line"),
        )
    )
    return known, units.select(schema.UNITS.names)


def _parsed(
    fresh: pl.DataFrame, contents: Contents, domain: str, progress: Callable[[int, int], None]
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """The units of `fresh` and its files as rows of `schema.PARSED`, some at a time, in any order."""
    places: dict[str, list[dict]] = {}
    for file in fresh.iter_rows(named=True):
        places.setdefault(file["blob_sha"], []).append(file)
    rows: list[dict] = []
    files: list[dict] = []
    for done, ((file, found), extraction) in enumerate(extractions(_read(contents, places)), 1):
        progress(done, fresh.height)
        numbered = _numbered(extraction.definitions)
        rows += [_row(file, *each, domain, found) for each in numbered]
        files.append({**file, "fault": extraction.fault, "units": len(numbered)})
        if len(rows) > _CHUNK_ROWS:
            yield _frame(rows, schema.UNITS), _frame(files, schema.PARSED)
            rows, files = [], []
    if places:
        raise bytes_missing(fresh["source"][0], len(places))
    yield _frame(rows, schema.UNITS), _frame(files, schema.PARSED)


def _read(
    contents: Contents, places: dict[str, list[dict]]
) -> Iterator[tuple[tuple[dict, list[redact.Found]], str, bytes]]:
    """Each file of `places` with what was redacted in it, its language and its bytes; takes it out."""
    for blob, content in contents(list(places)) if places else ():
        clean, found = redact.redact(content.removeprefix(b"\xef\xbb\xbf"))
        for file in places.pop(blob):
            # The same bytes may lie under two names, and so in two languages.
            yield (file, found), file["language"], clean


def _frame(rows: list[dict], table: pa.Schema) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=schema.empty(table).schema)


def _numbered(definitions: list[Definition]) -> list[tuple[Definition, int]]:
    """Each with the number of equally named ones before it on its line, which is mostly none."""
    seen: Counter[tuple[str, str, int]] = Counter()
    found = []
    for each in definitions:
        place = (each.module, each.symbol, each.start_line)
        found.append((each, seen[place]))
        seen[place] += 1
    return found


_OF_DEFINITION = [field.name for field in fields(Definition) if field.name != "contracts"]
_OF_FILE = ("source", "revision", "path", "blob_sha", "language", "license", "license_tier")


def _row(
    file: dict, unit: Definition, number: int, domain: str, found: list[redact.Found]
) -> dict[str, Any]:
    # A file with one harness is not all proof: only the unit's own annotations make it formal.
    formal = unit.dialect is not None or file["language"] in FORMAL_LANGUAGES
    first = unit.start_line - (unit.doc.count("\n") + 1 if unit.doc else 0)
    return {
        **{name: getattr(unit, name) for name in _OF_DEFINITION},
        **{name: file[name] for name in _OF_FILE},
        "contracts": [asdict(each) for each in unit.contracts],
        "prose": " ".join(prose(unit.doc, file["language"])) if unit.doc else "",
        "unit_id": digest(
            *(file["source"], file["path"], unit.module, unit.symbol, unit.start_line),
            *((number,) if number else ()),
        ),
        "category": _category(file, unit),
        "is_test": unit.is_test or file["is_test"],
        "domain": "formal" if formal else domain,
        "file_context": f"{file['source']}/{file['path']}",
        "swhid": provenance.with_lines(file["swhid"], unit.start_line, unit.end_line),
        "redacted": sorted({rule for line, rule in found if first <= line <= unit.end_line}),
        "extractor": file["extractor"],
    }


def _category(file: dict, unit: Definition) -> str:
    if file["language"] in FORMAL_LANGUAGES:
        return file["category"]
    return "code" if unit.dialect is None else "verification"

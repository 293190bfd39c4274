"""Sections of a source's documentation: each file read and parsed once, unchanged files carried over."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import polars as pl

from corpus import markup, paths, provenance, redact, schema
from corpus.files import Contents, bytes_missing
from corpus.markup.base import Section

_CHUNK_ROWS = 4096
_KEY = ["path", "blob_sha", "extractor"]
_OF_FILE = ["revision", "license", "license_tier", "swhid"]

# What a file of such a name says is about the project's past, its law or its people, and not its code.
_UNWANTED = {
    "test": re.compile(r"(^|/)mdtests?/"),
    "changelog": re.compile(
        r"(^|/)(?:(?:changelog|changes|history|news|release[-_ ]?notes?|releases?|whats[-_ ]?new"
        r"|upgrad(?:e|ing)|migrat(?:e|ing|ion)s?)(?:[-_. ]?(?:v?\d|guide|notes|old|archive)[^/]*)?\.\w+$"
        r"|(?:changelogs?(?:\.d)?|news(?:fragments)?|\.changesets?|\.changes|release[-_](?:notes|content)"
        r"|releases|migration[-_]guides?)/)",
        re.IGNORECASE,
    ),
    "legal": re.compile(
        r"(^|/)(?:(?:un)?licen[cs]es?|copying|copyright|notice|patents|third[-_]party[^/]*|authors|credits"
        r"|contributors|maintainers|code[-_]?owners|thanks|acknowledge?ments)(?:[-_.][^/]*)?\.\w+$",
        re.IGNORECASE,
    ),
    "community": re.compile(
        r"(^|/)(?:(?:contributing|code[-_]of[-_]conduct|security|support|governance|funding|releasing"
        r"|(?:pull[-_]request|issue)[-_]template)(?:[-_.][^/]*)?\.\w+$|(?:\.github|\.gitlab)/)",
        re.IGNORECASE,
    ),
}


@dataclass(frozen=True)
class Sections:
    """What `extract_sections` gives.

    `sections` are rows of `schema.SECTIONS` in the order of path and line. A file that says nothing has
    one row without prose, so that one table tells which files were read. `counts` says how many files
    were parsed, carried over, or left out and why.
    """

    sections: pl.DataFrame
    counts: Counter[str]


def versions() -> dict[str, str]:
    """For each language, the version of what its rows depend on."""
    return {
        language: f"{version}/redact-{redact.VERSION}"
        for language, version in markup.VERSIONS.items()
    }


def unwanted(path: str) -> str | None:
    """Why the sections of such a file are not wanted: changelog, legal or community; else null."""
    return next((reason for reason, pattern in _UNWANTED.items() if pattern.search(path)), None)


def extract_sections(
    listed: pl.DataFrame, contents: Contents, previous: pl.DataFrame | None = None
) -> Sections:
    """The sections of one source.

    Args:
        listed: rows of `schema.FILES`.
        contents: where the bytes are; those of unchanged files are not read.
        previous: the source's sections of an earlier revision, if any.

    Raises:
        ProvenderError: `contents` lacks bytes of a kept file.
    """
    documents = listed.filter("kept", pl.col("language").is_in(sorted(paths.DOCUMENTATION)))
    documents = documents.with_columns(
        extractor=pl.col("language").replace_strict(versions(), return_dtype=pl.String),
        unwanted=pl.when("is_test")
        .then(pl.lit("test"))
        .otherwise(pl.col("path").map_elements(unwanted, return_dtype=pl.String)),
    )
    counts = Counter(documents["unwanted"].drop_nulls().to_list())
    wanted = documents.filter(pl.col("unwanted").is_null())
    carried = _carried(wanted, previous)
    fresh = wanted.join(carried, on=_KEY, how="anti")
    counts["carried"] = wanted.height - fresh.height
    counts["parsed"] = fresh.height
    frames = [carried, *_parsed(fresh, contents)]
    return Sections(pl.concat(frames).sort("path", "start_line", maintain_order=True), +counts)


def _carried(wanted: pl.DataFrame, previous: pl.DataFrame | None) -> pl.DataFrame:
    """The rows of `previous` that parsing the same bytes again would give again."""
    if previous is None:
        return schema.empty(schema.SECTIONS)
    files = wanted.select(*_KEY, *_OF_FILE)
    return (
        previous.drop(_OF_FILE)
        .join(files, on=_KEY, how="inner", maintain_order="left")
        .with_columns(swhid=pl.format("{};lines={}-{}", "swhid", "start_line", "end_line"))
        .select(schema.SECTIONS.names)
    )


def _parsed(fresh: pl.DataFrame, contents: Contents) -> Iterator[pl.DataFrame]:
    """The sections of `fresh`, a few thousand at a time, in any order."""
    kinds = schema.empty(schema.SECTIONS).schema
    places: dict[str, list[dict]] = {}
    for file in fresh.iter_rows(named=True):
        places.setdefault(file["blob_sha"], []).append(file)
    rows: list[dict] = []
    for blob, content in contents(places) if places else ():
        clean, _ = redact.redact(content)
        for file in places.pop(blob):
            # The same bytes may lie under two names, and so in two languages.
            sections = markup.parse(file["language"], clean) or [_nothing(clean)]
            rows += [_row(file, each) for each in sections]
        if len(rows) > _CHUNK_ROWS:
            yield pl.DataFrame(rows, schema=kinds)
            rows = []
    if places:
        raise bytes_missing(fresh["source"][0], len(places))
    yield pl.DataFrame(rows, schema=kinds)


def _nothing(content: bytes) -> Section:
    lines = content.count(b"\n") + (not content.endswith(b"\n"))
    return Section(titles=(), level=0, start_line=1, end_line=max(lines, 1))


def _row(file: dict, section: Section) -> dict:
    names = ("source", "revision", "path", "blob_sha", "language", "license", "license_tier")
    return {
        **{name: file[name] for name in (*names, "extractor")},
        "start_line": section.start_line,
        "end_line": section.end_line,
        "titles": section.titles,
        "prose": section.paragraphs,
        "names": [asdict(each) for each in section.names],
        "links": [asdict(each) for each in section.links],
        "file_context": f"{file['source']}/{file['path']}",
        "swhid": provenance.with_lines(file["swhid"], section.start_line, section.end_line),
    }

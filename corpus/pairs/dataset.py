"""Published (docstring, code) pairs in CodeSearchNet's columns, as pairs of type `dataset`.

Read as a stream and sampled by hash: memory holds the sample and one line, and the same seed gives the
same pairs in whatever order the files come.
"""

from __future__ import annotations

import gzip
import heapq
import json
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO, cast

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from common.errors import ProvenderError
from common.hashing import digest
from corpus import paths, schema
from corpus.licences import LicencePolicy
from corpus.optout import OptOuts, names_row
from corpus.pairs.base import normal
from corpus.redact import VERSION as REDACTION
from corpus.redact import redact_text
from corpus.snapshots.download import download
from corpus.sources import DatasetSource
from corpus.text import prose, sentences

VERSION = f"2/redact-{REDACTION}"

_MAX_LINE = 4 << 20
_MAX_UNPACKED = 32 << 30
_MIN_QUERY_WORDS = 3
_COLUMNS = ("docstring", "code", "language", "repo", "path", "url", "func_name", "partition")
# The Parquet edition's names for the same things.
_ALIASES = {
    "func_documentation_string": "docstring",
    "func_code_string": "code",
    "whole_func_string": "code",
    "repository_name": "repo",
    "func_path_in_repository": "path",
    "func_code_url": "url",
    "split_name": "partition",
}
_URL = re.compile(
    r"^https?://(?P<host>[^/]+)/(?P<repo>[^/]+/[^/]+)/blob/(?P<commit>[0-9a-f]{40})/(?P<path>[^#]+)"
    r"(?:#L(?P<first>\d{1,9})(?:-L(?P<last>\d{1,9}))?)?$"
)
_OPENING = re.compile(r"[rRuUbB]{0,2}(\"\"\"|'''|\"|')\s*$")


def dataset_pairs(
    source: DatasetSource, cache: Path, policy: LicencePolicy, wishes: OptOuts
) -> tuple[pl.DataFrame, Counter[str]]:
    """A sample of a data set as rows of `schema.PAIRS`, and what was left out, counted by reason.

    Raises:
        ProvenderError: a file cannot be had, or holds no data set.
    """
    counts: Counter[str] = Counter()
    best: list[tuple[int, str, dict[str, str]]] = []
    held: set[str] = set()
    for row in _rows(source, cache, counts):
        reason = _unwanted(row, source, wishes)
        if reason:
            counts[reason] += 1
            continue
        key = digest(source.seed, row)
        if key in held:
            counts["duplicate"] += 1
            continue
        # A heap of the smallest hashes, the largest of them on top.
        held.add(key)
        heapq.heappush(best, (-int(key, 16), key, row))
        if len(best) > source.sample:
            held.discard(heapq.heappop(best)[1])
            counts["not_sampled"] += 1
    tier = policy.tier(source.license)
    pairs: list[dict[str, Any]] = []
    for _, _, row in sorted(best, key=lambda item: item[1]):
        pair = _pair(row, source, tier)
        if isinstance(pair, str):
            counts[pair] += 1
        else:
            pairs.append(pair)
    frame = pl.DataFrame(pairs, schema=schema.empty(schema.PAIRS).schema)
    unique = frame.unique("pair_id", keep="first", maintain_order=True)
    counts["duplicate"] += frame.height - unique.height
    return unique.sort("pair_id"), +counts


def _unwanted(row: dict[str, str], source: DatasetSource, wishes: OptOuts) -> str | None:
    """Why a row is not even a candidate, or null."""
    path = row["path"]
    checks = (
        ("partition", row["partition"] not in ("", source.partition)),
        ("language", bool(source.languages) and row["language"] not in source.languages),
        ("no_docstring", not row["docstring"].strip() or not row["code"].strip()),
        ("doc_short", len(row["docstring"].split()) < _MIN_QUERY_WORDS),
        ("vendored_or_generated", paths.is_vendored(path) or paths.is_generated(path)),
        ("opt_out", bool(wishes.optout) and names_row(wishes, _origin(row), path)),
    )
    return next((reason for reason, hit in checks if hit), None)


def _pair(row: dict[str, str], source: DatasetSource, tier: str) -> dict[str, Any] | str:
    """One row of `schema.PAIRS`, or why there is none."""
    every = [
        each
        for paragraph in prose(row["docstring"], row["language"])
        for each in sentences(paragraph)
    ]
    if not every:
        return "no_prose"
    code = _without_doc(row["code"], row["docstring"])
    if code is None or not code.strip():
        return "doc_in_code"
    query, positive = redact_text(every[0].rstrip(". ")), redact_text(code)
    url = _URL.match(row["url"])
    commit = url["commit"] if url else ""
    first = int(url["first"] or 1) if url else 1
    last = int(url["last"] or first) if url else first + row["code"].count("\n")
    path = paths.shown(row["path"])
    place = f"origin={_escaped(_origin(row))};path=/{_escaped(path)};lines={first}-{last}"
    return {
        "pair_id": digest(normal(query), normal(positive)),
        "query": query,
        "positive": positive,
        "doc_rest": redact_text(" ".join(every[1:])),
        "signature": positive.strip().splitlines()[0],
        "query_kind": "doc",
        "pair_type": "dataset",
        "builder": VERSION,
        "source": source.name,
        "revision": commit,
        "path": path,
        "blob_sha": "",
        "start_line": first,
        "end_line": last,
        "symbol": row["func_name"],
        "unit_id": digest(source.name, row["url"], row["func_name"], positive),
        "swhid": f"swh:1:rev:{commit};{place}" if commit else "",
        "language": row["language"],
        "dialect": None,
        "category": "code",
        "is_test": paths.is_test(row["path"]),
        "license": source.license,
        "license_tier": tier,
        "domain": source.domain,
        "file_context": f"{row['repo'].rpartition('/')[2]}/{path}",
    }


def _origin(row: dict[str, str]) -> str:
    url = _URL.match(row["url"])
    return f"https://{url['host']}/{url['repo']}" if url else row["repo"]


def _escaped(value: str) -> str:
    """`value` as a qualifier of a SWHID."""
    return value.replace("%", "%25").replace(";", "%3B")


def _without_doc(code: str, docstring: str) -> str | None:
    """`code` without its docstring; as it is where it has none inside; null where it stays in."""
    doc = docstring.strip()
    start = code.find(doc)
    if start < 0:
        return None if doc.splitlines()[0].strip() in code else code
    opening = _OPENING.search(code, 0, start)
    if opening is None:
        return None
    closing = re.compile(rf"\s*{re.escape(opening[1])}[ \t]*\n?").match(code, start + len(doc))
    if closing is None:
        return None
    return code[: opening.start()].rstrip(" \t") + code[closing.end() :]


def _rows(source: DatasetSource, cache: Path, counts: Counter[str]) -> Iterator[dict[str, str]]:
    where = f"source {source.name}"
    files = [*source.paths, *(download(url, cache, where) for url in source.urls)]
    for file in files:
        try:
            if file.suffix == ".parquet":
                yield from _parquet_rows(file)
            else:
                yield from _json_rows(file, counts, where)
        except FileNotFoundError:
            raise ProvenderError(
                "There is no such file.", where=str(file), remedy="Correct `paths`."
            ) from None
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile, pa.ArrowInvalid) as error:
            raise ProvenderError(
                f"The data set is damaged: {error}.",
                where=str(file),
                remedy="Delete the file and fetch it again.",
            ) from None


def _parquet_rows(file: Path) -> Iterator[dict[str, str]]:
    table = pq.ParquetFile(file)
    names = [*_COLUMNS, *_ALIASES]
    columns = [name for name in table.schema_arrow.names if name in names]
    for batch in table.iter_batches(batch_size=1024, columns=columns):
        yield from map(_named, batch.to_pylist())


def _json_rows(file: Path, counts: Counter[str], where: str) -> Iterator[dict[str, str]]:
    for line in _lines(file, where):
        try:
            row = _named(json.loads(line))
            "".join(row.values()).encode()  # half a surrogate pair is JSON, but no text
        except (AttributeError, ValueError, RecursionError):
            counts["broken_line"] += 1
        else:
            yield row


def _lines(file: Path, where: str) -> Iterator[bytes]:
    if file.suffix == ".zip":
        with zipfile.ZipFile(file) as archive:
            for member in sorted(archive.namelist()):
                if member.endswith((".jsonl", ".jsonl.gz")):
                    with archive.open(member) as stream:
                        yield from _bounded(_unpacked(stream, member), where)
    else:
        with file.open("rb") as stream:
            yield from _bounded(_unpacked(stream, file.name), where)


def _unpacked(stream: IO[bytes], name: str) -> BinaryIO:
    packed = PurePosixPath(name).suffix == ".gz"
    return cast("BinaryIO", gzip.GzipFile(fileobj=stream) if packed else stream)


def _bounded(stream: BinaryIO, where: str) -> Iterator[bytes]:
    """The lines of `stream`; one longer than a function could be is cut, and then is no JSON."""
    total = 0
    while line := stream.readline(_MAX_LINE):
        total += len(line)
        if total > _MAX_UNPACKED:
            raise ProvenderError(
                "The data set unpacks to more than any should.",
                where=where,
                remedy="Do not trust this file.",
            )
        yield line


def _named(row: dict[str, Any]) -> dict[str, str]:
    """`row` with CodeSearchNet's own names, every value a string."""
    found: dict[str, str] = dict.fromkeys(_COLUMNS, "")
    for name, value in _in_order(row):
        column = _ALIASES.get(name, name)
        if column in found and isinstance(value, str):
            found[column] = value
    return found


def _in_order(row: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    """The function without its docstring (`func_code_string`) is preferred where both are there."""
    return sorted(row.items(), key=lambda item: item[0] != "whole_func_string")

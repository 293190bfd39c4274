"""Published benchmarks that a user has as JSONL: their texts, and which code stands in them. Removes nothing.

Their fields have names of their own, so every text of a row counts: whole programs, problems in words,
signatures. A row may be a program of which a unit is one function; so what is asked is how much of the unit
stands in it, and not how alike the two are.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import polars as pl

from common.errors import ProvenderError
from corpus import dedup
from corpus.text import sentences

VERSION = "1"

_MAX_LINE = 4 << 20
_MAX_UNPACKED = 8 << 30
_MIN_WORDS = 4  # fewer are an id, a name or a language
_MAX_QUERY_WORDS = 40
_FEW = 12
"""Shingles. A getter has fewer and stands in many programs by chance: it has to be all that there is."""

_CHUNK = 20_000
_TEXTS = {"benchmark": pl.String, "row": pl.Int64, "text": pl.String}


def files(folder: Path) -> list[Path]:
    """The files of benchmarks below `folder`, in order.

    Raises:
        ProvenderError: there is no such folder, none in it, or a link.
    """
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise ProvenderError(
                "This link is not followed, and what it leads to would be learned.",
                where=str(path),
                remedy="Put what it leads to in its place, or take it out.",
            )
        if path.name.endswith((".jsonl", ".jsonl.gz")) and path.is_file():
            found.append(path)
    if not found:
        raise ProvenderError(
            "There is no `.jsonl` or `.jsonl.gz` file."
            if folder.is_dir()
            else "This is no folder.",
            where=str(folder),
            remedy="Name the folder that holds the benchmarks, or unset PROVENDER_BENCHMARKS.",
        )
    return found


def load_benchmarks(folder: Path) -> pl.DataFrame:
    """Every text below `folder`: `benchmark` (its file), `row` (the line, from 1) and `text`.

    Raises:
        ProvenderError: there is none, or a line is no JSON object.
    """
    rows = [
        (path.relative_to(folder).as_posix().removesuffix(".gz").removesuffix(".jsonl"), row, text)
        for path in files(folder)
        for row, line in _lines(path)
        for text in dict.fromkeys(_texts(_parsed(line, path, row)))
    ]
    return pl.DataFrame(rows, schema=_TEXTS, orient="row")


def asked(benchmarks: pl.DataFrame) -> list[str]:
    """What the benchmarks ask in words: short texts whole, and the first sentence of every text."""
    texts = benchmarks["text"].unique(maintain_order=True).to_list()
    short = [each for each in texts if len(each.split()) <= _MAX_QUERY_WORDS]
    first = [next(iter(sentences(each.split("\n\n", 1)[0])), "").rstrip(". ") for each in texts]
    return list(dict.fromkeys(each for each in (*short, *first) if _is_said(each)))


def contained(texts: pl.Series, others: pl.Series, share: float) -> pl.DataFrame:
    """Which of `texts` has at least `share` of its distinct shingles in one of `others`.

    Exact: what has the share has it among its rarest shingles, too (prefix filtering: Chaudhuri, Ganti and
    Kaushik 2006), and each candidate is counted.

    Returns:
        `place` in `texts`, `other` in `others`, and the `share`: the greatest of a text, and its first.
    """
    theirs, mine = _incidence(others), _incidence(texts)
    known, inverse = np.unique(theirs.indices, return_inverse=True)
    frequency = np.bincount(inverse, minlength=len(known))
    holders = np.repeat(np.arange(theirs.shape[0]), np.diff(theirs.indptr))[
        np.argsort(inverse, kind="stable")
    ]
    begins = np.concatenate([[0], np.cumsum(frequency)])
    sizes, their_sizes = np.diff(mine.indptr), np.diff(theirs.indptr)
    needed = np.ceil(np.where(sizes < _FEW, 1.0, share) * sizes - 1e-9).astype(np.int64)

    at = np.searchsorted(known, mine.indices)
    there = at < len(known)
    there[there] = known[at[there]] == mine.indices[there]
    rows = np.repeat(np.arange(len(sizes)), sizes)
    hits = np.bincount(rows[there], minlength=len(sizes))
    likely = (hits >= needed) & (sizes > 0)
    keep = there & likely[rows]
    rows, at = rows[keep], at[keep]
    order = np.lexsort((frequency[at], rows))
    rows, at = rows[order], at[order]
    # The first of the known shingles by rarity; the unknown ones would come before all.
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    prefix = rank < (hits - needed + 1)[rows]
    rows, at = rows[prefix], at[prefix]

    found = [pl.DataFrame(schema={"place": pl.Int64, "other": pl.Int64, "share": pl.Float64})]
    counts = frequency[at]
    for start, end in _slices(counts, 50 * _CHUNK):
        repeat = counts[start:end]
        place = np.repeat(rows[start:end], repeat)
        offset = np.arange(repeat.sum()) - np.repeat(np.cumsum(repeat) - repeat, repeat)
        other = holders[np.repeat(begins[at[start:end]], repeat) + offset]
        both = np.unique(place * theirs.shape[0] + other)
        place, other = both // theirs.shape[0], both % theirs.shape[0]
        shared = np.concatenate(
            [
                np.asarray(mine[place[here]].multiply(theirs[other[here]]).sum(axis=1))
                for here in (slice(a, a + _CHUNK) for a in range(0, len(place), _CHUNK))
            ]
        )
        enough = shared >= needed[place]
        enough &= (sizes[place] >= _FEW) | (their_sizes[other] == sizes[place])
        found.append(
            pl.DataFrame(
                {
                    "place": place[enough],
                    "other": other[enough],
                    "share": shared[enough] / sizes[place[enough]],
                },
                schema=found[0].schema,
            )
        )
    return (
        pl.concat(found)
        .sort("place", "share", "other", descending=[False, True, False])
        .unique("place", keep="first", maintain_order=True)
    )


def contamination(units: pl.DataFrame, benchmarks: pl.DataFrame, share: float) -> pl.DataFrame:
    """Which code stands in a benchmark.

    Args:
        units: `unit_id` and `positive`.
        benchmarks: as `load_benchmarks` gives them, in any order.
        share: the least share of the code's shingles that has to stand in one text.

    Returns:
        `unit_id`, `benchmark`, `row` and `share`, once a unit.
    """
    texts = benchmarks.sort("benchmark", "row", "text")
    units = units.sort("unit_id", "positive")
    found = contained(units["positive"], texts["text"], share)
    return (
        pl.DataFrame({"unit_id": units["unit_id"].gather(found["place"])})
        .with_columns(*texts["benchmark", "row"][found["other"]], found["share"])
        .sort("share", descending=True, maintain_order=True)
        .unique("unit_id", keep="first", maintain_order=True)
    )


def _slices(counts: np.ndarray, most: int) -> Iterator[tuple[int, int]]:
    """Runs of `counts` that sum up to about `most`."""
    start, ends = 0, np.cumsum(counts)
    while start < len(counts):
        before = ends[start - 1] if start else 0
        end = max(int(np.searchsorted(ends, before + most, side="right")), start + 1)
        yield start, end
        start = end


def _incidence(texts: pl.Series) -> Any:
    from scipy.sparse import csr_array, vstack

    parts = [dedup.incidence(texts[a : a + _CHUNK]) for a in range(0, len(texts), _CHUNK)]
    return csr_array(vstack(parts, format="csr")) if parts else dedup.incidence(texts)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    total = 0
    try:
        with path.open("rb") as file:
            packed = path.suffix == ".gz"
            stream = cast("BinaryIO", gzip.GzipFile(fileobj=file) if packed else file)
            for row in range(1, 1 << 62):
                line = stream.readline(_MAX_LINE + 1)
                total += len(line)
                if not line:
                    return
                if len(line) > _MAX_LINE or total > _MAX_UNPACKED:
                    raise _fault("This line is longer than any should be.", path, row)
                if line.strip():
                    yield row, line
    except (OSError, EOFError, zlib.error) as error:
        raise ProvenderError(
            f"The benchmark is damaged: {error}.", where=str(path), remedy="Fetch it again."
        ) from None


def _parsed(line: bytes, path: Path, row: int) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        raise _fault("This line is no JSON.", path, row) from None


def _fault(what: str, path: Path, row: int) -> ProvenderError:
    return ProvenderError(
        what, where=f"{path}:{row}", remedy="Write one JSON object a line, or take the file out."
    )


def _texts(value: Any) -> Iterator[str]:
    """Every text in `value` that says something, in order."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict | list):
            held = each.values() if isinstance(each, dict) else each
            waiting.extend(reversed(list(held)))
        elif isinstance(each, str) and _is_said(each):
            yield each.encode(
                "utf-8", "replace"
            ).decode()  # half a surrogate pair is JSON, but no text


def _is_said(text: str) -> bool:
    return len(text.split()) >= _MIN_WORDS

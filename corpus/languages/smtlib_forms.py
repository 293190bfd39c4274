"""The commands of an SMT-LIB script and its comments: where they stand, in linear time at any depth."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

Span = tuple[int, int]

_OPAQUE = re.compile(rb';[^\n]*+|"(?:[^"]++|"")*+(?:"|\Z)|\|[^|]*+(?:\||\Z)')
_TOKEN = re.compile(rb"[()]|[^\s()]++")
_BRACKET = re.compile(rb"[()]")
_COMMAND = re.compile(
    rb"^\((?=\s*+(?:assert|check-sat|declare-|define-|echo|exit|get-|pop|push|reset|set-))",
    re.MULTILINE,
)
_CHUNK = 1 << 22


@dataclass(frozen=True, slots=True)
class Script:
    """A script in parts; `code` is `source` with blank comments, and strings and quoted names filled in.

    `forms` are its outermost s-expressions; it is `broken` where brackets do not pair off.
    """

    source: bytes
    code: bytes
    comments: list[Span]
    forms: list[Span]
    broken: bool


def read(source: bytes) -> Script:
    """The parts of `source`. After a bracket that is never closed, commands begin at the margin."""
    code, comments = _masked(source)
    starts, ends, stray = _outermost(code)
    forms = list(zip(starts, ends, strict=False))
    if len(starts) > len(ends):
        forms += _recovered(code, starts[-1])
    return Script(source, code, comments, forms, stray or len(starts) > len(ends))


def _masked(source: bytes) -> tuple[bytes, list[Span]]:
    kept: list[bytes] = []
    comments: list[Span] = []
    copied = 0
    for token in _OPAQUE.finditer(source):
        start, end = token.span()
        is_comment = source[start] == ord(";")
        if is_comment:
            comments.append((start, end))
        kept += (source[copied:start], (b" " if is_comment else b"_") * (end - start))
        copied = end
    return b"".join([*kept, source[copied:]]), comments


def _outermost(code: bytes) -> tuple[list[int], list[int], bool]:
    """Where outermost brackets open and close, and whether one closes what was never opened."""
    data = np.frombuffer(code, np.uint8)
    starts: list[int] = []
    ends: list[int] = []
    depth, stray = 0, False
    for base in range(0, len(data), _CHUNK):
        part = data[base : base + _CHUNK]
        places = np.flatnonzero((part & 0xFE) == ord("("))
        if not len(places):
            continue
        opens = part[places] == ord("(")
        level = depth + np.cumsum(np.where(opens, 1, -1))
        lowest = np.minimum.accumulate(np.minimum(level, 0))
        stray = stray or bool(lowest[-1] < 0)
        level -= lowest
        before = np.concatenate(([depth], level[:-1]))
        starts += (places[opens & (level == 1)] + base).tolist()
        ends += (places[~opens & (before == 1)] + base + 1).tolist()
        depth = int(level[-1])
    return starts, ends, stray


def _recovered(code: bytes, start: int) -> Iterator[Span]:
    """The forms from `start` on, each ended by the next command at the margin at the latest."""
    places = [start, *(each.start() for each in _COMMAND.finditer(code, start + 1)), len(code)]
    for place, after in pairwise(places):
        yield place, closing(code, place, after) or place + len(code[place:after].rstrip())


def closing(code: bytes, start: int, end: int) -> int:
    """The place after the bracket that closes the one at `start`; 0 where none does before `end`."""
    depth = 0
    for bracket in _BRACKET.finditer(code, start, end):
        depth += 1 if bracket[0] == b"(" else -1
        if not depth:
            return bracket.end()
    return 0


def children(code: bytes, form: Span) -> Iterator[Span]:
    """The parts of an s-expression, in order; what is asked for no more is not read."""
    depth = begin = 0
    for token in _TOKEN.finditer(code, form[0] + 1, form[1]):
        if token[0] == b"(":
            begin = begin if depth else token.start()
            depth += 1
        elif token[0] == b")":
            depth -= 1
            if depth < 0:
                return
            if not depth:
                yield begin, token.end()
        elif not depth:
            yield token.span()

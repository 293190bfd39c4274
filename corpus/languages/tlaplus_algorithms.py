"""PlusCal: the algorithms inside the comments of a TLA+ module, and what the translator made of them."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

from corpus.languages.tlaplus_comments import Span
from corpus.languages.tlaplus_statements import Statement

_ALGORITHM = re.compile(
    rb"^[ \t(*]*(?P<head>--(?:fair[ \t]+)?algorithm\s+(?P<name>[A-Za-z_]\w*))", re.MULTILINE
)
_MARK = re.compile(
    rb'"(?:[^"\\\n]|\\.)*+"?|\\\*[^\n]*+|\(\*(?:[^*(]++|\*(?!\))|\((?!\*))*+\*\)'
    rb"|(?P<last>\bend\s+algorithm\b[ \t]*;?)|[{}]"
)


def algorithms(
    source: bytes, comments: Sequence[Span], statements: Sequence[Statement]
) -> tuple[list[Statement], list[Span]]:
    """The algorithms as statements, and the comments without them; what is before one stays."""
    found: list[Statement] = []
    others: list[Span] = []
    starts = [each.start for each in statements]
    for start, end in comments:
        stated = (
            _ALGORITHM.search(source, start, end)
            if source.startswith(b"(*", start) and source.find(b"algorithm", start, end) >= 0
            else None
        )
        place = bisect_right(starts, start)
        if stated is None or not place or statements[place - 1].end > start:
            others.append((start, end))
            continue
        if source[start : stated.start()].strip(b"(*- \t\n"):
            others.append((start, stated.start()))
        name = stated["name"].decode()
        last = _end(source, stated.end(), end)
        module = statements[place - 1].module
        found.append(Statement("algorithm", stated.start("head"), last, module, name))
    return found, others


def _end(source: bytes, start: int, end: int) -> int:
    """Where an algorithm ends that is written in either syntax; text may follow it in its comment."""
    closed = depth = 0
    for mark in _MARK.finditer(source, start, end):
        if mark["last"]:
            return mark.end()
        if closed or mark[0] not in (b"{", b"}"):
            continue
        depth += 1 if mark[0] == b"{" else -1
        if depth == 0:
            closed = mark.end()
    if closed:
        return closed
    return start + len(source[start:end].removesuffix(b"*)").rstrip(b"* \t\n"))


def translated(source: bytes, comments: Sequence[Span]) -> list[Span]:
    """What the translator wrote, between the two comments that it leaves."""
    found: list[Span] = []
    if b"BEGIN TRANSLATION" not in source:
        return found
    begin = -1
    for start, end in comments:
        if source.find(b"BEGIN TRANSLATION", start, end) >= 0:
            begin = start
        elif begin >= 0 and source.find(b"END TRANSLATION", start, end) >= 0:
            found.append((begin, end))
            begin = -1
    return found

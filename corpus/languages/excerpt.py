"""The code of a definition: the file's own lines, less what is cut out of them, dedented as a block."""

from __future__ import annotations

from collections.abc import Sequence

Cut = tuple[int, int, bytes]
"""The first byte to leave out, the first byte to keep again, and what stands for what was between."""


def excerpt(source: bytes, start: int, end: int, cuts: Sequence[Cut] = ()) -> str:
    """The text from `start` to `end` without `cuts`, which are in order and do not overlap.

    Lines that begin with the white space of the first one lose it; a line of a string that stands
    further left stays as it is and keeps no other line from being dedented.
    """
    code = source[start:end]
    if cuts:
        pieces, at = [], start
        for cut_start, cut_end, put in cuts:
            pieces += (source[at:cut_start], put)
            at = cut_end
        pieces.append(source[at:end])
        code = b"".join(pieces)
    code = code.rstrip()
    if b"\n" in code:
        indent = indentation(source, start)
        if indent:
            code = b"\n".join(code.split(b"\n" + indent))  # faster than to replace
    return code.decode("utf-8", "replace")


def indentation(source: bytes, at: int) -> bytes:
    """The white space that begins the line of byte `at`."""
    line = source[source.rfind(b"\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip())]


def trimmed(source: bytes, start: int, end: int) -> tuple[int, int]:
    """`start` and `end` without the white space there: of what is incomplete, the parser takes it along."""
    if not (source[start : start + 1].isspace() or source[end - 1 : end].isspace()):
        return start, max(start, end)
    within = source[start:end]
    first = end - len(within.lstrip())
    return first, max(first, start + len(within.rstrip()))


def whole_lines(source: bytes, start: int, end: int) -> Cut:
    """Leaves out a comment with the lines that it has for itself; with the blanks after it elsewhere."""
    begin = source.rfind(b"\n", 0, start) + 1
    stop = source.find(b"\n", end)
    stop = len(source) if stop < 0 else stop + 1
    if not source[end:stop].strip() and not source[begin:start].strip():
        return (begin, stop, b"")
    while source[end : end + 1] in (b" ", b"\t"):
        end += 1
    return (start, end, b" " if source[start - 1 : start].strip() else b"")

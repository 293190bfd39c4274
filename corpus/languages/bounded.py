"""Parsing that ends: over some kilobytes of garbage, made for it or not, tree-sitter takes minutes."""

from __future__ import annotations

from collections.abc import Sequence

from tree_sitter import Language, Parser, Point, Range, Tree

LIMIT = "parse_limit"
"""The fault of a file that the parser does not get through in reasonable time."""

# Real Rust, test data of parsers included, makes 0.023 reports a byte and is read less than twice, real
# Python, Java and C++ make up to 0.012, JavaScript 0.020, and are read 2.3 times at most;
# what leads the recovery from errors astray makes 3 reports a byte, and each raw string that nobody
# closes has the rest of the file read again.
_REPORTS_PER_BYTE = 0.06
_READINGS = 100
_FREE_REPORTS = 1_000
_FREE_BYTES = 1_000_000
_CHUNK = 1 << 16


def parse(language: Language, source: bytes, ranges: Sequence[Range] = ()) -> Tree | None:
    """The tree of `source`, or of the `ranges` in it; null where the parser went astray.

    Counts steps and not seconds: the same bytes give the same tree on every machine.
    """
    end = ranges[-1].end_byte if ranges else len(source)
    size = sum(each.end_byte - each.start_byte for each in ranges) or end
    reports = _FREE_REPORTS + size * _REPORTS_PER_BYTE
    readable = _FREE_BYTES + size * _READINGS

    def read(start: int, _: Point) -> bytes:
        nonlocal readable
        if readable < 0:
            return b""
        chunk = source[start : min(start + _CHUNK, end)]
        readable -= len(chunk)
        return chunk

    def is_enough(_: int, __: bool) -> bool:  # noqa: FBT001 - tree-sitter gives them by position
        nonlocal reports
        reports -= 1
        return reports < 0

    parser = Parser(language, included_ranges=ranges) if ranges else Parser(language)
    try:
        tree = parser.parse(read, progress_callback=is_enough)
    except ValueError:
        return None
    return tree if readable >= 0 else None

"""Which comment of a TLA+ module is about which statement.

Authors write above a definition, after its `==`, below it a little indented, or behind it on its line;
some leave a blank line below what they write above. A short comment in a frame that stands for itself,
or after a line of dashes, is the title of a section.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from corpus.languages.tlaplus_comments import Block, Span, blocks, title
from corpus.languages.tlaplus_statements import Statement

_DEEPEST = 4  # columns by which a comment below a definition may be indented and be about it
_TOKEN = re.compile(rb"\S")
_FORMULAS = re.compile(r"^[ \t]*+(?:/\\|\\/|∧|∨|TODO\b)|==|≜|\bTRANSLATION\b", re.MULTILINE)

_UNITS = frozenset(
    "operator_definition function_definition module_definition assumption theorem instance "
    "constant_declaration variable_declaration recursive_declaration extends".split()
)


@dataclass(slots=True)
class Remarks:
    """The comments about one statement, by where they stand, and the title that it stands under."""

    above: Block | None = None
    inside: Block | None = None
    below: list[Span] = field(default_factory=list)
    behind: list[Span] = field(default_factory=list)
    before: list[Block] = field(default_factory=list)
    heading: str = ""


def remarks(
    statements: Sequence[Statement], comments: Sequence[Span], source: bytes, code: bytes
) -> list[Remarks]:
    """The remarks about each of `statements`."""
    found = [Remarks() for _ in statements]
    starts = [start for start, _ in comments]
    heading = ""
    end = 0
    for index, statement in enumerate(statements):
        own = found[index]
        gap = list(comments[bisect_left(starts, end) : bisect_left(starts, statement.start)])
        end = statement.end
        if index and statements[index - 1].kind in _UNITS:
            gap = _taken(gap, statements[index - 1], found[index - 1], source)
        own.before = list(blocks(source, gap))
        previous = statements[index - 1].kind if index else "header"
        own.above = _above(own.before, statement, previous, source)
        own.inside = _inside(statement, comments, starts, source, code)
        if statement.kind in ("single_line", "header", "double_line"):
            heading = ""
        if previous != "header":  # what stands there describes the module
            heading = _titled(own, source, parted=previous == "single_line") or heading
        own.heading = heading
    if statements and statements[-1].kind in _UNITS:
        rest = list(comments[bisect_left(starts, end) :])
        _taken(rest, statements[-1], found[-1], source)
    return found


def _taken(gap: list[Span], statement: Statement, own: Remarks, source: bytes) -> list[Span]:
    """What is left of the comments in a gap when those about the statement before it are taken."""
    at = 0
    row_end = _row_end(source, statement.end)
    previous = statement.end
    while at < len(gap) and gap[at][0] < row_end:
        own.behind.append(gap[at])
        previous = gap[at][1]
        at += 1
    column = _column(source, statement.start)
    aligned = _column(source, gap[at - 1][0]) if at else -1
    while at < len(gap) and source.count(b"\n", previous, gap[at][0]) <= 1:
        indent = _column(source, gap[at][0])
        if indent == aligned and not own.below:
            own.behind.append(gap[at])
        elif column < indent <= column + _DEEPEST:
            own.below.append(gap[at])
        else:
            break
        previous = gap[at][1]
        at += 1
    return gap[at:]


def _above(before: list[Block], statement: Statement, previous: str, source: bytes) -> Block | None:
    """The block above the statement that is about it, taken from those `before` it."""
    if not before or statement.kind == "algorithm":
        return before.pop() if before else None
    rows = source.count(b"\n", before[-1].end, statement.start)
    if rows == 0:  # a mark at the margin, `(*Defn*)Op == 1`
        marked = before.pop()
        if len(marked.spans) == 1:
            return None
        before.append(Block(source, marked.spans[:-1]))
    elif rows > 2 or (
        rows == 2 and (previous in ("header", "extends") or not _is_prose(before[-1]))
    ):
        return None
    return before.pop()


def _is_prose(block: Block) -> bool:
    """Whether a block that a blank line follows says something about what comes next."""
    text = block.text()
    return len(text.split()) >= 5 and not block.title() and not _FORMULAS.search(text)


def _inside(
    statement: Statement, comments: Sequence[Span], starts: list[int], source: bytes, code: bytes
) -> Block | None:
    """The comments between `==` and the body, where lines of their own hold them or a line's end."""
    if not statement.body:
        return None
    token = _TOKEN.search(code, statement.body, statement.end)
    if token is None:
        return None
    first = bisect_left(starts, statement.body)
    spans = comments[first : bisect_left(starts, token.start())]
    if not spans or source.find(b"\n", spans[-1][1], token.start()) < 0:
        return None
    return Block(source, spans)


def _titled(own: Remarks, source: bytes, *, parted: bool) -> str:
    """The title of a section that stands among the comments before a statement, the last of them."""
    found = ""
    for block in own.before:
        found = block.title() or (parted and title(block.text())) or found
    if own.above is None:
        return found
    is_line = source.startswith(b"\\*", own.above.start)
    above = own.above.title() if is_line else ""
    if not above and parted and own.inside is not None:
        above = title(own.above.text())
    if above:
        own.above = None
    return above or found


def _row_end(source: bytes, at: int) -> int:
    end = source.find(b"\n", at)
    return len(source) if end < 0 else end


def _column(source: bytes, at: int) -> int:
    return at - source.rfind(b"\n", 0, at) - 1

"""Reading Rust-like text where there is no grammar: what is code in it, where a bracket ends, its docs.

Nothing here knows of items or of any one dialect; everything ends in time linear in the text.
"""

from __future__ import annotations

import re
import textwrap


def balanced(opening: str, closing: str, depth: int) -> str:
    """A pattern for one bracket with all that it holds, nested `depth` deep, in masked text.

    It never backtracks; what is nested deeper does not match and is left to `closing_bracket`.
    """
    neither = rf"[^\{opening}\{closing}]"
    pattern = rf"\{opening}{neither}*+\{closing}"
    for _ in range(depth):
        pattern = rf"\{opening}(?:{neither}++|{pattern})*+\{closing}"
    return pattern


PARENTHESES = balanced("(", ")", 12)
SQUARES = balanced("[", "]", 6)
_BRACKETS = {
    opening: (re.compile(balanced(opening, closing, 12)), re.compile(rf"[\{opening}\{closing}]"))
    for opening, closing in ("()", "[]", "{}")
}

_BLOCK_COMMENT = r"/\*(?:[^*]++|\*(?!/))*+(?:\*/|\Z)"
for _ in range(8):
    _BLOCK_COMMENT = rf"/\*(?:[^*/]++|\*(?!/)|/(?!\*)|{_BLOCK_COMMENT})*+(?:\*/|\Z)"
# What is never closed runs to the end, so that no later one has to look for its end again.
_STRING = (
    r"""|"(?:(?<=\Wr")|(?<=\W[bc]r"))[^"]*+(?:"|\Z)"""
    r"""|"(?:[^"\\]++|\\.?+)*+(?:"|\Z)"""
    r"""|\#(?<=r\#)(?P<hashes>\#*+)".*?(?:"\#(?P=hashes)|\Z)"""
    r"""|'(?:[^'\\\n]|\\[^\n][^'\n]{0,12})'"""
)
# Each branch begins with a literal, so that the search leaps from one such character to the next.
_OPAQUE = re.compile(rf"//[^\n]*+(?:\n[ \t]*+//[^\n]*+)*+|{_BLOCK_COMMENT}{_STRING}", re.DOTALL)


def masked(text: str) -> str:
    """`text` with comments blank and strings and characters empty, at equal length.

    What is left can be searched with plain patterns: every bracket and word in it is code. The
    line ends inside what is blanked go too.
    """
    return _OPAQUE.sub(_blank, text)


def _blank(found: re.Match[str]) -> str:
    token = found[0]
    if token[0] == "/":
        return " " * len(token)
    return '"' + " " * (len(token) - 2) + '"' if len(token) > 1 else '"'


def one_line(text: str) -> str:
    """`text` without comments and with white space collapsed."""
    if "//" in text or "/*" in text:
        text = _OPAQUE.sub(lambda found: " " if found[0][0] == "/" else found[0], text)
    return " ".join(text.split())


def closing_bracket(code: str, start: int, end: int) -> int:
    """The place after the bracket that closes the one at `start` of masked text, or -1."""
    whole, either = _BRACKETS[code[start]]
    if found := whole.match(code, start, end):
        return found.end()
    depth = 0
    for bracket in either.finditer(code, start, end):
        depth += 1 if bracket[0] == code[start] else -1
        if not depth:
            return bracket.end()
    return -1


_DOC = re.compile(
    r"///(?!/)(?P<line>[^\n]*+)|//[^\n]*+"
    rf"|(?P<block>{_BLOCK_COMMENT})"
    r"""|\#\[\s*+doc\s*+=\s*+(?:"(?P<written>(?:[^"\\]++|\\.)*+)\""""
    r"""|r(?>(?P<marks>\#*+)"(?P<raw>.*?)"(?P=marks)))\s*+\]"""
    rf"{_STRING}",
    re.DOTALL,
)


def doc_comments(text: str, start: int, end: int) -> tuple[str, list[tuple[int, int]]]:
    """The doc that stands in that part of `text`, without its marks, and where its pieces stand."""
    lines: list[str] = []
    spans: list[tuple[int, int]] = []
    within = text[start:end]
    if "///" not in within and "/**" not in within and "doc" not in within:
        return "", spans
    for found in _DOC.finditer(text, start, end):
        which = found.lastgroup
        if which == "line":
            lines.append(found["line"].removeprefix(" ").rstrip())
        elif which == "block" and _is_doc(found["block"]):
            lines += _block_lines(found["block"])
        elif found[0].startswith("#["):
            lines.append(found["written"] or found["raw"] or "")
        else:
            continue
        spans.append(found.span())
    return "\n".join(lines).strip(), spans


def _is_doc(comment: str) -> bool:
    return comment.startswith("/**") and not comment.startswith(("/***", "/**/"))


def _block_lines(comment: str) -> list[str]:
    lines = comment[3:].removesuffix("*/").split("\n")
    stripped = "\n".join(re.sub(r"^\s*\*(?!\*) ?", "", line) for line in lines)
    return textwrap.dedent(stripped).strip("\n").rstrip().split("\n")


def indentation(text: str, place: int) -> str:
    """The white space that begins the line of `place`."""
    # Lines longer than this are no person's, and many items on one would each look back through all.
    line = text[text.rfind("\n", max(0, place - 1000), place) + 1 : place]
    return line[: len(line) - len(line.lstrip())]


def dedented(text: str, indent: str) -> str:
    """The block `text`, whose first line has lost its `indent`, without it on the others.

    A line of a string that stands further left keeps no other line from being dedented.
    """
    return text.replace("\n" + indent, "\n") if indent else text

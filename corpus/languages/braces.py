"""What the languages of braces share: bodies cut out of outlines, headers, comments without marks."""

from __future__ import annotations

import re
import textwrap

from tree_sitter import Node

from corpus.languages.excerpt import Cut

_REMARK = re.compile(
    r"""("(?:[^"\\\n]|\\.)*+"?|'(?:[^'\\\n]|\\.)*+'?|`[^`]*+`?)|/\*(?:.*?\*/|.*)|//[^\n]*""",
    re.DOTALL,
)
_STAR = re.compile(r"\n[ \t]*\* ?")
_STARRED = re.compile(r"\s*\*")
_FLUSH_LEFT = re.compile(r"\n\S")
_LICENCE = re.compile(
    r"^\W*(copyright\b|\(c\) ?\d{4}|licen[sc]ed (under|to)\b|@licen[sc]e\b|this file is part of\b)"
    r"|SPDX-License-Identifier|all rights reserved|permission is hereby granted",
    re.IGNORECASE | re.MULTILINE,
)
_EXPRESSION, _INSIDE = "…".encode(), " … ".encode()  # what stands in an outline for a body
_LICENCE_SIGNS = ("copyright", "(c)", "licen", "part of", "rights reserved", "permission is")


def text(node: Node | None, source: bytes) -> str:
    """The text of a node; none of no node."""
    return (
        "" if node is None else source[node.start_byte : node.end_byte].decode("utf-8", "replace")
    )


def without_body(body: Node, source: bytes) -> Cut:
    """What an outline leaves out of a body: what is between its braces, or a whole expression."""
    start, end = body.start_byte, body.end_byte
    if not source.startswith(b"{", start) or source[end - 1 : end] != b"}":
        return (start, end, _EXPRESSION)
    return (start + 1, end - 1, _INSIDE if end - start > 2 else b"")


def in_order(cuts: list[Cut]) -> list[Cut]:
    """The cuts without those that reach into an earlier one."""
    kept: list[Cut] = []
    for cut in sorted(cuts):
        if not kept or cut[0] >= kept[-1][1]:
            kept.append(cut)
    return kept


def header(source: bytes, start: int, end: int) -> str:
    """The text from `start` to `end` on one line, without comments."""
    return on_one_line(source[start:end])


def on_one_line(code: bytes) -> str:
    """A piece of code on one line, without comments."""
    written = code.decode("utf-8", "replace")
    if "//" in written or "/*" in written:
        written = _REMARK.sub(lambda found: found[1] or " ", written)
    return " ".join(written.split())


def comment_text(comment: str) -> str:
    """What a block comment says, without its marks: `/** … */`, `/*! … */`, `/* … */`."""
    inside = comment.removeprefix("/").lstrip("*").removeprefix("!")
    inside = inside.removesuffix("/").rstrip("*")
    first, newline, rest = inside.partition("\n")
    if not newline:
        return first.strip()
    lines = f"\n{rest}\n"
    if " \n" in lines or "\t\n" in lines:
        lines = "\n".join(map(str.rstrip, lines.split("\n")))
    if _STARRED.match(lines):
        lines = _STAR.sub("\n", lines)
    if not _FLUSH_LEFT.search(lines):
        lines = textwrap.dedent(lines)
    return f"{first.strip()}{lines}".strip()


def is_licence(comment: str) -> bool:
    """Whether a comment says whose a file is and on which terms, not what its code does."""
    lowered = comment.lower()
    if not any(sign in lowered for sign in _LICENCE_SIGNS):
        return False
    return _LICENCE.search(comment) is not None

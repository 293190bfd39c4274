"""Comments before C++ definitions: Doxygen, plain prose, and specifications in ACSL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Node

from corpus.languages.base import Contract
from corpus.languages.braces import comment_text, is_licence, text

_DOXYGEN = (b"/**", b"/*!", b"///", b"//!")
_NO_DOXYGEN = (b"/***", b"/**/", b"////", b"/**<", b"/*!<", b"///<", b"//!<")
_STRUCTURE = re.compile(
    r"[@\\](file|defgroup|addtogroup|ingroup|name|mainpage|page|section|dir|cond|endcond|namespace|weakgroup"
    r"|typedef|def|fn|var)\b|[@\\][{}]"
)
"""Commands of a comment that stands for itself or names what it documents."""

_WORD = re.compile(r"[A-Za-z]{2,}")
_SIGN = re.compile(r"[^\w\s]|[\d_]")
_BANNER = re.compile(r"([-=*#~/+_])\1{4}")
_REMARK = re.compile(
    r"\W*(TODO|FIXME|XXX|HACK|NOLINT|clang-format|clang-tidy|IWYU|lint|cppcheck)\b"
)
_CODE_LINE = re.compile(
    r"[;{}]\s*$|^\s*#\s*(if|define|include|endif)|^\s*(return|if|for|while)\b.*\(", re.MULTILINE
)
_LINE_MARK = re.compile(r"^//[/!]? ?")
_ACSL_MARGIN = re.compile(r"^[ \t]*@+", re.MULTILINE)
_CLAUSE = re.compile(
    r"\b(?:(?:check|admit)\s+)?(loop\s+invariant|loop\s+variant|loop\s+assigns|requires|ensures|assigns"
    r"|decreases|assumes|terminates|frees|allocates|invariant|variant)\b"
)
_ANNOTATION = re.compile(r"/\*@.*?\*/|//@[^\n]*", re.DOTALL)
_KINDS = {"variant": "decreases"}


@dataclass(frozen=True, slots=True)
class Doc:
    """What a doc comment says, and its first and last byte."""

    text: str
    start: int
    end: int


def doc_before(node: Node, comments: list[Node], source: bytes, *, plain: bool) -> Doc | None:
    """The comment among those right before `node` that documents it.

    The last Doxygen block does; else, where `plain` allows it, prose that ends on the line before.
    """
    for place in range(len(comments) - 1, -1, -1):
        if _is_doxygen(comments[place], source):
            return _doc(_block(comments[: place + 1], source, doxygen=True), source)
    if not plain or comments[-1].end_point.row < node.start_point.row - 1:
        return None
    block = _block(comments, source, doxygen=False)
    if block[0].start_point.column != node.start_point.column:
        return None
    doc = _doc(block, source)
    return doc if doc and _is_prose(doc.text) else None


def specification(comments: list[Node], source: bytes) -> list[Contract]:
    """The ACSL clauses of the comments before a function."""
    found: list[Contract] = []
    for node in comments:
        if is_acsl(node, source):
            found += _clauses(text(node, source))
    return found


def loop_annotations(source: bytes, start: int, end: int) -> Iterator[Contract]:
    """The ACSL clauses inside a body."""
    for found in _ANNOTATION.finditer(source[start:end].decode(errors="replace")):
        yield from _clauses(found[0])


def is_acsl(node: Node, source: bytes) -> bool:
    """Whether a comment is for Frama-C; `//@{` opens a group of Doxygen."""
    opening = source[node.start_byte : node.start_byte + 4]
    return opening.startswith((b"/*@", b"//@")) and opening[3:] not in (b"{", b"}")


def _is_doxygen(node: Node, source: bytes) -> bool:
    opening = source[node.start_byte : node.start_byte + 4]
    return opening.startswith(_DOXYGEN) and opening not in _NO_DOXYGEN


def _is_line(node: Node, source: bytes) -> bool:
    return source.startswith(b"//", node.start_byte)


def _block(comments: list[Node], source: bytes, *, doxygen: bool) -> list[Node]:
    """The last comment, with the line comments of its sort that stand right above it."""
    block = [comments[-1]]
    if not _is_line(comments[-1], source):
        return block
    for node in reversed(comments[:-1]):
        below = block[-1]
        near = node.end_point.row == below.start_point.row - 1
        if not near or not _is_line(node, source) or _is_doxygen(node, source) != doxygen:
            break
        block.append(node)
    return block[::-1]


def _doc(block: list[Node], source: bytes) -> Doc | None:
    written = [text(each, source) for each in block]
    if _BANNER.match(written[0], 1):
        return None
    if written[0].startswith("//"):
        doc = "\n".join(_LINE_MARK.sub("", each).rstrip() for each in written).strip()
    else:
        doc = comment_text(written[0])
    if not doc or is_licence(doc) or _STRUCTURE.match(doc) or is_acsl(block[0], source):
        return None
    return Doc(doc, block[0].start_byte, block[-1].end_byte)


def _is_prose(doc: str) -> bool:
    """Whether a remark reads as a sentence on what follows, not as a banner, a note or dead code."""
    if _BANNER.search(doc) or _REMARK.match(doc):
        return False
    if len(_WORD.findall(doc)) < 3:
        return False
    lines = doc.count("\n") + 1
    if 3 * len(_CODE_LINE.findall(doc)) > lines:
        return False
    return len(doc) - len(_SIGN.findall(doc)) > 0.7 * len(doc)


def _clauses(comment: str) -> Iterator[Contract]:
    inside = comment.removeprefix("/*@").removeprefix("//@").removesuffix("*/").rstrip("@")
    inside = _ACSL_MARGIN.sub(" ", inside)
    for piece in inside.split(";"):
        # A behaviour's name, or what is left of the clause before, may precede the word.
        found = _CLAUSE.search(piece)
        formula = " ".join(piece[found.end() :].split()) if found else ""
        if found and formula:
            kind = found[1].split()[-1]
            yield Contract(_KINDS.get(kind, kind), formula)

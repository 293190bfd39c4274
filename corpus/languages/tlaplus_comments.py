"""TLA+ comments: where they stand, and what they say without frames, stars and annotations."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Span = tuple[int, int]

_TOKEN = re.compile(
    rb'"(?:[^"\\\n]|\\.)*+"?|\\\*[^\n]*+|\(\*(?:[^*(]++|\*(?!\))|\((?!\*))*+(?P<close>\*\))?'
)
_NESTED = re.compile(rb"\(\*|\*\)")
_VISIBLE = re.compile(rb"[^\n]+")
_MODULE = re.compile(rb"(?<!-)-{4,}+[ \t]*+MODULE\b")

_RULE = re.compile(r"\s*[-=*#~_+.]{3,}\s*")
_RULED = re.compile(r"\s*(?:[-=*#~_+]{3,}\s*)?(.*?)\s*(?:[-=*#~_+]{3,})?\s*")
_STARRED = re.compile(r"\s*\*+ ?")
_WRITTEN_BY_TOOLS = re.compile(
    r"\s*+(?:(?:Last modified|Created) \w.*\d{4} by |Modification History\b|[A-Za-z ]{0,60}@model[A-Z])"
)
_ANNOTATION = re.compile(
    r'@(?:type|typeAlias)\s*(?::[^;@]*;|\(\s*"[^"]*"\s*\))|@(?:pure|tailrec|unroll)\b'
)
_CODE = re.compile(
    r"/\\|\\/|∧|∨|<\d+>|(?:LOCAL\s+)?\w+(?:\([^)]*\)|\[[^\]]*\])?\s*(?:==|≜)(?!=)"
    r"|(?:EXTENDS|CONSTANTS?|VARIABLES?|INSTANCE|ASSUME|THEOREM|RECURSIVE|BY)\s+\w"
)
_LICENCE = re.compile(
    r"copyright|\blicen[cs]ed? (?:under|to|that)\b|SPDX-|all rights reserved|\bMIT License"
    r"|THE SOFTWARE IS PROVIDED",
    re.IGNORECASE,
)

_TITLE_LENGTH = 120


def masked(source: bytes) -> tuple[bytes, list[Span]]:
    """`source` with blanks in place of its comments, and where these are.

    The text before the first module is free and left alone. Without comments the grammar is spared
    those that PlusCal and boxes put in its way, and a list of conjuncts ends where it ends.
    """
    header = _MODULE.search(source)
    position = header.start() if header else 0
    kept: list[bytes] = []
    comments: list[Span] = []
    copied = 0
    while token := _TOKEN.search(source, position):
        start, position = token.span()
        if source[start] == ord('"'):
            continue
        if source[start] == ord("(") and token["close"] is None:
            position = _nested_end(source, start)
        comments.append((start, position))
        kept += [source[copied:start], _blank(source[start:position])]
        copied = position
    return b"".join([*kept, source[copied:]]), comments


def _nested_end(source: bytes, start: int) -> int:
    depth = 0
    for mark in _NESTED.finditer(source, start):
        depth += 1 if mark[0] == b"(*" else -1
        if depth == 0:
            return mark.end()
    return len(source)


def _blank(comment: bytes) -> bytes:
    if b"\n" not in comment:
        return b" " * len(comment)
    return _VISIBLE.sub(lambda line: b" " * len(line[0]), comment)


@dataclass(frozen=True, slots=True)
class Block:
    """Comments that follow each other without a blank line."""

    source: bytes
    spans: Sequence[Span]

    @property
    def start(self) -> int:
        return self.spans[0][0]

    @property
    def end(self) -> int:
        return self.spans[-1][1]

    def rows(self) -> list[str]:
        """The lines of text, indented as among themselves; a line of stars or dashes is one too."""
        return [
            row
            for start, end in self.spans
            for row in _rows(self.source[start:end].decode("utf-8", "replace"))
        ]

    def text(self) -> str:
        """What the block says, without annotations; nothing where it is commented-out code."""
        rows = ["" if _RULE.fullmatch(row) else row for row in self.rows()]
        said = "\n".join(row for row in rows if not _WRITTEN_BY_TOOLS.match(row))
        if "@" in said:
            said = _ANNOTATION.sub("", said)
        said = textwrap.dedent(said).strip()
        return "" if _CODE.match(said) else said

    def annotations(self) -> list[str]:
        """Apalache's annotations, each on one line."""
        if b"@" not in self.source[self.start : self.end]:
            return []
        return [" ".join(each.split()) for each in _ANNOTATION.findall("\n".join(self.rows()))]

    def annotated_from(self) -> int | None:
        """Where the comments begin that hold annotations alone and end the block."""
        if b"@" not in self.source[self.start : self.end]:
            return None
        written = [
            "\n".join(_rows(self.source[start:end].decode("utf-8", "replace")))
            for start, end in self.spans
        ]
        other = _ANNOTATION.sub(lambda each: " " * len(each[0]), "\n".join(written)).rstrip()
        begin = 0
        for (start, _), text in zip(self.spans, written, strict=True):
            if begin >= len(other):
                return start
            begin += len(text) + 1
        return None

    def title(self) -> str:
        """The title that the block is, where a line of dashes, stars or the like frames it."""
        rows = [row for row in self.rows() if row.strip()]
        said = [row for row in rows if not _RULE.fullmatch(row)]
        if len(said) != 1 or len(said[0]) > _TITLE_LENGTH:
            return ""
        ruled = _RULED.fullmatch(said[0])
        framed = len(rows) > 1 or (ruled is not None and len(ruled[1]) < len(said[0].strip()))
        return title(said[0]) if framed else ""


def title(text: str) -> str:
    """`text` as the title of a section, or nothing where it is too long to be one."""
    if len(text) > _TITLE_LENGTH:
        return ""
    ruled = _RULED.fullmatch(" ".join(text.split()))
    said = ruled[1].rstrip(":").strip() if ruled else ""
    return said if re.search(r"\w{2}", said) and not _CODE.match(said) else ""


def blocks(source: bytes, spans: Sequence[Span]) -> Iterator[Block]:
    """The comments at `spans` in blocks, which blank lines divide."""
    first = 0
    for index in range(1, len(spans) + 1):
        if index == len(spans) or source.count(b"\n", spans[index - 1][1], spans[index][0]) > 1:
            yield Block(source, spans[first:index])
            first = index


def without_licence(text: str) -> str:
    """`text` without the paragraphs that state a licence or a copyright."""
    paragraphs = re.split(r"\n\s*\n", text)
    return "\n\n".join(each for each in paragraphs if not _LICENCE.search(each))


def free_text(text: str) -> str:
    """What the free text before a module says, whether or not it stands in comments."""
    rows = [
        row
        for line in text.splitlines()
        for row in (_rows(line.strip()) if line.lstrip().startswith(("\\*", "(*")) else [line])
    ]
    said = "\n".join("" if _RULE.fullmatch(row) else row for row in rows)
    return without_licence(textwrap.dedent(said).strip())


def _rows(comment: str) -> list[str]:
    """The lines of one comment without its frame."""
    if comment.startswith("\\*"):
        said = comment[2:].rstrip()
        return [said.lstrip("*").removeprefix(" ") or said]
    first, *rest = comment[2:].removesuffix("*)").split("\n")
    first = first.lstrip("*").rstrip()
    if not rest:
        return [first.rstrip("*").rstrip().removeprefix(" ") or "***"]
    rest[-1] = rest[-1].rstrip().rstrip("*")
    inner = [line for line in rest if line.strip()]
    if inner and all(_STARRED.match(line) for line in inner):
        rest = [_STARRED.sub("", line, count=1) for line in rest]
    return [first.strip(), *textwrap.dedent("\n".join(rest)).split("\n")]

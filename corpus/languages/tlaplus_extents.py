"""What is said of a statement of a TLA+ module, and which part of the file is its code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from corpus.languages.excerpt import Cut
from corpus.languages.tlaplus_comments import Block
from corpus.languages.tlaplus_formulas import one_line, without_proof
from corpus.languages.tlaplus_remarks import Remarks
from corpus.languages.tlaplus_statements import Statement

DECLARATIONS = frozenset({"constant_declaration", "variable_declaration"})

_ARGUMENTS = re.compile(r"\([^()]*\)")
_KEYWORD = re.compile(r"\s*(?:LOCAL\s+)?[A-Z]+\s+")


@dataclass(frozen=True, slots=True)
class Statements:
    """The statements of a file, each with the remarks about it; `code` has blanks for comments."""

    source: bytes
    code: bytes
    found: Sequence[Statement]
    about: Sequence[Remarks]

    def plain(self, index: int) -> str:
        """A statement without its comments."""
        statement = self.found[index]
        return self.code[statement.start : statement.end].decode("utf-8", "replace")


@dataclass(slots=True)
class Extent:
    """The doc of a statement, and its code: from `start` to `end` without `cuts`."""

    doc: str
    start: int
    end: int
    cuts: list[Cut]
    attributes: list[str]


def declared(text: str) -> list[str]:
    """The names that a declaration declares, by its text without comments."""
    names = _ARGUMENTS.sub("", _KEYWORD.sub("", text, count=1)).split(",")
    return [each for each in (name.strip() for name in names) if each]


def extent(file: Statements, index: int) -> Extent:
    """The extent of the statement at `index`.

    What stands above it is its doc, or else what follows its `==`, or else what stands behind it;
    what stands below it always adds to that.
    """
    statement, own = file.found[index], file.about[index]
    made = Extent("", statement.start, statement.end, [], [])
    docs = _above(file, index, made)
    if not any(docs) and own.inside is not None and (said := own.inside.text()):
        docs.append(said)
        made.cuts.append(_line_cut(file.source, statement.body, own.inside))
    text = file.plain(index)
    lists = statement.kind in DECLARATIONS and "," in text
    if own.below and not lists and (statement.kind != "theorem" or without_proof(text) == text):
        docs.append(Block(file.source, own.below).text())
    said = Block(file.source, own.behind).text() if own.behind else ""
    if said and not any(docs) and not lists and "\n" not in text:
        docs.append(said)
    elif own.behind:
        made.end = own.behind[-1][1]
    if lists and own.below:  # it is about the last of the names
        made.end = own.below[-1][1]
    made.doc = "\n\n".join(each for each in docs if each)
    return made


def _above(file: Statements, index: int, made: Extent) -> list[str]:
    """The docs above a statement; annotations and a RECURSIVE there become part of its code."""
    statement, above = file.found[index], file.about[index].above
    docs: list[str] = []
    if above is not None:
        made.attributes = above.annotations()
        annotated = above.annotated_from()
        made.start = made.start if annotated is None else annotated
        if not describes_module(file, index):
            docs.append(above.text())
    if _declared_before(file, index):
        first = file.about[index - 1].above
        if first is not None:
            docs.insert(0, first.text())
            made.attributes = [*first.annotations(), *made.attributes]
        made.attributes.append(one_line(file.plain(index - 1)))
        previous = file.found[index - 1]
        made.start = previous.start
        row = file.source.rfind(b"\n", 0, statement.start)
        if row > previous.end:
            made.cuts.append((previous.end, row, b""))
    return docs


def _declared_before(file: Statements, index: int) -> bool:
    """Whether the statement right before is the RECURSIVE of this one."""
    if not index or file.found[index - 1].kind != "recursive_declaration":
        return False
    return file.found[index].name in declared(file.plain(index - 1))


def describes_module(file: Statements, index: int) -> bool:
    """Whether what stands above this statement is the comment at the head of the module."""
    statement = file.found[index]
    if not index or file.found[index - 1].kind != "header":
        return False
    if statement.kind in DECLARATIONS:
        return not file.about[index].before
    return statement.kind in ("extends", "instance")


def _line_cut(source: bytes, body: int, inside: Block) -> Cut:
    """Leaves out the comments after `==` with the lines that they have for themselves."""
    end = source.find(b"\n", inside.end)
    row = source.rfind(b"\n", 0, inside.start)
    return (body, end, b"") if row < body else (row, end, b"")

"""TLA+ through tree-sitter: operators, theorems, algorithms and whole modules, with their comments."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter

from corpus.languages.base import Contract, Definition, Extraction
from corpus.languages.excerpt import excerpt, trimmed
from corpus.languages.tlaplus_algorithms import algorithms, translated
from corpus.languages.tlaplus_comments import (
    Block,
    Span,
    free_text,
    masked,
    without_licence,
)
from corpus.languages.tlaplus_extents import (
    DECLARATIONS,
    Statements,
    declared,
    describes_module,
    extent,
)
from corpus.languages.tlaplus_formulas import (
    contracts,
    kind_of,
    one_line,
    short,
    stated_always,
    statement_contracts,
    without_proof,
)
from corpus.languages.tlaplus_remarks import remarks
from corpus.languages.tlaplus_statements import Statement, statements

VERSION = "tlaplus-1"
"""Rows made by another version are extracted again."""

_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*+"?')
_KEYWORD = re.compile(r"\s*(?:LOCAL\s+)?([A-Z]+)\b\s*")
_DECLARED = {
    "constant_declaration": "constants",
    "variable_declaration": "variables",
    "instance": "instance",
}
_DEFINED = {"function_definition": "function", "module_definition": "instance"}
_NOT_OUTLINED = frozenset({"single_line", "header", "use_or_hide", "algorithm"})
_CONTRACTS = {"invariant": "invariant", "temporal": "property"}


def extract(source: bytes) -> Extraction:
    """The definitions of every module of a file, and each module as its outline.

    What the PlusCal translator wrote is left out where its algorithm stands in the file.
    """
    code, comments = masked(source)
    found, fault = statements(source, code)
    written, rest = algorithms(source, comments, found)
    if written:
        generated = translated(source, comments)
        found = [each for each in found if not _within(each.start, generated)]
        rest = [each for each in rest if not _within(each[0], generated)]
        found = sorted([*found, *written], key=lambda each: each.start)
    file = Statements(source, code, found, remarks(found, rest, source, code))
    return Extraction(list(_Definitions(file, rest)), fault)


def _within(place: int, spans: Sequence[Span]) -> bool:
    before = bisect_right(spans, place, key=itemgetter(0))
    return before > 0 and place < spans[before - 1][1]


@dataclass(frozen=True)
class _Definitions:
    file: Statements
    comments: list[Span]

    def __iter__(self) -> Iterator[Definition]:
        """Those of the file in order; a module comes before what it holds."""
        for index, statement in enumerate(self.file.found):
            if statement.kind == "header":
                yield self._module(index)
            elif statement.kind == "algorithm":
                yield self._algorithm(index)
            elif statement.kind in _DECLARED:
                yield from self._declaration(index)
            elif statement.kind in ("theorem", "assumption"):
                yield from self._statement(index)
            elif statement.body:
                yield self._operator(index)

    @cached_property
    def _rows(self) -> list[int]:
        return [end.start() for end in re.finditer(rb"\n", self.file.source)]

    @cached_property
    def _always(self) -> frozenset[str]:
        """The operators that a theorem of the file states to hold in every state."""
        theorems = (
            self.file.plain(index)
            for index, each in enumerate(self.file.found)
            if each.kind == "theorem"
        )
        return frozenset(name for text in theorems for name in stated_always(without_proof(text)))

    def _row(self, place: int) -> int:
        return bisect_left(self._rows, place) + 1

    def _body(self, statement: Statement) -> str:
        return self.file.code[statement.body : statement.end].decode("utf-8", "replace")

    def _operator(self, index: int) -> Definition:
        statement = self.file.found[index]
        header = self.file.code[statement.start : statement.body].decode("utf-8", "replace")
        header = one_line(header).removesuffix("==").removesuffix("≜").rstrip()
        body = one_line(self._body(statement))
        kind = _DEFINED.get(statement.kind)
        if kind is None:
            kind = kind_of(
                statement.name,
                parameters=header.removeprefix("LOCAL ") != statement.name,
                body=_STRING.sub('""', body) if '"' in body else body,
                always=self._always,
            )
        signature = one_line(self.file.plain(index)) if kind == "instance" else header
        clauses = contracts(_CONTRACTS[kind], body) if kind in _CONTRACTS else []
        return self._made(index, kind, statement.name, signature, clauses)

    def _statement(self, index: int) -> Iterator[Definition]:
        """A theorem or an assumption, named or not; nothing where the formula is missing."""
        statement = self.file.found[index]
        said = without_proof(self.file.plain(index))
        keyword = _KEYWORD.match(said)
        kind = "assumption" if statement.kind == "assumption" else "theorem"
        formula = said
        if keyword:
            kind = kind if kind == "assumption" else keyword[1].lower()
            formula = said[keyword.end() :]
        if statement.body:
            formula = without_proof(self._body(statement))
        is_assumed = kind == "assumption"
        clauses = contracts("assume", formula) if is_assumed else statement_contracts(formula)
        if symbol := statement.name or short(formula):
            yield self._made(index, kind, symbol, one_line(said), clauses)

    def _declaration(self, index: int) -> Iterator[Definition]:
        """A declaration with comments; what has none carries nothing that its module does not."""
        statement = self.file.found[index]
        text = self.file.plain(index)
        is_instance = statement.kind == "instance"
        names = _KEYWORD.sub("", text, count=1).split()[:1] if is_instance else declared(text)
        made = extent(self.file, index)
        inside = self._inside(statement)
        documented = made.doc or made.end > statement.end
        if names and (documented or (inside and Block(self.file.source, inside).text())):
            kind = _DECLARED[statement.kind]
            yield self._made(index, kind, ", ".join(names), one_line(text), [])

    def _inside(self, statement: Statement) -> list[Span]:
        first = bisect_left(self.comments, (statement.start, 0))
        return self.comments[first : bisect_left(self.comments, (statement.end, 0))]

    def _algorithm(self, index: int) -> Definition:
        statement = self.file.found[index]
        text = self.file.source[statement.start : statement.end].decode("utf-8", "replace")
        head = text[: text.find(statement.name) + len(statement.name)]
        return self._made(index, "algorithm", statement.name, one_line(head), [])

    def _made(
        self, index: int, kind: str, symbol: str, signature: str, clauses: list[Contract]
    ) -> Definition:
        statement = self.file.found[index]
        made = extent(self.file, index)
        start, end = trimmed(self.file.source, made.start, made.end)
        return Definition(
            kind=kind,
            symbol=symbol,
            name=statement.name or symbol,
            module=statement.module,
            signature=signature,
            doc=made.doc,
            code=excerpt(self.file.source, start, end, made.cuts),
            start_line=self._row(start),
            end_line=self._row(end - 1),
            attributes=made.attributes,
            contracts=clauses,
            heading=self.file.about[index].heading,
        )

    def _module(self, index: int) -> Definition:
        """A module as its outline: declarations whole, and what begins each definition."""
        source, found = self.file.source, self.file.found
        header = found[index]
        lines = [excerpt(source, header.start, header.end)]
        end = header.end
        extended = ""
        for place in range(index + 1, len(found)):
            statement = found[place]
            if not statement.module.startswith(header.module):
                break
            end = max(end, statement.end)
            if statement.module == header.module:
                if statement.kind == "double_line":
                    break
                if statement.kind == "extends":
                    extended = one_line(self.file.plain(place))
                if statement.kind in DECLARATIONS:
                    end = extent(self.file, place).end
                    lines.append(excerpt(source, statement.start, end))
                elif statement.kind not in _NOT_OUTLINED:
                    lines.append(self._begun(statement))
        return Definition(
            kind="module",
            symbol=header.name,
            name=header.name,
            module=header.module.rpartition("!")[0],
            signature=f"MODULE {header.name} {extended}".rstrip(),
            doc=self._module_doc(index),
            code="\n".join(lines),
            start_line=self._row(header.start),
            end_line=self._row(end - 1),
        )

    def _begun(self, statement: Statement) -> str:
        """A statement up to its `==`, or else its first line; `…` stands for the rest."""
        if statement.body:
            return excerpt(self.file.source, statement.start, statement.body) + " …"
        first, *rest = excerpt(self.file.source, statement.start, statement.end).split("\n")
        return first.rstrip() + (" …" if rest else "")

    def _module_doc(self, index: int) -> str:
        """What the head of a module says: below its first line, else below EXTENDS, else above it."""
        found, about = self.file.found, self.file.about
        said = ""
        if len(found) > index + 1:
            below = about[index + 1]
            described = list(below.before)
            if below.above is not None and describes_module(self.file, index + 1):
                described.append(below.above)
            said = _said(described)
        if not said and len(found) > index + 2 and found[index + 1].kind == "extends":
            said = _said(each for each in about[index + 2].before if not each.title())
        if said:
            return said
        if index == 0:
            return free_text(self.file.source[: found[0].start].decode("utf-8", "replace"))
        above = about[index].above
        return _said([*about[index].before, *([] if above is None else [above])])


def _said(described: Iterable[Block]) -> str:
    texts = (without_licence(each.text()) for each in described)
    return "\n\n".join(each for each in texts if each)

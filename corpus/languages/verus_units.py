"""Definitions of Verus items: doc, contracts, code and place of each, and outlines of containers."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from corpus.languages.base import Definition
from corpus.languages.scanning import dedented, doc_comments, indentation, one_line
from corpus.languages.verus_clauses import Header, attribute_contracts, loop_contracts

_EXECUTED = frozenset({"function", "method"})
"""The only kinds whose bodies can have loops."""

_TEST_ATTRIBUTE = re.compile(
    r"^#\[\s*(\w+::)*(test|rstest|test_case|bench)\b|^#\[\s*cfg\(\s*(all\(\s*)?test\b"
)


@dataclass(slots=True)
class Scope:
    """Where an item stands; `cuts` are what an outline of its container shortens, if it has one."""

    module: str = ""
    owner: str = ""
    is_test: bool = False
    is_machine: bool = False
    depth: int = 0
    cuts: list[tuple[int, int, str]] | None = None


@dataclass(slots=True)
class Item:
    """The head of an item, up to its name.

    `gap` is where what stands before it begins, `start` its first attribute, `head` its first word
    after them, `after` what follows its name, and `end` that of its container.
    """

    gap: int
    start: int
    head: int
    after: int
    end: int
    modes: str
    word: str
    name: str
    attributes: list[str]
    scope: Scope

    @property
    def is_test(self) -> bool:
        tests = self.attributes and any(map(_TEST_ATTRIBUTE.match, self.attributes))
        return self.scope.is_test or bool(tests)


class Units:
    """The definitions found so far in one macro; `code` is `text` masked."""

    def __init__(self, text: str, code: str, first_line: int) -> None:
        self.text, self.code = text, code
        self.definitions: list[Definition] = []
        self._line, self._counted = first_line, 0

    def add(
        self,
        item: Item,
        kind: str,
        header: Header,
        after: int,
        *,
        symbol: str = "",
        head: int = -1,
        has_body: bool = False,
    ) -> None:
        """Adds an item that ends at `after`; its signature begins at `head` if not where it does."""
        scope = item.scope
        doc, pieces = doc_comments(self.text, item.gap, item.head)
        contracts = header.contracts
        for attribute in item.attributes:
            if "verus_spec" in attribute:
                contracts += attribute_contracts(attribute)
        opens = has_body and self.code[header.stop] == "{"
        if opens and kind in _EXECUTED:
            contracts += loop_contracts(self.text, self.code, header.stop, after)
        if scope.cuts is not None:
            scope.cuts += (self._lines(*piece) for piece in pieces)
            if opens:
                self.shorten(scope.cuts, header.stop, after)
        self._line += self.text.count("\n", self._counted, item.start)
        self._counted = item.start
        signature = self.text[item.head if head < 0 else head : header.signature_end]
        if not symbol:
            symbol = f"{scope.owner}::{item.name}" if scope.owner else item.name
        self.definitions.append(
            Definition(
                kind=kind,
                symbol=symbol,
                name=item.name,
                module=scope.module,
                signature=one_line(signature),
                doc=doc,
                code=self._code(item, after),
                start_line=self._line,
                end_line=self._line + self.text.count("\n", item.start, after),
                attributes=item.attributes,
                contracts=contracts,
                is_test=item.is_test,
                dialect="verus",
            )
        )

    def shorten(self, cuts: list[tuple[int, int, str]], start: int, end: int) -> None:
        """Leaves the body between these braces out of an outline; an empty one stays."""
        if self.text[start + 1 : end - 1].strip():
            cuts.append((start + 1, end - 1, " … "))

    def _lines(self, start: int, end: int) -> tuple[int, int, str]:
        """A comment with the white space before it and its line's end, if it has the line to itself."""
        line = start - len(indentation(self.text, start))
        if self.text[line - 1 : line] == "\n" and self.text[end : end + 1] == "\n":
            return line, end + 1, ""
        return start, end, ""

    def _code(self, item: Item, after: int, cuts: list[tuple[int, int, str]] | None = None) -> str:
        indent = indentation(self.text, item.head)
        if not item.attributes and not cuts:
            return dedented(self.text[item.head : after], indent)
        pieces = [f"{attribute}\n{indent}" for attribute in item.attributes]
        place = item.head
        for start, end, instead in cuts or ():
            pieces += (self.text[place:start], instead)
            place = end
        pieces.append(self.text[place:after])
        return dedented("".join(pieces), indent)

    def outline(self, place: int, item: Item, after: int, cuts: list[tuple[int, int, str]]) -> None:
        """Shortens the definition at `place` by `cuts`, which its members have made."""
        whole = self.definitions[place]
        self.definitions[place] = replace(whole, code=self._code(item, after, cuts))

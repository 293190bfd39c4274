"""The inside of Verus' macros, which is one opaque token tree to Rust's grammar: items by scanning."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from corpus.languages.base import SYNTAX, Extraction
from corpus.languages.scanning import PARENTHESES, SQUARES, closing_bracket, doc_comments, masked
from corpus.languages.verus_clauses import ANGLES, Header, read_header
from corpus.languages.verus_names import implementor, specified
from corpus.languages.verus_units import Item, Scope, Units

VERSION = "verus-1"
"""Rows made by another version are extracted again."""

MACHINES = frozenset({"state_machine", "tokenized_state_machine", "tokenized_state_machine_vstd"})
"""Macros that hold one state machine."""

_ITEM_MACRO = re.compile(r"(?:verus|exec_spec|struct_with_invariants)\w*$")
_TRANSITIONS = frozenset({"init", "transition", "readonly", "step", "property"})
_MODES = {"spec": "spec_function", "proof": "proof_function", "axiom": "proof_function"}
_MACHINE_KINDS = {
    **_MODES,
    **dict.fromkeys(_TRANSITIONS, "transition"),
    "property": "property",
    "invariant": "spec_function",
    "inductive": "proof_function",
}
_MAX_DEPTH = 50  # no person nests modules deeper; a hostile file might
_MAX_FAULTS = 50  # each may cost a look through the rest of the file

_ATTRIBUTE = re.compile(rf"\#(!?)\s*+{SQUARES}")
_MODE = re.compile(r"\b(?:spec|proof|axiom)\b")
_ATTRIBUTE_MODE = re.compile(r"#\[\s*(?:verifier\s*::\s*|verus::internal\()?(\w+)")
_DOC_ATTRIBUTE = re.compile(r"#\[\s*doc\s*=\s*r?#*\"")
_NAME = r"(?:r\#)?[^\W\d]\w*"
_ITEM = re.compile(
    rf"\s*+((?:\#!?\s*+{SQUARES}\s*+)*+)"
    rf"((?:pub\b\s*+(?:{PARENTHESES}\s*+)?)?"
    r"((?:(?:open|closed|uninterp|broadcast|spec|proof|exec|axiom|tracked|ghost|const|unsafe|async"
    rf'|default|extern|safe|auto)\b\s*+(?:{PARENTHESES}\s*+|"\s*+"\s*+)?)*)'
    rf"(?:(fn|struct|enum|union|trait|mod|type|const|static|group)\b\s*+(?:mut\s++)?+({_NAME})"
    r"|(impl|use|assume_specification|fields)\b"
    rf"|((?:\w++\s*+::\s*+)*+\w++)\s*+!(?!=)\s*+(?:{_NAME}\s*+)?))"
)
_MACHINE = re.compile(rf"\s*+((?:\#\s*+{SQUARES}\s*+)*+)({_NAME})")
_SPECIFIED = re.compile(rf"\s*+(?:{ANGLES}\s*+)?+\[((?:[^\[\];{{]++|{SQUARES})*+)\]")
_CALL = re.compile(rf"\s*+({_NAME})(?=\s*+\()")
_PUNCTUATION = re.compile(r"[;(){}\[\]]")
_ASSIGNMENT = re.compile(r"(?<![=<>!~])=(?![=>~])")
_RESUME = re.compile(
    r"\n[ \t]*+(?=(?:pub|open|closed|uninterp|broadcast|spec|proof|exec|axiom|fn|impl|mod|struct|enum"
    r"|trait|state_machine|tokenized_state_machine)\b|\#\[)"
)


def extract_inside(
    source: bytes,
    start_byte: int,
    end_byte: int,
    first_line: int,
    module: str,
    *,
    macro: str = "verus",
    is_test: bool = False,
) -> Extraction:
    """What stands between the brackets of a call of `macro`, as definitions of the whole file.

    `start_byte` and `end_byte` bound the inside, `first_line` is the line of `start_byte`, `module`
    the path of modules around the call, and `is_test` says that these are test code.
    """
    line = source.rfind(b"\n", 0, start_byte) + 1
    before = source[line:start_byte].decode("utf-8", "replace")
    text = before + source[start_byte:end_byte].decode("utf-8", "replace")
    scanner = _Scanner(text, " " * len(before) + masked(text[len(before) :]), first_line)
    scope = Scope(module, is_test=is_test)
    if macro.rpartition("::")[2] in MACHINES:
        scanner.machine(len(before), len(text), scope)
    else:
        scanner.items(len(before), len(text), scope)
    return Extraction(scanner.units.definitions, SYNTAX if scanner.faults else None)


class _Scanner:
    """A walk over items that never enters a body; each handler gives the place after its item."""

    def __init__(self, text: str, code: str, first_line: int) -> None:
        self.text, self.code = text, code
        self.units = Units(text, code, first_line)
        self.faults = 0
        self._handlers: dict[str, Callable[[Item], int]] = {
            "fn": self._function,
            "struct": self._type,
            "enum": self._type,
            "union": self._type,
            "trait": self._trait,
            "mod": self._module,
            "impl": self._impl,
            "type": self._alias,
            "const": self._constant,
            "static": self._constant,
            "group": self._group,
            "assume_specification": self._assumed,
            "use": self._skipped_item,
            "fields": self._skipped_block,
        }

    def items(self, start: int, end: int, scope: Scope) -> None:
        """Reads the items of that part of the text."""
        if scope.depth > _MAX_DEPTH:
            return
        while start < end and self.faults < _MAX_FAULTS:
            found = _ITEM.match(self.code, start, end)
            start = self._item(found, start, end, scope) if found else self._unknown(start, end)

    def machine(self, gap: int, end: int, scope: Scope) -> None:
        """Reads the inside of a state machine's macro: one name and one block."""
        found = _MACHINE.match(self.code, gap, end)
        if not found:
            self.faults += 1
            return
        attributes, start = self._attributes(found.start(1), found.end(1))
        start = found.start(2) if start < 0 else start
        item = Item(
            gap, start, found.start(2), found.end(), end, "", "", found[2], attributes, scope
        )
        self._outline(item, "state_machine", is_machine=True)

    def _item(self, found: re.Match[str], gap: int, end: int, scope: Scope) -> int:
        _, _, modes, word, name, special, macro = found.groups()
        attributes, start = self._attributes(*found.span(1))
        head = found.start(2)
        item = Item(
            gap=gap,
            start=head if start < 0 else start,
            head=head,
            after=found.end(),
            end=end,
            modes=modes,
            word=word or special or macro.rpartition("::")[2].strip(),
            name=name or "",
            attributes=attributes,
            scope=scope,
        )
        return self._macro(item) if macro else self._handlers[item.word](item)

    def _attributes(self, start: int, end: int) -> tuple[list[str], int]:
        """The outer attributes of that part of the text but docs, and where the first stands, or -1."""
        if start == end:
            return [], -1
        attributes: list[str] = []
        first = -1
        for found in _ATTRIBUTE.finditer(self.code, start, end):
            written = self.text[found.start() : found.end()]
            if not found[1] and not _DOC_ATTRIBUTE.match(written):
                attributes.append(written)
                first = found.start() if first < 0 else first
        return attributes, first

    def _unknown(self, start: int, end: int) -> int:
        while mark := _PUNCTUATION.search(self.code, start, end):
            sign = mark[0]
            if sign == ";":
                return mark.end()
            if sign in ")]}":
                self.faults += 1
                return mark.end()
            start = closing_bracket(self.code, mark.start(), end)
            if start < 0:
                return self._fault(mark.start(), end)
            if sign == "{":
                return start
        return end

    def _fault(self, place: int, end: int) -> int:
        """Takes up again at the next line that begins like an item."""
        self.faults += 1
        found = _RESUME.search(self.code, place, end)
        return found.end() if found else end

    def _skipped_item(self, item: Item) -> int:
        after = self._semicolon(item.after, item.end)
        return self._fault(item.after, item.end) if after < 0 else after

    def _skipped_block(self, item: Item) -> int:
        return self._unknown(item.after, item.end)

    def _semicolon(self, start: int, end: int) -> int:
        """The place after the next semicolon outside brackets, or -1."""
        while mark := _PUNCTUATION.search(self.code, start, end):
            if mark[0] == ";":
                return mark.end()
            if mark[0] in ")]}":
                return -1
            start = closing_bracket(self.code, mark.start(), end)
            if start < 0:
                return -1
        return -1

    def _header(self, item: Item) -> tuple[Header, int]:
        """What stands before the item's body, and the place after that body or -1."""
        header = read_header(self.text, self.code, item.after, item.end)
        return header, self._body(item, header)

    def _body(self, item: Item, header: Header) -> int:
        """The place after the block or semicolon that `header` ends at, or -1."""
        if header.stop < 0:
            return -1
        if self.code[header.stop] == ";":
            return header.stop + 1
        return closing_bracket(self.code, header.stop, item.end)

    def _module(self, item: Item) -> int:
        path = f"{item.scope.module}::{item.name}".removeprefix("::")
        return self._inside(item, path, item.scope.owner)

    def _impl(self, item: Item) -> int:
        return self._inside(item, item.scope.module, None)

    def _inside(self, item: Item, module: str, owner: str | None) -> int:
        header, after = self._header(item)
        if after < 0:
            return self._fault(item.after, item.end)
        if self.code[header.stop] == "{":
            if owner is None:
                owner = implementor(self.code[item.after : header.stop])
            inner = Scope(module, owner, item.is_test, depth=item.scope.depth + 1)
            self.items(header.stop + 1, after - 1, inner)
        return after

    def _trait(self, item: Item) -> int:
        return self._outline(item, "trait")

    def _macro(self, item: Item) -> int:
        opening = item.after
        if self.code[opening : opening + 1] not in ("(", "[", "{"):
            return self._unknown(opening, item.end)
        after = closing_bracket(self.code, opening, item.end)
        if after < 0:
            return self._fault(opening, item.end)
        if item.scope.is_machine and item.word in _TRANSITIONS:
            self._transition(item, after)
        elif item.word in MACHINES:
            self.machine(opening + 1, after - 1, item.scope)
        elif _ITEM_MACRO.match(item.word):
            inner = replace(item.scope, depth=item.scope.depth + 1)
            self.items(opening + 1, after - 1, inner)
        return after

    def _function(self, item: Item) -> int:
        header, after = self._header(item)
        if after < 0:
            return self._fault(item.after, item.end)
        self.units.add(item, self._kind(item), header, after, has_body=True)
        return after

    def _kind(self, item: Item) -> str:
        mode = _MODE.search(item.modes)
        if mode:
            return _MODES[mode[0]]
        for attribute in item.attributes:
            named = _ATTRIBUTE_MODE.match(attribute)
            if named and named[1] in (_MACHINE_KINDS if item.scope.is_machine else _MODES):
                return _MACHINE_KINDS[named[1]]
        return "method" if item.scope.owner else "function"

    def _transition(self, item: Item, after: int) -> None:
        called = _CALL.match(self.code, item.after + 1, after - 1)
        if not called:
            self.faults += 1
            return
        item.name = called[1]
        header = read_header(self.text, self.code, called.end(), after - 1)
        self.units.add(item, _MACHINE_KINDS[item.word], header, after, head=called.start(1))
        closed = self._body(item, header)
        if item.scope.cuts is not None and closed > header.stop + 1:
            self.units.shorten(item.scope.cuts, header.stop, closed)

    def _type(self, item: Item) -> int:
        header, after = self._header(item)
        if after < 0:
            return self._fault(item.after, item.end)
        self.units.add(item, item.word, header, after)
        return after

    def _group(self, item: Item) -> int:
        item.word = "broadcast_group"
        return self._type(item)

    def _alias(self, item: Item) -> int:
        after = self._semicolon(item.after, item.end)
        if after < 0:
            return self._fault(item.after, item.end)
        if not item.scope.owner:  # an associated type says nothing by itself
            self.units.add(item, "type", Header(after - 1, after - 1, []), after)
        return after

    def _constant(self, item: Item) -> int:
        header = read_header(self.text, self.code, item.after, item.end)
        sign = _ASSIGNMENT.search(self.code, item.after, max(item.after, header.stop))
        if sign:
            header = Header(sign.start(), header.stop, [])
            after = self._semicolon(item.after, item.end)
        else:
            after = self._body(item, header)
        if after < 0:
            return self._fault(item.after, item.end)
        if not item.scope.owner and doc_comments(self.text, item.gap, item.head)[0]:
            self.units.add(item, "constant", header, after, has_body=not sign)
        return after

    def _assumed(self, item: Item) -> int:
        path = _SPECIFIED.match(self.code, item.after, item.end)
        symbol = specified(path[1]) if path else ""
        item.name = symbol.rpartition("::")[2]
        if not path or not item.name.isidentifier():
            return self._unknown(item.after, item.end)
        header = read_header(self.text, self.code, path.end(), item.end)
        after = self._body(item, header)
        if after < 0:
            return self._fault(item.after, item.end)
        self.units.add(item, "function", header, after, symbol=symbol)
        return after

    def _outline(self, item: Item, kind: str, *, is_machine: bool = False) -> int:
        header, after = self._header(item)
        if after < 0:
            return self._fault(item.after, item.end)
        scope = item.scope
        cuts: list[tuple[int, int, str]] = []
        inner = Scope(scope.module, item.name, item.is_test, is_machine, scope.depth + 1, cuts)
        place = len(self.units.definitions)
        self.units.add(item, kind, header, after)
        if self.code[header.stop] == "{":
            self.items(header.stop + 1, after - 1, inner)
            self.units.outline(place, item, after, cuts)
        return after

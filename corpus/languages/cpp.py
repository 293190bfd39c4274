"""C and C++ through tree-sitter: functions, methods, types, macros and documented declarations."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property

import tree_sitter_cpp
from tree_sitter import Language, Node, Parser

from corpus.languages.base import SYNTAX, Contract, Definition, Extraction, grammar
from corpus.languages.braces import header, in_order, text, without_body
from corpus.languages.cpp_comments import Doc, doc_before, loop_annotations, specification
from corpus.languages.cpp_macros import Placed, assertions, readable
from corpus.languages.cpp_names import Name, declared, qualified
from corpus.languages.cpp_recovery import pieces
from corpus.languages.excerpt import Cut, excerpt, trimmed, whole_lines

VERSION = "cpp-1"
"""Rows made by another version are extracted again."""

_MAX_DEPTH = 50  # no person nests namespaces deeper; a hostile file might
_WRAPPERS = frozenset({"template_declaration", "friend_declaration", "linkage_specification"})
_TYPES = {
    "class_specifier": "class",
    "struct_specifier": "struct",
    "union_specifier": "union",
    "enum_specifier": "enum",
}
_HOLDERS = frozenset(
    """
    namespace_definition declaration_list preproc_if preproc_ifdef preproc_elif preproc_elifdef preproc_else
    ERROR
    """.split()
)
_ATTRIBUTES = frozenset({"attribute_declaration", "attribute_specifier", "ms_declspec_modifier"})
_TESTS = re.compile(r"(TYPED_)?TEST(_F|_P)?|BOOST_(AUTO|FIXTURE|DATA|PARAM)_TEST_CASE\w*")
_MACRO_NAME = re.compile(r"[A-Z][A-Z0-9_]+")
_NAMESPACE = re.compile(rb"namespace\s+([A-Za-z_][\w:]*)")


@cache
def language() -> Language:
    return grammar(tree_sitter_cpp.language())


def extract(source: bytes) -> Extraction:
    """The definitions of a file in order; declarations, aliases and macros if they are documented."""
    masked, contracts = readable(source)
    tree = Parser(language()).parse(masked)
    root = tree.root_node
    walk = _Walk(source, contracts)
    walk.items(root.named_children, -1, _Scope())
    return Extraction(walk.found, SYNTAX if root.has_error else None)


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where an item stands: namespaces, enclosing class, and what is cut out of that class's outline."""

    module: str = ""
    owner: str = ""
    cuts: list[Cut] = field(default_factory=list)
    depth: int = 0


@dataclass(slots=True)
class _Item:
    """An item with what is wrapped around it, such as `template<…>`, and the comments before it."""

    outer: Node
    node: Node
    comments: list[Node]


class _Walk:
    """The definitions found so far in one file."""

    def __init__(self, source: bytes, contracts: list[Placed]) -> None:
        self.source = source
        self.found: list[Definition] = []
        self._places = [place for place, _ in contracts]
        self._contracts = [contract for _, contract in contracts]
        self._has_assertions = b"contract_assert" in source
        self._has_annotations = b"@" in source and (b"/*@" in source or b"//@" in source)

    @cached_property
    def _namespaces(self) -> frozenset[str]:
        """All that this file opens or uses."""
        found = _NAMESPACE.findall(self.source)
        return frozenset(part for path in found for part in path.decode().split("::"))

    def items(self, nodes: Sequence[Node], row: int, scope: _Scope) -> None:
        """Adds what `nodes`, which follow one another after line `row`, define."""
        comments: list[Node] = []
        previous: Node | None = None
        for node in nodes:
            kind = node.type
            if kind == "comment":
                last = row if previous is None else _last_row(previous)
                # What stands behind an item on its line speaks of that item.
                if node.start_point.row != last:
                    comments.append(node)
                continue
            inner, inside = node, scope
            if kind in _WRAPPERS:
                inner = _unwrapped(node)
                if kind == "friend_declaration":
                    inside = replace(scope, owner="")
                kind = inner.type
            handler = _HANDLERS.get(kind)
            if handler:
                handler(self, _Item(node, inner, comments), inside)
            elif kind in _HOLDERS and scope.depth < _MAX_DEPTH:
                self._hold(inner, scope)
            previous = node
            if comments:
                comments = []

    def _hold(self, inner: Node, scope: _Scope) -> None:
        kind = inner.type
        if kind == "namespace_definition":
            name = _path(scope.module, text(inner.child_by_field_name("name"), self.source))
            inside = _Scope(name, scope.owner, scope.cuts, scope.depth)
            self._enter(inner.child_by_field_name("body"), inside)
        elif kind == "ERROR":
            self._recover(inner, replace(scope, depth=scope.depth + 1))
        else:
            self._enter(inner, scope)

    def _enter(self, body: Node | None, scope: _Scope) -> None:
        if body is not None:
            deeper = _Scope(scope.module, scope.owner, scope.cuts, scope.depth + 1)
            self.items(body.named_children, body.start_point.row, deeper)

    def _recover(self, error: Node, scope: _Scope) -> None:
        for opened, nodes in pieces(error, self.source):
            inside = scope
            for keyword, name in opened[:_MAX_DEPTH]:
                if keyword == "namespace":
                    inside = replace(inside, module=_path(inside.module, name))
                elif keyword:
                    inside = replace(inside, owner=_path(inside.owner, name))
            if nodes:
                self.items(nodes, nodes[0].start_point.row - 1, inside)

    def _function(self, item: _Item, scope: _Scope) -> None:
        node = item.node
        name = declared(node.child_by_field_name("declarator"), self.source)
        if name is None or not name.is_function:
            return
        is_test = False
        if _is_call(name, node, scope):
            is_test = _TESTS.fullmatch(name.name) is not None
            name = self._test_name(node) if is_test else None
        body = node.child_by_field_name("body")
        doc = self._doc(item, plain=body is not None) if item.comments else None
        if name is not None and (body is not None or doc is not None):
            self._callable(name, item, scope, doc, body, is_test=is_test)

    def _test_name(self, node: Node) -> Name | None:
        """`TEST(Suite, name)` is called `Suite.name` by those who run it."""
        declarator = node.child_by_field_name("declarator")
        given = declarator.child_by_field_name("parameters") if declarator is not None else None
        words = (
            [text(each, self.source) for each in given.named_children] if given is not None else []
        )
        name = ".".join(each for each in words[:2] if each.isidentifier())
        return Name((), name, is_function=True) if name else None

    def _callable(
        self,
        name: Name,
        item: _Item,
        scope: _Scope,
        doc: Doc | None,
        body: Node | None = None,
        *,
        is_test: bool = False,
    ) -> None:
        end = item.outer.end_byte if body is None else body.start_byte
        contracts: list[Contract] = []
        if self._places:
            first = bisect_left(self._places, item.outer.start_byte)
            contracts = self._contracts[first : bisect_left(self._places, end)]
        if item.comments and self._has_annotations:
            contracts += specification(item.comments, self.source)
        if body is not None:
            if self._has_assertions or self._has_annotations:
                contracts += self._inner_contracts(body)
            scope.cuts.append(without_body(body, self.source))
            if _is_of_class(name, scope):
                end = _before_initializers(item.node, end)
        scope, symbol = self._placed(name, scope)
        kind = "method" if "::" in symbol else "function"
        self._add(
            kind,
            name.name,
            symbol,
            item,
            scope,
            header_end=end,
            doc=doc,
            contracts=contracts,
            is_test=is_test,
        )

    def _inner_contracts(self, body: Node) -> list[Contract]:
        found: list[Contract] = []
        if self._has_assertions:
            found += assertions(self.source, body.start_byte, body.end_byte)
        if self._has_annotations:
            found += loop_annotations(self.source, body.start_byte, body.end_byte)
        return found

    def _placed(self, name: Name, scope: _Scope) -> tuple[_Scope, str]:
        """Scope and symbol of what a qualified name defines: its leading namespaces are the module's."""
        parts = (*name.scopes, name.name)
        if scope.owner:
            return scope, "::".join((scope.owner, *parts))
        # A class may be called like the namespace that it is in.
        opened = scope.module.split("::")
        while len(parts) > 1 and parts[0] in self._namespaces and parts[0] not in opened:
            scope = replace(scope, module=f"{scope.module}::{parts[0]}".removeprefix("::"))
            parts = parts[1:]
        return scope, "::".join(parts)

    def _declaration(self, item: _Item, scope: _Scope) -> None:
        """What has no body: a type with or without a variable of it, or a documented function."""
        node = item.node
        held = node.child_by_field_name("type")
        is_type = held is not None and held.type in _TYPES and held.child_by_field_name("body")
        if not (is_type or item.comments):
            return
        is_alias = node.type == "type_definition"
        name = declared(node.child_by_field_name("declarator"), self.source)
        if held is not None and is_type:
            alias = name.name if name and is_alias else ""
            self._type(_Item(item.outer, held, item.comments), scope, alias)
        elif is_alias:
            self._named("type", name, item, scope)
        elif name is not None and name.is_function and not _is_call(name, node, scope):
            doc = self._doc(item, plain=False)
            if doc is not None:
                self._callable(name, item, scope, doc)

    def _type(self, item: _Item, scope: _Scope, alias: str = "") -> None:
        body = item.node.child_by_field_name("body")
        own = item.node.child_by_field_name("name")
        name = Name((), alias, is_function=False) if alias else qualified(own, self.source)
        if body is None or name is None:
            return
        scope.cuts.append(without_body(body, self.source))
        outer, symbol = self._placed(name, scope)
        place = len(self.found)
        cuts: list[Cut] = []
        if item.node.type != "enum_specifier" and scope.depth < _MAX_DEPTH:
            self._enter(body, _Scope(outer.module, symbol, cuts, scope.depth))
        doc = self._doc(item, plain=True)
        kind = _TYPES[item.node.type]
        self._add(
            kind,
            name.name,
            symbol,
            item,
            outer,
            header_end=body.start_byte,
            doc=doc,
            cuts=cuts,
            place=place,
        )

    def _alias(self, item: _Item, scope: _Scope) -> None:
        self._named(
            "type", qualified(item.node.child_by_field_name("name"), self.source), item, scope
        )

    def _concept(self, item: _Item, scope: _Scope) -> None:
        name = qualified(item.node.child_by_field_name("name"), self.source)
        if name is not None:
            doc = self._doc(item, plain=True)
            self._add(
                "concept", name.name, name.name, item, scope, header_end=item.node.end_byte, doc=doc
            )

    def _macro(self, item: _Item, scope: _Scope) -> None:
        name = qualified(item.node.child_by_field_name("name"), self.source)
        if item.node.child_by_field_name("value"):
            self._named("macro", name, item, _Scope(cuts=scope.cuts))

    def _named(self, kind: str, name: Name | None, item: _Item, scope: _Scope) -> None:
        """An alias or a macro: a unit only if documented."""
        doc = self._doc(item, plain=kind == "macro") if name is not None else None
        if name is None or doc is None:
            return
        value = item.node.child_by_field_name("value")
        end = value.start_byte if value is not None else item.outer.end_byte
        _, symbol = self._placed(name, scope)
        self._add(kind, name.name, symbol, item, scope, header_end=end, doc=doc)

    def _doc(self, item: _Item, *, plain: bool) -> Doc | None:
        if not item.comments:
            return None
        return doc_before(item.outer, item.comments, self.source, plain=plain)

    def _add(
        self,
        kind: str,
        name: str,
        symbol: str,
        item: _Item,
        scope: _Scope,
        *,
        header_end: int,
        doc: Doc | None = None,
        contracts: list[Contract] | None = None,
        cuts: list[Cut] | None = None,
        is_test: bool = False,
        place: int | None = None,
    ) -> None:
        """Puts a unit at the end of those found, or before its members at `place`."""
        source, outer = self.source, item.outer
        begin, stop = outer.start_byte, outer.end_byte
        stop += source.startswith(b";", stop)
        start, end = trimmed(source, begin, stop)
        start_line, end_line = outer.start_point.row + 1, outer.end_point.row + 1
        if start > begin or end < stop:
            start_line += source.count(b"\n", begin, start)
            end_line -= source.count(b"\n", end, stop)
        signature = header(source, start, header_end).rstrip(" ;\\")
        marked = "[[" in signature or "__" in signature
        definition = Definition(  # by position: names make up a third of the time
            kind,
            symbol,
            name,
            scope.module,
            signature,
            doc.text if doc else "",
            excerpt(source, start, end, in_order(cuts) if cuts else ()),
            start_line,
            end_line,
            self._attributes(item.node) if marked else [],
            contracts or [],
            is_test=is_test,
        )
        self.found.insert(len(self.found) if place is None else place, definition)
        if doc is not None:
            scope.cuts.append(whole_lines(source, doc.start, doc.end))

    def _attributes(self, node: Node) -> list[str]:
        return [text(each, self.source) for each in node.children if each.type in _ATTRIBUTES]


_HANDLERS: dict[str, Callable[[_Walk, _Item, _Scope], None]] = {
    "function_definition": _Walk._function,
    "declaration": _Walk._declaration,
    "field_declaration": _Walk._declaration,
    "type_definition": _Walk._declaration,
    "alias_declaration": _Walk._alias,
    "concept_definition": _Walk._concept,
    "preproc_def": _Walk._macro,
    "preproc_function_def": _Walk._macro,
    **dict.fromkeys(_TYPES, _Walk._type),
}


def _unwrapped(node: Node) -> Node:
    """What `template<…>`, `friend` or `extern "C"` stands before."""
    inner = node
    for _ in range(_MAX_DEPTH):
        if inner.type not in _WRAPPERS:
            break
        held = inner.child_by_field_name("body") or (inner.named_children or [None])[-1]
        if held is None:
            break
        inner = held
    return inner


def _is_call(name: Name, node: Node, scope: _Scope) -> bool:
    """Whether what looks like a function without a type calls a macro: it is no constructor."""
    # Most names have a small letter, and that is told without a pattern.
    if not name.name.isupper() or not _MACRO_NAME.fullmatch(name.name):
        return False
    if node.child_by_field_name("type"):
        return False
    return not _is_of_class(name, scope)


def _is_of_class(name: Name, scope: _Scope) -> bool:
    """Whether a function is called like its class, as constructors are."""
    return name.name in name.scopes or name.name == scope.owner.rpartition("::")[2]


def _path(outer: str, inner: str) -> str:
    return "::".join(filter(None, [outer, "".join(inner.split())]))


def _before_initializers(node: Node, end: int) -> int:
    """Where a constructor's header ends: its initializers are no part of it."""
    for each in node.children:
        if each.type == "field_initializer_list":
            return each.start_byte
    return end


def _last_row(node: Node) -> int:
    """The line on which a node ends; a directive's node takes the end of the line along."""
    row, column = node.end_point
    return row - 1 if column == 0 and row > node.start_point.row else row

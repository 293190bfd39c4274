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
_ENTERED = frozenset(
    """
    declaration_list preproc_if preproc_ifdef preproc_elif preproc_elifdef preproc_else
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
        self._handlers: dict[str, Callable[[_Item, _Scope], None]] = {
            "function_definition": self._function,
            "declaration": self._declaration,
            "field_declaration": self._declaration,
            "type_definition": self._declaration,
            "alias_declaration": self._alias,
            "concept_definition": self._concept,
            "preproc_def": self._macro,
            "preproc_function_def": self._macro,
            **dict.fromkeys(_TYPES, self._type),
        }

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
            inner = _unwrapped(node) if kind in _WRAPPERS else node
            self._item(node, inner, comments, scope)
            previous = node
            if comments:
                comments = []

    def _item(self, node: Node, inner: Node, comments: list[Node], scope: _Scope) -> None:
        kind = inner.type
        handler = self._handlers.get(kind)
        if handler:
            if node.type == "friend_declaration":
                scope = replace(scope, owner="")
            handler(_Item(node, inner, comments), scope)
        elif scope.depth >= _MAX_DEPTH:
            return
        elif kind == "namespace_definition":
            name = text(inner.child_by_field_name("name"), self.source)
            inside = replace(scope, module=_path(scope.module, name))
            self._enter(inner.child_by_field_name("body"), inside)
        elif kind == "ERROR":
            self._recover(inner, replace(scope, depth=scope.depth + 1))
        elif kind in _ENTERED:
            self._enter(inner, scope)

    def _enter(self, body: Node | None, scope: _Scope) -> None:
        if body is not None:
            deeper = replace(scope, depth=scope.depth + 1)
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
        name = declared(item.node.child_by_field_name("declarator"), self.source)
        if name is None or not name.is_function:
            return
        is_test = False
        if _is_call(name, item.node, scope):
            is_test = _TESTS.fullmatch(name.name) is not None
            name = self._test_name(item.node) if is_test else None
        body = item.node.child_by_field_name("body")
        doc = self._doc(item, plain=body is not None)
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
        start = item.outer.start_byte
        end = item.outer.end_byte if body is None else body.start_byte
        contracts: list[Contract] = []
        if self._places:
            first, last = bisect_left(self._places, start), bisect_left(self._places, end)
            contracts = self._contracts[first:last]
        if item.comments:
            contracts += specification(item.comments, self.source)
        if body is not None:
            if self._has_assertions or self._has_annotations:
                contracts += self._inner_contracts(body)
            scope.cuts.append(without_body(body, self.source))
            if name.name in (*name.scopes, scope.owner.rpartition("::")[2]):
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
        if not name.scopes:
            return scope, f"{scope.owner}::{name.name}" if scope.owner else name.name
        scopes = list(name.scopes)
        # A class may be called like the namespace that it is in.
        opened = scope.module.split("::")
        while scopes and not scope.owner and scopes[0] in self._namespaces.difference(opened):
            scope = replace(scope, module=f"{scope.module}::{scopes.pop(0)}".removeprefix("::"))
        return scope, "::".join(filter(None, [scope.owner, *scopes, name.name]))

    def _declaration(self, item: _Item, scope: _Scope) -> None:
        """What has no body: a type with or without a variable of it, or a documented function."""
        held = item.node.child_by_field_name("type")
        is_alias = item.node.type == "type_definition"
        is_type = held is not None and held.type in _TYPES and held.child_by_field_name("body")
        if not (is_type or item.comments):
            return
        name = declared(item.node.child_by_field_name("declarator"), self.source)
        if held is not None and is_type:
            alias = name.name if name and is_alias else ""
            self._type(replace(item, node=held), scope, alias)
        elif is_alias:
            self._named("type", name, item, scope)
        elif name is not None and name.is_function and not _is_call(name, item.node, scope):
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
        place, cuts = len(self.found), list[Cut]()
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
        source, begin, end = self.source, item.outer.start_byte, item.outer.end_byte
        end += source[end : end + 1] == b";"
        start, end = trimmed(source, begin, end)
        start_line = item.outer.start_point.row + 1
        if start > begin:
            start_line += source.count(b"\n", begin, start)
        signature = header(source, start, header_end).rstrip(" ;\\")
        definition = Definition(
            kind=kind,
            symbol=symbol,
            name=name,
            module=scope.module,
            signature=signature,
            doc=doc.text if doc else "",
            code=excerpt(source, start, end, in_order(cuts) if cuts else ()),
            start_line=start_line,
            end_line=start_line + source.count(b"\n", start, end),
            attributes=self._attributes(item.node)
            if "[[" in signature or "__" in signature
            else [],
            contracts=contracts or [],
            is_test=is_test,
        )
        self.found.insert(len(self.found) if place is None else place, definition)
        if doc is not None:
            scope.cuts.append(whole_lines(source, doc.start, doc.end))

    def _attributes(self, node: Node) -> list[str]:
        return [text(each, self.source) for each in node.children if each.type in _ATTRIBUTES]


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
    return name.name not in (*name.scopes, scope.owner.rpartition("::")[2])


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

"""Rust through tree-sitter: which items of a file are units, and what encloses them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache, cached_property

import tree_sitter_rust
from tree_sitter import Language, Node, Parser, Point, Range

from corpus.languages import verus
from corpus.languages.base import SYNTAX, Contract, Definition, Extraction, grammar
from corpus.languages.excerpt import trimmed
from corpus.languages.rust_contracts import Specifications
from corpus.languages.rust_text import (
    FUNCTIONS,
    HEAD,
    bare_type,
    block,
    head,
    header,
    outline,
    text,
)

VERSION = f"rust-3/{verus.VERSION}"
"""Rows made by another version are extracted again."""

_TEST_ATTRIBUTE = re.compile(
    r"^#\[\s*(\w+::)*(test|rstest|test_case|bench)\b|^#\[\s*cfg\(\s*(all\(\s*)?test\b"
)
_KINDS = {
    "function_item": "function",
    "function_signature_item": "function",
    "struct_item": "struct",
    "enum_item": "enum",
    "union_item": "union",
    "trait_item": "trait",
    "type_item": "type",
    "const_item": "constant",
    "static_item": "constant",
    "macro_definition": "macro",
}
_CONSTANTS = frozenset({"const_item", "static_item"})
_SILENT = _CONSTANTS | {"function_signature_item"}
"""They say too little without a doc; a function may have contracts instead."""

_ASSOCIATED = _CONSTANTS | {"type_item"}
"""Inside a trait or an impl they are parts of it."""

_CONTAINERS = frozenset({"mod_item", "impl_item", "trait_item", "foreign_mod_item"})
_ENTERED = _CONTAINERS | {"ERROR", "macro_invocation", "expression_statement"}
_VERUS_MACRO = re.compile(
    r"verus\w*|(?:tokenized_)?state_machine|struct_with_invariants|exec_spec\w*"
)
_VERUS_CALL = re.compile(
    rb"(?:::)?(?:\w+::)*(?:verus\w*|(?:tokenized_)?state_machine|struct_with_invariants|exec_spec\w*)\s*!"
)
_VERUS_CODE = re.compile(rb"\bverus\s*!|\b(?:requires|ensures)\s|\b(?:spec|proof)\s+fn\b")
_BRANCHING_MACROS = frozenset({"cfg_if", "cfg_match", "cfg_select", "match_cfg"})
_ITEM = re.compile(rb'^[ \t]*(?:[\w"()]+ +){0,6}(?:fn|struct|enum|trait)\s+\w', re.MULTILINE)
_MAX_DEPTH = 50  # no person nests modules deeper; a hostile file might
_MAX_MACROS = 2  # each level parses its bytes again


@cache
def language() -> Language:
    """The grammar of Rust."""
    return grammar(tree_sitter_rust.language())


def extract(source: bytes) -> Extraction:
    """The definitions of a file in order.

    Walks files, modules, impls and traits item by item and never enters a body: functions inside
    functions are no search result of their own, and the walk stays cheap beside the parse.
    """
    tree = Parser(language()).parse(source)
    walk = _Walk(source)
    walk.items(tree.root_node, _Scope())
    return Extraction(walk.found, walk.fault)


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where an item stands: module path, enclosing type or trait, and whether it is test code."""

    module: str = ""
    owner: str = ""
    is_test: bool = False
    depth: int = 0
    macros: int = 0


class _Walk:
    """The definitions found so far in one file, and what kept others from being found."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.found: list[Definition] = []
        self.fault: str | None = None
        self.specifications = Specifications(source)

    @cached_property
    def is_verus(self) -> bool:
        return b"verus!" in self.source

    def items(self, container: Node, scope: _Scope) -> None:
        """Add what stands in `container`: a file, a body of items, or a place that was not parsed."""
        above: list[Node] = []
        for node in container.named_children:
            kind = node.type
            if kind in HEAD:
                above.append(node)
                continue
            if node.has_error and not scope.macros and not self._is_read_otherwise(node, kind):
                self.fault = SYNTAX
            if kind in _KINDS and not (scope.macros and node.has_error):
                self._unit(node, kind, above, scope)
            if kind == "macro_definition" and scope.depth < _MAX_DEPTH:
                self._rules(node, self._inner(node, kind, above, scope))
            if kind in _ENTERED and scope.depth < _MAX_DEPTH:
                self._enter(node, kind, above, scope)
            above = []

    def _is_read_otherwise(self, node: Node, kind: str) -> bool:
        """True for a container, whose items are looked at one by one, and for what is no Rust."""
        if kind in _CONTAINERS:
            return node.child_by_field_name("body") is not None
        start = node.start_byte
        return bool(_VERUS_CALL.match(self.source, start, min(node.end_byte, start + 200)))

    def _rules(self, node: Node, scope: _Scope) -> None:
        """Add the functions of Verus code that a macro writes once for many types."""
        if self.is_verus and _VERUS_CODE.search(self.source, node.start_byte, node.end_byte):
            for rule in node.named_children:
                written = rule.child_by_field_name("right")
                if written is not None:
                    self._verus("verus", written, scope)

    def _enter(self, node: Node, kind: str, above: list[Node], scope: _Scope) -> None:
        if kind == "ERROR":
            if not scope.macros:
                self.items(node, replace(scope, depth=scope.depth + 1))
        elif kind in _CONTAINERS:
            body = node.child_by_field_name("body")
            if body is not None:
                self.items(body, self._inner(node, kind, above, scope))
        else:
            macro = node if kind == "macro_invocation" else node.named_child(0)
            if macro is not None and macro.type == "macro_invocation":
                self._macro(macro, self._inner(macro, kind, above, scope))

    def _inner(self, node: Node, kind: str, above: list[Node], outer: _Scope) -> _Scope:
        texts = (text(each, self.source) for each in above if each.type == "attribute_item")
        module, owner = outer.module, outer.owner
        if kind == "mod_item":
            name = text(node.child_by_field_name("name"), self.source)
            module = f"{outer.module}::{name}".removeprefix("::")
        elif kind in ("impl_item", "trait_item"):
            field = "type" if kind == "impl_item" else "name"
            owner = bare_type(node.child_by_field_name(field), self.source)
        is_test = outer.is_test or _is_test(texts)
        return _Scope(module, owner, is_test, outer.depth + 1, outer.macros)

    def _macro(self, node: Node, scope: _Scope) -> None:
        """Add what is defined between the braces of a macro's invocation."""
        name = text(node.child_by_field_name("macro"), self.source).rpartition("::")[2]
        tree = node.named_child(node.named_child_count - 1)
        if tree is None or tree.type != "token_tree":
            return
        if _VERUS_MACRO.fullmatch(name):
            self._verus(name, tree, scope)
        elif self._is_braced(tree) and scope.macros < _MAX_MACROS:
            branches = name in _BRANCHING_MACROS
            for each in filter(self._is_braced, tree.named_children if branches else [tree]):
                self._again(each, replace(scope, macros=scope.macros + 1))

    def _is_braced(self, tree: Node) -> bool:
        start, end = tree.start_byte, tree.end_byte
        ends = self.source[start : start + 1] + self.source[end - 1 : end]
        return tree.type == "token_tree" and ends == b"{}"

    def _verus(self, name: str, tree: Node, scope: _Scope) -> None:
        first_line = tree.start_point.row + 1
        start, end = tree.start_byte + 1, tree.end_byte - 1
        inside = verus.extract_inside(
            *(self.source, start, end, first_line, scope.module),
            macro=name,
            is_test=scope.is_test,
        )
        self.fault = self.fault or inside.fault
        self.found += inside.definitions

    def _again(self, tree: Node, scope: _Scope) -> None:
        """Add the items of a token tree, in which the parser did not look for any."""
        start, end = tree.start_byte + 1, tree.end_byte - 1
        if not _ITEM.search(self.source[start:end]):
            return
        (row, column), (last_row, last_column) = tree.start_point, tree.end_point
        inside = Range(Point(row, column + 1), Point(last_row, last_column - 1), start, end)
        parser = Parser(language(), included_ranges=[inside])
        self.items(parser.parse(self.source).root_node, scope)

    def _unit(self, node: Node, kind: str, above: list[Node], scope: _Scope) -> None:
        silent = kind in _SILENT
        if (silent and not above) or (scope.owner and kind in _ASSOCIATED):
            return
        source, specifications = self.source, self.specifications
        said = head(above, source)
        signature = header(node, node.child_by_field_name("body"), source)
        written = outline(node, source) if kind == "trait_item" else text(node, source)
        contracts: list[Contract] = []
        if specifications.expected:
            body = written[len(signature) :] if kind == "function_item" else ""
            contracts = specifications.contracts(said.attributes, body)
        if silent and not said.doc and (kind in _CONSTANTS or not contracts):
            return
        name = text(node.child_by_field_name("name"), source)
        _, end = trimmed(source, node.start_byte, node.end_byte)
        code = block(node, written.rstrip(), said.attributes, source)
        self.found.append(
            Definition(  # by position: names make up a third of the time
                "method" if scope.owner and kind in FUNCTIONS else _KINDS[kind],
                f"{scope.owner}::{name}" if scope.owner else name,
                name,
                scope.module,
                " ".join(signature.split()).removesuffix(";"),
                said.doc,
                code,
                (said.first or node).start_point.row + 1,
                node.end_point.row + 1 - source.count(b"\n", end, node.end_byte),
                said.attributes,
                contracts,
                is_test=scope.is_test or _is_test(said.attributes),
                dialect=specifications.dialect(said.attributes, code),
            )
        )


def _is_test(attributes: Iterable[str]) -> bool:
    return any(map(_TEST_ATTRIBUTE.match, attributes))

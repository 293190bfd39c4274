"""Rust through tree-sitter: functions and methods with their docs, attributes and enclosing type."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

import tree_sitter_rust
from tree_sitter import Language, Node, Parser

from corpus.languages.base import SYNTAX, Definition, Extraction

VERSION = "rust-2"
"""Rows made by another version are extracted again."""

_DOC_ATTRIBUTE = re.compile(r'^#\[\s*doc\s*=\s*r?#*"(.*)"#*\s*\]$', re.DOTALL)
_TEST_ATTRIBUTE = re.compile(
    r"^#\[\s*(\w+::)*(test|rstest|test_case|bench)\b|^#\[\s*cfg\(\s*(all\(\s*)?test\b"
)
_KANI_ATTRIBUTE = re.compile(r"\bkani::(proof|proof_for_contract|requires|ensures|should_panic)\b")
_CONTAINERS = frozenset({"mod_item", "impl_item", "trait_item"})
_MAX_DEPTH = 50  # no person nests modules deeper; a hostile file might


@cache
def language() -> Language:
    return Language(tree_sitter_rust.language())


def extract(source: bytes) -> Extraction:
    """Functions and methods that have a body, in order.

    Walks files, modules, impls and traits item by item and never enters a body: functions inside
    functions are no search result of their own, and the walk stays cheap beside the parse.
    """
    tree = Parser(language()).parse(source)
    definitions = list(_items(tree.root_node, _Scope(), source))
    return Extraction(definitions, SYNTAX if tree.root_node.has_error else None)


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where an item stands: module path, enclosing type or trait, and whether it is test code."""

    module: str = ""
    owner: str = ""
    is_test: bool = False
    depth: int = 0


def _items(container: Node, scope: _Scope, source: bytes) -> Iterator[Definition]:
    docs: list[str] = []
    attributes: list[Node] = []
    for node in container.named_children:
        kind = node.type
        if kind in ("line_comment", "block_comment"):
            docs += _doc_lines(_text(node, source).rstrip())
        elif kind == "attribute_item":
            written = _DOC_ATTRIBUTE.match(_text(node, source))
            if written:
                docs.append(written[1])
            else:
                attributes.append(node)
        else:
            if kind == "function_item":
                yield _definition(node, docs, attributes, scope, source)
            elif kind == "ERROR":
                yield from _items(node, scope, source)
            elif kind in _CONTAINERS and scope.depth < _MAX_DEPTH:
                body = node.child_by_field_name("body")
                if body is not None:
                    yield from _items(body, _inner(node, attributes, scope, source), source)
            docs, attributes = [], []


def _inner(node: Node, attributes: list[Node], outer: _Scope, source: bytes) -> _Scope:
    is_test = outer.is_test or _is_test(_text(each, source) for each in attributes)
    depth = outer.depth + 1
    if node.type == "mod_item":
        name = _text(node.child_by_field_name("name"), source)
        module = f"{outer.module}::{name}".removeprefix("::")
        return _Scope(module, outer.owner, is_test, depth)
    field = "type" if node.type == "impl_item" else "name"
    owner = _bare_type(node.child_by_field_name(field), source)
    return _Scope(outer.module, owner, is_test, depth)


def _is_test(attributes: Iterable[str]) -> bool:
    return any(map(_TEST_ATTRIBUTE.match, attributes))


def _bare_type(node: Node | None, source: bytes) -> str:
    """The name of a type without module path, references and generics."""
    while node is not None:
        inner = node.child_by_field_name("type")
        if node.type in ("generic_type", "reference_type", "pointer_type") and inner is not None:
            node = inner
        elif node.type == "scoped_type_identifier":
            node = node.child_by_field_name("name")
        else:
            break
    return " ".join(_text(node, source).split())


def _definition(
    node: Node, docs: list[str], attribute_nodes: list[Node], scope: _Scope, source: bytes
) -> Definition:
    name = _text(node.child_by_field_name("name"), source)
    body = node.child_by_field_name("body")
    header = source[node.start_byte : body.start_byte if body else node.end_byte]
    attributes = [_text(each, source) for each in attribute_nodes]
    indent = _indent(node, source)
    lines = "\n".join(indent + each for each in [*attributes, _text(node, source)])
    first = attribute_nodes[0] if attribute_nodes else node
    return Definition(
        kind="method" if scope.owner else "function",
        symbol=f"{scope.owner}::{name}" if scope.owner else name,
        name=name,
        module=scope.module,
        signature=" ".join(header.decode("utf-8", "replace").split()),
        doc="\n".join(docs).strip(),
        code=textwrap.dedent(lines) if indent else lines,
        start_line=first.start_point.row + 1,
        end_line=node.end_point.row + 1,
        attributes=attributes,
        is_test=scope.is_test or _is_test(attributes),
        dialect="kani" if any(map(_KANI_ATTRIBUTE.search, attributes)) else None,
    )


def _indent(node: Node, source: bytes) -> str:
    """The white space that begins the line of `node`: with it, the block can be dedented as a whole."""
    start = source.rfind(b"\n", 0, node.start_byte) + 1
    line = source[start : node.start_byte]
    return line[: len(line) - len(line.lstrip())].decode("utf-8", "replace")


def _doc_lines(comment: str) -> list[str]:
    """The doc text of a comment; none of a plain remark, which rustc sees through."""
    if comment.startswith("///") and not comment.startswith("////"):
        return [comment[3:].removeprefix(" ")]
    if comment.startswith("/**") and not comment.startswith(("/***", "/**/")):
        lines = comment[3:].removesuffix("*/").splitlines()
        stripped = "\n".join(re.sub(r"^\s*\*(?!\*) ?", "", line) for line in lines)
        return textwrap.dedent(stripped).splitlines()
    return []


def _text(node: Node | None, source: bytes) -> str:
    return (
        "" if node is None else source[node.start_byte : node.end_byte].decode("utf-8", "replace")
    )

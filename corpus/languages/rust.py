"""Rust through tree-sitter: functions and methods with their docs, attributes and enclosing type."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import tree_sitter_rust
from tree_sitter import Language, Node, Parser

from corpus.languages.base import Definition

VERSION = "rust-1"
"""Rows made by another version are extracted again."""

_DOC_ATTRIBUTE = re.compile(r'^#\[\s*doc\s*=\s*r?#*"(.*)"#*\s*\]$', re.DOTALL)
_TEST_ATTRIBUTE = re.compile(
    r"^#\[\s*(\w+::)*(test|rstest|test_case|bench)\b|^#\[\s*cfg\(\s*test\s*\)"
)
_KANI_ATTRIBUTE = re.compile(r"\bkani::(proof|proof_for_contract|requires|ensures|should_panic)\b")
_CONTAINERS = frozenset({"mod_item", "impl_item", "trait_item"})


@cache
def language() -> Language:
    return Language(tree_sitter_rust.language())


def extract(source: bytes) -> list[Definition]:
    """Functions and methods that have a body, in order.

    Walks files, modules, impls and traits item by item and never enters a body: functions inside
    functions are no search result of their own, and the walk stays cheap beside the parse.
    """
    tree = Parser(language()).parse(source)
    return list(_items(tree.root_node, _Scope(), source))


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where an item stands: module path, enclosing type or trait, and whether it is test code."""

    module: str = ""
    owner: str = ""
    is_test: bool = False


def _items(container: Node, scope: _Scope, source: bytes) -> Iterator[Definition]:
    docs: list[str] = []
    attributes: list[str] = []
    for node in container.named_children:
        kind = node.type
        if kind in ("line_comment", "block_comment"):
            docs += _doc_lines(_text(node, source).rstrip())
        elif kind == "attribute_item":
            text = _text(node, source)
            written = _DOC_ATTRIBUTE.match(text)
            if written:
                docs.append(written[1])
            else:
                attributes.append(text)
        else:
            if kind == "function_item":
                yield _definition(node, docs, attributes, scope, source)
            elif kind in _CONTAINERS:
                body = node.child_by_field_name("body")
                if body is not None:
                    yield from _items(body, _inner(node, attributes, scope, source), source)
            elif kind == "ERROR":
                yield from _items(node, scope, source)
            docs, attributes = [], []


def _inner(node: Node, attributes: list[str], outer: _Scope, source: bytes) -> _Scope:
    is_test = outer.is_test or any(map(_TEST_ATTRIBUTE.match, attributes))
    if node.type == "mod_item":
        name = _text(node.child_by_field_name("name"), source)
        return _Scope(f"{outer.module}::{name}".removeprefix("::"), outer.owner, is_test)
    field = "type" if node.type == "impl_item" else "name"
    return _Scope(outer.module, _bare_type(node.child_by_field_name(field), source), is_test)


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
    node: Node, docs: list[str], attributes: list[str], scope: _Scope, source: bytes
) -> Definition:
    name = _text(node.child_by_field_name("name"), source)
    body = node.child_by_field_name("body")
    header = source[node.start_byte : body.start_byte if body else node.end_byte]
    # The indent in front of the first line, so that the block can be dedented as a whole.
    indent = " " * node.start_point.column
    lines = [indent + each for each in [*attributes, _text(node, source)]]
    return Definition(
        kind="method" if scope.owner else "function",
        symbol=f"{scope.owner}::{name}" if scope.owner else name,
        name=name,
        module=scope.module,
        signature=" ".join(header.decode("utf-8", "replace").split()),
        doc=textwrap.dedent("\n".join(docs)).strip(),
        code=textwrap.dedent("\n".join(lines)) if indent else "\n".join(lines),
        start_line=node.start_point.row + 1,
        end_line=node.end_point.row + 1,
        attributes=attributes,
        is_test=scope.is_test or any(map(_TEST_ATTRIBUTE.match, attributes)),
        dialect="kani" if any(map(_KANI_ATTRIBUTE.search, attributes)) else None,
    )


def _doc_lines(comment: str) -> list[str]:
    """The doc text of a comment; none of a plain remark, which rustc sees through."""
    if comment.startswith("///") and not comment.startswith("////"):
        return [comment[3:]]
    if comment.startswith("/**") and not comment.startswith(("/***", "/**/")):
        lines = comment[3:].removesuffix("*/").splitlines()
        return [re.sub(r"^\s*\*(?!\*) ?", "", line) for line in lines]
    return []


def _text(node: Node | None, source: bytes) -> str:
    return (
        "" if node is None else source[node.start_byte : node.end_byte].decode("utf-8", "replace")
    )

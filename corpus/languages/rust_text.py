"""The pieces of a Rust item as text: its doc, its header, its code, and a trait without its bodies."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

from tree_sitter import Node

from corpus.languages.rust_contracts import attribute_docs

HEAD = frozenset({"line_comment", "block_comment", "attribute_item"})
"""What stands above an item and may belong to it."""

FUNCTIONS = frozenset({"function_item", "function_signature_item"})

_STAR = re.compile(r"^\s*\*(?!\*) ?")
_BLANK = re.compile(rb"\s*")
_REST = re.compile(rb"[ \t\r]*\n")


@dataclass(slots=True)
class Head:
    """The doc above an item and its attributes, in whatever order they stand."""

    doc: str = ""
    attributes: list[str] = field(default_factory=list)
    first: Node | None = None


def head(nodes: list[Node], source: bytes) -> Head:
    """What `nodes`, comments and attributes, say of the item below them."""
    found = Head()
    docs: list[str] = []
    for node in nodes:
        written = source[node.start_byte : node.end_byte].decode("utf-8", "replace")
        if written.startswith("/// "):  # nearly all of them
            docs.append(written[4:].rstrip())
        elif (doc := _docs(node, written)) is not None:
            docs += doc
        elif node.type == "attribute_item":
            found.attributes.append(written)
            found.first = found.first or node
    found.doc = "\n".join(docs).strip()
    return found


def text(node: Node | None, source: bytes) -> str:
    """The text of a node; none of no node."""
    return "" if node is None else _decoded(source, node.start_byte, node.end_byte)


def header(node: Node, body: Node | None, source: bytes) -> str:
    """The text of an item up to its body, its value or its rules."""
    end = node.end_byte
    if body is not None:
        end = body.start_byte
    elif node.type == "macro_definition":
        name = node.child_by_field_name("name")
        end = name.end_byte if name else end
    elif value := node.child_by_field_name("value"):
        return _decoded(source, node.start_byte, value.start_byte).rstrip().removesuffix("=")
    return _decoded(source, node.start_byte, end)


def block(node: Node, written: str, attributes: list[str], source: bytes) -> str:
    """An item, given as `written`, below its attributes, dedented as a whole."""
    begin = node.start_byte - node.start_point.column
    blank = _BLANK.match(source, begin, node.start_byte)
    indent = blank[0].decode() if blank else ""
    if not indent:
        return "\n".join((*attributes, written))
    return _dedented("\n".join([indent + each for each in (*attributes, written)]), indent)


def _dedented(lines: str, indent: str) -> str:
    """What `textwrap.dedent` gives of `lines`, the first of which begins with `indent`."""
    if " \n" not in lines and "\t\n" not in lines:
        kept = lines.split("\n" + indent)
        if len(kept) - 1 + lines.count("\n\n") == lines.count("\n"):
            return "\n".join(kept).removeprefix(indent)
    return textwrap.dedent(lines)


def bare_type(node: Node | None, source: bytes) -> str:
    """The name of a type without module path, references and generics."""
    while node is not None:
        inner = node.child_by_field_name("type")
        if node.type in ("generic_type", "reference_type", "pointer_type") and inner is not None:
            node = inner
        elif node.type == "scoped_type_identifier":
            node = node.child_by_field_name("name")
        else:
            break
    return " ".join(text(node, source).split())


def outline(trait: Node, source: bytes) -> str:
    """A trait without the bodies of its methods, and without the docs that are theirs."""
    body = trait.child_by_field_name("body")
    pieces, at = [], trait.start_byte
    for start, end, instead in _cuts(body.named_children if body else [], source):
        pieces += (source[at:start], instead)
        at = end
    pieces.append(source[at : trait.end_byte])
    return b"".join(pieces).decode("utf-8", "replace")


def _cuts(members: list[Node], source: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The first byte to leave out, the first to keep again, and what stands for those between."""
    docs: list[Node] = []
    for node in members:
        if node.type in HEAD:
            if _docs(node, text(node, source)) is not None:
                docs.append(node)
            continue
        if node.type in FUNCTIONS:
            yield from ((*_extent(each, source), b"") for each in docs)
            body = node.child_by_field_name("body")
            if body is not None and source[body.start_byte + 1 : body.end_byte - 1].strip():
                yield body.start_byte + 1, body.end_byte - 1, " … ".encode()
        docs = []


def _extent(doc: Node, source: bytes) -> tuple[int, int]:
    """The bytes of a doc, with the line that it has to itself."""
    start, end = doc.start_byte, doc.end_byte
    if source[end - 1 : end] == b"\n":
        end -= 1
    begin = start - doc.start_point.column
    rest = _REST.match(source, end)
    if rest and _BLANK.fullmatch(source, begin, start):
        return begin, rest.end()
    return start, end


def _docs(node: Node, written: str) -> list[str] | None:
    """The lines of doc in a comment or an attribute; null of one that is no doc."""
    if node.type == "attribute_item":
        return attribute_docs(written)
    return _comment_docs(written.rstrip())


def _comment_docs(comment: str) -> list[str] | None:
    """The lines of a doc comment; null of a plain remark, which rustc sees through."""
    if comment.startswith("///") and not comment.startswith("////"):
        return [comment[3:].removeprefix(" ")]
    if comment.startswith("/**") and not comment.startswith(("/***", "/**/")):
        lines = comment[3:].removesuffix("*/").splitlines()
        return textwrap.dedent("\n".join(_STAR.sub("", line) for line in lines)).splitlines()
    return None


def _decoded(source: bytes, start: int, end: int) -> str:
    return source[start:end].decode("utf-8", "replace")

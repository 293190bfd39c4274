"""What C++ leaves in pieces of a file that the grammar could not put together."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from corpus.languages.braces import text

Opening = tuple[str, str]
"""`namespace`, `class`, `struct` or `union` and the name after it; two empty strings for other braces."""

_KEYWORDS = frozenset({"namespace", "class", "struct", "union"})
_NAMES = frozenset(
    {"identifier", "type_identifier", "namespace_identifier", "nested_namespace_specifier"}
)


def pieces(error: Node, source: bytes) -> Iterator[tuple[tuple[Opening, ...], list[Node]]]:
    """The runs of items in an ERROR node, each with what was opened before it and is still open.

    There the tokens of a namespace or a class whose end was not found lie beside its members.
    """
    opened: list[Opening] = []
    nodes: list[Node] = []
    keyword = name = ""
    for node in error.children:
        kind = node.type
        if kind in ("{", "}"):
            yield tuple(opened), nodes
            nodes = []
            if kind == "{":
                opened.append((keyword, name) if name else ("", ""))
            elif opened:
                opened.pop()
            keyword = name = ""
        elif kind in _KEYWORDS:
            keyword, name = kind, ""
        elif kind == ";":
            keyword = name = ""
        elif keyword and not name and kind in _NAMES:
            name = text(node, source)
        elif node.is_named:
            nodes.append(node)
    yield tuple(opened), nodes

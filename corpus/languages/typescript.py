"""TypeScript through tree-sitter, with or without JSX."""

from __future__ import annotations

import re
from functools import cache

import tree_sitter_typescript
from tree_sitter import Language, Node, Parser

from corpus.languages.base import SYNTAX, Extraction, grammar
from corpus.languages.ecmascript import definitions

VERSION = "typescript-1"
"""Rows made by another version are extracted again."""

_ELEMENT = re.compile(rb"^[ \t]*</?[A-Za-z][\w.]*[ \n/>]|^[ \t]*<>", re.MULTILINE)
"""A line that begins with a tag."""


@cache
def language() -> Language:
    return grammar(tree_sitter_typescript.language_typescript())


@cache
def language_with_jsx() -> Language:
    return grammar(tree_sitter_typescript.language_tsx())


def extract(source: bytes) -> Extraction:
    """The definitions of a file in order.

    Bytes do not say whether `<T>x` is a cast or the begin of an element: what the likelier grammar
    cannot read, the other may.
    """
    likely, other = language(), language_with_jsx()
    has_tags = b"/>" in source or b"</" in source
    if has_tags and _ELEMENT.search(source):
        likely, other = other, likely
    root = Parser(likely).parse(source).root_node
    if has_tags and root.has_error:
        root = min(root, Parser(other).parse(source).root_node, key=_unread)
    return Extraction(definitions(root, source), SYNTAX if root.has_error else None)


def _unread(root: Node) -> int:
    """How many bytes the grammar could not place, and how many it missed."""
    unread, waiting = 0, [root]
    while waiting:
        node = waiting.pop()
        if node.is_error or node.is_missing:
            unread += node.end_byte - node.start_byte + 1
        elif node.has_error:
            waiting += node.children
    return unread

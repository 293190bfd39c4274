"""JavaScript through tree-sitter, JSX included."""

from __future__ import annotations

from functools import cache

import tree_sitter_javascript
from tree_sitter import Language, Parser

from corpus.languages.base import SYNTAX, Extraction, grammar
from corpus.languages.ecmascript import definitions

VERSION = "javascript-1"
"""Rows made by another version are extracted again."""


@cache
def language() -> Language:
    return grammar(tree_sitter_javascript.language())


def extract(source: bytes) -> Extraction:
    """The definitions of a file in order."""
    tree = Parser(language()).parse(source)
    root = tree.root_node
    return Extraction(definitions(root, source), SYNTAX if root.has_error else None)

"""The front door of the language modules: which one reads a file, and what none of them should see."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

import numpy as np

from corpus.languages.base import Extraction

_MODULES = {
    "rust": "corpus.languages.rust",
    "python": "corpus.languages.python",
    "java": "corpus.languages.java",
    "typescript": "corpus.languages.typescript",
    "javascript": "corpus.languages.javascript",
    "cpp": "corpus.languages.cpp",
    "lean": "corpus.languages.lean",
    "tlaplus": "corpus.languages.tlaplus",
    "smtlib": "corpus.languages.smtlib",
}

SUPPORTED = frozenset(_MODULES)

NESTED = "nested_too_deep"
"""The fault of a file that no person wrote: its brackets are nested deeper than any code's."""

_MAX_NESTING = 1000
_NO_BRACKET = bytes(set(range(256)) - set(b"([{)]}"))


def reader(language: str) -> ModuleType:
    """The module of a supported language: its `extract` and its VERSION."""
    return import_module(_MODULES[language])


def definitions(language: str, content: bytes) -> Extraction:
    """The definitions of one file of a supported language.

    Byte order marks and carriage returns go; what is nested beyond reason is refused by name.
    """
    source = content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    if _nesting(source) > _MAX_NESTING:
        return Extraction([], NESTED)
    return reader(language).extract(source)


def _nesting(source: bytes) -> int:
    """The deepest nesting of brackets, those in strings and comments counted, too."""
    brackets = np.frombuffer(source.translate(None, _NO_BRACKET), np.uint8)
    opens = (brackets == ord("(")) | (brackets == ord("[")) | (brackets == ord("{"))
    depth = np.cumsum(np.where(opens, 1, -1))
    lowest = np.minimum.accumulate(np.minimum(depth, 0))
    return int((depth - lowest).max(initial=0))

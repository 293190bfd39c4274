"""Files of prose into sections, one module a markup language, behind one front door."""

from __future__ import annotations

from collections.abc import Callable

from corpus.markup import asciidoc, markdown, restructuredtext
from corpus.markup.base import Section

_PARSERS: dict[str, tuple[Callable[[bytes], list[Section]], str]] = {
    "asciidoc": (asciidoc.parse, asciidoc.VERSION),
    "markdown": (markdown.parse, markdown.VERSION),
    "restructuredtext": (restructuredtext.parse, restructuredtext.VERSION),
}

VERSIONS = {language: version for language, (_, version) in _PARSERS.items()}
"""The version of each language's parser; a language is one of `corpus.paths.DOCUMENTATION`."""


def parse(language: str, source: bytes) -> list[Section]:
    """The sections of a file in order. Never raises on what a file may hold."""
    return _PARSERS[language][0](source)

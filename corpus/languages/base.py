"""What every language module gives: the definitions of one file, and what was wrong with it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Protocol

from tree_sitter import Language

SYNTAX = "syntax_error"
"""The fault of a file in which some place could not be parsed; the definitions around it are found."""


@dataclass(slots=True)  # frozen ones take three times as long to make, and there are millions
class Contract:
    """One clause of a specification.

    `kind` is requires, ensures, invariant, decreases, recommends … whatever the verifier spells it as;
    `text` is the formula as written, on one line, without the keyword and without a trailing comma.
    """

    kind: str
    text: str


@dataclass(slots=True)
class Definition:
    """One definition of a file.

    Attributes:
        kind: function, method, struct, trait, class, theorem, operator …: the language's own word.
        symbol: the name with what encloses it in the language's own spelling: `Epoch::from_utc`,
            `Parser.parse`, `Batteries.RBMap.find?`.
        name: the bare name.
        module: the module path inside the file that `symbol` leaves out, or empty.
        signature: the header on one line, up to the body; with the contracts where they stand in it.
        doc: the doc comment's text without comment marks, or empty.
        code: attributes and definition without the doc, dedented as a block. The members of a type
            keep their headers and lose their bodies, which are units of their own: `{ … }`.
        start_line: the first line of the definition or of its attributes, from 1; not the doc's.
        end_line: the last line, inclusive.
        attributes: attributes, decorators and annotations in order, as written.
        contracts: the clauses of its specification, in order.
        heading: the title of the section of the file that it stands in, where the language has such.
        is_test: it is a test, by what the code shows.
        dialect: kani, verus, prusti, creusot or null.
    """

    kind: str
    symbol: str
    name: str
    module: str
    signature: str
    doc: str
    code: str
    start_line: int
    end_line: int
    attributes: list[str] = field(default_factory=list)
    contracts: list[Contract] = field(default_factory=list)
    heading: str = ""
    is_test: bool = False
    dialect: str | None = None


@dataclass(frozen=True, slots=True)
class Extraction:
    """The definitions of a file in order, and the fault that kept others from being found, if any."""

    definitions: list[Definition]
    fault: str | None = None


class Extractor(Protocol):
    """A language module's `extract`."""

    def __call__(self, source: bytes) -> Extraction:
        """What `source` holds: UTF-8 without byte order mark, lines ended by LF alone.

        Never raises on what a file may hold: a broken one gives what can be had, and a fault.
        """
        ...


def grammar(pointer: object) -> Language:
    """The grammar that a tree-sitter wheel's `language()` gives; some wheels still give a number."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "int argument support is deprecated", DeprecationWarning)
        return Language(pointer)

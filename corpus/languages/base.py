"""What every language module gives: the definitions of one file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Definition:
    """One definition of a file. Lines count from 1; `code` is without the doc, indented as a block."""

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
    is_test: bool = False
    dialect: str | None = None


class Extractor(Protocol):
    """A language module's `extract`."""

    def __call__(self, source: bytes) -> list[Definition]:
        """The definitions of `source`, in order; what a broken file still gives, it gives."""
        ...

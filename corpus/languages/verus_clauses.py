"""The clauses of a Verus header: where the signature ends, each requirement and promise, the body."""

from __future__ import annotations

import re
from typing import NamedTuple

from corpus.languages.base import Contract
from corpus.languages.scanning import PARENTHESES, SQUARES, closing_bracket, masked, one_line

_LISTS = frozenset(
    "requires ensures default_ensures recommends returns invariant invariant_except_break"
    " invariant_ensures".split()
)
_HINTS = frozenset({"by", "with"})  # how to prove it and what ghosts go along: no formulas
_BRANCHES = frozenset({"if", "match"})
_SOMETIMES = {
    **dict.fromkeys(_BRANCHES, frozenset[str]()),
    **dict.fromkeys(("by", "with", "atomically"), frozenset({"", "by", "with"})),
    "when": frozenset({"decreases", "no_unwind"}),
    "via": frozenset({"decreases", "recommends", "when"}),
}
"""Words that begin a clause after some clauses only; elsewhere they are names or expressions."""

_LOOP_KINDS = {
    "ensures": "loop_ensures",
    "invariant_except_break": "invariant",
    "invariant_ensures": "invariant",
}

_WORDS = (
    r"(?:requires|recommends|returns|ensures|default_ensures|decreases|opens_invariants|no_unwind"
    r"|invariant(?:_except_break|_ensures)?|when|via|with|by|atomically|if|match)\b"
)
ANGLES = r"<[^<>]*+>"
for _ in range(6):
    ANGLES = rf"<(?:[^<>\-;{{}}\[]++|->|-|{SQUARES}|\{{[^{{}}]*+\}}|{ANGLES})*+>"
"""Generics, in masked text."""

_SIGNS = r"[^\w(\[{;,.|:)\]}]"
# One step leaps over all that cannot end a clause, to a word or sign that may. Commas between the
# bars of a binder and in the generics of a path are leapt over with it.
_STEP = re.compile(
    rf"(?:{_SIGNS}++"
    rf"|(?!{_WORDS})(?:(?:forall|exists|choose)\b\s*+(?:\|[^|;{{}}]*+\|)?+|\w++{_SIGNS}*+)"
    rf"|{PARENTHESES}|{SQUARES}"
    r"|\.\s*+(?:\w++)?+"
    rf"|::\s*+(?:{ANGLES}|\w++)?+|:"
    r"|\|(?<=[=>(&!]\s\|)[^|;{}]*+\||\|++"
    rf")*+({_WORDS}|[{{;,()\[\]}}])"
)
_OPERATOR = (*"=|&!<+-*/%^", "=>", " >")  # `None::<T>` ends an expression
_LOOP = re.compile(r"[flw](?:(?<=\Wf)or|(?<=\Wl)oop|(?<=\Ww)hile)\b")
_RETURNED = re.compile(rf"(?:[\w\s:&<>']|{PARENTHESES})*+=>")


class Header(NamedTuple):
    """Where the signature ends and where the body's brace or the semicolon stands, -1 for neither."""

    signature_end: int
    stop: int
    contracts: list[Contract]


def read_header(text: str, code: str, start: int, end: int) -> Header:
    """Reads from after an item's name up to its body; `code` is `text` masked."""
    return _Reader(text, code, start).read(end)


def loop_contracts(text: str, code: str, start: int, end: int) -> list[Contract]:
    """The clauses of the loops of a body, in order."""
    body = code[start:end]
    if "invariant" not in body and "decreases" not in body and "ensures" not in body:
        return []
    contracts: list[Contract] = []
    while loop := _LOOP.search(code, start, end):
        reader = _Reader(text, code, loop.end())
        contracts += (
            Contract(_LOOP_KINDS.get(each.kind, each.kind), each.text)
            for each in reader.read(end).contracts
        )
        start = reader.place
    return contracts


def attribute_contracts(attribute: str) -> list[Contract]:
    """The clauses of `#[verus_spec(result => requires … ensures …)]`, which stands outside `verus!`."""
    code = masked(attribute)
    start, end = code.find("(") + 1, code.rfind(")")
    if not 0 < start <= end:
        return []
    if returned := _RETURNED.match(code, start, end):
        start = returned.end()
    return _Reader(attribute, code, start).read(end).contracts


class _Reader:
    """A walk over one header, clause by clause."""

    def __init__(self, text: str, code: str, start: int) -> None:
        self.text, self.code = text, code
        self.place = start  # where the next step begins
        self.begin = start  # where the open clause begins
        self.kind = ""  # its keyword; none before the first
        self.signature_end = -1
        self.blocks = 0  # words that still wait for a block of their own
        self.contracts: list[Contract] = []

    def read(self, end: int) -> Header:
        while step := _STEP.match(self.code, self.place, end):
            mark, sign, before = step.start(1), step[1], self.place
            self.place = step.end()
            if sign == ",":
                if self.kind in _LISTS:
                    self._close(mark)
                    self.begin = self.place
            elif sign == "{":
                if self._is_body(before, mark, end):
                    return self._stop(mark, mark)
                if not self._leap(mark, end):
                    return self._stop(mark, -1)
            elif sign in "([":
                if not self._leap(mark, end):
                    return self._stop(mark, -1)
            elif sign in ";)]}":
                return self._stop(mark, mark if sign == ";" else -1)
            else:
                self._word(sign, mark)
        self.place = end
        return self._stop(end, -1)

    def _word(self, word: str, mark: int) -> None:
        if word in _SOMETIMES:
            if word in _BRANCHES:
                self.blocks += 1
            if self.kind not in _SOMETIMES[word]:
                return
        self._close(mark)
        self.kind, self.begin = word, self.place
        self.blocks = int(word == "atomically")

    def _close(self, mark: int) -> None:
        kind = self.kind
        if not kind:
            if self.signature_end < 0:
                self.signature_end = mark
        elif kind not in _HINTS:
            written = one_line(self.text[self.begin : mark])
            if written[-1:] == ",":
                written = written[:-1].rstrip()
            if written or kind == "no_unwind":
                self.contracts.append(Contract(kind, written))

    def _leap(self, mark: int, end: int) -> bool:
        after = closing_bracket(self.code, mark, end)
        self.place = end if after < 0 else after
        return after >= 0

    def _stop(self, mark: int, stop: int) -> Header:
        self._close(mark)
        return Header(self.signature_end, stop, self.contracts)

    def _is_body(self, before: int, mark: int, end: int) -> bool:
        """Whether the brace at `mark` opens the body: an expression of a clause may hold some too."""
        if self.blocks:
            self.blocks -= 1
            return False
        previous = self.code[before:mark].rstrip()
        if not self.kind:
            return not previous.endswith("<")
        if not previous and self.code[before - 1] != "}":
            after = closing_bracket(self.code, mark, end)
            return after < 0 or not self.code[after : after + 200].lstrip().startswith(",")
        if previous.endswith("else"):
            return False
        return not previous.endswith(_OPERATOR)

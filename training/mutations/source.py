"""What the languages share: text without comments and strings, brackets, operands, and the edits.

Positions are character offsets. `code` is always as long as the text that it was made of, so that what
is found in the one can be cut out of the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

Span = tuple[int, int]

_OPENING, _CLOSING = "([{⟨⦃", ")]}⟩⦄"
_OPERAND_END = re.compile(r"(?:[\w)\]}⟩⟧'?!@∅⊤⊥∞]|>>)$")
_NUMBER = re.compile(r"(?<![\w.])(\d+)(?:_?(?:[iu](?:8|16|32|64|128|size)|int|nat))?(?!\w|\.\w)")
_LIMIT = re.compile(r"(?<=::)(MAX|MIN)\b")


def plus_one(number: str) -> str:
    """The decimal digits of `number` plus one; Python itself reads no number of thousands of digits."""
    head = number.rstrip("9")
    nines = "0" * (len(number) - len(head))
    return head[:-1] + str(int(head[-1]) + 1) + nines if head else "1" + nines


@dataclass(frozen=True, slots=True)
class Edit:
    """`text[start:end]` becomes `replacement`; `scope` is what that changes, in the text's words."""

    name: str
    start: int
    end: int
    replacement: str
    scope: str
    part: str = "ensures"
    """`requires` where a condition is changed."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """A mutant of a text, and where it differs: `text == code[:start] + replacement + code[end:]`."""

    name: str
    """One of `training.mutations.NAMES`."""
    text: str
    start: int
    """First character of the original that was replaced, from 0."""
    end: int
    """First character after it."""
    replacement: str
    scope: str
    """What the change is about, in the original's words: both operands, or the dropped clause."""
    is_condition: bool
    """A precondition or a hypothesis is changed, not what follows from it."""


@dataclass(frozen=True, slots=True)
class Source:
    """A definition as written, and `code`: the same with comments blank and strings of underscores."""

    text: str
    code: str

    def cut(self, span: Span) -> str:
        """The text at `span`, without white space at its ends."""
        return self.text[span[0] : span[1]].strip()


@dataclass(frozen=True, slots=True)
class Clause:
    """A part that specifies: a `requires`, an `ensures`, or what is stated or defined."""

    kind: str
    """requires, ensures, invariant, decreases, statement or definition."""
    span: Span


def read(text: str, lexemes: re.Pattern[str], block: tuple[str, str] | None) -> Source:
    """`text` with its comments and strings taken out.

    Args:
        lexemes: has a group `comment`, and a group `string` for what is one operand.
        block: how a nesting comment opens and closes.
    """
    parts, at = [], 0
    while found := lexemes.search(text, at):
        start, end = found.span()
        if block and found[0] == block[0]:
            end = _end_of_block(text, end, block)
        fill = "_" if found.lastgroup == "string" else " "
        parts += [text[at:start], re.sub(r"[^\n]", fill, text[start:end])]
        at = end
    return Source(text, "".join(parts) + text[at:])


def _end_of_block(text: str, at: int, block: tuple[str, str]) -> int:
    depth = 1
    for found in re.compile("|".join(map(re.escape, block))).finditer(text, at):
        depth += 1 if found[0] == block[0] else -1
        if depth == 0:
            return found.end()
    return len(text)


def squeezed(text: str) -> str:
    """`text` without any white space."""
    return "".join(text.split())


def trimmed(code: str, span: Span) -> Span:
    """`span` without the white space at its ends."""
    inside = code[span[0] : span[1]]
    start = span[0] + len(inside) - len(inside.lstrip())
    return start, max(start, span[0] + len(inside.rstrip()))


def closing(code: str, at: int) -> int:
    """Where the bracket at `at` is closed: the position after it, or -1."""
    depth = 0
    for position in range(at, len(code)):
        if code[position] in _OPENING:
            depth += 1
        elif code[position] in _CLOSING:
            depth -= 1
            if depth == 0:
                return position + 1
    return -1


def outside(code: str, span: Span, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
    """Matches of `pattern` in `span` that stand in no bracket opened there."""
    at, (_, end) = span[0], span
    while at < end:
        if code[at] in _OPENING:
            at = closing(code, at)
            if at < 0:
                return
        elif found := pattern.match(code, at, end):
            yield found
            at = max(found.end(), at + 1)
        else:
            at += 1


def split(code: str, span: Span, separator: re.Pattern[str]) -> list[Span]:
    """The parts of `span` between the separators outside brackets, trimmed, without empty ones."""
    cuts = [found.span() for found in outside(code, span, separator)]
    starts = [span[0], *(end for _, end in cuts)]
    ends = [*(start for start, _ in cuts), span[1]]
    parts = [trimmed(code, part) for part in zip(starts, ends, strict=True)]
    return [part for part in parts if part[0] < part[1]]


def openings(code: str, span: Span) -> Iterator[int]:
    """Positions of the round brackets in `span` that stand in no bracket opened there."""
    at, end = span
    while at < end:
        after = at + 1
        if code[at] in _OPENING:
            if code[at] == "(":
                yield at
            after = closing(code, at)
        at = end if after < 0 else after


def without_one(source: Source, span: Span, sign: re.Pattern[str], name: str) -> Iterator[Edit]:
    """`span` without one of its parts between `sign`s; a part that is there twice stays."""
    parts = split(source.code, span, sign)
    texts = [squeezed(source.cut(part)) for part in parts]
    for at, part in enumerate(parts if len(parts) > 1 else []):
        if texts.count(texts[at]) == 1 and texts[at] != "true":
            cut = (part[0], parts[1][0]) if at == 0 else (parts[at - 1][1], part[1])
            yield Edit(name, *cut, "", source.cut(part))


def operands(code: str, operator: Span, clause: Span, ends: re.Pattern[str]) -> tuple[Span, Span]:
    """What stands left and right of `operator`, up to a match of `ends` or a bracket around both."""
    return (
        trimmed(code, (_left(code, operator[0], clause[0], ends), operator[0])),
        trimmed(code, (operator[1], _right(code, operator[1], clause[1], ends))),
    )


def _right(code: str, at: int, stop: int, ends: re.Pattern[str]) -> int:
    while at < stop:
        if code[at] in _CLOSING or ends.match(code, at):
            return at
        after = closing(code, at) if code[at] in _OPENING else at + 1
        at = stop if after < 0 else after
    return min(at, stop)


def _left(code: str, at: int, stop: int, ends: re.Pattern[str]) -> int:
    """The end of the last operator or opening bracket at the same depth before `at`."""
    start, open_since = stop, [stop]
    position = stop
    while position < at:
        found = ends.match(code, position)
        if code[position] in _OPENING:
            open_since.append(start)
            start = position + 1
        elif code[position] in _CLOSING and len(open_since) > 1:
            start = open_since.pop()
        elif found and found.end() <= at and found.end() > position:
            start = position = found.end()
            continue
        position += 1
    return start


@dataclass(frozen=True, slots=True)
class Infix:
    """How a language writes operators, and what each becomes."""

    tokens: re.Pattern[str]
    """Every run of operator characters, so that no operator is found inside of a longer one."""
    flips: Mapping[str, tuple[str, str]]
    """From an operator to the mutation's name and the operator that takes its place."""
    comparisons: frozenset[str]
    """Those beside which a number is a bound."""
    ends: re.Pattern[str]
    """What ends an operand of a comparison."""
    wide_ends: re.Pattern[str]
    """What ends an operand of a connective."""
    range: str
    """As `..`, beside which a number is a bound."""

    def edits(self, source: Source, clause: Clause) -> list[Edit]:
        """Flipped operators and changed bounds of `clause`."""
        code, found = source.code, []
        for token in self.tokens.finditer(code, *clause.span):
            if token[0] not in self.flips or not _is_infix(code, token.span(), clause.span):
                continue
            name, other = self.flips[token[0]]
            ends = self.ends if name in _ON_TERMS else self.wide_ends
            left, right = operands(code, token.span(), clause.span, ends)
            sides = source.cut(left), source.cut(right)
            if not all(sides) or squeezed(sides[0]) == squeezed(sides[1]):
                continue
            scope = source.cut((left[0], right[1]))
            name = _polar_name(clause, code, token[0], name)
            found.append(Edit(name, *token.span(), other, scope, clause.kind))
        return [*found, *self._bounds(source, clause)]

    def _bounds(self, source: Source, clause: Clause) -> Iterator[Edit]:
        code = source.code
        changed = [
            (number.span(1), plus_one(number[1]))
            for number in _NUMBER.finditer(code, *clause.span)
            if self._is_bound(
                code[clause.span[0] : number.start()].rstrip(),
                code[number.end() : clause.span[1]].lstrip(),
            )
        ]
        changed += [
            (limit.span(), "MIN" if limit[1] == "MAX" else "MAX")
            for limit in _LIMIT.finditer(code, *clause.span)
        ]
        for span, other in changed:
            left, right = operands(code, span, clause.span, self.wide_ends)
            scope = source.cut((left[0], right[1]))
            yield Edit("changed_bound", *span, other, scope, clause.kind)

    def _is_bound(self, before: str, after: str) -> bool:
        tokens = [token[0] for token in self.tokens.finditer(before[-6:])]
        if tokens and tokens[-1] in self.comparisons and before.endswith(tokens[-1]):
            return True
        following = self.tokens.match(after)
        if following and following[0] in self.comparisons:
            return True
        return before.rstrip("=").endswith(self.range) or after.startswith(self.range)


_ON_TERMS = frozenset(["flipped_comparison", "flipped_equality", "flipped_membership"])
_WEAKER = frozenset(["<", ">", "&&", "∧"])
_STRONGER = frozenset(["<=", ">=", "≤", "≥", "||", "∨"])
_UNSURE = re.compile(r"==>|!\s*[\w(]|\b(?:forall|exists|if|match)\b|[→↔∀∃¬~]|\\[AE]\b|=>")
"""Beside any of these, a stronger part does not make a stronger whole."""


def _polar_name(clause: Clause, code: str, operator: str, name: str) -> str:
    """A flip that makes a whole clause weaker or stronger is called so."""
    if _UNSURE.search(code, *clause.span):
        return name
    if clause.kind == "ensures" and operator in _WEAKER:
        return "weakened_ensures"
    if clause.kind == "requires" and operator in _STRONGER:
        return "strengthened_requires"
    return name


def _is_infix(code: str, operator: Span, clause: Span) -> bool:
    """`<`, `>`, `&&` and `||` count between two spaces only: `Vec<u8>`, `&&x` and `|| {` are no operators."""
    start, end = operator
    before = code[clause[0] : start]
    if not _OPERAND_END.search(before.rstrip()):
        return False
    if code[start:end] in ("<", ">", "&&", "||", "=", ">="):
        return before[-1:].isspace() and code[end : end + 1].isspace()
    return True

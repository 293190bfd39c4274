"""SMT-LIB: operators, quantifiers and numerals in assertions and in the bodies of definitions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from training.mutations.source import Edit, Source, Span, closing, plus_one, read, squeezed

_LEXEMES = re.compile(r'(?P<comment>;[^\n]*)|(?P<string>"(?:[^"]|"")*"|\|[^|]*\|)')
_STATING = re.compile(r"\(\s*(assert(?:-not|-soft)?|define-fun(?:-rec)?)(?=[\s(])")
_APPLICATION = re.compile(r"\(\s*(=>|<=|>=|[=<>]|[a-z][\w-]*)(?=[\s(])")
_NUMERAL = re.compile(r"\d+")

_COMPARISONS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"} | {
    f"bv{sign}{one}": f"bv{sign}{other}"
    for sign in "us"
    for one, other in (("lt", "le"), ("le", "lt"), ("gt", "ge"), ("ge", "gt"))
}
_CONNECTIVES = {"and": "or", "or": "and", "=>": "and"}
_EQUALITIES = {"=": "distinct", "distinct": "="}
_QUANTIFIERS = {"forall": "exists", "exists": "forall"}


def edits(text: str, dialect: str | None) -> list[Edit]:
    """The edits of SMT-LIB commands; they have no dialects."""
    source = read(text, _LEXEMES, None)
    return [
        edit
        for command in _STATING.finditer(source.code)
        if (end := closing(source.code, command.start())) > 0
        for edit in _formula(source, (_formula_start(source, command, end), end - 1))
    ]


def _formula_start(source: Source, command: re.Match[str], end: int) -> int:
    """`(define-fun name (parameters) sort formula)`, `(assert formula)`."""
    skipped = 3 if command[1].startswith("define") else 0
    parts = _arguments(source.code, command.end(), end - 1)
    return parts[skipped][0] if len(parts) > skipped else end - 1


def _formula(source: Source, span: Span) -> Iterator[Edit]:
    code = source.code
    for opening in _APPLICATION.finditer(code, *span):
        end = closing(code, opening.start())
        if end < 0:
            return
        parts = _arguments(code, opening.end(), end - 1)
        operator, scope = opening[1], source.cut((opening.start(), end))
        if operator in _QUANTIFIERS:
            other = _QUANTIFIERS[operator]
            yield Edit("flipped_quantifier", *opening.span(1), other, scope)
        elif len(parts) >= 2 and len({squeezed(source.cut(part)) for part in parts}) > 1:
            yield from _application(source, opening, parts, scope)


def _application(
    source: Source, opening: re.Match[str], parts: list[Span], scope: str
) -> Iterator[Edit]:
    operator = opening[1]
    for name, others in (
        ("flipped_comparison", _COMPARISONS),
        ("flipped_connective", _CONNECTIVES),
        ("flipped_equality", _EQUALITIES),
    ):
        # More than two that are all equal, or all distinct: neither is the other's opposite.
        if operator in others and (name == "flipped_connective" or len(parts) == 2):
            yield Edit(name, *opening.span(1), others[operator], scope)
    if operator == "and":
        texts = [squeezed(source.cut(part)) for part in parts]
        for at, part in enumerate(parts):
            if len(parts) > 2 and texts.count(texts[at]) == 1:
                yield Edit(
                    "dropped_conjunct",
                    parts[at - 1][1] if at else part[0],
                    part[1],
                    "",
                    source.cut(part),
                )
    if operator in _COMPARISONS or operator in _EQUALITIES:
        for part in parts:
            if _NUMERAL.fullmatch(source.cut(part)):
                number = plus_one(source.cut(part))
                yield Edit("changed_bound", *part, number, scope)


def _arguments(code: str, at: int, end: int) -> list[Span]:
    """The expressions of `code[at:end]`: atoms and whole brackets."""
    found: list[Span] = []
    while at < end:
        if code[at].isspace():
            at += 1
            continue
        after = closing(code, at) if code[at] == "(" else _atom_end(code, at, end)
        if after < 0:
            return found
        found.append((at, after))
        at = after
    return found


def _atom_end(code: str, at: int, end: int) -> int:
    while at < end and not code[at].isspace() and code[at] not in "()":
        at += 1
    return at

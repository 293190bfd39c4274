"""Lean 4: what a theorem states, never how it is proved; the bodies of definitions of propositions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from training.mutations.source import (
    Clause,
    Edit,
    Infix,
    Source,
    Span,
    closing,
    openings,
    operands,
    outside,
    read,
    split,
    squeezed,
    trimmed,
    without_one,
)

_LEXEMES = re.compile(
    r'(?P<comment>--[^\n]*|/-)|(?P<string>"(?:\\.|[^"\\])*"|(?<![\w\'])\'(?:\\.[^\']*|[^\\\'\n])\')',
    re.DOTALL,
)
_HEADER = re.compile(
    r"(?:^|(?<=\s))(theorem|lemma|axiom|def|abbrev)\s+(?:«[^»]*»|[^\s:({\[⦃]+)", re.MULTILINE
)
_END = re.compile(r":=|\bwhere\b|\|(?=\s)")
_COLON = re.compile(r"(?<!:):(?![:=])")
_ARROW = re.compile("→|->")
_AND = re.compile("∧|/\\\\")
_BINDS = re.compile(r"\s*(?:∀|∃|fun\b|λ|let\b|¬|if\b|Π)")
_OR_IMPLIES = re.compile(r"→|->|∨|\\/|↔|<->|∀|∃|\bfun\b|\blet\b|¬|\bif\b|,|\bin\b")
_QUANTIFIER = re.compile(r"([∀∃])(?!\s*[{⦃\[!])")
_RELATION = re.compile(r"(?<!:)=|[≠<>≤≥∈∉⊆∣↔∧∨¬∀∃]")

_INFIX = Infix(
    tokens=re.compile(r"[<>=!|&$+*/\\:≤≥≠∧∨∈∉↔→←⊆⊂∣~^%?-]+"),
    flips={
        "<": ("flipped_comparison", "≤"),
        "≤": ("flipped_comparison", "<"),
        "<=": ("flipped_comparison", "<"),
        ">": ("flipped_comparison", "≥"),
        "≥": ("flipped_comparison", ">"),
        ">=": ("flipped_comparison", ">"),
        "=": ("flipped_equality", "≠"),
        "≠": ("flipped_equality", "="),
        "==": ("flipped_equality", "!="),
        "!=": ("flipped_equality", "=="),
        "∧": ("flipped_connective", "∨"),
        "∨": ("flipped_connective", "∧"),
        "/\\": ("flipped_connective", "\\/"),
        "\\/": ("flipped_connective", "/\\"),
        "&&": ("flipped_connective", "||"),
        "||": ("flipped_connective", "&&"),
        "↔": ("flipped_connective", "→"),
        "∈": ("flipped_membership", "∉"),
        "∉": ("flipped_membership", "∈"),
    },
    comparisons=frozenset(["<", "≤", "<=", ">", "≥", ">=", "=", "≠"]),
    ends=re.compile(
        r":=|=>|<-|<\||\|>|[<>]=?(?=\s)|[=!]=(?=\s)|=(?=\s)|[≤≥≠∧∨∈∉↔→⊆∣,]|&&|\|\||/\\|\\/|->"
        r"|:(?=\s)|[∀∃][^,]*,|\b(?:fun|if|then|else|let)\b"
    ),
    wide_ends=re.compile(
        r":=|=>|[∧∨↔→,]|&&|\|\||/\\|\\/|->|:(?=\s)|[∀∃][^,]*,|\b(?:fun|if|then|else|let)\b"
    ),
    range="..",
)


def edits(text: str, dialect: str | None) -> list[Edit]:
    """The edits of a Lean declaration; it has no dialects."""
    source = read(text, _LEXEMES, ("/-", "-/"))
    parts = _parts(source.code)
    if not parts:
        return []
    word, binders, stated, end = parts
    if word in ("def", "abbrev"):
        return list(_definition(source, stated, end))
    found = _flips(source, Clause("requires", binders))
    found += _flips(source, Clause("ensures", stated))
    found += _hypotheses(source, binders)
    found += _conclusion(source, stated)
    return found


def conclusion(text: str, dialect: str | None) -> str | None:
    """What a theorem concludes, without comments; None for any other declaration."""
    source = read(text, _LEXEMES, ("/-", "-/"))
    parts = _parts(source.code)
    if not parts or parts[0] not in ("theorem", "lemma"):
        return None
    return source.code[slice(*parts[2])]


def _parts(code: str) -> tuple[str, Span, Span, int] | None:
    """A declaration's keyword, binders and type, and where its body begins."""
    header = _HEADER.search(code)
    if not header:
        return None
    after = (header.end(), len(code))
    end = next((mark.start() for mark in outside(code, after, _END)), len(code))
    colon = next(outside(code, (header.end(), end), _COLON), None)
    if not colon:
        return None
    binders = header.end(), colon.start()
    return header[1], binders, trimmed(code, (colon.end(), end)), end


def _definition(source: Source, kind: Span, at: int) -> Iterator[Edit]:
    """`def p … : Prop := …`, whose body is what it means."""
    if source.cut(kind) == "Prop" and source.code.startswith(":=", at):
        yield from _flips(source, Clause("definition", (at + 2, len(source.text))))


def _flips(source: Source, clause: Clause) -> list[Edit]:
    found = _INFIX.edits(source, clause)
    for sign in _QUANTIFIER.finditer(source.code, *clause.span):
        other = "∃" if sign[1] == "∀" else "∀"
        scope = source.cut(operands(source.code, sign.span(), clause.span, re.compile(":="))[1])
        if sign[1] == "∀" and re.match(r"\s*\([^()]*\)\s*[({⦃\[]", source.code[sign.end() :]):
            continue  # ∃ takes no instance or implicit binders after the first
        found.append(Edit("flipped_quantifier", *sign.span(1), other, scope, clause.kind))
    return found


def _hypotheses(source: Source, binders: Span) -> Iterator[Edit]:
    """Hypotheses that state a relation, each left out."""
    code = source.code
    for opening in openings(code, binders):
        end = closing(code, opening)
        inside = (opening + 1, end - 1)
        colon = next(outside(code, inside, _COLON), None)
        if colon and _RELATION.search(code, colon.end(), inside[1]):
            after = end + len(code[end:]) - len(code[end:].lstrip(" "))
            scope = source.cut((colon.end(), inside[1]))
            yield Edit("dropped_requires", opening, after, "", scope, "requires")


def _conclusion(source: Source, stated: Span) -> Iterator[Edit]:
    """A conjunct out of the conclusion; an implication turned round."""
    code = source.code
    if not next(outside(code, stated, _OR_IMPLIES), None):
        yield from without_one(source, stated, _AND, "weakened_ensures")
    if _BINDS.match(code, stated[0]) or next(outside(code, stated, re.compile("↔")), None):
        return
    sides = split(code, stated, _ARROW)
    if len(sides) == 2 and squeezed(source.cut(sides[0])) != squeezed(source.cut(sides[1])):
        between = source.text[sides[0][1] : sides[1][0]]
        turned = source.cut(sides[1]) + between + source.cut(sides[0])
        yield Edit("converse", sides[0][0], sides[1][1], turned, source.cut(stated))

"""TLA+: the right side of a definition, an assumption or a theorem, without its proof."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from training.mutations.source import (
    Clause,
    Edit,
    Infix,
    Source,
    Span,
    operands,
    outside,
    read,
    split,
    squeezed,
    trimmed,
)

_LEXEMES = re.compile(r'(?P<comment>\\\*[^\n]*|\(\*)|(?P<string>"(?:\\.|[^"\\\n])*")')
_MODULE = re.compile(r"-{4,}\s*MODULE\b")
_PROOF = re.compile(
    r"^[^\S\n]*(?:PROOF\b|BY\b|OBVIOUS\b|OMITTED\b|<\d+>)|\s(?:BY|OBVIOUS|OMITTED)\b", re.MULTILINE
)
_STATED = re.compile(r"\s*(?:ASSUME|ASSUMPTION|AXIOM|THEOREM|LEMMA|PROPOSITION|COROLLARY)\b")
_ASSUMED = re.compile(r"\s*(?:ASSUME|ASSUMPTION|AXIOM)\b")
_NAMED = re.compile(r"\s*\w+\s*==(?!=)")
_DEFINED = re.compile(r"(?<![=<>/:|])==(?!=)")
_QUANTIFIER = re.compile(r"\\([AE])(?=\s)")
_TEMPORAL = re.compile(r"\[\](?!\[)|<>(?!>)|\b([WS])F_")
_EXCEPT = re.compile(r"!\s*(?:\[(?:[^\[\]]|\[[^\]]*\])*\]|\.\s*\w+)+$")
_SEQUENT = re.compile(r"\s*ASSUME\b(.*?)\bPROVE\b", re.DOTALL)
_COMMA = re.compile(",")
_BINDER = re.compile(
    r"(?:\\[AE]{1,2}|\bCHOOSE|\bNEW|\bCONSTANT|[{\[,])(?:[\w\s,]+|\s*<<[\w\s,]+>>)$"
)
_MAPPED = re.compile(r":(?:[\w\s,]+|\s*<<[\w\s,]+>>)$")
_LOOKED_BACK = 200
"""Characters before `\\in` that are searched for what binds: all of them would be quadratic."""
_IN = re.compile(r"\\in\b")
_OPERAND_END = re.compile(r"(?:[\w)\]}']|>>)$")
_NOTHING = re.compile(r"(?!)")

_INFIX = Infix(
    tokens=re.compile(
        r"\\(?:leq|geq|land|lor|notin|in|subseteq|cup|cap|union|intersect|lnot|neg)\b|\\[A-Za-z]+"
        r"|<=>|=>|<=|=<|>=|/=|/\\|\\/|\|->|\|=|->|<-|<<|>>|:>|<:|:=|~>|==|-\+>|=\||[<>=#]"
    ),
    flips={
        "<": ("flipped_comparison", "=<"),
        "<=": ("flipped_comparison", "<"),
        "=<": ("flipped_comparison", "<"),
        "\\leq": ("flipped_comparison", "<"),
        ">": ("flipped_comparison", ">="),
        ">=": ("flipped_comparison", ">"),
        "\\geq": ("flipped_comparison", ">"),
        "=": ("flipped_equality", "#"),
        "#": ("flipped_equality", "="),
        "/=": ("flipped_equality", "="),
        "/\\": ("flipped_connective", "\\/"),
        "\\/": ("flipped_connective", "/\\"),
        "\\land": ("flipped_connective", "\\lor"),
        "\\lor": ("flipped_connective", "\\land"),
        "=>": ("flipped_connective", "/\\"),
        "<=>": ("flipped_connective", "=>"),
        "\\in": ("flipped_membership", "\\notin"),
        "\\notin": ("flipped_membership", "\\in"),
    },
    comparisons=frozenset(["<", "<=", "=<", "\\leq", ">", ">=", "\\geq", "=", "#", "/="]),
    ends=re.compile(
        r"/\\|\\/|<=>|=>|~>|<=|=<|>=|/=|\|->|->|<-|==|[=#,:]|(?<![<>])<(?![<>])|(?<![<>])>(?![<>])"
        r"|\\(?:leq|geq|land|lor|notin|in|subseteq)\b|\b(?:IF|THEN|ELSE|LET|IN|CASE|OTHER|EXCEPT|PROVE)\b"
        r"|\\[AE][^:]*:"
    ),
    wide_ends=re.compile(
        r"/\\|\\/|<=>|=>|~>|\|->|->|<-|==|[,:]|\\(?:land|lor)\b"
        r"|\b(?:IF|THEN|ELSE|LET|IN|CASE|OTHER|EXCEPT)\b|\\[AE][^:]*:"
    ),
    range="..",
)


def edits(text: str, dialect: str | None) -> list[Edit]:
    """The edits of a TLA+ unit; a whole module, shown by its headings, has none."""
    source = read(text, _LEXEMES, ("(*", "*)"))
    clause = _clause(source.code)
    if not clause:
        return []
    found: list[Edit] = []
    for part in _sides(source.code, clause):
        found += [edit for edit in _INFIX.edits(source, part) if _is_free(source, part, edit)]
        found += _quantifiers(source, part)
        found += _temporal(source, part)
    found += _bullets(source, clause)
    found += _assumptions(source, clause)
    return found


def conclusion(text: str, dialect: str | None) -> str | None:
    """What a theorem or a lemma states, without comments; None for any other unit."""
    source = read(text, _LEXEMES, ("(*", "*)"))
    clause = _clause(source.code)
    if not clause or clause.kind != "statement" or _ASSUMED.match(source.code):
        return None
    sequent = _SEQUENT.match(source.code, *clause.span)
    return source.code[sequent.end() if sequent else clause.span[0] : clause.span[1]]


def _clause(code: str) -> Clause | None:
    if _MODULE.match(code.lstrip()):
        return None
    stated = _STATED.match(code)
    if stated:
        named = _NAMED.match(code, stated.end())
        start, kind = (named or stated).end(), "statement"
    else:
        defined = _DEFINED.search(code)
        if not defined:
            return None
        start, kind = defined.end(), "definition"
    proof = _PROOF.search(code, start)
    return Clause(kind, trimmed(code, (start, proof.start() if proof else len(code))))


def _sides(code: str, clause: Clause) -> list[Clause]:
    """What is assumed and what is to be proved, where a statement says both."""
    sequent = _SEQUENT.match(code, *clause.span)
    if not sequent:
        return [clause]
    return [
        Clause("requires", sequent.span(1)),
        Clause(clause.kind, (sequent.end(), clause.span[1])),
    ]


def _quantifiers(source: Source, clause: Clause) -> Iterator[Edit]:
    for sign in _QUANTIFIER.finditer(source.code, *clause.span):
        other = "E" if sign[1] == "A" else "A"
        scope = source.cut(operands(source.code, sign.span(), clause.span, _DEFINED)[1])
        yield Edit("flipped_quantifier", *sign.span(1), other, scope, clause.kind)


def _is_free(source: Source, clause: Clause, edit: Edit) -> bool:
    """Not the `=` of `[f EXCEPT ![i] = e]`, the `\\in` of a binder, nor the first sign of a list."""
    code, replaced = source.code, source.text[edit.start : edit.end]
    before = code[clause.span[0] : edit.start]
    if replaced == "=":
        return not _EXCEPT.search(before.rstrip())
    if replaced == "\\in":
        return not _binds(code, clause, edit)
    if replaced in ("/\\", "\\/"):
        line = before[before.rfind("\n") + 1 :]
        # Where the list is aligned, a sign that is changed alone makes a list of its own.
        return bool(line.strip()) and not re.match(r"\s*(?:/\\|\\/)", line)
    if replaced == "=>":
        return bool(before[before.rfind("\n") + 1 :].strip())  # alone on a line, it may open a list
    return True


def _binds(code: str, clause: Clause, edit: Edit) -> bool:
    """As in `\\A x \\in S`, `CHOOSE x \\in S`, `{x \\in S : p}`, `{e : x \\in S}`, `NEW x \\in S`."""
    start = max(clause.span[0], edit.start - _LOOKED_BACK)
    before = code[start : edit.start].rstrip()
    if _BINDER.search(before):
        return True
    mapped = _MAPPED.search(before)
    if not mapped:
        return False
    left = operands(code, (start + mapped.start(), edit.start), clause.span, _NOTHING)[0]
    opened = code[clause.span[0] : left[0]].rstrip().endswith("{")
    return opened and not next(outside(code, left, _IN), None)


def _temporal(source: Source, clause: Clause) -> Iterator[Edit]:
    for sign in _TEMPORAL.finditer(source.code, *clause.span):
        before = source.code[clause.span[0] : sign.start()].rstrip()
        if not sign[1] and _OPERAND_END.search(before):
            continue  # between the cases of CASE
        if sign[1]:
            other, span = ("S" if sign[1] == "W" else "W"), sign.span(1)
        else:
            other, span = ("<>" if sign[0] == "[]" else "[]"), sign.span()
        right = operands(source.code, span, clause.span, _INFIX.wide_ends)[1]
        scope = source.cut((span[0], right[1]))
        yield Edit("flipped_temporal", *span, other, scope, clause.kind)


def _bullets(source: Source, clause: Clause) -> Iterator[Edit]:
    """A list of `/\\`, one below the other, without one of its items."""
    code = source.code
    start = code.rfind("\n", 0, clause.span[0]) + 1
    columns: dict[int, list[int]] = {}
    for sign in re.compile(r"/\\").finditer(code, *clause.span):
        line = code.rfind("\n", 0, sign.start()) + 1
        before = code[line : sign.start()]
        if not before.strip() or (
            line <= start and not code[clause.span[0] : sign.start()].strip()
        ):
            columns.setdefault(len(before), []).append(sign.start())
    for column, signs in columns.items():
        for one, other in pairwise(signs):
            if _same_list(code, one, other, column):
                scope = source.cut((one + 2, other))
                texts = [squeezed(source.cut(span)) for span in _items(code, signs, clause)]
                if texts.count(squeezed(scope)) == 1:
                    yield Edit("dropped_conjunct", one, other, "", scope)


def _items(code: str, signs: list[int], clause: Clause) -> list[Span]:
    stops = [*signs[1:], clause.span[1]]
    return [trimmed(code, (one + 2, stop)) for one, stop in zip(signs, stops, strict=True)]


def _same_list(code: str, one: int, other: int, column: int) -> bool:
    """Nothing between two signs of a column stands as far left as they do."""
    lines = code[one:other].split("\n")[1:-1]
    return all(not line.strip() or len(line) - len(line.lstrip()) > column for line in lines)


def _assumptions(source: Source, clause: Clause) -> Iterator[Edit]:
    """`ASSUME NEW x, p, q PROVE r` without `p` or without `q`."""
    code = source.code
    sequent = _SEQUENT.match(code, *clause.span)
    if not sequent:
        return
    parts = split(code, sequent.span(1), _COMMA)
    for at, part in enumerate(parts if len(parts) > 1 else []):
        if re.match(r"NEW\b|CONSTANT\b|VARIABLE\b|STATE\b|ACTION\b", code[part[0] :]):
            continue
        cut = (part[0], parts[1][0]) if at == 0 else (parts[at - 1][1], part[1])
        yield Edit("dropped_requires", *cut, "", source.cut(part), "requires")

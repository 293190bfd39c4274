"""Rust: contract attributes (Kani, Creusot, Prusti), Verus clauses, a Kani harness' assertions.

A deductive verifier's assertions inside a body are steps of a proof and stay as they are; a Kani
harness states its property by them.
"""

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
    operands,
    outside,
    plus_one,
    read,
    split,
    squeezed,
    trimmed,
    without_one,
)

_LEXEMES = re.compile(
    r"(?P<comment>//[^\n]*|/\*)"
    r'|(?P<string>\b(?:br|cr|r)(?P<hashes>#*)".*?"(?P=hashes)|\b[bc]?"(?:\\.|[^"\\])*"|"(?:\\.|[^"\\])*"'
    r"|b?'(?:\\(?:x\w\w|u\{\w+\}|.)|[^\\'\n])')",
    re.DOTALL,
)
# Their commas and angle brackets separate and compare nothing.
_BINDERS = re.compile(
    r"\b(?:forall|exists|choose)\s*\|[^|]*\|"
    r"|\b(?:forall|exists)\s*<(?:[^<>]|<[^<>]*>)*>"
    r"|(?<=[(,=])\s*\|[^|\n]*\|"
    r"|::\s*<(?:[^<>;{}]|<(?:[^<>;{}]|<[^<>;{}]*>)*>)*>"
)
_QUANTIFIER = re.compile(r"\b(forall|exists)(?=\s*[<|(])")
_COMMA = re.compile(",")
_AND = re.compile(r"&&&?")
_OR_IMPLIES = re.compile(r"==>|<==>?|\|\|\|?|\b(?:forall|exists|if|match)\b|\|[^|]*\|")

_INFIX = Infix(
    tokens=re.compile(
        r"<==>|==>|<==|=~~=|=~=|!==|===|&&&|\|\|\||<<=?|>>=?|->|=>|<-|<=|>=|==|!=|&&|\|\||[<>=]"
    ),
    flips={
        "<": ("flipped_comparison", "<="),
        "<=": ("flipped_comparison", "<"),
        ">": ("flipped_comparison", ">="),
        ">=": ("flipped_comparison", ">"),
        "==": ("flipped_equality", "!="),
        "!=": ("flipped_equality", "=="),
        "===": ("flipped_equality", "!=="),
        "!==": ("flipped_equality", "==="),
        "=~=": ("flipped_equality", "!="),
        "&&": ("flipped_connective", "||"),
        "||": ("flipped_connective", "&&"),
        "==>": ("flipped_connective", "&&"),
        "<==>": ("flipped_connective", "==>"),
    },
    comparisons=frozenset(["<", "<=", ">", ">=", "==", "!="]),
    ends=re.compile(
        r"<==>|==>|<==|=~=|[!=]==?|&&&?|\|\|?\|?|[<>]=?(?=\s)|,|;|=>|\{|\bif\b|\belse\b"
    ),
    wide_ends=re.compile(r"<==>|==>|<==|&&&?|\|\|?\|?|,|;|=>|\{|\bif\b|\belse\b"),
    range="..",
)

_ATTRIBUTE = re.compile(r"#\s*!?\s*\[")
_CLAUSE_ATTRIBUTE = re.compile(
    r"\b(requires|ensures|invariant|decreases|variant|after_expiry|assert_on_expiry|pure_ensures)\s*\("
)
_UNWIND = re.compile(r"\bunwind\s*\(\s*(\d+)\s*\)")
_ASSERTION = re.compile(
    r"\b(?:(?P<equal>(?:debug_)?assert_(?P<how>eq|ne))!"
    r"|(?:debug_)?assert!|kani\s*::\s*(?P<how2>assert|assume|cover!))\s*\("
)
_KINDS = {"variant": "decreases", "after_expiry": "ensures", "assert_on_expiry": "ensures"}

_HEADER = re.compile(r"\bfn\s+\w+")
_KEYWORD = re.compile(
    r"\b(requires|ensures|returns|recommends|decreases|invariant|default_ensures|opens_invariants"
    r"|no_unwind|when|via)\b"
)
_STATING = {
    "requires": "requires",
    "recommends": "requires",
    "ensures": "ensures",
    "default_ensures": "ensures",
    "returns": "returns",
    "decreases": "decreases",
    "invariant": "invariant",
}
_LOGICAL = re.compile(
    r"\bspec(?:\s*\([^()]*\))?\s+fn\b|#\[\s*(?:\w+\s*::\s*)*(?:logic|predicate)\b"
    r"|^\s*predicate!",
    re.MULTILINE,
)
_PROOF = re.compile(r"\bproof\s+fn\b")
_HARNESS = re.compile(r"\bkani\s*::\s*proof(?:_for_contract)?\b|#\s*\[\s*proof\s*\]")
_STEP = re.compile(r"\bproof_assert!\s*[({]|\bghost!\s*[({]")
_MEASURED = re.compile(r"\.\s*len\s*\(\s*\)\s*@?$|^\d+$|^[\w.@()^*\s]*[-+*]\s*\d+$")


def edits(text: str, dialect: str | None) -> list[Edit]:
    """The edits of a Rust definition; `dialect` as in `training.mutations.mutate`."""
    source = _source(text)
    attributes = list(_attributes(source))
    found = [each for span, clause in attributes for each in _clause_edits(source, clause, span)]
    found += _swaps(source, [clause for _, clause in attributes])
    if dialect == "verus":
        found += _verus(source)
    if dialect == "kani" and _HARNESS.search(source.code):
        found += _harness(source)
    if _LOGICAL.search(source.code):
        found += _definition(source)
    return found


def conclusion(text: str, dialect: str | None) -> str | None:
    """What a lemma ensures, without comments; None for what is no lemma.

    A Verus `proof fn`, or a logical function that returns nothing.
    """
    source = _source(text)
    header, body = _HEADER.search(source.code), _body(source.code)
    if not header:
        return None
    if dialect == "verus":
        clauses = list(_listed(source)) if _PROOF.search(source.code, 0, header.end()) else []
    else:
        returns = "->" in source.code[header.end() : body[0] if body else len(text)]
        lemma = _LOGICAL.search(source.code) and not returns
        clauses = [clause for _, clause in _attributes(source)] if lemma else []
    ensured = [source.code[slice(*each.span)] for each in clauses if each.kind == "ensures"]
    return ", ".join(ensured) or None


def _source(text: str) -> Source:
    code = read(text, _LEXEMES, ("/*", "*/")).code
    return Source(text, _BINDERS.sub(lambda found: _filled(found[0]), code))


def _definition(source: Source) -> list[Edit]:
    """The body of a logical function, unless it returns nothing: then it is the proof of a lemma."""
    header, body = _HEADER.search(source.code), _body(source.code)
    if not header or not body or "->" not in source.code[header.end() : body[0]]:
        return []
    steps = [
        (step.start(), closing(source.code, step.end() - 1))
        for step in _STEP.finditer(source.code, *body)
    ]
    return [
        edit
        for edit in _expression(source, Clause("definition", (body[0] + 1, body[1] - 1)))
        if not any(start <= edit.start < end for start, end in steps)
    ]


def _filled(binder: str) -> str:
    """`forall|i: int, j: int|` with underscores for what it binds."""
    opened = min(at for at in (binder.find("|"), binder.find("<")) if at >= 0)
    inside = "".join("\n" if each == "\n" else "_" for each in binder[opened + 1 : -1])
    return binder[: opened + 1] + inside + binder[-1]


def _attributes(source: Source) -> Iterator[tuple[Span | None, Clause]]:
    """Each contract clause in an attribute, with the attribute where that holds nothing else."""
    code = source.code
    for opening in _ATTRIBUTE.finditer(code):
        end = closing(code, opening.end() - 1)
        clause = _CLAUSE_ATTRIBUTE.search(code, opening.end(), end) if end > 0 else None
        while clause:
            after = closing(code, clause.end() - 1)
            if not 0 < after < end:
                break
            alone = re.fullmatch(r"(?:\s*\w+\s*::)*\s*", code[opening.end() : clause.start()])
            whole = alone and not code[after : end - 1].strip()
            kind = _KINDS.get(clause[1], clause[1])
            span = trimmed(code, (clause.end(), after - 1))
            yield ((opening.start(), end) if whole else None), Clause(kind, span)
            clause = _CLAUSE_ATTRIBUTE.search(code, after, end)


def _clause_edits(source: Source, clause: Clause, whole: Span | None) -> Iterator[Edit]:
    """What can happen to one clause; `whole` is what has to go for it to be dropped."""
    yield from _expression(source, clause)
    if clause.kind == "ensures":
        yield from _weakened(source, clause)
    if whole and clause.kind in ("requires", "ensures") and source.cut(clause.span) != "true":
        name, span = f"dropped_{clause.kind}", _line(source.text, whole)
        yield Edit(name, *span, "", source.cut(clause.span), clause.kind)


def _line(text: str, span: Span) -> Span:
    """`span` with the line break and the indentation after it."""
    rest = text[span[1] :]
    blank = len(rest) - len(rest.lstrip(" \t"))
    if rest[blank : blank + 1] == "\n":
        blank += 1
        blank += len(rest[blank:]) - len(rest[blank:].lstrip(" \t"))
    return span[0], span[1] + blank


def _expression(source: Source, clause: Clause) -> list[Edit]:
    found = _INFIX.edits(source, clause)
    for word in _QUANTIFIER.finditer(source.code, *clause.span):
        other = "exists" if word[1] == "forall" else "forall"
        scope = source.cut(operands(source.code, word.span(), clause.span, _COMMA)[1])
        found.append(Edit("flipped_quantifier", *word.span(1), other, scope, clause.kind))
    return found


def _weakened(source: Source, clause: Clause) -> Iterator[Edit]:
    """One conjunct out; an equation of lengths and numbers that becomes an inequality."""
    code = source.code
    if not next(outside(code, clause.span, _OR_IMPLIES), None):
        yield from without_one(source, clause.span, _AND, "weakened_ensures")
    for token in _INFIX.tokens.finditer(code, *clause.span):
        if token[0] == "==":
            left, right = operands(code, token.span(), clause.span, _INFIX.ends)
            sides = [source.cut(left), source.cut(right)]
            if any(_MEASURED.search(side) for side in sides) and len(set(sides)) == 2:
                scope = source.cut((left[0], right[1]))
                yield Edit("weakened_ensures", *token.span(), "<=", scope)


def _swaps(source: Source, clauses: list[Clause]) -> list[Edit]:
    """The first `requires` and the first `ensures`, each in the other's place."""
    first = [
        next((each.span for each in clauses if each.kind == kind), None)
        for kind in ("requires", "ensures")
    ]
    if not first[0] or not first[1]:
        return []
    (early, late), texts = sorted(first), source.text  # type: ignore[type-var]
    replacement = texts[slice(*late)] + texts[early[1] : late[0]] + texts[slice(*early)]
    return [Edit("swapped_contract", early[0], late[1], replacement, texts[early[0] : late[1]])]


def _body(code: str) -> Span | None:
    """The braces in which the definition ends, if it does."""
    end = len(code.rstrip())
    header = _HEADER.search(code)
    if not header or code[end - 1 : end] != "}":
        return None
    return _last_group(code, header.end(), end)


def _last_group(code: str, at: int, end: int) -> Span | None:
    while at < end:
        if code[at] in "([{":
            after = closing(code, at)
            if after == end and code[at] == "{":
                return at, end
            if after < 0:
                return None
            at = after
        else:
            at += 1
    return None


def _verus(source: Source) -> Iterator[Edit]:
    for clause, whole in _listed(source).items():
        yield from _clause_edits(source, clause, whole)
    yield from _swaps(source, list(_listed(source)))


def _listed(source: Source) -> dict[Clause, Span]:
    """Clauses between parameters and body, each with what has to go for it to be dropped."""
    code, found = source.code, {}
    header, body = _HEADER.search(code), _body(code)
    if not header:
        return found
    end = body[0] if body else len(code.rstrip().rstrip(";"))
    words = list(outside(code, (header.end(), end), _KEYWORD))
    stops = [*(word.start() for word in words), end][1:]
    for word, stop in zip(words, stops, strict=False):  # without words, the end is no stop
        parts = split(code, (word.end(), stop), _COMMA) if word[1] in _STATING else []
        for part, following in zip(parts, [*parts, None][1:], strict=True):
            clause = Clause(_STATING[word[1]], part)
            if len(parts) == 1:
                found[clause] = (word.start(), stop)
            else:
                found[clause] = part[0], following[0] if following else _past_comma(code, clause)
    return found


def _past_comma(code: str, clause: Clause) -> int:
    rest = code[clause.span[1] :]
    return clause.span[1] + len(rest) - len(rest.lstrip().removeprefix(","))


def _harness(source: Source) -> Iterator[Edit]:
    """A Kani harness: its assertions, its assumptions and its unwinding bound."""
    code = source.code
    for bound in _UNWIND.finditer(code):
        yield Edit("changed_bound", *bound.span(1), plus_one(bound[1]), bound[0])
    for opening in _ASSERTION.finditer(code):
        end = closing(code, opening.end() - 1)
        arguments = split(code, (opening.end(), end - 1), _COMMA) if end > 0 else []
        if not arguments:
            continue
        if opening["how"]:
            yield from _compared(source, opening, arguments)
        else:
            kind = "requires" if opening["how2"] == "assume" else "ensures"
            clause = Clause(kind, arguments[0])
            yield from _expression(source, clause)
            if kind == "ensures":
                yield from _weakened(source, clause)
            if code[end : end + 1] == ";":
                name = f"dropped_{kind}"
                whole = _line(source.text, (opening.start(), end + 1))
                yield Edit(name, *whole, "", source.cut(clause.span), kind)


def _compared(source: Source, opening: re.Match[str], arguments: list[Span]) -> Iterator[Edit]:
    """`assert_eq!` and `assert_ne!`, each for the other; a literal beside them off by one."""
    sides = [source.cut(span) for span in arguments[:2]]
    if len(sides) < 2 or squeezed(sides[0]) == squeezed(sides[1]):
        return
    scope = ", ".join(sides)
    other = "ne" if opening["how"] == "eq" else "eq"
    yield Edit("flipped_equality", *opening.span("how"), other, scope)
    for span, side in zip(arguments, sides, strict=False):
        if side.isdecimal():
            yield Edit("changed_bound", *span, plus_one(side), scope)

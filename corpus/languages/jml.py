"""Contracts in Java: clauses of JML comments, and the annotations of Cofoja."""

from __future__ import annotations

import re
from collections.abc import Iterator

from corpus.languages.base import Contract

_METHOD_CLAUSES = {
    "requires": "requires",
    "pre": "requires",
    "ensures": "ensures",
    "post": "ensures",
    "assignable": "assignable",
    "assigns": "assignable",
    "modifies": "assignable",
    "modifiable": "assignable",
    "signals": "signals",
    "signals_only": "signals_only",
    "measured_by": "decreases",
    "decreases": "decreases",
    "context": "context",
    "context_everywhere": "context_everywhere",
}
_LOOP_CLAUSES = {
    "loop_invariant": "invariant",
    "maintaining": "invariant",
    "decreases": "decreases",
    "decreasing": "decreases",
    "loop_decreases": "decreases",
}
_TYPE_CLAUSES = {"invariant": "invariant", "constraint": "constraint", "initially": "initially"}
_OTHER_CLAUSES = """
accessible assert assume axiom breaks callable captures continues diverges duration ghost given
loop_assigns loop_modifies loop_writes model represents returns set when working_space yields
""".split()
_KEYWORDS = "|".join({**_METHOD_CLAUSES, **_LOOP_CLAUSES, **_TYPE_CLAUSES}.keys() | _OTHER_CLAUSES)
_CLAUSE = re.compile(
    r"(?:^|[;\n]|\{\|)\s*"
    r"(?:(?:also|public|private|protected|static|instance|implies_that|for_example|\{\||\|\}"
    r"|(?:normal_|exceptional_)?behaviou?r)[ \t]+)*"
    rf"({_KEYWORDS})(?:_redundantly)?(?=[\s(\\])"
)
_OPENING = re.compile(rb"/[/*][@+]")
_COMMENT = re.compile(rb"//(?:[+-]\w+)*@[^\n]*|/\*(?:[+-]\w+)*@(?:.*?\*/|.*)", re.DOTALL)
_MARK = re.compile(r"(?://|/\*)(?:[+-]\w+)*@")
_LINE_MARK = re.compile(r"\*?@+")
_AFTERWARDS = re.compile(r"(?: ?;[\w {|}]*)+$")
_MODEL_METHOD = re.compile(r"\bmodel\b[^;{(]{0,200}\w ?\(")
_ANNOTATION = re.compile(r"@\s*(?:\w+\s*\.\s*)*(Requires|Ensures|Invariant)\s*\((?!\s*\w+\s*=)")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(.)")


def may_be_in(source: bytes) -> bool:
    """Whether a file may speak to JML: a quick look at every file."""
    return _OPENING.search(source) is not None


def is_jml(comment: bytes) -> bool:
    """Whether a comment speaks to JML."""
    return _COMMENT.match(comment) is not None


def of_method(comments: bytes) -> list[Contract]:
    """The clauses of a method in the JML comments of a text; none of those for a model method."""
    text = _inside(comments)
    return [] if _MODEL_METHOD.search(text) else list(_clauses(text, _METHOD_CLAUSES))


def of_loops(body: bytes) -> list[Contract]:
    """The clauses of the loops in a method's body."""
    return list(_clauses(_inside(body), _LOOP_CLAUSES))


def of_type(comments: bytes) -> list[Contract]:
    """The clauses of a class or interface in the JML comments between its members."""
    return list(_clauses(_inside(comments), _TYPE_CLAUSES))


def of_annotation(annotation: str) -> Iterator[Contract]:
    """The formulas that an annotation of Cofoja states."""
    written = _ANNOTATION.match(annotation)
    if written:
        formulas = re.sub(r'"\s*\+\s*"', "", annotation[written.end() :])
        for formula in _STRING.findall(formulas):
            yield Contract(written[1].lower(), _line(_ESCAPE.sub(r"\1", formula)))


def _inside(text: bytes) -> str:
    """What the JML comments of a text say, without marks and remarks, a trimmed line each."""
    found = []
    for comment in _COMMENT.findall(text):
        written = comment.decode("utf-8", "replace")
        written = _MARK.sub("", written, count=1).removesuffix("*/")
        for line in written.split("\n"):
            kept = _LINE_MARK.sub("", line.strip(), count=1) if line.lstrip()[:1] in "*@" else line
            kept = kept.partition("//")[0].rstrip("@ \t\r").lstrip()
            if kept:
                found.append(kept)
    return "\n".join(found)


def _clauses(text: str, wanted: dict[str, str]) -> Iterator[Contract]:
    starts = list(_CLAUSE.finditer(text))
    ends = [each.start() for each in starts[1:]]
    for start, end in zip(starts, [*ends, len(text)], strict=False):
        formula = _AFTERWARDS.sub("", _line(text[start.end() : end]))
        if start[1] in wanted and formula:
            yield Contract(wanted[start[1]], formula)


def _line(text: str) -> str:
    return " ".join(text.split())

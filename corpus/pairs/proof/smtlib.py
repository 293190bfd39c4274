"""Queries for SMT-LIB: assertions and definitions in words. Its terms are prefix, and read infix."""

from __future__ import annotations

import re
from collections.abc import Iterator

from corpus.pairs.proof.base import Query, Unit, ask, clauses, place
from corpus.pairs.proof.formula import spoken
from corpus.text import identifier_words

_TOKEN = re.compile(r"\(|\)|\|[^|]*\||\"(?:[^\"]|\"\")*\"|[^\s()]+")
_MAX_TOKENS = 60
_BETWEEN = frozenset(
    "= => and or xor + - * / < > <= >= div mod distinct bvult bvule bvugt bvuge bvslt bvsle bvadd bvsub "
    "bvmul bvand bvor str.++ ++ in".split()
)


def queries(unit: Unit) -> Iterator[Query]:
    """What a person might type who wants this assertion or definition."""
    for formula in clauses(unit, "assert"):
        words = spoken(infix(formula))
        if words:
            about = place(unit)
            phrases = ("assert that {1}", "smt constraint {1} {0}", "{0}: {1}")
            yield ask(unit, "property", "assert", phrases, about, words)
    if unit["kind"] == "function" and unit["code"].startswith("(define"):
        words = " ".join(identifier_words(unit["symbol"]))
        phrases = ("smt function {0} {1}", "define {0} {1} in smt", "{0} smtlib definition {1}")
        yield ask(unit, "keywords", "define", phrases, words, place(unit))
    if unit["kind"] == "datatype":
        words = " ".join(identifier_words(unit["symbol"]))
        yield Query("keywords", f"smt datatype {words} {place(unit)}")


def infix(term: str) -> str:
    """`(> x (+ y 1))` as `x > y + 1`; empty for what is too long to say."""
    parts = _TOKEN.findall(term)
    if len(parts) > _MAX_TOKENS:
        return ""
    stack: list[list[str]] = [[]]
    for part in parts:
        if part == "(":
            stack.append([])
        elif part == ")":
            if len(stack) > 1:
                inner = stack.pop()
                stack[-1].append(_applied(inner))
        else:
            stack[-1].append(_symbol(part))
    return " ".join(each for level in stack for each in level)


def _symbol(text: str) -> str:
    """A symbol or a literal as a word: hyphens in it are no minus, and `#x0f` is no inequality."""
    if text.startswith(("#x", "#b")):
        return f"0{text[1:]}"
    return re.sub(r"(?<=\w)-(?=\w)", "_", text.strip("|"))


def _applied(parts: list[str]) -> str:
    if not parts:
        return ""
    head, *arguments = parts
    if head == "!":  # an annotated term: only the term is said
        return arguments[0] if arguments else ""
    if head in _BETWEEN and len(arguments) >= 2:
        return f" {head} ".join(arguments)
    return " ".join(parts)

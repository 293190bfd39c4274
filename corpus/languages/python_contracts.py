"""Contracts in Python: decorators of icontract and deal, calls of Nagini, `pre:` and `post:` of CrossHair."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator

from tree_sitter import Node

from corpus.languages.base import Contract

_NAGINI = re.compile(rb"(?:Requires|Ensures|Exsures|Invariant|Decreases)\(")

_KINDS = {
    "require": "requires",
    "requires": "requires",
    "pre": "requires",
    "ensure": "ensures",
    "ensures": "ensures",
    "post": "ensures",
    "inv": "invariant",
    "invariant": "invariant",
}
_DECORATOR = re.compile(rf"@\s*(?:(icontract|deal)\s*\.\s*)?({'|'.join(_KINDS)})\s*\(")
_COMPARISON = re.compile(r"[<>=]|\b(?:is|in|not)\b")
_CLAUSE = re.compile(r"^([ \t]*)(pre|post|inv)(?:\[[^]\n]*\])?:[ \t]*(.*)$", re.MULTILINE)
_MAX_DEPTH = 50


def of_decorator(decorator: Node) -> Iterator[Contract]:
    """The contract that a decorator states.

    Bare names are common words (`@post("/users")`), so theirs must be a lambda or a comparison.
    """
    written = _DECORATOR.match(_text(decorator))
    call = decorator.named_child(0) if written else None
    arguments = call and call.child_by_field_name("arguments")
    if not written or arguments is None:
        return
    for argument in arguments.named_children:
        formula = argument.child_by_field_name("body") if argument.type == "lambda" else None
        if formula is not None:
            yield Contract(_KINDS[written[2]], _line(_text(formula)))
            return
    first = next((each for each in arguments.named_children if each.type != "comment"), None)
    if first is not None and (written[1] or _COMPARISON.search(_text(first))):
        yield Contract(_KINDS[written[2]], _line(_unquoted(_text(first))))


def of_docstring(doc: str) -> Iterator[Contract]:
    """The `pre:`, `post:` and `inv:` lines of a docstring, and the indented lines below such a word.

    What is no Python expression, or a mere name, describes a parameter called `post`.
    """
    if "pre:" not in doc and "post" not in doc and "inv" not in doc:
        return
    for clause in _CLAUSE.finditer(doc):
        indent, word, text = clause.groups()
        for line in [text] if text else _below(doc[clause.end() + 1 :], indent):
            if _is_formula(line):
                yield Contract(_KINDS[word], _line(line))


def of_body(body: Node, *, depth: int = 0) -> Iterator[Contract]:
    """What a function of a Nagini file states at its top, and its loops at theirs."""
    for statement in body.named_children:
        if statement.type == "expression_statement":
            call = statement.named_child(0)
            if call is not None and call.type == "call" and _NAGINI.match(call.text or b""):
                name, _, arguments = _text(call).partition("(")
                yield Contract(name.lower(), _line(arguments.removesuffix(")")).rstrip(" ,"))
        elif depth < _MAX_DEPTH and _NAGINI.search(statement.text or b""):
            yield from _of_inner_blocks(statement, depth + 1)


def _of_inner_blocks(statement: Node, depth: int) -> Iterator[Contract]:
    for part in statement.named_children:
        if part.type == "block":
            yield from of_body(part, depth=depth)
        elif part.type.endswith("_clause"):
            yield from _of_inner_blocks(part, depth + 1)


def _below(text: str, indent: str) -> Iterator[str]:
    for line in text.split("\n"):
        if not line.startswith(indent + " ") or not line.strip():
            return
        yield line.strip()


def _is_formula(text: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expression = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            return False
    if isinstance(expression, ast.Constant):
        return isinstance(expression.value, bool)
    return not isinstance(expression, ast.Name)


def _unquoted(text: str) -> str:
    quote = text[:1]
    return text[1:-1] if quote in ("'", '"') and text.endswith(quote) else text


def _line(text: str) -> str:
    return " ".join(text.split())


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")

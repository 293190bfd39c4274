"""What a TLA+ formula shows of itself: the kind of its definition, its contracts, a name where it has none.

Everything here reads text without comments; what decides on a kind, without strings, too.
"""

from __future__ import annotations

import re

from corpus.languages.base import Contract

_SPEC = re.compile(
    r"(?:(?:/\\|∧) )?(?:[\w!]+(?:\([^()]*\))? ?(?:/\\|∧) ?(?:\[\]|□) ?\[|(?:\[\]|□) ?\[Next\]_)"
)
_BOX = re.compile(r"\[\](?!\w)|□")
_EVENTUALLY = re.compile(r"(?<!<)<>(?!>)|◇|~>|↝|\\AA\b|\\EE\b|-\+->|\[\]\s*\[(?=[^]]*\]_)")
_FAIR = re.compile(r"\b[WS]F_")
_PRIMED = re.compile(r"[\w)\]}]'|\bUNCHANGED\b")
_CASE = re.compile(r"\bCASE\b")
_INVARIANT_NAME = re.compile(r"Inv(?![a-z])|Invariant|[Tt]ype_?(?:OK|Ok|Correct)\b|_inv\b")
_INIT_NAME = re.compile(r"\w*Init|init|\w+_init|Init(?:ial)?(?:_\w+|State|Predicate)?")
_NEXT_NAME = re.compile(r"\w*Next|next|\w+_next")
_ALWAYS = re.compile(r"(?:\[\]|□)\s*+(?:(\w+)|\(([^()]*+)\))")
_PROOF = re.compile(r"(?<!\S)(?:PROOF|BY|OBVIOUS|OMITTED)\b|^[ \t]*<(?:\d+|[+*])>", re.MULTILINE)
_PROVE = re.compile(r"\bPROVE\b")
_ASSUME = re.compile(r"\s*ASSUME\b")

_LONGEST_SYMBOL = 60


def kind_of(name: str, *, parameters: bool, body: str, always: frozenset[str]) -> str:
    """The kind of an operator, by what its name and its body, on one line, show.

    `always` are the names that a theorem states to hold in every state. Temporal before action
    before state: a formula is of the highest level that it speaks at.
    """
    if not parameters and (temporal := _temporal(name, body)):
        return temporal
    if _PRIMED.search(body):
        return "next" if _NEXT_NAME.fullmatch(name) else "action"
    if parameters:
        return "operator"
    if _NEXT_NAME.fullmatch(name):
        return "next"
    if _INIT_NAME.fullmatch(name):
        return "init"
    return "invariant" if name in always or _INVARIANT_NAME.search(name) else "operator"


def _temporal(name: str, body: str) -> str:
    """Of which temporal kind a formula is, or nothing."""
    if _SPEC.match(body):
        return "spec"
    # Between the arms of a CASE, `[]` is no operator.
    boxes = _BOX.search(body) is not None and not _CASE.search(body)
    fair = _FAIR.search(body) is not None
    if not boxes and not fair and not _EVENTUALLY.search(body):
        return ""
    if name.endswith("Spec"):
        return "spec"
    return "fairness" if fair and not boxes and not _EVENTUALLY.search(body) else "temporal"


def stated_always(statement: str) -> list[str]:
    """The names that a theorem's statement puts under `[]`, alone or in a conjunction."""
    return [
        name
        for alone, conjunction in _ALWAYS.findall(statement)
        for name in ([alone] if alone else re.findall(r"\w+", conjunction))
    ]


def without_proof(text: str) -> str:
    """A theorem up to its proof."""
    proof = _PROOF.search(text)
    return text[: proof.start()] if proof else text


def statement_contracts(statement: str) -> list[Contract]:
    """What a theorem assumes, if it says so, and what it proves."""
    assumed = _ASSUME.match(statement)
    proves = list(_PROVE.finditer(statement)) if assumed else []
    if not assumed or not proves:
        return contracts("prove", statement)
    # An assumption may be a sequent of its own; the last PROVE is the theorem's.
    return [
        *contracts("assume", statement[assumed.end() : proves[-1].start()]),
        *contracts("prove", statement[proves[-1].end() :]),
    ]


def contracts(kind: str, formula: str) -> list[Contract]:
    """The one contract that `formula` is; none where there is nothing."""
    text = one_line(formula)
    return [Contract(kind, text)] if text else []


def short(statement: str) -> str:
    """A name for a statement without one: what it proves or says, cut between words."""
    proved = _PROVE.split(statement)[-1] if _ASSUME.match(statement) else statement
    text = one_line(proved)
    if len(text) <= _LONGEST_SYMBOL:
        return text
    words = text[:_LONGEST_SYMBOL].rpartition(" ")[0]
    return f"{words or text[:_LONGEST_SYMBOL]} …"


def one_line(text: str) -> str:
    return " ".join(text.split())

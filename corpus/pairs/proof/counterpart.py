"""A specification and its implementation under the same name in one source: the one asks for the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from corpus.pairs.proof.base import Query, Unit, pick
from corpus.text import identifier_words

_CODE = frozenset({"rust", "java", "python", "typescript", "cpp"})
_NAMES = {
    "rust": "Rust",
    "java": "Java",
    "python": "Python",
    "typescript": "TypeScript",
    "cpp": "C++",
}
_CALLED = frozenset({"function", "method"})
_MIN_LETTERS = 8
_MAX_TEXT = 160


def queries(units: Sequence[Unit]) -> Iterator[tuple[Unit, Query]]:
    """Implementations with queries made of the one specification in the source that bears their name.

    A name is taken where it has two words or more and stands once on each side: a name that many
    functions bear says nothing about which of them was specified.
    """
    sides: dict[str, dict[str, list[Unit]]] = defaultdict(lambda: defaultdict(list))
    for unit in units:
        side = _side(unit)
        key = "".join(identifier_words(unit["name"]))
        if side and len(identifier_words(unit["name"])) >= 2 and len(key) >= _MIN_LETTERS:
            sides[key][side].append(unit)
    for _, by_side in sorted(sides.items()):
        code = by_side.get("code", [])
        if len(code) != 1:
            continue
        for side in ("lean", "tlaplus"):
            specified = by_side.get(side, [])
            if len(specified) == 1:
                yield code[0], _query(side, specified[0], code[0])


def _side(unit: Unit) -> str:
    if unit["language"] in ("lean", "tlaplus"):
        return unit["language"]
    is_code = unit["language"] in _CODE and unit["kind"] in _CALLED and not unit["is_test"]
    return "code" if is_code else ""


def _query(side: str, specification: Unit, code: Unit) -> Query:
    text = " ".join(specification["signature"].split())[:_MAX_TEXT].strip()
    language = _NAMES[code["language"]]
    if side == "lean":
        phrases = ("translate this Lean {2} to {1}: {0}", "{1} implementation of {0}")
    else:
        text = " ".join(specification["code"].split())[:_MAX_TEXT].strip()
        phrases = ("write {1} code matching this TLA+ spec: {0}", "{1} implementation of {0}")
    phrase = pick(code, "counterpart", phrases)
    return Query("implementation", phrase.format(text, language, specification["kind"]))

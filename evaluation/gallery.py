"""The queries that the tuned model answers worst: what came first, what should have, and both texts.

Code and its comments come from anywhere: they are cut, made visible, and escaped before they are shown.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

Row = dict[str, Any]

_CASES = 20
_LINES, _COLUMNS, _WORDS = 24, 160, 280
_LEXERS = {"lean": "lean4", "smtlib": "common-lisp"}
"""Pygments' names, where they are not the language's."""


def worst(ranks: Sequence[Row], cases: int = _CASES) -> list[Row]:
    """The queries of each set whose best answer the tuned model's semantic run ranks lowest.

    Each set has its share of `cases`, the worst first; of equal ranks the smaller id. Queries that it
    answers right are none. Documentation queries come last.

    Returns:
        Rows of `ranks`, with the ranks of `tuned`, `base` and `bm25` (null where it was not asked).
    """
    of = {
        (row["eval_set"], row["query_id"], row["system"]): row["rank"]
        for row in ranks
        if row["mode"] == ("lexical" if row["system"] == "bm25" else "semantic")
    }
    tuned = [row for row in ranks if row["system"] == "tuned" and row["mode"] == "semantic"]
    sets = sorted(
        dict.fromkeys(row["eval_set"] for row in tuned), key=lambda name: name.startswith("doc")
    )
    found = []
    for each in sets:
        wrong = [row for row in tuned if row["eval_set"] == each and row["rank"] > 1]
        wrong.sort(key=lambda row: (-row["rank"], row["query_id"]))
        found += wrong[: max(1, cases // len(sets))]
    return [
        {
            **row,
            **{
                system: of.get((row["eval_set"], row["query_id"], system))
                for system in ("tuned", "base", "bm25")
            },
        }
        for row in found
    ]


def shown(cases: Sequence[Row], units: Mapping[str, Row]) -> list[Row]:
    """`cases` with what came first (`wrong`) and the best acceptable answer (`right`) as excerpts.

    An excerpt is null where the unit is not known.

    Args:
        cases: from `worst`.
        units: rows of the pools by unit id.
    """
    return [
        {
            **each,
            "query": _line(each["query"]),
            "wrong": _excerpt(units.get(each.get("top") or "")),
            "right": _excerpt(units.get(each.get("gold") or "")),
        }
        for each in cases
    ]


def _excerpt(unit: Row | None) -> Row | None:
    if unit is None:
        return None
    lines = unit["code"].replace("\r\n", "\n").split("\n")
    kept = [cut(line, _COLUMNS) for line in lines[:_LINES]]
    return {
        **{name: unit[name] for name in ("source", "license", "license_tier")},
        "place": f"{_line(unit['path'])}:{unit['start_line']}",
        "symbol": _line(unit["symbol"]),
        "prose": _line(unit["prose"]),
        "code": highlighted(visible("\n".join(kept)), unit["language"]),
        "more": len(lines) - len(kept),
    }


def _line(text: str) -> str:
    return visible(cut(" ".join(text.split()), _WORDS))


def cut(text: str, length: int) -> str:
    """The first `length` characters of `text`, and a sign that there are more."""
    return text if len(text) <= length else text[:length] + "…"


def visible(text: str) -> str:
    """`text` with characters that nobody sees written out, as `\\u{202e}`.

    Among them are those that turn the direction of a line, so that code reads as something else.
    """
    return "".join(
        f"\\u{{{ord(each):x}}}"
        if each not in "\n\t" and unicodedata.category(each) in _UNSEEN
        else each
        for each in text
    )


_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def highlighted(code: str, language: str) -> Markup:
    """`code` as HTML, escaped, its tokens in spans of Pygments' classes; plain for a language it lacks."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    options = {"stripnl": False, "ensurenl": False}
    try:
        lexer = get_lexer_by_name(_LEXERS.get(language, language), **options)
    except ClassNotFound:
        lexer = get_lexer_by_name("text", **options)
    # The formatter escapes all text; what it adds is its own.
    return Markup(highlight(code, lexer, HtmlFormatter(nowrap=True)))  # noqa: S704

"""How pairs look in a terminal: their text as it stands, their code coloured, their place."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.syntax import Syntax
    from rich.text import Text

_WIDTH = 100
"""Columns of what goes into a file or a pipe."""
_LINES = 25
"""Of a pair's code, where it is one of several."""
_LEXERS = {"lean": "lean4", "smtlib": "common-lisp"}
"""Pygments' names, where they are not the language's."""
UNPRINTABLE = dict.fromkeys(
    (*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)),
    "�",
)
"""Control characters, those that turn the direction of a line included: a repository's text must not
steer the reader's terminal, nor look like other text."""


def print_pair(out: Console, pair: Mapping[str, Any], fate: str = "") -> None:
    """The pair with the beginning of its code; `fate` is why it is not in the corpus."""
    from rich.text import Text

    kinds = (
        *(pair["language"], pair["dialect"], pair["pair_type"], pair["query_kind"]),
        pair["license"] or "no licence",
        *(() if fate else (pair["split"], f"weight {pair['weight']:g}")),
    )
    out.print(Text(pair["pair_id"], "dim"))
    out.print(text(pair["query"], "bold"))
    out.print(text(f"{place(pair)}  {pair['symbol']}", "cyan"))
    out.print(text(" · ".join(filter(None, kinds)), "dim"))
    if fate:
        out.print(text(fate, "yellow"))
    lines = pair["positive"].splitlines()
    out.print(code("\n".join(lines[:_LINES]), pair["language"]))
    if len(lines) > _LINES:
        out.print(Text(f"  … {len(lines) - _LINES} more lines", "dim"))
    out.print()


def value(given: Any) -> str:
    """What a column holds, as words."""
    if isinstance(given, float):
        return f"{given:g}"
    return "–" if given in (None, "") else str(given)


def number(given: float) -> str:
    """A count as it is, a mean with one digit."""
    return f"{given:,}" if isinstance(given, int) else f"{given:,.1f}"


def place(pair: Mapping[str, Any]) -> str:
    """Source, path and lines of a pair or a unit."""
    return f"{pair['source']} {pair['path']}:{pair['start_line']}-{pair['end_line']}"


def text(given: str, style: str = "") -> Text:
    """`given` as it stands: brackets are no markup."""
    from rich.text import Text

    return Text(given.translate(UNPRINTABLE), style, overflow="fold")


def code(given: str, language: str, *, indent: int = 2) -> RenderableType:
    """`given` in the colours of its language."""
    from rich.padding import Padding

    return Padding(syntax(given, language), (0, 0, 0, indent))


def syntax(given: str, language: str) -> Syntax:
    """As `code`, without room at its left."""
    from rich.syntax import Syntax

    return Syntax(
        given.translate(UNPRINTABLE),
        _LEXERS.get(language, language),
        theme="ansi_dark",
        background_color="default",
        word_wrap=True,
    )


def console() -> Console:
    """The terminal, or what standard output goes into."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)

"""The review of drafts in a terminal: each with its code, to be accepted, edited, put off or rejected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from corpus.proposals import STYLES, Wording
from evaluation.queries import Answer
from pipeline import render
from pipeline.judged import share_of_doc
from pipeline.personal import Book, Status

if TYPE_CHECKING:
    from rich.console import Console

_LINES, _DOC_CHARS = 25, 400
_KEYS = "[a]ccept  [e]dit  [n]ext wording  [t]: another style  [s]kip  [r]eject  [q]uit"


@dataclass(frozen=True)
class Item:
    """What is to be judged.

    Attributes:
        units: the definitions that answer, the first one is shown.
        wordings: ways to ask for it, at least one.
        query_id: of a draft that is in the book already.
    """

    units: Sequence[Mapping[str, Any]]
    wordings: Sequence[Wording]
    answers: list[Answer]
    revisions: Mapping[str, str]
    query_id: str = ""


def review(console: Console, book: Book, items: Sequence[Item]) -> Counter[str]:
    """Ask about each item; what is decided is in the book at once, whatever comes after.

    Returns:
        How many were accepted, rejected and skipped.
    """
    told: Counter[str] = Counter()
    try:
        for number, item in enumerate(items, 1):
            _show(console, item, f"{number} of {len(items)}")
            decision, wording = _ask(console, book, item)
            if decision == "quit":
                break
            told[decision] += 1
            if decision in ("accepted", "rejected"):
                _keep(book, item, wording, decision)
    finally:
        done = ", ".join(f"{told[each]} {each}" for each in ("accepted", "rejected", "skipped"))
        console.print()
        console.print(render.text(f"{done}; {_in_all(book)}"), soft_wrap=True)
    return told


def _in_all(book: Book) -> str:
    count = len(book.load().asked().queries)
    return f"{count} queries in {book.path}" if count else "no query is kept yet"


def _keep(book: Book, item: Item, wording: Wording, status: Status) -> None:
    query = book.entry(wording, item.answers, item.units[0]["dialect"], status)
    if item.query_id:
        query = query.model_copy(update={"id": item.query_id})
    book.put(query, item.revisions)


def _show(console: Console, item: Item, number: str) -> None:
    unit = item.units[0]
    kinds = filter(None, (number, unit["language"], unit["dialect"], unit["kind"]))
    console.print()
    console.rule(render.text(" · ".join(kinds), "dim"), align="left", style="dim")
    console.print(render.text(f"{render.place(unit)}  {unit['symbol']}", "cyan"))
    prose = unit["prose"] or "no doc"
    cut = "…" if len(prose) > _DOC_CHARS else ""
    console.print(render.text(prose[:_DOC_CHARS] + cut, "dim"))
    lines = unit["code"].splitlines()
    console.print(render.code("\n".join(lines[:_LINES]), unit["language"]))
    if len(lines) > _LINES:
        console.print(render.text(f"  … {len(lines) - _LINES} more lines", "dim"))
    for answer in item.answers[1:]:
        console.print(render.text(f"answers, too: {answer.path} {answer.symbol}", "cyan"))


def _ask(console: Console, book: Book, item: Item) -> tuple[str, Wording]:
    """The decision, `quit` included, and the wording that it is about."""
    wordings = list(item.wordings)
    at = 0
    while True:
        wording = wordings[at]
        share = max(share_of_doc(wording.query, unit) for unit in item.units)
        console.print()
        console.print(render.text(wording.query, "bold"))
        console.print(
            render.text(
                f"{wording.style} · {share:.0%} of its words in the doc · "
                f"wording {at + 1} of {len(wordings)}",
                "dim",
            )
        )
        console.print(render.text(_KEYS, "dim"))
        key = _typed("> ").strip().casefold()[:1]
        if key == "n":
            at = (at + 1) % len(wordings)
        elif key == "t":
            style = STYLES[(STYLES.index(wording.style) + 1) % len(STYLES)]
            wordings[at] = Wording(style, wording.query)
        elif key == "e":
            text = " ".join(_typed("query> ", wording.query).split())
            wordings[at] = Wording(wording.style, text or wording.query)
        elif key in ("s", "r", "q"):
            return {"s": "skipped", "r": "rejected", "q": "quit"}[key], wording
        elif key == "a":
            problem = book.problem(wording.query, item.units, item.query_id)
            if problem is None:
                return "accepted", wording
            console.print(render.text(f"✗ {problem} Edit it, or take another.", "yellow"))


def _typed(prompt: str, text: str = "") -> str:
    """A line from the keyboard, in which `text` stands to be edited; the end of the input quits."""
    hooked = _prefill(text) if text else None
    try:
        return input(prompt)
    except EOFError:
        return "q"
    finally:
        if hooked is not None:
            hooked.set_startup_hook()


def _prefill(text: str) -> Any:
    """The line editor, told to begin with `text`; null where Python has none."""
    try:
        import readline
    except ImportError:
        return None
    readline.set_startup_hook(lambda: readline.insert_text(text))
    return readline


def revisions_of(answers: Iterable[Answer], revision: Any) -> dict[str, str]:
    """The revision of each source that answers, by `revision`."""
    return {name: revision(name) for name in {answer.source for answer in answers}}

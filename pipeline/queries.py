"""`provender queries`: the owner's own judged queries, and the check of all judged queries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipeline.options import LakeFolder, Sources, told

if TYPE_CHECKING:
    from pipeline.judged import Checked, HeldOut
    from pipeline.personal import Book
    from pipeline.review import Item

app = typer.Typer(no_args_is_help=True, help="Judged queries: your own, and the check of all.")

Split = Literal["test", "valid"]

_SHOWN = 5
"""Sources that a line names."""


@app.command()
def personal(
    *,
    source: Annotated[str, typer.Option(help="One of your sources; all by default.")] = "",
    count: Annotated[int, typer.Option("-n", min=1, help="How many to propose.")] = 20,
    split: Annotated[
        Split,
        typer.Option(help="test: what is reported; valid: what settings are chosen by."),
    ] = "test",
    seed: Annotated[int, typer.Option(help="Another seed draws other definitions.")] = 0,
    drafts: Annotated[
        bool,
        typer.Option("--drafts", help="Ask nothing: write drafts, to be reviewed in an editor."),
    ] = False,
    sources: Sources = None,
    lake: LakeFolder = None,
) -> None:
    """Propose queries about your held-out code; what you accept is asked from the next evaluation on.

    Drafts that are in the file already come first. PROVENDER_QUERIES names the folder of
    personal_queries.json and personal_valid.json; config/ by default.
    """
    told(lambda: _personal(source, count, split, seed, only_drafts=drafts), sources, lake)


@app.command()
def check(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="All that ship and yours by default."),
    ] = None,
    sources: Sources = None,
    lake: LakeFolder = None,
) -> None:
    """Check judged queries: the file, its answers in the lake, and that no query repeats its answer."""
    told(lambda: _check(files or []), sources, lake)


def _personal(source: str, count: int, split: Split, seed: int, *, only_drafts: bool) -> int:
    from assets.eval_queries import PERSONAL, judged_file
    from pipeline import render, review
    from pipeline.judged import HeldOut
    from pipeline.personal import Book, answers_of, held_out, propose
    from resources.lake import Lake
    from resources.project import Project

    lake, project, console = Lake(), Project(), render.console()
    held = HeldOut(lake, project)
    names = held_out(held, project, split, source)
    book = Book(judged_file(PERSONAL, split, project.queries_path()), split)
    items = [] if only_drafts else _waiting(book, held, names)
    for draft in propose(lake, held, names, book, count=count, seed=seed):
        answers = answers_of(draft.unit, held)
        revisions = review.revisions_of(answers, held.revision)
        items.append(review.Item([draft.unit], draft.wordings, answers, revisions))
    if not items:
        console.print("Nothing is left to propose. Another --seed proposes no more.")
    elif only_drafts:
        for item in items:
            wording, dialect = item.wordings[0], item.units[0]["dialect"]
            book.put(book.entry(wording, item.answers, dialect, "draft"), item.revisions)
        console.print(
            render.text(
                f"{len(items)} drafts in {book.path}. Edit them, set `status` to accepted or rejected,"
                " then `provender queries check`. A draft is not asked."
            ),
            soft_wrap=True,
        )
    else:
        review.review(console, book, items)
    return 0


def _waiting(book: Book, held: HeldOut, names: list[str]) -> list[Item]:
    """The drafts of the book that can be shown."""
    from corpus.proposals import Wording
    from pipeline.review import Item, revisions_of

    items = []
    for query in book.load().queries:
        answers = [answer for answer in query.answers if answer.source in names]
        units = [unit for a in answers for unit in held.at(a.source, a.path, a.symbol)]
        if query.status == "draft" and units:
            revisions = revisions_of(answers, held.revision)
            wordings = [Wording(query.style, query.query)]
            items.append(Item(units, wordings, list(query.answers), revisions, query.id))
    return items


def _check(files: list[Path]) -> int:
    from assets.eval_queries import JUDGED, PERSONAL, SPLITS, judged_file
    from pipeline import render
    from pipeline.judged import HeldOut
    from pipeline.judged import check as checked
    from resources.lake import Lake
    from resources.project import Project

    project, console = Project(), render.console()
    own = (judged_file(PERSONAL, split, project.queries_path()) for split in SPLITS)
    paths = files or [*JUDGED, *(path for path in own if path.is_file())]
    found = checked(paths, HeldOut(Lake(), project))
    for each in found:
        console.print(render.text(_line(each)), soft_wrap=True)
        for fault in each.faults:
            console.print(render.text(f"  ✗ {fault}", "red"), soft_wrap=True)
    faults = sum(len(each.faults) for each in found)
    mark = "✗" if faults else "✓"
    asked = sum(each.asked for each in found)
    console.print(render.text(f"{mark} {len(found)} files, {asked} queries, {faults} faults"))
    return 1 if faults else 0


def _line(checked: Checked) -> str:
    told = f"{checked.path.name}: {checked.asked} queries"
    if checked.drafts:
        told += f", {checked.drafts} drafts, which are not asked"
    if checked.elsewhere:
        names = sorted(checked.absent)
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        told += (
            f"; {checked.elsewhere} not held against their code, which is not in this lake"
            f" ({', '.join(names[:_SHOWN])}{more})"
        )
    return told

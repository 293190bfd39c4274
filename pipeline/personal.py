"""The owner's judged queries: their file, what may be proposed for it, and what may stand in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from assets.eval_queries import JUDGED
from assets.pairs import pairs_of
from common.atomic import write_text
from common.errors import ProvenderError, hint
from corpus import heldout, schema
from corpus.pairs.base import normal
from corpus.proposals import Draft, Wording, drafts
from evaluation.queries import Answer, JudgedSet, Query, load_judged
from pipeline.judged import HeldOut, share_of_doc
from resources.lake import Lake
from resources.project import Project

Split = Literal["valid", "test"]
Status = Literal["draft", "accepted", "rejected"]
_PAIRS = ("body", "proof", "readme")
"""Types of pairs whose queries may be proposed."""


class Book:
    """The file of the owner's queries of one split. Every change is written at once, whole."""

    def __init__(self, path: Path, split: Split) -> None:
        """Read `path`; where there is no file, one is written with the first query.

        Raises:
            ProvenderError: the file breaks its schema, or is of another split.
        """
        self.path = path
        self._split: Split = split
        self.shipped = {normal(q.query) for each in JUDGED for q in load_judged(each).queries}
        self.load()

    def load(self) -> JudgedSet:
        """The file as it is now: it may be edited while it is reviewed."""
        if not self.path.is_file():
            return JudgedSet(name=self.path.stem, split=self._split, revisions={}, queries=[])
        judged = load_judged(self.path)
        if judged.split != self._split:
            raise ProvenderError(
                f"These queries are of the split `{judged.split}`, by their name of `{self._split}`.",
                where=str(self.path),
                remedy="Correct `split`, or the file's name.",
            )
        return judged

    def put(self, query: Query, revisions: Mapping[str, str]) -> None:
        """Add `query`, or replace the one of the same id; `revisions` are those of its sources."""
        judged = self.load()
        queries = {each.id: each for each in judged.queries} | {query.id: query}
        written = judged.model_copy(
            update={
                "revisions": {**judged.revisions, **revisions},
                "queries": list(queries.values()),
            }
        )
        write_text(json.dumps(written.model_dump(), indent=2, ensure_ascii=False) + "\n", self.path)

    def entry(
        self, wording: Wording, answers: list[Answer], dialect: str | None, status: Status
    ) -> Query:
        """A query under the next free number of its source."""
        source = answers[0].source
        ids = (query.id for query in self.load().queries)
        numbers = [
            int(n[1]) for each in ids if (n := re.fullmatch(rf"{re.escape(source)}-(\d+)", each))
        ]
        return Query.model_validate(
            {
                "id": f"{source}-{max(numbers, default=0) + 1:03}",
                "query": wording.query,
                "style": wording.style,
                "dialect": dialect,
                "status": status,
                "answers": answers,
            }
        )

    def problem(
        self, text: str, units: Iterable[Mapping[str, Any]], own_id: str = ""
    ) -> str | None:
        """Why `text` may not be asked for `units`; null where it may."""
        taken = {
            normal(query.query)
            for query in self.load().queries
            if query.id != own_id and query.status != "rejected"
        }
        if not text.strip() or not text.isprintable():
            return "It is blank, or holds a control character."
        if normal(text) in taken | self.shipped:
            return "There is such a query already."
        for unit in units:
            if heldout.spells_out(text, unit["symbol"]):
                return f"It spells out the name {unit['symbol']}."
            share = share_of_doc(text, unit)
            if share > heldout.MOST_COPIED:
                return f"{share:.0%} of its words stand in the doc; {heldout.MOST_COPIED:.0%} is the most."
        return None


def held_out(held: HeldOut, project: Project, split: Split, source: str) -> list[str]:
    """The owner's sources of `split` that the lake holds, or the one that is asked for.

    Raises:
        ProvenderError: there is none; the message says what to do.
    """
    manifest = project.load_manifest()
    splits = project.load_splits(manifest)
    own = [each.name for each in manifest.repositories if each.domain == "personal"]
    if not own:
        raise ProvenderError(
            "The manifest has no source of the domain `personal`.",
            where="--sources",
            remedy="Give yours, as `--sources config/sources_personal.yaml`; `provender add PATH` adds one.",
        )
    if source and source not in own:
        raise ProvenderError(
            f"`{source}` is none of your sources; {hint(source, own, 'ones')}",
            where="--source",
            remedy="Correct the name.",
        )
    wanted = [source] if source else own
    found = [name for name in wanted if splits[name] == split]
    if not found:
        raise ProvenderError(
            f"{', '.join(wanted)}: not held out for `{split}`, and what is trained on cannot be asked.",
            where="the manifest",
            remedy=f"Write `split: {split}` into one's entry, then `provender refresh` with that manifest.",
        )
    here = [name for name in found if name in held.sources]
    if not here:
        raise ProvenderError(
            f"The lake does not hold {', '.join(found)}.",
            where=Lake().uri(),
            remedy="`provender refresh` with that manifest first.",
        )
    return here


def propose(
    lake: Lake, held: HeldOut, names: list[str], book: Book, *, count: int, seed: int
) -> list[Draft]:
    """Drafts about definitions of the sources `names` that no query of the book is about."""
    import polars as pl

    queries = book.load().queries
    known = {(a.source, a.path, a.symbol) for query in queries for a in query.answers}
    units = pl.concat([held.units(name) for name in names])
    pairs = lake.read_all([pairs_of(kind, name) for kind in _PAIRS for name in names], schema.PAIRS)
    asked = pl.DataFrame(
        sorted(known), dict.fromkeys(("source", "path", "symbol"), pl.String), orient="row"
    )
    fresh = units.join(asked, on=asked.columns, how="anti", maintain_order="left")
    texts = [*book.shipped, *(query.query for query in queries)]
    return drafts(fresh, pairs, count=count, seed=seed, known=texts)


def answers_of(unit: Mapping[str, Any], held: HeldOut) -> list[Answer]:
    """The definition itself, and those of its source that have the same code."""
    import polars as pl

    units = held.units(unit["source"])
    same = units.filter(
        pl.col("code") == unit["code"],
        pl.col("unit_id").is_in(list(held.searched("personal", unit["source"]))),
    )
    places = [(unit["path"], unit["symbol"]), *same.select("path", "symbol").iter_rows()]
    return [
        Answer(source=unit["source"], path=path, symbol=symbol)
        for path, symbol in dict.fromkeys(places)
    ]

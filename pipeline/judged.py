"""Whether judged queries are what docs/evaluation.md says: in themselves, and against what a lake holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assets.common import of_source
from assets.eval_queries import DOMAINS, PERSONAL
from corpus import heldout, schema
from corpus.sources import PypiSource
from evaluation.queries import Answer, JudgedError, JudgedSet, Query, read_judged

if TYPE_CHECKING:
    import polars as pl

    from resources.lake import Lake
    from resources.project import Project


@dataclass
class Checked:
    """What was found in one file.

    Attributes:
        asked, drafts: queries that are accepted, and that wait for their owner.
        elsewhere: accepted ones that could not be held against the code, and the sources of their answers.
    """

    path: Path
    asked: int = 0
    drafts: int = 0
    faults: list[JudgedError] = field(default_factory=list)
    elsewhere: int = 0
    absent: set[str] = field(default_factory=set)


class HeldOut:
    """The sources of the manifest that a lake holds, each with its split, revision and definitions."""

    def __init__(self, lake: Lake, project: Project) -> None:
        manifest = project.load_manifest()
        splits = project.load_splits(manifest)
        self._lake = lake
        self.sources = {
            source.name: source
            for source in manifest.repositories
            if lake.stored(*of_source("units", source.name)) is not None
        }
        self.splits = {name: splits[name] for name in self.sources}
        self.units = cache(self._units)
        self.searched = cache(self._searched)

    def _units(self, source: str) -> pl.DataFrame:
        """Rows of `schema.UNITS`."""
        return self._lake.read_all([of_source("units", source)], schema.UNITS)

    def _searched(self, domain: str, source: str) -> frozenset[str]:
        """The ids of the definitions that the queries of a domain search."""
        units = self.units(source)
        pool = (
            heldout.pool(units)
            if domain == "rust"
            else heldout.judged_pool(domain, units, [source])
        )
        return frozenset(pool["unit_id"])

    def revision(self, source: str) -> str:
        """The version of a release, else the commit or tree; empty where there is no definition."""
        found = self.sources[source]
        if isinstance(found, PypiSource):
            return found.version
        return next(iter(self.units(source)["revision"]), "")

    def at(self, source: str, path: str, symbol: str) -> list[dict[str, Any]]:
        """The definitions of a symbol in a file, as rows of `schema.UNITS`."""
        return self.units(source).filter(path=path, symbol=symbol).to_dicts()

    def own(self, split: str) -> list[str]:
        """The owner's sources of a split."""
        return [
            name
            for name, source in self.sources.items()
            if source.domain == PERSONAL and self.splits[name] == split
        ]


def check(paths: Iterable[Path], held: HeldOut) -> list[Checked]:
    """Every fault of the files, one result a file; what stands in two of them is the later one's."""
    ids: dict[str, Path] = {}
    texts: dict[str, Path] = {}
    found = []
    for path in paths:
        checked = Checked(path)
        judged, checked.faults = read_judged(path)
        if judged is not None:
            accepted = judged.asked().queries
            checked.asked = len(accepted)
            checked.drafts = sum(query.status == "draft" for query in judged.queries)
            checked.faults += _elsewhere(accepted, path, ids, texts)
            for query in accepted:
                checked.faults += _of_query(query, judged, held, checked)
        found.append(checked)
    return found


def _elsewhere(
    queries: Iterable[Query], path: Path, ids: dict[str, Path], texts: dict[str, Path]
) -> Iterator[JudgedError]:
    """Ids and texts that another file has; a file against itself is `read_judged`'s."""
    for query in queries:
        text = " ".join(query.query.casefold().split())
        for what, value, known in (("id", query.id, ids), ("text", text, texts)):
            if known.setdefault(value, path) != path:
                yield JudgedError(
                    f"{known[value]} has a query of the same {what}.",
                    path,
                    "Change one of the two.",
                    query_id=query.id,
                )


def _of_query(
    query: Query, judged: JudgedSet, held: HeldOut, checked: Checked
) -> Iterator[JudgedError]:
    path = checked.path
    domain = path.stem.split("_")[0]
    domain = domain if domain in DOMAINS else PERSONAL
    for name in sorted({answer.symbol for answer in query.answers}):
        if heldout.spells_out(query.query, name):
            yield JudgedError(
                f"The query spells out `{name}`.",
                path,
                "Say what it does instead.",
                query_id=query.id,
            )
    here = [answer for answer in query.answers if _is_here(answer, judged, held, domain)]
    if not here:
        checked.elsewhere += 1
        checked.absent |= {answer.source for answer in query.answers}
        return
    for what, remedy in _of_answers(query, here, judged.split, held, domain):
        yield JudgedError(what, path, remedy, query_id=query.id)


def _is_here(answer: Answer, judged: JudgedSet, held: HeldOut, domain: str) -> bool:
    """Whether the lake holds the answer's source as it was judged; the owner's sources move on."""
    if answer.source not in held.splits:
        return False
    return domain == PERSONAL or held.revision(answer.source) == judged.revisions.get(answer.source)


def _of_answers(
    query: Query, answers: Sequence[Answer], split: str, held: HeldOut, domain: str
) -> Iterator[tuple[str, str]]:
    """What is wrong with a query's answers, and what to do about it."""
    found: list[tuple[str, dict[str, Any]]] = []
    for source in sorted({answer.source for answer in answers}):
        if held.splits[source] != split:
            yield (
                f"Its source {source} is in the split `{held.splits[source]}`, not in `{split}`.",
                f"Give the source `split: {split}` in its manifest, or take the query out.",
            )
    for answer in answers:
        units = held.at(answer.source, answer.path, answer.symbol)
        found += [(answer.source, unit) for unit in units]
        if not units:
            place = f"{answer.path} of {answer.source} at {held.revision(answer.source)[:12]}"
            yield (
                f"`{answer.symbol}` is not in {place}.",
                "Correct its path or symbol, or take the answer out.",
            )
    if not found:
        return
    if not any(unit["unit_id"] in held.searched(domain, source) for source, unit in found):
        yield (
            "None of its answers is searched: they are plain tests, or have no body.",
            "Give a definition that is.",
        )
    share = max(share_of_doc(query.query, unit) for _, unit in found)
    if share > heldout.MOST_COPIED:
        yield (
            f"{share:.0%} of its words stand in the doc of its answer.",
            f"Say it in other words: {heldout.MOST_COPIED:.0%} is the most.",
        )


def share_of_doc(query: str, unit: Mapping[str, Any]) -> float:
    """The share of a query's words that stand in the doc of `unit`, a row of `schema.UNITS`."""
    return heldout.share_of_doc(query, f"{unit['doc']} {unit['prose']}")

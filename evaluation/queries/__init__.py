"""Judged queries: what engineers type, with every acceptable answer, as JSON beside this file.

How they are written and checked: docs/evaluation.md. Reading them, and resolving them against units.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from common.config import Settings
from common.errors import ProvenderError

FOLDER = Path(__file__).parent

_Text = Annotated[str, Field(pattern=r"\S")]  # neither empty nor blank


class Answer(Settings):
    """One acceptable answer: every unit of this symbol in this file."""

    source: _Text
    path: _Text
    symbol: _Text


class Query(Settings):
    """One query with its acceptable answers.

    `status` is of personal queries: only what their owner accepted is asked, and what was rejected is not
    proposed again.
    """

    id: _Text
    query: _Text
    style: Literal["what", "keywords", "property", "symptom"]
    dialect: Literal["kani", "verus", "prusti", "creusot"] | None = None
    status: Literal["draft", "accepted", "rejected"] = "accepted"
    answers: Annotated[list[Answer], Field(min_length=1)]


class JudgedSet(Settings):
    """A file of judged queries over sources at fixed revisions (release versions or commits)."""

    name: str
    split: Literal["valid", "test"]
    revisions: dict[str, str]
    queries: list[Query]

    def asked(self) -> JudgedSet:
        """The set without drafts and what was rejected."""
        accepted = [query for query in self.queries if query.status == "accepted"]
        return self.model_copy(update={"queries": accepted})


class JudgedError(ProvenderError):
    """What is wrong with a file of judged queries, or with one of its queries.

    Args:
        query_id: the query, empty where the file itself is wrong.
    """

    def __init__(self, what: str, path: Path, remedy: str, *, query_id: str = "") -> None:
        super().__init__(
            what, where=f"{path}: {query_id}" if query_id else str(path), remedy=remedy
        )


def load_judged(path: Path) -> JudgedSet:
    """Read a judged set.

    Raises:
        ProvenderError: the file breaks the schema, or gives an id or a query twice.
    """
    judged, faults = read_judged(path)
    if judged is None or faults:
        first, *others = faults
        more = f" There are {len(others)} more faults in the file." if others else ""
        raise ProvenderError(
            f"The judged queries cannot be read: {first.what}{more}",
            where=first.where,
            remedy=f"{first.remedy} `provender queries check` tells all.",
        )
    return judged


def read_judged(path: Path) -> tuple[JudgedSet | None, list[JudgedError]]:
    """A judged set with all faults that its file alone shows; no set where the file breaks the schema."""
    raw: Any = None
    try:
        raw = json.loads(path.read_bytes())
        judged = JudgedSet.model_validate(raw)
    except OSError as error:
        return None, [JudgedError(f"{error.strerror}.", path, "Check the path.")]
    except ValidationError as error:
        return None, [_explained(problem, raw, path) for problem in error.errors()]
    except (ValueError, RecursionError) as error:
        told = " ".join(str(error).split())
        return None, [JudgedError(f"This is not valid JSON: {told}.", path, "Correct the syntax.")]
    return judged, [*_repeated(judged, path), *_unreadable(judged, path)]


def _explained(problem: Any, raw: Any, path: Path) -> JudgedError:
    """A breach of the schema, by the id of its query where it has one."""
    place, query_id = list(problem["loc"]), ""
    if place[:1] == ["queries"] and len(place) > 1:
        query = raw["queries"][place[1]]
        query_id = str(query.get("id", "")) if isinstance(query, dict) else ""
        query_id = query_id or f"query {place[1] + 1}"
        place = place[2:]
    key = ".".join(map(str, place))
    message = problem["msg"].removeprefix("Value error, ")
    told = f"`{key}`: {message}." if key else f"{message}."
    return JudgedError(told, path, "Correct it.", query_id=query_id)


_NAMED: Mapping[str, Callable[[Query], str]] = {
    "id": lambda query: query.id.casefold(),
    # Queries that differ in case or white space search for the same.
    "query": lambda query: " ".join(query.query.casefold().split()),
}


def _repeated(judged: JudgedSet, path: Path) -> Iterator[JudgedError]:
    # What was rejected may have been said better since.
    queries = [query for query in judged.queries if query.status != "rejected"]
    for what, value in _NAMED.items():
        times = Counter(map(value, judged.queries if what == "id" else queries))
        for each in (text for text, count in times.items() if count > 1):
            yield JudgedError(f"{what} given twice: {each}.", path, "Give each once.")


def _unreadable(judged: JudgedSet, path: Path) -> Iterator[JudgedError]:
    for query in judged.queries:
        if not query.query.isprintable() or not query.query.strip():
            yield JudgedError(
                "The query is blank, or holds a line's end or another control character.",
                path,
                "Write it on one line.",
                query_id=query.id,
            )
        unknown = sorted({answer.source for answer in query.answers} - {*judged.revisions})
        if unknown:
            yield JudgedError(
                f"`revisions` lacks the source {', '.join(unknown)} of its answers.",
                path,
                "Add the revision at which it was judged.",
                query_id=query.id,
            )


def resolve(
    judged: JudgedSet, units: Iterable[Mapping[str, Any]], pool: Container[str]
) -> list[dict[str, Any]]:
    """The queries with the ids of their answers that lie in the pool.

    Queries whose sources are all absent from `units` are left out: a manifest may hold fewer sources.

    Args:
        judged: the set.
        units: every unit: `source`, `path`, `symbol`, `unit_id`.
        pool: ids of the units that are searched; an answer outside it can not be found.

    Raises:
        ProvenderError: an answer does not exist although its source does, or none is in the pool.
    """
    places: dict[tuple[str, str, str], list[str]] = {}
    present = set()
    for unit in units:
        place = (unit["source"], unit["path"], unit["symbol"])
        places.setdefault(place, []).append(unit["unit_id"])
        present.add(unit["source"])
    missing, rows = [], []
    for query in judged.queries:
        known = [answer for answer in query.answers if answer.source in present]
        found, absent = [], len(missing)
        for answer in known:
            ids = places.get((answer.source, answer.path, answer.symbol))
            if ids is None:
                missing.append(f"{query.id}: {answer.source}/{answer.path} {answer.symbol}")
            else:
                found += ids
        found = sorted({unit for unit in found if unit in pool})
        if known and not found and len(missing) == absent:
            missing.append(f"{query.id}: no answer is searched")
        if found:
            rows.append(
                {
                    "query_id": query.id,
                    "query": query.query,
                    "style": query.style,
                    "dialect": query.dialect,
                    "unit_ids": found,
                }
            )
    if missing:
        raise ProvenderError(
            f"{len(missing)} answers do not exist: {'; '.join(missing[:5])}.",
            where=judged.name,
            remedy="Judge the queries again for the pinned revisions.",
        )
    return rows

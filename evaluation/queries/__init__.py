"""Judged queries: what engineers type, with every acceptable answer, as JSON beside this file.

How they are written and checked: docs/evaluation.md. Resolving them against units is done here.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from common.config import Settings
from common.errors import ProvenderError

FOLDER = Path(__file__).parent


class Answer(Settings):
    """One acceptable answer: every unit of this symbol in this file."""

    source: str
    path: str
    symbol: str


class Query(Settings):
    """One query with its acceptable answers."""

    id: str
    query: str
    style: Literal["what", "keywords", "property", "symptom"]
    dialect: str | None = None
    answers: list[Answer]


class JudgedSet(Settings):
    """A file of judged queries over sources at fixed revisions (release versions or commits)."""

    name: str
    split: Literal["valid", "test"]
    revisions: dict[str, str]
    queries: list[Query]


def load_judged(path: Path) -> JudgedSet:
    """Read a judged set.

    Raises:
        ProvenderError: the file breaks the schema, or gives an id or a query twice.
    """
    try:
        judged = JudgedSet.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ProvenderError(
            f"The judged queries cannot be read: {error}.",
            where=str(path),
            remedy="Correct the file.",
        ) from None
    for attribute in ("id", "query"):
        values = [getattr(query, attribute).casefold() for query in judged.queries]
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            raise ProvenderError(
                f"{attribute} given twice: {', '.join(twice)}.",
                where=str(path),
                remedy="Give each once.",
            )
    return judged


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

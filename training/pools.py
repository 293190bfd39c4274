"""Documents that are searched together, and which of them a query cannot have as a negative."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from common.hashing import digest
from evaluation.bm25 import tokens
from training.mutations import conclusion_shape
from training.mutations.source import squeezed

Row = Mapping[str, Any]
"""A pair, as `training.negatives.COLUMNS` names its columns."""

_MEMBER = re.compile(r"::|\.")


@dataclass(frozen=True, slots=True)
class Shard:
    """Documents searched together and the pairs that they answer, both ordered by pair_id."""

    rows: list[Row]
    documents: list[Row]
    """Of each document, its pair of the lowest id. That pair's `doc_rest` lacks some sentence, as a
    positive's does: by a longer prose, negatives could be told from positives."""
    kin: dict[tuple[str, Any], list[int]]
    """By a trait that makes a document no negative: the documents that have it."""
    shapes: dict[str, list[int]]
    """By the shape of its conclusion: the documents that are lemmas."""


def shards(rows: Sequence[Row], size: int) -> Iterator[Shard]:
    languages: dict[str, dict[tuple[str, ...], list[Row]]] = {}
    for row in rows:
        languages.setdefault(row["language"], {}).setdefault(_document(row), []).append(row)
    for _, documents in sorted(languages.items()):
        # Functions of a file are each other's hardest negatives: they stay side by side.
        ordered = sorted(documents, key=lambda each: (digest(each[0]), each))
        for keys in np.array_split(np.arange(len(ordered)), -(-len(ordered) // size)):
            yield _shard([documents[ordered[key]] for key in keys])


def _document(row: Row) -> tuple[str, ...]:
    return row["file_context"], row["symbol"], row["positive"]


def _shard(groups: list[list[Row]]) -> Shard:
    groups = sorted(groups, key=lambda group: group[0]["pair_id"])
    documents = [group[0] for group in groups]
    kin: dict[tuple[str, Any], list[int]] = defaultdict(list)
    shapes: dict[str, list[int]] = defaultdict(list)
    for at, group in enumerate(groups):
        for trait in {trait for row in group for trait in _traits(row)}:
            kin[trait].append(at)
        if shape := shape_of(group[0]):
            shapes[shape].append(at)
    rows = sorted((row for group in groups for row in group), key=lambda row: row["pair_id"])
    return Shard(rows, documents, kin, shapes)


def _traits(row: Row) -> list[tuple[str, Any]]:
    """A document that shares one of these with a pair is, or may be, another right answer."""
    return [
        ("cluster", row["cluster_id"]),
        ("place", (row["file_context"], row["symbol"])),
        ("code", squeezed(row["positive"])),
        ("query", tuple(tokens(row["query"])) or row["query"]),
    ]


def right_answers(row: Row, shard: Shard) -> list[int]:
    """The documents of `shard` that cannot be negatives of the pair `row`, its own among them.

    Those that share a trait with it, and the types and namespaces of its file that it stands in: they
    may show it.
    """
    owners = [
        ("place", (row["file_context"], row["symbol"][: mark.start()]))
        for mark in _MEMBER.finditer(row["symbol"])
    ]
    return [at for trait in [*_traits(row), *owners] for at in shard.kin.get(trait, [])]


def shape_of(row: Row) -> str | None:
    """The shape of the positive's conclusion, where it is a lemma."""
    return conclusion_shape(row["positive"], row["language"], row["dialect"])

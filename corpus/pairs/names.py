"""Names as prose spells them -> the units that they mean, by symbol, qualifiers and place."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import polars as pl

from corpus.markup.base import is_compound

_SEPARATOR = re.compile(r"::|\.|#")
_RELATIVE = frozenset({"crate", "self", "super", "Self", "this", "prelude"})
"""Qualifiers that say nothing of where a name is defined."""
_NOWHERE = frozenset({"src", "lib", "mod", "main", "index", "__init__", "crates", "packages"})
"""Parts of paths that no name spells out."""
_TYPES = frozenset(
    """
    struct enum union trait type class interface record exception structure inductive datatype sort module
    """.split()
)
_PUBLIC = re.compile(r"pub (?!\()|macro_rules!")
MAX_MEANINGS = 3
_QUALIFIED, _LINKED, _COMPOUND, _TYPE = 1.0, 1.0, 0.9, 0.7


@dataclass(frozen=True, slots=True)
class Meaning:
    """A unit that a name may mean; `score` is 1 at best, and less the more units share the name."""

    unit_id: str
    score: float


@dataclass(frozen=True, slots=True)
class _Unit:
    unit_id: str
    path: str
    kind: str
    symbol: tuple[str, ...]
    place: tuple[str, ...]
    is_public: bool
    has_dots: bool


class Names:
    """The units of one source by name."""

    def __init__(self, units: pl.DataFrame) -> None:
        """`units`: rows of `schema.UNITS`. Plain tests are nobody's answer and mean nothing."""
        self._units: dict[str, list[_Unit]] = {}
        wanted = units.filter(~pl.col("is_test") | pl.col("dialect").is_not_null())
        columns = ("unit_id", "path", "kind", "symbol", "module", "name", "language", "signature")
        for row in wanted.select(columns).iter_rows(named=True):
            self._units.setdefault(row["name"], []).append(_unit(row))

    def meanings(
        self, name: str, path: str, *, linked: Collection[str] = (), is_called: bool = True
    ) -> list[Meaning]:
        """What `name` means in the file `path`.

        Empty where the name is a plain word, or might mean more than three units.

        Args:
            name: as written.
            path: the file in which it stands.
            linked: the files to which its paragraph links.
            is_called: arguments follow; without them, the bare name of a method is that of an option.
        """
        *qualifiers, last = _parts(name)
        found = self._units.get(last) or self._units.get(last.rstrip("!?"), [])
        if last.endswith("!"):
            found = [each for each in found if each.kind == "macro"] or found
        found, weight = _qualified(found, qualifiers, name)
        there = [each for each in found if each.path in linked]
        if there:
            found, weight = there, _LINKED
        elif not weight:
            weight = _weight(last, found, is_called=is_called)
        found = _nearest(_proper(found), path)
        if not weight or not 0 < len(found) <= MAX_MEANINGS:
            return []
        return [Meaning(each.unit_id, weight / len(found)) for each in found]


def _unit(row: dict[str, Any]) -> _Unit:
    is_rust = row["language"] == "rust"
    place = (*_folders(posixpath.splitext(row["path"])[0]), *_parts(row["module"]))
    return _Unit(
        row["unit_id"],
        row["path"],
        row["kind"],
        _parts(row["symbol"]),
        place,
        is_public=not is_rust or _PUBLIC.match(row["signature"]) is not None,
        has_dots=not is_rust,
    )


def _parts(symbol: str) -> tuple[str, ...]:
    return tuple(part for part in _SEPARATOR.split(symbol) if part)


def _folders(path: str) -> list[str]:
    return [each.replace("-", "_") for each in path.split("/") if each not in _NOWHERE]


def _qualified(found: list[_Unit], qualifiers: list[str], name: str) -> tuple[list[_Unit], float]:
    """Those of `found` that the qualifiers admit, and the weight that they give to the name."""
    telling = [each.replace("-", "_") for each in qualifiers if each not in _RELATIVE]
    if not telling:
        return found, 0.0
    admitted = [each for each in found if _admits(telling, each)]
    # `runtime.block_on(…)`: what stands before the dot is a variable.
    is_receiver = "::" not in name and len(qualifiers) == 1 and telling[0][0].islower()
    if is_receiver and not (admitted and all(each.has_dots for each in admitted)):
        return found, 0.0
    return admitted, _QUALIFIED


def _admits(qualifiers: list[str], unit: _Unit) -> bool:
    """True where the qualifiers stand in the unit's place and symbol in this order.

    The last one is the type that the unit belongs to, if it belongs to one.
    """
    owner = unit.symbol[:-1]
    if owner and owner[-1] != qualifiers[-1]:
        return False
    where = iter((*unit.place, *owner))
    return all(each in where for each in qualifiers)


def _weight(last: str, found: list[_Unit], *, is_called: bool) -> float:
    """How much a name without qualifiers is worth: nothing where it is a plain word."""
    is_public = all(each.is_public for each in found)
    if last.startswith("__") or not found:
        return 0.0
    if last[:1].isupper() and all(each.kind in _TYPES for each in found):
        return _COMPOUND if is_compound(last) else _TYPE * (is_public and len(last) > 2)
    # Options, fields and columns are spelled as methods are, but for the arguments.
    is_free = is_public and all(len(each.symbol) == 1 for each in found)
    return _COMPOUND if (is_called or is_free) and is_compound(last) else 0.0


def _proper(found: list[_Unit]) -> list[_Unit]:
    """`found` without what bears a name for another's sake: constructors in their type, Python's stubs."""
    types = {(each.path, each.symbol) for each in found}
    outermost = [each for each in found if (each.path, each.symbol[:-1]) not in types]
    return [each for each in outermost if not each.path.endswith(".pyi")] or outermost


def _nearest(found: list[_Unit], path: str) -> list[_Unit]:
    """Those of `found` that share most folders with `path`, where there are several."""
    folders = path.split("/")[:-1]
    shared = [len(posixpath.commonprefix([folders, each.path.split("/")])) for each in found]
    return [each for each, count in zip(found, shared, strict=True) if count == max(shared)]

"""What the owner of some code might ask about it, as drafts for judged queries; no language model is asked.

The words come from wherever a searcher may know them: messages, remarks, contracts, tests, documents and the
names within a definition. What repeats its doc or spells out its name is no draft, as no judged query may.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from common.hashing import digest
from corpus.heldout import MOST_COPIED, judged_pool, share_of_doc, spells_out
from corpus.pairs.base import normal
from corpus.proposals.base import MIN_WORDS, ROLES, STYLES, SYNTAX, Style, Unit, Wording
from corpus.proposals.named import keyed
from corpus.proposals.said import said
from corpus.text import identifier_words, keywords

__all__ = ["STYLES", "Draft", "Style", "Wording", "drafts"]

_MAX_WORDS = 16
_MAX_TOLD = 60
"""Words of a doc that count."""
_MIN_NEW = 2
"""Words of a query that the definition's own name lacks."""
_NOT_TYPED = re.compile(r"[{}\\;|<>=]|::|->|\(\)|https?:|\n|\w_\w|[a-z][A-Z]|:\w+:")


@dataclass(frozen=True, slots=True)
class Draft:
    """A definition, a row of `schema.UNITS`, and what it might be asked by; the first wording is proposed."""

    unit: Unit
    wordings: tuple[Wording, ...]


def drafts(
    units: pl.DataFrame,
    pairs: pl.DataFrame,
    *,
    count: int,
    seed: int = 0,
    known: Iterable[str] = (),
) -> list[Draft]:
    """At most `count` drafts, the same for the same seed, spread over styles, files and kinds of code.

    Args:
        units: rows of `schema.UNITS` of held-out sources, plain tests among them.
        pairs: rows of `schema.PAIRS` of the same sources.
        seed: another one draws others.
        known: texts that are queries already.
    """
    wanted = judged_pool("personal", units, units["source"].unique().to_list())
    rows = {row["unit_id"]: row for row in wanted.iter_rows(named=True)}
    told = {
        unit_id: {*keywords(unit["prose"].lower(), limit=_MAX_TOLD)} - SYNTAX
        for unit_id, unit in rows.items()
    }
    prose = Counter(word for words in told.values() for word in words)
    proposed = [*said(rows, units, pairs, prose), *keyed(rows.values(), told, prose)]
    found = _fitting(rows, proposed, known)
    order = sorted(found, key=lambda unit_id: digest(seed, unit_id))
    taken: Counter[tuple] = Counter()
    chosen: list[Draft] = []
    while order and len(chosen) < count:
        style = STYLES[len(chosen) % len(STYLES)]
        having = [each for each in order if any(w.style == style for w in found[each])]
        unit_id = min(having or order, key=lambda each: _crowd(rows[each], taken))
        order.remove(unit_id)
        taken.update(_places(rows[unit_id]))
        wordings = sorted(found[unit_id], key=lambda each: each.style != style)
        chosen.append(Draft(rows[unit_id], tuple(wordings)))
    return chosen


def _places(unit: Unit) -> tuple[tuple, ...]:
    kind = (unit["source"], unit["language"], unit["dialect"], unit["kind"])
    return (unit["source"], unit["path"]), kind, (unit["source"],)


def _crowd(unit: Unit, taken: Counter[tuple]) -> tuple[int, ...]:
    """How many of the unit's file, kind and source were drawn already."""
    return tuple(taken[place] for place in _places(unit))


def _fitting(
    rows: Mapping[str, Unit],
    proposed: Iterable[tuple[str, Wording]],
    known: Iterable[str],
) -> dict[str, list[Wording]]:
    """What of `proposed` may be asked, by unit: a text that asks for two definitions asks for neither."""
    asked: dict[str, set[str]] = defaultdict(set)
    fitting: list[tuple[str, Wording]] = []
    for unit_id, wording in proposed:
        asked[normal(wording.query)].add(unit_id)
        if _fits(wording, rows[unit_id]):
            fitting.append((unit_id, wording))
    taken = {normal(text) for text in known}
    found: dict[str, list[Wording]] = {}
    for unit_id, wording in fitting:
        text = normal(wording.query)
        if text not in taken and len(asked[text]) == 1:
            taken.add(text)
            found.setdefault(unit_id, []).append(wording)
    return found


def _fits(wording: Wording, unit: Unit) -> bool:
    query = wording.query
    if not MIN_WORDS <= len(query.split()) <= _MAX_WORDS or _NOT_TYPED.search(query):
        return False
    told = keywords(query, limit=20)
    known = ROLES | set(identifier_words(unit["symbol"]))
    if not query.isprintable() or len(told) < MIN_WORDS or len({*told} - known) < _MIN_NEW:
        return False
    name = [word for word in identifier_words(unit["name"]) if word not in ROLES]
    is_named = len(name) > 1 and set(name) <= set(identifier_words(query))
    return (
        not is_named
        and not spells_out(query, unit["symbol"])
        and share_of_doc(query, f"{unit['doc']} {unit['prose']}") <= MOST_COPIED
    )

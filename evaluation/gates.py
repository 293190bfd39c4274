"""The conditions under which a model becomes the champion, and what was measured of each.

Documentation queries alone mislead: tuning can raise them and sink what people type. So judged queries
decide, all priority sets together, and the rest may not pay for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.metrics import Estimate, paired_difference, paired_p
from evaluation.settings import Gates, Held

Row = dict[str, Any]

TUNED, BASE, CHAMPION, BM25 = "tuned", "base", "champion", "bm25"


@dataclass(frozen=True)
class Evidence:
    """What is known of a model beside its ranks.

    Attributes:
        parity: the greatest difference between export and adapter; null where nobody measured these weights.
        leaking: what of its training is evaluated, in words; empty where nothing is.
        unlicensed: what of it may not be trained on, in words; empty where nothing is.
        champion: whether another model is the champion, which has to be matched.
    """

    parity: float | None
    leaking: str = ""
    unlicensed: str = ""
    champion: bool = False


@dataclass(frozen=True)
class Gate:
    """One condition of promotion: what was measured, and whether that will do."""

    name: str
    passed: bool
    detail: str


def decide(ranks: Sequence[Row], gates: Gates, evidence: Evidence) -> list[Gate]:
    """Every condition. The model is promoted where all have passed.

    Args:
        ranks: rows of the table of ranks: `eval_set`, `system`, `mode`, `query_id`, `rank`.
        gates: the settings.
        evidence: of the model.
    """
    return [
        *on_queries(ranks, gates, champion=evidence.champion),
        _parity(evidence, gates),
        Gate(
            "leakage", not evidence.leaking, evidence.leaking or "nothing evaluated was trained on"
        ),
        Gate(
            "licences",
            not evidence.unlicensed,
            evidence.unlicensed or "all that was trained on is admitted",
        ),
    ]


def on_queries(
    ranks: Sequence[Row], gates: Gates, system: str = TUNED, *, champion: bool = False
) -> list[Gate]:
    """The conditions that ranks alone decide, of whatever `system` was asked.

    Args:
        ranks, gates: as in `decide`.
        champion: whether it has to match the champion.
    """
    known = _Ranks(ranks, gates.mode, system)
    return [
        *_priority(known, gates),
        *([_champion(known, gates.priority.sets)] if champion else []),
        *_held(known, "documentation", gates.documentation),
        _above_bm25(known, gates.documentation.sets),
        *_held(known, "general", gates.general),
    ]


class _Ranks:
    """Reciprocal ranks by set, system and mode, in the order of the queries' ids.

    Attributes:
        judged: the system that the conditions are about.
    """

    def __init__(self, rows: Sequence[Row], mode: str, judged: str) -> None:
        self._mode, self.judged = mode, judged
        self._found: dict[tuple[str, str, str], dict[str, float]] = {}
        for row in rows:
            own = self._found.setdefault((row["eval_set"], row["system"], row["mode"]), {})
            own[row["query_id"]] = 1 / row["rank"]

    def both(
        self, sets: Sequence[str], other: str, modes: tuple[str, str] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Reciprocal ranks of what is judged and another on those queries of `sets` that both were asked.

        Returns:
            Two arrays `(n,)`.
        """
        first, second = modes or (self._mode, self._mode)
        found = [
            (ours[query], theirs[query])
            for name in sets
            for ours, theirs in [
                (
                    self._found.get((name, self.judged, first), {}),
                    self._found.get((name, other, second), {}),
                )
            ]
            for query in sorted(ours.keys() & theirs.keys())
        ]
        values = np.array(found, dtype=float).reshape(-1, 2)
        return values[:, 0], values[:, 1]

    def asked(self, name: str) -> bool:
        return (name, self.judged, self._mode) in self._found


def _priority(known: _Ranks, gates: Gates) -> list[Gate]:
    sets = gates.priority.sets
    name = "judged priority queries: better than the base model, and not by chance"
    ours, theirs = known.both(sets, BASE)
    if not len(ours):
        return [Gate(name, passed=False, detail=_UNASKED)]
    gain, p = paired_difference(ours, theirs), paired_p(ours, theirs)
    found = [
        Gate(
            name,
            gain.mean > 0 and p <= gates.priority.p,
            f"{_told(gain, len(ours))}; p = {p:.3f}, at most {gates.priority.p:g} is asked",
        )
    ]
    for each in sets:
        ours, theirs = known.both([each], BASE)
        if len(ours):
            gain = paired_difference(ours, theirs)
            found.append(
                Gate(
                    f"{each}: not worse than the base model beyond doubt",
                    gain.high >= 0,
                    _told(gain, len(ours)),
                )
            )
    return found


def _champion(known: _Ranks, sets: Sequence[str]) -> Gate:
    ours, theirs = known.both(sets, CHAMPION)
    name = "judged priority queries: not below the champion"
    if not len(ours):
        return Gate(name, passed=False, detail="the champion was not asked; `metrics` says why")
    gain = paired_difference(ours, theirs)
    return Gate(name, gain.mean >= 0, _told(gain, len(ours)))


def _held(known: _Ranks, what: str, held: Held) -> list[Gate]:
    """That the model keeps what its base could; only documentation has to be asked at all."""
    found = []
    for each in held.sets:
        if not known.asked(each) and what != "documentation":
            continue
        ours, theirs = known.both([each], BASE)
        name = f"{each}: loses no more than {held.may_lose:g} to the base model"
        if not len(ours):
            found.append(Gate(name, passed=False, detail=_UNASKED))
            continue
        gain = paired_difference(ours, theirs)
        found.append(Gate(name, gain.mean >= -held.may_lose, _told(gain, len(ours))))
    return found


def _above_bm25(known: _Ranks, sets: Sequence[str]) -> Gate:
    ours, theirs = known.both(sets, BM25, ("hybrid", "lexical"))
    name = "documentation queries: hybrid search beats BM25"
    if not len(ours):
        return Gate(name, passed=False, detail=_UNASKED)
    mine, lexical = float(ours.mean()), float(theirs.mean())
    return Gate(name, mine > lexical, f"MRR {mine:.3f} against {lexical:.3f}")


def _parity(evidence: Evidence, gates: Gates) -> Gate:
    name = "parity of export and adapter"
    if evidence.parity is None:
        return Gate(name, passed=False, detail="not measured for these weights")
    return Gate(
        name,
        evidence.parity <= gates.parity,
        f"{evidence.parity:.1e} apart at most, {gates.parity:.0e} is allowed",
    )


_UNASKED = "not asked: the held-out sources have no such queries"


def _told(gain: Estimate, queries: int) -> str:
    interval = f"{gain.low:+.3f} to {gain.high:+.3f}"
    return f"MRR {gain.mean:+.3f}, 95 % interval {interval}, {queries} queries"


def promoted(gates: Sequence[Gate]) -> bool:
    """Whether all have passed."""
    return all(gate.passed for gate in gates)

"""Systems side by side on held-out queries: BM25 and models, each in its modes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow.parquet as pq

from common.device import Device
from common.errors import ProvenderError
from common.progress import Progress
from evaluation.bm25 import bm25_scores
from evaluation.bm25f import bm25f_scores
from evaluation.documents import Form, fields, render
from evaluation.metrics import (
    NAMES,
    corrected,
    estimate,
    paired_difference,
    paired_p,
    per_query,
    ranks,
)
from evaluation.retrieve import (
    encode,
    maxsim_scores,
    min_max_fusion,
    pooled_scores,
    reciprocal_rank_fusion,
    xtr_scores,
)

if TYPE_CHECKING:
    import torch
    from sentence_transformers import MultiVectorEncoder

VERSION = "4"

ALPHAS = tuple(round(0.05 * step, 2) for step in range(1, 20))
"""Weights of the semantic score in the fusion, tried on validation queries only."""

BM25 = "bm25"
Mode = Literal["lexical", "fields", "semantic", "hybrid", "rrf", "pooled", "xtr"]
"""BM25, MaxSim and both by min-max fusion are what search does; the others stand beside them."""


@dataclass(frozen=True)
class EvalSet:
    """Queries over a pool of documents, both as texts.

    Attributes:
        dialects: of each query, null for what is about no dialect.
        answers: for each query, the positions of its acceptable answers in `documents`.
        fields: of each document, where the form is `indexed`; empty elsewhere.
        unit_ids: the units that the documents are of; empty where they have none.
        domains: of each document, likewise.
    """

    name: str
    form: Form
    query_ids: list[str]
    queries: list[str]
    styles: list[str]
    dialects: list[str | None]
    documents: list[str]
    answers: list[list[int]]
    fields: list[dict[str, str]]
    unit_ids: list[str] = field(default_factory=list)
    domains: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Run:
    """One system on one set.

    Attributes:
        alpha: the fusion weight, null outside hybrid mode.
        ranks: the ranks of each query's answers.
        best: positions of the document ranked first and of the best answer, `(queries, 2)`; null where
            only ranks are known.
    """

    eval_set: str
    system: str
    mode: Mode
    alpha: float | None
    ranks: list[np.ndarray]
    best: np.ndarray | None = None

    @property
    def values(self) -> dict[str, np.ndarray]:
        return per_query(self.ranks)


def read_set(name: str, form: Form, queries: Path, pool: Path) -> EvalSet:
    """Read a set from its two Parquet tables (`schema.QUERIES` and `schema.UNITS`).

    Raises:
        ProvenderError: the set has no query, or an answer of one is not in the pool.
    """
    asked = pq.read_table(queries).to_pylist()
    columns = ["unit_id", "file_context", "symbol", "prose", "code", "domain"]
    units = pq.read_table(pool, columns=columns).to_pylist()
    position = {unit["unit_id"]: index for index, unit in enumerate(units)}
    if not asked:
        raise ProvenderError(
            "The set has no query.",
            where=name,
            remedy="Give the manifest a held-out source that its queries are about.",
        )
    lost = [
        query["query_id"]
        for query in asked
        if not query["unit_ids"] or not position.keys() >= set(query["unit_ids"])
    ]
    if lost:
        raise ProvenderError(
            f"{len(lost)} queries have no answer, or one that is not in the pool: {', '.join(lost[:5])}.",
            where=name,
            remedy="Materialize `eval_queries` again.",
        )
    return EvalSet(
        name=name,
        form=form,
        query_ids=[query["query_id"] for query in asked],
        queries=[query["query"] for query in asked],
        styles=[query["style"] for query in asked],
        dialects=[query["dialect"] for query in asked],
        documents=[render(unit, form) for unit in units],
        answers=[[position[unit] for unit in query["unit_ids"]] for query in asked],
        fields=[fields(unit) for unit in units] if form == "indexed" else [],
        unit_ids=[unit["unit_id"] for unit in units],
        domains=[unit["domain"] for unit in units],
    )


def compare(
    pairs: Sequence[tuple[EvalSet, EvalSet]],
    models: Mapping[str, Callable[[], MultiVectorEncoder]],
    device: Device,
    *,
    retrieved: int = 0,
    beside: Mapping[str, Mapping[str, np.ndarray]] | None = None,
    tell: Callable[[str], object] = lambda _: None,
) -> list[Run]:
    """Every system on every set.

    Args:
        pairs: (validation set, test set) of the same kind; fusion weights are chosen on the first.
        models: by system name; each is loaded when it is asked, and then let go.
        device: where the models run.
        retrieved: tokens that each query token retrieves in the mode `xtr`; 0 leaves the mode out.
        beside: other systems, whose semantic scores are known: by name and set, `(queries, documents)`.
        tell: told now and then which system encodes the documents of which set, and how far it is.
    """
    sets = {each.name: each for pair in pairs for each in pair}.values()
    found = {
        system: scores_of(load(), sets, device, retrieved=retrieved, tell=_named(tell, system))
        for system, load in models.items()
    }
    for system, scores in (beside or {}).items():
        found[system] = {name: {"semantic": each} for name, each in scores.items()}
    runs = []
    for valid, test in pairs:
        lexical_valid = bm25_scores(valid.queries, valid.documents)
        lexical = bm25_scores(test.queries, test.documents)
        runs.append(_run(test, BM25, "lexical", None, lexical))
        if test.fields:
            fielded = bm25f_scores(test.queries, test.fields)
            runs.append(_run(test, BM25, "fields", None, fielded))
        for system, scores in found.items():
            own = scores[test.name]
            semantic = own["semantic"]
            alpha = choose_alpha(scores[valid.name]["semantic"], lexical_valid, valid.answers)
            by_mode: dict[Mode, np.ndarray] = {
                "semantic": semantic,
                "hybrid": min_max_fusion(semantic, lexical, alpha),
                "rrf": reciprocal_rank_fusion(semantic, lexical),
                **{mode: own[mode] for mode in own if mode != "semantic"},
            }
            for mode, found_by in by_mode.items():
                weight = alpha if mode == "hybrid" else None
                runs.append(_run(test, system, mode, weight, found_by))
    return runs


def _named(tell: Callable[[str], object], system: str) -> Callable[[str], object]:
    return lambda said: tell(f"{system}: {said}")


def _run(asked: EvalSet, system: str, mode: Mode, alpha: float | None, scores: np.ndarray) -> Run:
    found, best = ranks(scores, asked.answers), best_documents(scores, asked.answers)
    return Run(asked.name, system, mode, alpha, found, best)


def best_documents(scores: np.ndarray, answers: Sequence[Sequence[int]]) -> np.ndarray:
    """The document ranked first and the best answer of each query, `(queries, 2)`, as positions.

    As in `ranks` a tie counts against the system: of equal documents one that is no answer comes first.
    Else the earlier position does.

    Args:
        scores: `(queries, documents)`.
        answers: for each query, the columns of its acceptable answers; at least one.
    """
    found = np.empty((len(answers), 2), dtype=int)
    for place, (row, columns) in enumerate(zip(scores, answers, strict=True)):
        relevant = np.unique(columns)
        first = np.flatnonzero(row == row.max())
        wrong = np.setdiff1d(first, relevant)
        found[place] = (wrong if len(wrong) else first)[0], relevant[row[relevant].argmax()]
    return found


def scores_of(
    model: MultiVectorEncoder,
    sets: Iterable[EvalSet],
    device: Device,
    *,
    retrieved: int = 0,
    tell: Callable[[str], object] = lambda _: None,
) -> dict[str, dict[Mode, np.ndarray]]:
    """What `model` alone says: by the set's name and the mode, `(queries, documents)`.

    `semantic` and `pooled`; `xtr` where `retrieved` is above 0. What two sets in a row search is encoded
    once.
    """
    model.to(device.accelerator)
    known: dict[str, torch.Tensor] = {}
    found: dict[str, dict[Mode, np.ndarray]] = {}
    for each in sets:
        known = {text: known[text] for text in each.documents if text in known}
        new = [text for text in dict.fromkeys(each.documents) if text not in known]
        if new:
            progress = Progress(tell, f"documents of {each.name} encoded")
            vectors = encode(model, new, "document", autocast=device.autocast(), progress=progress)
            known |= dict(zip(new, vectors, strict=True))
        queries = encode(model, each.queries, "query", autocast=device.autocast())
        documents = [known[text] for text in each.documents]
        found[each.name] = {
            "semantic": maxsim_scores(queries, documents),
            "pooled": pooled_scores(queries, documents),
        }
        if retrieved:
            found[each.name]["xtr"] = xtr_scores(queries, documents, retrieved)
    return found


def choose_alpha(
    semantic: np.ndarray, lexical: np.ndarray, answers: Sequence[Sequence[int]]
) -> float:
    """The fusion weight of `ALPHAS` with the best MRR; the smallest of equals."""
    found = {
        alpha: per_query(ranks(min_max_fusion(semantic, lexical, alpha), answers))["MRR"].mean()
        for alpha in ALPHAS
    }
    return max(found, key=lambda alpha: (found[alpha], -alpha))


def summary(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """One row for each run and metric: mean and 95 % bootstrap interval."""
    rows = []
    for run in runs:
        values = run.values
        for metric in NAMES:
            found = estimate(values[metric])
            rows.append(
                {
                    "eval_set": run.eval_set,
                    "system": run.system,
                    "mode": run.mode,
                    "alpha": run.alpha,
                    "metric": metric,
                    "mean": found.mean,
                    "low": found.low,
                    "high": found.high,
                    "queries": len(run.ranks),
                }
            )
    return rows


def differences(
    runs: Sequence[Run], pairs: Sequence[tuple[tuple[str, Mode], tuple[str, Mode]]]
) -> list[dict[str, Any]]:
    """For each metric and (better, worse) pair of systems, on each set that has both: the paired difference.

    `p` is its own randomization test, `q` that corrected for all rows that are returned.
    """
    by_key = {(run.eval_set, run.system, run.mode): run.values for run in runs}
    rows = []
    for eval_set in dict.fromkeys(run.eval_set for run in runs):
        for (system, mode), (other, other_mode) in pairs:
            ours = by_key.get((eval_set, system, mode))
            theirs = by_key.get((eval_set, other, other_mode))
            if ours is None or theirs is None:
                continue
            for metric in NAMES:
                found = paired_difference(ours[metric], theirs[metric])
                rows.append(
                    {
                        "eval_set": eval_set,
                        "system": f"{system} {mode}",
                        "against": f"{other} {other_mode}",
                        "metric": metric,
                        "difference": found.mean,
                        "low": found.low,
                        "high": found.high,
                        "p": paired_p(ours[metric], theirs[metric]),
                    }
                )
    rates = corrected([row["p"] for row in rows])
    return [{**row, "q": rate} for row, rate in zip(rows, rates, strict=True)]


def per_query_rows(runs: Sequence[Run], sets: Sequence[EvalSet]) -> list[dict[str, Any]]:
    """One row for each run and query: the rank of its best answer and what came first, for a closer look."""
    by_name = {each.name: each for each in sets}
    rows = []
    for run in runs:
        asked = by_name[run.eval_set]
        for query_id, query, style, dialect, own, units in zip(
            asked.query_ids,
            asked.queries,
            asked.styles,
            asked.dialects,
            run.ranks,
            _units(run, asked),
            strict=True,
        ):
            rows.append(
                {
                    "eval_set": run.eval_set,
                    "system": run.system,
                    "mode": run.mode,
                    "query_id": query_id,
                    "query": query,
                    "style": style,
                    "dialect": dialect,
                    "rank": int(own[0]),
                    **units,
                }
            )
    return rows


def _units(run: Run, asked: EvalSet) -> list[dict[str, str | None]]:
    """The units `top` and `gold` of each query; null where the run or the set does not know them."""
    if run.best is None or not asked.unit_ids:
        return [{"top": None, "gold": None}] * len(run.ranks)
    return [{"top": asked.unit_ids[top], "gold": asked.unit_ids[gold]} for top, gold in run.best]

"""What a run is watched on: queries of the validation split, by domain and kind, over documents as search
indexes them. The same sets choose a stage's state and scale, and say what it forgot.

Test queries are never here: nothing may be chosen on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from common.errors import ProvenderError
from evaluation.compare import read_set
from evaluation.documents import render
from evaluation.metrics import per_query, ranks
from evaluation.retrieve import encode, maxsim_scores
from training.recipe import Recipe
from training.recipe import Watch as WatchSettings

if TYPE_CHECKING:
    from sentence_transformers import MultiVectorEncoder

KINDS = {
    "doc": "documentation",
    "prose": "documentation",
    "keywords": "typed",
    "property": "typed",
    "symptom": "typed",
    "implementation": "typed",
    "specification": "specification",
}
"""Kinds of query by `query_kind`. `judged`, the fourth, are those that people wrote."""

_COLUMNS = [
    *("pair_id", "query", "positive", "doc_rest", "file_context", "query_kind", "cluster_id"),
    *("domain", "dialect"),
]
_JUDGED = {"rust": "", "formal": "_formal", "general": "_general", "personal": "_personal"}
"""How the judged sets of a domain are called in the lake: `judged_formal_valid.parquet`."""


@dataclass(frozen=True)
class WatchSet:
    """Queries of one domain and kind.

    Attributes:
        pool: which documents they search.
        answers: for each query, the positions of its acceptable answers in its pool.
    """

    domain: str
    kind: str
    pool: str
    queries: list[str]
    answers: list[list[int]]


class Watch:
    """The validation sets of `recipe`.

    Args:
        valid: Parquet table or folder of the pairs of split `valid`.
        judged: folder with judged validation queries and their pools, where there is one.

    Raises:
        ProvenderError: there is nothing to watch by, or a table is unreadable.
    """

    def __init__(self, recipe: Recipe, valid: Path, judged: Path | None = None) -> None:
        self._temperature = recipe.objective.temperature
        self._deciding = recipe.watch.domains
        self.pools: dict[str, list[str]] = {}
        self.domains: dict[str, list[str]] = {}
        """Of each document of each pool."""
        self.sets: list[WatchSet] = []
        for domain, rows in _by_domain(_read(valid)):
            self._add(domain, rows, recipe)
        if judged is not None:
            self._add_judged(judged, recipe.watch)
        if not self.sets:
            raise ProvenderError(
                "No validation pair is there to watch the run by.",
                where=str(valid),
                remedy="Hold a source out (`split: valid` in the manifest), or leave --valid out.",
            )

    def measure(
        self, encoder: MultiVectorEncoder, autocast: AbstractContextManager
    ) -> dict[str, float]:
        """MRR, P@1 and recall@5 of each set by `METRIC/DOMAIN/KIND`, `loss/DOMAIN`, and `MRR`, the `overall`
        one of what decides.

        The loss is the cross-entropy of a query's scores over its whole pool at the training temperature.
        """
        vectors = {
            name: encode(encoder, texts, "document", autocast=autocast)
            for name, texts in self.pools.items()
        }
        found: dict[str, float] = {}
        losses: dict[str, list[np.ndarray]] = {}
        for each in self.sets:
            queries = encode(encoder, each.queries, "query", autocast=autocast)
            scores = maxsim_scores(queries, vectors[each.pool])
            values = per_query(ranks(scores, each.answers))
            for metric in ("MRR", "P@1", "recall@5"):
                found[f"{metric}/{each.domain}/{each.kind}"] = float(values[metric].mean())
            losses.setdefault(each.domain, []).append(
                _losses(scores / self._temperature, each.answers)
            )
        found |= {
            f"loss/{name}": float(np.concatenate(all_).mean()) for name, all_ in losses.items()
        }
        return {"MRR": overall(self.deciding(mrr(found))), **found}

    def deciding(self, values: Mapping[tuple[str, str], float]) -> dict[tuple[str, str], float]:
        """Those of `values`, by (domain, kind), that choose a state and a scale.

        Of the recipe's `watch.domains`; where none of these has a query, all.
        """
        own = {key: value for key, value in values.items() if key[0] in self._deciding}
        return own or dict(values)

    def _add(self, domain: str, rows: list[Mapping[str, Any]], recipe: Recipe) -> None:
        watch = recipe.watch
        chosen = {
            kind: [r for r in rows if KINDS.get(r["query_kind"]) == kind] for kind in _kinds()
        }
        chosen = {kind: some[: watch.queries] for kind, some in chosen.items()}
        asked = [row for some in chosen.values() for row in some]
        ids = {row["pair_id"] for row in asked}
        others = (row for row in rows if row["pair_id"] not in ids)
        places: dict[str, int] = {}
        clusters: dict[str, set[int]] = {}
        for row in (*asked, *others):
            if row["pair_id"] not in ids and len(places) >= watch.documents:
                break
            place = places.setdefault(_document(row), len(places))
            clusters.setdefault(row["cluster_id"], set()).add(place)
        if len(places) < 2:
            return
        self.pools[domain] = list(places)
        self.domains[domain] = [domain] * len(places)
        self.sets += [
            WatchSet(
                domain,
                kind,
                domain,
                [row["query"] for row in some],
                [sorted(clusters[row["cluster_id"]]) for row in some],
            )
            for kind, some in chosen.items()
            if some
        ]

    def _add_judged(self, folder: Path, watch: WatchSettings) -> None:
        for domain, infix in _JUDGED.items():
            queries, pool = (folder / f"{name}{infix}_valid.parquet" for name in ("judged", "pool"))
            if not queries.is_file() or ds.dataset(queries).count_rows() == 0:
                continue
            found = read_set(f"judged_{domain}", "indexed", queries, pool)
            # Twice as many as of other kinds, since people wrote them; spread over the file.
            step = max(1, -(-len(found.queries) // (2 * watch.queries)))
            queries, answers = found.queries[::step], found.answers[::step]
            # All answers, and others from the whole pool up to the number that is asked for.
            wanted = sorted({place for each in answers for place in each})
            others = np.delete(np.arange(len(found.documents)), wanted)
            missing = max(0, watch.documents - len(wanted))
            step = max(1, len(others) // max(1, missing))
            kept = sorted([*wanted, *others[::step][:missing].tolist()])
            position = {place: number for number, place in enumerate(kept)}
            self.pools[found.name] = [found.documents[place] for place in kept]
            self.domains[found.name] = [found.domains[place] for place in kept]
            placed = [[position[place] for place in each] for each in answers]
            self.sets.append(WatchSet(domain, "judged", found.name, queries, placed))


def mrr(found: Mapping[str, float]) -> dict[tuple[str, str], float]:
    """The MRR of each (domain, kind) among the figures of `Watch.measure`."""
    parts = {tuple(name.split("/")): value for name, value in found.items()}
    return {
        (part[1], part[2]): value for part, value in parts.items() if part[0] == "MRR" and part[1:]
    }


def overall(values: Mapping[tuple[str, str], float]) -> float:
    """One figure of the MRRs by (domain, kind): half the mean of the judged sets, half that of the others.

    What people wrote decides as much as all that was made from docs: training raises the one kind easily and
    sinks the other.
    """
    groups = ([], [])
    for (_, kind), value in values.items():
        groups[kind == "judged"].append(value)
    means = [float(np.mean(group)) for group in groups if group]
    return float(np.mean(means))


def _kinds() -> Iterable[str]:
    return dict.fromkeys(KINDS.values())


def _document(row: Mapping[str, Any]) -> str:
    definition = {**row, "code": row["positive"], "prose": row["doc_rest"]}
    return render(definition, "indexed")


def _losses(logits: np.ndarray, answers: Sequence[Sequence[int]]) -> np.ndarray:
    top = logits.max(axis=1, keepdims=True)
    whole = np.log(np.exp(logits - top).sum(axis=1)) + top[:, 0]
    own = np.array([row[columns].max() for row, columns in zip(logits, answers, strict=True)])
    return whole - own


def _by_domain(rows: list[dict[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """Rows by domain, each in the order of their ids, which are hashes: a stable sample.

    What is written for a verifier is formal, whatever its source is.
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row["pair_id"]):
        found.setdefault("formal" if row["dialect"] else row["domain"], []).append(row)
    return sorted(found.items())


def _read(valid: Path) -> list[dict[str, Any]]:
    try:
        table = ds.dataset(valid, format="parquet")
        rows = table.to_table(columns=_COLUMNS)
        splits = ["valid"]
        if "split" in table.schema.names:
            splits = table.to_table(columns=["split"])["split"].unique().to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise ProvenderError(
            f"The validation pairs cannot be read: {str(error).splitlines()[0]}",
            where=str(valid),
            remedy="Materialize the asset `corpus` again.",
        ) from None
    if set(splits) - {"valid"}:
        raise ProvenderError(
            f"These are no validation pairs but of split {', '.join(sorted(set(splits) - {'valid'}))}.",
            where=str(valid),
            remedy="Give pairs of split `valid`: test pairs are for the report, and train pairs were seen.",
        )
    return rows.to_pylist()

"""How the router is learned: a classifier of the corpus's queries by domain, from the base model's pooled
embedding of each, calibrated, and a threshold below which a query goes to two experts. `evaluation.routing`
uses it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from common.atomic import replacing_folder, write_json
from common.device import Device, pick
from common.errors import ProvenderError
from common.hashing import digest
from evaluation.metrics import per_query, ranks
from evaluation.routing import (
    MANIFEST,
    WEIGHTS,
    Route,
    Router,
    combined,
    confusion,
    embed,
    encode_documents,
    routes,
    scores_by_adapter,
)
from training.checkpoint import data_version
from training.experts import Experts, identified
from training.watch import Watch, overall

VERSION = "1"
"""Raise it when the code of learning changes what it gives."""

NAME = "router"
"""What its folder is called, beside the experts'."""

PER_KIND = 300
"""Queries of each domain and kind that it learns from, at most."""

FEWEST = 25
"""Queries of a domain without which it is not learned."""

THRESHOLDS = (0.0, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""0 sends every query to one expert, 1 every query to two."""

_HELD_OUT = 0.2
"""Share of the queries that the temperature is fitted on."""

_SEED = 7
_BINS = 10


def make_router(
    experts: Mapping[str, Path],
    output: Path,
    *,
    corpus: Path,
    valid: Path,
    judged: Path | None = None,
) -> dict[str, Any]:
    """Learn to route between `experts` and write that to `output`, unless the same is there already.

    Args:
        experts: their checkpoints by domain, at least two.
        corpus: the pairs of split `train`, whose queries are learned from.
        valid, judged: validation pairs and judged validation queries, by which the threshold is chosen.

    Returns:
        The manifest, with `made` added: false where nothing had to be done.

    Raises:
        ProvenderError: the experts cannot be used together, or a domain has too few queries.
    """
    if len(experts) < 2:
        raise ProvenderError(
            f"Among {len(experts)} experts there is nothing to route.",
            where="experts",
            remedy="Write at least two of them into the curriculum, and train them.",
        )
    recipe, fingerprints = identified(experts)
    data = data_version(corpus, valid, judged)
    everyone = recipe.watch.model_copy(update={"domains": []})
    current = digest(VERSION, fingerprints, data, everyone.model_dump(mode="json"))
    try:
        known = Router.load(output).manifest
    except ProvenderError:
        known = {"fingerprint": ""}  # there is none, or it is damaged: it is made
    if known["fingerprint"] == current:
        return {**known, "made": False}
    sample = _sampled(corpus, list(experts))
    loaded = Experts.load(experts)
    device = pick(recipe.accelerator, recipe.precision)
    loaded.to(device.accelerator)
    router, fitted = _fitted(
        embed(loaded, [row["query"] for row in sample], device), sample, experts
    )
    watch = Watch(recipe.model_copy(update={"watch": everyone}), valid, judged)
    chosen = _validated(router, loaded, watch, device)
    manifest = {
        "fingerprint": current,
        "domains": list(router.domains),
        "fingerprints": fingerprints,
        "data_version": data,
        "queries": _counted(sample),
        **fitted,
        **chosen,
    }
    write_router(router, manifest, output)
    return {**manifest, "made": True}


def _sampled(corpus: Path, domains: Sequence[str]) -> list[dict[str, str]]:
    """Up to `PER_KIND` queries of each domain and kind, those whose ids, which are hashes, come first."""
    columns = ["pair_id", "query", "query_kind", "domain"]
    groups: dict[tuple[str, str], dict[str, dict[str, str]]] = {}
    try:
        for batch in ds.dataset(corpus, format="parquet").to_batches(columns=columns):
            for row in batch.to_pylist():
                if row["domain"] in domains:
                    key = (row["domain"], row["query_kind"])
                    groups.setdefault(key, {}).setdefault(row["query"], row)
            for key, rows in groups.items():
                first = sorted(rows.values(), key=lambda row: row["pair_id"])[:PER_KIND]
                groups[key] = {row["query"]: row for row in first}
    except (OSError, pa.ArrowInvalid) as error:
        raise ProvenderError(
            f"The corpus cannot be read: {str(error).splitlines()[0]}",
            where=str(corpus),
            remedy="Materialize the asset `corpus` again.",
        ) from None
    found = [row for _, rows in sorted(groups.items()) for row in rows.values()]
    for domain in domains:
        count = sum(row["domain"] == domain for row in found)
        if count < FEWEST:
            raise ProvenderError(
                f"{count} queries of the domain `{domain}` are too few to learn to route by.",
                where=str(corpus),
                remedy="Add sources of that domain, or take its expert out of the curriculum.",
            )
    return found


def _counted(sample: Sequence[Mapping[str, str]]) -> dict[str, dict[str, int]]:
    """How many queries of each domain and kind."""
    found: dict[str, dict[str, int]] = {}
    for row in sample:
        kinds = found.setdefault(row["domain"], {})
        kinds[row["query_kind"]] = kinds.get(row["query_kind"], 0) + 1
    return found


def _fitted(
    embeddings: np.ndarray, sample: Sequence[Mapping[str, str]], domains: Mapping[str, Path]
) -> tuple[Router, dict[str, Any]]:
    """The classifier, and how well it does on the queries that it did not learn from."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, train_test_split

    names = tuple(domains)
    labels = np.array([names.index(row["domain"]) for row in sample])
    seen, held, seen_labels, held_labels = train_test_split(
        embeddings, labels, test_size=_HELD_OUT, stratify=labels, random_state=_SEED
    )
    search = GridSearchCV(
        LogisticRegression(class_weight="balanced", max_iter=2000),
        {"C": [1.0, 10.0, 100.0]},
        scoring="neg_log_loss",
        cv=3,
    ).fit(seen, seen_labels)
    best = search.best_estimator_
    calibrated = CalibratedClassifierCV(FrozenEstimator(best), method="temperature")
    calibrated.fit(held, held_labels)
    fitted: Any = calibrated.calibrated_classifiers_
    beta = float(fitted[0].calibrators[0].beta_)
    coefficients, intercepts = best.coef_, best.intercept_
    if len(names) == 2:  # one row for both, of which scikit-learn makes the logits -x and x
        coefficients = np.concatenate([-coefficients, coefficients])
        intercepts = np.concatenate([-intercepts, intercepts])
    router = Router(
        names,
        (beta * coefficients).astype(np.float32),
        (beta * intercepts).astype(np.float32),
    )
    probabilities = router.probabilities(np.asarray(held))
    return router, {
        "regularization": float(search.best_params_["C"]),
        "temperature": 1 / beta,
        "held_out": _figures(probabilities, [names[each] for each in held_labels], names),
    }


def _figures(
    probabilities: np.ndarray, own: Sequence[str], domains: tuple[str, ...]
) -> dict[str, Any]:
    """Accuracy, calibration error and confusion matrix on queries whose domain is known."""
    right = np.array([domains[row.argmax()] for row in probabilities]) == np.array(own)
    best = probabilities.max(axis=1)
    return {
        "queries": len(own),
        "accuracy": float(right.mean()),
        "calibration_error": calibration_error(best, right),
        "confusion": confusion(routes(probabilities, domains, 0.0), own, domains),
    }


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """The expected calibration error (Guo et al. 2017) in ten bins of equal width.

    Args:
        confidence: of each answer, 0 to 1.
        right: whether it was one.
    """
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = [
        (bins == each).mean() * abs(confidence[bins == each].mean() - right[bins == each].mean())
        for each in np.unique(bins)
    ]
    return float(sum(gaps))


def _validated(router: Router, experts: Experts, watch: Watch, device: Device) -> dict[str, Any]:
    """The threshold with the best MRR on validation queries (the smallest of equals), and how routing did."""
    documents = {
        name: encode_documents(experts, texts, watch.domains[name], device)
        for name, texts in watch.pools.items()
    }
    values: dict[float, dict[tuple[str, str], float]] = {each: {} for each in THRESHOLDS}
    doubtful: dict[float, list[bool]] = {each: [] for each in THRESHOLDS}
    known: dict[bool, tuple[list[np.ndarray], list[str]]] = {False: ([], []), True: ([], [])}
    for each in watch.sets:
        probabilities = router.probabilities(embed(experts, each.queries, device))
        by_adapter = scores_by_adapter(experts, each.queries, documents[each.pool], device)
        for threshold in THRESHOLDS:
            chosen = routes(probabilities, router.domains, threshold)
            values[threshold][each.domain, each.kind] = _mrr(by_adapter, chosen, each.answers)
            doubtful[threshold] += [len(route) > 1 for route in chosen]
        if each.domain in router.domains:
            rows, own = known[each.kind == "judged"]
            rows.append(probabilities)
            own += [each.domain] * len(each.queries)
    found = {threshold: overall(own) for threshold, own in values.items()}
    best = max(THRESHOLDS, key=lambda threshold: (found[threshold], -threshold))
    return {
        "threshold": best,
        "thresholds": [
            {
                "threshold": threshold,
                "MRR": round(found[threshold], 6),
                "to_two": float(np.mean(doubtful[threshold])),
            }
            for threshold in THRESHOLDS
        ],
        "validation": {
            ("judged queries" if judged else "pairs"): _figures(
                np.concatenate(rows), own, router.domains
            )
            for judged, (rows, own) in known.items()
            if rows
        },
    }


def _mrr(
    by_adapter: Mapping[str, np.ndarray], chosen: Sequence[Route], answers: list[list[int]]
) -> float:
    return float(per_query(ranks(combined(by_adapter, chosen), answers))["MRR"].mean())


def write_router(router: Router, manifest: Mapping[str, Any], output: Path) -> None:
    """Write what `Router.load` reads, in place of what was at `output`."""
    from safetensors.numpy import save_file

    weights = {"coefficients": router.coefficients, "intercepts": router.intercepts}
    with replacing_folder(output) as folder:
        contiguous = {name: np.ascontiguousarray(each) for name, each in weights.items()}
        save_file(contiguous, folder / WEIGHTS)
        write_json(manifest, folder / MANIFEST)

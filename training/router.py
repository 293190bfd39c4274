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
    EMBEDDINGS,
    ENCODER,
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

VERSION = "2"
"""Raise it when the code of learning changes what it gives."""

NAME = "router"
"""What its folder is called, beside the experts'."""

PER_KIND = 300
"""Queries of each domain and kind that it learns from, at most."""

FEWEST = 25
"""Queries of a domain without which it is not learned."""

THRESHOLDS = (0.0, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""0 sends every query to one expert, 1 to two whatever the router is not certain of."""

WORTH = 0.02
"""Accuracy on validation queries that the base model's token vectors have to gain over its embeddings alone:
they cost a query another reading."""

GAIN = 0.005
"""MRR on validation queries that a second expert's reading has to gain: less is chance, and it takes as long
as the first."""

_HELD_OUT_NAME = "queries held out"

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
    watch = Watch(recipe.model_copy(update={"watch": everyone}), valid, judged)
    tried = {
        reads: _fitted(loaded, sample, reads, watch, device) for reads in (EMBEDDINGS, ENCODER)
    }
    reads = _read(tried[EMBEDDINGS][1], tried[ENCODER][1])
    router, fitted = tried[reads]
    manifest = {
        "fingerprint": current,
        "domains": list(router.domains),
        "reads": reads,
        "fingerprints": fingerprints,
        "data_version": data,
        "queries": _counted(sample),
        **fitted,
        **_threshold(router, loaded, watch, device),
        "tried": {name: _accuracies(each) for name, (_, each) in tried.items()},
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


def _read(embeddings: Mapping[str, Any], encoder: Mapping[str, Any]) -> str:
    """What is read of a query: the embeddings, unless the encoder's vectors route enough better."""
    gains = [
        _accuracies(encoder)[name] - value
        for name, value in _accuracies(embeddings).items()
        if name != _HELD_OUT_NAME
    ]
    return ENCODER if np.mean(gains) > WORTH else EMBEDDINGS


def _accuracies(fitted: Mapping[str, Any]) -> dict[str, float]:
    """Of queries held out, and of each kind of validation queries."""
    parts = {_HELD_OUT_NAME: fitted["held_out"], **fitted["validation"]}
    return {name: each["accuracy"] for name, each in parts.items()}


def _fitted(
    experts: Experts,
    sample: Sequence[Mapping[str, str]],
    reads: str,
    watch: Watch,
    device: Device,
) -> tuple[Router, dict[str, Any]]:
    """The classifier, and how well it does on queries that it did not learn from."""
    embeddings = embed(experts, [row["query"] for row in sample], device, reads)
    router, found = _classifier(embeddings, sample, experts.domains, reads)
    return router, {**found, "validation": _validated(router, experts, watch, device)}


def _classifier(
    embeddings: np.ndarray,
    sample: Sequence[Mapping[str, str]],
    names: tuple[str, ...],
    reads: str,
) -> tuple[Router, dict[str, Any]]:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, train_test_split

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
        reads,
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


def _validated(
    router: Router, experts: Experts, watch: Watch, device: Device
) -> dict[str, dict[str, Any]]:
    """Where the router sends validation queries, of pairs and judged ones apart."""
    known: dict[str, tuple[list[np.ndarray], list[str]]] = {}
    for each in watch.sets:
        if each.domain in router.domains:
            kind = "judged queries" if each.kind == "judged" else "pairs"
            rows, own = known.setdefault(kind, ([], []))
            embeddings = embed(experts, each.queries, device, router.reads)
            rows.append(router.probabilities(embeddings))
            own += [each.domain] * len(each.queries)
    return {
        kind: _figures(np.concatenate(rows), own, router.domains)
        for kind, (rows, own) in known.items()
    }


def _threshold(router: Router, experts: Experts, watch: Watch, device: Device) -> dict[str, Any]:
    """The `cheapest` threshold by MRR on validation queries, and what each reached."""
    documents = {
        name: encode_documents(experts, texts, watch.domains[name], device)
        for name, texts in watch.pools.items()
    }
    values: dict[float, dict[tuple[str, str], float]] = {each: {} for each in THRESHOLDS}
    doubtful: dict[float, list[bool]] = {each: [] for each in THRESHOLDS}
    for each in watch.sets:
        embeddings = embed(experts, each.queries, device, router.reads)
        probabilities = router.probabilities(embeddings)
        by_adapter = scores_by_adapter(experts, each.queries, documents[each.pool], device)
        for threshold in THRESHOLDS:
            chosen = routes(probabilities, router.domains, threshold)
            values[threshold][each.domain, each.kind] = _mrr(by_adapter, chosen, each.answers)
            doubtful[threshold] += [len(route) > 1 for route in chosen]
    found = {threshold: overall(own) for threshold, own in values.items()}
    best = cheapest(found)
    rows = [
        {"threshold": each, "MRR": round(found[each], 6), "to_two": float(np.mean(doubtful[each]))}
        for each in THRESHOLDS
    ]
    return {"threshold": best, "thresholds": rows}


def cheapest(reached: Mapping[float, float]) -> float:
    """The smallest threshold that reaches the best MRR but for `GAIN`."""
    return min(each for each, value in reached.items() if value >= max(reached.values()) - GAIN)


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

"""One model of all experts: their adapters combined by peft's weighted merges, the method and the weights
chosen on validation queries. The rival of routing; how the experts are loaded is `training.experts`.

What comes out is a checkpoint as any other, whose adapter stands on the experts' base model: it can be
searched with, evaluated and exported. Its manifest names what it was made of in `merged_from`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from common.atomic import replacing_folder, write_json
from common.errors import ProvenderError
from common.hashing import digest
from common.progress import Progress
from evaluation.routing import BASE
from training.checkpoint import (
    MANIFEST,
    PROVENANCE,
    base_version,
    data_version,
    fingerprint,
    is_current,
    read_manifest,
    versions_of_code,
    write_files,
)
from training.experts import Experts, identified
from training.recipe import Recipe
from training.watch import Watch, mrr

VERSION = "1"
"""Raise it when the code of combining changes what it gives."""

NAME = "merged"
"""What the checkpoint is called, below `models/` and among the systems of the evaluation."""

METHODS = ("cat", "linear", "ties", "dare_linear", "dare_ties")
"""`cat` is the weighted sum of the weight changes, exactly. The others work on the two factors of each
change, as peft does where ranks are equal; where they differ, on the changes themselves, which an SVD cuts
to the largest rank (`linear` is `svd` then)."""

DENSITY = 0.5
"""Share of the values that TIES and DARE keep."""


@dataclass(frozen=True)
class Candidate:
    """A way to combine: peft's method, and the weight of each expert by domain."""

    method: str
    weights: dict[str, float]


def combine(
    experts: Mapping[str, Path],
    output: Path,
    *,
    valid: Path,
    judged: Path | None = None,
    tell: Callable[[str], object] = lambda _: None,
) -> dict[str, Any]:
    """Write the best combination of `experts` to `output`, unless the same is there already.

    The best has the highest MRR (`training.watch.overall`, all domains) of those that lose no more than the
    recipe's `watch.allowed_loss` to the base model; where all lose more, the one that loses least.

    Args:
        experts: their checkpoints by domain, at least two.
        valid, judged: validation pairs and judged validation queries.
        tell: told now and then how far it is.

    Returns:
        The manifest, with `combined` added: false where nothing had to be done.

    Raises:
        ProvenderError: the experts cannot be used together, or there are too few.
    """
    if len(experts) < 2:
        raise ProvenderError(
            f"{len(experts)} experts cannot be combined.",
            where="experts",
            remedy="Write at least two of them into the curriculum, and train them.",
        )
    first, fingerprints = identified(experts)
    recipe = first.model_copy(
        update={"stage": NAME, "watch": first.watch.model_copy(update={"domains": []})}
    )
    manifests = {domain: read_manifest(place) for domain, place in experts.items()}
    data = digest(
        *(VERSION, data_version(valid, judged=judged), fingerprints),
        {domain: each["fingerprint"] for domain, each in manifests.items()},
    )
    current = fingerprint(recipe, data, base_version(recipe.base_model))
    if is_current(output, current):
        return {**read_manifest(output), "combined": False}
    loaded = Experts.load(experts)
    chosen, table, retention = _choose(
        loaded, recipe, Watch(recipe, valid, judged), Progress(tell, "combinations measured")
    )
    manifest = {
        "stage": NAME,
        "parent": recipe.base_model,
        "root": recipe.base_model,
        "lineage": [],
        "fingerprint": current,
        "config": recipe.model_dump(mode="json"),
        "data_version": data,
        "sources": _sources(manifests.values()),
        "code_version": versions_of_code(),
        "metrics": {},
        "history": [],
        "looks": [],
        "retention": retention,
        "speed": {},
        "tracking": {},
        "merged_from": {
            domain: {"fingerprint": each["fingerprint"], "weight": chosen.weights[domain]}
            for domain, each in manifests.items()
        },
        "method": chosen.method,
        "tried": table,
    }
    with replacing_folder(output) as folder:
        _save(loaded, chosen, folder, recipe.seed)
        _write_provenance(experts.values(), folder / PROVENANCE)
        write_json(manifest, folder / MANIFEST)
    return {**manifest, "combined": True}


def candidates(domains: Sequence[str]) -> list[Candidate]:
    """What is tried: each method with all experts alike, weights of 1 or 2 in all, and with each leading."""
    count = len(domains)
    weightings = [dict.fromkeys(domains, total / count) for total in (1.0, 2.0)]
    weightings += [
        {each: 0.5 if each == leader else 0.5 / (count - 1) for each in domains}
        for leader in domains
    ]
    unlike = [each for place, each in enumerate(weightings) if each not in weightings[:place]]
    return [Candidate(method, weights) for method in METHODS for weights in unlike]


def _choose(
    experts: Experts, recipe: Recipe, watch: Watch, progress: Progress
) -> tuple[Candidate, list[dict[str, Any]], dict[str, Any]]:
    """The best candidate, what each one reached, and the base and the best as a stage's `retention`."""
    from common.device import pick
    from training.retention import best_scale

    device = pick(recipe.accelerator, recipe.precision)
    experts.to(device.accelerator)
    tried = candidates(experts.domains)
    found = {0.0: mrr(watch.measure(experts.use(BASE), device.autocast()))}
    table = []
    for number, candidate in enumerate(tried, 1):
        figures = _measured(experts, candidate, recipe.seed, watch, device.autocast())
        found[float(number)] = mrr(figures)
        progress(number, len(tried))
        table.append({**asdict(candidate), "MRR": round(figures["MRR"], 6)})
    numbers = [float(number) for number in range(1, len(tried) + 1)]
    best, retained = best_scale(found, numbers, recipe.watch.allowed_loss)
    sizes = {(each.domain, each.kind): len(each.queries) for each in watch.sets}
    rows = [
        {"scale": scale, "domain": key[0], "kind": key[1], "MRR": value, "queries": sizes[key]}
        for scale, number in ((0.0, 0.0), (1.0, best))
        for key, value in found[number].items()
    ]
    retention = {"scale": 1.0, "retained": retained, "rows": rows}
    return tried[int(best) - 1], table, retention


def _measured(
    experts: Experts,
    candidate: Candidate,
    seed: int,
    watch: Watch,
    autocast: AbstractContextManager,
) -> dict[str, float]:
    name = add(experts, candidate, seed)
    try:
        with experts.merged(name) as encoder:
            return watch.measure(encoder, autocast)
    finally:
        remove(experts, name)


def add(experts: Experts, candidate: Candidate, seed: int) -> str:
    """Put the adapter that `candidate` gives beside those of `experts`; what it is called.

    Args:
        seed: DARE drops values at random.
    """
    import torch

    from training.model import adapter_of

    adapted = adapter_of(experts.use(experts.domains[0]))
    alike = len({adapted.peft_config[each].r for each in experts.domains}) == 1  # type: ignore[attr-defined]
    method = candidate.method
    if not alike and method != "cat":
        method = "svd" if method == "linear" else f"{method}_svd"
    torch.manual_seed(seed)
    with torch.no_grad():
        adapted.base_model.add_weighted_adapter(  # type: ignore[operator]
            list(candidate.weights),
            list(candidate.weights.values()),
            NAME,
            combination_type=method,
            density=None if method in ("cat", "linear", "svd") else DENSITY,
            svd_full_matrices=False,
        )
    return NAME


def remove(experts: Experts, name: str) -> None:
    """Take an adapter that `add` made away again."""
    from training.model import adapter_of

    adapter_of(experts.use(experts.domains[0])).delete_adapter(name)


def _save(experts: Experts, candidate: Candidate, folder: Path, seed: int) -> None:
    from training.model import ADAPTER, adapter_of

    experts.to("cpu")
    name = add(experts, candidate, seed)
    adapted = adapter_of(experts.use(name))
    with tempfile.TemporaryDirectory(dir=folder) as place:
        # peft gives an adapter with a name a folder of that name.
        adapted.save_pretrained(place, selected_adapters=[name], safe_serialization=True)
        (Path(place) / name).rename(folder / ADAPTER)


def _sources(manifests: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The sources of all experts, each once, with the pairs of all."""
    found: dict[tuple[str, str, str], int] = {}
    for manifest in manifests:
        for row in manifest["sources"]:
            key = (row["source"], row["revision"], row["license"])
            found[key] = found.get(key, 0) + row["pairs"]
    return [
        {"source": key[0], "revision": key[1], "license": key[2], "pairs": pairs}
        for key, pairs in sorted(found.items())
    ]


def _write_provenance(checkpoints: Iterable[Path], path: Path) -> None:
    write_files([pq.read_table(each / PROVENANCE) for each in checkpoints], path)

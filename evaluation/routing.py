"""Which expert answers a query: the router, and the scores of queries and documents that several adapters
read.

A document is encoded by the adapter of its own domain, which is known, once; by the base model where that
domain has none. A query is encoded by the adapter that it is routed to. So MaxSim compares vectors of
different adapters: a query that went to `rust` is scored, as the adapter `rust` encodes it, against all
documents, each as its own adapter encoded it. Feature distillation holds every adapter near one base;
whether that is near enough is what `tests.benchmarks.experts` measures.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from scipy.special import softmax

from common.device import Device
from common.errors import ProvenderError
from common.progress import Progress, silent
from evaluation.retrieve import encode, maxsim_scores, min_max, pooled

if TYPE_CHECKING:
    import torch
    from sentence_transformers import MultiVectorEncoder

    from evaluation.compare import EvalSet

BASE = "base"
"""The base model among the experts: no adapter."""

WEIGHTS, MANIFEST = "router.safetensors", "router.json"
ROUTED, ORACLE, FIXED = "routed", "oracle", "fixed:"
"""Systems: by the router; by the domain of the answer, which nobody knows; every query to one adapter."""

ENCODER, EMBEDDINGS = "encoder", "embeddings"
"""What a router reads of a query: the base model's token vectors, for which the query passes through all of
its layers once more; or the token embeddings that its first layer gets, which cost nearly nothing."""

_AT_ONCE = 512
"""Queries whose embeddings are looked up together."""

Route = dict[str, float]
"""The adapters that a query goes to, each with its share of the score; they add up to 1."""


class Experts(Protocol):
    """One base model with an adapter a domain (`training.experts`)."""

    @property
    def domains(self) -> Sequence[str]:
        """Those that have an adapter."""
        ...

    @property
    def encoder(self) -> MultiVectorEncoder:
        """The encoder with whatever was put to use last."""
        ...

    def to(self, accelerator: str) -> None:
        """Move to an accelerator."""
        ...

    def use(self, name: str) -> MultiVectorEncoder:
        """The encoder with one adapter, or none (`BASE`)."""
        ...

    def merged(self, name: str) -> AbstractContextManager[MultiVectorEncoder]:
        """The same, for many texts."""
        ...


@dataclass(frozen=True)
class Router:
    """A multinomial logistic regression on the base model's pooled query embedding, its temperature in it.

    Attributes:
        domains: its classes.
        reads: `ENCODER` or `EMBEDDINGS`.
        coefficients, intercepts: `(domains, dim)` and `(domains,)`.
        threshold: a query whose best domain is less probable goes to the two best.
        manifest: how it was made, of which adapters, and how well it does.
    """

    domains: tuple[str, ...]
    reads: str
    coefficients: np.ndarray
    intercepts: np.ndarray
    threshold: float = 0.0
    manifest: Mapping[str, Any] = field(default_factory=dict)

    def probabilities(self, embeddings: np.ndarray) -> np.ndarray:
        """Of each domain, `(queries, domains)`, from pooled embeddings `(queries, dim)`."""
        return softmax(embeddings @ self.coefficients.T + self.intercepts, axis=1)

    def routes(self, embeddings: np.ndarray) -> list[Route]:
        """Where each query goes."""
        return routes(self.probabilities(embeddings), self.domains, self.threshold)

    @classmethod
    def load(cls, folder: Path) -> Router:
        """The router that `training.router` wrote into `folder`.

        Raises:
            ProvenderError: there is none, or it is damaged.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            weights = load_file(folder / WEIGHTS)
            made = cls(
                domains=tuple(manifest["domains"]),
                reads=manifest["reads"],
                coefficients=weights["coefficients"],
                intercepts=weights["intercepts"],
                threshold=float(manifest["threshold"]),
                manifest=manifest,
            )
            if len({len(made.domains), len(made.coefficients), len(made.intercepts)}) != 1:
                raise ValueError("its domains and weights do not fit")
            if made.reads not in (ENCODER, EMBEDDINGS):
                raise ValueError(f"it reads `{made.reads}`, which nobody writes")
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            missing = not (folder / MANIFEST).is_file()
            raise ProvenderError(
                "There is no router."
                if missing
                else f"The router cannot be read: {' '.join(str(error).split()).rstrip('.')}.",
                where=str(folder),
                remedy="Make it: python -m training.run --config config/curriculum.yaml --experts",
            ) from None
        return made

    def check(self, fingerprints: Mapping[str, str]) -> None:
        """That it was made with these adapters.

        Args:
            fingerprints: of each adapter by domain, and of the base by `BASE`.

        Raises:
            ProvenderError: it was not.
        """
        then = self.manifest["fingerprints"]
        other = sorted(
            name for name in {*then, *fingerprints} if then.get(name) != fingerprints.get(name)
        )
        if other:
            raise ProvenderError(
                f"The router was made with other adapters: {', '.join(other)} changed since.",
                where="router",
                remedy="Make it again: python -m training.run --config config/curriculum.yaml --experts",
            )


def routes(probabilities: np.ndarray, domains: tuple[str, ...], threshold: float) -> list[Route]:
    """The best domain of each query; where it is less probable than `threshold`, the two best.

    Their shares are their probabilities, scaled so that they add up to 1.
    """
    found: list[Route] = []
    for row in probabilities:
        first, *rest = np.argsort(-row, kind="stable")[:2].tolist()
        chosen = [first] if row[first] >= threshold else [first, *rest]
        total = float(row[chosen].sum())
        route: Route = {domains[each]: float(row[each]) / total for each in chosen}
        found.append(route)
    return found


def embed(experts: Experts, queries: Sequence[str], device: Device, reads: str) -> np.ndarray:
    """The pooled embedding of each query by the base model: a mean of unit length, `(queries, dim)`.

    Args:
        reads: over what, `ENCODER` or `EMBEDDINGS`.
    """
    if reads == ENCODER:
        vectors = encode(experts.use(BASE), queries, "query", autocast=device.autocast())
        return pooled(vectors).cpu().numpy()
    import torch

    encoder = experts.encoder
    transformer: Any = encoder[0]
    lookup = transformer.model.get_input_embeddings()  # no adapter changes it
    found = []
    for start in range(0, len(queries), _AT_ONCE):
        some = list(queries[start : start + _AT_ONCE])
        features = encoder.preprocess(some, prompt=encoder.prompts["query"] or None, task="query")
        masks = features["attention_mask"].bool()
        with torch.inference_mode():
            tokens = lookup(features["input_ids"].to(encoder.device)).float()
            found.append(pooled([each[mask] for each, mask in zip(tokens, masks, strict=True)]))
    return torch.cat(found).cpu().numpy()


def encode_documents(
    experts: Experts,
    texts: Sequence[str],
    domains: Sequence[str],
    device: Device,
    *,
    progress: Callable[[int, int], None] = silent,
) -> list[torch.Tensor]:
    """Token vectors of each text by the adapter of its domain; by the base model where that has none.

    `progress` is told how many texts are encoded, and of how many.
    """
    readers = [reader_of(experts, domain) for domain in domains]
    found: dict[int, torch.Tensor] = {}
    for reader in sorted(set(readers)):
        rows = [row for row, each in enumerate(readers) if each == reader]
        with experts.merged(reader) as encoder:
            some = [texts[row] for row in rows]
            vectors = encode(encoder, some, "document", autocast=device.autocast())
        found |= zip(rows, vectors, strict=True)
        progress(len(found), len(texts))
    return [found[row] for row in range(len(texts))]


def reader_of(experts: Experts, domain: str) -> str:
    """What encodes a document of `domain`."""
    return domain if domain in experts.domains else BASE


def combined(by_adapter: Mapping[str, np.ndarray], chosen: Sequence[Route]) -> np.ndarray:
    """The scores of routed queries, `(queries, documents)`.

    Those of one adapter stand as they are; those of two are each scaled to 0..1 over a query's documents,
    and added up by their shares.

    Args:
        by_adapter: of each adapter, the scores of every query as it encodes it.
        chosen: the route of each query.
    """
    rows = []
    for place, route in enumerate(chosen):
        if len(route) == 1:
            [name] = route
            rows.append(by_adapter[name][place])
            continue
        parts = [share * min_max(by_adapter[name][[place]])[0] for name, share in route.items()]
        rows.append(np.sum(parts, axis=0))
    return np.stack(rows)


@dataclass(frozen=True)
class Asked:
    """What experts make of some sets of queries.

    Attributes:
        scores: by system and set, `(queries, documents)`.
        routes: by set, where the router sent each query.
        own: by set, the domain of each query's first answer.
        unknown: documents whose domain has no adapter.
    """

    scores: dict[str, dict[str, np.ndarray]]
    routes: dict[str, list[Route]]
    own: dict[str, list[str]]
    unknown: int


def ask(
    experts: Experts,
    router: Router,
    sets: Iterable[EvalSet],
    device: Device,
    *,
    tell: Callable[[str], object] = lambda _: None,
) -> Asked:
    """Every way to route the queries of `sets`, over the same documents: `ROUTED`, `ORACLE`, `FIXED…`.

    Args:
        tell: told now and then how many documents of which set are encoded.
    """
    experts.to(device.accelerator)
    known: dict[tuple[str, str], torch.Tensor] = {}
    asked = Asked({}, {}, {}, 0)
    unread: set[tuple[str, str]] = set()
    for each in sets:
        pool = list(zip(each.documents, each.domains, strict=True))
        known = {key: known[key] for key in pool if key in known}
        new = [key for key in dict.fromkeys(pool) if key not in known]
        if new:
            texts, domains = zip(*new, strict=True)
            progress = Progress(tell, f"documents of {each.name} encoded by experts")
            vectors = encode_documents(experts, texts, domains, device, progress=progress)
            known |= zip(new, vectors, strict=True)
        unread |= {key for key in pool if reader_of(experts, key[1]) == BASE}
        documents = [known[key] for key in pool]
        by_adapter = scores_by_adapter(experts, each.queries, documents, device)
        own = [each.domains[answers[0]] for answers in each.answers]
        asked.own[each.name] = own
        asked.routes[each.name] = router.routes(embed(experts, each.queries, device, router.reads))
        oracle: list[Route] = [{reader_of(experts, domain): 1.0} for domain in own]
        made = {ROUTED: asked.routes[each.name], ORACLE: oracle}
        made |= {f"{FIXED}{name}": [{name: 1.0}] * len(own) for name in by_adapter}
        for system, chosen in made.items():
            asked.scores.setdefault(system, {})[each.name] = combined(by_adapter, chosen)
    return Asked(asked.scores, asked.routes, asked.own, len(unread))


def scores_by_adapter(
    experts: Experts,
    queries: Sequence[str],
    documents: Sequence[torch.Tensor],
    device: Device,
    *,
    score: Callable[..., np.ndarray] = maxsim_scores,
) -> dict[str, np.ndarray]:
    """MaxSim of the queries as each adapter, or the base, encodes them, `(queries, documents)` each."""
    found = {}
    for name in (*experts.domains, BASE):
        vectors = encode(experts.use(name), queries, "query", autocast=device.autocast())
        found[name] = score(vectors, documents)
    return found


def confusion(
    chosen: Sequence[Route], own: Sequence[str], domains: Sequence[str]
) -> list[dict[str, Any]]:
    """How many queries of each domain the router sent first where: `domain`, `queries`, `sent` by domain."""
    rows = []
    for domain in dict.fromkeys(own):
        first = [
            max(route, key=lambda name: route[name])
            for route, each in zip(chosen, own, strict=True)
            if each == domain
        ]
        sent = {name: first.count(name) for name in domains}
        rows.append({"domain": domain, "queries": len(first), "sent": sent})
    return rows

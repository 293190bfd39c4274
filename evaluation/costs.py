"""What experts cost beside one model: memory, time of a query and of a document, size of the index."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import TYPE_CHECKING

from common.device import Device
from evaluation.retrieve import encode
from evaluation.routing import BASE, Experts, Router, embed, encode_documents

if TYPE_CHECKING:
    import torch
    from sentence_transformers import MultiVectorEncoder

_ROUNDS = 3


def costs(
    one: MultiVectorEncoder,
    experts: Experts,
    router: Router,
    *,
    queries: Sequence[str],
    documents: Sequence[tuple[str, str]],
    device: Device,
) -> dict[str, dict[str, float]]:
    """What `one` model and the `experts` take, on the same texts.

    Args:
        one: an encoder of the experts' base model and lengths, without adapters.
        queries: each is encoded alone, as a search does.
        documents: (text, domain) of each; encoded all at once.

    Returns:
        By cost, `one` and `experts`: `weights_mb`, of all weights; `query_ms`, the median; `routing_ms`
        (`one`: 0), what the router takes of it; `document_ms`; `index_mb_1000`, the token vectors of a
        thousand documents in half precision.
    """
    one.to(device.accelerator)
    experts.to(device.accelerator)
    texts, domains = [text for text, _ in documents], [domain for _, domain in documents]
    vectors: dict[str, list[torch.Tensor]] = {}

    def alone() -> None:
        vectors["one"] = encode(one, texts, "document", autocast=device.autocast())

    def by_domain() -> None:
        vectors["experts"] = encode_documents(experts, texts, domains, device)

    def plain(query: str) -> None:
        encode(one, [query], "query", autocast=device.autocast())

    def routed(query: str) -> None:
        [route] = router.routes(embed(experts, [query], device, router.reads))
        for name in route:
            encode(experts.use(name), [query], "query", autocast=device.autocast())

    def routing(query: str) -> None:
        router.routes(embed(experts, [query], device, router.reads))

    per_document = [_seconds(work) / len(texts) for work in (alone, by_domain)]
    per_query = [
        median(_seconds(lambda query=query, work=work: work(query)) for query in queries)
        for work in (plain, routed, routing)
    ]
    weights = {
        name: sum(each.numel() * each.element_size() for each in encoder.parameters()) / 1e6
        for name, encoder in (("one", one), ("experts", experts.use(BASE)))
    }
    return {
        "weights_mb": weights,
        "query_ms": {"one": 1e3 * per_query[0], "experts": 1e3 * per_query[1]},
        "routing_ms": {"one": 0.0, "experts": 1e3 * per_query[2]},
        "document_ms": {"one": 1e3 * per_document[0], "experts": 1e3 * per_document[1]},
        "index_mb_1000": {
            name: 2 * sum(each.numel() for each in found) / len(found) / 1e3
            for name, found in vectors.items()
        },
    }


def _seconds(work: Callable[[], None]) -> float:
    """The best of some rounds: what else the machine does makes one slower, never faster."""
    found = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found)

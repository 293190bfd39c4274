"""Multi-vector retrieval: encode, score by MaxSim, XTR or pooled vectors, fuse with BM25."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import rankdata

if TYPE_CHECKING:
    import torch
    from sentence_transformers import MultiVectorEncoder

# An accelerator is fast only with much at once.
_ELEMENTS = {"cpu": 64_000_000, "other": 512_000_000}
"""Similarities held at once."""

_BATCH = {"cpu": 32, "other": 256}
"""Texts encoded at once."""


def encode(
    model: MultiVectorEncoder,
    texts: Sequence[str],
    task: str,
    *,
    autocast: AbstractContextManager,
) -> list[torch.Tensor]:
    """Token vectors of each text, `(tokens_i, dim)`, unit length, on the model's device.

    `task` is `query` or `document`.
    """
    encode_task = model.encode_query if task == "query" else model.encode_document
    batch_size = _BATCH["cpu" if model.device.type == "cpu" else "other"]
    with autocast:
        return list(encode_task(list(texts), batch_size=batch_size, show_progress_bar=False))


def maxsim_scores(queries: Sequence[torch.Tensor], documents: Sequence[torch.Tensor]) -> np.ndarray:
    """MaxSim, averaged over the query's tokens, `(queries, documents)`.

    Documents are packed by length, so that padding costs little; results do not depend on it. Computed on the
    device of the queries, in fp32; on an accelerator, vectors in half precision are multiplied as such.
    """
    import torch

    device = queries[0].device
    half = device.type != "cpu" and queries[0].dtype == documents[0].dtype == torch.float16
    kind = torch.float16 if half else torch.float32
    elements = _ELEMENTS["cpu" if device.type == "cpu" else "other"]
    sizes = torch.tensor([len(each) for each in queries], device=device)
    packed = torch.cat(list(queries)).to(kind)
    order = sorted(range(len(documents)), key=lambda index: len(documents[index]))
    scores = torch.empty(len(queries), len(documents), device=device)
    owner = torch.repeat_interleave(torch.arange(len(queries), device=device), sizes)
    start = 0
    while start < len(order):
        stop = _chunk_end(order, documents, start, elements // len(packed))
        chunk = order[start:stop]
        padded = torch.nn.utils.rnn.pad_sequence(
            [documents[index] for index in chunk], batch_first=True
        ).to(device, kind)
        lengths = torch.tensor([len(documents[index]) for index in chunk], device=device)
        similar = (packed @ padded.flatten(0, 1).T).view(len(packed), len(chunk), -1)
        padding = torch.arange(padded.shape[1], device=device)[None, :] >= lengths[:, None]
        best = similar.masked_fill_(padding[None], -torch.inf).amax(dim=-1).float()
        total = torch.zeros(len(queries), len(chunk), device=device).index_add_(0, owner, best)
        scores[:, torch.tensor(chunk, device=device)] = total / sizes[:, None]
        start = stop
    return scores.cpu().numpy()


def _chunk_end(
    order: Sequence[int], documents: Sequence[torch.Tensor], start: int, tokens: int
) -> int:
    """Where a chunk ends that has at most `tokens` document tokens, padding included."""
    stop = start + 1
    while stop < len(order):
        width = len(documents[order[stop]])
        if (stop + 1 - start) * width > tokens:
            break
        stop += 1
    return stop


def xtr_scores(
    queries: Sequence[torch.Tensor], documents: Sequence[torch.Tensor], retrieved: int
) -> np.ndarray:
    """XTR (Lee et al. 2023, section 3.2), `(queries, documents)`: what an index of single tokens would find.

    Each query token retrieves its `retrieved` nearest tokens of all documents. A document's score is the mean
    over query tokens of its best retrieved token; where none was, of the lowest similarity that the query
    token did retrieve (imputation). With as many as there are tokens it is MaxSim.
    """
    import torch

    device = queries[0].device
    packed = torch.cat(list(documents)).to(device, torch.float32)
    lengths = torch.tensor([len(each) for each in documents], device=device)
    owner = torch.repeat_interleave(torch.arange(len(documents), device=device), lengths)
    scores = torch.empty(len(queries), len(documents), device=device)
    for row, query in enumerate(queries):
        found = (query.float() @ packed.T).topk(min(retrieved, len(packed)), dim=1)
        lowest = found.values[:, -1:].expand(-1, len(documents))
        best = lowest.scatter_reduce(1, owner[found.indices], found.values, "amax")
        scores[row] = best.mean(dim=0)
    return scores.cpu().numpy()


def pooled_scores(queries: Sequence[torch.Tensor], documents: Sequence[torch.Tensor]) -> np.ndarray:
    """Cosine of mean token vectors, `(queries, documents)`: the same model with one vector a text."""
    import torch

    def pooled(texts: Sequence[torch.Tensor]) -> torch.Tensor:
        means = torch.stack([each.float().mean(dim=0) for each in texts])
        return torch.nn.functional.normalize(means, dim=1)

    return (pooled(queries) @ pooled(documents).to(queries[0].device).T).cpu().numpy()


def reciprocal_rank_fusion(*rankings: np.ndarray) -> np.ndarray:
    """Reciprocal rank fusion (Cormack et al. 2009, k = 60) of scores, `(queries, documents)` each.

    Equal scores share the worst of their ranks.
    """
    return np.sum(
        [1 / (60 + rankdata(-scores, method="max", axis=1)) for scores in rankings], axis=0
    )


def min_max_fusion(semantic: np.ndarray, lexical: np.ndarray, alpha: float) -> np.ndarray:
    """`alpha * semantic + (1 - alpha) * lexical`, each scaled to 0..1 over a query's documents."""
    return alpha * _min_max(semantic) + (1 - alpha) * _min_max(lexical)


def _min_max(scores: np.ndarray) -> np.ndarray:
    low = scores.min(axis=1, keepdims=True)
    span = scores.max(axis=1, keepdims=True) - low
    return (scores - low) / np.where(span > 0, span, 1)

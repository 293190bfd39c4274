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

    blocks = (queries[at : at + _XTR_QUERIES] for at in range(0, len(queries), _XTR_QUERIES))
    scores = [_xtr_block(block, documents, retrieved) for block in blocks]
    return torch.cat(scores).cpu().numpy()


_XTR_QUERIES = 32
"""Queries scored at once: their tokens multiply many documents' at once, and need few passes over them."""

_GROUP = 8
"""Document tokens of which only the best is looked at before the nearest are sought."""


def _xtr_block(
    queries: Sequence[torch.Tensor], documents: Sequence[torch.Tensor], retrieved: int
) -> torch.Tensor:
    """`xtr_scores` of a few queries.

    A document's best token is retrieved or not as it is above the lowest retrieved similarity or not:
    the score is MaxSim whose maxima are raised to that. The nearest tokens lie in the groups with the
    highest maxima, as many groups as tokens are sought; only these are sorted.
    """
    import torch

    device = queries[0].device
    packed = torch.cat(list(queries)).float()
    best = torch.full((len(packed), len(documents)), -torch.inf, device=device)
    top = torch.empty(len(packed), 0, device=device)
    room = _ELEMENTS["cpu" if device.type == "cpu" else "other"] // len(packed)
    longest = -(-max(map(len, documents)) // _GROUP) * _GROUP
    step = max(1, room // longest)
    for start in range(0, len(documents), step):
        tokens, padding, owner = _grouped(documents[start : start + step], device)
        similar = (packed @ tokens.T).index_fill_(1, padding, -torch.inf)
        grouped = similar.view(len(packed), -1, _GROUP)
        highest = grouped.amax(dim=-1)
        own = best[:, start : start + step]
        own.scatter_reduce_(1, owner.expand(len(packed), -1), highest, "amax")
        near = similar
        if _GROUP * retrieved < similar.shape[1] // 4:  # else these groups hold too much of it
            found = highest.topk(retrieved, dim=1, sorted=False).indices
            near = grouped.take_along_dim(found[:, :, None], dim=1).flatten(1)
        near = torch.cat([top, near], dim=1)
        top = near.topk(min(retrieved, near.shape[1]), dim=1).values
    imputed = torch.maximum(best, top[:, -1:])
    return torch.stack([each.mean(dim=0) for each in imputed.split([len(q) for q in queries])])


def _grouped(
    documents: Sequence[torch.Tensor], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Tokens in a row, each document's filled up to whole groups; where filling is; whose each group is."""
    import torch

    filling = documents[0].new_zeros(_GROUP, documents[0].shape[1])
    parts = [part for each in documents for part in (each, filling[: -len(each) % _GROUP])]
    lengths = torch.tensor([len(each) for each in documents], device=device)
    groups = (lengths + _GROUP - 1) // _GROUP
    owner = torch.repeat_interleave(groups)
    starts = ((groups.cumsum(0) - groups) * _GROUP).repeat_interleave(groups * _GROUP)
    within = torch.arange(len(starts), device=device) - starts
    padding = (within >= lengths.repeat_interleave(groups * _GROUP)).nonzero().flatten()
    return torch.cat(parts).to(device, torch.float32), padding, owner


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

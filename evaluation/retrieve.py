"""Exact multi-vector retrieval: encode, score by MaxSim, fuse with BM25."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from sentence_transformers import MultiVectorEncoder

_CHUNK_ELEMENTS = 64_000_000


def encode(
    model: MultiVectorEncoder,
    texts: Sequence[str],
    task: str,
    *,
    autocast: AbstractContextManager,
    batch_size: int = 32,
) -> list[torch.Tensor]:
    """Token vectors of each text, `(tokens_i, dim)`, unit length. `task` is `query` or `document`."""
    encode_task = model.encode_query if task == "query" else model.encode_document
    with autocast:
        return list(encode_task(list(texts), batch_size=batch_size, show_progress_bar=False))


def maxsim_scores(queries: Sequence[torch.Tensor], documents: Sequence[torch.Tensor]) -> np.ndarray:
    """MaxSim, averaged over the query's tokens, `(queries, documents)`.

    Documents are packed by length, so that padding costs little; results do not depend on it.
    """
    import torch

    sizes = torch.tensor([len(each) for each in queries])
    packed = torch.cat(list(queries)).float()
    order = sorted(range(len(documents)), key=lambda index: len(documents[index]))
    scores = torch.empty(len(queries), len(documents))
    owner = torch.repeat_interleave(torch.arange(len(queries)), sizes)
    start = 0
    while start < len(order):
        stop = _chunk_end(order, documents, start, len(packed))
        chunk = order[start:stop]
        padded = torch.nn.utils.rnn.pad_sequence(
            [documents[index].float() for index in chunk], batch_first=True
        )
        lengths = torch.tensor([len(documents[index]) for index in chunk])
        similar = (packed @ padded.flatten(0, 1).T).view(len(packed), len(chunk), -1)
        padding = torch.arange(padded.shape[1])[None, :] >= lengths[:, None]
        best = similar.masked_fill_(padding[None], -torch.inf).amax(dim=-1)
        total = torch.zeros(len(queries), len(chunk)).index_add_(0, owner, best)
        scores[:, torch.tensor(chunk)] = total / sizes[:, None]
        start = stop
    return scores.numpy()


def _chunk_end(
    order: Sequence[int], documents: Sequence[torch.Tensor], start: int, query_tokens: int
) -> int:
    stop = start + 1
    while stop < len(order):
        width = len(documents[order[stop]])
        if (stop + 1 - start) * width * query_tokens > _CHUNK_ELEMENTS:
            break
        stop += 1
    return stop


def min_max_fusion(semantic: np.ndarray, lexical: np.ndarray, alpha: float) -> np.ndarray:
    """`alpha * semantic + (1 - alpha) * lexical`, each scaled to 0..1 over a query's documents."""
    return alpha * _min_max(semantic) + (1 - alpha) * _min_max(lexical)


def _min_max(scores: np.ndarray) -> np.ndarray:
    low = scores.min(axis=1, keepdims=True)
    span = scores.max(axis=1, keepdims=True) - low
    return (scores - low) / np.where(span > 0, span, 1)

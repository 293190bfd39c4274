"""Multi-vector retrieval: encode, score by MaxSim, XTR or pooled vectors, fuse with BM25."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import rankdata

from common.progress import silent

if TYPE_CHECKING:
    import torch
    from sentence_transformers import MultiVectorEncoder

_WINDOW = 4_096
"""Texts that are tokenised and sorted by length together."""

# An accelerator is fast only with much at once; a CPU where a block stays in its cache.
_ENCODED = {"cpu": 4_096, "other": 65_536}
"""Tokens encoded at once, padding included."""

_BLOCK = {"cpu": (256, 4_096), "other": (8_192, 65_536)}
"""Tokens of queries and of documents that are multiplied at once."""


def encode(
    model: MultiVectorEncoder,
    texts: Sequence[str],
    task: str,
    *,
    autocast: AbstractContextManager,
    progress: Callable[[int, int], None] = silent,
) -> list[torch.Tensor]:
    """Token vectors of each text, `(tokens_i, dim)`, unit length, on the model's device.

    `task` is `query` or `document`. The vectors are those of the model's own `encode_query` and
    `encode_document`, which sort by characters and so pad more.
    `progress` is told how many texts are encoded, and of how many.
    """
    import torch

    prompt = model.prompts[task] or None
    tokens = _ENCODED[_kind(model.device)]
    found: list[torch.Tensor] = []
    # To look takes a third of the time of setting it anew in hundreds of modules: milliseconds a query.
    if any(each.training for each in model.modules()):
        model.eval()
    for start in range(0, len(texts), _WINDOW):
        features = model.preprocess(list(texts[start : start + _WINDOW]), prompt=prompt, task=task)
        used = features["attention_mask"].bool()
        if "query_expansion_positions" in features:
            used = used | features["query_expansion_positions"]
        lengths = used.sum(dim=1).tolist()
        vectors: dict[int, torch.Tensor] = {}
        with autocast, torch.inference_mode():
            for rows in _batches(lengths, tokens):
                output = model(_cut(features, rows, used, model.device), task=task)
                masks = output["attention_mask"].bool()
                each = (v[m] for v, m in zip(output["token_embeddings"], masks, strict=True))
                vectors |= zip(rows, each, strict=True)
        found += [vectors[row] for row in range(len(lengths))]
        progress(len(found), len(texts))
    return found


def _kind(device: torch.device) -> str:
    return "cpu" if device.type == "cpu" else "other"


def _batches(lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """The positions of `lengths`, longest first, so many at once as fit into `tokens` when padded."""
    order = sorted(range(len(lengths)), key=lambda position: -lengths[position])
    start = 0
    while start < len(order):
        stop = start + max(1, tokens // max(1, lengths[order[start]]))
        yield order[start:stop]
        start = stop


def _cut(
    features: Mapping[str, Any], rows: list[int], used: torch.Tensor, device: torch.device
) -> dict[str, Any]:
    """`rows` of what a tokenizer made, without the columns that none of them uses."""
    import torch

    columns = used[rows].any(dim=0)
    return {
        name: value[rows][:, columns].to(device)
        if isinstance(value, torch.Tensor) and value.shape == used.shape
        else value
        for name, value in features.items()
    }


def maxsim_scores(
    queries: Sequence[torch.Tensor], documents: Sequence[torch.Tensor], *, bf16: bool = False
) -> np.ndarray:
    """MaxSim, averaged over the query's tokens, `(queries, documents)`.

    Tokens are packed, so that nothing is padded or masked: documents of one length are neighbours in a block
    of similarities, and a maximum over each is a view. Computed on the device of the queries, in fp32; on an
    accelerator, vectors in half precision are multiplied as such.

    Args:
        queries: token vectors of each, `(tokens_i, dim)`, unit length.
        documents: likewise, on any device; in half precision they need half the memory. One without a token
            has the lowest score there is, -1.
        bf16: multiply in bfloat16, about twice as fast where the processor can (`common.device`). Scores
            change in the third decimal (docs/performance.md has the effect on ranks).
    """
    import torch

    if not queries or not documents:
        return _nothing(queries, documents)
    device = queries[0].device
    half = device.type != "cpu" and queries[0].dtype == documents[0].dtype == torch.float16
    precision = torch.bfloat16 if bf16 else torch.float16 if half else torch.float32
    rows, columns = _BLOCK[_kind(device)]
    sizes = torch.tensor([len(each) for each in queries], device=device)
    owner = torch.repeat_interleave(torch.arange(len(queries), device=device), sizes)
    packed = torch.cat(list(queries)).to(precision)
    lengths = [len(each) for each in documents]
    scores = torch.full((len(queries), len(documents)), -1.0, device=device)
    for batch in _batches(lengths, columns):
        chunk = [each for each in batch if lengths[each]]
        if not chunk:
            break  # the shortest come last
        tokens = torch.cat([documents[each] for each in chunk]).to(device, precision)
        runs = [
            (length, len(list(run))) for length, run in groupby(lengths[each] for each in chunk)
        ]
        best = torch.cat(
            [_run_maxima(tokens @ block.T, runs) for block in packed.split(rows)], dim=1
        )
        total = torch.zeros(len(chunk), len(queries), device=device).index_add_(1, owner, best)
        scores[:, torch.tensor(chunk, device=device)] = (total / sizes.clamp(min=1)).T
    return scores.cpu().numpy()


def _run_maxima(similar: torch.Tensor, runs: Sequence[tuple[int, int]]) -> torch.Tensor:
    """The maximum over each document's tokens, `(documents, query tokens)`, in fp32.

    `similar` is `(document tokens, query tokens)`; `runs` are the lengths of the documents in their order,
    each with how many have it.
    """
    import torch

    parts = similar.split([length * count for length, count in runs])
    return torch.cat(
        [
            part.unflatten(0, (count, length)).amax(dim=1)
            for part, (length, count) in zip(parts, runs, strict=True)
        ]
    ).float()


def xtr_scores(
    queries: Sequence[torch.Tensor], documents: Sequence[torch.Tensor], retrieved: int
) -> np.ndarray:
    """XTR (Lee et al. 2023, section 3.2), `(queries, documents)`: what an index of single tokens would find.

    Each query token retrieves its `retrieved` nearest tokens of all documents. A document's score is the mean
    over query tokens of its best retrieved token; where none was, of the lowest similarity that the query
    token did retrieve (imputation). With as many as there are tokens it is MaxSim.
    """
    import torch

    if not queries or not documents:
        return _nothing(queries, documents)
    blocks = (queries[at : at + _XTR_QUERIES] for at in range(0, len(queries), _XTR_QUERIES))
    scores = [_xtr_block(block, documents, retrieved) for block in blocks]
    return torch.cat(scores).cpu().numpy()


_ELEMENTS = {"cpu": 64_000_000, "other": 512_000_000}
"""Similarities held at once."""

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
    if not queries or not documents:
        return _nothing(queries, documents)
    return (pooled(queries) @ pooled(documents).to(queries[0].device).T).cpu().numpy()


def pooled(texts: Sequence[torch.Tensor]) -> torch.Tensor:
    """The mean of each text's token vectors, of unit length, `(texts, dim)`."""
    import torch

    means = torch.stack([each.float().mean(dim=0) for each in texts])
    return torch.nn.functional.normalize(means, dim=1)


def _nothing(queries: Sequence[torch.Tensor], documents: Sequence[torch.Tensor]) -> np.ndarray:
    return np.empty((len(queries), len(documents)), dtype=np.float32)


def reciprocal_rank_fusion(*rankings: np.ndarray) -> np.ndarray:
    """Reciprocal rank fusion (Cormack et al. 2009, k = 60) of scores, `(queries, documents)` each.

    Equal scores share the worst of their ranks.
    """
    return np.sum(
        [1 / (60 + rankdata(-scores, method="max", axis=1)) for scores in rankings], axis=0
    )


def min_max_fusion(semantic: np.ndarray, lexical: np.ndarray, alpha: float) -> np.ndarray:
    """`alpha * semantic + (1 - alpha) * lexical`, each scaled to 0..1 over a query's documents."""
    return alpha * min_max(semantic) + (1 - alpha) * min_max(lexical)


def min_max(scores: np.ndarray) -> np.ndarray:
    """`scores`, `(queries, documents)`, scaled to 0..1 over a query's documents."""
    low = scores.min(axis=1, keepdims=True)
    span = scores.max(axis=1, keepdims=True) - low
    return (scores - low) / np.where(span > 0, span, 1)

"""BM25 over identifier-aware tokens, through bm25s: the baseline that every model must beat."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

import numpy as np

# Where JAX is installed bm25s starts it, and by itself it takes three quarters of a GPU's memory.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
import bm25s

_TOKEN = re.compile(r"[^\W_]+(?:_[^\W_]+)*|[∀∃≤≥≠→⇒∧∨¬∈]")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def tokens(text: str) -> list[str]:
    """Words of `text`: each identifier whole and in its parts, lower-cased; logical symbols kept."""
    found = []
    for token in _TOKEN.findall(text):
        parts = [part.lower() for piece in token.split("_") for part in _CAMEL.split(piece) if part]
        found += parts
        if len(parts) > 1:
            found.append(token.lower())
    return found


def bm25_scores(queries: Sequence[str], documents: Sequence[str]) -> np.ndarray:
    """BM25 (Lucene's form, k1 = 1.5, b = 0.75) of each query with each document, `(queries, documents)`."""
    vocabulary: dict[str, int] = {}
    ids = [[vocabulary.setdefault(t, len(vocabulary)) for t in tokens(doc)] for doc in documents]
    retriever = bm25s.BM25()
    retriever.index(bm25s.tokenization.Tokenized(ids=ids, vocab=vocabulary), show_progress=False)
    scores = np.zeros((len(queries), len(documents)), dtype=np.float32)
    for row, query in enumerate(queries):
        known = [vocabulary[token] for token in tokens(query) if token in vocabulary]
        if known:
            scores[row] = retriever.get_scores_from_ids(known)
    return scores

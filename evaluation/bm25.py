"""BM25 over identifier-aware tokens, through bm25s: the baseline that every model must beat."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

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


class Bm25:
    """Documents that are ready to be scored (Lucene's form, k1 = 1.5, b = 0.75)."""

    def __init__(self, retriever: bm25s.BM25, vocabulary: dict[str, int], documents: int) -> None:
        self._retriever, self._vocabulary, self._documents = retriever, vocabulary, documents

    @classmethod
    def of(cls, documents: Sequence[str]) -> Bm25:
        """Read `documents`."""
        vocabulary: dict[str, int] = {}
        ids = [
            [vocabulary.setdefault(t, len(vocabulary)) for t in tokens(doc)] for doc in documents
        ]
        retriever = bm25s.BM25()
        retriever.index(
            bm25s.tokenization.Tokenized(ids=ids, vocab=vocabulary), show_progress=False
        )
        return cls(retriever, vocabulary, len(documents))

    @classmethod
    def load(cls, folder: Path) -> Bm25:
        """What `save` wrote; nothing is unpickled.

        Raises:
            OSError, ValueError, KeyError: it is not there, or damaged.
        """
        retriever = bm25s.BM25.load(str(folder), load_vocab=True, show_progress=False)
        return cls(retriever, retriever.vocab_dict, int(retriever.scores["num_docs"]))

    def save(self, folder: Path) -> None:
        """Write arrays and vocabulary into `folder`."""
        self._retriever.save(str(folder), show_progress=False)

    def scores(self, query: str) -> np.ndarray:
        """The score of `query` with each document, `(documents,)` in fp32."""
        known = [self._vocabulary[token] for token in tokens(query) if token in self._vocabulary]
        if not known:
            return np.zeros(self._documents, dtype=np.float32)
        return self._retriever.get_scores_from_ids(known)


def bm25_scores(queries: Sequence[str], documents: Sequence[str]) -> np.ndarray:
    """BM25 of each query with each document, `(queries, documents)`."""
    index = Bm25.of(documents)
    return np.array([index.scores(query) for query in queries], dtype=np.float32).reshape(
        len(queries), len(documents)
    )

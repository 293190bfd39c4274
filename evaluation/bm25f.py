"""BM25F: BM25 that measures each field of a definition by that field's usual length.

Measured beside `evaluation.bm25`, not in its place (docs/evaluation.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import sparse

from evaluation.bm25 import tokens

WEIGHTS = {"path": 1.0, "symbol": 1.0, "doc": 1.0, "code": 1.0}
"""How often a token of each field counts. No other weights did better on validation queries."""

K1, B = 1.5, 0.75


def bm25f_scores(
    queries: Sequence[str],
    documents: Sequence[Mapping[str, str]],
    weights: Mapping[str, float] = WEIGHTS,
) -> np.ndarray:
    """BM25F (Zaragoza et al., TREC 2004) of each query with each document, `(queries, documents)`.

    A token's count in a field is divided by the field's length over its mean length, as far as `B` says;
    the weighted sum of these is what saturates (`K1`). With one field it is BM25 in Lucene's form.

    Args:
        queries: as typed.
        documents: for each, its texts by field: those that `weights` names.
        weights: of each field.
    """
    words = {field: [tokens(each[field]) for each in documents] for field in weights}
    known = dict.fromkeys(word for texts in words.values() for text in texts for word in text)
    vocabulary = {word: column for column, word in enumerate(known)}
    found = sparse.csr_array((len(documents), len(vocabulary)))
    for field, weight in weights.items():
        lengths = np.array([len(text) for text in words[field]])
        norms = 1 - B + B * lengths / max(lengths.mean(), 1)
        found += sparse.diags_array(weight / norms) @ _counts(words[field], vocabulary)
    found = sparse.csc_array(found)
    holding = np.diff(found.indptr)
    idf = np.log(1 + (len(documents) - holding + 0.5) / (holding + 0.5))
    found.data *= np.repeat(idf, holding) / (found.data + K1)
    asked = _counts([tokens(query) for query in queries], vocabulary)
    return (asked @ found.T).toarray().astype(np.float32)


def _counts(texts: Sequence[list[str]], vocabulary: Mapping[str, int]) -> sparse.csr_array:
    """How often each known word stands in each text, `(texts, words)`."""
    counted = [Counter(word for word in text if word in vocabulary) for text in texts]
    rows = np.repeat(np.arange(len(texts)), [len(each) for each in counted])
    columns = [vocabulary[word] for each in counted for word in each]
    values = [float(count) for each in counted for count in each.values()]
    return sparse.csr_array((values, (rows, columns)), shape=(len(texts), len(vocabulary)))

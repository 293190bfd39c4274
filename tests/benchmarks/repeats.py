"""Near-duplicates against brute force, and a look for leaks: `python -m tests.benchmarks.repeats`.

Shares no code with `corpus.dedup`: shingles are tuples of tokens, counted by a sparse matrix product of
all texts with all. Over the corpus of the lake; 1 where a held-out unit has a near-duplicate in training.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from assets.corpus import SPLITS, place_of
from corpus import dedup
from resources.lake import Lake
from resources.project import Project

_SAMPLE, _HELD_OUT, _ROWS = 5_000, 1_000, 250
# An apostrophe is part of a word, as in `x'`.
_TOKEN = re.compile(r"(?:\w|')+|[^\w\s']")


def matrix(texts: list[str], columns: dict[tuple[str, ...], int]) -> csr_array:
    """Which text has which shingle; `columns` grows."""
    ends, found = [0], []
    for each in texts:
        tokens = [*_TOKEN.findall(each), "", ""]
        own = {tuple(tokens[at : at + 3]) for at in range(len(tokens) - 2)}
        found += [columns.setdefault(shingle, len(columns)) for shingle in own]
        ends.append(len(found))
    ones = np.ones(len(found), np.float32)
    return csr_array((ones, found, ends), shape=(len(texts), len(columns) + 1))


def near(one: csr_array, other: csr_array, threshold: float) -> Iterator[tuple[int, int, float]]:
    """Rows of `one` and `other` that are so alike, with their Jaccard similarity."""
    sizes = np.diff(one.indptr), np.diff(other.indptr)
    for start in range(0, len(sizes[0]), _ROWS):
        shared = (one[start : start + _ROWS] @ other.T).tocoo()
        rows, columns = shared.coords
        alike = shared.data / (sizes[0][rows + start] + sizes[1][columns] - shared.data)
        for hit in np.flatnonzero(alike >= threshold):
            yield int(rows[hit]) + start, int(columns[hit]), float(alike[hit])


def main() -> int:
    """Print the figures."""
    lake, threshold = Lake(), Project().load_curriculum().near_duplicate
    frames = [
        lake.read(*place_of(split)).unique("unit_id", maintain_order=True) for split in SPLITS
    ]
    corpus = pl.concat(frames).sort("unit_id")
    texts = corpus["positive"]
    started = time.perf_counter()
    dedup.signatures(texts)
    seconds = time.perf_counter() - started
    print(f"signatures: {len(texts)} units, {len(texts) / seconds:.0f} a second")

    sample = corpus.sample(min(_SAMPLE, corpus.height), seed=1)["positive"].to_list()
    # Real code has few near-duplicates: half of the sample once more, with a word changed here and there.
    sample += [re.sub(r"\bself\b", "this", each, count=2) for each in sample[::2]]
    columns: dict[tuple[str, ...], int] = {}
    whole = matrix(sample, columns)
    truth = {(a, b) for a, b, _ in near(whole, whole, threshold) if a < b}
    found = set(
        dedup.compare(pl.Series(sample), threshold).edges.filter("near").select("a", "b").rows()
    )
    right = len(truth & found)
    print(
        f"of {len(sample)} texts all pairs: {len(truth)} near-duplicates, {len(found)} found; "
        f"precision {right / max(len(found), 1):.4f}, recall {right / max(len(truth), 1):.4f}"
    )

    train = corpus.filter(split="train")
    held_out = corpus.filter(pl.col("split") != "train")
    held_out = held_out.sample(min(_HELD_OUT, held_out.height), seed=2)
    columns = {}
    trained = matrix(train["positive"].to_list(), columns)
    # A shingle that training does not know is shared with nothing, but counts.
    asked = matrix(held_out["positive"].to_list(), columns)
    trained.resize(train.height, len(columns) + 1)
    leaks = list(near(asked, trained, threshold))
    print(f"leaks: {len(leaks)} of {held_out.height} held-out units x {train.height} trained on")
    for a, b, alike in leaks[:10]:
        print(f"   {alike:.3f} {held_out['file_context'][a]} {train['file_context'][b]}")
    return 1 if leaks else 0


if __name__ == "__main__":
    sys.exit(main())

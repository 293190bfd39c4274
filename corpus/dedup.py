"""Near-duplicates among texts: who resembles whom, verified, and who stays. Knows nothing of pairs.

Candidates come from banded locality-sensitive hashing of MinHash signatures (Broder 1997; Leskovec et al.,
Mining of Massive Datasets, 3.4); every one is verified by the exact Jaccard similarity of its shingles.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import polars as pl

VERSION = "1"

PERMUTATIONS, BANDS = 128, 16
"""Eight rows a band: 99.4 % of texts with a similarity of 0.85 agree in some band, 6 % of those with 0.5."""

_SHINGLE = 3
_SEED = 42
_CHUNK = 20_000
_BEST = 16  # of a crowd that agrees in a band, each member is compared with this many
# A word, or one sign: operators and quantifiers make the difference between two specifications.
_TOKENS = r"[\p{L}\p{N}_']+|[^\s\p{L}\p{N}_']"
_MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)

Hashes = npt.NDArray[np.uint64]


def edges(texts: Sequence[str], threshold: float) -> pl.DataFrame:
    """The pairs of texts that were compared: places `a` < `b`, exact `jaccard`, and whether `near`.

    `near` is a similarity of at least `threshold`. What is less alike than about 0.5 is seldom compared.
    """
    a, b = _candidates(signatures(texts))
    return pl.DataFrame({"a": a, "b": b, "jaccard": _jaccard(texts, a, b)}).with_columns(
        near=pl.col("jaccard") >= threshold
    )


def survivors(size: int, repeats: pl.DataFrame) -> npt.NDArray[np.int64]:
    """For each of `size` texts the place of the one that it repeats, or -1.

    `repeats` are edges, `a` to be kept before `b`. A text is dropped only for a kept one that it has an edge
    with: what merely hangs together with it through others stays.
    """
    survivor = np.full(size, -1, np.int64)
    # By the later one, so that all before it are decided; of several that it repeats, by the first.
    for one, other in repeats.sort("b", "a").select("a", "b").iter_rows():
        if survivor[other] < 0 and survivor[one] < 0:
            survivor[other] = one
    return survivor


def clusters(size: int, near: pl.DataFrame) -> npt.NDArray[np.int64]:
    """For each of `size` texts the first place of all that hang together through the edges `near`."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = (near["a"].to_numpy(), near["b"].to_numpy())
    graph = coo_array((np.ones(near.height, bool), ends), shape=(size, size))
    _, label = connected_components(graph, directed=False)
    _, first, place = np.unique(label, return_index=True, return_inverse=True)
    return first[place].astype(np.int64)


def signatures(texts: Sequence[str]) -> npt.NDArray[np.uint32]:
    """The MinHash signature of each text: n x `PERMUTATIONS`."""
    import rensa

    sign = rensa.RMinHash.digest_matrix_from_flat_token_hashes  # pyright: ignore[reportAttributeAccessIssue]
    made = [np.empty((0, PERMUTATIONS), np.uint32)]
    for start in range(0, len(texts), _CHUNK):
        shingles, offsets = _shingles(texts[start : start + _CHUNK])
        rows = sign(shingles, offsets, PERMUTATIONS, _SEED).to_rows()
        made.append(np.array(rows, np.uint32).reshape(-1, PERMUTATIONS))
    return np.concatenate(made)


def _shingles(texts: Sequence[str]) -> tuple[Hashes, npt.NDArray[np.uint64]]:
    """The shingles of all texts, one after another, and where each text's begin; the end is the last.

    Hashes are of the tokens' bytes alone: the same on every machine and with every library.
    """
    # Each text ends in two signs that no text has, so that a text of one token has a shingle.
    ended = pl.Series(texts, dtype=pl.String) + " \0 \0"
    listed = ended.str.extract_all(_TOKENS)
    counts = listed.list.len().to_numpy().astype(np.int64)
    encoded = listed.explode().to_arrow().dictionary_encode()
    words = encoded.dictionary.to_pylist()
    known = np.fromiter(
        (
            int.from_bytes(blake2b(each.encode(), digest_size=8).digest(), "little")
            for each in words
        ),
        np.uint64,
        len(words),
    )
    hashed = known[encoded.indices.to_numpy()]
    mixed = hashed * _MIX[0]
    for step in range(1, _SHINGLE):
        mixed[:-step] ^= (hashed[step:] * _MIX[step]) ^ (mixed[:-step] >> np.uint64(29))
    ends = np.cumsum(counts)
    inside = np.ones(len(mixed), bool)
    for step in range(1, _SHINGLE):
        inside[ends - step] = False
    offsets = np.concatenate([[0], np.cumsum(counts - _SHINGLE + 1)]).astype(np.uint64)
    return np.ascontiguousarray(mixed[inside]), offsets


def _candidates(signed: npt.NDArray[np.uint32]) -> tuple[npt.NDArray[np.int64], ...]:
    """Pairs of places that agree in a band, each once, the smaller first."""
    keys = [np.empty(0, np.int64)]
    size = len(signed)
    for band in np.split(signed, BANDS, axis=1):
        rows = np.ascontiguousarray(band).view(np.dtype((np.void, band.shape[1] * 4))).ravel()
        _, group = np.unique(rows, return_inverse=True)
        order = np.argsort(group, kind="stable")
        bounds = np.flatnonzero(np.diff(group[order], prepend=-1, append=size + 1))
        for first, last in _crowds(bounds):
            members = order[first:last]
            for place in range(1, len(members)):
                others = members[: min(place, _BEST)]
                keys.append(others * size + members[place])
    unique = np.unique(np.concatenate(keys))
    return unique // max(size, 1), unique % max(size, 1)


def _crowds(bounds: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    firsts, lasts = bounds[:-1], bounds[1:]
    several = lasts - firsts > 1
    return zip(firsts[several].tolist(), lasts[several].tolist(), strict=True)


def _jaccard(
    texts: Sequence[str], a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """The exact similarity of the sets of shingles at places `a` and `b`."""
    places = np.unique(np.concatenate([a, b]))
    sets: dict[int, Hashes] = {}
    for start in range(0, len(places), _CHUNK):
        chunk = places[start : start + _CHUNK].tolist()
        shingles, offsets = _shingles([texts[int(place)] for place in chunk])
        for row, place in enumerate(chunk):
            sets[place] = np.unique(shingles[offsets[row] : offsets[row + 1]])
    similar = np.empty(len(a), np.float64)
    for row, (one, other) in enumerate(zip(a.tolist(), b.tolist(), strict=True)):
        first, second = sets[one], sets[other]
        shared = len(np.intersect1d(first, second, assume_unique=True))
        similar[row] = shared / max(len(first) + len(second) - shared, 1)
    return similar

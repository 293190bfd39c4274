"""Near-duplicates among texts: who resembles whom, verified, and who stays. Knows nothing of pairs.

Candidates come from banded locality-sensitive hashing of MinHash signatures (Broder 1997; Leskovec et al.,
Mining of Massive Datasets, 3.4); every one is verified by the exact Jaccard similarity of its shingles.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from corpus import schema

if TYPE_CHECKING:
    from scipy.sparse import csr_array

VERSION = "2"

PERMUTATIONS, BANDS = 128, 16
"""Eight rows a band: 99.4 % of texts with a similarity of 0.85 agree in some band, 6 % of those with 0.5."""

WIDTH = 3
"""Tokens of a shingle of code."""

_SEED = 42
_CHUNK = 20_000
_BEST = 16  # of a crowd that agrees in a band, each member is compared with this many
# A word, or one sign: operators and quantifiers make the difference between two specifications.
_TOKENS = r"[\p{L}\p{N}_']+|[^\s\p{L}\p{N}_']"
_MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)

Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Compared:
    """What `compare` gives.

    `edges`: the pairs of texts that were compared, places `a` < `b`, the exact `jaccard`, and whether that
    makes them `near`. `signatures`: rows of `schema.SIGNATURES`, one a distinct text; `signed`, how many of
    them were not known before.
    """

    edges: pl.DataFrame
    signatures: pl.DataFrame
    signed: int


def compare(
    texts: pl.Series, threshold: float, *, width: int = WIDTH, known: pl.DataFrame | None = None
) -> Compared:
    """Find the pairs of `texts` with a similarity of at least `threshold`.

    What is less alike than about 0.5 is seldom compared. The signatures of earlier calls may be handed in as
    `known`: only texts that it lacks are signed.
    """
    ids = pl.DataFrame({"text_id": _ids(texts, width)})
    distinct = ids.with_row_index("at").unique("text_id", keep="first", maintain_order=True)
    if known is None:
        known = schema.empty(schema.SIGNATURES)
    found = distinct.join(known, on="text_id", how="left", maintain_order="left")
    missing = found.filter(pl.col("bands").is_null())
    fresh = missing.select("text_id", bands=_bands(texts.gather(missing["at"]), width))
    signatures = pl.concat([found.drop("at").drop_nulls("bands"), fresh]).sort("text_id")
    bands = ids.join(signatures, on="text_id", how="left", maintain_order="left")["bands"]
    a, b = _candidates(bands.to_numpy().reshape(-1, BANDS))
    edges = pl.DataFrame({"a": a, "b": b, "jaccard": _jaccard(texts, a, b, width)})
    return Compared(
        edges.with_columns(near=pl.col("jaccard") >= threshold), signatures, fresh.height
    )


def survivors(size: int, repeats: pl.DataFrame) -> Places:
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


def clusters(size: int, near: pl.DataFrame) -> Places:
    """For each of `size` texts the first place of all that hang together through the edges `near`."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = (near["a"].to_numpy(), near["b"].to_numpy())
    graph = coo_array((np.ones(near.height, bool), ends), shape=(size, size))
    _, label = connected_components(graph, directed=False)
    _, first, place = np.unique(label, return_index=True, return_inverse=True)
    return first[place].astype(np.int64)


def signatures(texts: pl.Series, width: int = WIDTH) -> npt.NDArray[np.uint32]:
    """The MinHash signature of each text: n x `PERMUTATIONS`."""
    import rensa

    sign = rensa.RMinHash.digest_matrix_from_flat_token_hashes  # pyright: ignore[reportAttributeAccessIssue]
    made = np.empty((len(texts), PERMUTATIONS), np.uint32)
    for start in range(0, len(texts), _CHUNK):
        hashes, offsets = shingles(texts[start : start + _CHUNK], width)
        rows = sign(hashes, offsets, PERMUTATIONS, _SEED).to_rows()
        made[start : start + _CHUNK] = np.array(rows, np.uint32).reshape(-1, PERMUTATIONS)
    return made


def shingles(texts: pl.Series, width: int = WIDTH) -> tuple[Hashes, Hashes]:
    """The shingles of `width` tokens, at most three, of all texts one after another, repeated ones, too; and
    where each text's begin, the end last.

    Hashes are of the tokens' bytes alone: the same on every machine and with every library.
    """
    # Each text ends in signs that no text has, so that a text of one token has a shingle.
    ended = texts.cast(pl.String) + " \0" * (width - 1)
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
    for step in range(1, width):
        mixed[:-step] ^= (hashed[step:] * _MIX[step]) ^ (mixed[:-step] >> np.uint64(29))
    ends = np.cumsum(counts)
    inside = np.ones(len(mixed), bool)
    for step in range(1, width):
        inside[ends - step] = False
    offsets = np.concatenate([[0], np.cumsum(counts - width + 1)]).astype(np.uint64)
    return np.ascontiguousarray(mixed[inside]), offsets


def incidence(texts: pl.Series, width: int = WIDTH) -> csr_array:
    """Which text has which shingle: ones in a sparse matrix, whose columns are sorted."""
    from scipy.sparse import csr_array

    hashes, offsets = shingles(texts, width)
    # A column is a shingle: 62 bits of its hash, which no two shingles of two texts share by chance.
    columns = (hashes >> np.uint64(2)).astype(np.int64)
    ones = np.ones(len(columns), np.int8)
    rows = csr_array((ones, columns, offsets.astype(np.int64)), shape=(len(texts), 1 << 62))
    rows.sum_duplicates()
    rows.data = np.ones(rows.nnz, np.int8)
    return rows


def _ids(texts: pl.Series, width: int) -> pl.Series:
    """Names of the texts as they are signed: another way to sign gives others."""
    prefix = f"{VERSION} {width} {PERMUTATIONS} {BANDS} {_SEED} ".encode()

    def name(text: str) -> str:
        return blake2b(prefix + text.encode(), digest_size=16).hexdigest()

    return texts.map_elements(name, return_dtype=pl.String)


def _bands(texts: pl.Series, width: int) -> pl.Series:
    """One number a band of each text's signature; equal bands have equal numbers."""
    signed = signatures(texts, width).reshape(len(texts), BANDS, PERMUTATIONS // BANDS)
    # A polynomial over the rows of a band, in 64 bits: chance makes two of them equal once in 10^19.
    mixed = np.zeros((len(texts), BANDS), np.uint64)
    for row in range(signed.shape[2]):
        mixed = (mixed ^ signed[:, :, row]) * _MIX[0]
        mixed ^= mixed >> np.uint64(29)
    return pl.Series("bands", mixed, pl.Array(pl.UInt64, BANDS))


def _candidates(bands: Hashes) -> tuple[Places, Places]:
    """Pairs of places that agree in a band, each once, the smaller first."""
    size = len(bands)
    keys = np.empty(0, np.int64)
    for band in bands.T:
        order = np.argsort(band, kind="stable")
        starts = np.flatnonzero(np.diff(band[order]) != 0) + 1
        firsts = np.zeros(size, np.int64)
        firsts[starts] = starts
        firsts = np.maximum.accumulate(firsts)  # where each one's crowd begins
        rank = np.arange(size) - firsts
        found = []
        for best in range(_BEST):
            later = np.flatnonzero(rank > best)
            if not len(later):
                break
            found.append(order[firsts[later] + best] * size + order[later])
        keys = np.union1d(keys, np.concatenate(found)) if found else keys
    return keys // max(size, 1), keys % max(size, 1)


def _jaccard(texts: pl.Series, a: Places, b: Places, width: int) -> npt.NDArray[np.float64]:
    """The exact similarity of the sets of shingles at places `a` and `b`."""
    from scipy.sparse import csr_array, vstack

    places, ends = np.unique(np.concatenate([a, b]), return_inverse=True)
    sets = [
        incidence(texts.gather(places[start : start + _CHUNK]), width)
        for start in range(0, len(places), _CHUNK)
    ]
    if not sets:
        return np.empty(0, np.float64)
    matrix = csr_array(vstack(sets, format="csr"))
    sizes = np.diff(matrix.indptr)
    shared = np.empty(len(a), np.int64)
    one, other = ends[: len(a)], ends[len(a) :]
    for start in range(0, len(a), _CHUNK):
        rows = slice(start, start + _CHUNK)
        shared[rows] = matrix[one[rows]].multiply(matrix[other[rows]]).sum(axis=1)
    return shared / np.maximum(sizes[one] + sizes[other] - shared, 1)

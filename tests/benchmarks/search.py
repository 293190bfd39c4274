"""Searching as ratios measured in one run: a warm search, recall of the IVF index, the cost of keeping.

`python -m tests.benchmarks.search [DOCUMENTS]`: random unit vectors around common centres stand for tokens,
as real ones do not lie evenly either. The indexing part needs a model in the lake, or is left out.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from evaluation import index as vectors
from evaluation.index import VectorIndex, key_of
from evaluation.retrieve import maxsim_scores
from evaluation.search import Semantic, best
from resources.lake import Lake

_DIM, _TOKENS, _CENTRES, _QUERIES, _TOP = 384, (40, 160), 4_000, 20, 10
_EXACT = 2
"""Queries of which the exact search is timed."""
_ENCODED, _TURNS = 512, 3


class Made:
    """Token vectors near shared centres; the same text has the same ones."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(7)
        self._centres = _unit(torch.randn(_CENTRES, _DIM, generator=generator))

    def __call__(self, texts: list[str]) -> list[torch.Tensor]:
        return [self.one(text, *_TOKENS) for text in texts]

    def one(self, text: str, least: int, most: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(int(key_of("", text)[:12], 16))
        size = int(torch.randint(least, most, (1,), generator=generator))
        near = self._centres[torch.randint(_CENTRES, (size,), generator=generator)]
        noise = _unit(torch.randn(size, _DIM, generator=generator))
        return _unit(near + 0.7 * noise)


def _unit(values: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(values, dim=1)


def seconds(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    found = work()
    return found, time.perf_counter() - started


def searched(documents: int, folder: Path) -> float:
    """A warm search of `documents`, exact and over the candidates of the IVF index; its seconds."""
    texts = [f"document {number}" for number in range(documents)]
    keys = [key_of("bench", text) for text in texts]
    made, index = Made(), VectorIndex(folder)
    wanted = {"bench": dict(zip(keys, texts, strict=True))}
    vectors.EXACT_DOCUMENTS = documents
    _, writing = seconds(lambda: index.update(wanted, made))
    _, again = seconds(lambda: index.update(wanted, made))
    print(f"{documents:,} documents of {_TOKENS[0]}-{_TOKENS[1]} tokens of {_DIM}")
    print(f"first update {writing:.1f} s, one without changes {again:.2f} s")
    queries = [made.one(f"query {number}", 12, 32) for number in range(_QUERIES)]
    pools = [Semantic([(query, 1.0)], index, ["bench"], keys) for query in queries]
    truth = _best(index, queries, keys)
    exact = [seconds(lambda pool=pool: best(_TOP, semantic=pool)) for pool in pools[:_EXACT]]
    assert [{hit.position for hit in hits} for hits, _ in exact] == truth[:_EXACT]
    vectors.EXACT_DOCUMENTS = documents // 2
    _, building = seconds(lambda: index.update(wanted, made))
    best(_TOP, semantic=pools[0])
    near = [seconds(lambda pool=pool: best(_TOP, semantic=pool)) for pool in pools]
    recall = statistics.fmean(
        len({hit.position for hit in hits} & expected) / _TOP
        for (hits, _), expected in zip(near, truth, strict=True)
    )
    slow, fast = (statistics.median(took for _, took in each) for each in (exact, near))
    print(
        f"IVF index made in {building:.1f} s; {_size(folder) / documents / 1e3:.0f} kB a document"
    )
    print(f"exact {1e3 * slow:.0f} ms, IVF {1e3 * fast:.0f} ms: {slow / fast:.1f} times as fast")
    print(f"a warm search takes {1e3 * fast:.0f} ms (mark 300)")
    print(f"recall@{_TOP} of IVF against exact: {recall:.3f} (mark 0.95)")
    return fast


def _best(index: VectorIndex, queries: list[torch.Tensor], keys: list[str]) -> list[set[int]]:
    """The exact answers to all queries in one pass over the table."""
    scores = np.empty((len(queries), len(keys)), dtype=np.float32)
    place = {key: position for position, key in enumerate(keys)}
    for names, found in vectors._vectors(index._table(), "source = 'bench'"):
        scores[:, [place[name] for name in names]] = maxsim_scores(queries, found)
    return [{*row} for row in np.argsort(-scores, axis=1, kind="stable")[:, :_TOP].tolist()]


def indexed(lake: Lake, folder: Path, search: float) -> None:
    """Encoding definitions of the lake into an index, against encoding them alone; and a query."""
    from evaluation.documents import render
    from pipeline.gather import gather
    from pipeline.model import chosen
    from pipeline.running import quiet

    quiet()
    model = chosen(lake, "")
    units = gather(lake, "").units
    every = units.gather_every(max(1, len(units) // _ENCODED)).head(_ENCODED)
    texts = [render(each, "indexed") for each in every.to_dicts()]
    domains = every["domain"].to_list()
    of = dict(zip(texts, domains, strict=True))
    wanted = {"lake": {key_of("bench", text): text for text in texts}}
    model.encode_documents(texts, domains)  # kernels are made for each shape once
    bare, kept = [], []
    for turn in range(_TURNS):
        index = VectorIndex(folder / str(turn))
        bare.append(seconds(lambda: model.encode_documents(texts, domains))[1])
        kept.append(
            seconds(
                lambda index=index: index.update(
                    wanted, lambda new: model.encode_documents(new, [of[text] for text in new])
                )
            )[1]
        )
    ratio = statistics.median(bare) / statistics.median(kept)
    print(f"{len(texts)} definitions: {len(texts) / statistics.median(bare):.0f}/s encoded")
    print(f"indexing has {ratio:.2f} of the speed of encoding (mark 0.90)")
    query = "prove that the ring buffer never overflows"
    asking = statistics.median(seconds(lambda: model.encode_query(query))[1] for _ in range(20))
    print(
        f"with encoding the query a warm search takes {1e3 * (search + asking):.0f} ms (mark 300)"
    )


def _size(folder: Path) -> int:
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("documents", type=int, nargs="?", default=50_000)
    documents = parser.parse_args().documents
    with tempfile.TemporaryDirectory(prefix="provender-search-") as folder:
        search = searched(documents, Path(folder) / "random")
        lake = Lake()
        if lake.path("models", "model").is_dir():
            indexed(lake, Path(folder) / "real", search)
        else:
            print("the lake has no model yet: indexing was not measured", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

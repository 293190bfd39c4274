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

import torch

from evaluation import index as vectors
from evaluation.index import VectorIndex, key_of
from evaluation.search import Semantic, best
from resources.lake import Lake

_DIM, _TOKENS, _CENTRES, _QUERIES, _TOP = 384, (40, 160), 4_000, 20, 10
_ENCODED = 256


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


def searched(documents: int, folder: Path) -> None:
    """A warm search of `documents`, exact and over the candidates of the IVF index."""
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
    pools = [Semantic(query, index, ["bench"], keys) for query in queries]
    exact = [seconds(lambda pool=pool: best(_TOP, semantic=pool)) for pool in pools]
    vectors.EXACT_DOCUMENTS = documents // 2
    _, building = seconds(lambda: index.update(wanted, made))
    best(_TOP, semantic=pools[0])
    near = [seconds(lambda pool=pool: best(_TOP, semantic=pool)) for pool in pools]
    recall = statistics.fmean(
        len({hit.position for hit in hits} & {hit.position for hit in truth}) / _TOP
        for (hits, _), (truth, _) in zip(near, exact, strict=True)
    )
    slow, fast = (statistics.median(took for _, took in each) for each in (exact, near))
    print(
        f"IVF index made in {building:.1f} s; {_size(folder) / documents / 1e3:.0f} kB a document"
    )
    print(f"exact {1e3 * slow:.0f} ms, IVF {1e3 * fast:.0f} ms: {slow / fast:.1f} times as fast")
    print(f"recall@{_TOP} of IVF against exact: {recall:.3f}")


def indexed(lake: Lake, folder: Path) -> None:
    """Encoding definitions of the lake into an index, against encoding them alone."""
    from evaluation.documents import render
    from pipeline.gather import gather
    from pipeline.model import chosen
    from pipeline.running import quiet

    quiet()
    model = chosen(lake, "")
    units = gather(lake, "").units
    texts = [
        render(each, "indexed")
        for each in units.gather_every(max(1, len(units) // _ENCODED)).to_dicts()
    ]
    texts = texts[:_ENCODED]
    model.encode(texts[:8], "document")
    _, bare = seconds(lambda: model.encode(texts, "document"))
    wanted = {"lake": {key_of("bench", text): text for text in texts}}
    index = VectorIndex(folder)
    _, kept = seconds(lambda: index.update(wanted, lambda new: model.encode(new, "document")))
    print(
        f"{len(texts)} definitions: encoded {len(texts) / bare:.0f}/s, indexed {len(texts) / kept:.0f}/s"
    )
    print(f"indexing has {bare / kept:.2f} of the speed of bare encoding")


def _size(folder: Path) -> int:
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("documents", type=int, nargs="?", default=50_000)
    documents = parser.parse_args().documents
    with tempfile.TemporaryDirectory(prefix="provender-search-") as folder:
        searched(documents, Path(folder) / "random")
        lake = Lake()
        if lake.path("models", "model").is_dir():
            indexed(lake, Path(folder) / "real")
        else:
            print("the lake has no model yet: indexing was not measured", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

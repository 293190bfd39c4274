"""Exact MaxSim against sentence-transformers' own, and encoding against the bare forward pass.

`python -m tests.benchmarks.retrieval [--whole]`: ratios measured in one run, in turns, medians. Queries and
documents are those of the lake, encoded by its model; where more are asked for than were encoded, they are
drawn again. `--whole` scores all 2,000 x 20,000, too, which takes minutes, and prints the memory it needed.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import MultiVectorEncoder

import evaluation
from common.device import pick
from evaluation.retrieve import encode, maxsim_scores

_QUERIES, _DOCUMENTS = 2_000, 20_000
_SLICE = 50
"""Documents, drawn at random, that the library scores against all queries: it goes through documents a few
at a time, so that all 20,000 take it 400 times as long."""
_OURS = 200
_ENCODED = 500
_TURNS = 3


def seconds(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    found = work()
    return found, time.perf_counter() - started


def in_turns(*works: Callable[[], Any]) -> list[float]:
    """The median of the seconds of each."""
    times = [[seconds(work)[1] for work in works] for _ in range(_TURNS)]
    return [statistics.median(each) for each in zip(*times, strict=True)]


def encoding(model: MultiVectorEncoder, texts: list[str]) -> None:
    """`encode` against the forward pass of batches that are tokenised and sorted already."""
    device = pick()
    lengths = [
        int(model.preprocess([text], task="document")["attention_mask"].sum()) for text in texts
    ]
    order = np.argsort(lengths, kind="stable")[::-1]
    batches = [
        model.preprocess([texts[each] for each in order[start : start + 32]], task="document")
        for start in range(0, len(order), 32)
    ]

    def forward() -> None:
        with device.autocast(), torch.inference_mode():
            for batch in batches:
                model(dict(batch), task="document")

    def library() -> None:
        with device.autocast():
            model.encode_document(texts, batch_size=32, show_progress_bar=False)

    def ours() -> None:
        encode(model, texts, "document", autocast=device.autocast())

    ours()  # kernels are made for each shape once
    bare, whole, theirs = in_turns(forward, ours, library)
    print(
        f"{len(texts)} definitions of {sum(lengths) / len(lengths):.0f} tokens, {device.precision}"
    )
    print(f"bare forward pass {len(texts) / bare:.1f}/s, encode {len(texts) / whole:.1f}/s")
    print(f"encode has {bare / whole:.2f} of the bare speed (mark 0.90)")
    print(f"the library's encode_document has {bare / theirs:.2f}")


def scoring(
    model: MultiVectorEncoder, queries: list[torch.Tensor], documents: list[torch.Tensor]
) -> None:
    """`maxsim_scores` against the model's `similarity`, in pairs a second."""
    some = [each.float() for each in documents[:_SLICE]]
    more = documents[:_OURS]
    tokens = sum(map(len, more)) / len(more), sum(map(len, queries)) / len(queries)
    asked, low = ([each.bfloat16() for each in texts] for texts in (queries, some))
    theirs, rough, ours, near = in_turns(
        lambda: model.similarity(queries, some),
        lambda: model.similarity(asked, low),
        lambda: maxsim_scores(queries, more),
        lambda: maxsim_scores(queries, more, bf16=True),
    )
    library, lower = _SLICE / theirs, _SLICE / rough
    exact, half = len(more) / ours, len(more) / near
    print(
        f"MaxSim of {len(queries):,} queries of {tokens[1]:.0f} tokens and documents of {tokens[0]:.0f}:"
        f" the library on {_SLICE} of them (fp32), ours on {len(more)} (stored in fp16)"
    )
    speeds = [len(queries) * each for each in (library, lower, exact, half)]
    print(
        "pairs/s: library {:,.0f}, in bf16 {:,.0f}; ours {:,.0f}, in bf16 {:,.0f}".format(*speeds)
    )
    print(f"MaxSim is {exact / library:.1f} times as fast as the library's (mark 3)")
    print(
        f"both in bf16: {half / lower:.1f} times; ours in bf16 {half / exact:.1f} times ours in fp32"
    )
    agreement(model, queries, documents)


def agreement(
    model: MultiVectorEncoder, queries: list[torch.Tensor], documents: list[torch.Tensor]
) -> None:
    """How far scores are from the library's, and what bf16 changes in ranks."""
    some = [each.float() for each in documents[:_SLICE]]
    theirs = model.similarity(queries[:200], some).numpy()
    if model.similarity_fn_name == "maxsim":
        theirs = theirs / np.array([[len(each)] for each in queries[:200]])
    print(f"largest difference {np.abs(maxsim_scores(queries[:200], some) - theirs).max():.1e}")
    exact = maxsim_scores(queries[:200], documents[:_ENCODED])
    near = maxsim_scores(queries[:200], documents[:_ENCODED], bf16=True)
    ranks, changed = (np.argsort(-each, axis=1, kind="stable") for each in (exact, near))
    first = (ranks[:, 0] == changed[:, 0]).mean()
    ten = np.mean(
        [len({*a} & {*b}) / 10 for a, b in zip(ranks[:, :10], changed[:, :10], strict=True)]
    )
    print(
        f"bf16: scores differ by {np.abs(near - exact).max():.1e} at most; over {exact.shape[1]:,} documents"
        f" {first:.1%} of the best and {ten:.1%} of the best ten are the same"
    )


def whole(queries: list[torch.Tensor], documents: list[torch.Tensor]) -> None:
    """All queries and documents, and the process's peak of memory."""
    many = [each.clone() for each in random.Random(1).choices(documents, k=_DOCUMENTS)]
    scores, took = seconds(lambda: maxsim_scores(queries, many))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{scores.shape[0]:,} queries x {scores.shape[1]:,} documents: {took:.0f} s,"
        f" peak of the whole process {peak:.1f} GB (mark 4)"
    )


def judged() -> list[str]:
    """The queries that were written by hand."""
    folder = Path(evaluation.__file__).parent / "queries"
    read = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))]
    return [query["query"] for file in read for query in file["queries"]]


def main() -> int:
    """Print the figures; 1 where the lake has no model yet."""
    from evaluation.documents import render
    from pipeline.gather import gather
    from pipeline.model import Model, chosen
    from pipeline.running import quiet
    from resources.lake import Lake

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--whole", action="store_true", help="all 2,000 x 20,000 as well")
    asked = parser.parse_args()
    lake = Lake()
    if not lake.path("models", "model").is_dir():
        print("The lake has no model yet: run `make demo` first.", file=sys.stderr)
        return 1
    quiet()
    model = chosen(lake, "")
    assert isinstance(model, Model)
    units = gather(lake, "").units
    every = units.gather_every(max(1, len(units) // _ENCODED)).head(_ENCODED)
    texts = [render(each, "indexed") for each in every.to_dicts()]
    draw = random.Random(0)
    draw.shuffle(texts)
    documents = [each.half() for each in model.encode(texts, "document")]
    queries = draw.choices(model.encode(judged(), "query"), k=_QUERIES)
    encoder = model._encoder
    assert encoder is not None
    scoring(encoder, queries, documents)
    if asked.whole:
        whole(queries, documents)
    encoding(encoder, texts)
    return 0


if __name__ == "__main__":
    sys.exit(main())

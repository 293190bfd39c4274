"""Steps of training against sentence-transformers' own trainer: `python -m tests.benchmarks.training`.

Same model and adapter, same pairs of the lake's corpus, same lengths, batch, loss (XTR) and precision, in
turns within one run. Ours runs twice: a batch in one piece in random order, as theirs does, and with length
buckets and chunks. Prints pairs a second as ratios to theirs, and the share of time in which ours does not
train.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

# As `training.run` sets it: a kernel for each batch shape would fill the memory (docs/training.md).
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "32")
os.environ.setdefault("LRU_CACHE_CAPACITY", "32")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

import lightning
import torch

from common.device import pick
from training.fit import fit
from training.model import add_adapter, load_encoder
from training.pairs import Texts, draw, read_index
from training.recipe import Recipe

_WARM = 2
_TURNS = 2


def recipe(options: argparse.Namespace, *, in_buckets: bool) -> Recipe:
    """Some steps and a few to warm up, without what the other trainer has not."""
    batch = options.batch
    window, chunk = (8, options.chunk) if in_buckets else (1, batch)
    return Recipe.model_validate(
        {
            "batch_size": batch,
            "mixture": {"max_pairs": batch * (options.steps + _WARM), "indexed_share": 1.0},
            "batches": {"within": "anything", "window": window, "chunk": chunk},
            "save_every_steps": 1000,
        }
    )


def ours(corpus: Path, asked: Recipe) -> tuple[float, float]:
    """Pairs a second of training, and the share of time that is not training."""
    with tempfile.TemporaryDirectory() as folder:
        clock = _Clock()
        fitted = fit(asked, corpus, Path(folder), callbacks=lambda _: [clock])
        return rate(clock.times, asked), fitted.speed["waited_share"]


def rate(times: list[float], asked: Recipe) -> float:
    """Pairs a second of all steps but the first ones, by when each ended."""
    return asked.batch_size * (len(times) - _WARM) / (times[-1] - times[_WARM - 1])


class _Clock(lightning.Callback):
    def __init__(self) -> None:
        self.times: list[float] = []

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.times.append(time.perf_counter())


def theirs(corpus: Path, asked: Recipe) -> float:
    """The same of sentence-transformers' trainer."""
    from datasets import Dataset
    from sentence_transformers import MultiVectorEncoderTrainer, MultiVectorEncoderTrainingArguments
    from sentence_transformers.multi_vector_encoder.losses import (
        MultiVectorMultipleNegativesRankingLoss,
    )
    from sentence_transformers.multi_vector_encoder.scoring import XTRScores
    from transformers import TrainerCallback

    from evaluation.documents import render

    with tempfile.TemporaryDirectory() as folder:
        index = read_index(corpus, asked)
        drawn = draw(index, asked.mixture, asked.seed)
        drawn.sort()
        rows = Texts.write(corpus, drawn, Path(folder) / "t.arrow").rows(drawn)
        documents = [
            render({**row, "code": row["positive"], "prose": row["doc_rest"]}, "indexed")
            for row in rows
        ]
        data = Dataset.from_dict({"query": [row["query"] for row in rows], "document": documents})
        times: list[float] = []

        class Clock(TrainerCallback):
            def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                times.append(time.perf_counter())

        encoder = load_encoder(asked)
        add_adapter(encoder, asked.adapter)
        loss = MultiVectorMultipleNegativesRankingLoss(
            encoder, scale=1 / asked.objective.temperature, similarity_fct=XTRScores(256)
        )
        device = pick()
        arguments = MultiVectorEncoderTrainingArguments(
            output_dir=folder,
            num_train_epochs=1,
            per_device_train_batch_size=asked.batch_size,
            learning_rate=asked.learning_rate,
            bf16=device.precision == "bf16",
            use_cpu=device.accelerator == "cpu",
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
        )
        MultiVectorEncoderTrainer(
            model=encoder, args=arguments, train_dataset=data, loss=loss, callbacks=[Clock()]
        ).train()
    return rate(times, asked)


def main() -> int:
    """Print the table; 1 where the lake has no corpus yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--chunk", type=int, default=8, help="documents embedded together")
    options = parser.parse_args()
    corpus = Path(os.environ.get("PROVENDER_LAKE", "lake")) / "corpus" / "split=train"
    if not corpus.is_dir():
        print("No corpus: run `make demo` first.", file=sys.stderr)
        return 1
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    torch.set_num_threads(os.cpu_count() or 1)
    piece, by_length = (recipe(options, in_buckets=each) for each in (False, True))
    peers, pieces, buckets, waits = [], [], [], []
    for _ in range(_TURNS):
        peers.append(theirs(corpus, piece))
        pieces.append(ours(corpus, piece)[0])
        speed, waited = ours(corpus, by_length)
        buckets.append(speed)
        waits.append(waited)
    peer = max(peers)
    print(f"pairs/s                          best of {_TURNS}  ratio")
    print(f"sentence-transformers' trainer   {peer:8.1f}")
    for name, found, limit in (
        ("a batch in one piece", pieces, "1.0"),
        ("by length in chunks", buckets, "1.25"),
    ):
        best = max(found)
        print(f"ours, {name:26} {best:8.1f}  {best / peer:5.2f}  (limit: {limit})")
    print(f"ours, time outside of training   {min(waits):8.1%}         (limit: 5 %)")
    return 0


if __name__ == "__main__":
    sys.exit(main())

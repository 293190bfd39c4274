"""ONNX: a graph from token ids to token vectors, the tokenizer beside it, and a reader without torch's model.

The graph holds the transformer, its projections and the normalization. Prefixes, lengths and the skiplist
stand in `onnx_config.json`, because they are no tensors.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.base.modules import Normalize
from sentence_transformers.base.modules.dense import Dense
from torch import Tensor, nn

from common.atomic import write_json
from training.model import Task, tokenize, transformer_of

_MODEL, _CONFIG = "model.onnx", "onnx_config.json"

_ONE_FILE = 2**31 - 2**24
"""Bytes of weights up to which a graph is one file; protobuf ends at 2 GiB."""


class _TokenVectors(nn.Module):
    """What `MultiVectorEncoder` does between its tokenizer and its scoring mask."""

    def __init__(self, encoder: MultiVectorEncoder) -> None:
        super().__init__()
        self.transformer = transformer_of(encoder).model
        self.rest = nn.ModuleList(
            module for module in encoder if isinstance(module, Dense | Normalize)
        )

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        output = self.transformer(input_ids=input_ids, attention_mask=attention_mask)
        features = {"token_embeddings": output.last_hidden_state}
        for module in self.rest:
            features = module(features)
        return features["token_embeddings"]


def write_onnx(encoder: MultiVectorEncoder, folder: Path, skiplist: list[str]) -> None:
    """Write `encoder`, which expands no queries, to the existing `folder`.

    `model.onnx` takes `input_ids` and `attention_mask`, int64 `(batch, tokens)`, and gives
    `token_embeddings`, float32 `(batch, tokens, width)`, each of unit length.
    """
    transformer = transformer_of(encoder)
    model = _TokenVectors(encoder).eval()
    # Two rows of unequal length: the exporter takes a dimension of one for a constant.
    example = tokenize(encoder, ["parse a date", "fn parse(text: &str) -> Date"], "document")
    sizes = {0: "batch", 1: "tokens"}
    size = sum(each.numel() * each.element_size() for each in model.parameters())
    with torch.no_grad(), _quiet():
        torch.onnx.export(
            model,
            (example["input_ids"], example["attention_mask"]),
            folder / _MODEL,
            input_names=["input_ids", "attention_mask"],
            output_names=["token_embeddings"],
            dynamic_shapes={"input_ids": sizes, "attention_mask": sizes},
            external_data=size > _ONE_FILE,
            dynamo=True,
            verbose=False,
        )
    transformer.processor.save_pretrained(str(folder))
    write_json(
        {
            "query_length": transformer.query_length,
            "document_length": transformer.document_length,
            "query_prefix": encoder.prompts["query"] or "",
            "document_prefix": encoder.prompts["document"] or "",
            "skiplist_words": skiplist,
            "embedding_dim": encoder.get_embedding_dimension(),
        },
        folder / _CONFIG,
    )


class OnnxModel:
    """An export as a program with onnxruntime and tokenizers reads it, and nothing else."""

    def __init__(self, folder: Path) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        self._config = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._session = onnxruntime.InferenceSession(
            folder / _MODEL, providers=["CPUExecutionProvider"]
        )
        skipped = map(self._tokenizer.token_to_id, self._config["skiplist_words"])
        self._skipped = [each for each in skipped if each is not None]

    def encode_query(self, inputs: list[str], /) -> list[np.ndarray]:
        """Unit token vectors `(tokens, width)` of each query."""
        return [vectors for _, vectors in self._encode(inputs, "query")]

    def encode_document(self, inputs: list[str], /) -> list[np.ndarray]:
        """The same of each document, without the tokens of the skiplist."""
        return [
            vectors[~np.isin(ids, self._skipped)]
            for ids, vectors in self._encode(inputs, "document")
        ]

    def _encode(self, texts: list[str], task: Task) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self._config[f"{task}_length"])
        for text in texts:
            ids = np.array([self._tokenizer.encode(self._config[f"{task}_prefix"] + text).ids])
            inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
            (vectors,) = self._session.run(["token_embeddings"], inputs)
            yield ids[0], np.asarray(vectors)[0]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's notes on packages that it does not need."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)

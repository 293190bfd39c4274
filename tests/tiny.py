"""A randomly initialised encoder and a corpus, both so small that a training step takes milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from common.config import Settings
from training.recipe import Recipe

VERBS = "parse read write open close merge".split()
NOUNS = "date time file index token graph span path".split()

_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_VOCABULARY = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *_CHARACTERS,
    *(f"##{character}" for character in _CHARACTERS),
    *"(){}<>.,:;_=+-*/&|!?'\"#[]∀≤",
    *("fn", "the", "from", "text", "self", *VERBS, *NOUNS),
]


def write_checkpoint(folder: Path) -> Path:
    """A BERT checkpoint in MiniLM's layout: 2 layers of 32, WordPiece, safetensors."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    folder.mkdir(parents=True)
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(_VOCABULARY) + "\n", encoding="utf-8")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(_VOCABULARY),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
        initializer_range=0.3,  # wide, so that different tokens get different vectors
    )
    BertModel(config).save_pretrained(str(folder))
    tokenizer = BertTokenizer(vocab=str(vocabulary), model_max_length=128)
    tokenizer.save_pretrained(str(folder))
    return folder


def pair(number: int, **changes: Any) -> dict[str, Any]:
    """One row of a corpus, as far as training reads it; `number` names its query and its unit."""
    verb, noun = VERBS[number % len(VERBS)], NOUNS[number // len(VERBS) % len(NOUNS)]
    turn = number // (len(VERBS) * len(NOUNS))
    symbol = f"{verb}_{noun}" + (f"_{turn}" if turn else "")
    row = {
        "pair_id": f"pair{number}",
        "query": f"{verb} the {noun}" + (f" {turn}" if turn else ""),
        "positive": f"fn {symbol}(text) {{ self.{noun}.{verb}() }}",
        "doc_rest": f"from the {noun}" if number % 2 else "",
        "signature": f"fn {symbol}(text)",
        "query_kind": "doc",
        "pair_type": "doc",
        "symbol": symbol,
        "language": "rust",
        "dialect": None,
        "domain": "rust",
        "cluster_id": f"unit{number}",
        "file_context": f"alpha/{noun}.rs",
        "source": "alpha",
        "revision": "1.0",
        "path": f"{noun}.rs",
        "blob_sha": f"{NOUNS.index(noun):040x}",
        "swhid": f"swh:1:cnt:{NOUNS.index(noun):040x};path=/{noun}.rs;lines={number + 1}-{number + 3}",
        "license": "MIT",
        "license_tier": "permissive",
        "weight": 1.0,
    }
    return row | changes


def write_corpus(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """`rows` as one Parquet file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), path)
    return path


def tiny_recipe(model: Path, **changes: Any) -> Recipe:
    """A recipe for the tiny checkpoint; `changes` as in YAML, nested settings as mappings."""
    settings: dict[str, Any] = {
        "base_model": str(model),
        "stage": "tiny",
        "query_length": 12,
        "document_length": 32,
        "index_length": 40,
        "batch_size": 4,
        "learning_rate": 1e-2,
        "accelerator": "cpu",
        "precision": "fp32",
        "save_every_steps": 2,
        "adapter": {"rank": 4, "alpha": 8},
    }
    return Recipe.model_validate(settings | changes)


def write_curriculum(folder: Path, *stages: str) -> Path:
    """A curriculum in `folder` whose `stages`, and experts, are trained by `train.yaml` beside it."""
    import yaml

    path = folder / "curriculum.yaml"
    profiles = {"tiny": {stage: {"recipe": "train.yaml"} for stage in stages}}
    settings = {
        "domain_weights": {"general": 1, "rust": 1, "formal": 1, "personal": 1},
        "stages": profiles,
        "experts": profiles,
    }
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


def write_recipe(path: Path, recipe: Settings) -> Path:
    """`recipe` as YAML."""
    import yaml

    path.write_text(yaml.safe_dump(recipe.model_dump(mode="json")), encoding="utf-8")
    return path

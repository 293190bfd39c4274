"""Tiny randomly initialised checkpoints, one of each architecture and of each layout on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from sentence_transformers import MultiVectorEncoder
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    ModernBertConfig,
    ModernBertModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
    RobertaTokenizer,
    T5Config,
    T5ForConditionalGeneration,
    T5Tokenizer,
)

from common.atomic import write_json
from tests.tiny import pair, write_checkpoint, write_corpus
from training.checkpoint import (
    MANIFEST,
    PROVENANCE,
    VERSION,
    base_version,
    beside,
    fingerprint,
    sources_of,
    write_provenance,
)
from training.model import ADAPTER, adapter_of, add_adapter, load_encoder
from training.recipe import Recipe

WIDTH = 32

_BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())
_LAYERS: dict[str, Any] = {
    "hidden_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}


def write_roberta(folder: Path) -> Path:
    """As microsoft/unixcoder-base: 50 positions, of which two are its padding's."""
    tokens = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *_BYTES]
    config = RobertaConfig(
        **_LAYERS, vocab_size=len(tokens), max_position_embeddings=50, initializer_range=0.3
    )
    tokenizer = RobertaTokenizer(
        vocab={token: place for place, token in enumerate(tokens)}, merges=[]
    )
    return _save(folder, RobertaModel, config, tokenizer)


def write_modernbert(folder: Path) -> Path:
    """As LateOn-Code's encoder: rotary positions, one projection for query, key and value."""
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_BYTES]
    config = ModernBertConfig(
        **_LAYERS,
        vocab_size=len(tokens),
        max_position_embeddings=128,
        pad_token_id=0,
        cls_token_id=2,
        sep_token_id=3,
        bos_token_id=2,
        eos_token_id=3,
        initializer_range=0.3,
    )
    fast = Tokenizer(models.BPE({token: place for place, token in enumerate(tokens)}, []))
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    fast.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=fast,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_input_names=["input_ids", "attention_mask"],
        model_max_length=128,
    )
    return _save(folder, ModernBertModel, config, tokenizer)


def write_t5(folder: Path) -> Path:
    """A whole T5, decoder and all, as google/xtr-base-en's parent."""
    characters = [(character, -3.0) for character in "abcdefghijklmnopqrstuvwxyz(){}.,:_<>"]
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *characters]
    tokenizer = T5Tokenizer(vocab=vocabulary, extra_ids=0, model_max_length=128)
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=WIDTH,
        d_kv=16,
        d_ff=64,
        num_layers=2,
        num_heads=2,
        feed_forward_proj="gated-gelu",
    )
    return _save(folder, T5ForConditionalGeneration, config, tokenizer)


def _save(folder: Path, model: Callable[[Any], Any], config: Any, tokenizer: Any) -> Path:
    torch.manual_seed(0)
    model(config).save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    return folder


ARCHITECTURES: dict[str, Callable[[Path], Path]] = {
    "bert": write_checkpoint,
    "roberta": write_roberta,
    "modernbert": write_modernbert,
    "t5": write_t5,
}


def random_weight(rows: int, columns: int, seed: int = 5) -> torch.Tensor:
    """A projection's weight."""
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


def write_modules(folder: Path, modules: Sequence[tuple[str, str]], **config: Any) -> None:
    """`modules.json` with (path, class), and `config_sentence_transformers.json`."""
    listed = [
        {"idx": place, "name": str(place), "path": path, "type": kind}
        for place, (path, kind) in enumerate(modules)
    ]
    (folder / "modules.json").write_text(json.dumps(listed), encoding="utf-8")
    text = json.dumps(config)
    (folder / "config_sentence_transformers.json").write_text(text, encoding="utf-8")


def write_dense(folder: Path, weight: torch.Tensor, **config: Any) -> None:
    """A projection as PyLate and older sentence-transformers write it."""
    folder.mkdir()
    whole = {
        "in_features": weight.shape[1],
        "out_features": weight.shape[0],
        "bias": False,
        "activation_function": "torch.nn.modules.linear.Identity",
        **config,
    }
    (folder / "config.json").write_text(json.dumps(whole), encoding="utf-8")
    save_file({"linear.weight": weight}, folder / "model.safetensors")


TRANSFORMER = "sentence_transformers.models.Transformer"
POOLING = "sentence_transformers.models.Pooling"
DENSE = "sentence_transformers.models.Dense"
PYLATE_DENSE = "pylate.models.Dense.Dense"


def write_pooling(folder: Path) -> None:
    """Mean pooling, which a multi-vector model has no use for."""
    folder.mkdir()
    config = {"word_embedding_dimension": WIDTH, "pooling_mode_mean_tokens": True}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def write_pylate(folder: Path, weights: Sequence[torch.Tensor], **config: Any) -> Path:
    """A ModernBERT in LateOn-Code's layout, with a chain of projections."""
    write_modernbert(folder)
    paths = [f"{place}_Dense" for place in range(1, len(weights) + 1)]
    for path, weight in zip(paths, weights, strict=True):
        write_dense(folder / path, weight, use_residual=False)
    whole = {
        "model_type": "ColBERT",
        "similarity_fn_name": "MaxSim",
        "prompts": {},
        "default_prompt_name": None,
        "query_prefix": "",
        "document_prefix": "",
        "query_length": 32,
        "document_length": 180,
        "attend_to_expansion_tokens": False,
        "skiplist_words": [],
        "do_query_expansion": False,
    }
    modules = [("", TRANSFORMER), *((path, PYLATE_DENSE) for path in paths)]
    write_modules(folder, modules, **whole | config)
    text = '{"max_seq_length": 180, "do_lower_case": false}'
    (folder / "sentence_bert_config.json").write_text(text, encoding="utf-8")
    return folder


def tuned(recipe: Recipe, seed: int = 1) -> MultiVectorEncoder:
    """The base model of `recipe` with an adapter that changes it."""
    encoder = load_encoder(recipe, recipe.index_length)
    add_adapter(encoder, recipe.adapter)
    generator = torch.Generator().manual_seed(seed)
    for name, weight in adapter_of(encoder).named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.2, generator=generator)
    return encoder.eval()


def write_stage(folder: Path, recipe: Recipe, seed: int = 1) -> Path:
    """A checkpoint as `training.run` leaves it, its adapter drawn at random."""
    base = beside(recipe.base_model, folder)
    encoder = tuned(recipe.model_copy(update={"base_model": base}), seed)
    adapter_of(encoder).save_pretrained(str(folder / ADAPTER))
    rows = [pair(number, source=("alpha", "beta")[number % 2]) for number in range(3)]
    corpus = write_corpus(folder.parent / f"{folder.name}.parquet", rows)
    write_provenance(corpus, folder / PROVENANCE)
    manifest = {
        "stage": recipe.stage,
        "config": recipe.model_dump(mode="json"),
        "data_version": "data",
        "fingerprint": fingerprint(recipe, "data", base_version(base)),
        "sources": sources_of(corpus),
        "code_version": {"training": VERSION, "provender": "0"},
        "metrics": {"loss": 0.25},
    }
    write_json(manifest, folder / MANIFEST)
    return folder


QUERIES = ["parse the date", "open a file"]
DOCUMENTS = ["fn parse_date(text)", "fn open(path) { file }", "∀ x: x ≤ x"]


def scores(encoder: MultiVectorEncoder) -> torch.Tensor:
    """Of two queries with three documents."""
    encoder.eval()
    queries = encoder.encode_query(QUERIES)
    documents = encoder.encode_document(DOCUMENTS)
    return torch.as_tensor(encoder.similarity(queries, documents))

"""Base models: the layouts that a folder or hub name may have, each loaded as a multi-vector encoder.

What a checkpoint says about itself (prefixes, skiplist, query expansion, projections) is kept; lengths are
the caller's; weights are safetensors in single precision. Whatever is missing or odd is an error here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.base.modules import Normalize, Transformer
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
from sentence_transformers.util import load_file_path
from torch import nn
from transformers.utils import logging

from common.errors import ProvenderError

_REMEDY = "Give a folder with a model in it, or a hub name that this machine reaches."

# Half a precision saved is no precision to add an adapter's updates to. Nothing is unpickled.
_KWARGS = {"use_safetensors": True, "dtype": torch.float32}

_MULTI_VECTOR = {"MultiVectorEncoder", "ColBERT"}
"""What `config_sentence_transformers.json` calls a multi-vector model: ours, and PyLate's."""

# A foreign config.json may have anything anywhere.
_ODD = (
    *(OSError, ValueError, RuntimeError, ImportError, SafetensorError),
    *(KeyError, TypeError, AttributeError),
)

_SINGLE_VECTOR_MODULES = {"Transformer", "Pooling", "Dense", "Normalize"}


def load_base(
    path: str, *, name: str, query_length: int, document_length: int
) -> MultiVectorEncoder:
    """The model at the folder or hub name `path` as a multi-vector encoder on the CPU.

    Its vectors have unit length and the width of its last projection, or of its hidden states where
    it has none. Pooling is dropped. `name` is what messages call the model.

    Layouts: a transformers encoder; sentence-transformers' single-vector and multi-vector ones; PyLate's;
    Stanford ColBERT's.

    Raises:
        ProvenderError: there is no such model, its weights are pickled, damaged or incomplete, or it
            reads fewer tokens than the lengths say.
    """
    try:
        with _quiet():
            encoder = _load(path, name, query_length, document_length)
    except _ODD as error:
        raise _unusable(name, _first_line(error)) from None
    _check_positions(encoder, name, max(query_length, document_length))
    return encoder


def _load(path: str, name: str, query_length: int, document_length: int) -> MultiVectorEncoder:
    _check_folder(Path(path), name)
    modules = _modules(path, name)
    kinds = [_kind(module) for module in modules]
    if _is_multi_vector(path, modules) or "Dense" in kinds:
        # A single-vector model's projection is sentence-transformers' to move to the tokens.
        encoder = MultiVectorEncoder(path, device="cpu", model_kwargs=dict(_KWARGS))
    else:
        # It would put a random projection here: that destroys an encoder at this scale (docs/training.md).
        encoder = _without_projection(path, modules)
    if not _is_multi_vector(path, modules):
        encoder.similarity_fn_name = "meanmaxsim"
        encoder.max_seq_length = max(query_length, document_length)
    transformer = encoder[0]
    if not isinstance(transformer, Transformer):
        raise _unusable(
            name, f"its first module is no transformer but {type(transformer).__name__}"
        )
    _set_lengths(transformer, query_length, document_length)
    _check_complete(transformer, path, _folder_of(modules), name)
    return encoder


def _without_projection(path: str, modules: list[dict[str, Any]]) -> MultiVectorEncoder:
    kwargs: dict[str, Any] = {"model_kwargs": dict(_KWARGS)}
    if modules:
        transformer = Transformer.load(path, subfolder=_folder_of(modules), **kwargs)
    else:
        transformer = Transformer(path, **kwargs)
    config = _read(path, "config_sentence_transformers.json") or {}
    return MultiVectorEncoder(
        # No skiplist: punctuation carries meaning in code.
        modules=[transformer, MultiVectorMask(), Normalize(module_input_name="token_embeddings")],
        device="cpu",
        prompts=config.get("prompts"),
        default_prompt_name=config.get("default_prompt_name"),
    )


def _set_lengths(transformer: Transformer, query_length: int, document_length: int) -> None:
    expansion = transformer.query_expansion
    transformer.query_length, transformer.document_length = query_length, document_length
    if expansion is not None:  # queries are padded to it with mask tokens, so it is their length
        transformer.query_expansion = {**expansion, "length": query_length}


def _is_multi_vector(path: str, modules: list[dict[str, Any]]) -> bool:
    if not modules:  # Stanford's layout: a projection among the transformer's own weights
        config = _read(path, "config.json") or {}
        return "HF_ColBERT" in (config.get("architectures") or [])
    config = _read(path, "config_sentence_transformers.json") or {}
    return config.get("model_type") in _MULTI_VECTOR


def _modules(path: str, name: str) -> list[dict[str, Any]]:
    """What `modules.json` lists; nothing where there is no such file."""
    modules = _read(path, "modules.json")
    if modules is None:
        return []
    _check_modules(path, name, modules)
    return modules


def _read(path: str, file: str) -> Any:
    """The JSON file `file` of a folder or hub name, null where there is none."""
    found = load_file_path(path, file)
    return None if found is None else json.loads(Path(found).read_text(encoding="utf-8"))


def _kind(module: dict[str, Any]) -> str:
    return str(module["type"]).rpartition(".")[2]


def _folder_of(modules: list[dict[str, Any]]) -> str:
    return str(modules[0]["path"]) if modules else ""


# What is refused before or after loading


def _check_folder(folder: Path, name: str) -> None:
    """Say what is wrong with a folder in fewer words than the libraries do."""
    if not folder.is_dir():
        return
    if not any((folder / each).is_file() for each in ("config.json", "modules.json")):
        raise _unusable(name, "the folder has neither a config.json nor a modules.json")
    pickled = sorted(folder.glob("pytorch_model*.bin"))
    if pickled and not any(folder.rglob("*.safetensors")):
        raise _pickled(name, pickled[0].name)


def _check_modules(path: str, name: str, modules: Any) -> None:
    listed = isinstance(modules, list) and all(
        isinstance(each, dict) and {"type", "path"} <= each.keys() for each in modules
    )
    if not listed or not modules:
        raise _unusable(name, "its modules.json does not list modules with their type and path")
    kinds = [_kind(module) for module in modules]
    unknown = sorted(set(kinds) - _SINGLE_VECTOR_MODULES)
    if unknown and not _is_multi_vector(path, modules):
        raise _unusable(name, f"what its module {unknown[0]} does to token vectors is not known")
    for module, kind in zip(modules, kinds, strict=True):
        # sentence-transformers would read a projection's pickle.
        folder = str(module["path"])
        if kind == "Dense" and load_file_path(path, "model.safetensors", subfolder=folder) is None:
            raise _pickled(name, f"{folder}/pytorch_model.bin")


def _check_complete(transformer: Transformer, path: str, folder: str, name: str) -> None:
    """Refuse what transformers only logs: weights that are not there are drawn at random."""
    model: Any = transformer.model
    _, info = type(model).from_pretrained(
        path, config=model.config, subfolder=folder, output_loading_info=True, **_KWARGS
    )
    # Token vectors do not pass through a pooler.
    missing = sorted(key for key in info["missing_keys"] if "pooler." not in key)
    if missing:
        raise _unusable(name, f"its weights lack {len(missing)} tensors, {missing[0]} among them")


def _check_positions(encoder: MultiVectorEncoder, name: str, length: int) -> None:
    for module_name, module in encoder.named_modules():
        if module_name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            # RoBERTa counts positions from the one after its padding's.
            padding = module.padding_idx
            positions = module.num_embeddings - (0 if padding is None else padding + 1)
            if length > positions:
                raise ProvenderError(
                    f"The base model reads {positions} tokens, and the recipe asks for {length}.",
                    where=name,
                    remedy="Lower query_length, document_length or index_length in the recipe.",
                )


def _unusable(name: str, why: str) -> ProvenderError:
    return ProvenderError(f"The base model cannot be loaded: {why}.", where=name, remedy=_REMEDY)


def _pickled(name: str, file: str) -> ProvenderError:
    return ProvenderError(
        f"The base model cannot be loaded: {file} has no safetensors beside it; nothing is unpickled.",
        where=name,
        remedy="Convert it where you trust it: load it with its own library and save it again.",
    )


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    if "ignore_mismatched_sizes" in lines[0]:
        return "its weights have other shapes than its config.json says"
    return lines[0].rstrip(".")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' report on tensors: `_check_complete` says what matters of it."""
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)

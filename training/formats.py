"""The formats of a finished model: each written from an encoder without an adapter, and read back.

sentence-transformers' own layout, PyLate's, and ONNX. What a format cannot say is an error, not left out.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.atomic import write_json
from common.errors import ProvenderError
from training.parity import Embeds

if TYPE_CHECKING:
    from sentence_transformers import MultiVectorEncoder
    from torch import Tensor

SENTENCE_TRANSFORMERS, PYLATE, ONNX = "sentence-transformers", "pylate", "onnx"


def check(name: str) -> None:
    """Raise what would stop `write` for lack of packages, before anything is loaded.

    Raises:
        ProvenderError: ONNX is asked for and not installed.
    """
    missing = [
        each
        for each in ("onnx", "onnxscript", "onnxruntime")
        if importlib.util.find_spec(each) is None
    ]
    if name == ONNX and missing:
        raise ProvenderError(
            f"An ONNX export needs {', '.join(missing)}.",
            where=f"--format {ONNX}",
            remedy="Install them: pip install -c constraints.txt -e '.[onnx]'.",
        )


def write(name: str, encoder: MultiVectorEncoder, folder: Path) -> None:
    """Write `encoder` to the existing `folder` in the format `name`.

    Raises:
        ProvenderError: the format has no way to say what the encoder does.
    """
    _WRITERS[name](encoder, folder)


def read(name: str, folder: Path) -> Embeds:
    """What `write` wrote, as a program that knows only the folder reads it."""
    if name == ONNX:
        from training.onnx_format import OnnxModel

        return OnnxModel(folder)
    from sentence_transformers import MultiVectorEncoder

    return MultiVectorEncoder(
        str(folder), device="cpu", local_files_only=True, model_kwargs={"use_safetensors": True}
    )


def _write_onnx(encoder: MultiVectorEncoder, folder: Path) -> None:
    from training.model import transformer_of
    from training.onnx_format import write_onnx

    if transformer_of(encoder).query_expansion is not None:
        raise _inexpressible(ONNX, "its queries are expanded by mask tokens")
    write_onnx(encoder, folder, _skiplist(encoder, ONNX))


def _write_sentence_transformers(encoder: MultiVectorEncoder, folder: Path) -> None:
    encoder.save_pretrained(str(folder), create_model_card=False, safe_serialization=True)


# PyLate: Transformer and Dense modules on disk; prefixes, skiplist and lengths in the configuration;
# mask and normalization in its code.


def _write_pylate(encoder: MultiVectorEncoder, folder: Path) -> None:
    from training.model import transformer_of

    transformer = transformer_of(encoder)
    transformer.model.save_pretrained(str(folder), safe_serialization=True)
    transformer.processor.save_pretrained(str(folder))
    lengths = {
        "query_length": transformer.query_length,
        "document_length": transformer.document_length,
    }
    write_json(
        {"max_seq_length": max(each or 0 for each in lengths.values()), "do_lower_case": False},
        folder / "sentence_bert_config.json",
    )
    modules = [_module(0, "", "sentence_transformers.models.Transformer")]
    for place, (config, weights) in enumerate(_projections(encoder), start=1):
        _write_dense(config, weights, folder / f"{place}_Dense")
        modules.append(_module(place, f"{place}_Dense", "pylate.models.Dense.Dense"))
    (folder / "modules.json").write_text(json.dumps(modules, indent=2), encoding="utf-8")
    write_json(
        {
            "model_type": "ColBERT",
            "similarity_fn_name": "MaxSim",
            "prompts": {},
            "default_prompt_name": None,
            "query_prefix": _prefix_token(encoder, "query"),
            "document_prefix": _prefix_token(encoder, "document"),
            "skiplist_words": _skiplist(encoder, PYLATE),
            **lengths,
            **_expansion(encoder),
        },
        folder / "config_sentence_transformers.json",
    )


def _module(place: int, path: str, kind: str) -> dict[str, Any]:
    return {"idx": place, "name": str(place), "path": path, "type": kind}


def _projections(encoder: MultiVectorEncoder) -> list[tuple[dict[str, Any], dict[str, Tensor]]]:
    """Configuration and weights of each projection. PyLate demands one: none becomes an identity."""
    import torch
    from sentence_transformers.base.modules.dense import Dense

    known = {"in_features", "out_features", "bias", "activation_function"}
    found = [
        (
            {key: value for key, value in module.get_config_dict().items() if key in known}
            | {"use_residual": module.use_residual},
            module.state_dict(),
        )
        for module in encoder
        if isinstance(module, Dense)
    ]
    if found:
        return found
    width = encoder.get_embedding_dimension()
    assert width is not None
    config = {
        "in_features": width,
        "out_features": width,
        "bias": False,
        "activation_function": "torch.nn.modules.linear.Identity",
        "use_residual": False,
    }
    return [(config, {"linear.weight": torch.eye(width)})]


def _write_dense(config: dict[str, Any], weights: dict[str, Tensor], folder: Path) -> None:
    from safetensors.torch import save_file

    folder.mkdir()
    write_json(config, folder / "config.json")
    save_file(
        {key: value.contiguous() for key, value in weights.items()}, folder / "model.safetensors"
    )


def _prefix_token(encoder: MultiVectorEncoder, task: str) -> str:
    """The prefix of `task` as the one token that PyLate puts after the first, empty where there is none."""
    text = encoder.prompts[task]
    if not text:
        return ""
    tokenizer = encoder.tokenizer
    vocabulary = tokenizer.get_vocab()
    for token in (text, text.strip()):
        if token in vocabulary and tokenizer.tokenize(text) == [token]:
            return token
    raise _inexpressible(PYLATE, f"the prefix `{text}` is several tokens, and PyLate's is one")


def _expansion(encoder: MultiVectorEncoder) -> dict[str, bool]:
    from training.model import transformer_of

    expansion = transformer_of(encoder).query_expansion
    if expansion is None:
        return {"do_query_expansion": False, "attend_to_expansion_tokens": False}
    if expansion["strategy"] != "fixed" or expansion.get("token") is not None:
        raise _inexpressible(
            PYLATE, "queries are expanded otherwise than by mask tokens to a length"
        )
    return {
        "do_query_expansion": True,
        "attend_to_expansion_tokens": bool(expansion.get("attend")),
    }


def _skiplist(encoder: MultiVectorEncoder, name: str) -> list[str]:
    """The words whose tokens are no part of a document, once it is sure that nothing else is left out."""
    from sentence_transformers.base.modules import Normalize, Transformer
    from sentence_transformers.base.modules.dense import Dense
    from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

    for module in encoder:
        if not isinstance(module, Transformer | Dense | MultiVectorMask | Normalize):
            raise _inexpressible(name, f"it has a module {type(module).__name__}")
    (mask,) = (module for module in encoder if isinstance(module, MultiVectorMask))
    if mask.skiplist_words and mask.skiplist_tasks != ["document"]:
        raise _inexpressible(name, "tokens are left out of queries, too")
    if mask.keep_only_token_ids is not None:
        raise _inexpressible(name, "only some tokens of a document are kept")
    return mask.skiplist_words


def _inexpressible(name: str, why: str) -> ProvenderError:
    return ProvenderError(
        f"This model cannot be written in this format: {why}.",
        where=f"--format {name}",
        remedy=f"Use --format {SENTENCE_TRANSFORMERS}.",
    )


_WRITERS: dict[str, Callable[[MultiVectorEncoder, Path], None]] = {
    SENTENCE_TRANSFORMERS: _write_sentence_transformers,
    PYLATE: _write_pylate,
    ONNX: _write_onnx,
}

FORMATS = tuple(_WRITERS)

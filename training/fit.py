"""The Lightning fit of one stage: model, data, callbacks, devices; resumes where a run was killed."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import ModelCheckpoint
from sentence_transformers import MultiVectorEncoder

from common.device import Device, pick
from common.errors import ProvenderError
from training.data import Batches, EpochLoader
from training.hard import Mined
from training.looks import Looks, Speed
from training.model import add_adapter, enable_checkpointing, fold_scale, load_encoder
from training.module import LateInteraction
from training.recipe import Recipe
from training.retention import Retention, choose_scale
from training.watch import Watch


@dataclass(frozen=True)
class Fitted:
    """What a fit gives. `encoder` carries the adapter at its chosen scale, on the CPU.

    Attributes:
        drawn: positions in the corpus of the pairs that were trained on.
        history, looks: figures of each step, and of each look at the validation queries.
        main: true in the one process of several that writes.
    """

    encoder: MultiVectorEncoder
    drawn: list[int]
    history: list[dict[str, float]]
    looks: list[dict[str, float]]
    retention: Retention | None
    speed: dict[str, float]
    main: bool


def fit(
    recipe: Recipe,
    corpus: Path,
    work: Path,
    *,
    valid: Path | None = None,
    judged: Path | None = None,
    negatives: Path | None = None,
    devices: int | str = 1,
    nodes: int = 1,
    logger: Any = None,
    callbacks: Any = lambda total_steps: [],
) -> Fitted:
    """Train `recipe` on `corpus`; a state in `work` is gone on with.

    Args:
        work: the run's own folder: its state and its texts.
        valid, judged: what `training/watch.py` watches by; without `valid` the last state is kept.
        negatives: folder of mined negatives.
        devices, nodes: how many of each train one model.
        callbacks: more callbacks, given the number of steps.

    Raises:
        ProvenderError: base or data cannot be used, memory or disk are full, or the loss is no number.
    """
    if valid is None and isinstance(recipe.adapter_scale, list):
        raise ProvenderError(
            "Without validation pairs no scale of the adapter can be chosen.",
            where="adapter_scale",
            remedy="Give --valid, or one number.",
        )
    device = pick(recipe.accelerator, recipe.precision)
    lightning.seed_everything(recipe.seed, verbose=False)
    encoder = load_encoder(recipe)
    teacher = _teacher(recipe)
    speed = Speed(recipe.batch_size)
    saver = ModelCheckpoint(
        dirpath=work,
        filename="last",
        every_n_train_steps=recipe.save_every_steps,
        save_top_k=1,
        enable_version_counter=False,
    )
    trainer = _trainer(recipe, device, [speed, saver], devices=devices, nodes=nodes, logger=logger)
    rank, world = trainer.global_rank, trainer.world_size
    if recipe.batch_size % world:
        raise ProvenderError(
            f"A batch of {recipe.batch_size} pairs cannot be shared among {world} processes.",
            where="batch_size",
            remedy=f"Choose a multiple of {world}.",
        )
    texts = work / f"texts-{rank}"
    per_pair = recipe.hard_negatives.per_pair
    mined = (
        Mined(negatives, texts, recipe.hard_negatives.consistency)
        if negatives and per_pair
        else None
    )
    batches = Batches(corpus, recipe, texts, mined)
    loader = EpochLoader(batches, recipe, encoder, teacher=teacher, rank=rank, world=world)
    add_adapter(encoder, recipe.adapter)
    if recipe.gradient_checkpointing:
        enable_checkpointing(encoder)
    total_steps = -(-len(batches) // recipe.batches.accumulate) * recipe.epochs
    watch = Watch(recipe, valid, judged) if valid else None
    looks = Looks(watch, recipe, total_steps, device.autocast) if watch else None
    module = LateInteraction(encoder, recipe, total_steps=total_steps, teacher=teacher)
    # A saver comes last, so that what it saves has seen the look of its step.
    trainer.callbacks[-1:] = [*callbacks(total_steps), *([looks] if looks else []), saver]  # type: ignore[attr-defined]
    _run(trainer, module, loader, work / "last.ckpt")
    encoder.to(device.accelerator)
    if looks:
        looks.restore(module)
    scales = recipe.adapter_scale
    retention = choose_scale(encoder, recipe, watch, device.autocast()) if watch else None
    encoder.to("cpu")
    fold_scale(encoder, retention.scale if retention else float(scales))  # type: ignore[arg-type]
    return Fitted(
        encoder=encoder,
        drawn=batches.positions.tolist(),
        history=module.history,
        looks=looks.found if looks else [],
        retention=retention,
        speed=speed.as_dict(looked=looks.seconds if looks else 0.0),
        main=trainer.is_global_zero,
    )


def _trainer(
    recipe: Recipe,
    device: Device,
    callbacks: list[Any],
    *,
    devices: int | str,
    nodes: int,
    logger: Any,
) -> lightning.Trainer:
    try:
        return lightning.Trainer(
            max_epochs=recipe.epochs,
            accelerator="gpu" if device.accelerator == "cuda" else device.accelerator,
            devices=devices,
            num_nodes=nodes,
            precision=_PRECISIONS[device.precision],
            accumulate_grad_batches=recipe.batches.accumulate,
            callbacks=callbacks,
            logger=logger or False,
            log_every_n_steps=1,
            enable_progress_bar=False,  # `callbacks` brings one
            enable_model_summary=False,
        )
    except (MisconfigurationException, ValueError) as error:
        raise ProvenderError(
            f"These devices cannot be had: {' '.join(str(error).split())}",
            where="--devices, --nodes",
            remedy="Ask for as many as this machine has.",
        ) from None


_PRECISIONS: dict[str, Any] = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


def _teacher(recipe: Recipe) -> MultiVectorEncoder | None:
    """The model whose scores are distilled, where it is another than the base."""
    distillation = recipe.objective.distillation
    if distillation.weight == 0 or distillation.teacher == "base":
        return None
    encoder = load_encoder(recipe.model_copy(update={"base_model": distillation.teacher}))
    return encoder.requires_grad_(False).eval()


def _run(trainer: Any, module: LateInteraction, loader: EpochLoader, saved: Path) -> None:
    try:
        trainer.fit(
            module,
            train_dataloaders=loader,
            ckpt_path=str(saved) if saved.is_file() else None,
            weights_only=True,
        )
    except SystemExit:  # how Lightning ends after Ctrl-C
        raise KeyboardInterrupt from None
    except (RuntimeError, OSError) as error:
        if explained := _explained(error, saved):
            raise explained from None
        raise


def _explained(error: Exception, saved: Path) -> ProvenderError | None:
    """What a user can do about `error`, where that is known."""
    text = str(error)
    out_of_memory = isinstance(error, torch.OutOfMemoryError) or any(
        each in text for each in ("out of memory", "can't allocate memory")
    )
    if out_of_memory:
        return ProvenderError(
            "There is too little memory for this batch.",
            where="training",
            remedy="Set objective.cached to true, lower batches.chunk or document_length, or set "
            "gradient_checkpointing to true in the recipe.",
        )
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or "PytorchStreamWriter failed writing" in text:
        return ProvenderError(
            "The disk is full; the last saved state is whole.",
            where=str(saved.parent),
            remedy="Free some space and run the same command again: it goes on there.",
        )
    return None

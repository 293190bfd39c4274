"""`python -m training.run --config config/train_quickstart.yaml`: one stage, pairs to checkpoint.

Stands alone: needs no Dagster and no MLflow server. A killed run continues at its last saved step.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

try:
    import yaml

    from common.atomic import replacing_folder, write_json, write_text
    from common.device import pick
    from common.errors import ProvenderError, hint
    from training.checkpoint import (
        MANIFEST,
        PROVENANCE,
        base_version,
        data_version,
        fingerprint,
        is_current,
        manifest,
        read_manifest,
        write_provenance,
    )
    from training.pipes import session
    from training.recipe import Recipe, load_recipe
except KeyboardInterrupt:  # Ctrl-C while the libraries load: nothing was begun
    sys.exit(130)


@dataclass(frozen=True)
class Stage:
    """Where a stage reads and writes. `tracking_uri` null: no MLflow."""

    corpus: Path
    output: Path
    tracking_uri: str | None = None
    tags: tuple[tuple[str, str], ...] = ()


def train(recipe: Recipe, stage: Stage) -> dict[str, Any]:
    """Train one stage and write its checkpoint, unless the same checkpoint is there already.

    Returns:
        The checkpoint's manifest, with `trained` added: false where nothing had to be done.

    Raises:
        ProvenderError: the corpus or the base model cannot be used.
    """
    data = data_version(stage.corpus)
    current = fingerprint(recipe, data, base_version(recipe.base_model))
    if is_current(stage.output, current):
        return {**read_manifest(stage.output), "trained": False}
    result = _fit(recipe, stage, data, current)
    for work in stage.output.parent.glob(f".{stage.output.name}-*.work"):
        shutil.rmtree(work, ignore_errors=True)  # of older recipes too, which nobody resumes now
    return {**result, "trained": True}


def pairs_of(recipe: Recipe, lake: Path) -> Path:
    """Where `lake` has the pairs that `recipe` asks for.

    Raises:
        ProvenderError: it has no such data set.
    """
    if recipe.dataset is None:
        return lake / "corpus" / "split=train"
    place = lake / "datasets" / f"{recipe.dataset}.parquet"
    if not place.is_file():
        made = [each.stem for each in place.parent.glob("*.parquet")]
        known = f"; {hint(recipe.dataset, made)}" if made else ""
        raise ProvenderError(
            f"There is no data set `{recipe.dataset}`{known}.",
            where=str(place),
            remedy="Correct `dataset` in the recipe, or run `provender datasets` first.",
        )
    return place


def _work(output: Path, current: str) -> Path:
    """Where a run keeps its resume state: one place for one fingerprint."""
    return output.parent / f".{output.name}-{current[:12]}.work"


def _fit(recipe: Recipe, stage: Stage, data: str, current: str) -> dict[str, Any]:
    import lightning
    import torch
    from lightning.pytorch.callbacks import ModelCheckpoint

    from training.data import EpochLoader
    from training.model import add_adapter, fold_scale, load_encoder
    from training.module import LateInteraction

    _quiet()
    device = pick(recipe.accelerator, recipe.precision)
    lightning.seed_everything(recipe.seed, verbose=False)
    encoder = load_encoder(recipe)
    loader = EpochLoader(stage.corpus, recipe, encoder)
    adapter = add_adapter(encoder, recipe.adapter)
    total_steps = len(loader) * recipe.epochs
    module = LateInteraction(encoder, recipe, total_steps=total_steps)
    work = _work(stage.output, current)
    saver = ModelCheckpoint(
        dirpath=work,
        filename="last",
        every_n_train_steps=recipe.save_every_steps,
        save_top_k=1,
        enable_version_counter=False,
    )
    tracking = _tracking(recipe, stage, data, work)
    trainer = lightning.Trainer(
        max_epochs=recipe.epochs,
        accelerator="gpu" if device.accelerator == "cuda" else device.accelerator,
        devices=1,
        precision="bf16-mixed" if device.precision == "bf16" else "32-true",
        callbacks=[saver, *_progress(total_steps)],
        logger=tracking or False,
        log_every_n_steps=1,
        enable_progress_bar=sys.stderr.isatty(),
        enable_model_summary=False,
    )
    saved = work / "last.ckpt"
    try:
        trainer.fit(
            module,
            train_dataloaders=loader,
            ckpt_path=str(saved) if saved.is_file() else None,
            weights_only=True,
        )
    except SystemExit:  # how Lightning ends after Ctrl-C
        raise KeyboardInterrupt from None
    except torch.cuda.OutOfMemoryError:
        raise ProvenderError(
            "The accelerator has too little memory for this batch.",
            where="training",
            remedy="Lower batch_size or document_length in the recipe.",
        ) from None
    encoder.to("cpu")
    fold_scale(encoder, recipe.adapter_scale)
    last = module.history[-1]
    result = manifest(
        recipe,
        stage.corpus,
        fingerprint=current,
        data=data,
        metrics={key: value for key, value in last.items() if key != "step"},
        history=module.history,
        tracking={"run_id": tracking.run_id or ""} if tracking else {},
    )
    with replacing_folder(stage.output) as folder:
        adapter.save_pretrained(str(folder / "adapter"), safe_serialization=True)
        write_provenance(stage.corpus, folder / PROVENANCE)
        write_json(result, folder / MANIFEST)
    return result


def _tracking(recipe: Recipe, stage: Stage, data: str, work: Path) -> Any:
    """The MLflow logger of the run, or nothing. MLflow is imported only where it is wanted.

    A resumed run goes on in the MLflow run that it began.
    """
    if stage.tracking_uri is None:
        return None
    from training.tracking import mlflow_logger

    _quiet()
    known = work / "mlflow_run_id"
    run_id = known.read_text(encoding="utf-8") if known.is_file() else None
    tags = {**dict(stage.tags), "data_version": data, "corpus": str(stage.corpus)}
    logger = mlflow_logger(recipe, stage.tracking_uri, tags, run_id)
    write_text(str(logger.run_id), known)
    return logger


def _progress(total_steps: int) -> list[Any]:
    """A progress bar in a terminal, messages under Dagster Pipes, nothing elsewhere."""
    if sys.stderr.isatty():
        from lightning.pytorch.callbacks import TQDMProgressBar

        return [TQDMProgressBar(refresh_rate=5)]
    if "DAGSTER_PIPES_CONTEXT" in os.environ:
        from training.progress import PipesProgress

        return [PipesProgress(total_steps)]
    return []


def main(arguments: list[str] | None = None) -> int:
    """The command line; 0 on success, 1 where a message says what to do, 130 on Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m training.run", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="a recipe, config/train_*.yaml")
    parser.add_argument("--corpus", type=Path, help="Parquet table or folder of training pairs")
    parser.add_argument("--output", type=Path, help="folder of the checkpoint")
    parser.add_argument("--tracking-uri", help="MLflow tracking URI; without it nothing is tracked")
    parser.add_argument("--tag", action="append", default=[], type=_tag, metavar="KEY=VALUE")
    parser.add_argument(
        "--show-config", action="store_true", help="print the recipe with every default, and stop"
    )
    options = parser.parse_args(arguments)
    lake = Path(os.environ.get("PROVENDER_LAKE", "lake"))
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    # A CPU keeps a compiled kernel for each of a thousand batch shapes: 1.7 GB by step 80, no faster.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "32")
    os.environ.setdefault("LRU_CACHE_CAPACITY", "32")
    try:
        recipe = load_recipe(options.config)
        if options.show_config:
            print(yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False), end="")
            return 0
        stage = Stage(
            corpus=options.corpus or pairs_of(recipe, lake),
            output=options.output or lake / "models" / f"stage_{recipe.stage}",
            tracking_uri=options.tracking_uri,
            tags=tuple(options.tag),
        )
        with session() as pipes:
            result = train(recipe, stage)
            done = "trained" if result["trained"] else "unchanged, nothing to train:"
            if pipes is not None:
                pipes.log.info(f"{done} {stage.output}")
    except ProvenderError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command continues at the last saved step", file=sys.stderr)
        return 130
    print(f"{done} {stage.output}", *(f"{k}={v:.4f}" for k, v in result["metrics"].items()))
    return 0


def _tag(text: str) -> tuple[str, str]:
    """`KEY=VALUE` as a pair."""
    key, separator, value = text.partition("=")
    if not key or not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value


def _quiet() -> None:
    """Keep the libraries' notes on hardware, products and deprecations out of the user's terminal.

    Call it after they are imported: importing sets their levels.
    """
    for name in ("lightning.pytorch", "lightning.fabric", "httpx", "mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    # Lightning asks transformers 5.23 for an attribute by its old name.
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)


if __name__ == "__main__":
    sys.exit(main())

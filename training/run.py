"""`python -m training.run --config config/train_quickstart.yaml`: one stage, pairs to checkpoint.
`python -m training.run --config config/curriculum.yaml`: all stages of a curriculum, one after the other.
`python -m training.run --config config/curriculum.yaml --experts`: its experts, an adapter a domain.

Stands alone: needs no Dagster and no MLflow server. A killed run continues at its last saved step.
"""

from __future__ import annotations

import argparse
import fcntl
import logging
import os
import re
import shutil
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

try:
    import yaml

    from common.atomic import replacing_folder, write_json, write_text
    from common.errors import ProvenderError
    from common.stages import EXPERT
    from training.checkpoint import (
        MANIFEST,
        PROVENANCE,
        data_version,
        fingerprint,
        is_current,
        made_from,
        manifest,
        read_manifest,
        write_provenance,
    )
    from training.curriculum import is_curriculum, load_recipes
    from training.mine import is_mined, mine_stage
    from training.pairs import pairs_of
    from training.pipes import session
    from training.recipe import HardNegatives, Recipe
except KeyboardInterrupt:  # Ctrl-C while the libraries load: nothing was begun
    sys.exit(130)


_PATIENCE_S = 60
"""For the end of another run of the same checkpoint."""


@dataclass(frozen=True)
class Stage:
    """Where a stage reads and writes. `tracking_uri` null: no MLflow.

    Attributes:
        valid, judged: validation pairs and judged validation queries that the run is watched on.
        negatives: folder of mined hard negatives.
    """

    corpus: Path
    output: Path
    tracking_uri: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    valid: Path | None = None
    judged: Path | None = None
    negatives: Path | None = None
    devices: int | str = 1
    nodes: int = 1


def train(recipe: Recipe, stage: Stage) -> dict[str, Any]:
    """Train one stage and write its checkpoint, unless the same checkpoint is there already.

    Returns:
        The checkpoint's manifest, with `trained` added: false where nothing had to be done.

    Raises:
        ProvenderError: the corpus or the base model cannot be used, or another process trains this.
    """
    with _alone(stage.output):
        return _train(recipe, stage)


def _train(recipe: Recipe, stage: Stage) -> dict[str, Any]:
    found, made_of = made_from(recipe, stage.output)
    data = data_version(stage.corpus, stage.valid, stage.judged, stage.negatives)
    current = fingerprint(recipe, data, made_of)
    if is_current(stage.output, current):
        return {**read_manifest(stage.output), "trained": False}
    result = _fit(recipe, found, stage, data, current)
    if result is None:  # one of several processes, and not the one that writes
        return {"trained": True, "metrics": {}}
    ours = re.compile(re.escape(f".{stage.output.name}-") + r"[0-9a-f]{12}\.work")
    for work in stage.output.parent.iterdir():
        if ours.fullmatch(work.name):  # of older recipes too, which nobody resumes now
            shutil.rmtree(work, ignore_errors=True)
    return {**result, "trained": True}


@contextmanager
def _alone(output: Path) -> Iterator[None]:
    """Keep the checkpoint at `output` from two runs at once, which would write one state."""
    if _rank() > 0:
        yield
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    place = output.parent / f".{output.name}.lock"
    # One that was stopped, or whose step was killed, needs a moment to end.
    for left in range(_PATIENCE_S, -1, -1):
        with place.open("a") as file:
            if _locked(file, place):
                try:
                    yield
                finally:
                    place.unlink()
                return
        if left == _PATIENCE_S:
            _warn(f"another process trains {output}; waiting for its end")
        time.sleep(1)
    raise ProvenderError(
        "Another process trains this checkpoint.",
        where=str(output),
        remedy="Wait for its end, or stop it; then run again.",
    )


def _locked(file: IO[str], place: Path) -> bool:
    """Whether `file`, opened at `place`, is this process's alone, and still what lies there."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(file.fileno()), place.stat())
    except (BlockingIOError, FileNotFoundError):  # the one before has just taken it away
        return False


def _work(output: Path, current: str) -> Path:
    """Where a run keeps its resume state: one place for one fingerprint."""
    return output.parent / f".{output.name}-{current[:12]}.work"


def _fit(
    recipe: Recipe, found: Recipe, stage: Stage, data: str, current: str
) -> dict[str, Any] | None:
    """Train `found`, which is `recipe` with its models in place."""
    from training.fit import fit
    from training.model import adapter_of

    _quiet()
    work = _work(stage.output, current)
    tracking = _tracking(recipe, stage, data, work)
    fitted = fit(
        found,
        stage.corpus,
        work,
        valid=stage.valid,
        judged=stage.judged,
        negatives=stage.negatives,
        devices=stage.devices,
        nodes=stage.nodes,
        logger=tracking,
        callbacks=_progress,
    )
    if not fitted.main:
        return None
    if tracking and fitted.retention:
        tracking.log_metrics(fitted.retention.metrics())
    tracked = tracking.settle() if tracking else {}
    last = fitted.history[-1]
    result = manifest(
        recipe,
        stage.corpus,
        drawn=fitted.drawn,
        parent=found.base_model,
        fingerprint=current,
        data=data,
        metrics={key: value for key, value in last.items() if key != "step"},
        history=fitted.history,
        looks=fitted.looks,
        retention=fitted.retention.as_dict() if fitted.retention else None,
        speed=fitted.speed,
        tracking=tracked,
    )
    with replacing_folder(stage.output) as folder:
        adapter_of(fitted.encoder).save_pretrained(str(folder / "adapter"), safe_serialization=True)
        write_provenance(stage.corpus, folder / PROVENANCE, Path(found.base_model), fitted.drawn)
        write_json(result, folder / MANIFEST)
    return result


def _tracking(recipe: Recipe, stage: Stage, data: str, work: Path) -> Any:
    """The MLflow logger of the run, or nothing. MLflow is imported only where it is wanted.

    A resumed run goes on in the MLflow run that it began.
    """
    if stage.tracking_uri is None or _rank() > 0:
        return None
    from training.tracking import mlflow_logger

    _quiet()
    known = work / "mlflow_run_id"
    run_id = known.read_text(encoding="utf-8") if known.is_file() else None
    tags = {**dict(stage.tags), "data_version": data, "corpus": str(stage.corpus)}
    return mlflow_logger(
        recipe,
        stage.tracking_uri,
        tags,
        run_id,
        begun=lambda run_id: write_text(run_id, known),
        tell=_warn,
    )


def _warn(message: str) -> None:
    """To the terminal, and to the log of the Dagster run that launched this one."""
    print(f"note: {message}", file=sys.stderr, flush=True)
    if "DAGSTER_PIPES_CONTEXT" in os.environ:
        from dagster_pipes import PipesContext

        PipesContext.get().log.warning(message)


def _rank() -> int:
    """0 in the one of several processes that tracks and mines, by what launched it; else another number."""
    for name in ("RANK", "SLURM_PROCID", "NODE_RANK", "LOCAL_RANK"):
        if os.environ.get(name, "").isdigit() and int(os.environ[name]) > 0:
            return int(os.environ[name])
    return 0


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
    parser.add_argument(
        "--config", type=Path, required=True, help="a recipe (config/train_*.yaml) or a curriculum"
    )
    parser.add_argument("--stage", help="of a curriculum, the one stage to train")
    parser.add_argument("--stages", help="of a curriculum, the profile of stages")
    parser.add_argument(
        "--experts", action="store_true", help="of a curriculum, its experts in place of its stages"
    )
    parser.add_argument("--corpus", type=Path, help="Parquet table or folder of training pairs")
    parser.add_argument(
        "--output", type=Path, help="folder of the checkpoint; of a curriculum, of all"
    )
    parser.add_argument("--valid", type=Path, help="validation pairs to watch the run by")
    parser.add_argument("--judged", type=Path, help="folder with judged validation queries")
    parser.add_argument("--negatives", type=Path, help="folder that training.mine wrote")
    parser.add_argument("--devices", type=_devices, default=1, help="devices of a node, or `auto`")
    parser.add_argument("--nodes", type=int, default=1, help="nodes that train one model")
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
        recipes = load_recipes(
            options.config, stages=options.stages, stage=options.stage, experts=options.experts
        )
        if options.show_config:
            shown = [recipe.model_dump(mode="json") for recipe in recipes]
            print(yaml.safe_dump_all(shown, sort_keys=False), end="")
            return 0
        _check_processes(recipes, options)
        with session() as pipes:
            for recipe in recipes:
                stage = _stage(options, recipe, lake)
                result = train(recipe, stage)
                figures = " ".join(f"{key}={value:.4f}" for key, value in result["metrics"].items())
                done = "trained" if result["trained"] else "unchanged, nothing to train:"
                print(f"{done} {stage.output} {figures}".rstrip(), flush=True)
                if pipes is not None:
                    pipes.log.info(f"{done} {stage.output}")
            if options.experts and not options.stage and not is_launched():
                _together(options, recipes, lake)
    except ProvenderError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command continues at the last saved step", file=sys.stderr)
        return 130
    return 0


def _check_processes(recipes: Sequence[Recipe], options: argparse.Namespace) -> None:
    """Processes that train together end with their stage: the next stage needs others."""
    if len(recipes) > 1 and (is_launched() or options.devices != 1 or options.nodes != 1):
        raise ProvenderError(
            f"Several processes train one stage at a time, not {len(recipes)}.",
            where="--stage",
            remedy="Name one of them: "
            f"{', '.join(recipe.stage.removeprefix(EXPERT) for recipe in recipes)}.",
        )


def _stage(options: argparse.Namespace, recipe: Recipe, lake: Path) -> Stage:
    """Where the options say, or the lake's own places; with a corpus of one's own only what is named."""
    own = options.corpus is not None

    def place(given: Path | None, *parts: str) -> Path | None:
        folder = lake.joinpath(*parts)
        return given or (folder if not own and folder.is_dir() else None)

    models = options.output or lake / "models"
    alone = options.output and not is_curriculum(options.config)
    output = models if alone else models / recipe.checkpoint
    folder = models.parent / "negatives" / output.name
    if alone:  # nothing is written beyond what was named
        folder = output.with_name(f"{output.name}.negatives")
    corpus = options.corpus or pairs_of(recipe, lake)
    return Stage(
        corpus=corpus,
        output=output,
        tracking_uri=options.tracking_uri,
        tags=tuple(options.tag),
        valid=place(options.valid, "corpus", "split=valid"),
        judged=place(options.judged, "eval"),
        negatives=options.negatives or _mined(recipe, corpus, output, folder),
        devices=options.devices,
        nodes=options.nodes,
    )


def _together(options: argparse.Namespace, recipes: Sequence[Recipe], lake: Path) -> None:
    """Make what needs all experts: the one that is merged of them, and the router."""
    from training import combine, router

    _quiet()
    stage = _stage(options, recipes[0].model_copy(update={"hard_negatives": HardNegatives()}), lake)
    if stage.valid is None:
        _warn("without validation pairs (--valid) the experts are neither merged nor routed")
        return
    models = stage.output.parent
    experts = {each.stage.removeprefix(EXPERT): models / each.checkpoint for each in recipes}
    watched = {"valid": stage.valid, "judged": stage.judged}
    place = models / combine.NAME
    merged = combine.combine(experts, place, **watched, tell=_say)
    print(f"{'merged' if merged['combined'] else 'unchanged:'} {place} by {merged['method']}")
    place = models / router.NAME
    corpus = options.corpus or lake / "corpus" / "split=train"
    made = router.make_router(experts, place, corpus=corpus, **watched)
    done = "made" if made["made"] else "unchanged:"
    print(f"{done} {place} accuracy={made['held_out']['accuracy']:.4f}", flush=True)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _mined(recipe: Recipe, corpus: Path, output: Path, folder: Path) -> Path | None:
    """The negatives of a checkpoint, in `folder`; mined where they are not of today.

    Raises:
        ProvenderError: they are not, and this is one of several processes, which cannot wait for another.
    """
    if not recipe.hard_negatives.per_pair:
        return None
    if not is_launched():
        mine_stage(recipe, corpus, output, folder)
    elif not is_mined(recipe, corpus, output, folder):
        raise ProvenderError(
            "The hard negatives of this stage were not mined yet, and several processes would do it at once.",
            where=str(folder),
            remedy="Run `python -m training.mine` with the same --config first, and give its folder by "
            "--negatives.",
        )
    return folder


def is_launched() -> bool:
    """Whether something else started this process as one of several."""
    several = int(os.environ.get("SLURM_NTASKS") or "1") > 1
    return several or "TORCHELASTIC_RUN_ID" in os.environ or _rank() > 0


def _devices(text: str) -> int | str:
    if text == "auto" or (text.isdigit() and int(text) > 0):
        return text if text == "auto" else int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is neither a number from 1 nor `auto`")


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

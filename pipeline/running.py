"""Running a job of the code location in this process, and what its result says."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.atomic import write_text
from resources.project import ROOT

if TYPE_CHECKING:
    import dagster as dg


_INTERRUPTS = ("DagsterExecutionInterruptedError", "KeyboardInterrupt")


def home() -> Path:
    """DAGSTER_HOME, made with our instance settings where it has none."""
    home = Path(os.environ.setdefault("DAGSTER_HOME", str(Path.cwd() / ".dagster")))
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").is_file():
        write_text(
            (ROOT / "config" / "dagster.yaml").read_text(encoding="utf-8"), home / "dagster.yaml"
        )
    return home


def run(
    defs: dg.Definitions, job: str, instance: dg.DagsterInstance, partition: str | None = None
) -> dg.ExecuteInProcessResult:
    """Run `job`; a failing step is in the result, Ctrl-C is raised."""
    from assets.repos import ATTENDED

    with _no_interrupt_lost():
        result = defs.resolve_job_def(job).execute_in_process(
            instance=instance,
            partition_key=partition,
            tags={ATTENDED: "true"},
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    # Dagster turns Ctrl-C into the failure of a step; to a person it means: stop everything.
    if any(_was_interrupted(event) for event in result.get_step_failure_events()):
        raise KeyboardInterrupt
    return result


@contextmanager
def _no_interrupt_lost() -> Iterator[None]:
    """Send Ctrl-C again where Python has dropped it.

    Dagster raises in its signal handler, and what is raised in a finalizer or the callback of a weak
    reference goes nowhere. While libraries are loaded there are many of these.
    """
    before = sys.unraisablehook

    def hook(dropped: sys.UnraisableHookArgs) -> None:
        if dropped.exc_type.__name__ in _INTERRUPTS:
            # From a thread, later: here it would be dropped again.
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        else:
            before(dropped)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


def _was_interrupted(event: dg.DagsterEvent) -> bool:
    # What the interrupt met may have made another error of it, as a library that was being loaded.
    error = event.step_failure_data.error
    while error is not None:
        if error.cls_name in _INTERRUPTS:
            return True
        error = error.cause or error.context
    return False


def failures(result: dg.ExecuteInProcessResult) -> list[str]:
    """What went wrong in the steps that failed, as their messages say it."""
    texts = []
    for event in result.get_step_failure_events():
        error = event.step_failure_data.error
        if error and error.cls_name == "DagsterAssetCheckFailedError":
            continue  # told below
        if text := fault(event):
            texts.append(text)
    for check in result.get_asset_check_evaluations():
        if check.blocking and not check.passed:
            name = f"{check.asset_key.to_user_string()}: {check.check_name}"
            texts.append(f"{name}: {check.description}. Nothing was made of it.")
    return texts


def fault(event: dg.DagsterEvent) -> str:
    """What went wrong in a step that failed, and what to do about it."""
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return data.user_failure_data.description
    if not data.error:
        return ""
    cause = data.error.cause or data.error
    return f"{event.step_key}: {cause.message.strip()} (a fault of Provender's)"


def changed(result: dg.ExecuteInProcessResult) -> int:
    """How many assets of the run were made anew."""
    return sum(
        not value(event.step_materialization_data.materialization, "unchanged")
        for event in result.get_asset_materialization_events()
    )


def value(materialization: Any, key: str) -> Any:
    """A metadata value of a materialization, or null."""
    found = materialization.metadata.get(key)
    return found.value if found is not None else None


def quiet() -> None:
    """Keep the libraries' own notes out of a user's terminal."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    warnings.filterwarnings("ignore", module="dagster")
    # peft asks transformers 5.23 for an attribute by its old name.
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
    for name in ("alembic", "mlflow", "httpx", "transformers"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # Ctrl-C may come while it closes a connection, of which it then prints the traceback.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)

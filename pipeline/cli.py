"""`provender`: the commands behind `make demo`. Runs the same jobs as the Dagster UI, in one process."""

from __future__ import annotations

import logging
import os
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from common.atomic import write_text
from common.errors import ProvenderError
from resources.project import ROOT, Project

if TYPE_CHECKING:
    import dagster as dg

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def _main() -> None:
    """Code search models from your repositories."""


@app.command()
def demo(
    sources: Annotated[
        Path | None, typer.Option(help="A source manifest; the quickstart's by default.")
    ] = None,
    lake: Annotated[Path | None, typer.Option(help="The lake; ./lake by default.")] = None,
) -> None:
    """Build corpus, model and report from a manifest, and print the table."""
    if sources is not None:
        os.environ["PROVENDER_SOURCES"] = str(sources.resolve())
    if lake is not None:
        os.environ["PROVENDER_LAKE"] = str(lake.resolve())
    try:
        code = _demo()
    except ProvenderError as error:
        print(f"error: {error}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        print("\nstopped; the same command continues where it was", file=sys.stderr)
        code = 130
    raise typer.Exit(code)


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Dagster's port.")] = 3000,
    mlflow_port: Annotated[int, typer.Option(help="MLflow's port.")] = 5000,
) -> None:
    """Start Dagster (webserver and daemon) and MLflow's UI on this machine."""
    from pipeline.servers import serve, servers
    from resources.lake import Lake
    from resources.tracking import Tracking

    _quiet()
    home = _home()
    try:
        serve(servers(port, mlflow_port, Tracking(lake=Lake()).uri), home / "logs")
    except ProvenderError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(1) from None


def _home() -> Path:
    """DAGSTER_HOME, made with our instance settings where it has none."""
    home = Path(os.environ.setdefault("DAGSTER_HOME", str(Path.cwd() / ".dagster")))
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").is_file():
        write_text(
            (ROOT / "config" / "dagster.yaml").read_text(encoding="utf-8"), home / "dagster.yaml"
        )
    return home


def _demo() -> int:
    from rich.console import Console

    Project().load_manifest()  # a mistake in it is told before anything is loaded
    _quiet()
    console = Console()
    started = time.monotonic()
    import dagster as dg

    from pipeline.definitions import defs

    _home()
    failures: dict[str, str] = {}
    work = 0
    with dg.DagsterInstance.get() as instance:
        names = Project().load_manifest().names
        for name in names:
            with console.status(f"{name}: fetching, reading, pairing"):
                result = _run(defs, "ingest", instance, partition=name)
            failed = _failures(result)
            work += _changed(result)
            if failed:
                failures[name] = failed[0]
                console.print(f"[red]✗[/] {name}: {failed[0]}", highlight=False)
            else:
                console.print(f"[green]✓[/] {name} {_told(result)}", highlight=False)
        console.print("building corpus, training, evaluating: about five minutes the first time")
        result = _run(defs, "build", instance)
        work += _changed(result)
        for text in _failures(result):
            failures.setdefault("build", text)
    elapsed = time.monotonic() - started
    if result.success:
        print_results(console)
        if not work:
            console.print("Nothing had changed: nothing was parsed, trained or evaluated again.")
    for name, text in failures.items():
        console.print(f"[red]failed[/] {name}: {text}", highlight=False, soft_wrap=True)
    console.print(f"{elapsed:.0f} s. `make ui` shows every step, its data and its lineage.")
    return 1 if failures else 0


def _run(
    defs: dg.Definitions, job: str, instance: dg.DagsterInstance, partition: str | None = None
) -> dg.ExecuteInProcessResult:
    result = defs.resolve_job_def(job).execute_in_process(
        instance=instance,
        partition_key=partition,
        raise_on_error=False,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    # Dagster turns Ctrl-C into the failure of a step; to a person it means: stop everything.
    if any(_was_interrupted(event) for event in result.get_step_failure_events()):
        raise KeyboardInterrupt
    return result


def _was_interrupted(event: dg.DagsterEvent) -> bool:
    error = event.step_failure_data.error
    return error is not None and error.cls_name == "DagsterExecutionInterruptedError"


def _failures(result: dg.ExecuteInProcessResult) -> list[str]:
    """What went wrong in the steps that failed, as their messages say it."""
    texts = []
    for event in result.get_step_failure_events():
        data = event.step_failure_data
        if data.user_failure_data and data.user_failure_data.description:
            texts.append(data.user_failure_data.description)
        elif data.error:
            cause = data.error.cause or data.error
            texts.append(f"{event.step_key}: {cause.message.strip()} (a fault of Provender's)")
    return texts


def _materializations(result: dg.ExecuteInProcessResult) -> list[Any]:
    return [
        event.step_materialization_data.materialization
        for event in result.get_asset_materialization_events()
    ]


def _changed(result: dg.ExecuteInProcessResult) -> int:
    """How many assets of the run were made anew."""
    return sum(not _value(each, "unchanged") for each in _materializations(result))


def _told(result: dg.ExecuteInProcessResult) -> str:
    if not _changed(result):
        return "unchanged"
    from assets.pairs import TYPES

    rows = {
        each.asset_key.to_user_string(): _value(each, "dagster/row_count")
        for each in _materializations(result)
    }
    pairs = sum(rows.get(f"{kind}_pairs", 0) for kind in TYPES)
    return f"{rows.get('files', 0)} files, {rows.get('units', 0)} functions, {pairs} pairs"


def _value(materialization: Any, key: str) -> Any:
    found = materialization.metadata.get(key)
    return found.value if found is not None else None


def print_results(console: Any) -> None:
    """The metrics, differences and gates of the lake as tables in the terminal."""
    from rich.table import Table

    from assets.metrics import DIFFERENCES, METRICS, REPORT
    from evaluation.metrics import NAMES
    from evaluation.report import promotion_gates
    from resources.lake import Lake

    lake = Lake()
    metrics = lake.read(*METRICS).to_dicts()
    for eval_set in dict.fromkeys(row["eval_set"] for row in metrics):
        rows = [row for row in metrics if row["eval_set"] == eval_set]
        # Narrow enough for 80 columns: the report has the other intervals.
        table = Table(box=None, pad_edge=False)
        table.add_column(f"{eval_set}: {rows[0]['queries']} queries", no_wrap=True)
        for name in NAMES:
            table.add_column(name, no_wrap=True)
        for system in dict.fromkeys((row["system"], row["mode"]) for row in rows):
            values = {row["metric"]: row for row in rows if (row["system"], row["mode"]) == system}
            table.add_row(" ".join(system), *(_cell(values[name]) for name in NAMES))
        console.print(table, "", highlight=False)
    gates = promotion_gates(metrics, lake.read(*DIFFERENCES).to_dicts())
    for gate in gates:
        mark = "[green]✓[/]" if gate.passed else "[red]✗[/]"
        console.print(f"{mark} {gate.name}: {gate.detail}", highlight=False, soft_wrap=True)
    console.print(f"report: {lake.path(*REPORT)}", highlight=False, soft_wrap=True)


def _cell(row: dict[str, Any]) -> str:
    if row["metric"] not in ("P@1", "MRR"):
        return f"{row['mean']:.3f}"
    return f"{row['mean']:.3f} [dim]{row['low']:.2f}–{row['high']:.2f}[/]"


def _quiet() -> None:
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


if __name__ == "__main__":
    app()

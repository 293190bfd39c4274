import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from common.interrupts import held
from tests.tiny import pair, tiny_recipe, write_corpus, write_recipe
from training.checkpoint import read_manifest

ROOT = Path(__file__).parents[2]


def test_messages_of_a_launched_training_arrive_in_its_dagster_run(
    tiny_model: Path, tmp_path: Path
) -> None:
    config = write_recipe(tmp_path / "recipe.yaml", tiny_recipe(tiny_model))
    corpus = write_corpus(tmp_path / "pairs.parquet", [pair(number) for number in range(172)])
    output = tmp_path / "stage"
    command = [
        *(sys.executable, "-m", "training.run", "--config", str(config)),
        *("--corpus", str(corpus), "--output", str(output)),
    ]

    @dg.asset
    def stage(
        context: dg.AssetExecutionContext, pipes: dg.PipesSubprocessClient
    ) -> dg.MaterializeResult:
        done = pipes.run(
            context=context, command=command, cwd=str(ROOT), env={"OMP_NUM_THREADS": "1"}
        )
        return done.get_materialize_result()

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [stage], resources={"pipes": dg.PipesSubprocessClient()}, instance=instance
        )
        messages = [entry.user_message for entry in instance.all_logs(result.run_id)]

    assert result.success
    steps = [message for message in messages if message.startswith("step ")]
    assert [message.split(":")[0] for message in steps] == ["step 20 of 43", "step 40 of 43"]
    history = read_manifest(output)["history"]
    assert [message.split("loss ")[1] for message in steps] == [
        f"{history[step - 1]['loss']:.3f}" for step in (20, 40)
    ]


def test_nothing_of_dagster_is_asked_for_outside_of_it() -> None:
    from training.run import _progress

    assert "DAGSTER_PIPES_CONTEXT" not in os.environ
    assert _progress(10) == []


def test_a_terminal_gets_a_progress_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    from lightning.pytorch.callbacks import TQDMProgressBar

    from training.run import _progress

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    (bar,) = _progress(10)
    assert isinstance(bar, TQDMProgressBar)


def test_training_ends_when_the_step_that_launched_it_is_killed(tmp_path: Path) -> None:
    child = (
        "import os, time; from training.pipes import _ends_with\n"
        "with _ends_with(os.getppid()):\n"
        f"    open({str(tmp_path / 'begun')!r}, 'w').close(); time.sleep(60)\n"
    )
    launcher = (
        "import subprocess, sys\n"
        f"subprocess.run([sys.executable, '-c', {child!r}], stderr=subprocess.DEVNULL)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", launcher], stdout=subprocess.PIPE, cwd=ROOT
    ) as step:
        while not (tmp_path / "begun").exists():
            time.sleep(0.05)
        step.kill()
        started = time.monotonic()
        assert step.stdout is not None
        step.stdout.read()  # the child has it, too: it ends with the child
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("module", ["run", "mine"])
def test_a_step_stopped_while_its_training_starts_has_no_traceback(
    tiny_model: Path, tmp_path: Path, module: str
) -> None:
    config = write_recipe(tmp_path / "recipe.yaml", tiny_recipe(tiny_model))
    with held():
        child = subprocess.Popen(
            [sys.executable, "-m", f"training.{module}", "--config", str(config)],
            env={
                **os.environ,
                "DAGSTER_PIPES_CONTEXT": "of nobody: it is stopped before it reads it",
            },
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
    child.send_signal(signal.SIGINT)
    _, told = child.communicate(timeout=60)
    assert child.returncode == 130
    assert told.startswith("stopped; ")
    assert told.count("\n") == 1

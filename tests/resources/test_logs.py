import json
import logging
import os
import subprocess
import sys
from pathlib import Path

from resources.logs import JsonLines
from tests.integration.compose import DOCKER, ROOT

RUN = """
import sys
import dagster as dg
import yaml

@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["tokio"]))
def files(context: dg.AssetExecutionContext) -> None:
    context.log.info("kept 3 of 4 files ∀")

of_stack = yaml.safe_load(open(sys.argv[1], encoding="utf-8"))["python_logs"]
with dg.instance_for_test(overrides={"python_logs": of_stack}) as instance:
    dg.materialize([files], partition_key="tokio", instance=instance)
"""


def test_a_line_of_a_run_says_of_which_run_asset_and_source_it_is() -> None:
    # In a process of its own: Dagster's use of `logging.config` closes every handler of the process.
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(DOCKER / "dagster.yaml")],
        cwd=ROOT,
        env={**os.environ, "PYTHONUTF8": "1"},
        check=True,
        capture_output=True,
        encoding="utf-8",
    )
    lines = [json.loads(each) for each in done.stdout.splitlines()]
    [found] = [each for each in lines if each["message"].startswith("kept")]
    assert found == {
        "time": found["time"],
        "level": "info",
        "message": "kept 3 of 4 files ∀",
        "run": found["run"],
        "job": "__ephemeral_asset_job__",
        "asset": "files",
        "source": "tokio",
    }
    assert found["time"].endswith("+00:00")
    assert {each["run"] for each in lines} == {found["run"]}


def test_a_record_that_is_not_dagsters_is_a_line_too() -> None:
    try:
        raise ValueError("no\nnumber")
    except ValueError as error:
        caught = (ValueError, error, error.__traceback__)
    record = logging.LogRecord("a", logging.ERROR, str(Path("a.py")), 1, "lost %s", ("x",), caught)
    line = JsonLines().format(record)
    assert "\n" not in line
    found = json.loads(line)
    assert found.keys() == {"time", "level", "message", "error"}
    assert (found["level"], found["message"]) == ("error", "lost x")
    assert found["error"].endswith("ValueError: no\nnumber")

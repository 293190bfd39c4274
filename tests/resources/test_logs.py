import json
import logging
from pathlib import Path

import dagster as dg
import pytest
import yaml

from resources.logs import JsonLines
from tests.integration.compose import DOCKER

SOURCES = dg.StaticPartitionsDefinition(["tokio"])


@dg.asset(partitions_def=SOURCES)
def files(context: dg.AssetExecutionContext) -> None:
    context.log.info("kept 3 of 4 files ∀")


@pytest.mark.filterwarnings("ignore:.*yaml-defined logging configuration")
def test_a_line_of_a_run_says_of_which_run_asset_and_source_it_is(
    capfd: pytest.CaptureFixture[str],
) -> None:
    of_stack = yaml.safe_load((DOCKER / "dagster.yaml").read_text(encoding="utf-8"))["python_logs"]
    with dg.instance_for_test(overrides={"python_logs": of_stack}) as instance:
        made = dg.materialize([files], partition_key="tokio", instance=instance)
    lines = [json.loads(each) for each in capfd.readouterr().out.splitlines()]
    [found] = [each for each in lines if each["message"].startswith("kept")]
    assert found == {
        "time": found["time"],
        "level": "info",
        "message": "kept 3 of 4 files ∀",
        "run": made.run_id,
        "job": "__ephemeral_asset_job__",
        "asset": "files",
        "source": "tokio",
    }
    assert found["time"].endswith("+00:00")


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

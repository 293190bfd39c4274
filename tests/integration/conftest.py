"""The stack, up and with a quickstart made, for all tests of this folder."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.jobs import PER_SOURCE
from tests.integration import postgres
from tests.integration.compose import HOST, ROOT, Stack, answers, example, secrets, until
from tests.integration.graphql import Dagster
from tests.pipeline.test_graph import repository
from tests.tiny import write_checkpoint, write_curriculum

PROJECT = "/app/config/project"
"""Where the code location finds what the tests would have built."""
SOURCES = ["train", "valid", "test"]
LAKE = "s3://lake/provender"


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Every service of compose.yaml, healthy; all that they wrote is gone afterwards."""
    # Not pytest's own folder, which Postgres's user may not enter.
    folder = Path(tempfile.mkdtemp(prefix="provender-stack-"))
    folder.chmod(0o755)
    settings = {
        **{name: f"of{name.replace('_', '').lower()}" for name in secrets()},
        "PROVENDER_LAKE": LAKE,
        "PROVENDER_SOURCES": f"{PROJECT}/sources.yaml",
        "PROVENDER_CURRICULUM": f"{PROJECT}/curriculum.yaml",
    }
    made = Stack(folder, {**example(), **settings}, bare())
    try:
        project(made.path(PROJECT))
        start(made)
        yield made
    except AssertionError:
        for log in sorted((folder / "logs").glob("*.log")):
            print(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}")
        raise
    finally:
        made.close()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def dagster(stack: Stack) -> Dagster:
    """The webserver's GraphQL."""
    return Dagster(stack.address(3000))


@pytest.fixture(scope="session")
def quickstart(stack: Stack, dagster: Dagster) -> dict[str, Any]:
    """Every source ingested by one backfill, and the job `everything`: the stage's manifest after it."""
    until(
        "a sensor has read the manifest", lambda: len(dagster.partitions("repos")) == len(SOURCES)
    )
    backfill = dagster.backfill([*PER_SOURCE], SOURCES)

    def done() -> bool:
        status = dagster.backfill_status(backfill)
        assert status in ("REQUESTED", "COMPLETING", "COMPLETED_SUCCESS"), status
        return status == "COMPLETED_SUCCESS"

    until("the backfill is done", done, 240)
    dagster.await_status(dagster.launch("everything"), "SUCCESS", patience_s=240)
    return json.loads(stack.path("/lake/models/stage_rust/manifest.json").read_text())


def start(stack: Stack) -> None:
    """Start all services in the order of their dependencies."""
    stack.replace("postgres", postgres.make(stack))
    moto = [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(stack.port(8333))]
    stack.replace("s3", moto)
    stack.start("postgres")
    stack.start("s3")
    stack.await_healthy("postgres")
    until("moto's server answers", lambda: answers(stack.port(8333)))
    assert stack.run("bucket") == "mlflow made\nlake made\n"
    assert stack.run("bucket") == "mlflow is there\nlake is there\n"
    # Webserver and daemon wait for the location in compose.yaml; they need not, and this is faster.
    for service in ("mlflow", "location", "webserver", "daemon"):
        stack.start(service)
    for service in ("mlflow", "location", "webserver"):
        stack.await_healthy(service)


def bare() -> dict[str, str]:
    """The environment of a container before compose.yaml's: programs, and nothing of the user's."""
    tools = [str(Path(sys.executable).parent), str(Path(postgres.program("pg_isready")).parent)]
    return {
        "PATH": os.pathsep.join([*tools, os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
    }


def project(folder: Path) -> None:
    """A manifest of three repositories, and a curriculum of one stage with a tiny model."""
    sources = []
    for name in SOURCES:
        repository(folder / name, f"salt {name}")
        at = {"kind": "git", "url": str(folder / name), "ref": "main"}
        sources.append({"name": name, "split": name, **at})
    (folder / "sources.yaml").write_text(yaml.safe_dump({"sources": sources}), encoding="utf-8")
    write_checkpoint(folder / "tiny")
    write_recipe(folder)
    write_curriculum(folder, "rust")


def write_recipe(folder: Path, **changes: object) -> None:
    """The recipe of the stage, as tests.pipeline.test_graph has it."""
    recipe = {
        "stage": "rust",
        "base_model": str(folder / "tiny"),
        "query_length": 16,
        "document_length": 32,
        "index_length": 64,
        "batch_size": 4,
        "learning_rate": 0.01,
        "accelerator": "cpu",
        "precision": "fp32",
        "mixture": {"max_pairs": 24},
        "watch": {"allowed_loss": 1.0},
        **changes,
    }
    (folder / "train.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")

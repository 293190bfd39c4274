"""The whole graph on repositories that the test makes: every asset, twice, with one source that fails."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
import yaml

from tests.corpus.snapshots.repository import Repository
from tests.tiny import NOUNS, VERBS, write_curriculum

PUBLISHED = json.dumps(
    {
        "repo": "someone/geometry",
        "path": "shapes.py",
        "func_name": "area",
        "language": "python",
        "partition": "train",
        "docstring": "Compute the area of a circle of this radius.",
        "code": 'def area(radius):\n    """Compute the area of a circle of this radius."""\n'
        "    return 3.14159 * radius * radius  # in square metres\n",
        "url": f"https://example.org/someone/geometry/blob/{'ab' * 20}/shapes.py#L1-L3",
    }
)
PER_SOURCE = ["repos", "files", "units", "doc_pairs", "path_pairs", "body_pairs"]
REST = ["codesearchnet_pairs", "corpus", "eval_queries", "stage_rust", "model", "metrics", "report"]


def rust(salt: str) -> str:
    """A file of documented functions that no other `salt` has."""
    return "\n".join(
        f"/// Will {verb} the {noun} of {salt}.\n"
        f"pub fn {verb}_{noun}(text: &str) -> usize {{\n"
        f"    // the {noun} of {salt} has to {verb} first\n"
        f'    text.len() + "{salt}".len() + {row}{column}\n}}\n'
        for row, verb in enumerate(VERBS)
        for column, noun in enumerate(NOUNS)
    )


def repository(folder: Path, salt: str) -> Repository:
    """A repository under the MIT licence with one Rust file."""
    made = Repository(folder)
    made.write("Cargo.toml", '[package]\nname = "a"\nlicense = "MIT"\n')
    made.write("src/lib.rs", rust(salt))
    made.commit()
    return made


@dataclass(frozen=True)
class World:
    """A folder with everything in it, and the repository of the source `train`."""

    folder: Path
    train: Repository


@pytest.fixture
def world(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A folder with a manifest of three repositories and a missing one, a recipe and an empty lake."""
    sources = []
    repositories = {}
    for name in ("train", "valid", "test"):
        repositories[name] = repository(tmp_path / name, f"salt {name}")
        sources.append(
            {"name": name, "kind": "git", "url": str(tmp_path / name), "ref": "main", "split": name}
        )
    (tmp_path / "published.jsonl").write_text(PUBLISHED, encoding="utf-8")
    sources.append(
        {"name": "published", "kind": "dataset", "paths": ["published.jsonl"], "license": "MIT"}
    )
    sources.insert(1, {"name": "gone", "kind": "git", "url": str(tmp_path / "gone"), "ref": "main"})
    (tmp_path / "sources.yaml").write_text(yaml.safe_dump({"sources": sources}), encoding="utf-8")
    recipe = {
        "stage": "rust",
        "base_model": str(tiny_model),
        "query_length": 16,
        "document_length": 32,
        "index_length": 64,
        "batch_size": 4,
        "learning_rate": 0.01,
        "accelerator": "cpu",
        "precision": "fp32",
        "mixture": {"max_pairs": 24},
    }
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    write_curriculum(tmp_path, "rust")
    for key, value in {
        "PROVENDER_SOURCES": "sources.yaml",
        "PROVENDER_CURRICULUM": "curriculum.yaml",
        "PROVENDER_LAKE": "lake",
        "DAGSTER_HOME": "home",
    }.items():
        monkeypatch.setenv(key, str(tmp_path / value))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "home").mkdir()
    before = dict(os.environ)
    yield World(tmp_path, repositories["train"])
    os.environ.clear()
    os.environ.update(before)


def demo() -> tuple[int, str]:
    """`provender demo` in a process of its own, as its partitions are read when it is loaded."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", "demo"],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "2", "COLUMNS": "200"},
    )
    return done.returncode, done.stdout + done.stderr


def materializations() -> dict[str, list[dg.AssetMaterialization]]:
    """What the runs in the instance recorded, by asset, oldest first."""
    found = {}
    with dg.DagsterInstance.get() as instance:
        for name in [*PER_SOURCE, *REST]:
            records = instance.fetch_materializations(dg.AssetKey(name), limit=100).records
            found[name] = [each.asset_materialization for each in reversed(records)]
    return found


def test_a_demo_builds_everything_names_the_source_that_failed_and_then_does_nothing(
    world: World,
) -> None:
    code, told = demo()
    assert code == 1  # one source could not be had, and the run says which
    assert "Traceback" not in told
    assert f"failed gone: source gone: {world.folder / 'gone'} at 'main' cannot be fetched" in told
    assert "doc_test: 48 queries" in told
    lake = world.folder / "lake"
    train = pl.read_parquet(lake / "corpus" / "split=train")
    assert sorted(train["source"].unique()) == ["published", "train"]
    assert {"doc", "body"} <= set(train["pair_type"])
    first = materializations()
    for name in PER_SOURCE:
        assert sorted(str(each.partition) for each in first[name]) == ["test", "train", "valid"]
    for name in REST:
        [made] = first[name]
        assert made.metadata["unchanged"].value is False
        assert made.tags is not None
        assert made.tags["dagster/data_version"]
    assert "salt train" in str(first["units"][0].metadata["preview"].value)
    lineage = str(first["model"][0].metadata["made_from"].value)
    assert "| train |" in lineage
    assert "| MIT |" in lineage
    of_stage = first["stage_rust"][0].metadata
    assert "mlflow_run" in of_stage
    for plot in ("losses", "validation_MRR"):
        assert str(of_stage[plot].value).startswith(f"![{plot}](data:image/png;base64,")
    report = (lake / "reports" / "report.html").read_text(encoding="utf-8")
    assert "Not promoted" in report  # nobody judged queries for these sources
    assert "Ranked first, and wrong" in report
    assert "salt test" in report  # code of the pool
    assert "Not kept" not in report
    of_report = first["report"][0].metadata
    assert str(of_report["decision"].value).startswith("not promoted: ")
    assert of_report["mlflow_run"].value == of_stage["mlflow_run"].value

    weights = lake / "models" / "model" / "model.safetensors"
    made_at = weights.stat().st_mtime_ns
    code, told = demo()
    assert code == 1
    assert "Nothing had changed" in told
    assert weights.stat().st_mtime_ns == made_at
    second = materializations()
    for name in [*PER_SOURCE, *REST]:
        assert second[name][-1].metadata["unchanged"].value is True
        assert versions(second[name]) == versions(first[name])


def versions(made: list[dg.AssetMaterialization]) -> set[tuple[str, str]]:
    """Each partition with each data version that it had."""
    return {(str(each.partition), (each.tags or {})["dagster/data_version"]) for each in made}


INGEST = """
import dagster as dg
from pipeline.definitions import defs
from pipeline.partitions import keep_in_step
from resources.project import Project

with dg.DagsterInstance.get() as instance:
    keep_in_step(instance, Project().load_manifest())
    run = defs.resolve_job_def("ingest").execute_in_process(
        instance=instance, partition_key="train"
    )
for event in run.get_asset_materialization_events():
    made = event.step_materialization_data.materialization
    if made.asset_key == dg.AssetKey("units"):
        print({key: value.value for key, value in made.metadata.items() if "files_" in key})
"""


def ingest() -> str:
    """Run the job `ingest` for the source `train`; what `units` said of its files."""
    done = subprocess.run(
        [sys.executable, "-c", INGEST], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout.strip()


def test_a_refresh_parses_only_the_file_that_changed(world: World) -> None:
    assert ingest() == "{'files_parsed': 1}"
    world.train.write("src/more.rs", rust("salt more"))
    world.train.commit()
    assert ingest() == "{'files_carried': 1, 'files_parsed': 1}"
    units = pl.read_parquet(world.folder / "lake" / "units" / "source=train" / "data.parquet")
    assert units.height == 2 * len(VERBS) * len(NOUNS)
    assert units["revision"].n_unique() == 1


def test_ctrl_c_stops_the_demo_and_the_next_one_goes_on(world: World) -> None:
    command = [sys.executable, "-m", "pipeline.cli", "demo"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if line.startswith("building corpus"):
                time.sleep(2)  # into the build, wherever that is by now
                running.send_signal(signal.SIGINT)
                break
        told = running.stdout.read()
        code = running.wait(timeout=60)
    assert code == 130, told
    assert told.splitlines()[-1] == "stopped; the same command continues where it was"
    assert "Traceback" not in told
    code, told = demo()
    assert "train unchanged" in told
    assert "doc_test: 48 queries" in told

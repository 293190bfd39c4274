"""Two nodes of Ray and a lake on S3: what runs there makes the tables that are made without Ray.

Each node has a working copy of its own, so that nothing but S3 carries a table from one to the other.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import boto3
import dagster as dg
import pytest
import yaml
from ray.job_submission import JobDetails, JobStatus, JobSubmissionClient

from pipeline.definitions import build_definitions
from pipeline.jobs import PER_SOURCE
from pipeline.partitions import keep_in_step
from pipeline.running import failures, run
from resources.project import ROOT, Project
from tests.corpus.snapshots.repository import Repository
from tests.corpus.snapshots.servers import Silent, serving
from tests.integration.compose import DOCKER, HOST, answers, free_port, until
from tests.integration.graphql import Dagster
from tests.integration.ray_cluster import Cluster
from tests.pipeline.test_graph import repository, rust
from tests.resources.test_trainer import train
from tests.s3 import ENVIRONMENT, make_bucket
from tests.tiny import pair, tiny_recipe, write_corpus, write_curriculum, write_recipe
from training.checkpoint import read_manifest

SOURCES = ["one", "two", "three"]
OF_STEPS = "steps"
"""The source that the executor's test has for itself."""
SILENT = "silent"
"""The source whose remote never answers."""

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class World:
    """A cluster, a Dagster instance that launches on it, and the sources of its manifest."""

    folder: Path
    endpoint: str
    environment: dict[str, str]
    cluster: Cluster
    dagster: Dagster
    sources: dict[str, Repository]

    @property
    def jobs(self) -> JobSubmissionClient:
        return JobSubmissionClient(self.cluster.address)

    def job(self, run: str) -> JobDetails:
        """The job of a run that has begun."""
        return self.jobs.get_job_info(f"dagster-run-{run}")

    def await_end(self, job: str) -> JobStatus:
        """What the job `job` ends as, which is a moment after its run has."""
        until("the job has ended", lambda: self.jobs.get_job_status(job).is_terminal())
        return self.jobs.get_job_status(job)

    def tables(self, prefix: str, sources: Sequence[str]) -> dict[str, str]:
        """By its place in the lake at `prefix`, a hash of the bytes of each table of `sources`."""
        client = boto3.client("s3", endpoint_url=self.endpoint, region_name="us-east-1")
        pages = client.get_paginator("list_objects_v2").paginate(Bucket="lake", Prefix=f"{prefix}/")
        found = {each["Key"]: each["ETag"] for page in pages for each in page.get("Contents", ())}
        return {
            key.removeprefix(f"{prefix}/"): tag
            for key, tag in found.items()
            if key.endswith(".parquet")
            and not key.startswith(f"{prefix}/blobs/")
            and any(f"/source={name}/" in key for name in sources)
        }

    def made_without_ray(self, *sources: str) -> dict[str, str]:
        """The tables of `sources` as a run in this process makes them."""
        with dg.DagsterInstance.ephemeral() as instance:
            keep_in_step(instance, Project().load_manifest())
            for name in sources:
                result = run(build_definitions(), "ingest", instance, name)
                assert failures(result) == []
        return self.tables("plain", sources)


@pytest.fixture(scope="module")
def world(s3_endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Everything, up; and this process with a lake of its own beside the cluster's."""
    folder = tmp_path_factory.mktemp("ray")
    make_bucket(s3_endpoint, "lake")
    sources = {name: repository(folder / name, f"salt {name}") for name in (*SOURCES, OF_STEPS)}
    silent = Silent()
    urls = {name: str(each.folder) for name, each in sources.items()} | {SILENT: silent.url}
    manifest = [
        {"name": name, "kind": "git", "url": url, "ref": "main", "split": "train"}
        for name, url in urls.items()
    ]
    (folder / "sources.yaml").write_text(yaml.safe_dump({"sources": manifest}), encoding="utf-8")
    environment = {
        **ENVIRONMENT,
        "AWS_ENDPOINT_URL_S3": s3_endpoint,
        "PROVENDER_SOURCES": str(folder / "sources.yaml"),
        "OMP_NUM_THREADS": "1",
    }
    with ExitStack() as stack:
        stack.enter_context(serving(silent))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in {
            **environment,
            "PROVENDER_LAKE": "s3://lake/plain",
            "PROVENDER_LAKE_COPY": str(folder / "plain"),
        }.items():
            patch.setenv(name, value)
        environment |= {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "HOME": str(folder),
            "HF_HUB_OFFLINE": "1",
            "DAGSTER_DISABLE_TELEMETRY": "yes",
            "PROVENDER_LAKE": "s3://lake/ray",
        }
        copies = ({"PROVENDER_LAKE_COPY": str(folder / name)} for name in ("head", "other"))
        cluster = Cluster(*(environment | copy for copy in copies))
        stack.callback(cluster.close)
        environment |= {"RAY_ADDRESS": cluster.address, "DAGSTER_HOME": str(folder / "home")}
        environment |= {"PROVENDER_LAKE_COPY": str(folder / "location")}
        dagster = _dagster(folder, environment, stack)
        yield World(folder, s3_endpoint, environment, cluster, dagster, sources)


def _dagster(folder: Path, environment: dict[str, str], stack: ExitStack) -> Dagster:
    """Code location, webserver and daemon of an instance that has the run launcher of docker/ray.yaml."""
    settings = {
        **yaml.safe_load((ROOT / "config" / "dagster.yaml").read_text(encoding="utf-8")),
        **yaml.safe_load((DOCKER / "ray.yaml").read_text(encoding="utf-8")),
    }
    settings["run_monitoring"]["poll_interval_seconds"] = 2
    settings["concurrency"]["runs"]["max_concurrent_runs"] = 2
    (folder / "home").mkdir()
    (folder / "home" / "dagster.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    location, webserver = free_port(), free_port()
    environment |= {"PROVENDER_LOCATION_HOST": HOST, "PROVENDER_LOCATION_PORT": str(location)}
    workspace = ["-w", str(DOCKER / "workspace.yaml")]
    module = ["-m", "pipeline.definitions"]

    def start(*command: str) -> None:
        with (folder / f"{command[0]}.log").open("wb") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        stack.callback(process.wait)
        stack.callback(os.killpg, process.pid, signal.SIGKILL)

    start("dagster", "api", "grpc", *module, "-h", HOST, "-p", str(location))
    until("the code location answers", lambda: answers(location))
    start("dagster-webserver", "-h", HOST, "-p", str(webserver), *workspace)
    start("dagster-daemon", "run", *workspace)
    until("the webserver answers", lambda: answers(webserver))
    dagster = Dagster(f"http://{HOST}:{webserver}")
    known = {*SOURCES, OF_STEPS, SILENT}
    until("a sensor has read the manifest", lambda: {*dagster.partitions("repos")} == known)
    return dagster


def backfill(world: World, *sources: str) -> list[str]:
    """The runs of a new backfill of `sources`, one each."""
    world.cluster.make_whole()
    made = world.dagster.backfill([*PER_SOURCE], list(sources))
    tag = {"dagster/backfill": made}
    return until(
        "each source has its run",
        lambda: (
            len(found := world.dagster.runs(**tag)) == len(sources)
            and [each["runId"] for each in found]
        ),
    )


def test_sources_ingested_on_two_nodes_have_the_tables_that_they_have_without_ray(
    world: World,
) -> None:
    runs = backfill(world, *SOURCES)
    for each in runs:
        world.dagster.await_status(each, "SUCCESS")
    jobs = [world.job(each) for each in runs]
    assert {world.await_end(str(each.submission_id)) for each in jobs} == {JobStatus.SUCCEEDED}
    assert len({each.driver_node_id for each in jobs}) == 2
    made = world.tables("ray", SOURCES)
    assert made == world.made_without_ray(*SOURCES)
    assert len(made) == len(SOURCES) * len((*PER_SOURCE, "parsed"))


def test_a_run_whose_node_was_lost_is_run_again_on_the_other(world: World) -> None:
    changed = SOURCES[:2]
    for name in changed:
        world.sources[name].write("src/more.rs", rust(f"more {name}"))
        world.sources[name].commit()
    runs = backfill(world, *changed)
    for each in runs:
        world.dagster.await_status(each, "STARTED")
    nodes = {each: world.job(each).driver_agent_http_address or "" for each in runs}
    [lost] = [each for each, address in nodes.items() if "127.0.0.3" in address]
    world.cluster.kill_other()
    world.dagster.await_status(lost, "FAILURE")
    [again] = until(
        "it is run again", lambda: world.dagster.runs(**{"dagster/parent_run_id": lost})
    )
    for each in (*(each for each in runs if each != lost), again["runId"]):
        world.dagster.await_status(each, "SUCCESS")
    assert world.tables("ray", changed) == world.made_without_ray(*changed)


def test_a_run_goes_where_its_tag_says_and_is_cancelled_there(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.cluster.make_whole()
    tags = {
        "dagster/partition": SILENT,
        "dagster-ray/config": json.dumps({"resources": {"other": 1}}),
    }
    launched = world.dagster.launch("ingest", tags=tags)
    world.dagster.await_status(launched, "STARTED")
    monkeypatch.setenv("RAY_ADDRESS", world.cluster.address)
    with dg.DagsterInstance.from_config(world.environment["DAGSTER_HOME"]) as instance:
        assert instance.run_launcher.terminate(launched)
    world.dagster.await_status(launched, "CANCELED")
    job = world.job(launched)
    assert "127.0.0.3" in (job.driver_agent_http_address or "")
    assert world.await_end(str(job.submission_id)) == JobStatus.STOPPED


def test_steps_are_jobs_where_the_executor_is_rays(world: World, tmp_path: Path) -> None:
    world.cluster.make_whole()
    command = ["dagster", "asset", "materialize", "--select", "repos,files"]
    command += ["--partition", OF_STEPS, "-m", "pipeline.definitions"]
    # An instance without the launcher, whose daemon takes a run that has no job for one that is lost.
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    environment = {**world.environment, "DAGSTER_HOME": str(tmp_path), "PROVENDER_EXECUTOR": "ray"}
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        instance.add_dynamic_partitions("sources", [OF_STEPS])
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    steps = {
        (each.metadata or {}).get("dagster/op"): each.status
        for each in world.jobs.list_jobs()
        if (each.submission_id or "").startswith("dagster-step-")
    }
    assert steps == {"repos": JobStatus.SUCCEEDED, "files": JobStatus.SUCCEEDED}
    made = world.tables("ray", [OF_STEPS])
    plain = world.made_without_ray(OF_STEPS)
    assert sorted(key.split("/")[0] for key in made) == ["files", "repos"]
    assert made == {key: plain[key] for key in made}


@pytest.fixture
def project(world: World, tmp_path: Path, tiny_model: Path) -> Path:
    """A folder with what training needs, and a file that sends it to the other node."""
    world.cluster.make_whole()
    write_recipe(tmp_path / "train.yaml", tiny_recipe(tiny_model))
    write_curriculum(tmp_path, "rust")
    write_corpus(tmp_path / "pairs.parquet", [pair(number) for number in range(88)])
    write_corpus(tmp_path / "valid.parquet", [pair(n, split="valid") for n in range(8)])
    (tmp_path / "eval").mkdir()
    job = {"address": world.cluster.address, "resources": {"other": 1}, "poll_s": 0.5}
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(job), encoding="utf-8")
    return tmp_path


def of_training(world: World) -> list[JobDetails]:
    """The jobs of training, the newest last."""
    found = [
        each for each in world.jobs.list_jobs() if (each.submission_id or "").startswith("pipes-")
    ]
    return sorted(found, key=lambda each: each.start_time or 0)


def test_training_is_a_job_and_told_to_its_run(world: World, project: Path) -> None:
    success, messages = train(project, job=str(project / "job.yaml"))
    assert success, messages
    assert any(each.endswith(f"trained {project}/models/stage_rust") for each in messages)
    assert any("step 20 of 22: loss" in each for each in messages)
    assert len(read_manifest(project / "models" / "stage_rust")["history"]) == 22
    job = of_training(world)[-1]
    assert job.status == JobStatus.SUCCEEDED
    assert "127.0.0.3" in (job.driver_agent_http_address or "")


def test_training_stops_and_saves_where_its_step_is_cancelled(
    world: World, project: Path, tiny_model: Path
) -> None:
    write_recipe(project / "train.yaml", tiny_recipe(tiny_model, epochs=1000))
    before = len(of_training(world))

    ended = threading.Event()

    def cancel() -> None:
        def trains() -> bool:
            jobs = of_training(world)[before:]
            logs = [world.jobs.get_job_logs(str(each.submission_id)) for each in jobs]
            return ended.is_set() or any("step 40 of" in each for each in logs)

        try:
            until("it trains", trains)
        finally:
            if not ended.is_set():
                os.kill(os.getpid(), signal.SIGINT)

    asked = threading.Thread(target=cancel)
    asked.start()
    try:
        success, _ = train(project, job=str(project / "job.yaml"))
    finally:
        ended.set()
        asked.join()
    assert not success
    [job] = of_training(world)[before:]
    name = str(job.submission_id)
    assert world.await_end(name) == JobStatus.STOPPED
    said = world.jobs.get_job_logs(name)
    assert "stopped; the same command continues at the last saved step" in said
    assert not (project / "models" / ".stage_rust.lock").exists()

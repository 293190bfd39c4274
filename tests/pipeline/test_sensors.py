"""Partitions that follow the manifest, pools with their limits, and what is told of a run that failed."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml

from assets.common import sources, told
from common.errors import ProvenderError
from pipeline.partitions import POOLS, keep_in_step, limit_pools
from pipeline.sensors import follow_manifest, tell_failures
from resources.project import Project


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def project(folder: Path, *names: str) -> Project:
    listed = [{"name": name, "kind": "git", "url": f"https://example.org/{name}"} for name in names]
    (folder / "sources.yaml").write_text(yaml.safe_dump({"sources": listed}), encoding="utf-8")
    return Project(sources=str(folder / "sources.yaml"))


def tick(instance: dg.DagsterInstance, project: Project) -> dict[str, list[str]] | str:
    """What the sensor asks for, which is done then; or why nothing is."""
    found = follow_manifest(dg.build_sensor_context(instance, resources={"project": project}))
    if isinstance(found, dg.SkipReason):
        return found.skip_message or ""
    assert isinstance(found, dg.SensorResult)
    asked = {}
    for each in found.dynamic_partitions_requests or []:
        assert each.partitions_def_name == sources.name
        asked["add" if isinstance(each, dg.AddDynamicPartitionsRequest) else "remove"] = [
            *each.partition_keys
        ]
    return asked


def test_partitions_follow_the_manifest(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    assert tick(instance, project(tmp_path, "b", "a")) == {"add": ["b", "a"]}
    keep_in_step(instance, project(tmp_path, "b", "a").load_manifest())
    assert tick(instance, project(tmp_path, "b", "a")).startswith("The partitions are those")  # type: ignore[union-attr]
    assert tick(instance, project(tmp_path, "c", "a")) == {"add": ["c"], "remove": ["b"]}
    keep_in_step(instance, project(tmp_path, "c", "a").load_manifest())
    assert sorted(instance.get_dynamic_partitions(str(sources.name))) == ["a", "c"]


@pytest.mark.parametrize("text", ["", "sources: []", "sources: [{name"])
def test_a_manifest_in_the_making_takes_no_partition_away(
    instance: dg.DagsterInstance, tmp_path: Path, text: str
) -> None:
    known = project(tmp_path, "a")
    keep_in_step(instance, known.load_manifest())
    (tmp_path / "sources.yaml").write_text(text, encoding="utf-8")
    assert str(tick(instance, known)).startswith(f"{tmp_path}/sources.yaml: ")
    (tmp_path / "sources.yaml").unlink()
    assert "There is no such file" in str(tick(instance, known))


def test_pools_get_limits_and_an_operators_stay(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    instance.event_log_storage.set_concurrency_slots("git", 9)
    tick(instance, project(tmp_path, "a"))
    limit_pools(instance)
    limits = {each.name: each.limit for each in instance.event_log_storage.get_pool_limits()}
    assert limits == {**POOLS, "git": 9}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            ProvenderError("It is gone.", where="source a", remedy="Look."),
            "source a: It is gone. Look.",
        ),
        (RuntimeError("oops"), "broken: RuntimeError: oops (a fault of Provender's)"),
    ],
)
def test_a_failed_run_says_in_its_log_what_to_do(
    instance: dg.DagsterInstance, error: Exception, said: str
) -> None:
    @dg.asset
    def broken() -> None:
        with told():
            raise error

    result = dg.materialize([broken], instance=instance, raise_on_error=False)
    tell(instance, result)
    last = instance.all_logs(result.run_id)[-1].dagster_event
    assert last is not None
    assert last.message == f"What to do about {result.dagster_run.job_name}: {said}"


def tell(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> None:
    context = dg.build_run_status_sensor_context(
        "failures", result.get_run_failure_event(), instance, result.dagster_run
    )
    tell_failures(context.for_run_failure())

"""The weekly refresh, tick by tick on repositories that the test makes."""

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from assets import repos
from assets.common import sources
from common.errors import ProvenderError
from corpus.snapshots import current_revision
from corpus.sources import load_manifest
from pipeline import schedules
from pipeline.automation import TAGS
from pipeline.definitions import defs
from pipeline.partitions import keep_in_step
from pipeline.schedules import weekly_refresh
from resources.lake import Lake
from resources.project import Project
from tests.corpus.snapshots.repository import Repository
from tests.pipeline.test_automation import ORIGIN


@dataclass
class World:
    """A manifest of repositories, a lake, and an instance."""

    folder: Path
    instance: dg.DagsterInstance
    repositories: dict[str, Repository] = field(default_factory=dict)

    @property
    def resources(self) -> dict[str, Any]:
        project = Project(
            sources=str(self.folder / "sources.yaml"), optout=str(self.folder / "optout.yaml")
        )
        return {"lake": Lake(root=str(self.folder / "lake")), "project": project}

    def manifest(self, *names: str) -> None:
        listed = [
            {"name": name, "kind": "git", "url": str(self.folder / name), "ref": "main"}
            for name in names
        ]
        text = yaml.safe_dump({"sources": listed})
        (self.folder / "sources.yaml").write_text(text, encoding="utf-8")

    def repository(self, name: str) -> Repository:
        made = self.repositories[name] = Repository(self.folder / name)
        made.write("lib.rs", f"fn {name}() {{}}\n")
        made.commit()
        return made

    def refresh(self, name: str, *, succeeds: bool = True) -> None:
        """A run of the source's snapshot."""
        keep_in_step(self.instance, self.resources["project"].load_manifest())
        result = dg.materialize(
            [repos.repos],
            partition_key=name,
            instance=self.instance,
            resources=self.resources,
            raise_on_error=False,
        )
        assert result.success is succeeds

    def tick(self, when: datetime | None = None) -> dict[str | None, str] | str:
        """What is requested, with the reasons; or why nothing is."""
        found = weekly_refresh.evaluate_tick(
            dg.build_schedule_context(
                self.instance,
                scheduled_execution_time=when,
                resources=self.resources,
                repository_def=defs.get_repository_def(),
            )
        )
        requests = found.run_requests or []
        assert all(TAGS.items() <= each.tags.items() for each in requests)
        return found.skip_message or {
            each.tags["dagster/partition"]: each.tags["provender/reason"] for each in requests
        }

    def partitions(self) -> list[str]:
        return sorted(self.instance.get_dynamic_partitions(str(sources.name)))

    def looks(self) -> list[dg.AssetMaterialization]:
        """What was recorded of the heads, the newest first."""
        records = self.instance.fetch_materializations(dg.AssetKey("heads"), limit=9).records
        return [each.asset_materialization for each in records if each.asset_materialization]


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance to copy: making its databases takes a second, and a schedule wants them on the disk."""
    home = tmp_path_factory.mktemp("dagster")
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        instance.get_runs_count()
        instance.get_dynamic_partitions("any")
        instance.all_instigator_state()
    return home


@pytest.fixture
def world(tmp_path: Path, empty_home: Path) -> Iterator[World]:
    """Two sources, neither of them ingested."""
    (tmp_path / "optout.yaml").write_text("optout: []\n", encoding="utf-8")
    shutil.copytree(empty_home, tmp_path / "home")
    with dg.DagsterInstance.local_temp(str(tmp_path / "home")) as instance:
        made = World(tmp_path, instance)
        made.manifest("a", "b")
        made.repository("a")
        made.repository("b")
        yield made


def test_it_is_off_until_somebody_switches_it_on_and_weekly_then() -> None:
    assert weekly_refresh.default_status is dg.DefaultScheduleStatus.STOPPED
    assert (weekly_refresh.cron_schedule, weekly_refresh.execution_timezone) == ("0 3 * * 1", "UTC")


def test_what_is_new_is_requested_and_what_is_unchanged_is_not(world: World) -> None:
    assert world.tick() == {"a": "new", "b": "new"}
    assert world.partitions() == ["a", "b"]
    world.refresh("a")
    assert world.tick() == {"b": "new"}
    world.refresh("b")
    assert world.tick() == "2 × unchanged"


def test_only_what_moved_is_requested(world: World) -> None:
    world.refresh("a")
    world.refresh("b")
    world.repositories["b"].write("more.rs", "fn more() {}\n")
    commit = world.repositories["b"].commit()
    assert world.tick() == {"b": f"moved to {commit}"}


def test_a_wish_to_be_left_out_counts_as_a_change(world: World) -> None:
    world.refresh("a")
    world.refresh("b")
    wish = "optout:\n  - {repository: a, path: lib.rs}\n"
    (world.folder / "optout.yaml").write_text(wish, encoding="utf-8")
    changed = "its settings, opt-outs or rules changed"
    assert world.tick() == {"a": changed, "b": changed}


def test_a_source_that_cannot_be_reached_is_named_and_keeps_no_other_from_being_refreshed(
    world: World,
) -> None:
    world.manifest("a", "gone", "b")
    assert world.tick() == {"a": "new", "b": "new"}
    world.refresh("a")
    world.refresh("b")
    told = world.tick()
    assert isinstance(told, str)
    assert re.match(r"2 × unchanged; source gone: .*/gone at 'main' cannot be fetched: ", told)
    metadata = world.looks()[0].metadata
    assert (metadata["to_ingest"].value, metadata["not_reached"].value) == (0, 1)
    assert "| gone |  | source gone: " in str(metadata["sources"].value)


def test_a_source_whose_run_is_under_way_is_not_requested_twice(world: World) -> None:
    assert world.tick() == {"a": "new", "b": "new"}
    job = dg.Definitions([repos.repos], resources=world.resources)
    queued = world.instance.create_run_for_job(
        job.resolve_implicit_global_asset_job_def(),
        status=dg.DagsterRunStatus.QUEUED,
        tags={"dagster/partition": "a"},
        remote_job_origin=ORIGIN,
    )
    assert world.tick() == {"b": "new"}
    world.instance.report_run_canceled(queued)
    assert world.tick() == {"a": "new", "b": "new"}


def test_a_clock_that_steps_back_requests_nothing_anew(world: World) -> None:
    world.refresh("a")
    world.refresh("b")
    assert world.tick(datetime(2026, 12, 7, 3, tzinfo=UTC)) == "2 × unchanged"
    assert world.tick(datetime(2026, 11, 30, 3, tzinfo=UTC)) == "2 × unchanged"


def test_a_source_whose_run_failed_after_its_snapshot_is_gone_through_again(world: World) -> None:
    world.refresh("a")
    world.refresh("b")
    later = world.repositories["b"].folder
    later.rename(later.with_name("away"))
    world.refresh("b", succeeds=False)
    later.with_name("away").rename(later)
    assert world.tick() == {"b": "its last run did not end well"}
    world.refresh("b")
    assert world.tick() == "2 × unchanged"


def test_a_source_that_left_the_manifest_loses_its_partition_and_is_told_to_the_corpus(
    world: World,
) -> None:
    world.tick()
    world.manifest("a")
    world.refresh("a")
    assert world.tick() == "1 × unchanged"
    assert world.partitions() == ["a"]
    now, before = (look.tags["dagster/data_version"] for look in world.looks() if look.tags)
    assert now != before
    world.tick()
    assert (world.looks()[0].tags or {})["dagster/data_version"] == now


def test_a_manifest_that_cannot_be_read_changes_nothing(world: World) -> None:
    world.tick()
    (world.folder / "sources.yaml").write_text("sources: [{name: a", encoding="utf-8")
    told = world.tick()
    assert isinstance(told, str)
    assert "This is not valid YAML" in told
    assert world.partitions() == ["a", "b"]


def test_a_remote_that_does_not_answer_costs_the_others_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(source: Any, cache: Path) -> str:
        if source.name == "a":
            time.sleep(1)
        return current_revision(source, cache)

    monkeypatch.setattr(schedules, "current_revision", asked)
    manifest = load_manifest(world.folder / "sources.yaml")
    started = time.monotonic()
    found = schedules.revisions(manifest.repositories, world.folder / "cache", patience_s=0.5)
    assert time.monotonic() - started < 0.9
    assert isinstance(found["a"], ProvenderError)
    assert "did not answer within 0.5 s" in str(found["a"])
    assert found["b"] == world.repositories["b"].git("rev-parse", "HEAD")


def test_a_fault_of_our_own_in_one_source_costs_the_others_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(source: Any, cache: Path) -> str:
        if source.name == "a":
            raise RuntimeError("oops")
        return current_revision(source, cache)

    monkeypatch.setattr(schedules, "current_revision", asked)
    assert world.tick() == {"b": "new"}
    assert "cannot be asked: RuntimeError: oops" in str(world.looks()[0].metadata["sources"].value)

"""What follows a refresh by itself, tick by tick with real runs: one test an incident that a clause prevents.

The graph and its conditions are the product's; what its assets do is not, and takes no time here.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.common import sources
from common.hashing import digest
from pipeline import definitions
from pipeline.automation import TAGS
from pipeline.jobs import JOBS, PER_SOURCE

CHAIN = ["corpus", "eval_queries", "metrics", "promotion", "report"]
"""What follows rows that evaluation asks about."""
BY_HAND: dict[str, str] = {}


class World:
    """Sources with their rows, what is broken, and a daemon that ticks when it is told to."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.rows: dict[tuple[str, str | None], str] = {}
        self.broken: set[str] = set()
        self.during: Callable[[str], None] = lambda _: None
        self.now: datetime | None = None
        self._cursor: Any = None
        specs = [
            spec
            for each in definitions.assets()
            for spec in (each.specs if isinstance(each, dg.AssetsDefinition) else [each])
        ]
        self.assets = [spec.key for spec in specs]
        stubs = [self._stub(spec) for spec in specs if spec.key != dg.AssetKey("heads")]
        [heads] = [spec for spec in specs if spec.key == dg.AssetKey("heads")]
        self.definitions = dg.Definitions([heads, *stubs], jobs=JOBS)

    def _stub(self, spec: dg.AssetSpec) -> dg.AssetsDefinition:
        name = spec.key.to_user_string()

        @dg.asset(
            key=spec.key,
            deps=spec.deps,
            partitions_def=spec.partitions_def,
            automation_condition=spec.automation_condition,
        )
        def stub(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
            self.during(name)
            if name in self.broken:
                raise dg.Failure("broken", allow_retries=False)
            own = context.has_partition_key
            rows = self.rows.get((name, context.partition_key)) if own else self.rows
            return dg.MaterializeResult(data_version=dg.DataVersion(digest(str(rows))))

        return stub

    def add(self, *names: str) -> None:
        self.instance.add_dynamic_partitions(str(sources.name), names)

    def ingest(
        self, source: str, *tables: str, rows: str = "", tags: Mapping[str, str] = TAGS
    ) -> None:
        """A run of `ingest`, after which `tables` of the source hold `rows`."""
        self.rows |= {(table, source): rows for table in tables}
        self.start("ingest", partition=source, tags=tags)

    def start(
        self, job: str, *, partition: str | None = None, tags: Mapping[str, str] = BY_HAND
    ) -> None:
        self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance, partition_key=partition, tags=dict(tags), raise_on_error=False
        )

    def look(self, names: str) -> None:
        """The weekly refresh has looked, and the manifest has `names`."""
        tags = {"dagster/data_version": names}
        self.instance.report_runless_asset_event(dg.AssetMaterialization("heads", tags=tags))

    def tick(self) -> set[str]:
        """What the daemon requests now."""
        done = dg.evaluate_automation_conditions(
            self.definitions,
            self.instance,
            asset_selection=dg.AssetSelection.all(),
            cursor=self._cursor,
            evaluation_time=self.now,
        )
        self._cursor = done.cursor
        return {key.to_user_string() for key in self.assets if done.get_num_requested(key)}

    def run(self, names: set[str]) -> list[str]:
        """The run that the daemon starts for what it requested: what it made, in order."""
        job = self.definitions.resolve_implicit_job_def_def_for_assets(
            [dg.AssetKey(name.split("/")) for name in names]
        )
        assert job is not None
        result = job.get_subset(
            asset_selection={dg.AssetKey(name.split("/")) for name in names}
        ).execute_in_process(instance=self.instance, tags=TAGS, raise_on_error=False)
        events = result.get_asset_materialization_events()
        return [each.asset_key.to_user_string() for each in events if each.asset_key]

    def settle(self) -> list[list[str]]:
        """Ticks and runs until a tick requests nothing: what each run made."""
        made = []
        while requested := self.tick():
            made.append(self.run(requested))
            assert len(made) < 10
        return made


@pytest.fixture
def world() -> Iterator[World]:
    """Three sources that were ingested and evaluated, and a daemon that has seen it."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield running(instance)


def running(instance: dg.DagsterInstance) -> World:
    made = World(instance)
    made.add("a", "b", "c")
    for name in "abc":
        made.ingest(name, tags=BY_HAND)
    made.start("everything")
    made.look("a b c")
    assert made.tick() == set()
    return made


def test_what_was_there_before_it_was_switched_on_is_not_made_again(world: World) -> None:
    assert world.tick() == set()


def test_a_change_is_followed_by_one_run_from_the_corpus_to_the_report(world: World) -> None:
    world.ingest("a", "units", rows="new")
    assert world.settle() == [CHAIN]
    assert world.settle() == []

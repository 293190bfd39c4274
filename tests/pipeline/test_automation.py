"""What follows a refresh by itself, tick by tick with real runs: one test an incident that a clause prevents.

The graph and its conditions are the product's; what its assets do is not, and takes no time here.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

from assets.common import sources
from assets.pairs import TYPES
from common.hashing import digest
from pipeline import definitions
from pipeline.automation import TAGS
from pipeline.jobs import JOBS

ORIGIN = RemoteJobOrigin(
    RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("test"), "__repository__"), "ingest"
)
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

    def run(self, names: set[str], *, tags: Mapping[str, str] = TAGS) -> list[str]:
        """The run that the daemon starts for what it requested: what it made, in order."""
        keys = [dg.AssetKey(name.split("/")) for name in names]
        job = self.definitions.resolve_implicit_job_def_def_for_assets(keys)
        assert job is not None
        result = job.execute_in_process(
            instance=self.instance, asset_selection=keys, tags=dict(tags), raise_on_error=False
        )
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
    """Two sources that were ingested and evaluated, and a daemon that has seen it."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield settled(instance)


def settled(instance: dg.DagsterInstance, *, trained: bool = True) -> World:
    made = World(instance)
    made.add("a", "b")
    for name in "ab":
        made.ingest(name, tags=BY_HAND)
    if trained:
        made.start("train_curriculum")
    made.look("a b")
    assert made.tick() == set()  # nothing of what was there before it was switched on
    return made


# --- One run a change -----------------------------------------------------------------------------


def test_a_change_is_followed_by_one_run_from_the_corpus_to_the_report(world: World) -> None:
    world.ingest("a", "units", "doc_pairs", rows="new")
    assert world.settle() == [CHAIN]


def test_ticks_in_the_midst_of_a_run_do_not_ask_for_another(world: World) -> None:
    asked: dict[str, set[str]] = {}
    world.ingest("a", "units", "doc_pairs", rows="new")
    requested = world.tick()
    assert world.tick() == set()
    world.during = lambda step: asked.update({step: world.tick()})
    assert world.run(requested) == CHAIN
    assert asked == {step: set() for step in CHAIN}
    assert world.settle() == []


def test_two_sources_that_changed_are_followed_by_one_run(world: World) -> None:
    world.ingest("a", "units", rows="new")
    world.ingest("b", "units", rows="new")
    assert world.settle() == [CHAIN]


def test_a_source_that_is_new_is_followed_by_one_run(world: World) -> None:
    world.add("c")
    world.ingest("c")
    assert world.settle() == [CHAIN]


def test_rows_that_no_evaluation_asks_about_cost_no_evaluation(world: World) -> None:
    world.start("evaluate")
    world.ingest("a", "readme_pairs", rows="new")
    assert world.settle() == [["corpus", "promotion", "report"]]


def test_a_commit_that_changes_no_row_is_followed_by_nothing(world: World) -> None:
    world.ingest("a", "repos", "files", rows="new")
    assert world.settle() == []


def test_what_a_person_makes_is_followed_by_nothing(world: World) -> None:
    world.ingest("a", "units", rows="new", tags=BY_HAND)
    world.start("refresh_corpus")
    assert world.settle() == []


# --- Nothing from what is being made --------------------------------------------------------------


def test_the_corpus_waits_until_the_last_source_is_done(world: World) -> None:
    asked: dict[str, set[str]] = {}
    world.ingest("a", "units", "doc_pairs", rows="new")
    # The tables that eval_queries asks for are there before the last ones of the source are.
    steps = ("repos", *(f"{kind}_pairs" for kind in TYPES))
    world.during = lambda step: asked.update({step: world.tick()} if step in steps else {})
    world.ingest("b", "units", "doc_pairs", rows="new")
    world.during = lambda _: None
    assert asked == {step: set() for step in steps}
    assert world.settle() == [CHAIN]


def test_the_corpus_waits_for_sources_in_the_queue(world: World) -> None:
    world.ingest("a", "units", rows="new")
    queued = world.instance.create_run_for_job(
        world.definitions.resolve_job_def("ingest"),
        status=dg.DagsterRunStatus.QUEUED,
        remote_job_origin=ORIGIN,
        tags={**TAGS, "dagster/partition": "b"},
    )
    assert world.tick() == set()
    world.instance.report_run_canceled(queued)
    assert world.settle() == [CHAIN]


def test_a_change_during_the_run_is_followed_once_that_is_over(world: World) -> None:
    asked: list[set[str]] = []

    def change(step: str) -> None:
        if step == "metrics":
            world.during = lambda _: None
            world.ingest("b", "units", rows="new")
            asked.append(world.tick())

    world.ingest("a", "units", rows="new")
    world.during = change
    assert world.settle() == [CHAIN, CHAIN]
    assert asked == [set()]


def test_metrics_wait_for_a_model_that_is_being_trained(world: World) -> None:
    asked: list[set[str]] = []
    world.ingest("a", "units", rows="new")
    world.during = lambda _: asked.append(world.tick())
    world.start("train_curriculum")
    world.during = lambda _: None
    assert set().union(*asked) == set()
    assert world.settle() == [CHAIN]


# --- No storm ---------------------------------------------------------------------------------------


def test_what_failed_is_tried_again_with_the_next_look_and_not_before(world: World) -> None:
    world.broken = {"metrics"}
    world.ingest("a", "units", rows="new")
    assert world.settle() == [["corpus", "eval_queries"]]
    world.look("a b")
    assert world.settle() == [[]]
    world.broken = set()
    world.look("a b")
    assert world.settle() == [["metrics", "promotion", "report"]]
    world.look("a b")
    assert world.settle() == []


def test_a_source_that_fails_is_followed_by_nothing(world: World) -> None:
    world.broken = {"files"}
    world.ingest("a", "units", rows="new")
    assert world.settle() == []


# --- The manifest, the clock, and training ----------------------------------------------------------


def test_a_source_that_left_the_manifest_leaves_corpus_and_evaluation(world: World) -> None:
    world.look("a")
    [made] = world.settle()
    assert sorted(made) == sorted(["codesearchnet_pairs", *CHAIN])


def test_a_look_that_found_the_same_sources_is_followed_by_nothing(world: World) -> None:
    world.look("a b")
    assert world.settle() == []


def test_a_clock_that_steps_back_neither_repeats_nor_loses_a_change(world: World) -> None:
    world.ingest("a", "units", rows="new")
    assert world.settle() == [CHAIN]
    world.now = datetime.now(UTC) - timedelta(days=1)
    assert world.settle() == []
    world.ingest("b", "units", rows="new")
    assert world.settle() == [CHAIN]
    world.now = None
    assert world.settle() == []


def test_without_a_model_there_is_a_corpus_and_no_evaluation_that_fails() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        world = settled(instance, trained=False)
        world.ingest("a", "units", rows="new")
        assert world.settle() == [["corpus", "eval_queries"]]


@pytest.fixture
def _train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "automation.yaml").write_text("train: true\n", encoding="utf-8")
    monkeypatch.setenv("PROVENDER_AUTOMATION", str(tmp_path / "automation.yaml"))


@pytest.mark.usefixtures("_train")
def test_a_stage_that_somebody_trains_is_awaited_before_the_next_corpus() -> None:
    asked: list[set[str]] = []
    with dg.DagsterInstance.ephemeral() as instance:
        world = settled(instance)
        world.ingest("a", "units", rows="new")
        world.during = lambda _: asked.append(world.tick())
        world.run({"stage_general"}, tags=BY_HAND)
        world.during = lambda _: None
        assert asked == [set()]
        [made] = world.settle()
    assert set(CHAIN) < set(made)


@pytest.mark.usefixtures("_train")
def test_a_corpus_is_trained_on_where_the_config_says_so() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        world = settled(instance)
        world.ingest("a", "units", rows="new")
        [made] = world.settle()
    assert set(CHAIN) < set(made)
    training = ["corpus", "hard_negatives/general", "stage_general", "model", "metrics", "report"]
    assert [name for name in made if name in training] == training

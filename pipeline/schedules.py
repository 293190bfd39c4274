"""`weekly_refresh`: asks every source's remote what it names now, and ingests those that moved.

It asks by `git ls-remote`, all at once; nothing is fetched by the schedule itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from assets import repos
from assets.common import markdown_table
from common.errors import ProvenderError
from common.hashing import digest
from corpus import schema
from corpus.snapshots import current_revision
from corpus.sources import Repository
from pipeline.automation import TAGS
from pipeline.jobs import INGEST
from pipeline.partitions import keep_in_step
from resources.automation import load_automation
from resources.lake import Lake
from resources.project import Project

PATIENCE_S = 40.0
"""Dagster gives a schedule 60 s to answer. Who is silent until then is named, and asked again next time."""
_AT_ONCE = 16
_PARTITION = "dagster/partition"
_UNDER_WAY = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_ENDED_BADLY = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@dataclass(frozen=True)
class Head:
    """A source as it was found.

    Attributes:
        source: its name.
        revision: what its remote names now; empty where that could not be found out.
        fault: why not.
        reason: why it is ingested; empty where it is not.
        note: why it is not.
    """

    source: str
    revision: str = ""
    fault: str = ""
    reason: str = ""
    note: str = ""


def revisions(
    sources: Sequence[Repository], cache: Path, patience_s: float = PATIENCE_S
) -> dict[str, str | ProvenderError]:
    """What each of `sources` is at now, or why that cannot be told; one never keeps another from it."""
    pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="head")
    asked: dict[str, Future[str]] = {
        source.name: pool.submit(current_revision, source, cache) for source in sources
    }
    wait(asked.values(), timeout=patience_s)
    # A thread that still waits for a host ends by git's own time limits.
    pool.shutdown(wait=False, cancel_futures=True)
    return {name: _answer(name, future, patience_s) for name, future in asked.items()}


def _answer(name: str, future: Future[str], patience_s: float) -> str | ProvenderError:
    if not future.done() or future.cancelled():
        return ProvenderError(
            f"Its remote did not answer within {patience_s:g} s.",
            where=f"source {name}",
            remedy="Check the network; it is asked again next time.",
            passing=True,
        )
    fault = future.exception()
    if fault is None:
        return future.result()
    if isinstance(fault, ProvenderError):
        return fault
    return ProvenderError(
        f"It cannot be asked: {type(fault).__name__}: {fault}.",
        where=f"source {name}",
        remedy="Run `provender refresh`, which tells more, and report it.",
    )


def look(instance: dg.DagsterInstance, lake: Lake, project: Project) -> list[Head]:
    """Every source of the manifest as it is now, and whether a run would change anything.

    Raises:
        ProvenderError: a file of the configuration is wrong.
    """
    manifest, wishes = project.load_manifest(), project.load_optouts()
    found = revisions(manifest.repositories, lake.path("cache"))
    tombstones = lake.read_every(repos.TOMBSTONES, schema.TOMBSTONES)
    under_way = {
        run.tags.get(_PARTITION) for run in instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY))
    }
    heads = []
    for source in manifest.repositories:
        name, revision = source.name, found[source.name]
        if isinstance(revision, ProvenderError):
            heads.append(Head(name, fault=str(revision)))
        elif name in under_way:
            heads.append(Head(name, revision, note="a run of it is under way"))
        else:
            reason = repos.stale(lake, source, revision, wishes, tombstones)
            reason = reason or _unfinished(instance, name)
            if not reason:
                repos.seen(lake, name)
            heads.append(Head(name, revision, reason=reason, note="" if reason else "unchanged"))
    return heads


def _unfinished(instance: dg.DagsterInstance, name: str) -> str:
    """Why a source whose snapshot is of today has to be gone through again; empty if it has not."""
    last = instance.get_runs(dg.RunsFilter(tags={_PARTITION: name}), limit=1)
    return "its last run did not end well" if last and last[0].status in _ENDED_BADLY else ""


def record(instance: dg.DagsterInstance, heads: Iterable[Head], splits: Mapping[str, str]) -> None:
    """Write down in Dagster, as the asset `heads`, that and how the sources were found."""
    rows = [(each.source, each.revision, each.reason or each.note or each.fault) for each in heads]
    instance.report_runless_asset_event(
        dg.AssetMaterialization(
            "heads",
            metadata={
                "sources": dg.MetadataValue.md(markdown_table(("source", "is at", ""), rows)),
                "to_ingest": sum(bool(each.reason) for each in heads),
                "not_reached": sum(bool(each.fault) for each in heads),
            },
            # Of what the corpus takes from the manifest itself; where each source is, `repos` knows.
            tags={"dagster/data_version": digest(sorted(splits.items()))},
        )
    )


_settings = load_automation()


@dg.schedule(
    job=INGEST,
    name="weekly_refresh",
    cron_schedule=_settings.cron,
    execution_timezone=_settings.timezone,
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Asks every source what it is at now, without fetching, and ingests those that moved. What "
    "follows, `follow_changes` starts. This is the one switch of both.",
)
def weekly_refresh(
    context: dg.ScheduleEvaluationContext, lake: Lake, project: Project
) -> list[dg.RunRequest] | dg.SkipReason:
    """A run of `ingest` for each source that is to be gone through."""
    instance = context.instance
    try:
        manifest = project.load_manifest()
        splits = project.load_splits(manifest)
        heads = look(instance, lake, project)
    except ProvenderError as error:
        context.log.error(str(error))
        return dg.SkipReason(str(error))
    keep_in_step(instance, manifest)
    record(instance, heads, splits)
    faults = [each.fault for each in heads if each.fault]
    for fault in faults:
        context.log.error(fault)
    for each in heads:
        context.log.info(f"{each.source}: {each.reason or each.note or 'not reached'}")
    requests = [
        dg.RunRequest(
            run_key=each.source,
            partition_key=each.source,
            tags={**TAGS, "provender/reason": each.reason},
        )
        for each in heads
        if each.reason
    ]
    return requests or dg.SkipReason("; ".join([_nothing_to_do(heads), *faults]))


def _nothing_to_do(heads: Sequence[Head]) -> str:
    notes = {
        note: sum(each.note == note for each in heads) for note in {h.note for h in heads} - {""}
    }
    return (
        ", ".join(f"{count} × {note}" for note, count in sorted(notes.items()))
        or "No source answered"
    )

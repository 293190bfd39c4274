"""Sensors that start no runs: partitions follow the manifest, and a run that failed says what to do."""

from __future__ import annotations

import dagster as dg

from assets.common import sources
from common.errors import ProvenderError
from pipeline.partitions import differences, limit_pools
from pipeline.running import fault
from resources.project import Project


@dg.sensor(
    name="manifest",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Gives every source of the manifest its partition, and takes it from those that left. What "
    "is new is ingested by the weekly refresh, or by hand; what left leaves the corpus when that is made.",
)
def follow_manifest(
    context: dg.SensorEvaluationContext, project: Project
) -> dg.SensorResult | dg.SkipReason:
    """The partitions to add and to remove; none while the manifest cannot be read."""
    limit_pools(context.instance)
    try:
        added, removed = differences(context.instance, project.load_manifest())
    except ProvenderError as error:
        # Half written, maybe: the partitions stay as they are.
        return dg.SkipReason(str(error))
    if not added and not removed:
        return dg.SkipReason("The partitions are those of the manifest.")
    context.log.info(
        f"added: {', '.join(added) or 'none'}; removed: {', '.join(removed) or 'none'}"
    )
    requests = [
        *([sources.build_add_request(added)] if added else []),
        *([sources.build_delete_request(removed)] if removed else []),
    ]
    return dg.SensorResult(dynamic_partitions_requests=requests)


@dg.run_failure_sensor(
    name="failures",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Writes what failed, and what to do about it, as the last line of a failed run's log.",
)
def tell_failures(context: dg.RunFailureSensorContext) -> None:
    """One line a failed run, in its log and in this sensor's."""
    run = context.dagster_run
    said = [text for event in context.get_step_failure_events() if (text := fault(event))]
    what = run.tags.get("dagster/partition") or run.job_name
    # A step that fails says why; a process that was killed, or ran out of memory or time, cannot.
    text = "; ".join(said) or (
        f"{context.failure_event.message or 'Its process ended without a word.'} Every table is whole or as "
        "it was: run it again (Re-execute → From failure). Should it end so again, it lacks memory or time."
    )
    context.log.error(f"{what}: {text}")
    context.instance.report_engine_event(f"What to do about {what}: {text}", run)

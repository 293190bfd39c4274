"""What is made again by itself after the weekly refresh, and when not: one condition, clause by clause.

Asset checks and jobs do not belong here; when sources are looked at is `pipeline.schedules`.
"""

from __future__ import annotations

from datetime import timedelta
from functools import reduce
from operator import or_

import dagster as dg

from assets.checkpoints import (
    CONFIGURED,
    EXPERTS,
    MERGED,
    OF_EXPERTS,
    key_of_negatives,
    place_of_expert,
    place_of_stage,
)
from pipeline.jobs import within
from resources.automation import Automation, load_automation

C = dg.AutomationCondition

TAGS = {"provender/automation": "weekly"}
"""Of every run that nobody asked for: what the schedule starts, and what follows from it."""

_OF_MANIFEST = ("codesearchnet_pairs", "corpus", "eval_queries")
"""Assets that another list of sources or other splits change, though no table before them does."""

_EVALUATED = (*_OF_MANIFEST, "metrics", "promotion", "report")


def followers(settings: Automation) -> set[dg.AssetKey]:
    """The assets that are made again where something before them changed; of training, if it is asked for."""
    keys = [dg.AssetKey(name) for name in _EVALUATED]
    if settings.train:
        trained = EXPERTS if OF_EXPERTS else CONFIGURED
        place = place_of_expert if OF_EXPERTS else place_of_stage
        keys += [dg.AssetKey("model")]
        keys += [dg.AssetKey(place(name)[-1]) for name in trained]
        keys += [key_of_negatives(name, expert=OF_EXPERTS) for name in trained]
        keys += [dg.AssetKey(MERGED[-1])] if OF_EXPERTS else []
        if any(recipe.dataset for recipe in trained.values()):
            keys += [dg.AssetKey("datasets")]
    return set(keys)


def follows(key: dg.AssetKey, settings: Automation) -> dg.AutomationCondition:
    """When the asset `key` is made again."""
    cause = C.any_deps_match(
        # The same rows made anew, as after a commit that touched no code, start nothing.
        C.data_version_changed()
        # Nor does what a person materializes, or `provender refresh`: who works, knows what to run next.
        & C.any_new_update_has_run_tags(tag_values=TAGS)
        # Nor what this asset's own run makes on its way to it: that would be one more run, after the run.
        & ~C.executed_with_root_target()
    )
    # One run from corpus to report, in order. Each waiting for the one before would be decided upon twice:
    # promotion after the corpus, and again after the metrics.
    cause |= C.any_deps_match(C.will_be_requested())
    # What failed is tried once more a week later, not at every tick.
    cause |= C.execution_failed() & C.asset_matches("heads", C.newly_updated())
    if key.to_user_string() in _OF_MANIFEST:
        # A source that left the manifest leaves the corpus, too, though no table changed.
        cause |= C.asset_matches("heads", C.data_version_changed())
    # One request a change, however many ticks see it, and none for what was there before it was switched on.
    # A change that the first tick after a request sees is another one: without `~cause` it would be lost.
    pending = cause.since((C.newly_requested() | C.initial_evaluation()) & ~cause)
    # A hundred sources that moved are one corpus, not a hundred. What depends on few of their tables waits
    # for all of them: it would go first, and what comes after it and others twice.
    sources = C.asset_matches("corpus", C.any_deps_in_progress())
    # A change in the midst of a run is one more run after it, and a model is evaluated once it is trained.
    awaited = sorted({*followers(settings), dg.AssetKey("model")})
    making = reduce(or_, (C.asset_matches(each, C.in_progress()) for each in awaited))
    ready = ~sources & ~making
    if key.to_user_string() not in _OF_MANIFEST:
        # Where nobody has trained yet there is no model to evaluate, and no failed run every week to tell it.
        # Corpus and queries ask nothing of the kind: one source in a hundred always lacks its tables.
        ready &= ~C.any_deps_missing()
    return pending & ready


def automated(spec: dg.AssetSpec) -> dg.AssetSpec:
    """`spec` with the condition under which it is made again, and with how old it may become."""
    settings = load_automation()
    if spec.key == dg.AssetKey("heads"):
        overdue = dg.FreshnessPolicy.time_window(timedelta(days=settings.overdue_days))
        return spec.replace_attributes(freshness_policy=overdue)
    if spec.key in followers(settings):
        return spec.replace_attributes(automation_condition=follows(spec.key, settings))
    return spec


# Running from the start, as it asks for nothing until the schedule is switched on: there is one switch.
follow_changes = dg.AutomationConditionSensorDefinition(
    "follow_changes",
    target=dg.AssetSelection.all(),
    default_status=dg.DefaultSensorStatus.RUNNING,
    run_tags={**TAGS, **within(days=4)},
    description="After sources changed, makes corpus, queries, metrics, promotion and report in one run.",
)

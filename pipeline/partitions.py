"""What a Dagster instance holds for this code location: a partition a source, and the limits of the pools.

A sensor keeps both as they should be; `provender` does so itself, as it needs no daemon.
"""

from __future__ import annotations

import dagster as dg

from assets.common import GIT, GPU, sources
from corpus.sources import Manifest

POOLS = {GIT: 4, GPU: 1}
"""Runs at once that ask remote hosts, and that want the accelerator, where nobody has set other limits."""


def differences(instance: dg.DagsterInstance, manifest: Manifest) -> tuple[list[str], list[str]]:
    """The sources of `manifest` that have no partition, in its order, and the partitions of none."""
    there = instance.get_dynamic_partitions(_name())
    wanted = [source.name for source in manifest.repositories]
    return [each for each in wanted if each not in there], sorted(set(there) - set(wanted))


def keep_in_step(instance: dg.DagsterInstance, manifest: Manifest) -> None:
    """Add and remove partitions as `manifest` says. What was made of a removed source stays in the lake."""
    added, removed = differences(instance, manifest)
    if added:
        instance.add_dynamic_partitions(_name(), added)
    for name in removed:
        instance.delete_dynamic_partition(_name(), name)


def limit_pools(instance: dg.DagsterInstance) -> None:
    """Set the limit of each pool that has none of an operator's."""
    known = {
        each.name for each in instance.event_log_storage.get_pool_limits() if not each.from_default
    }
    for name, limit in POOLS.items():
        if name not in known:
            instance.event_log_storage.set_concurrency_slots(name, limit)


def _name() -> str:
    assert sources.name is not None
    return sources.name

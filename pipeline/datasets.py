"""The named data sets, one Dagster run for each that is not what it should be, and the table of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from common.errors import ProvenderError
from corpus.datasets import NOTHING, out_of_reach
from pipeline.running import changed, failures, run
from resources.lake import Lake
from resources.project import Project
from resources.tracking import Tracking

if TYPE_CHECKING:
    import dagster as dg
    from rich.console import Console


@dataclass(frozen=True)
class Made:
    """What became of one data set. `pairs` is null where it has none of today, and `why` says why.

    It is `empty` where its filter selects nothing and never did: of these sources there are no such pairs.
    """

    name: str
    state: Literal["made", "unchanged", "skipped", "empty", "failed"]
    pairs: int | None = None
    why: str = ""
    changed: int = 0


def chosen_names(wanted: Sequence[str]) -> list[str]:
    """`wanted`, or every data set, in the order of the file.

    Raises:
        ProvenderError: one of them is unknown.
    """
    known = Project().load_datasets()
    for name in wanted:
        known.named(name)
    return [name for name in known.datasets if name in wanted or not wanted]


def make(names: Sequence[str], told: Callable[[Made], None] = lambda _: None) -> list[Made]:
    """Make each of `names`; `told` hears of each when it is done. One's failure never stops the others.

    Raises:
        ProvenderError: there is no corpus to make them from.
    """
    import dagster as dg

    from assets.corpus import SPLITS, place_of

    lake = Lake()
    if not all(lake.exists(*place_of(split)) for split in SPLITS):
        raise ProvenderError(
            "There is no corpus to make data sets from.",
            where=lake.uri("corpus"),
            remedy="Run `provender refresh` first.",
        )
    found = []
    with dg.DagsterInstance.get() as instance:
        recorded = instance.get_materialized_partitions(dg.AssetKey("datasets"))
        for name in names:
            found.append(_unchanged(lake, name, recorded) or _run(instance, lake, name))
            told(found[-1])
    return found


def _unchanged(lake: Lake, name: str, recorded: set[str]) -> Made | None:
    """What is told of `name` if a run would change nothing: it costs half a second. Else null."""
    from assets.datasets import current, places_of

    project = Project()
    chosen, manifest = project.load_datasets().named(name), project.load_manifest()
    try:
        reason = out_of_reach(chosen, manifest)
    except ProvenderError as error:
        return Made(name, "failed", why=str(error))
    if reason:
        left = any(lake.exists(*place) for place in places_of(name))
        return None if left else Made(name, "skipped", why=reason)
    stored = current(lake, name, chosen, manifest.names)
    if stored is None or name not in recorded:
        return None
    tracked = Tracking(lake=lake).registered(name, stored.data_version)
    return Made(name, "unchanged", stored.rows) if tracked else None


def _run(instance: dg.DagsterInstance, lake: Lake, name: str) -> Made:
    from assets.datasets import place_of_set
    from pipeline.definitions import defs

    result = run(defs, "make_datasets", instance, partition=name)
    stored = lake.stored(*place_of_set(name))
    if found := failures(result):
        empty = f" {NOTHING}" in found[0] and stored is None
        return Made(name, "empty" if empty else "failed", why=found[0])
    if stored is None:
        [said] = result.get_asset_observation_events()
        reason = said.asset_observation_data.asset_observation.description
        return Made(name, "skipped", why=reason or "", changed=1)
    work = changed(result)
    return Made(name, "made" if work else "unchanged", stored.rows, changed=work)


def print_made(console: Console, made: Sequence[Made], *, asked_for: bool) -> dict[str, str]:
    """Print each data set with its pairs and its files, and why one was left out.

    Returns:
        What failed, and why: an empty one, too, where somebody `asked_for` just these.
    """
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("data set", no_wrap=True)
    table.add_column("pairs", justify="right", no_wrap=True)
    table.add_column("files", no_wrap=True)
    table.add_column("")
    for each in made:
        files = f"datasets/{each.name}.*" if each.pairs is not None else "–"
        pairs = f"{each.pairs:,}" if each.pairs is not None else "–"
        table.add_row(each.name, pairs, files, each.state)
    console.print(table, highlight=False)
    faults = ("failed", "empty") if asked_for else ("failed",)
    for each in made:
        if each.why and each.state not in faults:
            console.print(f"{each.state} {each.name}: {each.why}", highlight=False, soft_wrap=True)
    return {f"datasets/{each.name}": each.why for each in made if each.state in faults}

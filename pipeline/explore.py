"""`provender pairs`: looking at the corpus. Samples, single pairs, what was dropped and why, the targets."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from common.errors import ProvenderError, hint
from common.hashing import digest
from pipeline import render

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console

    from resources.lake import Lake

_CANDIDATES = 10
_SHORTEST_PREFIX = 6
_NAMES = {"pair_type": "type", "query_kind": "kind", "license_tier": "tier"}
"""What the options call a column, where it is not the column's name."""
_APPLICABLE = {"--show": (), "--dropped": ("source", "pair_type", "language"), "--targets": ()}


@dataclass(frozen=True)
class Filters:
    """Values that columns of a pair must have; an empty one may be anything."""

    source: str = ""
    pair_type: str = ""
    query_kind: str = ""
    language: str = ""
    dialect: str = ""
    license_tier: str = ""
    split: str = ""
    domain: str = ""

    def given(self) -> dict[str, str]:
        """The filters that are set, by column."""
        return {column: value for column, value in vars(self).items() if value}


@dataclass(frozen=True)
class Asked:
    """What to show: one pair, the drops or the targets; a sample of the pairs that fit if none of them.

    `profile` names that of the targets; empty, it is the plan's.
    """

    filters: Filters
    count: int = 10
    seed: int = 0
    as_json: bool = False
    show: str | None = None
    dropped: bool = False
    reason: str = ""
    targets: bool = False
    profile: str = ""


def explore(asked: Asked) -> int:
    """Show what was asked for.

    Raises:
        ProvenderError: options that do not go together, an unknown value, or no corpus yet.
    """
    from resources.lake import Lake

    _check(asked)
    lake, console = Lake(), render.console()
    if asked.show is not None:
        _print_pair(lake, console, asked.show)
    elif asked.dropped:
        _print_drops(lake, console, asked)
    elif asked.targets:
        _print_targets(lake, console, asked.profile)
    else:
        _print_sample(lake, console, asked)
    return 0


def _check(asked: Asked) -> None:
    modes = {
        "--show": asked.show is not None,
        "--dropped": asked.dropped,
        "--targets": asked.targets,
    }
    chosen = [mode for mode, on in modes.items() if on]
    if asked.reason and not asked.dropped:
        raise ProvenderError(
            f"`{asked.reason}` is a reason without --dropped.",
            where="provender pairs",
            remedy=f"As `provender pairs --dropped {asked.reason}`.",
        )
    if asked.profile and not asked.targets:
        raise ProvenderError(
            "--profile is given without --targets.",
            where="provender pairs",
            remedy=f"As `provender pairs --targets --profile {asked.profile}`.",
        )
    if len(chosen) > 1:
        raise ProvenderError(
            f"{' and '.join(chosen)} do not go together.",
            where="provender pairs",
            remedy="Give one of them.",
        )
    for mode in chosen:
        idle = [
            _option(name) for name in asked.filters.given() if name not in _APPLICABLE[mode]
        ] + ["--json"] * asked.as_json
        if idle:
            raise ProvenderError(
                f"{', '.join(idle)} cannot be given with {mode}.",
                where="provender pairs",
                remedy="Leave it out.",
            )


def _option(column: str) -> str:
    return f"--{_NAMES.get(column, column)}"


def _corpus(lake: Lake) -> pl.LazyFrame:
    import polars as pl

    from assets.corpus import SPLITS, place_of

    places = [place_of(split) for split in SPLITS]
    if any(lake.stored(*place) is None for place in places):
        raise _no_corpus(lake)
    # `split` is a column of the tables, too.
    return pl.scan_parquet([lake.path(*place) for place in places], hive_partitioning=False)


def _no_corpus(lake: Lake) -> ProvenderError:
    return ProvenderError(
        "There is no corpus yet.",
        where=lake.uri("corpus"),
        remedy="Run `provender refresh` first, or name another lake with --lake.",
    )


def _fitting(frame: pl.LazyFrame, given: Mapping[str, str], what: str) -> pl.LazyFrame:
    """The rows of `frame` with the `given` values, each of which some row must have."""
    import polars as pl

    for column, value in given.items():
        values = frame.select(pl.col(column).drop_nulls().unique().sort()).collect()
        known = values.to_series().to_list()
        if value not in known:
            raise ProvenderError(
                f"no {what} has the {_NAMES.get(column, column)} `{value}`; {hint(value, known)}",
                where="provender pairs",
                remedy="Correct it.",
            )
    return frame.filter(**given)


def draw(pairs: pl.LazyFrame, count: int, seed: int) -> tuple[pl.DataFrame, int]:
    """`count` of `pairs` at random, and of how many. The same seed draws the same, in any order of rows.

    Memory holds the ids of all pairs, and the rest of those that are drawn.
    """
    import polars as pl

    ids = pairs.select(pl.col("pair_id").unique()).collect().to_series()
    drawn = _drawn(ids, count, seed)
    rows = (
        pairs.filter(pl.col("pair_id").is_in(drawn))
        .collect()
        .sort("source", "path", "start_line", "split")
        .unique("pair_id", keep="first", maintain_order=True)
    )
    order = pl.DataFrame({"pair_id": drawn}, schema={"pair_id": pl.String})
    return order.join(rows, on="pair_id", maintain_order="left"), ids.len()


def _drawn(ids: Iterable[str], count: int, seed: int) -> list[str]:
    return heapq.nsmallest(count, ids, key=lambda each: digest(seed, each))


def _found(lake: Lake, prefix: str) -> pl.DataFrame:
    """The rows of the one pair whose id begins with `prefix`: in the corpus, else in the pairs' tables."""
    import polars as pl

    begins = pl.col("pair_id").str.starts_with(prefix)
    rows = _corpus(lake).filter(begins).collect()
    if rows.is_empty():
        # Table by table: versions of Provender may have given them different columns.
        rows = pl.concat(
            [
                pl.scan_parquet(path, hive_partitioning=False).filter(begins).collect()
                for path in lake.every("pairs", "pair_type=*/source=*/data.parquet")
            ]
            or [rows],
            how="diagonal_relaxed",
        )
    ids = rows["pair_id"].unique().sort().to_list()
    if len(ids) > 1:
        more = f" … ({len(ids)} in all)" if len(ids) > _CANDIDATES else ""
        raise ProvenderError(
            f"`{prefix}` begins several ids: {', '.join(ids[:_CANDIDATES])}{more}.",
            where="provender pairs --show",
            remedy="Give more of it.",
        )
    if not ids:
        raise ProvenderError(
            f"No pair has an id that begins with `{prefix}`.",
            where="provender pairs --show",
            remedy="`provender pairs` shows them.",
        )
    return rows.sort("source", "path", "start_line")


def _contracts(lake: Lake, pair: Mapping[str, Any]) -> list[dict[str, str]]:
    """The contracts of the pair's unit, where it is still in the lake."""
    import polars as pl

    from assets.common import of_source

    place = of_source("units", pair["source"])
    if lake.stored(*place) is None:
        return []
    units = (
        pl.scan_parquet(lake.path(*place), hive_partitioning=False)
        .filter(unit_id=pair["unit_id"])
        .select("contracts")
        .collect()
    )
    return units.item() if units.height == 1 else []


def _print_sample(lake: Lake, console: Console, asked: Asked) -> None:
    fitting = _fitting(_corpus(lake), asked.filters.given(), "pair")
    rows, total = draw(fitting, asked.count, asked.seed)
    for pair in rows.iter_rows(named=True):
        if asked.as_json:
            print(json.dumps(pair, ensure_ascii=False))
        else:
            render.print_pair(console, pair)
    if not asked.as_json:
        console.print(f"{rows.height:,} of {total:,} pairs" if total else "No pair fits.")


def _print_pair(lake: Lake, console: Console, prefix: str) -> None:
    from rich.table import Table

    if len(prefix) < _SHORTEST_PREFIX:
        raise ProvenderError(
            f"`{prefix}` is too short for an id.",
            where="provender pairs --show",
            remedy=f"Give at least {_SHORTEST_PREFIX} characters.",
        )
    rows = _found(lake, prefix.lower())
    pair, *others = rows.iter_rows(named=True)
    removed = _removed(lake).filter(pair_id=pair["pair_id"])
    if "split" not in pair and removed.is_empty():
        console.print(
            "Not in the corpus: it was dropped, or is newer than the corpus.", style="bold yellow"
        )
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name in (name for name in pair if name != "positive"):
        table.add_row(
            name, render.text(render.value(pair[name]), "bold" if name == "query" else "")
        )
    for contract in _contracts(lake, pair):
        table.add_row(contract["kind"], render.code(contract["text"], pair["language"], indent=0))
    for other in others:
        table.add_row("also at", render.text(render.place(other)))
    units = _units(lake, removed["kept"])
    for row in removed.iter_rows(named=True):
        table.add_row(
            "dropped", render.text(f"from {row['source']}: {_fate(row, units)}", "bold yellow")
        )
    console.print(table)
    console.print()
    console.print(render.code(pair["positive"], pair["language"], indent=0))


def _removed(lake: Lake) -> pl.DataFrame:
    """The single pairs that are not in the corpus; none where its build did not note them."""
    from assets.corpus import REMOVED
    from corpus import schema

    frame = lake.read_if_there(*REMOVED, schema=schema.REMOVED)
    return schema.empty(schema.REMOVED) if frame is None else frame


def _units(lake: Lake, ids: Iterable[str]) -> dict[str, str]:
    """The places and symbols of those of `ids` that are units in the lake."""
    import polars as pl

    wanted = sorted(set(ids) - {""})
    if not wanted:
        return {}
    columns = ["unit_id", "source", "path", "start_line", "end_line", "symbol"]
    found = [
        pl.scan_parquet(path, hive_partitioning=False)
        .filter(pl.col("unit_id").is_in(wanted))
        .select(columns)
        for path in lake.every("units", "source=*/data.parquet")
    ]
    rows = [row for frame in pl.collect_all(found) for row in frame.iter_rows(named=True)]
    return {row["unit_id"]: f"{render.place(row)} {row['symbol']}" for row in rows}


def _fate(row: Mapping[str, Any], units: Mapping[str, str]) -> str:
    """Why a pair was dropped, what it repeats, and how much of that it has."""
    repeats = f", repeats {units.get(row['kept'], row['kept'])}" if row["kept"] else ""
    alike = f" ({row['share']:.0%})" if row["share"] is not None else ""
    return f"{row['reason']}{repeats}{alike}"


def _print_removed(lake: Lake, console: Console, asked: Asked) -> None:
    """A sample of the single pairs that were dropped for a reason, as far as they are still in the lake."""
    import polars as pl

    from assets.pairs import pairs_of

    removed = _removed(lake).filter(**asked.filters.given(), reason=asked.reason)
    drawn = _drawn(removed["pair_id"].unique(), asked.count, asked.seed)
    # Several of the same query and code are one to look at.
    rows = removed.filter(pl.col("pair_id").is_in(drawn)).unique(
        "pair_id", keep="first", maintain_order=True
    )
    units = _units(lake, rows["kept"])
    for row in sorted(rows.to_dicts(), key=lambda row: drawn.index(row["pair_id"])):
        place = pairs_of(row["pair_type"], row["source"])
        if lake.stored(*place) is None:
            continue
        found = (
            pl.scan_parquet(lake.path(*place), hive_partitioning=False)
            .filter(pair_id=row["pair_id"])
            .head(1)
            .collect()
        )
        for pair in found.iter_rows(named=True):
            console.print()
            render.print_pair(console, pair, _fate(row, units))


def _print_drops(lake: Lake, console: Console, asked: Asked) -> None:
    import polars as pl
    from rich.columns import Columns
    from rich.table import Table

    from assets.corpus import DROPS

    if lake.stored(*DROPS) is None:
        raise _no_corpus(lake)
    wanted = asked.filters.given() | ({"reason": asked.reason} if asked.reason else {})
    drops = _fitting(lake.read(*DROPS).lazy(), wanted, "dropped pair").collect()
    key = "source" if asked.reason else "reason"
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(key, no_wrap=True)
    table.add_column("pairs", justify="right")
    table.add_column("by type", ratio=2)
    table.add_column("by language", ratio=3)
    for value, count in _counted(drops, key):
        part = drops.filter(pl.col(key) == value)
        told = (
            Columns([f"{name} {pairs:,}" for name, pairs in _counted(part, column)], padding=(0, 2))
            for column in ("pair_type", "language")
        )
        table.add_row(value, f"{count:,}", *told)
    if table.row_count:
        console.print(table)
    console.print(f"{drops['pairs'].sum():,} pairs dropped")
    if asked.reason:
        _print_removed(lake, console, asked)


def _counted(drops: pl.DataFrame, column: str) -> Iterable[tuple[str, int]]:
    """The values of `column` with their dropped pairs, most first."""
    import polars as pl

    summed = drops.group_by(column).agg(pl.col("pairs").sum())
    return summed.sort("pairs", column, descending=[True, False]).iter_rows()


def _print_targets(lake: Lake, console: Console, profile: str) -> None:
    from rich.table import Table

    from corpus.targets import FIGURES, PLAN, measure
    from resources.project import Project

    profile = profile or PLAN
    targets = measure(_corpus(lake), Project().load_targets().named(profile))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "target", "measured", profile, "unit"):
        table.add_column(column, justify="right" if column == "measured" else "left")
    for target in targets:
        mark = "[green]✓[/]" if target.passed else "[red]✗[/]"
        bounds = "–" if target.bounds is None else str(target.bounds)
        unit = FIGURES[target.name].unit
        table.add_row(mark, target.name, render.number(target.measured), bounds, unit)
    console.print(table)
    met = sum(target.passed for target in targets)
    console.print(f"{met} of {len(targets)} met, over the train split")

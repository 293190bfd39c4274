"""`provender pairs`: looking at the corpus. Samples, single pairs, what was dropped, the plan's targets."""

from __future__ import annotations

import heapq
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from common.errors import ProvenderError, hint
from common.hashing import digest

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console, RenderableType
    from rich.text import Text

    from corpus.targets import Target
    from resources.lake import Lake

_WIDTH = 100
"""Columns of what goes into a file or a pipe."""
_LINES = 25
_CANDIDATES = 10
_SHORTEST_PREFIX = 6
_LEXERS = {"lean": "lean4", "smtlib": "common-lisp"}
"""Pygments' names, where they are not the language's."""
_UNPRINTABLE = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160)), "�")
"""Control characters: a repository's text must not steer the reader's terminal."""

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
    """What to show: one pair, the drops or the targets; a sample of the pairs that fit if none of them."""

    filters: Filters
    count: int = 10
    seed: int = 0
    as_json: bool = False
    show: str | None = None
    dropped: bool = False
    reason: str = ""
    targets: bool = False


def explore(asked: Asked) -> int:
    """Show what was asked for.

    Raises:
        ProvenderError: options that do not go together, an unknown value, or no corpus yet.
    """
    from resources.lake import Lake

    _check(asked)
    lake, console = Lake(), _console()
    if asked.show is not None:
        _print_pair(lake, console, asked.show)
    elif asked.dropped:
        _print_drops(lake, console, asked.filters.given(), asked.reason)
    elif asked.targets:
        _print_targets(lake, console)
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
        where=str(lake.path("corpus")),
        remedy="Run `provender refresh` first, or name another lake with --lake.",
    )


def _fitting(frame: pl.LazyFrame, given: Mapping[str, str], what: str) -> pl.LazyFrame:
    """The rows of `frame` with the `given` values, each of which some row must have."""
    import polars as pl

    for column, value in given.items():
        values = frame.select(pl.col(column).drop_nulls().unique().sort()).collect()
        known = values.to_series().to_list()
        if value not in known:
            told = hint(value, known)
            raise ProvenderError(
                f"no {what} has the {_NAMES.get(column, column)} `{value}`; {told}"
                f"{'' if told.endswith('?') else '.'}",
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
    drawn = heapq.nsmallest(count, ids, key=lambda pair_id: digest(seed, pair_id))
    rows = (
        pairs.filter(pl.col("pair_id").is_in(drawn))
        .collect()
        .sort("source", "path", "start_line", "split")
        .unique("pair_id", keep="first", maintain_order=True)
    )
    order = pl.DataFrame({"pair_id": drawn}, schema={"pair_id": pl.String})
    return order.join(rows, on="pair_id", maintain_order="left"), ids.len()


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
                for path in sorted(lake.path("pairs").glob("pair_type=*/source=*/data.parquet"))
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
            _print_short(console, pair)
    if not asked.as_json:
        console.print(f"{rows.height:,} of {total:,} pairs" if total else "No pair fits.")


def _print_short(console: Console, pair: Mapping[str, Any]) -> None:
    from rich.text import Text

    kinds = (
        *(pair["language"], pair["dialect"], pair["pair_type"], pair["query_kind"]),
        *(pair["license"] or "no licence", pair["split"], f"weight {pair['weight']:g}"),
    )
    console.print(Text(pair["pair_id"], "dim"))
    console.print(_text(pair["query"], "bold"))
    console.print(_text(f"{_place(pair)}  {pair['symbol']}", "cyan"))
    console.print(_text(" · ".join(filter(None, kinds)), "dim"))
    lines = pair["positive"].splitlines()
    console.print(_code("\n".join(lines[:_LINES]), pair["language"]))
    if len(lines) > _LINES:
        console.print(Text(f"  … {len(lines) - _LINES} more lines", "dim"))
    console.print()


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
    if "split" not in pair:
        console.print(
            "Not in the corpus: it was dropped, or is newer than the corpus.", style="bold yellow"
        )
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name in (name for name in pair if name != "positive"):
        table.add_row(name, _text(_value(pair[name]), "bold" if name == "query" else ""))
    for contract in _contracts(lake, pair):
        table.add_row(contract["kind"], _code(contract["text"], pair["language"], indent=0))
    for other in others:
        table.add_row("also at", _text(_place(other)))
    console.print(table)
    console.print()
    console.print(_code(pair["positive"], pair["language"], indent=0))


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return "–" if value in (None, "") else str(value)


def _print_drops(lake: Lake, console: Console, given: dict[str, str], reason: str) -> None:
    import polars as pl
    from rich.columns import Columns
    from rich.table import Table

    from assets.corpus import DROPS

    if lake.stored(*DROPS) is None:
        raise _no_corpus(lake)
    wanted = given | ({"reason": reason} if reason else {})
    drops = _fitting(lake.read(*DROPS).lazy(), wanted, "dropped pair").collect()
    key = "source" if reason else "reason"
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


def _counted(drops: pl.DataFrame, column: str) -> Iterable[tuple[str, int]]:
    """The values of `column` with their dropped pairs, most first."""
    import polars as pl

    summed = drops.group_by(column).agg(pl.col("pairs").sum())
    return summed.sort("pairs", column, descending=[True, False]).iter_rows()


def _print_targets(lake: Lake, console: Console) -> None:
    from rich.table import Table

    from corpus.targets import measure

    targets = measure(_corpus(lake))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "target", "measured", "plan", "unit"):
        table.add_column(column, justify="right" if column == "measured" else "left")
    for target in targets:
        mark = "[green]✓[/]" if target.passed else "[red]✗[/]"
        table.add_row(mark, target.name, _number(target.measured), _bounds(target), target.unit)
    console.print(table)
    met = sum(target.passed for target in targets)
    console.print(f"{met} of {len(targets)} met, over the train split")


def _bounds(target: Target) -> str:
    if target.high is None:
        return f"≥ {_number(target.low)}"
    return f"{_number(target.low)} – {_number(target.high)}"


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def _place(pair: Mapping[str, Any]) -> str:
    return f"{pair['source']} {pair['path']}:{pair['start_line']}-{pair['end_line']}"


def _text(text: str, style: str = "") -> Text:
    """`text` as it stands: brackets are no markup."""
    from rich.text import Text

    return Text(text.translate(_UNPRINTABLE), style, overflow="fold")


def _code(code: str, language: str, *, indent: int = 2) -> RenderableType:
    from rich.padding import Padding
    from rich.syntax import Syntax

    syntax = Syntax(
        code.translate(_UNPRINTABLE),
        _LEXERS.get(language, language),
        theme="ansi_dark",
        background_color="default",
        word_wrap=True,
    )
    return Padding(syntax, (0, 0, 0, indent))


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)

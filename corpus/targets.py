"""What the plan wants of the corpus, and how much of it is there. The bounds are `PLAN`.

Everything is measured over the train split: held-out pairs teach nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import polars as pl

from corpus.facts import DIALECTS
from corpus.files import FORMAL_LANGUAGES


@dataclass(frozen=True)
class Bounds:
    """What a figure is to be: at least `low`, at most `high` where there is one, both inclusive."""

    low: float
    high: float | None
    unit: str


PLAN: Mapping[str, Bounds] = MappingProxyType(
    {
        "pairs": Bounds(100_000, 200_000, "pairs"),
        "Rust": Bounds(50_000, None, "pairs"),
        "formal": Bounds(5_000, None, "pairs"),
        "TLA+ tooling": Bounds(1_000, None, "pairs"),
        "verification": Bounds(2_000, None, "pairs"),
        "languages": Bounds(4, None, "languages"),
        "mean query": Bounds(20, 100, "characters"),
        "mean code": Bounds(100, 2_000, "characters"),
    }
)
"""The plan's figures by name. Six languages are planned; fewer than four would be a failure.

`formal` is Lean, TLA+, SMT-LIB and the dialects of Rust; `verification` the dialects alone; `TLA+
tooling` the Java of sources whose name begins with `tlaplus`.
"""

_VERIFIED = pl.col("dialect").is_in(DIALECTS).fill_null(value=False)
_MEASURES: Mapping[str, pl.Expr] = MappingProxyType(
    {
        "pairs": pl.len(),
        "Rust": (pl.col("language") == "rust").sum(),
        "formal": (pl.col("language").is_in(sorted(FORMAL_LANGUAGES)) | _VERIFIED).sum(),
        "TLA+ tooling": (
            (pl.col("language") == "java") & pl.col("source").str.starts_with("tlaplus")
        ).sum(),
        "verification": _VERIFIED.sum(),
        "languages": pl.col("language").n_unique(),
        "mean query": pl.col("query").str.len_chars().mean().fill_null(0.0),
        "mean code": pl.col("positive").str.len_chars().mean().fill_null(0.0),
    }
)


@dataclass(frozen=True)
class Target:
    """A figure of the corpus beside the plan's bounds for it; a `high` of null is no bound."""

    name: str
    measured: float
    low: float
    high: float | None
    unit: str

    @property
    def passed(self) -> bool:
        """Whether the figure is within its bounds."""
        return self.low <= self.measured and (self.high is None or self.measured <= self.high)


def measure(corpus: pl.LazyFrame) -> list[Target]:
    """The figures of `PLAN`, in its order.

    Args:
        corpus: rows of `schema.CORPUS`, of any splits.
    """
    figures = (
        corpus.filter(pl.col("split") == "train")
        .select(**_MEASURES)
        .collect(engine="streaming")
        .row(0, named=True)
    )
    return [
        Target(name, figures[name], bounds.low, bounds.high, bounds.unit)
        for name, bounds in PLAN.items()
    ]

"""What the corpus is to be like, by profile (`config/targets.yaml`), and how much of it is there.

Everything is measured over the train split: held-out pairs teach nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Self

import polars as pl
from pydantic import Field, ValidationInfo, field_validator, model_validator

from common.config import Settings, load
from common.errors import ProvenderError, hint
from corpus.facts import DIALECTS
from corpus.files import FORMAL_LANGUAGES

PLAN = "plan"
"""The profile of what was planned; the others are of smaller manifests."""

_CONFIG = "config/targets.yaml"


class Bounds(Settings):
    """What a figure is to be, both ends inclusive."""

    at_least: int | float | None = None
    at_most: int | float | None = None

    @model_validator(mode="after")
    def _hold(self) -> Self:
        low, high = self.at_least, self.at_most
        if low is None and high is None:
            raise ValueError("give at_least or at_most")
        if low is not None and high is not None and low > high:
            raise ValueError("at_least is more than at_most")
        return self

    def met(self, value: float) -> bool:
        """Whether `value` is within the bounds."""
        return (self.at_least is None or self.at_least <= value) and (
            self.at_most is None or value <= self.at_most
        )

    def __str__(self) -> str:
        if self.at_most is None:
            return f"≥ {self.at_least:,}"
        if self.at_least is None:
            return f"≤ {self.at_most:,}"
        return f"{self.at_least:,} – {self.at_most:,}"


class Profile(Settings):
    """The bounds of each figure of `FIGURES`; one that is left out may be anything."""

    pairs: Bounds | None = None
    rust: Bounds | None = None
    formal: Bounds | None = None
    tlaplus_tooling: Bounds | None = None
    verification: Bounds | None = None
    languages: Bounds | None = None
    mean_query: Bounds | None = None
    mean_code: Bounds | None = None


class Targets(Settings):
    """The settings of `config/targets.yaml`."""

    profiles: Annotated[dict[str, Profile], Field(min_length=1)]
    profile: str = Field(description="the profile that is meant where none is named")

    @field_validator("profile")
    @classmethod
    def _is_there(cls, name: str, info: ValidationInfo) -> str:
        # Where the profiles are faulty themselves, that is said.
        known = info.data.get("profiles", [name])
        if name not in known:
            raise ValueError(_unknown(name, known))
        return name

    def named(self, name: str) -> Profile:
        """The profile `name`.

        Raises:
            ProvenderError: there is none.
        """
        if name not in self.profiles:
            raise ProvenderError(
                _unknown(name, self.profiles),
                where=_CONFIG,
                remedy="Correct the name (PROVENDER_PROFILE, --profile), or write the profile.",
            )
        return self.profiles[name]


def _unknown(name: str, known: Collection[str]) -> str:
    return f"unknown profile `{name}`; {hint(name, known, 'profiles')}"


def load_targets(path: Path) -> Targets:
    """Read the targets from `path`.

    Raises:
        ProvenderError: the file is missing, or a key or value in it is unknown.
    """
    return load(path, Targets)


@dataclass(frozen=True)
class Figure:
    """Something to measure of a corpus: what it counts, in which unit, and how."""

    text: str
    unit: str
    measure: pl.Expr


_VERIFIED = pl.col("dialect").is_in(DIALECTS).fill_null(value=False)
_FORMAL = pl.col("language").is_in(sorted(FORMAL_LANGUAGES)) | _VERIFIED
_TOOLING = (pl.col("language") == "java") & pl.col("source").str.starts_with("tlaplus")

FIGURES: Mapping[str, Figure] = MappingProxyType(
    {
        "pairs": Figure("pairs in all", "pairs", pl.len()),
        "rust": Figure("pairs of Rust", "pairs", (pl.col("language") == "rust").sum()),
        "formal": Figure(
            "pairs of Lean, TLA+, SMT-LIB and the verifiers of Rust", "pairs", _FORMAL.sum()
        ),
        "tlaplus_tooling": Figure(
            "pairs of Java from sources named `tlaplus…`", "pairs", _TOOLING.sum()
        ),
        "verification": Figure(
            "pairs of Kani, Verus, Prusti and Creusot", "pairs", _VERIFIED.sum()
        ),
        "languages": Figure(
            "languages that any pair is in", "languages", pl.col("language").n_unique()
        ),
        "mean_query": Figure(
            "mean length of the queries",
            "characters",
            pl.col("query").str.len_chars().mean().fill_null(0.0),
        ),
        "mean_code": Figure(
            "mean length of the code",
            "characters",
            pl.col("positive").str.len_chars().mean().fill_null(0.0),
        ),
    }
)
"""The figures by name, which is that of a setting of `Profile` and of an asset check."""


@dataclass(frozen=True)
class Target:
    """A figure of the corpus beside its bounds, which are null where it may be anything."""

    name: str
    measured: float
    bounds: Bounds | None

    @property
    def passed(self) -> bool:
        """Whether the figure is within its bounds."""
        return self.bounds is None or self.bounds.met(self.measured)


def measure(corpus: pl.LazyFrame, profile: Profile) -> list[Target]:
    """The figures of `FIGURES`, in its order, beside the bounds of `profile`.

    Args:
        corpus: rows of `schema.CORPUS`, of any splits.
        profile: what the figures are to be.
    """
    measured = (
        corpus.filter(pl.col("split") == "train")
        .select(**{name: figure.measure for name, figure in FIGURES.items()})
        .collect(engine="streaming")
        .row(0, named=True)
    )
    return [Target(name, measured[name], getattr(profile, name)) for name in FIGURES]

"""Named data sets: which pairs of the corpus each holds, by filters in `config/datasets.yaml`, and JSONL."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

import numpy as np
import polars as pl
from pydantic import AfterValidator, Field, StringConstraints, model_validator

from common.atomic import replacing
from common.config import Settings, load
from common.errors import ProvenderError, hint
from common.hashing import digest
from corpus.curriculum import Category
from corpus.facts import DIALECTS
from corpus.licences import Tier
from corpus.quality import LANGUAGES
from corpus.sources import Domain, Manifest, Split

VERSION = "2"
"""Raise it when the same corpus and filters give other files, cards included."""

PAIR_TYPES = ("body", "dataset", "doc", "path", "proof", "readme")

JSONL_FIELDS = {
    "query": "query",
    "positive": "positive",
    "language": "language",
    "category": "category",
    "file_path": "path",
    "file_context": "file_context",
    "source": "source",
}
"""The keys of a line of JSONL, and the columns that they come from."""

NOTHING = "No pair is left"
"""What the message of a data set begins with whose filter selects nothing."""

_CONFIG = "config/datasets.yaml"
_FILTERS = {
    "languages": "language",
    "dialects": "dialect",
    "domains": "domain",
    "categories": "category",
    "pair_types": "pair_type",
    "tiers": "license_tier",
    "sources": "source",
}
"""The settings that name wanted values, each with `exclude_` for unwanted ones, and their columns."""


def _unknown(what: str, value: str, known: Collection[str]) -> str:
    return f"unknown {what} `{value}`; {hint(value, known)}"


def _one_of(what: str, known: Collection[str]) -> AfterValidator:
    def check(value: str) -> str:
        if value not in known:
            raise ValueError(_unknown(what, value, known))
        return value

    return AfterValidator(check)


def _not_the_corpus(name: str) -> str:
    if name == "corpus":
        raise ValueError("`corpus` is the name of the whole; choose another")
    return name


_Some = Field(min_length=1)
_Languages = Annotated[list[Annotated[str, _one_of("language", LANGUAGES)]], _Some]
_Dialects = Annotated[list[Annotated[str, _one_of("dialect", DIALECTS)]], _Some]
_Domains = Annotated[list[Annotated[str, _one_of("domain", get_args(Domain))]], _Some]
_Categories = Annotated[list[Annotated[str, _one_of("category", get_args(Category))]], _Some]
_PairTypes = Annotated[list[Annotated[str, _one_of("pair type", PAIR_TYPES)]], _Some]
_Tiers = Annotated[list[Annotated[str, _one_of("licence tier", get_args(Tier))]], _Some]
_Splits = Annotated[list[Annotated[str, _one_of("split", get_args(Split))]], _Some]
_Sources = Annotated[list[str], _Some]
_Name = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=80),
    AfterValidator(_not_the_corpus),
]


class Filter(Settings):
    """Which pairs: all that meet every setting given. What is left out does not restrict."""

    splits: _Splits = Field(default=["train"])
    languages: _Languages = Field(default=[])
    exclude_languages: _Languages = Field(default=[])
    dialects: _Dialects = Field(default=[])
    exclude_dialects: _Dialects = Field(default=[])
    domains: _Domains = Field(default=[])
    exclude_domains: _Domains = Field(default=[])
    categories: _Categories = Field(default=[])
    exclude_categories: _Categories = Field(default=[])
    pair_types: _PairTypes = Field(default=[])
    exclude_pair_types: _PairTypes = Field(default=[])
    tiers: _Tiers = Field(default=[])
    exclude_tiers: _Tiers = Field(default=[])
    sources: _Sources = Field(default=[])
    exclude_sources: _Sources = Field(default=[])
    max_pairs: Annotated[int, Field(ge=1, strict=True)] | None = Field(
        default=None, description="most pairs; which, is drawn by a hash of each"
    )

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if "train" in self.splits and len(set(self.splits)) > 1:
            raise ValueError("a data set holds pairs to train on or held-out ones, not both")
        return self


_Text = Annotated[str, Field(min_length=1)]


class Publication(Settings):
    """What Croissant demands of a published data set, and only who publishes it knows."""

    url: _Text
    creator: _Text
    creator_type: Literal["Organization", "Person"] = "Organization"
    date: date


class DataSet(Filter):
    """One named data set."""

    title: _Text
    description: str = ""
    repeat_by_weight: Annotated[bool, Field(strict=True)] = Field(
        default=False, description="the JSONL holds a pair as often as its weight says"
    )
    publication: Publication | None = None

    @property
    def filter(self) -> dict[str, list[str] | int]:
        """The settings that say which pairs, as far as they are given; the splits always."""
        given = self.model_fields_set & Filter.model_fields.keys()
        return {"splits": self.splits, **self.model_dump(include=given)}


class DataSets(Settings):
    """`config/datasets.yaml`: the data sets by name, which is that of their files, too."""

    datasets: Annotated[dict[_Name, DataSet], Field(min_length=1)]

    def named(self, name: str) -> DataSet:
        """The data set `name`.

        Raises:
            ProvenderError: there is none.
        """
        if name not in self.datasets:
            raise ProvenderError(
                _unknown("data set", name, self.datasets),
                where=_CONFIG,
                remedy="Correct the name, or write the data set.",
            )
        return self.datasets[name]

    def to_train(self, name: str) -> DataSet:
        """The data set `name`, of which a recipe wants to train.

        Raises:
            ProvenderError: there is none, or it is held out.
        """
        chosen = self.named(name)
        if set(chosen.splits) != {"train"}:
            raise ProvenderError(
                "It is held out: what is trained on it cannot be judged by it.",
                where=f"{_CONFIG}: {name}",
                remedy="Name a data set of split `train` in the recipe.",
            )
        return chosen


def load_datasets(path: Path) -> DataSets:
    """Read the data sets from `path`.

    Raises:
        ProvenderError: the file is missing, or a key or value in it is unknown or empty.
    """
    return load(path, DataSets)


def out_of_reach(wanted: Filter, manifest: Manifest) -> str | None:
    """Why the sources of `manifest` cannot give such pairs, where that is no mistake.

    Raises:
        ProvenderError: `wanted` names a source that the manifest does not.
    """
    for source in (*wanted.sources, *wanted.exclude_sources):
        if source not in manifest.names:
            raise ProvenderError(
                _unknown("source", source, manifest.names),
                where=_CONFIG,
                remedy="Correct the name, or give the manifest that has the source.",
            )
    if wanted.domains and not any(each.domain in wanted.domains for each in manifest.sources):
        return f"no source of the manifest is in domain {' or '.join(wanted.domains)}"
    return None


def select(corpus: pl.DataFrame, wanted: Filter, *, name: str = "") -> pl.DataFrame:
    """The pairs that meet `wanted`, by source, path and line whatever the order of `corpus`.

    Args:
        corpus: rows of `schema.CORPUS`.
        wanted: the filter.
        name: the data set that an error is to name.

    Raises:
        ProvenderError: there are none.
    """
    frame = corpus
    for setting, condition in _conditions(wanted):
        before, frame = frame, frame.filter(condition)
        if frame.is_empty():
            raise ProvenderError(
                f"{NOTHING}: of {before.height}, none meets {setting}.",
                where=f"{_CONFIG}: {name}" if name else _CONFIG,
                remedy="Widen the filter, or add sources that give such pairs to the manifest.",
            )
    if wanted.max_pairs is not None:
        drawn = pl.col("pair_id").map_elements(digest, return_dtype=pl.String)
        frame = frame.sort(drawn, "pair_id").head(wanted.max_pairs)
    return frame.sort("source", "path", "start_line", "pair_id")


def _conditions(wanted: Filter) -> list[tuple[str, pl.Expr]]:
    """Each setting in words, and as a condition."""
    found = [(f"`splits: {wanted.splits}`", pl.col("split").is_in(wanted.splits))]
    for key, column in _FILTERS.items():
        # Most pairs have no dialect, and then none of the unwanted ones either.
        for setting, unwanted in ((key, False), (f"exclude_{key}", True)):
            if values := getattr(wanted, setting):
                hit = pl.col(column).is_in(values).fill_null(value=False)
                found.append((f"`{setting}: {values}`", ~hit if unwanted else hit))
    return found


def copies(frame: pl.DataFrame) -> pl.Series:
    """How often each row of `frame` stands in a JSONL that repeats by weight, the same every time."""
    weights = frame["weight"].cast(pl.Float64)
    whole = weights.floor()
    # Not the hash that draws `max_pairs`: of the drawn ones, all would be low.
    chance = frame["pair_id"].map_elements(_chance, return_dtype=pl.Float64)
    return (whole + (chance < weights - whole).cast(pl.Float64)).cast(pl.Int64).alias("copies")


def _chance(pair_id: str) -> float:
    """A number from 0 up to 1 that the pair has for good."""
    return int(digest("copies", pair_id)[:13], 16) / 16**13


def write_jsonl(frame: pl.DataFrame, path: Path, *, repeat: bool = False) -> None:
    """Write `frame` with the keys of `JSONL_FIELDS`, one object a line, as UTF-8, atomically.

    Args:
        frame: rows of `schema.CORPUS`.
        path: the file.
        repeat: write each row as often as `copies` says.
    """
    if repeat:
        frame = frame[np.repeat(np.arange(frame.height), copies(frame).to_numpy())]
    columns = {key: pl.col(column) for key, column in JSONL_FIELDS.items()}
    with replacing(path) as temporary:
        frame.lazy().select(**columns).sink_ndjson(temporary)

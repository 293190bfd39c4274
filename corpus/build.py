"""All pairs -> the corpus: named drops, no evaluation code in training, splits by source, weights."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import polars as pl
from pydantic import Field

from common.config import Settings, load
from corpus import repeats, schema
from corpus.files import FORMAL_LANGUAGES
from corpus.licences import Tier
from corpus.pairs.base import normal
from corpus.quality import Quality, judge

VERSION = f"4/{repeats.VERSION}"


class Curriculum(Settings):
    """`config/curriculum.yaml`: what goes into the corpus, and how often each domain is drawn."""

    admit: Annotated[list[Tier], Field(min_length=1)] = Field(
        default=["owned", "permissive", "weak_file", "weak_lib"],
        description="licence tiers that may be trained on",
    )
    domain_weights: dict[str, Annotated[float, Field(gt=0)]]
    near_duplicate: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.85,
        description="least Jaccard similarity of the code of two units that makes them near-duplicates",
    )


class Drop(StrEnum):
    """Why a pair is not in the corpus, beside `corpus.quality.Fault`. The order is that of the checks.

    What is unfit as query or code is found after the first three.
    """

    OPTED_OUT = "opted_out"
    LICENCE = "licence_tier_not_admitted"
    PLAIN_TEST = "plain_test"
    HELD_OUT = "code_of_a_held_out_source"
    NEAR_HELD_OUT = "nearly_code_of_a_held_out_source"
    SAME_CODE = "code_of_another_unit"
    NEAR_CODE = "nearly_code_of_another_unit"
    SAME_QUERY = "query_of_another_pair"


def load_curriculum(path: Path) -> Curriculum:
    """Read the curriculum from `path`."""
    return load(path, Curriculum)


@dataclass(frozen=True)
class Built:
    """What `build_corpus` gives.

    `pairs` are rows of `schema.CORPUS`; `drops`, `losses` and `edges` rows of the schemas of those names:
    counted drops, what each source lost to others, and the evidence of near-duplicates.
    """

    pairs: pl.DataFrame
    drops: pl.DataFrame
    losses: pl.DataFrame
    edges: pl.DataFrame


_ORDER = "source path start_line query_kind query unit_id pair_type doc_rest".split()
_PREFERRED_TYPES = ["doc", "readme", "proof", "body", "path", "dataset"]


def build_corpus(
    pairs: pl.DataFrame,
    splits: Mapping[str, str],
    curriculum: Curriculum,
    quality: Quality,
    *,
    weights: Mapping[str, float] = MappingProxyType({}),
    tombstones: Collection[str] = frozenset(),
) -> Built:
    """Filter, deduplicate, split and weigh.

    Of several equal or nearly equal ones that stays which has the freer licence, the greater weight and the
    better doc, then the first by source and path.

    Args:
        pairs: rows of `schema.PAIRS`, in any order.
        splits: the split of each source; a source's pairs are all on one side.
        curriculum: licence tiers, weights and what counts as a near-duplicate.
        quality: what makes a query or its code unfit, by language.
        weights: the weight of single sources, in place of their domain's.
        tombstones: blobs that their authors want left out.
    """
    frame = pairs.with_columns(
        split=pl.col("source").replace_strict(dict(splits), return_dtype=pl.String),
        weight=pl.coalesce(
            pl.col("source").replace_strict(dict(weights), default=None, return_dtype=pl.Float32),
            pl.col("domain").replace_strict(
                curriculum.domain_weights, default=1.0, return_dtype=pl.Float32
            ),
        ),
        code_key=pl.col("positive").map_elements(normal, return_dtype=pl.String),
        query_key=pl.col("query").map_elements(normal, return_dtype=pl.String),
        reason=_unfit(pairs, curriculum, quality, tombstones),
    ).sort(_rank("license_tier", curriculum.admit), -pl.col("weight"), _best_type(), *_ORDER)
    held_out = frame.filter(pl.col("split") != "train")["code_key"].unique()
    leaks = (pl.col("split") == "train") & pl.col("code_key").is_in(held_out.implode())
    frame = _mark(frame, leaks, Drop.HELD_OUT)
    # Several queries may share a unit; the same code in two units would make two right answers.
    alive = pl.col("reason").is_null()
    frame = frame.with_columns(
        first=pl.col("unit_id").filter(alive).first().over("split", "code_key"),
        of_source=pl.col("source").filter(alive).first().over("split", "code_key"),
        fit=alive,
    )
    frame = _mark(frame, pl.col("unit_id") != pl.col("first"), Drop.SAME_CODE)
    frame, edges = _without_repeats(frame, curriculum.near_duplicate)
    frame = frame.with_row_index("row")
    first_row = pl.col("row").filter(alive).first().over("split", "query_key")
    frame = _mark(frame, pl.col("row") != first_row, Drop.SAME_QUERY)
    drops = (
        frame.drop_nulls("reason")
        .group_by("source", "language", "pair_type", "reason")
        .agg(pairs=pl.len().cast(pl.Int64))
        .sort("source", "language", "pair_type", "reason")
    )
    kept = frame.filter(alive).sort(_ORDER).select(schema.CORPUS.names)
    return Built(kept, drops.select(schema.DROPS.names), _losses(frame), edges)


def _unfit(
    pairs: pl.DataFrame, curriculum: Curriculum, quality: Quality, tombstones: Collection[str]
) -> pl.Expr:
    """Why a pair may not be trained on, whatever other pairs there are; null where it may."""
    return (
        pl.when(pl.col("blob_sha").is_in(sorted(tombstones)))
        .then(pl.lit(Drop.OPTED_OUT.value))
        .when(~pl.col("license_tier").is_in(curriculum.admit))
        .then(pl.lit(Drop.LICENCE.value))
        # A test says what it tests, which is another function. A proof says what holds.
        .when(pl.col("is_test") & ~_is_proof())
        .then(pl.lit(Drop.PLAIN_TEST.value))
        .otherwise(judge(pairs, quality))
    )


def _rank(column: str, order: Sequence[str]) -> pl.Expr:
    ranks = {name: place for place, name in enumerate(order)}
    return pl.col(column).replace_strict(ranks, default=len(ranks), return_dtype=pl.Int32)


def _best_type() -> pl.Expr:
    """The rank of the best pair of a row's unit: a documented one goes before one that has a path only."""
    return _rank("pair_type", _PREFERRED_TYPES).min().over("unit_id")


def _without_repeats(frame: pl.DataFrame, threshold: float) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Mark near-duplicates, and give each unit its cluster; the evidence beside it."""
    # A unit's whole code is the longest of its pairs', from which queries were taken out.
    whole = pl.col("positive").str.len_chars().arg_max()
    # What is held out is kept from training even where its own pairs are unfit.
    candidates = frame.filter(pl.col("reason").is_null() | (pl.col("split") != "train"))
    units = candidates.group_by("unit_id", maintain_order=True).agg(
        pl.col("source", "split", "symbol").first(), positive=pl.col("positive").get(whole)
    )
    found = repeats.find(units, threshold)
    joined = frame.join(
        found.units, on="unit_id", how="left", suffix="_near", maintain_order="left"
    )
    frame = joined.with_columns(
        cluster_id=pl.coalesce("cluster_id", "unit_id"),
        of_source=pl.coalesce("of_source_near", "of_source"),
    )
    repeated = pl.col("of").is_not_null()
    frame = _mark(frame, repeated & pl.col("held_out"), Drop.NEAR_HELD_OUT)
    return _mark(frame, repeated, Drop.NEAR_CODE), found.edges


def _losses(frame: pl.DataFrame) -> pl.DataFrame:
    """How much of each source's fit code stands in another source, too, and is drawn from there."""
    elsewhere = pl.col("of_source") != pl.col("source")
    units = frame.filter("fit", pl.col("split") == "train").group_by("source", "unit_id")
    return (
        units.agg(lost=elsewhere.all())
        .group_by("source")
        .agg(units=pl.len().cast(pl.Int64), lost=pl.col("lost").sum().cast(pl.Int64))
        .sort("source")
        .select(schema.LOSSES.names)
    )


def _is_proof() -> pl.Expr:
    formal = pl.col("language").is_in(sorted(FORMAL_LANGUAGES))
    return pl.col("dialect").is_not_null() | formal


def _mark(frame: pl.DataFrame, condition: pl.Expr, reason: Drop) -> pl.DataFrame:
    """Give `reason` to the rows that have none yet and meet `condition`."""
    hit = pl.col("reason").is_null() & condition.fill_null(value=False)
    return frame.with_columns(
        reason=pl.when(hit).then(pl.lit(reason.value)).otherwise(pl.col("reason"))
    )

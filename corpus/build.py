"""All pairs -> the corpus: named drops, no evaluation code in training, splits by source, weights."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import polars as pl
from pydantic import Field

from common.config import Settings, load
from corpus import schema
from corpus.files import FORMAL_LANGUAGES
from corpus.licences import Tier
from corpus.pairs.base import normal
from corpus.quality import Quality, judge

VERSION = "3"


class Curriculum(Settings):
    """`config/curriculum.yaml`: what goes into the corpus, and how often each domain is drawn."""

    admit: Annotated[list[Tier], Field(min_length=1)] = Field(
        default=["owned", "permissive", "weak_file", "weak_lib"],
        description="licence tiers that may be trained on",
    )
    domain_weights: dict[str, Annotated[float, Field(gt=0)]]


class Drop(StrEnum):
    """Why a pair is not in the corpus, beside `corpus.quality.Fault`. The order is that of the checks.

    What is unfit as query or code is found after the first three.
    """

    OPTED_OUT = "opted_out"
    LICENCE = "licence_tier_not_admitted"
    PLAIN_TEST = "plain_test"
    HELD_OUT = "code_of_a_held_out_source"
    SAME_CODE = "code_of_another_unit"
    SAME_QUERY = "query_of_another_pair"


def load_curriculum(path: Path) -> Curriculum:
    """Read the curriculum from `path`."""
    return load(path, Curriculum)


def build_corpus(
    pairs: pl.DataFrame,
    splits: Mapping[str, str],
    curriculum: Curriculum,
    quality: Quality,
    *,
    weights: Mapping[str, float] = MappingProxyType({}),
    tombstones: Collection[str] = frozenset(),
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Filter, deduplicate, split and weigh.

    Args:
        pairs: rows of `schema.PAIRS`, in any order.
        splits: the split of each source; a source's pairs are all on one side.
        curriculum: licence tiers and weights.
        quality: what makes a query or its code unfit, by language.
        weights: the weight of single sources, in place of their domain's.
        tombstones: blobs that their authors want left out.

    Returns:
        Rows of `schema.CORPUS`, and the counted drops as rows of `schema.DROPS`.
    """
    key = [
        "source",
        "path",
        "start_line",
        "query_kind",
        "query",
        "unit_id",
        "pair_type",
        "doc_rest",
    ]
    frame = pairs.sort(key)
    frame = frame.with_columns(
        split=pl.col("source").replace_strict(dict(splits), return_dtype=pl.String),
        weight=pl.coalesce(
            pl.col("source").replace_strict(dict(weights), default=None, return_dtype=pl.Float32),
            pl.col("domain").replace_strict(
                curriculum.domain_weights, default=1.0, return_dtype=pl.Float32
            ),
        ),
        code_key=pl.col("positive").map_elements(normal, return_dtype=pl.String),
        query_key=pl.col("query").map_elements(normal, return_dtype=pl.String),
        reason=pl.when(pl.col("blob_sha").is_in(sorted(tombstones)))
        .then(pl.lit(Drop.OPTED_OUT.value))
        .when(~pl.col("license_tier").is_in(curriculum.admit))
        .then(pl.lit(Drop.LICENCE.value))
        # A test says what it tests, which is another function. A proof says what holds.
        .when(pl.col("is_test") & ~_is_proof())
        .then(pl.lit(Drop.PLAIN_TEST.value))
        .otherwise(judge(frame, quality)),
    )
    held_out = frame.filter(pl.col("split") != "train")["code_key"].unique()
    leaks = (pl.col("split") == "train") & pl.col("code_key").is_in(held_out.implode())
    frame = _mark(frame, leaks, Drop.HELD_OUT)
    # Several queries may share a unit; the same code in two units would make two right answers.
    alive = pl.col("reason").is_null()
    first_unit = pl.col("unit_id").filter(alive).first().over("split", "code_key")
    frame = _mark(frame, pl.col("unit_id") != first_unit, Drop.SAME_CODE)
    frame = frame.with_row_index("row")
    first_row = pl.col("row").filter(alive).first().over("split", "query_key")
    frame = _mark(frame, pl.col("row") != first_row, Drop.SAME_QUERY)
    drops = (
        frame.drop_nulls("reason")
        .group_by("source", "language", "pair_type", "reason")
        .agg(pairs=pl.len().cast(pl.Int64))
        .sort("source", "language", "pair_type", "reason")
    )
    return frame.filter(alive).select(schema.CORPUS.names), drops.select(schema.DROPS.names)


def _is_proof() -> pl.Expr:
    formal = pl.col("language").is_in(sorted(FORMAL_LANGUAGES))
    return pl.col("dialect").is_not_null() | formal


def _mark(frame: pl.DataFrame, condition: pl.Expr, reason: Drop) -> pl.DataFrame:
    """Give `reason` to the rows that have none yet and meet `condition`."""
    hit = pl.col("reason").is_null() & condition.fill_null(value=False)
    return frame.with_columns(
        reason=pl.when(hit).then(pl.lit(reason.value)).otherwise(pl.col("reason"))
    )

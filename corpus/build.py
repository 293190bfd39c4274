"""All pairs -> the corpus: named drops, no evaluation code in training, splits by source, weights."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import polars as pl

from corpus import benchmarks, dedup, repeats, schema
from corpus.curriculum import Curriculum
from corpus.files import FORMAL_LANGUAGES
from corpus.pairs.base import normal
from corpus.quality import Quality, judge

VERSION = f"5/{repeats.VERSION}/{benchmarks.VERSION}"


class Drop(StrEnum):
    """Why a pair is not in the corpus, beside `corpus.quality.Fault`. The order is that of the checks.

    What is unfit as query or code is found after the first three.
    """

    OPTED_OUT = "opted_out"
    LICENCE = "licence_tier_not_admitted"
    PLAIN_TEST = "plain_test"
    HELD_OUT = "code_of_a_held_out_source"
    NEAR_HELD_OUT = "nearly_code_of_a_held_out_source"
    BENCHMARK = "in_a_benchmark"
    SAME_CODE = "code_of_another_unit"
    NEAR_CODE = "nearly_code_of_another_unit"
    SAME_QUERY = "query_of_another_pair"
    ASKED = "query_of_an_evaluation"
    NEAR_QUERY = "nearly_query_of_another_pair"


EVALUATED = (Drop.HELD_OUT, Drop.NEAR_HELD_OUT, Drop.BENCHMARK, Drop.ASKED)
"""The reasons that keep what is evaluated out of training."""


@dataclass(frozen=True)
class Evaluation:
    """What is asked of checkpoints, beside the pairs of held-out sources: none of it may be learned.

    `units`: rows of `schema.UNITS` of the held-out sources, those without a pair, too; `queries`: judged
    queries; `benchmarks`: texts of published ones, as `benchmarks.load_benchmarks` gives them.
    """

    units: pl.DataFrame = field(default_factory=lambda: schema.empty(schema.UNITS))
    queries: Sequence[str] = ()
    benchmarks: pl.DataFrame | None = None


@dataclass(frozen=True)
class Built:
    """What `build_corpus` gives.

    `pairs`, `drops`, `removed`, `losses`, `edges` and `signatures` are rows of the schemas of those names:
    the corpus, its counted drops, every pair that was dropped, what each source lost to others, the evidence
    of near-duplicates, and signatures for the next build. `signed`: how many texts had none yet.
    """

    pairs: pl.DataFrame
    drops: pl.DataFrame
    removed: pl.DataFrame
    losses: pl.DataFrame
    edges: pl.DataFrame
    signatures: pl.DataFrame
    signed: int


_ORDER = "source path start_line query_kind query unit_id pair_type doc_rest".split()
_PREFERRED_TYPES = ["doc", "readme", "proof", "body", "path", "dataset"]
_NARROW = [*_ORDER, "pair_id", "language", "license_tier", "symbol", "positive"]
"""The columns by which pairs are chosen; the others wait until it is known which stay."""


def build_corpus(
    pairs: pl.DataFrame,
    splits: Mapping[str, str],
    curriculum: Curriculum,
    quality: Quality,
    *,
    evaluation: Evaluation | None = None,
    weights: Mapping[str, float] = MappingProxyType({}),
    tombstones: Collection[str] = frozenset(),
    signatures: pl.DataFrame | None = None,
) -> Built:
    """Filter, decontaminate, deduplicate, split and weigh.

    Of several equal or nearly equal ones that stays which has the freer licence, the greater weight and the
    better doc, then the first by source and path. What is held out goes before what is trained on, and the
    test split before the valid one.

    Args:
        pairs: rows of `schema.PAIRS`, in any order.
        splits: the split of each source; a source's pairs are all on one side.
        curriculum: licence tiers, weights and what counts as a near-duplicate.
        quality: what makes a query or its code unfit, by language.
        evaluation: what else is asked of checkpoints.
        weights: the weight of single sources, in place of their category's and domain's.
        tombstones: blobs that their authors want left out.
        signatures: those of an earlier build; only texts that it lacks are signed.
    """
    evaluation = evaluation or Evaluation()
    frame = (
        pairs.select(
            *_NARROW,
            at=pl.int_range(pl.len(), dtype=pl.UInt32),
            split=pl.col("source").replace_strict(dict(splits), return_dtype=pl.String),
            weight=_weight(curriculum, weights),
            code_key=_key("positive"),
            query_key=_key("query"),
            reason=_unfit(pairs, curriculum, quality, tombstones),
            kept=pl.lit(""),
            share=pl.lit(None, pl.Float64),
        )
        .sort(_rank("license_tier", curriculum.admit), -pl.col("weight"), _best_type(), *_ORDER)
        .with_row_index("row")
    )
    frame = _without_held_out(frame, evaluation, splits)
    frame = _without_benchmarks(frame, evaluation.benchmarks, curriculum.benchmark_share)
    frame, near_code = _without_repeats(frame, evaluation, splits, curriculum, signatures)
    first_row = pl.col("row").filter(_ALIVE).first().over("split", "query_key")
    first_pair = pl.col("pair_id").filter(_ALIVE).first().over("split", "query_key")
    frame = _mark(frame, pl.col("row") != first_row, Drop.SAME_QUERY, kept=first_pair)
    frame, near_queries = _without_asked(frame, evaluation, curriculum, signatures)
    edges = pl.concat([near_code.edges, near_queries.edges])
    made = pl.concat([near_code.signatures, near_queries.signatures])
    removed = frame.drop_nulls("reason").sort(_ORDER).select(schema.REMOVED.names)
    by = ["source", "language", "pair_type", "reason"]
    drops = removed.group_by(by).agg(pairs=pl.len().cast(pl.Int64)).sort(by)
    return Built(
        _chosen(pairs, frame, edges),
        drops.select(schema.DROPS.names),
        removed,
        _losses(frame),
        edges,
        made.unique("text_id").sort("text_id"),
        near_code.signed + near_queries.signed,
    )


_ALIVE = pl.col("reason").is_null()
_TRAINS = pl.col("split") == "train"


def _key(column: str) -> pl.Expr:
    """One number for all texts that are equal to exact deduplication; it never leaves the build."""
    normalised = pl.col(column).map_elements(normal, return_dtype=pl.String)
    return normalised.hash(seed=0)


def _weight(curriculum: Curriculum, weights: Mapping[str, float]) -> pl.Expr:
    def of(column: str, given: Mapping[Any, float]) -> pl.Expr:
        return pl.col(column).replace_strict(dict(given), default=None, return_dtype=pl.Float32)

    return pl.coalesce(
        of("source", weights),
        of("category", curriculum.category_weights),
        of("domain", curriculum.domain_weights),
        pl.lit(1.0, pl.Float32),
    )


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


def _held_out(evaluation: Evaluation, splits: Mapping[str, str]) -> pl.DataFrame:
    """The units of held-out sources, as columns of pairs."""
    return evaluation.units.select(
        "unit_id",
        "source",
        "symbol",
        positive="code",
        split=pl.col("source").replace_strict(dict(splits), return_dtype=pl.String),
    )


def _without_held_out(
    frame: pl.DataFrame, evaluation: Evaluation, splits: Mapping[str, str]
) -> pl.DataFrame:
    """Mark what equals the code of a split of lower rank."""
    columns = ["code_key", "unit_id", "split"]
    units = _held_out(evaluation, splits).with_columns(code_key=_key("positive"))
    held_out = pl.concat([frame.filter(~_TRAINS).select(columns), units.select(columns)])
    first = (
        held_out.with_columns(lowest=repeats.rank())
        .sort("lowest", "unit_id")
        .unique("code_key", keep="first")
        .select("code_key", "lowest", of="unit_id")
    )
    frame = frame.join(first, on="code_key", how="left", maintain_order="left")
    frame = _mark(frame, pl.col("lowest") < repeats.rank(), Drop.HELD_OUT, kept=pl.col("of"))
    return frame.drop("lowest", "of")


def _without_benchmarks(
    frame: pl.DataFrame, texts: pl.DataFrame | None, share: float
) -> pl.DataFrame:
    """Mark what is in a published benchmark."""
    if texts is None:
        return frame
    candidates = frame.filter(_ALIVE, _TRAINS).select("unit_id", "positive").unique()
    found = benchmarks.contamination(candidates, texts, share).select(
        "unit_id", text=pl.format("{}:{}", "benchmark", "row"), of_text="share"
    )
    frame = frame.join(found, on="unit_id", how="left", maintain_order="left")
    hit = _TRAINS & pl.col("text").is_not_null()
    frame = _mark(frame, hit, Drop.BENCHMARK, kept=pl.col("text"), share=pl.col("of_text"))
    return frame.drop("text", "of_text")


def _without_repeats(
    frame: pl.DataFrame,
    evaluation: Evaluation,
    splits: Mapping[str, str],
    curriculum: Curriculum,
    signatures: pl.DataFrame | None,
) -> tuple[pl.DataFrame, repeats.Repeats]:
    """Mark equal and nearly equal code; the evidence beside it."""
    # Several queries may share a unit; the same code in two units would make two right answers.
    first = {
        name: pl.col(column).filter(_ALIVE).first().over("split", "code_key")
        for name, column in (("first", "unit_id"), ("of_source", "source"))
    }
    frame = frame.with_columns(**first, fit=_ALIVE)
    frame = _mark(frame, pl.col("unit_id") != pl.col("first"), Drop.SAME_CODE, kept=pl.col("first"))
    # What is held out is kept from training even where its own pairs are unfit, or it has none. A unit's
    # whole code is the longest of its pairs', from which queries were taken out.
    whole = frame.filter(_ALIVE | ~_TRAINS).sort(
        pl.col("positive").str.len_chars(), descending=True, maintain_order=True
    )
    columns = ["unit_id", "source", "split", "symbol", "positive"]
    units = pl.concat(
        [
            whole.unique("unit_id", keep="first").sort("row").select(columns),
            _held_out(evaluation, splits).select(columns),
        ]
    ).unique("unit_id", keep="first", maintain_order=True)
    found = repeats.code(units, curriculum.near_duplicate, signatures)
    hits = found.hits.rename({"share": "near_share", "of_source": "near_source"})
    frame = frame.join(hits, on="unit_id", how="left", maintain_order="left").with_columns(
        of_source=pl.coalesce("near_source", "of_source")
    )
    evidence = {"kept": pl.col("of"), "share": pl.col("near_share")}
    frame = _mark(frame, pl.col("held_out"), Drop.NEAR_HELD_OUT, **evidence)
    frame = _mark(frame, ~pl.col("held_out"), Drop.NEAR_CODE, **evidence)
    return frame.drop("of", "near_share", "near_source", "held_out", "first"), found


def _without_asked(
    frame: pl.DataFrame,
    evaluation: Evaluation,
    curriculum: Curriculum,
    signatures: pl.DataFrame | None,
) -> tuple[pl.DataFrame, repeats.Repeats]:
    """Mark what an evaluation asks, and what nearly is another query of its unit; the evidence beside it."""
    asking = frame.filter(_ALIVE | ~_TRAINS)
    texts = evaluation.benchmarks
    asked = [*evaluation.queries, *(benchmarks.asked(texts) if texts is not None else [])]
    found = repeats.queries(asking, asked, curriculum.near_duplicate, signatures)
    hits = found.hits.select("row", "of", "held_out", near_share="share")
    frame = frame.join(hits, on="row", how="left", maintain_order="left")
    evidence = {"kept": pl.col("of"), "share": pl.col("near_share")}
    frame = _mark(frame, pl.col("held_out"), Drop.ASKED, **evidence)
    frame = _mark(frame, ~pl.col("held_out"), Drop.NEAR_QUERY, **evidence)
    return frame.drop("of", "near_share", "held_out"), found


def _chosen(pairs: pl.DataFrame, frame: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
    """The rows of `pairs` that stay, with split, weight and the cluster of their unit."""
    kept = frame.filter(_ALIVE).sort(_ORDER)
    units = kept.select("unit_id", "split").unique().sort("unit_id")
    place = units.with_row_index("place").with_columns(pl.col("place").cast(pl.Int64))
    near = edges.filter("near")
    for end in ("a", "b"):
        of_end = place.rename({"unit_id": f"unit_id_{end}", "place": end, "split": f"split_{end}"})
        near = near.join(of_end, on=f"unit_id_{end}")
    # What still is near to another split's has a query of one or two words in common with it.
    near = near.filter(pl.col("split_a") == pl.col("split_b"))
    cluster = dedup.clusters(units.height, near)
    clusters = units.select("unit_id").with_columns(cluster_id=units["unit_id"].gather(cluster))
    kept = kept.select("unit_id", "at", "split", "weight").join(
        clusters, on="unit_id", how="left", maintain_order="left"
    )
    return (
        pairs[kept["at"]]
        .with_columns(kept["cluster_id"], kept["split"], kept["weight"])
        .select(schema.CORPUS.names)
    )


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


def _mark(
    frame: pl.DataFrame,
    condition: pl.Expr,
    reason: Drop,
    *,
    kept: pl.Expr | None = None,
    share: pl.Expr | None = None,
) -> pl.DataFrame:
    """Give `reason` to the rows that have none yet and meet `condition`, and what they repeat."""
    hit = _ALIVE & condition.fill_null(value=False)
    given = {"reason": pl.lit(reason.value), "kept": kept, "share": share}
    return frame.with_columns(
        **{
            name: pl.when(hit).then(value).otherwise(pl.col(name))
            for name, value in given.items()
            if value is not None
        }
    )

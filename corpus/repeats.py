"""What is there twice, code or query: which units and pairs repeat another. Drops nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from corpus import dedup, schema

VERSION = f"2/{dedup.VERSION}"

RANK = {"test": 0, "valid": 1, "train": 2}
"""Of what is near to each other in two splits, that of the lower rank stays."""

_TRAIN = RANK["train"]


def rank(column: str = "split") -> pl.Expr:
    """The rank of a split."""
    return pl.col(column).replace_strict(RANK, return_dtype=pl.Int8)


@dataclass(frozen=True)
class Repeats:
    """What `code` and `queries` find.

    `hits`: what repeats something, its key, `of` what (a unit, and its `of_source`, or a query), how alike
    they are (`share`), and whether that is `held_out`. `edges`: rows of `schema.EDGES`, the evidence.
    `signatures` and `signed`: as in `dedup.Compared`.
    """

    hits: pl.DataFrame
    edges: pl.DataFrame
    signatures: pl.DataFrame
    signed: int


def code(units: pl.DataFrame, threshold: float, known: pl.DataFrame | None = None) -> Repeats:
    """Compare the code of all `units`; the key of a hit is `unit_id`.

    Near-duplicates of the same name are one answer twice, and the later one repeats the earlier. Of another
    name they are another answer (`remove_meta`, `remove_directory`), and both stay. A unit that is near to
    one of a split of lower rank repeats it whatever its name is, and whether or not that one stays.

    Args:
        units: `unit_id`, `source`, `split`, `symbol` and `positive`, the ones to keep first.
        threshold: the least Jaccard similarity of near-duplicates.
        known: rows of `schema.SIGNATURES` from before.
    """
    ordered = units.with_columns(
        rank=rank(),
        name=pl.col("symbol").str.extract(r"([^.:]*)$"),
    ).sort("rank", maintain_order=True)
    compared = dedup.compare(ordered["positive"], threshold, known=known)
    edges = _ends(compared.edges, ordered.select("unit_id", "source", "name", "rank"))
    held_out = pl.col("rank_a") < pl.col("rank_b")
    trained = (pl.col("rank_a") == _TRAIN) & (pl.col("rank_b") == _TRAIN)
    same_name = pl.col("name_a") == pl.col("name_b")
    edges = edges.with_columns(
        what=pl.lit("code"), repeats=pl.col("near") & (held_out | (trained & same_name))
    )
    reserved = edges.filter("repeats", held_out).sort("b", "a").unique("b", maintain_order=True)
    gone = reserved["b"].implode()
    among = edges.filter("repeats", trained, ~pl.col("a").is_in(gone), ~pl.col("b").is_in(gone))
    repeated = _dropped(ordered.height, among)
    hits = pl.concat(
        [
            reserved.with_columns(held_out=pl.lit(value=True)),
            repeated.with_columns(held_out=pl.lit(value=False)),
        ]
    ).sort("b")
    found = hits.select(
        unit_id="unit_id_b",
        of="unit_id_a",
        of_source="source_a",
        share="jaccard",
        held_out="held_out",
    )
    return Repeats(found, _evidence(edges), compared.signatures, compared.signed)


def queries(
    pairs: pl.DataFrame,
    evaluation: Sequence[str],
    threshold: float,
    known: pl.DataFrame | None = None,
) -> Repeats:
    """Compare the queries of all `pairs` as sets of words; the key of a hit is `row`.

    A pair whose query is, or nearly is, that of a split of lower rank repeats it; so does one that is trained
    on where its query is one of `evaluation`, and one whose query nearly is that of an earlier pair of the
    same unit and split. Nearly the same query of two units is evidence only: they have no place in one batch.

    Args:
        pairs: `row`, `unit_id`, `source`, `split` and `query`, the ones to keep first.
        evaluation: queries that are asked of every checkpoint.
        threshold: the least Jaccard similarity of near-duplicates.
        known: rows of `schema.SIGNATURES` from before.
    """
    rows = pairs.select(
        *("row", "unit_id", "source", "split", "query"),
        rank=rank(),
        text=_bare("query"),
    )
    asked = pl.DataFrame({"query": evaluation}, schema={"query": pl.String})
    asked = asked.select(text=_bare("query"), rank=pl.lit(RANK["valid"], pl.Int8))
    texts = (
        # The lowest rank first: of a crowd each is compared with its first ones.
        pl.concat([asked, rows.select(*asked.columns, "unit_id", "source")], how="diagonal")
        .sort("rank", maintain_order=True)
        .with_columns(lowest=pl.col("rank").min().over("text"))
        .unique("text", keep="first", maintain_order=True)
        .with_row_index("place")
        .with_columns(
            pl.col("place").cast(pl.Int64), pl.col("unit_id", "source").fill_null("evaluation")
        )
    )
    compared = dedup.compare(texts["text"], threshold, width=1, known=known)
    edges = _ends(compared.edges, texts.select("unit_id", "source", "lowest", "text"))
    rows = rows.join(texts.select("text", "place"), on="text", maintain_order="left")
    near = edges.filter("near")
    reserved = _asked(rows, texts, near)
    within = _of_one_unit(rows.join(reserved, on="row", how="anti"), near)
    edges = edges.with_columns(what=pl.lit("query"), repeats=pl.lit(value=False))
    hits = pl.concat([reserved, within]).sort("row")
    return Repeats(hits, _evidence(edges), compared.signatures, compared.signed)


_MIN_WORDS = 3
"""Fewer words than that are everybody's: `to string` in an evaluation keeps nothing out of training."""


def _asked(rows: pl.DataFrame, texts: pl.DataFrame, near: pl.DataFrame) -> pl.DataFrame:
    """The `rows` whose query is, or nearly is, one of lower rank: of several the lowest, then the nearest."""
    others = pl.concat(
        [
            near.select(place="a", of="text_b", rank="lowest_b", share="jaccard"),
            near.select(place="b", of="text_a", rank="lowest_a", share="jaccard"),
            texts.select("place", of="text", rank="lowest", share=pl.lit(1.0)),
        ]
    )
    is_said = pl.col("of").str.count_matches(r"\S+") >= _MIN_WORDS
    return (
        rows.join(others, on="place", suffix="_of")
        .filter(pl.col("rank_of") < pl.col("rank"), is_said)
        .sort("row", "rank_of", "share", "of", descending=[False, False, True, False])
        .unique("row", keep="first", maintain_order=True)
        .select("row", "of", "share", held_out=pl.lit(value=True))
    )


def _of_one_unit(rows: pl.DataFrame, near: pl.DataFrame) -> pl.DataFrame:
    """The `rows` whose query nearly is that of an earlier one of the same unit and split."""
    own = rows.select("place", "row", "unit_id", "split", "query")
    pairs = (
        near.select("a", "b", share="jaccard")
        .join(own, left_on="a", right_on="place")
        .join(own, left_on=["b", "unit_id", "split"], right_on=["place", "unit_id", "split"])
    )
    forth, back = ("row", "row_right", "query"), ("row_right", "row", "query_right")
    edges = pl.concat(
        [pairs.select("share", a=a, b=b, of=of) for a, b, of in (forth, back)]
    ).filter(pl.col("a") < pl.col("b"))
    size = edges.select(pl.col("b").max().fill_null(0)).item() + 1
    return _dropped(size, edges).select(
        row="b", of="of", share="share", held_out=pl.lit(value=False)
    )


def _dropped(size: int, edges: pl.DataFrame) -> pl.DataFrame:
    """Of `edges` those by which a text is dropped, one for each."""
    survivor = dedup.survivors(size, edges)
    return edges.filter(pl.Series(survivor[edges["b"].to_numpy()]) == edges["a"])


def _bare(column: str) -> pl.Expr:
    return pl.col(column).str.to_lowercase()


def _ends(edges: pl.DataFrame, columns: pl.DataFrame) -> pl.DataFrame:
    """`edges` with the `columns` of both ends."""
    for end in ("a", "b"):
        held = columns[edges[end]]
        edges = edges.with_columns(held.rename(lambda name, end=end: f"{name}_{end}"))
    return edges


def _evidence(edges: pl.DataFrame) -> pl.DataFrame:
    return edges.sort("a", "b").select(schema.EDGES.names)

"""What must hold of a corpus before anything is trained on it, looked for anew in the finished rows.

`corpus.build` means to make it so; this does not ask how the corpus was built.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import polars as pl

from corpus.licences.policy import normal as spdx
from corpus.pairs.base import normal
from corpus.repeats import rank

_FOUND = ["found", "pair_id", "source", "split", "path", "symbol"]


def leaks(corpus: pl.DataFrame, edges: pl.DataFrame, splits: Mapping[str, str]) -> pl.DataFrame:
    """The pairs that have something in common with a split of lower rank, once for each thing.

    `found` says what: `source`, where pairs of it stand in both splits or its split is another one by now;
    `cluster`, of near-duplicates; `code`, but for case and white space; `near`, where the evidence says that
    its unit's code is nearly that of a unit there, which needs no pair of its own.

    Args:
        corpus: rows of `schema.CORPUS`, of all splits.
        edges: rows of `schema.EDGES`, the evidence of near-duplicates.
        splits: the split of each source, as it is by now.
    """
    rows = corpus.select(
        *("pair_id", "unit_id", "source", "split", "path", "symbol"),
        rank=rank(),
        cluster="cluster_id",
        code=pl.col("positive").map_elements(normal, return_dtype=pl.String),
    )
    text = {"source": pl.String, "split": pl.String}
    wanted = pl.DataFrame({"source": list(splits), "split": list(splits.values())}, text)
    known = pl.concat([corpus.select(wanted.columns), wanted])
    of_source = known.group_by("source").agg(of_source=rank().min())
    rows = rows.join(of_source, on="source").join(
        _nearest(edges, of_source), on="unit_id", how="left"
    )
    lowest = {
        "source": pl.col("of_source"),
        "cluster": pl.col("rank").min().over("cluster"),
        "code": pl.col("rank").min().over("code"),
        "near": pl.col("of_near"),
    }
    found = [
        rows.filter(of < pl.col("rank")).with_columns(found=pl.lit(name)).select(_FOUND)
        for name, of in lowest.items()
    ]
    return pl.concat(found).sort(_FOUND)


def unlicensed(corpus: pl.DataFrame, admitted: Collection[str]) -> pl.DataFrame:
    """The pairs that may not be trained on. `found` says why: the `tier`, or no `licence` that SPDX knows.

    Who owns the code needs no licence for it.
    """
    stated = corpus["license"].unique().to_list()
    known = [each for each in stated if spdx(each) is not None]
    licensed = pl.col("license").is_in(known) | (pl.col("license_tier") == "owned")
    tier = corpus.filter(~pl.col("license_tier").is_in(list(admitted)))
    licence = corpus.filter(~licensed.fill_null(value=False))
    columns = [*_FOUND, "license", "license_tier"]
    return pl.concat(
        [
            tier.with_columns(found=pl.lit("tier")).select(columns),
            licence.with_columns(found=pl.lit("licence")).select(columns),
        ]
    ).sort(columns)


def _nearest(edges: pl.DataFrame, of_source: pl.DataFrame) -> pl.DataFrame:
    """For each unit of the evidence the lowest rank of those that its code is nearly that of."""
    # Queries of a word or two are everybody's: that they are near is no leak.
    near = edges.filter("near", what="code")
    ends = [
        near.select(unit_id=f"unit_id_{one}", source=f"source_{other}")
        for one, other in ("ab", "ba")
    ]
    ranked = pl.concat(ends).join(of_source, on="source")
    return ranked.group_by("unit_id").agg(of_near=pl.col("of_source").min())

"""Code that is there twice: which units repeat another, and which hang together. Drops nothing itself."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from corpus import dedup, schema

VERSION = f"1/{dedup.VERSION}"


@dataclass(frozen=True)
class Repeats:
    """What `find` finds.

    `units`: `unit_id`, its `cluster_id`, and of what it repeats (null where nothing) `of`, its source
    `of_source` and whether that is `held_out`. `edges`: rows of `schema.EDGES`, the evidence.
    """

    units: pl.DataFrame
    edges: pl.DataFrame


def find(units: pl.DataFrame, threshold: float) -> Repeats:
    """Compare the code of all `units`.

    Near-duplicates of the same name are one answer twice, and the later one repeats the earlier. Of another
    name they are another answer (`remove_meta`, `remove_directory`): they share a cluster, and no batch.
    A unit of training that is near to a held-out one repeats it whatever its name is.

    Args:
        units: `unit_id`, `source`, `split`, `symbol` and `positive`, the ones to keep first.
        threshold: the least Jaccard similarity of near-duplicates.
    """
    # The held-out ones first: nothing of theirs is dropped for what is trained on.
    ordered = units.sort(pl.col("split") == "train", maintain_order=True).with_columns(
        name=pl.col("symbol").str.extract(r"([^.:]*)$"), trains=pl.col("split") == "train"
    )
    compared = dedup.edges(ordered["positive"].to_list(), threshold)
    columns = ordered.select("unit_id", "source", "name", "trains")
    for end in ("a", "b"):
        held = columns[compared[end]]
        compared = compared.with_columns(held.rename(lambda name, end=end: f"{name}_{end}"))
    same_name = pl.col("name_a") == pl.col("name_b")
    compared = compared.with_columns(
        repeats=pl.col("near") & pl.col("trains_b") & (same_name | ~pl.col("trains_a"))
    )
    survivor = dedup.survivors(ordered.height, compared.filter("repeats"))
    cluster = dedup.clusters(ordered.height, compared.filter("near"))
    kept = pl.Series(survivor).replace(-1, None)
    found = ordered.select(
        "unit_id",
        cluster_id=ordered["unit_id"][cluster],
        of=ordered["unit_id"].gather(kept),
        of_source=ordered["source"].gather(kept),
        held_out=~ordered["trains"].gather(kept),
    )
    return Repeats(found, compared.sort("a", "b").select(schema.EDGES.names))

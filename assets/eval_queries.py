"""`eval_queries`: documentation queries and judged queries of the held-out sources, with their pools."""

import dagster as dg
import polars as pl

from assets.common import OWNERS, counts, of_source, told, versions
from assets.pairs import pairs_of
from common.hashing import digest, digest_file
from corpus import heldout, schema
from evaluation.queries import FOLDER, load_judged, resolve
from resources.lake import Lake
from resources.project import Project

KINDS = ("doc", "judged")
JUDGED = {
    "valid": FOLDER / "quickstart_valid.json",
    "test": FOLDER / "quickstart_test.json",
}
_VALID_UNITS, _VALID_QUERIES, _TEST_QUERIES = 1000, 200, 500


PLACE = ("eval",)
"""The folder of all of them."""


def queries_of(kind: str, split: str) -> tuple[str, ...]:
    """Where the queries of one set lie."""
    return (*PLACE, f"{kind}_{split}.parquet")


def pool_of(split: str) -> tuple[str, ...]:
    """Where the units lie that the sets of `split` search."""
    return (*PLACE, f"pool_{split}.parquet")


_PLACES = [
    place for split in JUDGED for place in (*(queries_of(k, split) for k in KINDS), pool_of(split))
]


@dg.asset(
    deps=["units", "doc_pairs"],
    group_name="evaluation",
    kinds={"parquet"},
    owners=OWNERS,
    code_version=heldout.VERSION,
)
def eval_queries(lake: Lake, project: Project) -> dg.MaterializeResult:
    """What the held-out sources are asked: doc sentences, and queries as engineers type them."""
    with told():
        manifest = project.load_manifest()
        splits = project.load_splits(manifest)
        names = [name for name, split in splits.items() if split != "train"]
        places = [
            place for name in names for place in (of_source("units", name), pairs_of("doc", name))
        ]
        fingerprint = digest(
            heldout.VERSION,
            splits,
            versions(lake, *places),
            [digest_file(path) for path in JUDGED.values()],
            [_VALID_UNITS, _VALID_QUERIES, _TEST_QUERIES],
        )
        stored = [lake.stored(*place) for place in _PLACES]
        unchanged = all(each is not None and each.fingerprint == fingerprint for each in stored)
        if not unchanged:
            for split in JUDGED:
                _write(lake, split, [name for name in names if splits[name] == split], fingerprint)
    sets = {kind: lake.read(*queries_of(kind, "test")) for kind in KINDS}
    return dg.MaterializeResult(
        data_version=dg.DataVersion(versions(lake, *_PLACES)),
        metadata={
            "unchanged": unchanged,
            "dagster/row_count": sum(frame.height for frame in sets.values()),
            "pool": lake.read(*pool_of("test"), columns=["unit_id"]).height,
            "judged": counts(sets["judged"], "style", "dialect"),
            "documentation": sets["doc"].height,
        },
    )


def _write(lake: Lake, split: str, sources: list[str], fingerprint: str) -> None:
    units = lake.read_all([of_source("units", name) for name in sources], schema.UNITS)
    doc_pairs = lake.read_all([pairs_of("doc", name) for name in sources], schema.PAIRS)
    pool = heldout.pool(units)
    places = units.select("source", "path", "symbol", "unit_id").iter_rows(named=True)
    rows = resolve(load_judged(JUDGED[split]), places, set(pool["unit_id"]))
    judged = pl.DataFrame(rows, schema=schema.empty(schema.QUERIES).schema)
    documentation = heldout.documentation_queries(doc_pairs, pool)
    documentation, pool = heldout.sample(
        documentation,
        pool,
        max_queries=_VALID_QUERIES if split == "valid" else _TEST_QUERIES,
        max_units=_VALID_UNITS if split == "valid" else pool.height,
        also=set(judged["unit_ids"].explode().to_list()),
    )
    tables = {queries_of("doc", split): documentation, queries_of("judged", split): judged}
    for place, frame in tables.items():
        lake.write(frame, schema.QUERIES, *place, fingerprint=fingerprint)
    lake.write(pool, schema.UNITS, *pool_of(split), fingerprint=fingerprint)

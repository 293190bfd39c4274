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
    "formal_valid": FOLDER / "formal_valid.json",
}
"""Judged queries: by split those of Rust functions, and formal ones, which have a pool of their own."""

SPLITS = ("valid", "test")
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
    *(queries_of(kind, split) for split in SPLITS for kind in KINDS),
    *(pool_of(split) for split in SPLITS),
    *(queries_of("judged", "formal_valid"), pool_of("formal_valid")),
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
            held_out = {
                split: [name for name in names if splits[name] == split] for split in SPLITS
            }
            for split, sources in held_out.items():
                _write(lake, split, sources, fingerprint)
            _write_formal(lake, "formal_valid", held_out["valid"], fingerprint)
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


def _write_formal(lake: Lake, name: str, sources: list[str], fingerprint: str) -> None:
    """The judged set `name` over those of its sources that the manifest has: none, maybe."""
    judged = load_judged(JUDGED[name])
    about = [source for source in sources if source in judged.revisions]
    units = lake.read_all([of_source("units", source) for source in about], schema.UNITS)
    pool = heldout.formal_pool(units, about)
    places = units.select("source", "path", "symbol", "unit_id").iter_rows(named=True)
    rows = resolve(judged, places, set(pool["unit_id"]))
    queries = pl.DataFrame(rows, schema=schema.empty(schema.QUERIES).schema)
    lake.write(queries, schema.QUERIES, *queries_of("judged", name), fingerprint=fingerprint)
    lake.write(pool, schema.UNITS, *pool_of(name), fingerprint=fingerprint)

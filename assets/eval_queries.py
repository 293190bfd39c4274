"""`eval_queries`: documentation queries and judged queries of the held-out sources, with their pools."""

from pathlib import Path
from typing import NamedTuple

import dagster as dg
import polars as pl

from assets.common import OWNERS, counts, of_source, told, versions
from assets.pairs import pairs_of
from common.hashing import digest, digest_file
from corpus import heldout, schema
from corpus.sources import PypiSource
from evaluation.queries import FOLDER, JudgedSet, load_judged, resolve
from resources.lake import Lake
from resources.project import Project

PERSONAL = "personal"
DOMAINS = ("rust", "formal", "general", PERSONAL)
"""Domains that have judged queries of their own, and pools that were judged against them."""

SPLITS = ("valid", "test")
_VALID_UNITS, _VALID_QUERIES, _TEST_QUERIES = 1000, 200, 500


PLACE = ("eval",)
"""The folder of all of them."""


def judged_file(domain: str, split: str, personal: Path | None = None) -> Path:
    """The judged queries of one domain and split: the ones that ship, or the owner's in `personal`."""
    folder = personal if domain == PERSONAL and personal is not None else FOLDER
    return folder / f"{domain}_{'queries' if split == 'test' else split}.json"


JUDGED = [
    path for domain in DOMAINS for split in SPLITS if (path := judged_file(domain, split)).is_file()
]
"""Every file of judged queries that ships."""


def load_personal(project: Project) -> list[JudgedSet]:
    """What the owner accepted, one set a file; none before there is any."""
    files = (judged_file(PERSONAL, split, project.queries_path()) for split in SPLITS)
    return [load_judged(path).asked() for path in files if path.is_file()]


def set_names() -> list[str]:
    """What is asked: documentation queries, and the judged queries of each domain."""
    return ["doc", *(_judged(domain) for domain in DOMAINS)]


def _judged(domain: str) -> str:
    """Those about Rust functions came first, and search what documentation queries search."""
    return "judged" if domain == "rust" else f"judged_{domain}"


def queries_of(name: str, split: str) -> tuple[str, ...]:
    """Where the queries of one set lie."""
    return (*PLACE, f"{name}_{split}.parquet")


def pool_of(name: str, split: str) -> tuple[str, ...]:
    """Where the units lie that the set `name` searches."""
    own = "" if name == "doc" else name.removeprefix("judged")
    return (*PLACE, f"pool{own}_{split}.parquet")


PLACES = list(
    dict.fromkeys(
        place
        for name in set_names()
        for split in SPLITS
        for place in (queries_of(name, split), pool_of(name, split))
    )
)


@dg.asset(
    deps=["units", "doc_pairs"],
    group_name="evaluation",
    kinds={"parquet"},
    owners=OWNERS,
    code_version=heldout.VERSION,
    check_specs=[
        dg.AssetCheckSpec(
            "not_copied",
            asset="eval_queries",
            description="No judged query has most of its words from the doc of its answer.",
        )
    ],
)
def eval_queries(lake: Lake, project: Project) -> dg.MaterializeResult:
    """What the held-out sources are asked: doc sentences, and queries as engineers type them."""
    with told():
        manifest = project.load_manifest()
        released = {
            source.name: source.version
            for source in manifest.repositories
            if isinstance(source, PypiSource)
        }
        splits = project.load_splits(manifest)
        personal = load_personal(project)
        own = {source.name for source in manifest.repositories if source.domain == PERSONAL}
        names = [name for name, split in splits.items() if split != "train"]
        places = [
            place for name in names for place in (of_source("units", name), pairs_of("doc", name))
        ]
        fingerprint = digest(
            heldout.VERSION,
            splits,
            versions(lake, *places),
            [digest_file(path) for path in JUDGED],
            *([each.model_dump() for each in personal], sorted(own)),
            [_VALID_UNITS, _VALID_QUERIES, _TEST_QUERIES],
        )
        stored = lake.stored_all(PLACES)
        unchanged = all(each is not None and each.fingerprint == fingerprint for each in stored)
        if not unchanged:
            for split in SPLITS:
                sources = [name for name in names if splits[name] == split]
                held = _HeldOut(split, sources, released)
                _write(lake, held, fingerprint)
                for domain in ("formal", "general"):
                    _write_judged(lake, domain, held, fingerprint)
                asked = [each for each in personal if each.split == split]
                _write_personal(lake, asked, held, own, fingerprint)
    sets = {name: lake.read(*queries_of(name, "test")) for name in set_names()}
    return dg.MaterializeResult(
        data_version=dg.DataVersion(versions(lake, *PLACES)),
        metadata={
            "unchanged": unchanged,
            "dagster/row_count": sum(frame.height for frame in sets.values()),
            "pool": lake.read(*pool_of("doc", "test"), columns=["unit_id"]).height,
            **{name: counts(found, "style", "dialect") for name, found in sets.items()},
            "documentation": sets["doc"].height,
            "not_asked": dg.MetadataValue.json(
                _elsewhere(lake, names, released) | _gone(lake, personal)
            ),
        },
        check_results=[_not_copied(lake)],
    )


def _not_copied(lake: Lake) -> dg.AssetCheckResult:
    found: dict[str, float] = {}
    for name in set_names()[1:]:
        for split in SPLITS:
            queries, pool = lake.read(*queries_of(name, split)), lake.read(*pool_of(name, split))
            found |= heldout.copied(queries, pool)
    return dg.AssetCheckResult(
        check_name="not_copied", passed=not found, metadata={"copied": dg.MetadataValue.json(found)}
    )


class _HeldOut(NamedTuple):
    """The sources of a split, and the versions of all that are releases."""

    split: str
    sources: list[str]
    released: dict[str, str]


def _write(lake: Lake, held: _HeldOut, fingerprint: str) -> None:
    split, sources, released = held
    units = lake.read_all([of_source("units", name) for name in sources], schema.UNITS)
    doc_pairs = lake.read_all([pairs_of("doc", name) for name in sources], schema.PAIRS)
    pool = heldout.pool(units)
    judged = _resolved(load_judged(judged_file("rust", split)), units, pool, released)
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
    lake.write(pool, schema.UNITS, *pool_of("doc", split), fingerprint=fingerprint)


def _write_judged(lake: Lake, domain: str, held: _HeldOut, fingerprint: str) -> None:
    """The judged queries of `domain` over those of its sources that the manifest has: none, maybe."""
    split, sources, released = held
    name, path = _judged(domain), judged_file(domain, split)
    queries = schema.empty(schema.QUERIES)
    pool = schema.empty(schema.UNITS)
    if path.is_file():
        judged = load_judged(path)
        about = [source for source in sources if source in judged.revisions]
        units = lake.read_all([of_source("units", source) for source in about], schema.UNITS)
        pool = heldout.judged_pool(domain, units, about)
        queries = _resolved(judged, units, pool, released)
    lake.write(queries, schema.QUERIES, *queries_of(name, split), fingerprint=fingerprint)
    lake.write(pool, schema.UNITS, *pool_of(name, split), fingerprint=fingerprint)


def _write_personal(
    lake: Lake, asked: list[JudgedSet], held: _HeldOut, own: set[str], fingerprint: str
) -> None:
    """The owner's queries over all definitions of the owner's held-out sources.

    Those move on with every commit, so a query is asked at any revision at which an answer is searched.
    """
    sources = [source for source in held.sources if source in own]
    units = lake.read_all([of_source("units", source) for source in sources], schema.UNITS)
    pool = heldout.judged_pool(PERSONAL, units, sources)
    searched = set(pool.select("source", "path", "symbol").iter_rows())
    places = pool.select("source", "path", "symbol", "unit_id").rows(named=True)
    rows = [
        row
        for judged in asked
        for row in resolve(_standing(judged, searched), places, set(pool["unit_id"]))
    ]
    queries = pl.DataFrame(rows, schema=schema.empty(schema.QUERIES).schema)
    name = _judged(PERSONAL)
    lake.write(queries, schema.QUERIES, *queries_of(name, held.split), fingerprint=fingerprint)
    lake.write(pool, schema.UNITS, *pool_of(name, held.split), fingerprint=fingerprint)


def _standing(judged: JudgedSet, searched: set[tuple[str, str, str]]) -> JudgedSet:
    """The set with those of its answers alone that are among `searched`, and the queries that have any."""
    queries = [
        query.model_copy(update={"answers": answers})
        for query in judged.queries
        if (answers := [a for a in query.answers if (a.source, a.path, a.symbol) in searched])
    ]
    return judged.model_copy(update={"queries": queries})


def _gone(lake: Lake, personal: list[JudgedSet]) -> dict[str, str]:
    """The owner's queries that are not asked."""
    asked = {
        identifier
        for split in SPLITS
        for identifier in lake.read(*queries_of(_judged(PERSONAL), split))["query_id"]
    }
    told = "no answer is a definition of a held-out source: `provender queries check` says why"
    return {query.id: told for each in personal for query in each.queries if query.id not in asked}


def _resolved(
    judged: JudgedSet, units: pl.DataFrame, pool: pl.DataFrame, released: dict[str, str]
) -> pl.DataFrame:
    """The queries about sources that are here at the revision at which they were judged."""
    asked = pl.DataFrame(
        {"source": list(judged.revisions), "judged_at": list(judged.revisions.values())},
        schema={"source": pl.String, "judged_at": pl.String},
    )
    version = pl.col("source").replace_strict(released, default=None, return_dtype=pl.String)
    places = (
        units.select("source", "path", "symbol", "unit_id", "revision")
        .join(asked, on="source")
        .filter(pl.coalesce(version, "revision") == pl.col("judged_at"))
        .iter_rows(named=True)
    )
    rows = resolve(judged, places, set(pool["unit_id"]))
    return pl.DataFrame(rows, schema=schema.empty(schema.QUERIES).schema)


def _elsewhere(lake: Lake, names: list[str], released: dict[str, str]) -> dict[str, str]:
    """Sources that are here at another revision than their queries were judged at, which are not asked."""
    found = {}
    for path in JUDGED:
        for source, judged_at in load_judged(path).revisions.items():
            if source in names:
                revisions = lake.read(*of_source("units", source), columns=["revision"])
                here = released.get(source) or next(iter(revisions["revision"]), judged_at)
                if here != judged_at:
                    found[source] = f"is at {here}, was judged at {judged_at}"
    return found

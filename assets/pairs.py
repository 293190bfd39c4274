"""`doc_pairs`, `path_pairs`, `body_pairs`: the kinds of training pair that units give; and
`codesearchnet_pairs`, the published ones.
"""

from collections import Counter
from collections.abc import Callable

import dagster as dg
import polars as pl

from assets.common import (
    OWNERS,
    counts,
    describe,
    markdown_table,
    of_source,
    produce,
    sources,
    told,
    versions,
)
from common.hashing import digest
from corpus import schema
from corpus.pairs import body, dataset, doc, path
from corpus.pairs.base import refresh
from resources.lake import Lake, Stored
from resources.project import Project

TYPES = ("doc", "path", "body")
DATASET = "dataset"


def pairs_of(pair_type: str, source: str) -> tuple[str, ...]:
    """Where the pairs of one type and source lie."""
    return of_source(f"pairs/pair_type={pair_type}", source)


def _pairs(
    name: str,
    pair_type: str,
    build: Callable[[pl.DataFrame], pl.DataFrame],
    version: str,
    text: str,
) -> dg.AssetsDefinition:
    @dg.asset(
        name=name,
        partitions_def=sources,
        deps=["units"],
        group_name="pairs",
        kinds={"parquet"},
        owners=OWNERS,
        description=text,
        code_version=version,
    )
    def pairs(context: dg.AssetExecutionContext, lake: Lake) -> dg.MaterializeResult:
        units = of_source("units", context.partition_key)
        place = pairs_of(pair_type, context.partition_key)
        return produce(
            lake,
            place,
            schema.PAIRS,
            fingerprint=digest(version, versions(lake, units)),
            make=lambda: refresh(
                build, version, lake.read(*units), lake.read_if_there(*place, schema=schema.PAIRS)
            ),
            metadata=lambda frame: {"query_kinds": counts(frame, "query_kind")},
        )

    return pairs


doc_pairs = _pairs(
    "doc_pairs",
    "doc",
    doc.doc_pairs,
    doc.VERSION,
    "Doc comment -> code: first sentences, later sentences and keyword forms.",
)
path_pairs = _pairs(
    "path_pairs",
    "path",
    path.path_pairs,
    path.VERSION,
    "Path, module and symbol in words -> code, for units without a usable doc.",
)
body_pairs = _pairs(
    "body_pairs",
    "body",
    body.body_pairs,
    body.VERSION,
    "Remarks and messages inside a body -> the function without them.",
)


@dg.asset(
    group_name="pairs",
    kinds={"parquet"},
    owners=OWNERS,
    code_version=dataset.VERSION,
)
def codesearchnet_pairs(lake: Lake, project: Project) -> dg.MaterializeResult:
    """Docstring -> code from published data sets, sampled; empty where the manifest names none."""
    unchanged, left_out = True, Counter[str]()
    stored: list[Stored] = []
    with told():
        manifest, policy = project.load_manifest(), project.load_policy()
        wishes = project.load_optouts()
        for source in manifest.datasets:
            place = pairs_of(DATASET, source.name)
            fingerprint = digest(
                dataset.VERSION,
                source.model_dump(mode="json"),
                policy.tier(source.license),
                wishes.model_dump(),
                [path.stat().st_mtime_ns for path in source.paths if path.exists()],
            )
            known = lake.stored(*place)
            if known is None or known.fingerprint != fingerprint:
                unchanged = False
                frame, counted = dataset.dataset_pairs(source, lake.path("cache"), policy, wishes)
                left_out.update(counted)
                known = lake.write(frame, schema.PAIRS, *place, fingerprint=fingerprint)
            stored.append(known)
    places = [pairs_of(DATASET, source.name) for source in manifest.datasets]
    frame = lake.read_all(places, schema.PAIRS)
    shown = Stored(lake.path("pairs", "pair_type=dataset"), "", "", frame.height)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(digest([each.data_version for each in stored])),
        metadata={
            **describe(shown, frame, schema.PAIRS, unchanged=unchanged),
            "left_out": dg.MetadataValue.md(
                markdown_table(("reason", "rows"), left_out.most_common())
            ),
        },
    )

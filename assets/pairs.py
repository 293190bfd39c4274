"""`doc_pairs`, `path_pairs`, `body_pairs`, `proof_pairs`, `readme_pairs`: what units and sections give;
and `codesearchnet_pairs`, the published ones.
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
from corpus.pairs import body, dataset, doc, path, proof, readme
from corpus.pairs.base import refresh
from corpus.quality import Quality
from resources.lake import Lake, Stored
from resources.project import Project

TYPES = ("doc", "path", "body", "readme", "proof")
DATASET = "dataset"

_SAMPLES, _SAMPLE_CHARS = 5, 600


def pairs_of(pair_type: str, source: str) -> tuple[str, ...]:
    """Where the pairs of one type and source lie."""
    return of_source(f"pairs/pair_type={pair_type}", source)


Build = Callable[[Lake, str, Quality], pl.DataFrame]
"""Makes the pairs of one type and source."""


def _pairs(
    pair_type: str, build: Build, version: str, text: str, *, deps: tuple[str, ...] = ("units",)
) -> dg.AssetsDefinition:
    @dg.asset(
        name=f"{pair_type}_pairs",
        partitions_def=sources,
        deps=deps,
        group_name="pairs",
        kinds={"parquet"},
        owners=OWNERS,
        description=text,
        code_version=version,
    )
    def pairs(
        context: dg.AssetExecutionContext, lake: Lake, project: Project
    ) -> dg.MaterializeResult:
        source = context.partition_key
        with told():
            quality = project.load_quality()
        return produce(
            lake,
            pairs_of(pair_type, source),
            schema.PAIRS,
            asset=f"{pair_type}_pairs",
            fingerprint=digest(
                *(version, quality.model_dump()),
                versions(lake, *(of_source(table, source) for table in deps)),
            ),
            make=lambda: build(lake, source, quality),
            metadata=lambda frame: {
                "query_kinds": counts(frame, "language", "dialect", "query_kind"),
                "samples": dg.MetadataValue.md(_samples(frame)),
            },
        )

    return pairs


def _samples(frame: pl.DataFrame) -> str:
    """A few pairs as a person would read them."""
    drawn = frame.sort("pair_id").head(_SAMPLES).select("query", "symbol", "positive")
    return "\n\n".join(
        f"**{query}** → `{symbol}`\n\n```\n{code[:_SAMPLE_CHARS].replace('```', '')}\n```"
        for query, symbol, code in drawn.iter_rows()
    )


def _refreshed(
    pair_type: str,
    build: Callable[[pl.DataFrame, Quality], pl.DataFrame],
    version: Callable[[Quality], str],
) -> Build:
    """A build that carries the pairs of unchanged files over."""

    def made(lake: Lake, source: str, quality: Quality) -> pl.DataFrame:
        return refresh(
            lambda units: build(units, quality),
            version(quality),
            lake.read(*of_source("units", source)),
            lake.read_if_there(*pairs_of(pair_type, source), schema=schema.PAIRS),
        )

    return made


doc_pairs = _pairs(
    "doc",
    _refreshed("doc", lambda units, _: doc.doc_pairs(units), lambda _: doc.VERSION),
    doc.VERSION,
    "Doc comment -> code: first sentences, later sentences and keyword forms.",
)
path_pairs = _pairs(
    "path",
    _refreshed("path", path.path_pairs, path.version),
    path.VERSION,
    "Path, module and symbol in words -> code, for units without a usable doc.",
)
body_pairs = _pairs(
    "body",
    _refreshed("body", lambda units, _: body.body_pairs(units), lambda _: body.VERSION),
    body.VERSION,
    "Remarks and messages inside a body -> the function without them.",
)
proof_pairs = _pairs(
    "proof",
    lambda lake, source, _: proof.proof_pairs(lake.read(*of_source("units", source))),
    proof.VERSION,
    "Contracts, harnesses, theorems and specifications in words -> the code that they are about.",
)
readme_pairs = _pairs(
    "readme",
    lambda lake, source, _: readme.readme_pairs(
        lake.read(*of_source("units", source)), lake.read(*of_source("sections", source))
    ),
    readme.VERSION,
    "Sentences of READMEs and documentation -> the code that they name.",
    deps=("units", "sections"),
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
    shown = Stored(lake.uri("pairs", "pair_type=dataset"), "", "", frame.height)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(digest([each.data_version for each in stored])),
        metadata={
            **describe(
                shown, frame, schema.PAIRS, asset="codesearchnet_pairs", unchanged=unchanged
            ),
            "left_out": dg.MetadataValue.md(
                markdown_table(("reason", "rows"), left_out.most_common())
            ),
        },
    )

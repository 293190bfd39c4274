"""`expert_general` … `expert_personal`: an adapter a domain, each on the base model itself; `merged`, one
model of them all; and `router`, which sends a query to one of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.checkpoints import (
    EXPERTS,
    MERGED,
    checkpoint_asset,
    lineage,
    place_of_expert,
    retention,
)
from assets.common import GPU, OWNERS, markdown_table, told
from assets.corpus import place_of
from assets.eval_queries import PLACE as JUDGED
from assets.eval_queries import PLACES
from common.hashing import digest
from common.stages import ORDER
from resources.lake import Lake
from resources.project import Project

if TYPE_CHECKING:
    from evaluation.routing import Router

ROUTER = ("models", "router")
VERSION = "1"

EXPERT_ASSETS = [checkpoint_asset(name, expert=True) for name in ORDER]

_OF_ALL = [place_of_expert(name)[-1] for name in EXPERTS]


@dg.asset(
    deps=[*_OF_ALL, "corpus", "eval_queries"],
    group_name="experts",
    kinds={"pytorch"},
    owners=OWNERS,
    code_version=VERSION,
    pool=GPU,
)
def merged(context: dg.AssetExecutionContext, lake: Lake, project: Project) -> dg.MaterializeResult:
    """All experts as one adapter, by the weighted merge that validation queries chose."""
    from training.combine import combine

    with told():
        place = lake.path(*MERGED)
        manifest = combine(_experts(lake, project), place, **_watched(lake), tell=context.log.info)
        lake.publish(*MERGED)
    weights = {name: each["weight"] for name, each in manifest["merged_from"].items()}
    return dg.MaterializeResult(
        data_version=dg.DataVersion(manifest["fingerprint"]),
        metadata={
            "unchanged": not manifest["combined"],
            "dagster/uri": lake.uri(*MERGED),
            "method": manifest["method"],
            "weights": dg.MetadataValue.json(weights),
            "tried": dg.MetadataValue.md(
                markdown_table(
                    ["method", *weights, "MRR"],
                    (
                        [row["method"], *row["weights"].values(), row["MRR"]]
                        for row in manifest["tried"]
                    ),
                )
            ),
            "retention": dg.MetadataValue.md(retention(manifest)),
            "made_from": dg.MetadataValue.md(lineage(manifest)),
        },
    )


@dg.asset(
    deps=[*_OF_ALL, "corpus", "eval_queries"],
    group_name="experts",
    kinds={"scikitlearn"},
    owners=OWNERS,
    code_version=VERSION,
    pool=GPU,
)
def router(lake: Lake, project: Project) -> dg.MaterializeResult:
    """Which expert a query goes to: a calibrated classifier of the base model's query embeddings."""
    from training.router import make_router

    with told():
        made = make_router(
            _experts(lake, project),
            lake.path(*ROUTER),
            corpus=lake.path(*place_of("train")),
            **_watched(lake),
        )
        lake.publish(*ROUTER)
    parts = {"training queries held out": made["held_out"], **made["validation"]}
    return dg.MaterializeResult(
        data_version=dg.DataVersion(digest(made["fingerprint"])),
        metadata={
            "unchanged": not made["made"],
            "dagster/uri": lake.uri(*ROUTER),
            "reads": made["reads"],
            "threshold": made["threshold"],
            "confusion": dg.MetadataValue.md(
                "\n\n".join(f"{name}\n\n{confusion(each)}" for name, each in parts.items())
            ),
            "thresholds": dg.MetadataValue.md(
                markdown_table(
                    ["threshold", "MRR", "share of queries that go to two"],
                    (list(row.values()) for row in made["thresholds"]),
                )
            ),
            **{f"accuracy, {name}": each["accuracy"] for name, each in parts.items()},
            **{
                f"calibration error, {name}": each["calibration_error"]
                for name, each in parts.items()
            },
        },
    )


def confusion(figures: Mapping[str, Any]) -> str:
    """Where the router sends the queries of each domain, as a Markdown table."""
    rows: Sequence[Mapping[str, Any]] = figures["confusion"]
    sent = list(rows[0]["sent"]) if rows else []
    return markdown_table(
        ["queries about", "queries", *(f"to {name}" for name in sent)],
        ([row["domain"], row["queries"], *row["sent"].values()] for row in rows),
    )


@dataclass(frozen=True)
class Routed:
    """The lake's router, the experts that it was made with, and what identifies these."""

    router: "Router"
    places: dict[str, Path]
    fingerprints: dict[str, str]

    @property
    def fingerprint(self) -> str:
        """Of all of it."""
        return digest(self.fingerprints, self.router.manifest["fingerprint"])


def read_routed(lake: Lake) -> Routed:
    """The experts that the lake's router was made with, not loaded yet.

    Raises:
        ProvenderError: there is no router, an expert is missing, or the router was made with other ones.
    """
    from evaluation.routing import Router
    from training.experts import identified

    found = Router.load(lake.path(*ROUTER))
    places = {domain: lake.path(*place_of_expert(domain)) for domain in found.domains}
    _, fingerprints = identified(places)
    found.check(fingerprints)
    return Routed(found, places, fingerprints)


def _experts(lake: Lake, project: Project) -> dict[str, Path]:
    """The checkpoints of the profile's experts; those that were not trained are told when they are loaded."""
    return {name: lake.path(*place_of_expert(name)) for name in project.load_experts()}


def _watched(lake: Lake) -> dict[str, Path]:
    for each in PLACES:  # on S3: what is looked for below the folder
        lake.path(*each)
    return {"valid": lake.path(*place_of("valid")), "judged": lake.path(*JUDGED)}

"""`promotion`: whether the model becomes the champion, and why not."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from assets.checkpoints import MODEL
from assets.checks import corpus_rows
from assets.common import OWNERS, markdown_table, told
from assets.corpus import EDGES, trained_on
from assets.metrics import RANKS
from common.atomic import write_json
from common.errors import ProvenderError
from common.hashing import digest, digest_file
from corpus.verify import leaks, unlicensed
from resources.lake import Lake
from resources.project import Project
from resources.registry import CHAMPION, Registry
from training.checkpoint import read_manifest

if TYPE_CHECKING:
    from evaluation.gates import Evidence, Gate

DECISION = ("metrics", "promotion.json")
VERSION = "1"


@dg.asset(
    deps=["metrics", "model", "corpus"],
    group_name="evaluation",
    kinds={"mlflow"},
    owners=OWNERS,
    code_version=VERSION,
    check_specs=[
        dg.AssetCheckSpec(
            "gates",
            asset="promotion",
            description="The model has shown all that config asks of it.",
        ),
        dg.AssetCheckSpec(
            "registered", asset="promotion", description="MLflow's registry has the decision."
        ),
    ],
)
def promotion(lake: Lake, project: Project, registry: Registry) -> dg.MaterializeResult:
    """The model in MLflow's registry: champion where every gate holds, else candidate."""
    from evaluation.gates import promoted

    with told():
        gates = decided(lake, project, registry)
        registered, fault = _register(lake, registry, gates)
        found = {
            "fingerprint": read_manifest(lake.path(*MODEL))["fingerprint"],
            "promoted": promoted(gates),
            "gates": [vars(gate) for gate in gates],
            **registered,
        }
        unchanged = read_decision(lake) == found
        if not unchanged:
            write_json(found, lake.path(*DECISION))
        lake.publish(*DECISION)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(digest(found)),
        metadata={
            "unchanged": unchanged,
            "decision": told_decision(found),
            "version": found["version"] or "not registered",
            "champion": found["champion"] or "none yet",
            "gates": dg.MetadataValue.md(markdown(gates)),
            "dagster/uri": lake.uri(*DECISION),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="gates",
                passed=promoted(gates),
                severity=dg.AssetCheckSeverity.WARN,
                metadata={gate.name: _told(gate) for gate in gates},
            ),
            dg.AssetCheckResult(
                check_name="registered",
                passed=not fault,
                severity=dg.AssetCheckSeverity.ERROR,
                description=fault or None,
            ),
        ],
    )


def _register(
    lake: Lake, registry: Registry, gates: "list[Gate]"
) -> tuple[dict[str, str | None], str]:
    """The model's version and the champion's; and, where MLflow does not answer, what it said.

    The decision stands without it, and the report tells it; the check fails until MLflow has it, too.
    """
    from evaluation.gates import promoted

    try:
        version = registry.register(lake.path(*MODEL), markdown(gates))
        # Who has restored an earlier champion does not want the later one back by itself.
        if promoted(gates) and not version.was_champion:
            registry.promote(version)
        known = registry.versions()
    except ProvenderError as error:
        return {"version": None, "champion": None}, str(error)
    champion = next((each.number for each in known if CHAMPION in each.aliases), None)
    return {"version": version.number, "champion": champion}, ""


def decided(lake: Lake, project: Project, registry: Registry) -> "list[Gate]":
    """Every gate, from the lake's ranks and what its model is made of.

    Raises:
        ProvenderError: a table or the model is missing, or a setting is wrong.
    """
    from evaluation.gates import decide

    return decide(
        lake.read(*RANKS).to_dicts(),
        project.load_evaluation().gates,
        _evidence(lake, project, registry),
    )


def read_decision(lake: Lake) -> dict[str, Any] | None:
    """What `promotion` found of the lake's model; null where it has not looked at this one."""
    path = lake.path(*DECISION)
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    if found and found["fingerprint"] != read_manifest(lake.path(*MODEL))["fingerprint"]:
        return None
    return found


def told_decision(found: Mapping[str, Any]) -> str:
    """A decision in words."""
    if not found["promoted"]:
        return "stays candidate"
    if found["version"] is None:
        return "may become champion, once MLflow answers"
    if found["champion"] != found["version"]:
        return f"has passed its gates; version {found['champion']} was restored by hand"
    return "champion"


def read_gates(lake: Lake) -> "list[Gate]":
    """The gates of the decision about the lake's model; none where there is no decision."""
    from evaluation.gates import Gate

    found = read_decision(lake)
    return [Gate(**each) for each in found["gates"]] if found else []


def _evidence(lake: Lake, project: Project, registry: Registry) -> "Evidence":
    """Asks the corpus and the model themselves, whatever checks ran when."""
    from evaluation.gates import Evidence

    manifest = read_manifest(lake.path(*MODEL))
    export = manifest.get("export", {})
    weights = "model.safetensors"
    same = export.get("sha256", {}).get(weights) == digest_file(lake.path(*MODEL, weights))
    made_of = pl.read_parquet(lake.path(*MODEL, "provenance.parquet"))
    splits = project.load_splits(project.load_manifest())
    corpus = corpus_rows(lake)
    admitted = project.load_curriculum().admit
    opted_out = trained_on(lake).get(MODEL[-1])
    return Evidence(
        champion=_has_rival(registry, manifest["fingerprint"]),
        parity=export["parity"] if same else None,
        leaking=_all(
            _count(leaks(corpus, lake.read(*EDGES), splits), "pairs of the corpus"),
            _count(_held_out(made_of, splits), "files of the model"),
        ),
        unlicensed=_all(
            _count(unlicensed(corpus, admitted), "pairs of the corpus"),
            _count(made_of.filter(~pl.col("license_tier").is_in(admitted)), "files of the model"),
            f"{opted_out} files of the model whose authors want them left out" if opted_out else "",
        ),
    )


def _has_rival(registry: Registry, fingerprint: str) -> bool:
    """Whether another model is champion. Where MLflow does not answer, this one cannot become it."""
    try:
        champion = registry.version(CHAMPION)
    except ProvenderError:
        return False
    return champion is not None and champion.fingerprint != fingerprint


def _held_out(made_of: pl.DataFrame, splits: dict[str, Any]) -> pl.DataFrame:
    return made_of.filter(
        pl.col("source").is_in([name for name, split in splits.items() if split != "train"])
    )


def _count(found: pl.DataFrame, what: str) -> str:
    sources = ", ".join(found["source"].unique().sort().head(5))
    return f"{found.height} {what} ({sources})" if found.height else ""


def _all(*found: str) -> str:
    return "; ".join(each for each in found if each)


def markdown(gates: "list[Gate]") -> str:
    """The gates as a Markdown table."""
    return markdown_table(
        ["", "gate", "measured"],
        (["✓" if gate.passed else "✗", gate.name, gate.detail] for gate in gates),
    )


def _told(gate: "Gate") -> str:
    return f"{'pass' if gate.passed else 'FAIL'}: {gate.detail}"

"""`report`: the page that shows what was measured of the model, in the lake and in MLflow."""

import json
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from assets.checkpoints import MODEL
from assets.common import OWNERS, markdown_table, of_source, told
from assets.corpus import DROPS, SPLITS, place_of
from assets.eval_queries import pool_of
from assets.experts import MERGED
from assets.metrics import DIFFERENCES, METRICS, RANKS, REPORT, ROUTING, RUNS
from assets.promotion import read_gates
from common.atomic import write_json, write_text
from common.hashing import digest
from corpus.build import EVALUATED
from resources.lake import Lake
from resources.project import Project
from resources.tracking import Tracking, few_retries

if TYPE_CHECKING:
    from evaluation.gates import Gate
    from evaluation.report import Facts
    from evaluation.settings import Gates

LOGGED = ("reports", "logged.json")
"""Which page MLflow has: asked instead of MLflow, which takes seconds to load."""
VERSION = "5"
_UNIT = ["unit_id", "source", "path", "start_line", "symbol", "language", "prose", "code"]
_UNIT += ["license", "license_tier"]
_RANK = ["eval_set", "system", "mode", "query_id", "rank"]


@dg.asset(
    deps=["promotion"],
    group_name="evaluation",
    kinds={"html", "mlflow"},
    owners=OWNERS,
    code_version=VERSION,
)
def report(lake: Lake, project: Project, tracking: Tracking) -> dg.MaterializeResult:
    """One self-contained HTML page: decision, tables, plots, errors, and where every number is from."""
    from evaluation.report import render_report

    with told():
        facts = gathered(lake, project)
        html = render_report(facts)
        path = lake.path(*REPORT)
        unchanged = path.is_file() and path.read_text(encoding="utf-8") == html
        if not unchanged:
            write_text(html, path)
        lake.publish(*REPORT)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(digest(html)),
        metadata={
            "unchanged": unchanged,
            "dagster/uri": lake.uri(*REPORT),
            "report": dg.MetadataValue.url(path.as_uri()),
            **logged(lake, tracking, facts.manifest["tracking"].get("run_id", ""), html),
            **described(facts),
        },
    )


def gathered(lake: Lake, project: Project) -> "Facts":
    """What the page shows, read from the lake.

    Raises:
        ProvenderError: nothing was evaluated yet, or a table is missing.
    """
    from evaluation.gallery import worst
    from evaluation.report import Facts
    from training.checkpoint import read_manifest

    manifest = read_manifest(lake.path(*MODEL))
    metrics, differences, ranks = (
        lake.read(*place).to_dicts() for place in (METRICS, DIFFERENCES, RANKS)
    )
    by = ["split", "language", "source", "license_tier", "pair_type", "query_kind"]
    pairs = pl.concat([lake.read(*place_of(split), columns=by) for split in SPLITS])
    return Facts(
        metrics=metrics,
        differences=differences,
        ranks=ranks,
        gates=read_gates(lake),
        manifest=manifest,
        pairs=pairs.group_by(by).len("pairs").sort(by).to_dicts(),
        kept_out=_kept_out(lake),
        pool=lake.read(*pool_of("doc", "test"), columns=["unit_id"]).height,
        units=_units(lake, worst(ranks)),
        targets=project.load_evaluation().targets,
        origins=_origins(lake, manifest),
        earlier=_earlier(lake, manifest, ranks),
        experts=_experts(lake),
        rivals=rivals(ranks, project.load_evaluation().gates),
    )


def rivals(ranks: list[dict[str, Any]], gates: "Gates") -> "dict[str, list[Gate]]":
    """What of promotion's conditions the ranks of the model and its rivals meet; nothing without a rival."""
    from evaluation.gates import TUNED, on_queries
    from evaluation.routing import ROUTED

    systems = dict.fromkeys(row["system"] for row in ranks)
    rivalling = [each for each in (TUNED, MERGED[-1], ROUTED) if each in systems]
    if rivalling == [TUNED]:
        return {}  # its own gates are the decision's
    return {system: on_queries(ranks, gates, system) for system in rivalling}


def _kept_out(lake: Lake) -> list[dict]:
    """How many pairs of which sources were not trained on because they are evaluated."""
    evaluated = lake.read(*DROPS).filter(pl.col("reason").is_in(EVALUATED))
    by = ["source", "reason"]
    return evaluated.group_by(by).agg(pl.col("pairs").sum()).sort(by).to_dicts()


def _units(lake: Lake, cases: list[dict]) -> dict[str, dict]:
    """The units that `cases` name, by id, from the pools that their sets search."""
    found = {}
    for eval_set in {case["eval_set"] for case in cases}:
        own = [case for case in cases if case["eval_set"] == eval_set]
        wanted = [case.get(name) for case in own for name in ("top", "gold")]
        place = pool_of(eval_set.removesuffix("_test"), "test")
        pool = lake.read(*place, columns=_UNIT).filter(pl.col("unit_id").is_in(wanted))
        found |= {row["unit_id"]: row for row in pool.iter_rows(named=True)}
    return found


def _origins(lake: Lake, manifest: dict) -> dict[str, str]:
    """The address of each source of the model; data sets have none."""
    from evaluation.stages import stages_of

    found = {}
    for source in {row["source"] for stage in stages_of(manifest) for row in stage["sources"]}:
        place = of_source("repos", source)
        if (stored := lake.stored(*place)) and stored.rows:
            found[source] = lake.read(*place, columns=["origin"])["origin"][0]
    return found


def _earlier(lake: Lake, manifest: dict, ranks: list[dict]) -> dict[str, list[dict]]:
    """The ranks of the stages before the last that were evaluated once, on the queries of today."""
    from evaluation.tables import comparable

    found = {}
    for stage in reversed(manifest["lineage"]):
        place = (*RUNS, f"{stage['fingerprint'][:12]}.parquet")
        if lake.stored(*place) is not None:
            rows = comparable(ranks, lake.read(*place, columns=_RANK).to_dicts())
            if rows:
                found[stage["stage"]] = rows
    return found


def _experts(lake: Lake) -> dict[str, Any]:
    """What the last evaluation found out about the experts; nothing where it did not ask them."""
    path, metrics = lake.path(*ROUTING), lake.stored(*METRICS)
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found if metrics and found.get("of") == metrics.fingerprint else {}


def described(facts: "Facts") -> dict[str, Any]:
    """The decision, its gates, the figures and plots in short, for Dagster's UI."""
    from evaluation.plots import bars
    from evaluation.tables import asked, headline, named, targets, verdict

    failed = [gate.name for gate in facts.gates if not gate.passed]
    gates = (f"- {'✓' if each.passed else '✗'} {each.name}: {each.detail}" for each in facts.gates)
    plots = (f"![{named(each)}]({bars(facts.metrics, each)})" for each in asked(facts.metrics))
    tables = {
        "headline": (
            ["MRR", "queries", "BM25", "base", "tuned", "tuned hybrid", "verdict"],
            [
                [
                    *(row["name"], row["queries"]),
                    *(_rounded(row[name]) for name in ("bm25", "base", "tuned", "hybrid")),
                    verdict(row["difference"]),
                ]
                for row in headline(facts.metrics, facts.differences)
            ],
        ),
        "targets": (
            ["target", "at least", "measured", "state"],
            [
                [row["name"], row["target"], _rounded(row["measured"]), row["state"]]
                for row in targets(facts.targets.figures, facts.metrics)
            ],
        ),
    }
    return {
        "decision": "promoted"
        if facts.promoted
        else f"not promoted: {'; '.join(failed) or 'not judged'}",
        "gates": dg.MetadataValue.md("\n".join(gates)),
        **{name: dg.MetadataValue.md(markdown_table(*table)) for name, table in tables.items()},
        "quality": dg.MetadataValue.md("\n\n".join(plots)),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def logged(lake: Lake, tracking: Tracking, run: str, html: str) -> dict[str, Any]:
    """Log the page to the run that trained the model, unless it is there; what Dagster's UI says of it.

    The report stands without MLflow: where it takes no page, the metadata say why.

    Args:
        run: the MLflow run; empty where the model was trained without.
    """
    if not run:
        return {"mlflow_not_logged": "the model was trained without MLflow"}
    place = lake.path(*LOGGED)
    note = json.loads(place.read_text(encoding="utf-8")) if place.is_file() else {}
    of = digest(tracking.uri, run, html)
    if note.get("of") != of:
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError  # which MLflow lets through

        try:
            with few_retries():
                tracking.client().log_text(run, html, REPORT[-1])
                note = {"of": of, "link": tracking.run_link(run)}
        except (MlflowException, SQLAlchemyError, OSError) as error:
            return {"mlflow_not_logged": str(tracking.explained(error, "the report"))}
        write_json(note, place)
        lake.publish(*LOGGED)
    return {"mlflow_run": dg.MetadataValue.url(note["link"])}

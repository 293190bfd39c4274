"""The asset `report` on a lake of a few rows: what it reads, what it logs, what it tells Dagster."""

import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from mlflow import MlflowClient
from sqlalchemy.exc import OperationalError

from assets.checkpoints import MODEL
from assets.common import of_source
from assets.corpus import DROPS, SPLITS, place_of
from assets.eval_queries import pool_of
from assets.metrics import DIFFERENCES, METRICS, RANKS, REPORT, RUNS
from assets.promotion import DECISION
from assets.report import LOGGED, gathered, logged, report
from common.atomic import write_json
from corpus import schema
from resources.lake import Lake
from resources.project import Project
from resources.tracking import Tracking
from tests.corpus.frames import units
from tests.corpus.test_datasets import corpus, pair
from tests.evaluation.pages import Page
from training.tracking import artifacts

COMMIT = "ab" * 20
GATES = [
    {"name": "better", "passed": True, "detail": "MRR +0.100"},
    {"name": "licensed", "passed": False, "detail": "3 files | of one source"},
]


def manifest(run: str = "") -> dict[str, Any]:
    stage = {"retention": None, "sources": []}
    return {
        **stage,
        "stage": "rust",
        "root": "embedded:minilm",
        "fingerprint": "f" * 32,
        "data_version": "d" * 32,
        "config": {},
        "code_version": {"training": "3", "provender": "0.1.0"},
        "history": [{"step": 0, "loss": 1.0}],
        "sources": [
            {"source": "demo", "revision": COMMIT, "license": "MIT", "pairs": 3},
            {"source": "published", "revision": "1", "license": "MIT", "pairs": 2},
        ],
        "lineage": [{**stage, "stage": "general", "fingerprint": "e" * 32}],
        "tracking": {"run_id": run} if run else {},
    }


def rank(system: str, query: str, at: int, eval_set: str = "judged_formal_test") -> dict[str, Any]:
    mode = "lexical" if system == "bm25" else "semantic"
    row = {"eval_set": eval_set, "system": system, "mode": mode, "query_id": query}
    row |= {"query": f"text of {query}", "style": "what", "rank": at}
    return {**row, "top": f"top-{query}", "gold": f"gold-{query}"}


RANKED = [
    *(rank("tuned", "a", 7), rank("base", "a", 3), rank("bm25", "a", 9)),
    *(rank("tuned", "b", 1), rank("base", "b", 2), rank("bm25", "b", 4)),
]


def write(lake: Lake, rows: list[dict[str, Any]], columns: Any, *place: str) -> None:
    frame = pl.DataFrame(rows, schema=schema.empty(columns).schema)
    lake.write(frame, columns, *place, fingerprint="f")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """What `report` reads: a model that was judged, and one query that it answers wrong."""
    made = Lake(root=str(tmp_path / "lake"))
    made.path(*MODEL).mkdir(parents=True)
    write_json(manifest(), made.path(*MODEL, "manifest.json"))
    write_json({"fingerprint": "f" * 32, "gates": GATES}, made.path(*DECISION))
    write(made, RANKED, schema.RANKS, *RANKS)
    figures = {"low": 0.1, "high": 0.9, "queries": 2, "alpha": None}
    measured = [
        {"eval_set": "judged_formal_test", "system": system, "mode": mode, "metric": metric}
        | figures
        | {"mean": 0.5}
        for system, mode in (("bm25", "lexical"), ("base", "semantic"), ("tuned", "semantic"))
        for metric in ("P@1", "MRR")
    ]
    write(made, measured, schema.METRICS, *METRICS)
    write(made, [], schema.DIFFERENCES, *DIFFERENCES)
    pool = units(
        *(
            {"unit_id": f"{name}-{query}", "path": f"src/{name}.rs", "symbol": f"{name}::{query}"}
            for name in ("top", "gold")
            for query in ("a", "b")
        )
    )
    made.write(pool, schema.UNITS, *pool_of("judged_formal", "test"), fingerprint="f")
    made.write(pool.head(3), schema.UNITS, *pool_of("doc", "test"), fingerprint="f")
    pairs = pl.concat([corpus(pair("a"), pair("b")), corpus(pair("c", split="test"))])
    for split in SPLITS:
        made.write(pairs.filter(split=split), schema.CORPUS, *place_of(split), fingerprint="f")
    dropped = {"source": "demo", "language": "rust", "pair_type": "doc", "pairs": 2}
    reasons = ("query_of_an_evaluation", "too_short")
    write(made, [{**dropped, "reason": reason} for reason in reasons], schema.DROPS, *DROPS)
    row = dict.fromkeys(schema.SNAPSHOT.names, "x") | {"size": 1, "source": "demo"}
    row |= {"origin": "https://example.org/demo.git", "revision": COMMIT}
    write(made, [row], schema.SNAPSHOT, *of_source("repos", "demo"))
    return made


def materialized(lake: Lake) -> dict[str, Any]:
    """What `report` tells Dagster."""
    done = dg.materialize(
        [report],
        resources={"lake": lake, "project": Project(), "tracking": Tracking(lake=lake)},
        selection=[report],
    )
    [event] = done.asset_materializations_for_node("report")
    return {name: value.value for name, value in event.metadata.items()}


# What it reads


def test_the_texts_of_what_is_shown_are_looked_up_and_no_others(lake: Lake) -> None:
    facts = gathered(lake, Project())
    assert set(facts.units) == {"top-a", "gold-a"}  # `b` is answered right
    assert facts.units["top-a"]["symbol"] == "top::a"
    assert facts.pool == 3


def test_pairs_are_counted_with_their_tiers_and_what_was_kept_out(lake: Lake) -> None:
    facts = gathered(lake, Project())
    counted = [
        (row["split"], row["source"], row["license_tier"], row["pairs"]) for row in facts.pairs
    ]
    assert sorted(counted) == [
        ("test", "demo", "permissive", 1),
        ("train", "demo", "permissive", 2),
    ]
    assert facts.kept_out == [{"source": "demo", "reason": "query_of_an_evaluation", "pairs": 2}]


def test_sources_have_the_address_that_they_were_fetched_from(lake: Lake) -> None:
    assert gathered(lake, Project()).origins == {"demo": "https://example.org/demo.git"}


def test_the_targets_are_those_of_the_configuration(lake: Lake, tmp_path: Path) -> None:
    assert [each.name for each in gathered(lake, Project()).targets.expected] == [
        *("General Code", "Rust", "Formal Methods", "Your Code")
    ]
    (tmp_path / "evaluation.yaml").write_text("baselines: []", encoding="utf-8")
    project = Project(evaluation=str(tmp_path / "evaluation.yaml"))
    assert gathered(lake, project).targets.expected == []


def test_a_stage_that_was_evaluated_once_is_compared(lake: Lake) -> None:
    place = (*RUNS, f"{'e' * 12}.parquet")
    write(lake, [rank("tuned", "a", 5), *RANKED[2::3]], schema.RANKS, *place)
    [row] = gathered(lake, Project()).earlier["general"]
    assert (row["system"], row["rank"]) == ("tuned", 5)
    write(lake, [rank("tuned", "a", 5), rank("bm25", "a", 1)], schema.RANKS, *place)
    assert gathered(lake, Project()).earlier == {}  # other documents, or other queries


def test_the_gates_are_those_of_the_decision_about_this_model(lake: Lake) -> None:
    assert [gate.name for gate in gathered(lake, Project()).gates] == ["better", "licensed"]
    write_json({"fingerprint": "0" * 32, "gates": GATES}, lake.path(*DECISION))
    assert gathered(lake, Project()).gates == []
    lake.path(*DECISION).unlink()
    assert gathered(lake, Project()).gates == []


def test_what_could_stand_in_the_models_place_is_held_against_the_same_gates(lake: Lake) -> None:
    assert gathered(lake, Project()).rivals == {}
    asked = [*RANKED, rank("merged", "a", 1), rank("merged", "b", 1), rank("fixed:rust", "a", 1)]
    write(lake, asked, schema.RANKS, *RANKS)
    rivals = gathered(lake, Project()).rivals
    assert list(rivals) == ["tuned", "merged"]
    assert [gates[0].detail[:10] for gates in rivals.values()] == ["MRR +0.155", "MRR +0.583"]


def test_ranks_of_before_there_were_units_are_reported_too(lake: Lake) -> None:
    older = lake.read(*RANKS).drop("top", "gold")
    older.write_parquet(lake.path(*RANKS))
    facts = gathered(lake, Project())
    assert facts.units == {}
    materialized(lake)
    assert "Not kept" in lake.path(*REPORT).read_text(encoding="utf-8")


# What it tells


def test_dagster_has_the_decision_the_figures_and_the_plots(lake: Lake) -> None:
    told = materialized(lake)
    assert told["unchanged"] is False
    assert told["dagster/uri"] == str(lake.path(*REPORT))
    assert told["report"] == lake.path(*REPORT).as_uri()
    assert told["decision"] == "not promoted: licensed"
    assert told["gates"] == "- ✓ better: MRR +0.100\n- ✗ licensed: 3 files | of one source"
    assert "| Judged: formal | 2 | 0.5 | 0.5 | 0.5 |  | not compared |" in told["headline"]
    assert "| Rust P@1 | 0.95 |  | not measured |" in told["targets"]
    assert told["quality"].startswith("![Judged: formal](data:image/png;base64,")
    assert told["mlflow_not_logged"] == "the model was trained without MLflow"
    page = Page(lake.path(*REPORT).read_text(encoding="utf-8"))
    assert page.headings[1] == (2, "✗ Not promoted")
    assert "top::a demo src/top.rs" in page.words
    assert f"https://example.org/demo/commit/{COMMIT}" in page.links


def test_nothing_new_is_written_the_second_time(lake: Lake) -> None:
    materialized(lake)
    made_at = lake.path(*REPORT).stat().st_mtime_ns
    assert materialized(lake)["unchanged"] is True
    assert lake.path(*REPORT).stat().st_mtime_ns == made_at


# What it logs


@pytest.fixture
def tracked(
    lake: Lake, mlflow_database: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Tracking, str]:
    """A store, and a run in it that trained the model."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    lake.path("mlflow").mkdir()
    shutil.copy(mlflow_database, lake.path("mlflow", "mlflow.db"))
    tracking = Tracking(lake=lake)
    client = tracking.client()
    experiment = client.create_experiment("provender", artifacts(tracking.uri))
    run = client.create_run(experiment).info.run_id
    write_json(manifest(run), lake.path(*MODEL, "manifest.json"))
    return tracking, run


def test_the_page_is_an_artifact_of_the_run_that_trained_the_model(
    lake: Lake, tracked: tuple[Tracking, str]
) -> None:
    tracking, run = tracked
    told = materialized(lake)
    assert told["mlflow_run"] == tracking.run_link(run)
    kept = tracking.client().download_artifacts(run, "report.html", str(lake.path()))
    assert Path(kept).read_text(encoding="utf-8") == lake.path(*REPORT).read_text(encoding="utf-8")


def test_the_same_page_is_uploaded_once(
    lake: Lake, tracked: tuple[Tracking, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking, run = tracked
    uploads: list[tuple[str, ...]] = []
    monkeypatch.setattr(MlflowClient, "log_text", lambda _, *what: uploads.append(what))
    first = logged(lake, tracking, run, "<p>one</p>")
    assert logged(lake, tracking, run, "<p>one</p>") == first
    logged(lake, tracking, run, "<p>two</p>")
    assert uploads == [(run, "<p>one</p>", "report.html"), (run, "<p>two</p>", "report.html")]


def test_without_mlflow_the_report_is_written_and_says_why_it_was_not_logged(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_json(manifest("a" * 32), lake.path(*MODEL, "manifest.json"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:hush@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    told = materialized(lake)
    assert "MLflow does not take the report" in told["mlflow_not_logged"]
    assert "hush" not in told["mlflow_not_logged"]
    assert "mlflow_run" not in told
    assert lake.path(*REPORT).is_file()
    assert not lake.path(*LOGGED).exists()


@pytest.mark.parametrize(
    "fault",
    [PermissionError(13, "no room for artifacts"), OperationalError("", {}, Exception("no room"))],
)
def test_a_store_that_does_not_take_the_page_is_said_so(
    lake: Lake, tracked: tuple[Tracking, str], fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking, run = tracked

    def refuse(*_: Any) -> None:
        raise fault

    monkeypatch.setattr(MlflowClient, "log_text", refuse)
    told = logged(lake, tracking, run, "<p></p>")
    assert "no room" in told["mlflow_not_logged"]
    assert not lake.path(*LOGGED).exists()


def test_a_run_that_the_store_does_not_know_is_said_so(
    lake: Lake, tracked: tuple[Tracking, str]
) -> None:
    tracking, _ = tracked
    told = logged(lake, tracking, "0" * 32, "<p></p>")
    assert set(told) == {"mlflow_not_logged"}
    assert "0" * 32 in told["mlflow_not_logged"]

"""`promotion` over a lake of rows and a real registry: what decides, and what is kept of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from assets.checkpoints import MODEL
from assets.common import of_source
from assets.metrics import RANKS
from assets.promotion import promotion, read_decision, read_gates
from common.hashing import digest_file
from corpus import schema
from evaluation.gates import promoted
from resources.lake import Lake
from resources.project import Project
from resources.registry import CANDIDATE, CHAMPION, Registry
from resources.tracking import Tracking
from tests.assets.test_checks import HELD_OUT, MANIFEST, fill

PARITY, LEAKAGE, LICENCES = "parity of export and adapter", "leakage", "licences"


@pytest.fixture
def lake(tmp_path: Path, mlflow_database: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake whose model answers all judged queries first, where its base has rank 2."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    made = Lake(root=str(tmp_path / "lake"))
    (tmp_path / "sources.yaml").write_text(MANIFEST, encoding="utf-8")
    fill(made, {}, HELD_OUT)
    write_ranks(made, tuned=1)
    write_model(made)
    made.path("mlflow").mkdir()
    shutil.copyfile(mlflow_database, made.path("mlflow", "mlflow.db"))
    return made


def write_ranks(lake: Lake, *, tuned: int) -> None:
    rows = [
        (eval_set, system, mode, f"q{number}", "text", "what", rank)
        for number in range(12)
        for eval_set in ("judged_test", "doc_test")
        for system, mode, rank in (
            ("tuned", "semantic", tuned),
            ("tuned", "hybrid", tuned),
            ("base", "semantic", 2),
            ("bm25", "lexical", 2),
        )
    ]
    columns = schema.empty(schema.RANKS).select(
        "eval_set", "system", "mode", "query_id", "query", "style", "rank"
    )
    frame = pl.DataFrame(rows, schema=columns.schema, orient="row")
    filled = pl.concat([schema.empty(schema.RANKS), frame], how="diagonal")
    lake.write(filled, schema.RANKS, *RANKS, fingerprint="f")


def write_model(lake: Lake, name: str = "a", **made_of: Any) -> None:
    folder = lake.path(*MODEL)
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "model.safetensors"
    weights.write_bytes(name.encode())
    manifest = {
        "fingerprint": name * 32,
        "stage": "rust",
        "tracking": {},
        "export": {"parity": 1e-7, "sha256": {weights.name: digest_file(weights)}},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    row = {"source": "demo", "blob_sha": "b1", "license_tier": "permissive"} | made_of
    pl.DataFrame([row]).write_parquet(folder / "provenance.parquet")


def registry(lake: Lake) -> Registry:
    return Registry(lake=lake, tracking=Tracking(lake=lake))


def materialize(lake: Lake) -> dg.ExecuteInProcessResult:
    project = Project(sources=str(lake.path().parent / "sources.yaml"))
    return dg.materialize(
        [promotion, *(dg.AssetSpec(name) for name in ("metrics", "model", "corpus"))],
        selection="promotion",
        resources={"lake": lake, "project": project, "registry": registry(lake)},
        raise_on_error=False,
    )


def failed(lake: Lake) -> list[str]:
    return [gate.name for gate in read_gates(lake) if not gate.passed]


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {each.check_name: each.passed for each in result.get_asset_check_evaluations()}


def test_a_model_that_passes_its_gates_is_the_champion(lake: Lake) -> None:
    result = materialize(lake)
    assert checks(result) == {"gates": True, "registered": True}
    champion = registry(lake).version(CHAMPION)
    assert champion is not None
    assert champion.fingerprint == "a" * 32
    assert "| ✓ | leakage |" in champion.decision
    decision = read_decision(lake)
    assert decision is not None
    assert (decision["promoted"], decision["version"], decision["champion"]) == (True, "1", "1")
    assert promoted(read_gates(lake))


def test_a_model_that_does_not_stays_candidate_beside_the_champion(lake: Lake) -> None:
    materialize(lake)
    write_model(lake, "b")
    write_ranks(lake, tuned=3)
    result = materialize(lake)
    assert result.success
    assert checks(result) == {"gates": False, "registered": True}
    known = {each.number: each.aliases for each in registry(lake).versions()}
    assert known == {"2": (CANDIDATE,), "1": (CHAMPION,)}
    decision = read_decision(lake)
    assert decision is not None
    assert (decision["promoted"], decision["version"], decision["champion"]) == (False, "2", "1")
    assert "✗" in registry(lake).versions()[0].decision


def test_the_same_again_changes_nothing(lake: Lake) -> None:
    first, second = materialize(lake), materialize(lake)
    [one], [two] = (each.asset_materializations_for_node("promotion") for each in (first, second))
    assert (one.metadata["unchanged"].value, two.metadata["unchanged"].value) == (False, True)
    assert one.tags is not None
    assert two.tags is not None
    assert one.tags["dagster/data_version"] == two.tags["dagster/data_version"]
    assert len(registry(lake).versions()) == 1


def test_a_champion_that_was_restored_by_hand_stays(lake: Lake) -> None:
    materialize(lake)
    write_model(lake, "b")
    rival = lake.read(*RANKS).filter(system="base").with_columns(system=pl.lit("champion"))
    frame = pl.concat([lake.read(*RANKS), rival])
    lake.write(frame, schema.RANKS, *RANKS, fingerprint="f")
    materialize(lake)
    registry(lake).restore()

    [made] = materialize(lake).asset_materializations_for_node("promotion")
    assert made.metadata["decision"].value == (
        "has passed its gates; version 1 was restored by hand"
    )
    champion = registry(lake).version(CHAMPION)
    assert champion is not None
    assert champion.number == "1"


def test_a_model_is_not_promoted_over_a_champion_that_was_not_asked(lake: Lake) -> None:
    materialize(lake)
    write_model(lake, "b")
    materialize(lake)
    assert failed(lake) == ["judged priority queries: not below the champion"]


def test_the_champion_is_no_candidate(lake: Lake) -> None:
    for _ in range(2):
        materialize(lake)
    assert [each.aliases for each in registry(lake).versions()] == [(CHAMPION,)]


def test_a_store_that_is_gone_loses_no_decision(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as gone:
        gone.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        gone.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        result = materialize(lake)
    assert result.success
    assert checks(result) == {"gates": True, "registered": False}
    assert failed(lake) == []
    decision = read_decision(lake)
    assert decision is not None
    assert decision["version"] is None
    assert checks(materialize(lake)) == {"gates": True, "registered": True}
    assert registry(lake).version(CHAMPION) is not None


def test_weights_that_nobody_measured_are_not_promoted(lake: Lake) -> None:
    (lake.path(*MODEL) / "model.safetensors").write_bytes(b"others")
    materialize(lake)
    assert failed(lake) == [PARITY]
    assert registry(lake).version(CHAMPION) is None


@pytest.mark.parametrize(
    ("made_of", "gate", "told"),
    [
        ({"source": "held"}, LEAKAGE, "1 files of the model (held)"),
        ({"license_tier": "strong"}, LICENCES, "1 files of the model (demo)"),
    ],
)
def test_what_the_model_is_made_of_decides(
    lake: Lake, made_of: dict[str, str], gate: str, told: str
) -> None:
    write_model(lake, **made_of)
    materialize(lake)
    assert {each.name: each.detail for each in read_gates(lake) if not each.passed} == {gate: told}


def test_a_corpus_that_leaks_or_lacks_a_licence_decides(lake: Lake) -> None:
    fill(lake, {"positive": "HELD", "license": None}, HELD_OUT)
    materialize(lake)
    assert failed(lake) == [LEAKAGE, LICENCES]


def test_a_file_whose_author_wants_it_left_out_decides(lake: Lake) -> None:
    gone = schema.empty(schema.TOMBSTONES)
    row = {
        name: "b1" if name == "blob_sha" else ("demo" if kind == pl.String else None)
        for name, kind in gone.schema.items()
    }
    frame = pl.DataFrame([row], schema=gone.schema)
    lake.write(frame, schema.TOMBSTONES, *of_source("tombstones", "demo"), fingerprint="f")
    materialize(lake)
    assert failed(lake) == [LICENCES]


def test_a_table_that_is_missing_is_told(lake: Lake) -> None:
    lake.path(*RANKS).unlink()
    result = materialize(lake)
    [event] = result.get_step_failure_events()
    assert "ranks.parquet" in str(event.step_failure_data.user_failure_data)
    assert read_decision(lake) is None

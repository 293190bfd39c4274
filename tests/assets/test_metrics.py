"""`metrics` over a tiny lake: which models are asked, what is written, and when it is measured again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
import yaml

from assets.checkpoints import MODEL, place_of_stage
from assets.eval_queries import pool_of, queries_of, set_names
from assets.metrics import DIFFERENCES, METRICS, RANKS, ROUTING, RUNS, SLICES, metrics
from common.hashing import digest_file
from corpus import schema
from resources.lake import Lake
from resources.project import Project
from resources.registry import Registry
from resources.tracking import Tracking
from tests.tiny import pair, tiny_recipe, write_checkpoint
from tests.training.layouts import (
    random_weight,
    write_dense,
    write_modules,
    write_pylate,
    write_roberta,
    write_stage,
    write_t5,
)
from tests.training.test_experts import write_experts, write_route
from training.checkpoint import MANIFEST, read_manifest
from training.model import load_encoder
from training.recipe import Recipe

LENGTHS = {"query_length": 12, "document_length": 24, "index_length": 40}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "models" / "bert")


@pytest.fixture
def lake(base: Path, tmp_path: Path) -> Lake:
    """A lake with six documentation and six judged queries, and a model of two stages."""
    made = Lake(root=str(tmp_path / "lake"))
    for name in set_names():
        for split, start in (("valid", 0), ("test", 20)):
            asked = range(start, start + 6) if name in ("doc", "judged") else ()
            _write_set(made, name, split, asked)
    recipe = tiny_recipe(base, **LENGTHS)
    write_stage(
        made.path(*place_of_stage("general")), recipe.model_copy(update={"stage": "general"})
    )
    _write_model(made, recipe)
    return made


def _write_set(lake: Lake, name: str, split: str, numbers: Iterable[int]) -> None:
    queries = [
        {
            "query_id": f"{name}{number}",
            "query": pair(number)["query"],
            "style": "what" if number % 2 else "keywords",
            "dialect": "kani" if number % 3 == 0 else None,
            "unit_ids": [f"u{number}"],
        }
        for number in numbers
    ]
    units = [
        {
            "unit_id": f"u{number}",
            "domain": "rust" if number % 2 else "formal",
            "file_context": pair(number)["file_context"],
            "symbol": pair(number)["symbol"],
            "prose": "",
            "code": pair(number)["positive"],
        }
        for number in numbers
    ]
    for columns, rows, place in (
        (schema.QUERIES, queries, queries_of(name, split)),
        (schema.UNITS, units, pool_of(name, split)),
    ):
        frame = _frame(columns, rows)
        lake.write(frame, columns, *place, fingerprint="f")


def _frame(columns: Any, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """`rows` with something empty in every other column."""
    kinds = schema.empty(columns).schema
    empty = {
        name: {pl.String: "", pl.Int64: 1, pl.Int32: 1, pl.Boolean: False}.get(kind.base_type(), [])
        for name, kind in kinds.items()
        if not columns.field(name).nullable
    }
    return pl.DataFrame([empty | row for row in rows], schema=kinds)


def _write_model(lake: Lake, recipe: Recipe) -> None:
    """The exported model, as if it were the stage `rust` after the stage `general`."""
    folder = lake.path(*MODEL)
    encoder = load_encoder(recipe, recipe.index_length)
    encoder.save_pretrained(str(folder), create_model_card=False, safe_serialization=True)
    before = read_manifest(lake.path(*place_of_stage("general")))
    manifest = {
        "stage": "rust",
        "fingerprint": "a" * 32,
        "config": recipe.model_dump(mode="json"),
        "root": recipe.base_model,
        "lineage": [{"stage": "general", "fingerprint": before["fingerprint"]}],
        "tracking": {},
        "export": {
            "parity": 0.0,
            "sha256": {"model.safetensors": digest_file(folder / "model.safetensors")},
        },
    }
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def _materialize(lake: Lake, **settings: Any) -> dict[str, Any]:
    """The metadata of `metrics` under these settings."""
    path = lake.path().parent / "evaluation.yaml"
    path.write_text(yaml.safe_dump({"stages": False} | settings), encoding="utf-8")
    result = dg.materialize(
        [metrics, *(dg.AssetSpec(name) for name in ("model", "eval_queries"))],
        selection="metrics",
        resources={
            "lake": lake,
            "project": Project(evaluation=str(path)),
            "tracking": Tracking(lake=lake),
            "registry": Registry(lake=lake, tracking=Tracking(lake=lake)),
        },
    )
    [made] = result.asset_materializations_for_node("metrics")
    return {name: value.value for name, value in made.metadata.items()}


def _systems(lake: Lake, eval_set: str = "judged_test") -> list[tuple[str, str]]:
    rows = lake.read(*METRICS).filter(eval_set=eval_set)
    return rows.select("system", "mode").unique(maintain_order=True).rows()


MODES = ("semantic", "hybrid", "rrf", "pooled")


def test_base_and_tuned_model_and_bm25_are_asked(lake: Lake) -> None:
    told = _materialize(lake)
    assert told["not_loaded"] == {}
    models = [(name, mode) for name in ("base", "tuned") for mode in MODES]
    assert _systems(lake) == [("bm25", "lexical"), ("bm25", "fields"), *models]
    assert _systems(lake, "doc_test") == [("bm25", "lexical"), *models]
    assert set(lake.read(*METRICS)["eval_set"]) == {"doc_test", "judged_test"}


def test_ranks_and_slices_know_the_dialect(lake: Lake) -> None:
    _materialize(lake)
    ranks = lake.read(*RANKS).filter(eval_set="judged_test", system="tuned", mode="semantic")
    assert ranks["dialect"].to_list() == [None, "kani", None, None, "kani", None]
    slices = lake.read(*SLICES).filter(
        eval_set="judged_test", system="tuned", mode="semantic", metric="P@1"
    )
    assert slices.select("slice", "value", "queries").rows() == [
        ("dialect", "kani", 2),
        ("dialect", "none", 4),
        ("style", "keywords", 3),
        ("style", "what", 3),
    ]
    [run] = lake.path(*RUNS).glob("*.parquet")
    assert run.stem == "a" * 12


def _baselines(folder: Path) -> dict[str, str]:
    """One of each layout that a baseline may have, by what it is called: folders."""
    write_t5(folder / "google" / "xtr-base-en")
    write_dense(folder / "google" / "xtr-base-en" / "1_Dense", random_weight(16, 32))
    modules = [
        ("", "sentence_transformers.models.Transformer"),
        ("1_Dense", "sentence_transformers.models.Dense"),
    ]
    write_modules(folder / "google" / "xtr-base-en", modules)
    write_roberta(folder / "microsoft" / "unixcoder-base")
    write_pylate(folder / "colbert", [random_weight(8, 32)])
    places = ("google/xtr-base-en", "microsoft/unixcoder-base", "colbert")
    return {place.rpartition("/")[2]: str(folder / place) for place in places}


def test_baselines_of_every_layout_are_systems_of_their_own(lake: Lake, tmp_path: Path) -> None:
    baselines = _baselines(tmp_path / "models")
    told = _materialize(lake, baselines=list(baselines.values()))
    assert told["not_loaded"] == {}
    assert _systems(lake)[10:] == [(name, mode) for name in baselines for mode in MODES]
    against = lake.read(*DIFFERENCES).filter(metric="MRR", eval_set="judged_test")
    assert against.select("system", "against").rows() == [
        ("tuned semantic", "base semantic"),
        ("tuned hybrid", "bm25 lexical"),
        ("tuned hybrid", "base hybrid"),
        *(("tuned semantic", f"{name} semantic") for name in baselines),
    ]
    assert set(lake.read(*RANKS)["system"]) == {"bm25", "base", "tuned", *baselines}
    assert set(lake.read(*SLICES)["system"]) == {"bm25", "base", "tuned", *baselines}


def test_what_cannot_be_loaded_is_told_and_costs_nothing_else(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    there = _baselines(tmp_path / "models")["colbert"]
    wrong = [str(tmp_path / "empty"), str(tmp_path / "gone")]
    told = _materialize(lake, baselines=[*wrong, there])
    assert set(told["not_loaded"]) == {"empty", "gone"}
    assert "neither a config.json nor a modules.json" in told["not_loaded"]["empty"]
    assert {name for name, _ in _systems(lake)} == {"bm25", "base", "tuned", "colbert"}
    again = _materialize(lake, baselines=[*wrong, there])
    assert again["unchanged"]
    assert again["not_loaded"] == told["not_loaded"]


def test_what_can_be_loaded_later_is_measured_then(lake: Lake, tmp_path: Path) -> None:
    place = str(tmp_path / "models" / "later")
    assert set(_materialize(lake, baselines=[place])["not_loaded"]) == {"later"}
    write_roberta(Path(place))
    told = _materialize(lake, baselines=[place])
    assert (told["unchanged"], told["not_loaded"]) == (False, {})
    assert ("later", "semantic") in _systems(lake)


def test_a_folder_below_the_home_is_found(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_roberta(tmp_path / "mine")
    assert _materialize(lake, baselines=["~/mine/"])["not_loaded"] == {}
    assert ("mine", "semantic") in _systems(lake)


def test_stages_before_the_model_are_asked_where_the_settings_say_so(lake: Lake) -> None:
    assert _materialize(lake, stages=True)["not_loaded"] == {}
    assert _systems(lake)[10:] == [("stage_general", mode) for mode in MODES]
    against = lake.read(*DIFFERENCES)["against"].to_list()
    assert "stage_general semantic" in against


def test_a_stage_that_was_trained_again_is_not_the_models(lake: Lake) -> None:
    place = lake.path(*place_of_stage("general")) / MANIFEST
    manifest = json.loads(place.read_text(encoding="utf-8"))
    place.write_text(json.dumps(manifest | {"fingerprint": "other"}), encoding="utf-8")
    told = _materialize(lake, stages=True)
    assert told["not_loaded"] == {"stage_general": "the model was made from another one."}
    assert {name for name, _ in _systems(lake)} == {"bm25", "base", "tuned"}


def test_experts_are_asked_where_the_settings_say_so(lake: Lake, base: Path) -> None:
    models = lake.path("models")
    told = _materialize(lake, experts=True)["not_loaded"]
    assert "There is no router." in told["routed"]
    assert "merged" in told
    assert not lake.path(*ROUTING).exists()

    write_experts(models, base, rust=4, formal=4)
    write_route(models, rust=3.0, formal=0.0)
    write_stage(models / "merged", tiny_recipe(base, **LENGTHS, stage="merged"), seed=5)
    told = _materialize(lake, experts=True)
    assert (told["unchanged"], told["not_loaded"]) == (False, {})
    routed = ("routed", "oracle", "fixed:rust", "fixed:formal", "fixed:base")
    modes = ("semantic", "hybrid", "rrf")
    assert _systems(lake)[10:] == [
        *(("merged", mode) for mode in MODES),
        *((name, mode) for name in routed for mode in modes),
    ]
    ranks = lake.read(*RANKS).filter(eval_set="judged_test", mode="semantic")
    by_system = ranks.pivot("system", index="query_id", values="rank")
    assert by_system["routed"].to_list() == by_system["fixed:rust"].to_list()
    own = pl.when(pl.int_range(pl.len()) % 2 == 1).then("fixed:rust").otherwise("fixed:formal")
    assert by_system["oracle"].to_list() == by_system.select(own).to_series().to_list()
    against = lake.read(*DIFFERENCES).filter(metric="MRR", eval_set="judged_test")
    assert against.select("system", "against").rows()[3:] == [
        ("tuned semantic", "merged semantic"),
        ("tuned semantic", "routed semantic"),
        ("routed semantic", "base semantic"),
        ("routed semantic", "merged semantic"),
        ("merged semantic", "base semantic"),
        ("oracle semantic", "routed semantic"),
        ("tuned hybrid", "routed hybrid"),
    ]

    known = json.loads(lake.path(*ROUTING).read_text(encoding="utf-8"))
    assert known["of"] == lake.stored(*METRICS).fingerprint  # type: ignore[union-attr]
    assert known["unknown"] == 0
    assert known["confusion"]["judged_test"] == [
        {"domain": "formal", "queries": 3, "sent": {"rust": 3, "formal": 0}},
        {"domain": "rust", "queries": 3, "sent": {"rust": 3, "formal": 0}},
    ]
    costs = known["costs"]
    assert costs["index_mb_1000"]["one"] == pytest.approx(costs["index_mb_1000"]["experts"])
    assert all(each["experts"] > 0 for each in costs.values())
    assert costs["weights_mb"]["experts"] / costs["weights_mb"]["one"] > 1

    assert _materialize(lake, experts=True)["unchanged"]
    write_route(models, rust=0.0, formal=3.0)
    assert not _materialize(lake, experts=True)["unchanged"]


def test_xtr_is_measured_where_the_settings_say_so(lake: Lake) -> None:
    _materialize(lake, xtr_retrieved=5)
    assert ("tuned", "xtr") in _systems(lake)
    differences = lake.read(*DIFFERENCES).filter(system="tuned xtr")
    assert set(differences["against"]) == {"tuned semantic"}


def test_it_is_measured_again_when_something_it_is_made_from_changes(
    lake: Lake, tmp_path: Path
) -> None:
    baselines = list(_baselines(tmp_path / "models").values())
    assert not _materialize(lake)["unchanged"]
    assert _materialize(lake)["unchanged"]
    for settings in ({"xtr_retrieved": 3}, {"stages": True}, {"baselines": baselines[:1]}):
        assert not _materialize(lake, **settings)["unchanged"]
        assert _materialize(lake, **settings)["unchanged"]
    config = Path(baselines[0]) / "config_sentence_transformers.json"
    config.write_text(json.dumps({"prompts": {"query": "find: "}}), encoding="utf-8")
    assert not _materialize(lake, baselines=baselines[:1])["unchanged"]


def test_gates_are_no_reason_to_measure_again(lake: Lake) -> None:
    _materialize(lake)
    assert _materialize(lake, gates={"mode": "hybrid"})["unchanged"]


def test_the_champion_is_asked_until_the_model_is_it(lake: Lake) -> None:
    registry = Registry(lake=lake, tracking=Tracking(lake=lake))
    registry.promote(registry.register(lake.path(*MODEL), ""))
    _materialize(lake)
    assert ("champion", "semantic") not in _systems(lake)

    manifest = json.loads((lake.path(*MODEL) / MANIFEST).read_text(encoding="utf-8"))
    manifest["fingerprint"] = "b" * 32
    (lake.path(*MODEL) / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    _materialize(lake)
    assert ("champion", "semantic") in _systems(lake)
    asked = (
        lake.read(*RANKS).filter(mode="semantic").pivot("system", index="query_id", values="rank")
    )
    assert asked["champion"].to_list() == asked["tuned"].to_list()


def test_a_champion_that_cannot_be_read_is_told(lake: Lake) -> None:
    registry = Registry(lake=lake, tracking=Tracking(lake=lake))
    version = registry.register(lake.path(*MODEL), "")
    registry.promote(version)
    (registry.folder(version) / "model.safetensors").unlink()
    manifest = json.loads((lake.path(*MODEL) / MANIFEST).read_text(encoding="utf-8"))
    (lake.path(*MODEL) / MANIFEST).write_text(json.dumps(manifest | {"fingerprint": "b" * 32}))
    assert "files of version 1 are gone" in _materialize(lake)["not_loaded"]["champion"]

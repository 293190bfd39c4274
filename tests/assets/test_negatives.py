"""The asset `hard_negatives/…`, and what a stage's manifest shows in the UI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assets.checkpoints import lineage, matrix, retention
from assets.negatives import NEGATIVES
from common.stages import ORDER
from resources.lake import Lake
from resources.project import Project
from resources.trainer import Trainer
from tests.tiny import write_curriculum

RUST = NEGATIVES[ORDER.index("rust")]


class Miner(Trainer):
    """Writes two negatives where it is asked to mine."""

    def mine(self, context: dg.AssetExecutionContext, *, output: Path, **asked: Any) -> None:
        assert (asked["stage"], asked["models"].name) == ("rust", "models")
        output.mkdir(parents=True)
        row = {"pair_id": "p", "kind": "both", "score": 0.5, "positive_score": 0.7}
        rows = [
            row | {"file_context": "a/b.rs", "code": code} for code in ("fn a() {}", "fn b() {}")
        ]
        pq.write_table(pa.Table.from_pylist(rows), output / "negatives.parquet")
        manifest = {
            "fingerprint": "f",
            "pairs": 3,
            "negatives": 2,
            "kinds": {"both": 2},
            "consistent": {"top 1": 1, "top 5": 3},
        }
        (output / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def made(folder: Path, recipe: str) -> dict[str, dg.MetadataValue]:
    (folder / "train.yaml").write_text(recipe, encoding="utf-8")
    lake = Lake(root=str(folder / "lake"))
    resources = {
        "lake": lake,
        "project": Project(curriculum=str(write_curriculum(folder, "rust"))),
        "trainer": Miner(),
    }
    result = dg.materialize([RUST], resources=resources)
    [event] = result.get_asset_materialization_events()
    return dict(event.materialization.metadata)


@pytest.fixture(autouse=True)
def _own_curriculum(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PROVENDER_CURRICULUM", "PROVENDER_STAGES"):
        monkeypatch.delenv(name, raising=False)


def test_a_recipe_without_negatives_mines_none(tmp_path: Path) -> None:
    assert made(tmp_path, "stage: rust")["asked_for"].value is False
    assert not (tmp_path / "lake" / "negatives").exists()


def test_mined_negatives_are_counted_and_shown(tmp_path: Path) -> None:
    found = made(tmp_path, "hard_negatives: {per_pair: 2}")
    assert found["dagster/row_count"].value == 2
    assert found["unchanged"].value is False
    assert "| both | 2 |" in str(found["kinds"].value)
    assert "| top 5 | 3 |" in str(found["consistency"].value)
    assert "fn b() {}" in str(found["preview"].value)


def _stage(name: str, scale: float, **mrr: dict[float, float]) -> dict[str, Any]:
    rows = [
        {"scale": each, "domain": domain, "kind": "typed", "MRR": value, "queries": 40}
        for domain, values in mrr.items()
        for each, value in values.items()
    ]
    source = {"source": f"of {name}", "revision": "1", "license": "MIT", "pairs": 5}
    kept = {"scale": scale, "retained": True, "rows": rows}
    return {"stage": name, "retention": kept, "sources": [source], "lineage": []}


BEFORE = _stage("general", 0.5, rust={0.0: 0.2, 0.5: 0.25, 1.0: 0.3})
AFTER = {**_stage("rust", 1.0, rust={0.0: 0.25, 1.0: 0.4}), "lineage": [BEFORE]}


def test_retention_shows_every_scale_and_marks_the_chosen() -> None:
    assert retention(AFTER).splitlines() == [
        "| domain | kind | queries | 0.0 | **1.0** |",
        "|---|---|---|---|---|",
        "| rust | typed | 40 | 0.25 | 0.4 |",
    ]


def test_the_matrix_shows_what_each_stage_left() -> None:
    assert matrix(AFTER).splitlines() == [
        "| domain | kind | base | general | rust |",
        "|---|---|---|---|---|",
        "| rust | typed | 0.2 | 0.25 | 0.4 |",
    ]
    assert matrix({"stage": "rust", "retention": None, "lineage": []}) == "no validation pairs"


def test_the_lineage_of_a_checkpoint_holds_the_sources_of_all_stages() -> None:
    assert lineage(AFTER).splitlines()[2:] == [
        "| general | of general | 1 | MIT | 5 |",
        "| rust | of rust | 1 | MIT | 5 |",
    ]

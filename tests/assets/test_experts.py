"""The assets of the group `experts`: what trains them, and what is made of all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets import checkpoints
from assets.checkpoints import MODEL
from assets.corpus import place_of
from assets.experts import EXPERT_ASSETS, MERGED, ROUTER, confusion, merged, router
from common.stages import ORDER
from evaluation.routing import Router
from resources.lake import Lake
from resources.project import Project
from resources.tracking import Tracking
from resources.trainer import Trainer
from tests.tiny import tiny_recipe, write_corpus, write_curriculum, write_recipe
from tests.training.test_experts import write_experts
from tests.training.test_router import _rows
from training.checkpoint import read_manifest


class Asked(Trainer):
    """Fails with what it was asked to train."""

    def run(self, context: dg.AssetExecutionContext, **asked: Any) -> None:
        raise dg.Failure(f"{asked['stage']} {asked['expert']}")


@pytest.fixture
def lake(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Training and validation pairs of two domains, and an expert for each."""
    for name in ("PROVENDER_CURRICULUM", "PROVENDER_STAGES", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    made = Lake(root=str(tmp_path / "lake"))
    for split in ("train", "valid"):
        write_corpus(made.path(*place_of(split)), _rows(split, "rust", "formal"))
    write_experts(made.path("models"), tiny_model, rust=4, formal=4)
    write_recipe(tmp_path / "train.yaml", tiny_recipe(tiny_model))
    write_curriculum(tmp_path, "rust", "formal")
    return made


def _made(lake: Lake, asset: dg.AssetsDefinition, trainer: type[Trainer] = Trainer) -> Any:
    resources = {
        "lake": lake,
        "project": Project(curriculum=str(lake.path().parent / "curriculum.yaml")),
        "tracking": Tracking(lake=lake),
        "trainer": trainer(),
    }
    needed = {key: value for key, value in resources.items() if key in asset.required_resource_keys}
    return dg.materialize([asset], resources=needed, raise_on_error=False)


def _told(result: Any) -> str:
    [event] = result.get_step_failure_events()
    return str(event.step_failure_data.user_failure_data.description)


def test_an_expert_is_asked_of_the_trainer_as_one(lake: Lake) -> None:
    result = _made(lake, EXPERT_ASSETS[ORDER.index("formal")], Asked)
    assert _told(result) == "formal True"


def test_the_model_may_be_all_experts_in_one(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "MADE_OF", MERGED)
    assert _made(lake, merged).success
    [made] = _made(lake, checkpoints.model).asset_materializations_for_node("model")
    assert made.metadata["made_of"].value == "merged"
    assert made.metadata["parity"].value < 1e-5
    assert read_manifest(lake.path(*MODEL))["merged_from"].keys() == {"rust", "formal"}


def test_all_experts_are_merged_once(lake: Lake) -> None:
    metadata = _metadata(_made(lake, merged))
    assert metadata["unchanged"].value is False
    assert metadata["method"].value == read_manifest(lake.path(*MERGED))["method"]
    assert "| method | rust | formal | MRR |" in str(metadata["tried"].value)
    assert _metadata(_made(lake, merged))["unchanged"].value is True


def test_the_router_shows_where_it_sends_what(lake: Lake) -> None:
    metadata = _metadata(_made(lake, router))
    assert metadata["unchanged"].value is False
    assert metadata["threshold"].value == Router.load(lake.path(*ROUTER)).threshold
    assert "| queries about | queries | to rust | to formal |" in str(metadata["confusion"].value)
    assert metadata["accuracy, pairs"].value > 0.9
    assert _metadata(_made(lake, router))["unchanged"].value is True


def test_without_one_of_them_it_says_what_trains_it(lake: Lake) -> None:
    (lake.path("models", "expert_rust") / "manifest.json").unlink()
    for asset in (merged, router):
        assert "There is no expert for `rust`." in _told(_made(lake, asset))


def _metadata(result: Any) -> dict[str, Any]:
    assert result.success
    [event] = result.get_asset_materialization_events()
    return dict(event.materialization.metadata)


def test_a_confusion_matrix_is_a_table() -> None:
    rows = [{"domain": "rust", "queries": 3, "sent": {"rust": 2, "formal": 1}}]
    assert confusion({"confusion": rows}).splitlines() == [
        "| queries about | queries | to rust | to formal |",
        "|---|---|---|---|",
        "| rust | 3 | 2 | 1 |",
    ]

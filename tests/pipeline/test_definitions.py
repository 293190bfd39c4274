"""The code location: what it loads, what it does not, and that every asset is described."""

from __future__ import annotations

import subprocess
import sys

import dagster as dg
import pytest

from pipeline.definitions import STAGES, build_definitions
from resources.lake import Lake

HEAVY = ("torch", "transformers", "sentence_transformers", "mlflow", "peft", "lightning")


def specs() -> list[dg.AssetSpec]:
    assets = dg.load_assets_from_modules(STAGES)
    return [spec for each in assets if isinstance(each, dg.AssetsDefinition) for spec in each.specs]


def test_the_code_location_loads_without_the_heavy_libraries() -> None:
    script = (
        f"import sys, pipeline.definitions;print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_webserver_can_load_everything() -> None:
    """It asks for all definitions at once, and shows none of them where two share a name."""
    build_definitions().get_repository_def().load_all_definitions()


def test_every_asset_says_what_it_holds_and_who_owns_it() -> None:
    for spec in specs():
        assert spec.description, spec.key
        assert spec.group_name != "default", spec.key
        assert spec.kinds, spec.key
        assert spec.owners, spec.key
        assert spec.code_version, spec.key


def test_the_model_descends_from_the_sources() -> None:
    graph = build_definitions().resolve_asset_graph()
    ancestors = graph.get_ancestor_asset_keys(dg.AssetKey("report"))
    named = {key.to_user_string() for key in ancestors}
    assert {"repos", "files", "units", "doc_pairs", "corpus", "stage_rust", "model"} <= named


@pytest.mark.parametrize(
    "job", ["ingest", "refresh_corpus", "everything", "make_datasets", "train_experts"]
)
def test_the_jobs_resolve(job: str) -> None:
    assert build_definitions().resolve_job_def(job).name == job


def test_the_jobs_together_make_every_asset() -> None:
    definitions = build_definitions()
    made = {
        key.to_user_string()
        for name in ("ingest", "everything", "make_datasets", "train_experts")
        for key in definitions.resolve_job_def(name).asset_layer.executable_asset_keys
    }
    # The profile of stages that ships has no personal one: there are no sources for it.
    assert made == {spec.key.to_user_string() for spec in specs()} - {
        *("stage_personal", "hard_negatives/personal"),
        *("expert_personal", "hard_negatives/expert_personal"),
    }


def test_the_demo_trains_no_experts() -> None:
    everything = build_definitions().resolve_job_def("everything")
    names = {key.to_user_string() for key in everything.asset_layer.executable_asset_keys}
    assert "stage_rust" in names
    assert not [name for name in names if "expert" in name]


def test_a_resource_can_be_replaced(tmp_path) -> None:
    other = Lake(root=str(tmp_path))
    resources = build_definitions({"lake": other}).resources
    assert resources is not None
    assert resources["lake"] is other


def test_steps_go_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROVENDER_EXECUTOR", raising=False)
    assert build_definitions().executor is dg.in_process_executor
    monkeypatch.setenv("PROVENDER_EXECUTOR", "k8s_job")
    executor = build_definitions().executor
    assert isinstance(executor, dg.ExecutorDefinition)
    assert executor.name == "k8s"


def test_no_asset_has_a_retry_policy_of_its_own() -> None:
    """Dagster would begin a step anew that somebody stops: `assets.common.told` tries again."""
    assert [
        asset.key
        for asset in dg.load_assets_from_modules(STAGES)
        if isinstance(asset, dg.AssetsDefinition)
        and asset.is_executable
        and asset.op.retry_policy is not None
    ] == []

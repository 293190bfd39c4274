"""What `stage_rust` trains on: the corpus, or the data set that its recipe names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from assets.checkpoints import stage_rust
from assets.datasets import datasets
from resources.lake import Lake
from resources.project import Project
from resources.trainer import Trainer
from tests.assets.test_datasets import Noted, fill
from tests.corpus.test_datasets import corpus, pair
from tests.tiny import write_curriculum

ROOT = Path(__file__).parents[2]
MANIFEST = "sources: [{name: demo, kind: git, url: https://example.org/demo.git, ref: main}]"


class Asked(Trainer):
    """Fails with what it was asked to train on."""

    def run(
        self,
        context: dg.AssetExecutionContext,
        *,
        curriculum: Path,
        stage: str,
        expert: bool = False,
        corpus: Path,
        valid: Path,
        judged: Path,
        models: Path,
        tracking_uri: str,
    ) -> None:
        assert (stage, curriculum.name) == ("rust", "curriculum.yaml")
        assert [each.relative_to(models.parent).as_posix() for each in (valid, judged)] == [
            "corpus/split=valid/part-0.parquet",
            "eval",
        ]
        raise dg.Failure(f"asked for {corpus.relative_to(models.parent)}")


def fault(lake: Lake, recipe: str, *assets: dg.AssetsDefinition) -> str:
    """What ends the step, once `assets` are made."""
    folder = lake.path().parent
    (folder / "sources.yaml").write_text(MANIFEST, encoding="utf-8")
    (folder / "train.yaml").write_text(recipe, encoding="utf-8")
    resources = {
        "lake": lake,
        "project": Project(
            sources=str(folder / "sources.yaml"), curriculum=str(write_curriculum(folder, "rust"))
        ),
        "tracking": Noted(lake=lake),
        "trainer": Asked(),
    }
    for each in assets:
        assert dg.materialize([each], partition_key="rust_specialist", resources=resources).success
    result = dg.materialize([stage_rust], resources=resources, raise_on_error=False)
    [event] = result.get_step_failure_events()
    data = event.step_failure_data.user_failure_data
    assert data is not None
    return str(data.description)


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    for name in ("PROVENDER_CURRICULUM", "PROVENDER_DATASETS", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    made = Lake(root=str(tmp_path / "lake"))
    fill(made, corpus(pair("a"), pair("b"), pair("c", split="test")))
    return made


def test_without_a_data_set_it_is_the_corpus(lake: Lake) -> None:
    assert fault(lake, "stage: rust") == "asked for corpus/split=train/part-0.parquet"


def test_a_data_set_is_trained_on_once_it_is_made(lake: Lake) -> None:
    recipe = "dataset: rust_specialist"
    assert "The data set `rust_specialist` was not made yet." in fault(lake, recipe)
    assert fault(lake, recipe, datasets) == "asked for datasets/rust_specialist.parquet"
    fill(lake, corpus(pair("a")))
    assert "The data set `rust_specialist` is older than the corpus." in fault(lake, recipe)


@pytest.mark.parametrize(
    ("name", "said"), [("rusty", "unknown data set `rusty`"), ("rust_eval", "It is held out")]
)
def test_a_data_set_that_cannot_be_trained_on_is_told_before_anything_is_written(
    lake: Lake, name: str, said: str
) -> None:
    assert said in fault(lake, f"dataset: {name}")
    assert not lake.path("models").exists()


UPSTREAM = """
from pipeline.definitions import build_definitions
import dagster as dg
graph = build_definitions().resolve_asset_graph()
print(*sorted(key.to_user_string() for key in graph.get(dg.AssetKey("stage_rust")).parent_keys))
"""


@pytest.mark.parametrize(
    ("recipe", "parents"),
    [
        ("stage: rust", "corpus eval_queries hard_negatives/rust"),
        ("dataset: rust_specialist", "datasets eval_queries hard_negatives/rust"),
        ("dataset: rusty", "corpus eval_queries hard_negatives/rust"),
    ],
)
def test_the_lineage_leads_to_what_is_trained_on(tmp_path: Path, recipe: str, parents: str) -> None:
    place = tmp_path / "train.yaml"
    place.write_text(recipe, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", UPSTREAM],
        cwd=ROOT,
        env={**os.environ, "PROVENDER_CURRICULUM": str(write_curriculum(tmp_path, "rust"))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == parents


GRAPH = """
from pipeline.definitions import build_definitions
import dagster as dg
known = build_definitions()
print(*(key.to_user_string() for key in known.resolve_asset_graph().get(dg.AssetKey("model")).parent_keys))
for job in ("train_curriculum", "train_experts", "everything"):
    made = {key.to_user_string() for key in known.resolve_job_def(job).asset_layer.executable_asset_keys}
    print(*sorted(made & {"stage_rust", "expert_rust", "merged", "router", "model", "report"}))
"""


@pytest.mark.parametrize(
    ("of", "told"),
    [
        (
            "stages",
            [
                "stage_rust",
                "model stage_rust",
                "expert_rust merged router",
                "model report stage_rust",
            ],
        ),
        (
            "merged",
            [
                "merged",
                "stage_rust",
                "expert_rust merged model router",
                "expert_rust merged model report",
            ],
        ),
    ],
)
def test_the_model_is_made_of_what_the_config_says(
    tmp_path: Path, of: str, told: list[str]
) -> None:
    path = write_curriculum(tmp_path, "rust", "formal")
    path.write_text(f"{path.read_text(encoding='utf-8')}model: {of}\n", encoding="utf-8")
    (tmp_path / "train.yaml").write_text("stage: rust", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", GRAPH],
        cwd=ROOT,
        env={**os.environ, "PROVENDER_CURRICULUM": str(path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [told[0].replace("stage_rust", "stage_formal"), *told[1:]]

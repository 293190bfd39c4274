"""The asset `datasets` on a corpus of a few rows."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pyarrow as pa
import pytest

from assets.corpus import SPLITS, place_of
from assets.datasets import current, datasets, to_train
from common.errors import ProvenderError
from corpus import schema
from corpus.datasets import load_datasets
from resources.lake import Lake
from resources.project import Project
from resources.tracking import Tracking
from tests.corpus.test_datasets import corpus, pair

MANIFEST = """
sources:
  - {name: demo, kind: git, url: https://example.org/demo.git, domain: rust, ref: main}
"""
NAMES = {
    "rust_specialist.parquet",
    "rust_specialist.jsonl",
    "rust_specialist.md",
    "rust_specialist.croissant.json",
    "rust_specialist.NOTICE.md",
}


class Noted(Tracking):
    """Notes in the lake what would be registered, without MLflow; tests/resources has the real one."""

    def registered(self, name: str, version: str) -> str | None:
        return "known" if version in noted(self.lake) else None

    def register(
        self, name: str, version: str, source: str, schema: pa.Schema, profile: Mapping[str, Any]
    ) -> str:
        place = self.lake.path("noted.json")
        place.write_text(json.dumps({**noted(self.lake), version: profile}), encoding="utf-8")
        return f"{name} at {Path(source).name}, {len(schema)} columns"


def noted(lake: Lake) -> dict[str, Any]:
    """The profile of each version that was registered."""
    place = lake.path("noted.json")
    return json.loads(place.read_text(encoding="utf-8")) if place.is_file() else {}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(root=str(tmp_path / "lake"))
    fill(made, pl.concat([corpus(pair("a"), pair("b")), corpus(pair("c", split="test"))]))
    (tmp_path / "sources.yaml").write_text(MANIFEST, encoding="utf-8")
    return made


def fill(lake: Lake, frame: pl.DataFrame) -> None:
    for split in SPLITS:
        lake.write(frame.filter(split=split), schema.CORPUS, *place_of(split), fingerprint="x")


def made(lake: Lake, name: str, **files: str) -> dg.ExecuteInProcessResult:
    resources = {"lake": lake, "project": project(lake, **files), "tracking": Noted(lake=lake)}
    return dg.materialize(
        [datasets],
        partition_key=name,
        resources=resources,
        raise_on_error=False,
    )


def project(lake: Lake, **files: str) -> Project:
    return Project(sources=str(lake.path().parent / "sources.yaml"), **files)


def unchanged(result: dg.ExecuteInProcessResult) -> list[object]:
    return [
        event.step_materialization_data.materialization.metadata["unchanged"].value
        for event in result.get_asset_materialization_events()
    ]


def state(lake: Lake) -> dict[str, int]:
    return {each.name: each.stat().st_mtime_ns for each in lake.path("datasets").iterdir()}


def test_a_data_set_is_five_files_and_a_second_run_changes_none(lake: Lake) -> None:
    assert unchanged(made(lake, "rust_specialist")) == [False]
    first = state(lake)
    assert set(first) == NAMES
    assert lake.read("datasets", "rust_specialist.parquet")["pair_id"].to_list() == ["a", "b"]
    notice = lake.path("datasets", "rust_specialist.NOTICE.md").read_text(encoding="utf-8")
    assert notice.startswith("# Attribution: rust_specialist\n\nMade from 2 files of 1 sources.")
    assert unchanged(made(lake, "rust_specialist")) == [True]
    assert state(lake) == first


def test_a_data_set_is_registered_once_a_version_with_its_counts(lake: Lake) -> None:
    def links() -> list[object]:
        result = made(lake, "rust_specialist")
        [event] = result.get_asset_materialization_events()
        return [event.step_materialization_data.materialization.metadata["mlflow_run"].value]

    columns = len(schema.CORPUS)
    assert links() == [f"rust_specialist at rust_specialist.parquet, {columns} columns"]
    assert list(noted(lake).values()) == [
        {
            "pairs": 2,
            "jsonl_lines": 2,
            "language": {"rust": 2},
            "dialect": {},
            "pair_type": {"doc": 2},
            "license_tier": {"permissive": 2},
            "split": {"train": 2},
        }
    ]
    assert links() == ["known"]
    fill(lake, corpus(pair("d")))
    assert links() == [f"rust_specialist at rust_specialist.parquet, {columns} columns"]
    assert len(noted(lake)) == 2


def test_repeating_by_weight_is_for_the_jsonl_only(lake: Lake, tmp_path: Path) -> None:
    fill(lake, corpus(pair("a"), pair("b")).with_columns(weight=pl.lit(3.0, dtype=pl.Float32)))
    place = tmp_path / "mine.yaml"
    place.write_text(
        "datasets: {rust_specialist: {title: x, repeat_by_weight: true}}", encoding="utf-8"
    )

    assert made(lake, "rust_specialist", datasets=str(place)).success
    lines = lake.path("datasets", "rust_specialist.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 6
    assert lines[0] == lines[1] == lines[2] != lines[3]
    table = lake.read("datasets", "rust_specialist.parquet")
    assert table.select("pair_id", "weight").rows() == [("a", 3.0), ("b", 3.0)]
    assert [each["jsonl_lines"] for each in noted(lake).values()] == [6]


def test_a_recipe_trains_on_a_data_set_of_the_corpus_of_today_only(lake: Lake) -> None:
    def fault() -> str:
        with pytest.raises(ProvenderError) as caught:
            to_train(lake, project(lake), "rust_specialist")
        assert caught.value.where.endswith("config/curriculum.yaml: stages")
        assert "`provender datasets rust_specialist`" in caught.value.remedy
        return caught.value.what

    assert fault() == "The data set `rust_specialist` was not made yet."
    made(lake, "rust_specialist")
    place = lake.path("datasets", "rust_specialist.parquet")
    assert to_train(lake, project(lake), "rust_specialist") == place
    fill(lake, corpus(pair("d")))
    assert fault() == "The data set `rust_specialist` is older than the corpus."


@pytest.mark.parametrize(
    ("name", "said"),
    [("rust_specialst", "did you mean `rust_specialist`"), ("rust_eval", "It is held out")],
)
def test_what_cannot_be_trained_on_is_told(lake: Lake, name: str, said: str) -> None:
    with pytest.raises(ProvenderError, match=said):
        to_train(lake, project(lake), name)


def test_a_data_set_is_current_with_all_its_files_and_settings(lake: Lake) -> None:
    made(lake, "rust_specialist")
    chosen = project(lake).load_datasets().named("rust_specialist")
    assert current(lake, "rust_specialist", chosen, ["demo"]) == lake.stored(
        "datasets", "rust_specialist.parquet"
    )
    other = chosen.model_copy(update={"title": "Another"})
    assert current(lake, "rust_specialist", other, ["demo"]) is None
    lake.path("datasets", "rust_specialist.NOTICE.md").unlink()
    assert current(lake, "rust_specialist", chosen, ["demo"]) is None


def test_a_file_that_was_lost_is_made_again(lake: Lake) -> None:
    made(lake, "rust_specialist")
    lake.path("datasets", "rust_specialist.md").unlink()

    assert unchanged(made(lake, "rust_specialist")) == [False]
    assert set(state(lake)) == NAMES


def test_a_data_set_follows_the_corpus(lake: Lake) -> None:
    made(lake, "rust_specialist")
    fill(lake, corpus(pair("d")))

    assert unchanged(made(lake, "rust_specialist")) == [False]
    assert lake.read("datasets", "rust_specialist.parquet")["pair_id"].to_list() == ["d"]
    text = lake.path("datasets", "rust_specialist.jsonl").read_text(encoding="utf-8")
    assert text.count("\n") == 1


def test_personal_is_skipped_without_a_personal_source_and_leaves_no_file(lake: Lake) -> None:
    for ending in ("parquet", "jsonl"):
        old = lake.path("datasets", f"personal.{ending}")
        old.parent.mkdir(exist_ok=True)
        old.touch()

    result = made(lake, "personal")

    assert result.success
    assert result.get_asset_materialization_events() == []
    [said] = result.get_asset_observation_events()
    observation = said.asset_observation_data.asset_observation
    assert observation.description == "no source of the manifest is in domain personal"
    assert state(lake) == {}


def test_a_filter_that_selects_nothing_fails_and_leaves_what_was_there(lake: Lake) -> None:
    made(lake, "rust_specialist")
    before = state(lake)
    fill(lake, corpus(pair("d", language="java")))

    result = made(lake, "rust_specialist")

    [failure] = result.get_step_failure_events()
    assert "none meets `languages: ['rust']`" in str(failure.step_failure_data.user_failure_data)
    assert state(lake) == before


def test_a_mistake_in_the_file_is_told_before_anything_is_written(
    lake: Lake, tmp_path: Path
) -> None:
    place = tmp_path / "mine.yaml"
    place.write_text("datasets: {rust_specialist: {title: x, languages: [rsut]}}", encoding="utf-8")

    result = made(lake, "rust_specialist", datasets=str(place))

    [failure] = result.get_step_failure_events()
    assert "did you mean `rust`?" in str(failure.step_failure_data.user_failure_data)
    assert not lake.path("datasets").exists()


def test_other_data_sets_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "mine.yaml"
    place.write_text("datasets: {mine: {title: Mine}}", encoding="utf-8")
    monkeypatch.setenv("PROVENDER_DATASETS", str(place))

    assert Project().load_datasets() == load_datasets(place)

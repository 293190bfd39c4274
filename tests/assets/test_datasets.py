"""The asset `datasets` on a corpus of a few rows."""

from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from assets.corpus import SPLITS, place_of
from assets.datasets import datasets
from corpus import schema
from corpus.datasets import load_datasets
from resources.lake import Lake
from resources.project import Project
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
    manifest = str(lake.path().parent / "sources.yaml")
    return dg.materialize(
        [datasets],
        partition_key=name,
        resources={"lake": lake, "project": Project(sources=manifest, **files)},
        raise_on_error=False,
    )


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

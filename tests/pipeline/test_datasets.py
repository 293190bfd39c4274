"""`provender datasets`: every named data set, whatever becomes of the others."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from rich.console import Console

from assets.corpus import SPLITS, place_of
from common.errors import ProvenderError
from corpus import schema
from pipeline.datasets import Made, chosen_names, make, print_made
from resources.lake import Lake
from tests.corpus.test_datasets import corpus, pair

MANIFEST = """
sources:
  - {name: demo, kind: git, url: https://example.org/demo.git, domain: rust, ref: main}
"""
WANTED = ["lean_java_training", "rust_specialist", "rust_eval", "personal"]


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restored_environment: None) -> Lake:
    """A lake with a corpus of Rust alone."""
    (tmp_path / "sources.yaml").write_text(MANIFEST, encoding="utf-8")
    (tmp_path / "home").mkdir()
    for key, value in {
        "PROVENDER_SOURCES": "sources.yaml",
        "PROVENDER_LAKE": "lake",
        "DAGSTER_HOME": "home",
    }.items():
        monkeypatch.setenv(key, str(tmp_path / value))
    for key in ("PROVENDER_DATASETS", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(key, raising=False)
    made = Lake()
    fill(made, pair("a"), pair("b"), pair("c", split="test"))
    return made


def fill(lake: Lake, *rows: dict[str, Any]) -> None:
    frame = corpus(*rows)
    for split in SPLITS:
        lake.write(frame.filter(split=split), schema.CORPUS, *place_of(split), fingerprint="x")


def runs() -> int:
    with dg.DagsterInstance.get() as instance:
        return instance.get_runs_count()


def states(made: list[Made]) -> dict[str, tuple[str, int | None]]:
    return {each.name: (each.state, each.pairs) for each in made}


def test_one_that_fails_stops_no_other_and_what_is_unchanged_needs_no_run(lake: Lake) -> None:
    heard: list[str] = []
    first = make(WANTED, lambda each: heard.append(each.name))

    assert heard == WANTED
    assert states(first) == {
        "lean_java_training": ("empty", None),
        "rust_specialist": ("made", 2),
        "rust_eval": ("made", 1),
        "personal": ("skipped", None),
    }
    assert "none meets `languages: ['lean', 'java']`" in first[0].why
    assert first[3].why == "no source of the manifest is in domain personal"
    assert (runs(), sum(each.changed for each in first)) == (3, 2)

    second = make(WANTED[1:])
    assert states(second) == {
        "rust_specialist": ("unchanged", 2),
        "rust_eval": ("unchanged", 1),
        "personal": ("skipped", None),
    }
    assert (runs(), sum(each.changed for each in second)) == (3, 0)

    # What follows from another corpus is made again, and nothing else.
    lake.write(
        corpus(pair("a"), pair("b"), pair("d")), schema.CORPUS, *place_of("train"), fingerprint="y"
    )
    assert states(make(["rust_specialist", "rust_eval"])) == {
        "rust_specialist": ("made", 3),
        "rust_eval": ("unchanged", 1),
    }
    assert runs() == 4


def test_what_dagster_or_mlflow_does_not_know_is_told_to_them(lake: Lake, tmp_path: Path) -> None:
    make(["rust_eval"])
    note = lake.path("mlflow", "datasets", "rust_eval.json")
    said = note.read_text(encoding="utf-8")
    note.unlink()
    assert states(make(["rust_eval"])) == {"rust_eval": ("unchanged", 1)}
    assert (runs(), note.read_text(encoding="utf-8")) == (2, said)

    (tmp_path / "home").rename(tmp_path / "old_home")
    (tmp_path / "home").mkdir()
    assert states(make(["rust_eval"])) == {"rust_eval": ("unchanged", 1)}
    assert runs() == 1


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(ProvenderError, match="unknown data set `rust_evil`; did you mean"):
        chosen_names(["personal", "rust_evil"])
    assert chosen_names(["rust_eval", "training_data_full"]) == ["training_data_full", "rust_eval"]
    assert chosen_names([])[-1] == "personal"


def test_without_a_corpus_one_error_says_so(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVENDER_LAKE", str(tmp_path / "other"))
    with pytest.raises(ProvenderError, match="There is no corpus") as caught:
        make(WANTED)
    assert caught.value.remedy == "Run `provender refresh` first."


def test_a_data_set_of_a_source_that_is_not_there_fails_alone(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "mine.yaml"
    place.write_text("datasets: {rust_eval: {title: x, sources: [dmo]}}", encoding="utf-8")
    monkeypatch.setenv("PROVENDER_DATASETS", str(place))
    [made] = make(["rust_eval"])
    assert made.state == "failed"
    assert "unknown source `dmo`; did you mean `demo`?" in made.why


def test_what_has_no_pairs_any_more_failed_and_keeps_its_files(lake: Lake) -> None:
    make(["rust_specialist"])
    fill(lake, pair("d", language="java"))
    [made] = make(["rust_specialist"])
    assert (made.state, made.pairs) == ("failed", None)
    assert lake.read("datasets", "rust_specialist.parquet").height == 2


MADE = [
    Made("training_data_full", "made", 1234567),
    Made("personal", "skipped", why="no source of the manifest is in domain personal"),
    Made("verified", "empty", why="No pair is left"),
    Made("lean", "failed", why="broken"),
]


@pytest.mark.parametrize("asked_for", [True, False])
def test_the_table_names_pairs_and_files_and_what_failed_is_given_back(asked_for: bool) -> None:
    file = io.StringIO()
    failed = print_made(Console(width=80, file=file), MADE, asked_for=asked_for)
    empty = "empty verified: No pair is left"
    assert [line.rstrip() for line in file.getvalue().splitlines()] == [
        "data set                pairs  files",
        "training_data_full  1,234,567  datasets/training_data_full.*  made",
        "personal                    –  –                              skipped",
        "verified                    –  –                              empty",
        "lean                        –  –                              failed",
        "skipped personal: no source of the manifest is in domain personal",
        *([] if asked_for else [empty]),
    ]
    assert failed == (
        {"datasets/verified": "No pair is left", "datasets/lean": "broken"}
        if asked_for
        else {"datasets/lean": "broken"}
    )

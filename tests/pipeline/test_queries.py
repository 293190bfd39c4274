"""`provender queries`: from a held-out repository to queries that its evaluation asks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from assets import eval_queries as asset
from assets.corpus import REMOVED, corpus
from pipeline import review
from pipeline.cli import app
from resources.lake import Lake
from resources.project import Project
from tests.corpus.snapshots.repository import Repository
from tests.pipeline.test_refresh import LICENCE

RING = """
/// Takes the oldest entry away. [red]bold[/red] claims.
pub fn take(ring: &mut Ring) -> Result<u64, Error> {
    if ring.entries.is_empty() {
        bail!("nothing is buffered at the moment");
    }
    // Wrap around the end of the storage when taking
    ring.advance(1);
    Ok(ring.entries[ring.first])
}

/// Puts an entry in.
pub fn put(ring: &mut Ring, entry: u64) -> Result<(), Error> {
    if ring.entries.len() == ring.capacity {
        bail!("every place of the queue is occupied");
    }
    ring.entries.push(entry);
    Ok(())
}
"""
HOSTILE = (
    RING
    + """
/// Draws. \x1b[2J\x1b]0;owned\x07 [link=file:///etc/passwd]click[/link]
pub fn draw(screen: &mut Screen) -> Result<(), Error> {
    let title = "\x1b[31m[bold]red[/bold]";
    bail!("the canvas was resized while painting");
}
"""
)
LEARNED = """
/// Nothing is buffered at the moment.
pub fn idle(state: &State) -> bool {
    state.pending.iter().all(|each| each.is_settled(state.clock))
}

/// Sums all the weights of a graph's edges.
pub fn total_weight(graph: &Graph) -> u64 {
    graph.edges.iter().map(|edge| edge.weight * edge.count).sum()
}
"""


@pytest.fixture(scope="module")
def refreshed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of three repositories, of which two are the owner's and one of these held out. Do not write."""
    folder = tmp_path_factory.mktemp("queries")
    for name, text in (("ring", HOSTILE), ("mine", LEARNED), ("other", LEARNED)):
        repository = Repository(folder / name)
        repository.write("LICENSE", LICENCE)
        repository.write("src/lib.rs", text)
        repository.commit()
    entries = [
        {"name": "ring", "kind": "path", "path": "ring", "domain": "personal", "split": "test"},
        {"name": "mine", "kind": "path", "path": "mine", "domain": "personal"},
    ]
    (folder / "sources.yaml").write_text(yaml.safe_dump({"sources": entries}), encoding="utf-8")
    (folder / "datasets.yaml").write_text("datasets: {rust: {title: R}}", encoding="utf-8")
    _refresh(folder)
    return folder


def _refresh(folder: Path) -> None:
    places = {
        "PROVENDER_SOURCES": "sources.yaml",
        "PROVENDER_LAKE": "lake",
        "PROVENDER_QUERIES": "none",
        "PROVENDER_DATASETS": "datasets.yaml",
        "DAGSTER_HOME": "home",
    }
    environment = {key: str(folder / value) for key, value in places.items()}
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", "refresh"],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env=os.environ | environment,
    )
    assert "2 definitions" in done.stdout, done.stdout + done.stderr


@pytest.fixture
def place(refreshed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for the owner's queries; the commands run on the lake."""
    monkeypatch.setenv("PROVENDER_SOURCES", str(refreshed / "sources.yaml"))
    monkeypatch.setenv("PROVENDER_LAKE", str(refreshed / "lake"))
    monkeypatch.setenv("PROVENDER_QUERIES", str(tmp_path))
    return tmp_path


def run(*arguments: str, typed: str = "") -> tuple[int, str]:
    done = CliRunner().invoke(app, ["queries", *arguments], input=typed)
    return done.exit_code, done.output


def kept(folder: Path, name: str = "personal_queries") -> list[dict[str, Any]]:
    path = folder / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))["queries"] if path.is_file() else []


def write(folder: Path, *queries: dict[str, Any], split: str = "test") -> Path:
    """A file of queries about `take`, unless they say otherwise."""
    answer = {"source": "ring", "path": "src/lib.rs", "symbol": "take"}
    full = [
        {"id": f"ring-{n:03}", "style": "what", "answers": [answer], **query}
        for n, query in enumerate(queries, 1)
    ]
    judged = {
        "name": "personal_queries",
        "split": split,
        "revisions": {"ring": "r", "mine": "r", "absent": "r"},
        "queries": full,
    }
    path = folder / "personal_queries.json"
    path.write_text(json.dumps(judged), encoding="utf-8")
    return path


# From the repository to the evaluation


def test_what_is_accepted_in_the_terminal_is_checked_and_asked(place: Path) -> None:
    code, told = run("personal", typed="a\nr\ne\npainting over a moving target\na\n")
    assert code == 0
    assert "2 accepted, 1 rejected, 0 skipped; 2 queries in" in told
    first, second, third = kept(place)
    assert [each["status"] for each in (first, second, third)] == [
        "accepted",
        "rejected",
        "accepted",
    ]
    assert third["query"] == "painting over a moving target"
    assert [each["id"] for each in kept(place)] == ["ring-001", "ring-002", "ring-003"]
    assert run("personal")[1] == "Nothing is left to propose. Another --seed proposes no more.\n"
    code, told = run("check")
    assert code == 0
    assert "personal_queries.json: 2 queries\n" in told
    lake = Lake()
    result = asset.eval_queries(lake=lake, project=Project())
    assert result is not None
    asked = lake.read(*asset.queries_of("judged_personal", "test"))
    assert set(asked["query"]) == {first["query"], third["query"]}
    answers = lake.read(*asset.pool_of("judged_personal", "test")).filter(
        pl.col("unit_id").is_in(asked["unit_ids"].explode().to_list())
    )
    assert set(answers["symbol"]) == {each["answers"][0]["symbol"] for each in (first, third)}


def test_an_accepted_query_is_kept_out_of_training(
    place: Path, refreshed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(root=str(tmp_path / "lake"))
    shutil.copytree(refreshed / "lake", lake.path())
    query = {"query": "sums all the weights of a graph's edges"}
    for status, reasons in (("draft", set()), ("accepted", {"query_of_an_evaluation"})):
        write(place, {**query, "status": status})
        corpus(lake=lake, project=Project())
        removed = lake.read(*REMOVED).filter(source="mine", pair_type="doc")
        assert set(removed["reason"]) == reasons


def test_drafts_are_reviewed_in_an_editor_and_asked_when_accepted(place: Path) -> None:
    code, told = run("personal", "--drafts")
    assert code == 0
    assert told.startswith("3 drafts in ")
    assert {each["status"] for each in kept(place)} == {"draft"}
    assert "personal_queries.json: 0 queries, 3 drafts, which are not asked\n" in run("check")[1]
    path = place / "personal_queries.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"draft"', '"accepted"', 1), "utf-8")
    assert "personal_queries.json: 1 queries, 2 drafts" in run("check")[1]


def test_drafts_in_the_file_come_first_in_the_terminal(place: Path) -> None:
    write(place, {"id": "own-7", "query": "queue without waiting callers", "status": "draft"})
    _, told = run("personal", typed="a\nq\n")
    assert told.index("queue without waiting callers") < told.index("1 accepted")
    [query] = kept(place)
    assert (query["id"], query["status"]) == ("own-7", "accepted")


# In the terminal


def test_another_wording_and_style_can_be_taken_and_a_skip_keeps_nothing(place: Path) -> None:
    write(place, {"query": "first words for it", "status": "draft"})
    _, told = run("personal", "-n", "1", typed="t\na\ns\n")
    assert "1 accepted, 0 rejected, 1 skipped" in told
    [query] = kept(place)
    assert query["style"] == "property"


def test_what_repeats_the_doc_or_spells_a_name_is_not_accepted(place: Path) -> None:
    write(place, {"query": "placeholder text here", "status": "draft"})
    _, told = run("personal", typed="e\ntakes the oldest entry away\na\nq\n")
    assert "✗ 100% of its words stand in the doc; 50% is the most." in told
    assert kept(place)[0]["status"] == "draft"


def test_the_same_text_is_not_accepted_twice(place: Path) -> None:
    write(
        place,
        {"query": "an empty queue"},
        {"query": "something else entirely", "status": "draft"},
    )
    _, told = run("personal", typed="e\nAn  EMPTY queue\na\nq\n")
    assert "✗ There is such a query already." in told


def test_an_interrupted_review_keeps_what_was_accepted(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = iter(["a"])

    def interrupted(prompt: str, text: str = "") -> str:
        for key in typed:
            return key
        raise KeyboardInterrupt

    monkeypatch.setattr(review, "_typed", interrupted)
    code, told = run("personal")
    assert code == 130
    assert "1 accepted, 0 rejected, 0 skipped; 1 queries in" in told
    assert len(kept(place)) == 1


def test_the_end_of_the_input_quits(place: Path) -> None:
    code, told = run("personal")
    assert code == 0
    assert "0 accepted, 0 rejected, 0 skipped; no query is kept yet" in told
    assert kept(place) == []


def test_what_a_repository_wrote_is_only_text(place: Path) -> None:
    _, told = run("personal", typed="s\ns\ns\n")
    assert "\x1b" not in told
    assert "\x07" not in told
    assert "[bold]red[/bold]" in told


# What is wrong


def without_split(refreshed: Path, monkeypatch: pytest.MonkeyPatch, entries: list[dict]) -> None:
    path = refreshed / "changed.yaml"
    path.write_text(yaml.safe_dump({"sources": entries}), encoding="utf-8")
    monkeypatch.setenv("PROVENDER_SOURCES", str(path))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"domain": "rust", "split": "test"},
            "The manifest has no source of the domain `personal`",
        ),
        ({"domain": "personal"}, "Write `split: test` into one's entry, then `provender refresh`"),
        ({"domain": "personal", "split": "test", "name": "new"}, "The lake does not hold new."),
    ],
)
def test_without_a_held_out_source_one_message_says_what_to_do(
    place: Path,
    refreshed: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, str],
    said: str,
) -> None:
    without_split(
        refreshed, monkeypatch, [{"name": "ring", "kind": "path", "path": "ring", **changes}]
    )
    code, told = run("personal")
    assert code == 1
    assert said in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [("rings", "did you mean `ring`?"), ("mine", "mine: not held out for `test`")],
)
def test_a_source_that_cannot_be_asked_about_is_told(place: Path, name: str, said: str) -> None:
    code, told = run("personal", "--source", name)
    assert code == 1
    assert said in told


def test_a_file_of_another_split_is_told(place: Path) -> None:
    write(place, {"query": "an empty queue"}, split="valid")
    code, told = run("personal")
    assert code == 1
    assert "These queries are of the split `valid`, by their name of `test`." in told


def test_a_file_for_the_folder_is_told(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVENDER_QUERIES", str(write(place)))
    code, told = run("personal")
    assert code == 1
    assert "This is a file, where a folder is wanted." in told


def test_every_fault_is_told_with_its_query(place: Path) -> None:
    path = write(
        place,
        {"query": "takes the oldest entry away"},
        {"query": "an empty queue", "answers": [answer("gone")]},
        {"query": "how heavy is all of it", "answers": [answer("total_weight", "mine")]},
        {"query": "what total weight is there", "answers": [answer("total_weight", "absent")]},
        {"query": "An empty   queue"},
    )
    code, told = run("check")
    assert code == 1
    lines = [line.strip() for line in told.splitlines() if line.startswith("  ")]
    gone = f"`gone` is not in src/lib.rs of ring at {revision()}"
    faults = {
        "": "query given twice: an empty queue. Give each once.",
        " ring-001:": "100% of its words stand in the doc of its answer."
        " Say it in other words: 50% is the most.",
        " ring-002:": f"{gone}. Correct its path or symbol, or take the answer out.",
        " ring-003:": "Its source mine is in the split `train`, not in `test`."
        " Give the source `split: test` in its manifest, or take the query out.",
        " ring-004:": "The query spells out `total_weight`. Say what it does instead.",
    }
    assert lines == [f"✗ {path}:{which} {what}" for which, what in faults.items()]
    assert "5 queries; 1 not held against their code, which is not in this lake (absent)" in told


def answer(symbol: str, source: str = "ring") -> dict[str, str]:
    return {"source": source, "path": "src/lib.rs", "symbol": symbol}


def revision() -> str:
    return Lake().read("units", "source=ring", "data.parquet")["revision"][0][:12]


def test_files_that_are_named_are_checked_alone_and_against_each_other(place: Path) -> None:
    path = write(place, {"query": "an empty queue"})
    other = place / "other.json"
    other.write_bytes(path.read_bytes())
    code, told = run("check", str(path), str(other), str(place / "absent.json"))
    assert code == 1
    assert f"{other}: ring-001: {path} has a query of the same id." in told
    assert f"{other}: ring-001: {path} has a query of the same text." in told
    assert f"{place / 'absent.json'}: No such file or directory." in told
    assert "rust_queries" not in told


def test_the_sets_that_ship_are_sound_in_themselves(place: Path) -> None:
    code, told = run("check")
    assert code == 0
    assert "rust_queries.json: 146 queries; 146 not held against their code" in told

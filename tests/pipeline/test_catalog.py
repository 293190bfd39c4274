"""The commands about sources: the check of a manifest, and adding to one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from corpus.files import classify
from corpus.snapshots import BlobStore, take_snapshot
from corpus.sources import PathSource, load_manifest
from pipeline.cli import app
from resources.project import ROOT, Project
from tests.corpus.snapshots.repository import Repository


@pytest.fixture(autouse=True)
def _own_environment(restored_environment: None) -> None:
    """The commands set environment variables."""


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.output


def check(folder: Path, *sources: dict) -> tuple[int, str]:
    """`provender sources --check` on a manifest of `sources`."""
    path = folder / "sources.yaml"
    path.write_text(yaml.safe_dump({"sources": list(sources)}), encoding="utf-8")
    return run("sources", "--manifest", str(path), "--check")


GOOD = {
    "name": "a",
    "kind": "git",
    "url": "https://example.org/a.git",
    "license": "MIT",
    "why": "b",
}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "config").glob("sources_*.yaml")), ids=lambda p: p.stem
)
def test_every_manifest_that_ships_passes_its_check(path: Path) -> None:
    code, told = run("sources", "--manifest", str(path), "--check")
    if path.stem == "sources_personal.example":  # names folders that only its reader has
        assert (code, told.count("there is no folder")) == (1, 2)
    else:
        assert (code, "0 problems" in told) == (0, True), told


def test_the_check_counts_what_is_there(tmp_path: Path) -> None:
    code, told = check(tmp_path, GOOD, {**GOOD, "name": "c", "url": "https://example.org/c.git"})
    assert code == 0
    assert told.splitlines()[:4] == [
        "kind: git 2",
        "domain: rust 2",
        "split: train 1, valid 1",  # a hash of `c` says so
        "licence tier: permissive 2",
    ]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"license": "Apache 2"}, "`license: Apache 2` is no SPDX expression."),
        (
            {"license": "GPL-3.0-only"},
            "its licence GPL-3.0-only is of tier strong, which is not kept.",
        ),
        ({"why": ""}, "`why` is empty: say what it is there for."),
        (
            {"url": "https://me:token@example.org/a.git"},
            "the address holds credentials: give them to git instead.",
        ),
    ],
)
def test_the_check_names_each_problem(tmp_path: Path, change: dict, problem: str) -> None:
    code, told = check(tmp_path, GOOD | change)
    assert code == 1
    assert f"✗ a: {problem}" in told


def test_the_check_finds_the_same_repository_under_two_names(tmp_path: Path) -> None:
    code, told = check(tmp_path, GOOD, {**GOOD, "name": "b", "url": "https://example.org/a"})
    assert (code, "b: the same files as a." in told) == (1, True)


def test_a_licence_that_is_not_kept_is_no_problem_where_files_speak_for_themselves(
    tmp_path: Path,
) -> None:
    source = GOOD | {"license": "GPL-3.0-only", "nested_licences": "keep"}
    assert check(tmp_path, source)[0] == 0


def repository(folder: Path) -> Repository:
    made = Repository(folder)
    made.write("src/lib.rs", "fn a() {}\n")
    made.write("README.md", "# A\n")
    made.write("logo.png", b"\x89PNG\0")
    made.commit()
    return made


def test_a_folder_is_added_with_what_it_will_cost(tmp_path: Path) -> None:
    repository(tmp_path / "My Project")
    manifest = tmp_path / "mine.yaml"
    code, told = run(
        *("add", str(tmp_path / "My Project"), "--manifest", str(manifest)),
        *("--lake", str(tmp_path / "lake")),
    )
    assert code == 0, told
    assert "✓ my-project added to" in told
    assert "3 files at" in told
    assert "reads 2 of them (markdown 1, rust 1)" in told
    [source] = load_manifest(manifest).sources
    assert isinstance(source, PathSource)
    assert (source.name, source.domain, source.worktree) == ("my-project", "personal", False)
    assert source.path == tmp_path / "My Project"


def test_a_folder_without_git_is_read_as_it_lies_there(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.rs").write_text("fn a() {}\n", encoding="utf-8")
    manifest = tmp_path / "mine.yaml"
    arguments = (
        "add",
        str(tmp_path / "notes"),
        "--manifest",
        str(manifest),
        "--lake",
        str(tmp_path / "l"),
    )
    assert run(*arguments)[0] == 0
    assert "worktree: true" in manifest.read_text(encoding="utf-8")


def test_an_address_is_added_after_it_was_fetched_and_comments_stay(tmp_path: Path) -> None:
    repository(tmp_path / "origin")
    manifest = tmp_path / "mine.yaml"
    manifest.write_text(
        "# mine\nsources:\n  - name: first  # the oldest\n    kind: git\n    url: ./first\n",
        encoding="utf-8",
    )
    code, told = run(
        *("add", f"file://{tmp_path}/origin", "--domain", "rust", "--ref", "main"),
        *("--manifest", str(manifest), "--lake", str(tmp_path / "lake")),
    )
    assert code == 0, told
    assert manifest.read_text(encoding="utf-8") == (
        "# mine\nsources:\n  - name: first  # the oldest\n    kind: git\n    url: ./first\n"
        f"  - name: origin\n    kind: git\n    url: file://{tmp_path}/origin\n    ref: main\n"
        "    domain: rust\n    why: added by hand\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ext::sh -c touch%20x",), "could run a command"),
        (("--", "--upload-pack=touch x"), "could run a command"),
        (
            ("https://example.org/a.git", "--domain", "gardening"),
            "Input should be 'general', 'rust'",
        ),
        (("/no/such/place",), "There is no such folder, and this is no git address."),
        (("file:///no/such/place",), "cannot be fetched"),
    ],
)
def test_what_cannot_be_read_is_not_added(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    manifest = tmp_path / "mine.yaml"
    options = ("add", "--manifest", str(manifest), "--lake", str(tmp_path / "lake"))
    code, told = run(*options, *arguments)
    assert code == 1
    assert told.startswith("error: ")
    assert message in told
    assert "Traceback" not in told
    assert not manifest.exists()


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    repository(tmp_path / "a")
    arguments = (
        "add",
        str(tmp_path / "a"),
        "--manifest",
        str(tmp_path / "m.yaml"),
        "--lake",
        str(tmp_path / "l"),
    )
    assert run(*arguments)[0] == 0
    code, told = run(*arguments)
    assert (code, "has a source 'a' already. Give another --name." in told) == (1, True)


def test_files_that_are_there_under_another_name_are_not_added_again(tmp_path: Path) -> None:
    repository(tmp_path / "a")
    arguments = ("add", str(tmp_path / "a"), "--manifest", str(tmp_path / "m.yaml"))
    lake = ("--lake", str(tmp_path / "l"))
    assert run(*arguments, *lake)[0] == 0
    code, told = run(*arguments, *lake, "--name", "b")
    assert (code, "has these files already, as 'a'" in told) == (1, True)


def test_a_folder_has_no_ref(tmp_path: Path) -> None:
    repository(tmp_path / "a")
    code, told = run("add", str(tmp_path / "a"), "--ref", "main", "--lake", str(tmp_path / "l"))
    assert (code, "it has no --ref" in told) == (1, True)


def test_a_lake_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    quickstart = str(ROOT / "config" / "sources_quickstart.yaml")
    code, told = run("refresh", "--sources", quickstart, "--lake", str(tmp_path / "file"))
    assert (code, told.count("\n")) == (1, 1)
    assert "The lake cannot be written" in told


def test_wishes_that_cannot_be_found_stop_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVENDER_OPTOUT", str(tmp_path / "none.yaml"))
    code, told = run("refresh", "--lake", str(tmp_path / "lake"))
    assert (code, "Correct PROVENDER_OPTOUT, or unset it." in told) == (1, True)


def test_attribution_wants_one_name_and_knows_it(tmp_path: Path) -> None:
    lake = ("--lake", str(tmp_path))
    assert "Name one data set or one model." in run("attribution", *lake)[1]
    assert "There is no model 'nobody'." in run("attribution", "--model", "nobody", *lake)[1]


def test_the_personal_manifest_that_ships_is_this_repository_and_all_of_it_is_owned(
    tmp_path: Path,
) -> None:
    source = load_manifest(ROOT / "config" / "sources_personal.yaml").repository("provender")
    store = BlobStore(tmp_path / "blobs")
    snapshot, _ = take_snapshot(source, tmp_path / "cache", store)
    files = classify(snapshot, store.read, Project().load_policy(), source)
    kept = files.filter("kept")
    assert "pipeline/catalog.py" in kept["path"]
    assert kept["license_tier"].unique().to_list() == ["owned"]
    assert kept["license"].unique().to_list() == ["Apache-2.0"]

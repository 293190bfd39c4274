from pathlib import Path

import pytest

from common.errors import ProvenderError
from common.hashing import git_object
from corpus.snapshots import tree
from corpus.snapshots.tree import GITLINK, LINK, Entry, bounded, public, tree_id
from tests.corpus.snapshots.repository import Repository

WHERE = "source demo"


def leaves(files: dict[str, bytes]) -> list[Entry]:
    return [Entry(path, "100644", git_object("blob", data)) for path, data in files.items()]


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({}, id="empty"),
        pytest.param({"a": b"1"}, id="one file"),
        pytest.param({"a/x": b"1", "a.b": b"2", "a-b": b"3", "a0": b"4"}, id="folder order"),
        pytest.param({"z": b"1", "B": b"2", "a": b"3", "A": b"4"}, id="case"),
        pytest.param({"a/b/c/d.rs": b"1", "a/b/e.rs": b"1", "a/f.rs": b"1"}, id="nested"),
        pytest.param({"∀.rs": b"1", "é/x": b"2", "z": b"3"}, id="unicode"),
        pytest.param({"a\nb": b"1", "a\tb/c": b"2", '"': b"3"}, id="odd characters"),
        pytest.param({"caf\udce9.rs": b"1", "café.rs": b"2"}, id="no UTF-8"),
    ],
)
def test_tree_id_is_gits(tmp_path: Path, files: dict[str, bytes]) -> None:
    repository = Repository(tmp_path / "repository")
    for path, data in files.items():
        repository.write(path, data)
    repository.git("add", "--all")

    assert tree_id(leaves(files), WHERE) == repository.git("write-tree")


def test_tree_id_does_not_depend_on_order() -> None:
    found = leaves({"a/x": b"1", "a.b": b"2", "b": b"3"})

    assert tree_id(reversed(found), WHERE) == tree_id(found, WHERE)


def test_tree_id_counts_modes_links_and_submodules(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    commit = repository.commit()
    repository.write("run.sh", "#!/bin/sh\n").chmod(0o755)
    (repository.folder / "link").symlink_to("run.sh")
    repository.git("add", "--all")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{commit},sub")
    found = [
        Entry("run.sh", "100755", git_object("blob", b"#!/bin/sh\n")),
        Entry("link", LINK, git_object("blob", b"run.sh")),
        Entry("sub", GITLINK, commit),
    ]

    assert tree_id(found, WHERE) == repository.git("write-tree")


@pytest.mark.parametrize("names", [("a", "a/b"), ("a/b", "a"), ("a", "a"), ("a/b", "a/b/c")])
def test_path_that_is_file_and_folder_is_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(ProvenderError, match="is both a file and a folder, or there twice") as told:
        tree_id([Entry(name, "100644", "0" * 40) for name in names], WHERE)
    assert told.value.where == WHERE


def test_file_at_the_bound_of_depth_is_taken() -> None:
    assert len(tree_id([Entry("d/" * 256 + "f", "100644", "0" * 40)], WHERE)) == 40


@pytest.mark.parametrize("depth", [257, 100_000])
def test_file_that_lies_too_deep_is_refused(depth: int) -> None:
    with pytest.raises(ProvenderError, match=f"A file lies {depth} folders deep"):
        tree_id([Entry("d/" * depth + "f", "100644", "0" * 40)], WHERE)


def test_bounds_let_through_what_reaches_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "MAX_FILES", 2)
    monkeypatch.setattr(tree, "MAX_TOTAL_BYTES", 10)

    bounded(WHERE, files=2, size=10)


def test_too_many_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "MAX_FILES", 2)

    with pytest.raises(ProvenderError, match=r"larger than any should be \(3 files\)"):
        bounded(WHERE, files=3)


def test_too_many_bytes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "MAX_TOTAL_BYTES", 10)

    with pytest.raises(ProvenderError, match=r"larger than any should be \(11 bytes\)"):
        bounded(WHERE, size=11)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.org/me/demo.git", "https://example.org/me/demo.git"),
        ("https://me:secret@example.org:8443/demo", "https://example.org:8443/demo"),
        ("https://secret@example.org/demo", "https://example.org/demo"),
        ("https://me:se@cret@example.org/demo", "https://example.org/demo"),
        ("https://example.org/demo?token=secret#secret", "https://example.org/demo"),
        ("ssh://git@example.org/demo", "ssh://example.org/demo"),
        ("git@example.org:me/demo.git", "git@example.org:me/demo.git"),
        ("/srv/demo", "/srv/demo"),
        ("../demo", "../demo"),
        ("file:///srv/demo", "file:///srv/demo"),
        ("https://me:secret@[broken/demo", "[broken/demo"),
    ],
)
def test_public_address_has_no_credentials(url: str, shown: str) -> None:
    assert public(url) == shown

from pathlib import Path

import pytest

from common.errors import ProvenderError
from common.hashing import git_object
from corpus import schema
from corpus.snapshots import snapshot
from corpus.snapshots.snapshot import Entry, pinned_revision, snapshot_of, tree_id
from corpus.sources import PypiSource
from tests.corpus.snapshots.repository import Repository


def leaves(files: dict[str, bytes]) -> list[tuple[str, str, str]]:
    return [(path, "100644", git_object("blob", data)) for path, data in files.items()]


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({}, id="empty"),
        pytest.param({"a": b"1"}, id="one file"),
        pytest.param({"a/x": b"1", "a.b": b"2", "a-b": b"3", "a0": b"4"}, id="folder order"),
        pytest.param({"z": b"1", "B": b"2", "a": b"3"}, id="case"),
        pytest.param({"a/b/c/d.rs": b"1", "a/b/e.rs": b"1", "a/f.rs": b"1"}, id="nested"),
        pytest.param({"∀.rs": b"1", "é/x": b"2", "z": b"3"}, id="unicode"),
    ],
)
def test_tree_id_is_gits(tmp_path: Path, files: dict[str, bytes]) -> None:
    repository = Repository(tmp_path / "repository")
    for path, data in files.items():
        repository.write(path, data)
    repository.git("add", "--all")

    assert tree_id(leaves(files)) == repository.git("write-tree")


def test_tree_id_does_not_depend_on_order() -> None:
    found = leaves({"a/x": b"1", "a.b": b"2", "b": b"3"})

    assert tree_id(reversed(found)) == tree_id(found)


def test_tree_id_counts_modes_and_links(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    repository.write("run.sh", "#!/bin/sh\n").chmod(0o755)
    (repository.folder / "link").symlink_to("run.sh")
    repository.git("add", "--all")
    found = [
        ("run.sh", "100755", git_object("blob", b"#!/bin/sh\n")),
        ("link", "120000", git_object("blob", b"run.sh")),
    ]

    assert tree_id(found) == repository.git("write-tree")


def test_snapshot_is_a_sorted_table_of_files() -> None:
    found = snapshot_of(
        "demo", "r1", [Entry("b.rs", "100755", b"fn b() {}"), Entry("a.rs", "100644", b"")]
    )

    assert schema.conform(found, schema.SNAPSHOT).num_rows == 2
    tree = tree_id(
        [
            ("a.rs", "100644", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
            ("b.rs", "100755", git_object("blob", b"fn b() {}")),
        ]
    )
    assert found.rows(named=True) == [
        {
            "source": "demo",
            "revision": "r1",
            "tree": tree,
            "path": "a.rs",
            "mode": "100644",
            "size": 0,
            "blob_sha": "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
            "content": b"",
        },
        {
            "source": "demo",
            "revision": "r1",
            "tree": tree,
            "path": "b.rs",
            "mode": "100755",
            "size": 9,
            "blob_sha": git_object("blob", b"fn b() {}"),
            "content": b"fn b() {}",
        },
    ]


def test_empty_source_gives_an_empty_table() -> None:
    assert schema.conform(snapshot_of("demo", "r1", []), schema.SNAPSHOT).num_rows == 0


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(Entry("a", "120000", b"target"), id="link"),
        pytest.param(Entry("a", "100644", b"a\0b"), id="binary"),
        pytest.param(Entry("a", "100644", b"x" * 11), id="too large"),
    ],
)
def test_content_is_left_out_and_hash_and_size_stay(
    entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "MAX_FILE_BYTES", 10)
    row = snapshot_of("demo", "r1", [entry]).row(0, named=True)

    assert row["content"] is None
    assert (row["size"], row["blob_sha"]) == (len(entry.data), git_object("blob", entry.data))


def test_content_at_the_bound_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "MAX_FILE_BYTES", 10)
    found = snapshot_of("demo", "r1", [Entry("a", "100644", b"x" * 10)])

    assert found["content"].to_list() == [b"x" * 10]


def test_release_is_pinned_by_its_digest() -> None:
    assert pinned_revision(PypiSource(name="a", version="1", sha256="a" * 64)) == "a" * 64


@pytest.mark.parametrize("paths", [("a", "a/b"), ("a/b", "a"), ("a", "a")])
def test_path_that_is_file_and_folder_is_refused(paths: tuple[str, ...]) -> None:
    with pytest.raises(ProvenderError, match=r"source hostile: .*both a file and a folder"):
        snapshot_of("hostile", "1", [Entry(path, "100644", b"") for path in paths])


def test_path_that_is_not_utf8_counts_for_the_tree_only() -> None:
    odd = b"caf\xe9.rs".decode("utf-8", "surrogateescape")
    frame = snapshot_of("odd", "1", [Entry("a.rs", "100644", b"x"), Entry(odd, "100644", b"y")])

    assert frame["path"].to_list() == ["a.rs"]
    assert frame["tree"][0] == tree_id(
        [("a.rs", "100644", git_object("blob", b"x")), (odd, "100644", git_object("blob", b"y"))]
    )

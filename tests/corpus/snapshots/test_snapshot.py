from pathlib import Path

import polars as pl
import pytest

from common.errors import ProvenderError
from common.hashing import git_object
from corpus import schema
from corpus.optout import OptOut, OptOuts
from corpus.snapshots import current_revision, git, gitcli, local, open_tree, take_snapshot
from corpus.snapshots.store import BlobStore
from corpus.sources import GitSource, PathSource, PypiSource
from tests.corpus.snapshots.repository import Repository

LIB = b"fn f() {}\n"
MIB = 1 << 20


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    found = Repository(tmp_path / "origin")
    found.write("src/lib.rs", LIB)
    found.commit()
    return found


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


def source(repository: Repository, **changes: object) -> GitSource:
    return GitSource.model_validate({"name": "demo", "url": str(repository.folder), **changes})


def blob(data: bytes) -> str:
    return git_object("blob", data)


def states(frame: pl.DataFrame) -> dict[str, str]:
    return dict(frame.select("path", "state").iter_rows())


def about(**wish: str) -> OptOuts:
    return OptOuts(optout=[OptOut.model_validate(wish)])


def held(store: BlobStore) -> set[str]:
    return set(store.sizes())


def test_snapshot_is_a_sorted_table_of_files(
    repository: Repository, cache: Path, store: BlobStore
) -> None:
    repository.write("run.py", "").chmod(0o755)
    commit = repository.commit()
    frame, out = take_snapshot(source(repository), cache, store)

    place = {
        "source": "demo",
        "origin": str(repository.folder),
        "revision": commit,
        "anchor": f"swh:1:rev:{commit}",
        "tree": repository.tree(),
    }
    assert schema.conform(frame, schema.SNAPSHOT).num_rows == 2
    assert frame.rows(named=True) == [
        {
            **place,
            "path": "run.py",
            "mode": "100755",
            "size": 0,
            "blob_sha": blob(b""),
            "state": "stored",
        },
        {
            **place,
            "path": "src/lib.rs",
            "mode": "100644",
            "size": 10,
            "blob_sha": blob(LIB),
            "state": "stored",
        },
    ]
    assert out == set()
    assert dict(store.read(held(store))) == {blob(b""): b"", blob(LIB): LIB}


def test_source_without_files_gives_an_empty_table(
    tmp_path: Path, cache: Path, store: BlobStore
) -> None:
    empty = Repository(tmp_path / "empty")
    empty.commit()
    frame, _ = take_snapshot(source(empty), cache, store)

    assert schema.conform(frame, schema.SNAPSHOT).num_rows == 0
    assert store.sizes() == {}


def test_every_file_says_what_is_held_of_it(
    repository: Repository, cache: Path, store: BlobStore
) -> None:
    commit = repository.git("rev-parse", "HEAD")
    repository.write("large.rs", "x" * (MIB + 1))
    repository.write("bound.rs", "x" * MIB)
    repository.write("binary.rs", b"fn \0")
    repository.write("utf16.rs", "fn f() {}".encode("utf-16"))
    repository.write("utf16be.rs", b"\xfe\xff\0f\0n")
    repository.write("latin.rs", b"// caf\xe9")
    repository.write("empty.rs", b"")
    repository.write("picture.png", b"\0")
    repository.write("LICENSE", "MIT")
    repository.write("a\nb.rs", "1")
    repository.write("tab\t.rs", "2")
    repository.write("caf\udce9.rs", "3")
    repository.write("LIB.rs", "4")
    repository.write("lib.rs", "5")
    (repository.folder / "passwd.rs").symlink_to("/etc/passwd")
    repository.git("add", "--all")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{commit},sub")
    repository.git("commit", "--quiet", "--message", "all")
    frame, _ = take_snapshot(source(repository), cache, store)

    assert states(frame) == {
        "LIB.rs": "stored",
        "LICENSE": "stored",
        "a\\nb.rs": "odd_path",
        "binary.rs": "binary",
        "bound.rs": "stored",
        "caf\\xe9.rs": "odd_path",
        "empty.rs": "stored",
        "large.rs": "too_large",
        "latin.rs": "stored",
        "lib.rs": "stored",
        "passwd.rs": "link",
        "picture.png": "no_code",
        "src/lib.rs": "stored",
        "sub": "submodule",
        "tab\\t.rs": "odd_path",
        "utf16.rs": "stored",
        "utf16be.rs": "stored",
    }
    stored = frame.filter(state="stored")
    assert stored["size"].null_count() == 0
    assert frame.filter(pl.col("state") != "stored")["size"].drop_nulls().to_list() == []
    assert held(store) == set(stored["blob_sha"])
    assert frame["tree"].unique().to_list() == [repository.tree()]
    assert frame.filter(path="large.rs")["blob_sha"].item() == blob(b"x" * (MIB + 1))


def test_worktree_says_the_same_as_the_commit(
    repository: Repository, cache: Path, store: BlobStore, tmp_path: Path
) -> None:
    repository.write("binary.rs", b"fn \0")
    repository.write("large.rs", "x" * (MIB + 1))
    repository.write("caf\udce9.rs", "3")
    repository.write("a\nb.rs", "1")
    (repository.folder / "link").symlink_to("/etc/passwd")
    repository.commit()
    here = PathSource(name="demo", path=repository.folder, worktree=True)
    columns = ("path", "mode", "size", "blob_sha", "state", "tree")
    frame, _ = take_snapshot(here, cache, store)
    other, _ = take_snapshot(source(repository), cache, BlobStore(tmp_path / "other"))

    assert frame.select(columns).equals(other.select(columns))


def test_paths_that_only_differ_in_what_is_escaped_are_two_rows(
    repository: Repository, cache: Path, store: BlobStore
) -> None:
    repository.write("a\nb.rs", "1")
    repository.write("a\\nb.rs", "2")
    repository.commit()
    frame, _ = take_snapshot(source(repository), cache, store)

    assert frame.filter(path="a\\nb.rs")["state"].sort().to_list() == ["odd_path", "stored"]


def test_order_of_the_rows_is_that_of_the_paths(
    repository: Repository, cache: Path, store: BlobStore
) -> None:
    for name in ("z.rs", "a/b.rs", "a.rs", "a-b.rs", "Z.rs", "é.rs"):
        repository.write(name, name)
    repository.commit()
    frame, _ = take_snapshot(source(repository), cache, store)

    assert frame["path"].to_list() == sorted(frame["path"])


def test_included_files_alone_are_held(
    repository: Repository, cache: Path, store: BlobStore
) -> None:
    for path in ("LICENSE", "docs/a.md", "src/deep/b.rs", "tools/c.py", "tools/LICENSE"):
        repository.write(path, path)
    repository.commit()
    found = source(repository, include=["/src/", "*.md"], exclude=["deep/"])
    frame, _ = take_snapshot(found, cache, store)

    assert states(frame) == {
        "LICENSE": "stored",
        "docs/a.md": "stored",
        "src/deep/b.rs": "excluded",
        "src/lib.rs": "stored",
        "tools/LICENSE": "stored",  # a licence text counts wherever it lies
        "tools/c.py": "excluded",
    }
    assert blob(b"tools/c.py") not in held(store)


def test_files_that_are_included_later_are_added_then(
    repository: Repository, cache: Path, store: BlobStore
) -> None:
    repository.write("tools/c.py", "c")
    repository.commit()
    take_snapshot(source(repository, exclude=["tools/"]), cache, store)
    assert held(store) == {blob(LIB)}

    frame, _ = take_snapshot(source(repository), cache, store)
    assert states(frame)["tools/c.py"] == "stored"
    assert held(store) == {blob(LIB), blob(b"c")}


def test_nothing_new_adds_no_part(
    repository: Repository, cache: Path, store: BlobStore, tmp_path: Path
) -> None:
    frame, _ = take_snapshot(source(repository), cache, store)
    before = [(part.name, part.stat()) for part in (tmp_path / "blobs").iterdir()]

    assert take_snapshot(source(repository), cache, store, previous=frame)[0].equals(frame)
    assert [(part.name, part.stat()) for part in (tmp_path / "blobs").iterdir()] == before


def test_unfit_files_are_not_asked_for_again(
    repository: Repository, cache: Path, store: BlobStore
) -> None:
    repository.git("config", "uploadpack.allowFilter", "true")
    repository.write("binary.rs", b"fn \0")
    repository.write("large.rs", "x" * (MIB + 1))
    repository.commit()
    there = source(repository, url=repository.folder.as_uri())
    frame, _ = take_snapshot(there, cache, store)
    (folder,) = cache.iterdir()
    folder.rename(cache.parent / "lost")

    assert take_snapshot(there, cache, store, previous=frame)[0].equals(frame)
    assert gitcli.local_blobs(gitcli.command("test", folder)) == set()


def test_wish_is_heard_before_the_bytes_are_asked_for(
    repository: Repository, cache: Path, store: BlobStore
) -> None:
    repository.git("config", "uploadpack.allowFilter", "true")
    repository.write("private/secret.rs", "fn secret() {}\n")
    repository.commit()
    there = source(repository, url=repository.folder.as_uri())
    frame, out = take_snapshot(there, cache, store, wishes=about(path="private/"))

    secret = blob(b"fn secret() {}\n")
    assert states(frame) == {"private/secret.rs": "opted_out", "src/lib.rs": "stored"}
    assert frame.filter(path="private/secret.rs")["size"].to_list() == [None]
    assert out == {secret}
    assert held(store) == {blob(LIB)}
    (folder,) = cache.iterdir()
    assert gitcli.local_blobs(gitcli.command("test", folder)) == {blob(LIB)}


@pytest.mark.parametrize("kind", ["blob", "tree", "commit", "repository"])
def test_wish_may_name_a_file_a_folder_a_commit_or_all(
    repository: Repository, cache: Path, store: BlobStore, kind: str
) -> None:
    wish = {
        "blob": {"swhid": f"swh:1:cnt:{blob(LIB)}"},
        "tree": {"swhid": f"swh:1:dir:{repository.tree()}"},
        "commit": {"swhid": f"swh:1:rev:{repository.git('rev-parse', 'HEAD')}"},
        "repository": {"repository": "demo"},
    }[kind]
    frame, out = take_snapshot(source(repository), cache, store, wishes=about(**wish))

    assert states(frame) == {"src/lib.rs": "opted_out"}
    assert out == {blob(LIB)}
    assert held(store) == set()


def test_wish_about_others_changes_nothing(
    repository: Repository, cache: Path, store: BlobStore
) -> None:
    frame, out = take_snapshot(source(repository), cache, store, wishes=about(repository="a/other"))

    assert states(frame) == {"src/lib.rs": "stored"}
    assert out == set()


def test_later_wish_sweeps_what_was_held(
    repository: Repository, cache: Path, store: BlobStore
) -> None:
    for number in range(9):
        repository.write(f"src/{number}.rs", f"fn f{number}() {{}}\n")
    repository.commit()
    take_snapshot(source(repository), cache, store)
    assert len(held(store)) == 10

    _, out = take_snapshot(source(repository), cache, store, wishes=about(path="src/lib.rs"))
    assert out == {blob(LIB)}
    assert len(held(store)) == 9
    assert blob(LIB) not in held(store)
    assert not list(cache.glob("*.git"))  # where its bytes were, too


def test_tombstone_keeps_a_copy_out_wherever_it_lies(
    repository: Repository, cache: Path, store: BlobStore
) -> None:
    take_snapshot(source(repository), cache, store)
    repository.write("copy/of.rs", LIB)
    repository.write("src/new.rs", "fn new() {}\n")
    repository.commit()
    frame, out = take_snapshot(source(repository), cache, store, tombstones={blob(LIB)})

    assert states(frame) == {
        "copy/of.rs": "opted_out",
        "src/lib.rs": "opted_out",
        "src/new.rs": "stored",
    }
    assert out == set()  # nobody wished anything here
    assert held(store) == {blob(b"fn new() {}\n")}


def test_tombstones_of_others_do_not_rewrite_the_store(
    repository: Repository, cache: Path, store: BlobStore, tmp_path: Path
) -> None:
    for number in range(4):
        repository.write(f"src/{number}.rs", f"fn f{number}() {{}}\n")
    repository.commit()
    take_snapshot(source(repository), cache, store)
    repository.write("src/lib.rs", "fn changed() {}\n")
    repository.commit()
    take_snapshot(source(repository), cache, store, tombstones={"0" * 40})

    assert len(list((tmp_path / "blobs").iterdir())) == 2
    assert blob(LIB) in held(store)  # dead, but nobody asked for it to go


def test_wish_that_is_withdrawn_brings_the_file_back(
    repository: Repository, cache: Path, store: BlobStore
) -> None:
    take_snapshot(source(repository), cache, store, wishes=about(path="*.rs"))
    frame, _ = take_snapshot(source(repository), cache, store)

    assert states(frame) == {"src/lib.rs": "stored"}
    assert held(store) == {blob(LIB)}


def test_wish_does_not_reach_empty_files(
    repository: Repository, cache: Path, store: BlobStore
) -> None:
    repository.write("src/__init__.py", "")
    repository.commit()
    frame, out = take_snapshot(source(repository), cache, store, wishes=about(path="src/"))

    assert states(frame) == {"src/__init__.py": "stored", "src/lib.rs": "opted_out"}
    assert out == {blob(LIB)}


def test_source_that_fails_leaves_the_store_as_it_was(
    repository: Repository, cache: Path, store: BlobStore
) -> None:
    take_snapshot(source(repository), cache, store)
    repository.folder.rename(repository.folder.parent / "moved")

    with pytest.raises(ProvenderError, match="source demo: "):
        take_snapshot(source(repository), cache, store)
    assert held(store) == {blob(LIB)}


def test_each_kind_of_source_has_its_module(repository: Repository, cache: Path) -> None:
    here = PathSource(name="demo", path=repository.folder)
    lies = PathSource(name="demo", path=repository.folder, worktree=True)
    release = PypiSource(name="demo", version="1", sha256="a" * 64)
    commit = repository.git("rev-parse", "HEAD")

    assert current_revision(source(repository), cache) == commit
    assert current_revision(here, cache) == commit
    assert current_revision(lies, cache) == f"worktree:{repository.tree()}"
    assert current_revision(release, cache) == "a" * 64
    with open_tree(source(repository), cache) as found:
        assert isinstance(found, git.GitTree)
    with open_tree(lies, cache) as found:
        assert isinstance(found, local.WorktreeTree)

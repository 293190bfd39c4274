import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common.errors import ProvenderError
from common.hashing import git_object
from corpus.snapshots import local, take_snapshot, tree
from corpus.snapshots.local import WorktreeTree, current_revision, open_tree
from corpus.snapshots.store import BlobStore
from corpus.snapshots.tree import GITLINK, LINK, Entry
from corpus.sources import PathSource
from tests.corpus.snapshots.repository import Repository

LIB = b"fn f() {}\n"
LONG_AGO = 1_000_000_000

Make = Callable[[Repository | Path], PathSource]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    found = Repository(tmp_path / "mine")
    found.write("src/lib.rs", LIB)
    found.commit()
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder without git."""
    found = tmp_path / "plain"
    (found / "src").mkdir(parents=True)
    (found / "src" / "lib.rs").write_bytes(LIB)
    return found


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def opens(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the Rust files that are opened from here on."""
    names: list[str] = []
    really = os.open

    def noted(path: Any, *rest: Any, **more: Any) -> int:
        if str(path).endswith(".rs"):
            names.append(Path(path).name)
        return really(path, *rest, **more)

    monkeypatch.setattr(local.os, "open", noted)
    return names


def head(place: Repository | Path) -> PathSource:
    path = place.folder if isinstance(place, Repository) else place
    return PathSource(name="demo", path=path)


def worktree(place: Repository | Path) -> PathSource:
    return head(place).model_copy(update={"worktree": True})


def entries(source: PathSource, cache: Path) -> dict[str, Entry]:
    with open_tree(source, cache) as found:
        return {entry.path: entry for entry in found.entries}


def files(source: PathSource, cache: Path) -> dict[str, bytes | None]:
    with open_tree(source, cache) as found:
        blobs = {entry.blob for entry in found.entries if entry.mode not in (LINK, GITLINK)}
        contents = dict(found.contents(blobs))
        return {each.path: contents[each.blob] for each in found.entries if each.blob in contents}


def age(*places: Path) -> None:
    """Make files older than any clock's tick."""
    for place in places:
        os.utime(place, (LONG_AGO, LONG_AGO))


def bait(tmp_path: Path, repository: Repository) -> Path:
    """Let the repository's own configuration name programs; the file that each would touch."""
    marker = tmp_path / "ran"
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("evil", "post-index-change", "post-checkout", "reference-transaction"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {marker}\n")
        (hooks / name).chmod(0o755)
    evil = str(hooks / "evil")
    repository.write(".gitattributes", "* filter=evil diff=evil\n")
    repository.commit()
    for key in ("core.fsmonitor", "core.pager", "core.sshCommand", "core.alternateRefsCommand"):
        repository.git("config", key, evil)
    for key in ("clean", "smudge", "process"):
        repository.git("config", f"filter.evil.{key}", evil)
    repository.git("config", "core.hooksPath", str(hooks))
    subprocess.run(["git", "status"], cwd=repository.folder, check=False, capture_output=True)
    assert marker.exists(), "the bait works where nothing refuses it"
    marker.unlink()
    return marker


def test_head_is_opened_whatever_lies_in_the_folder(repository: Repository, cache: Path) -> None:
    commit = repository.git("rev-parse", "HEAD")
    repository.write("src/lib.rs", "fn changed() {}\n")
    repository.write("new.rs", "fn new() {}\n")

    assert current_revision(head(repository), cache) == commit
    assert files(head(repository), cache) == {"src/lib.rs": LIB}
    with open_tree(head(repository), cache) as found:
        assert (found.revision, found.tree) == (commit, repository.tree())
        assert found.anchor == f"swh:1:rev:{commit}"


def test_worktree_has_the_files_as_they_lie_there(repository: Repository, cache: Path) -> None:
    repository.write(".gitignore", "target/\n*.log\n")
    repository.write("staged.rs", "fn staged() {}\n")
    repository.write("gone.rs", "fn gone() {}\n")
    repository.git("add", "--all")
    (repository.folder / "gone.rs").unlink()
    repository.write("src/lib.rs", "fn changed() {}\n")
    repository.write("new.rs", "fn new() {}\n").chmod(0o755)
    repository.write("target/built.rs", "fn built() {}\n")
    repository.write("debug.log", "x")

    assert files(worktree(repository), cache) == {
        ".gitignore": b"target/\n*.log\n",
        "new.rs": b"fn new() {}\n",
        "src/lib.rs": b"fn changed() {}\n",
        "staged.rs": b"fn staged() {}\n",
    }
    assert entries(worktree(repository), cache)["new.rs"].mode == "100755"


def test_clean_worktree_has_the_tree_of_its_commit(repository: Repository, cache: Path) -> None:
    repository.write("run.sh", "#!/bin/sh\n").chmod(0o755)
    (repository.folder / "link").symlink_to("run.sh")
    repository.write("caf\udce9.rs", "1")
    repository.write("a\nb.rs", "2")
    repository.commit()

    with open_tree(worktree(repository), cache) as found:
        assert found.tree == repository.tree()
        assert found.revision == f"worktree:{repository.tree()}"
        assert found.anchor == f"swh:1:dir:{repository.tree()}"
    assert current_revision(worktree(repository), cache) == f"worktree:{repository.tree()}"


def test_folder_without_git_has_all_its_files(folder: Path, cache: Path) -> None:
    (folder / ".gitignore").write_text("src\n")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "x.py").write_text("x")
    (folder / "empty").mkdir()

    assert files(worktree(folder), cache) == {
        ".gitignore": b"src\n",
        ".hidden/x.py": b"x",
        "src/lib.rs": LIB,
    }


def test_folder_of_a_repository_is_opened_as_it_lies_there(
    repository: Repository, cache: Path
) -> None:
    repository.write("other.rs", "fn other() {}\n")

    assert files(worktree(repository.folder / "src"), cache) == {"lib.rs": LIB}


def test_folder_of_a_repository_has_no_head_of_its_own(repository: Repository, cache: Path) -> None:
    for ask in (current_revision, files):
        with pytest.raises(ProvenderError, match="src is a part of the repository at") as caught:
            ask(head(repository.folder / "src"), cache)
        assert caught.value.where == "source demo"
        assert caught.value.remedy == (
            "Name the whole repository (with `include`), or set `worktree: true`."
        )


def test_folder_without_git_has_no_head(folder: Path, cache: Path) -> None:
    with pytest.raises(ProvenderError, match="is no git repository") as caught:
        files(head(folder), cache)
    assert caught.value.remedy == "Set `worktree: true` to read the files as they lie there."


@pytest.mark.parametrize("make", [head, worktree])
def test_missing_folder_is_told(tmp_path: Path, cache: Path, make: Make) -> None:
    (tmp_path / "file").write_text("")
    for name in ("nowhere", "file"):
        with pytest.raises(ProvenderError, match="There is no folder") as caught:
            files(make(tmp_path / name), cache)
        assert caught.value.remedy == "Correct `path` in the manifest."


def test_repository_without_a_commit_is_told(tmp_path: Path, cache: Path) -> None:
    empty = Repository(tmp_path / "empty")

    with pytest.raises(ProvenderError, match="has no commit yet") as caught:
        files(head(empty), cache)
    assert caught.value.remedy == "Commit something, or set `worktree: true`."
    assert files(worktree(empty), cache) == {}


def test_head_that_names_a_missing_branch_is_told(repository: Repository, cache: Path) -> None:
    repository.git("symbolic-ref", "HEAD", "refs/heads/gone")

    with pytest.raises(ProvenderError, match="has no commit yet"):
        files(head(repository), cache)


@pytest.mark.parametrize("make", [head, worktree])
def test_repository_of_somebody_else_is_told(
    repository: Repository, cache: Path, monkeypatch: pytest.MonkeyPatch, make: Make
) -> None:
    repository.write(".gitignore", ".env\n")
    repository.write(".env", "SECRET=1")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")

    with pytest.raises(ProvenderError, match="belongs to somebody else") as caught:
        files(make(repository), cache)
    assert "safe.directory" in caught.value.remedy


def test_index_that_is_damaged_does_not_let_ignored_files_in(
    repository: Repository, cache: Path
) -> None:
    repository.write(".git/index", "no index")

    with pytest.raises(ProvenderError, match=r"git cannot read .*: index file smaller"):
        files(worktree(repository), cache)


def test_clone_that_lacks_files_is_told_and_fetches_nothing(
    repository: Repository, cache: Path, tmp_path: Path
) -> None:
    repository.git("config", "uploadpack.allowFilter", "true")
    clone = tmp_path / "clone"
    arguments = ("clone", "--quiet", "--filter=blob:none", "--no-checkout")
    subprocess.run(["git", *arguments, repository.folder.as_uri(), clone], check=True)
    program = f"touch {tmp_path / 'ran'};false"
    subprocess.run(["git", "config", "remote.origin.uploadpack", program], cwd=clone, check=True)

    with pytest.raises(ProvenderError, match="lacks some of its own files: it is a partial clone"):
        files(head(clone), cache)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("make", [head, worktree])
def test_programs_of_the_repositorys_configuration_are_not_run(
    repository: Repository, cache: Path, tmp_path: Path, make: Make
) -> None:
    marker = bait(tmp_path, repository)

    current_revision(make(repository), cache)
    assert files(make(repository), cache) == {
        ".gitattributes": b"* filter=evil diff=evil\n",
        "src/lib.rs": LIB,
    }
    assert not marker.exists()


@pytest.mark.parametrize("make", [head, worktree])
def test_nothing_is_written_into_the_repository(
    repository: Repository, cache: Path, make: Make
) -> None:
    def state() -> dict[str, tuple[int, int]]:
        found = {str(path): path.lstat() for path in repository.folder.rglob("*")}
        return {path: (each.st_mtime_ns, each.st_ino) for path, each in found.items()}

    before = state()
    files(make(repository), cache)

    assert state() == before


@pytest.mark.parametrize("git", [True, False])
def test_link_out_of_the_folder_is_recorded_and_not_followed(
    folder: Path, cache: Path, tmp_path: Path, git: bool
) -> None:
    if git:
        subprocess.run(["git", "init", "--quiet", "--template="], cwd=folder, check=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.rs").write_text("fn secret() {}\n")
    (folder / "passwd").symlink_to("/etc/passwd")
    (folder / "linked").symlink_to(outside)
    (folder / "inner").symlink_to("src")
    (folder / "dangling").symlink_to("nowhere")

    found = entries(worktree(folder), cache)
    assert {path: entry.blob for path, entry in found.items() if entry.mode == LINK} == {
        "dangling": git_object("blob", b"nowhere"),
        "inner": git_object("blob", b"src"),
        "linked": git_object("blob", os.fsencode(outside)),
        "passwd": git_object("blob", b"/etc/passwd"),
    }
    assert files(worktree(folder), cache) == {"src/lib.rs": LIB}


def test_folder_that_became_a_link_out_hides_its_files(
    repository: Repository, cache: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    (repository.folder / "src").rename(outside)
    (outside / "lib.rs").write_text("fn secret() {}\n")
    (repository.folder / "src").symlink_to(outside)

    assert [*entries(worktree(repository), cache)] == ["src"]


def test_folder_may_itself_be_named_by_a_link(folder: Path, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)

    assert files(worktree(tmp_path / "link"), cache) == {"src/lib.rs": LIB}


def test_pipe_is_left_out_and_not_waited_for(folder: Path, cache: Path) -> None:
    os.mkfifo(folder / "pipe.rs")

    assert files(worktree(folder), cache) == {"src/lib.rs": LIB}


def test_submodule_of_head_is_recorded_and_not_followed(
    repository: Repository, cache: Path
) -> None:
    inner = Repository(repository.folder / "sub")
    inner.write("inner.rs", "fn inner() {}\n")
    commit = inner.commit()
    repository.commit()

    assert entries(head(repository), cache)["sub"] == Entry("sub", GITLINK, commit)
    assert files(head(repository), cache) == {"src/lib.rs": LIB}
    assert files(worktree(repository), cache) == {"src/lib.rs": LIB}


def test_file_over_the_bound_is_listed_without_its_bytes(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "MAX_FILE_BYTES", 10)
    (folder / "large.rs").write_bytes(b"x" * 11)

    assert files(worktree(folder), cache) == {"large.rs": None, "src/lib.rs": LIB}


def test_too_many_files_are_refused(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "MAX_FILES", 1)
    (folder / "b.rs").write_text("b")

    with pytest.raises(ProvenderError, match=r"larger than any should be \(2 files\)"):
        files(worktree(folder), cache)


def test_folders_nested_beyond_reason_are_refused(folder: Path, cache: Path) -> None:
    (folder / "d/" / ("d/" * 255)).mkdir(parents=True)
    assert files(worktree(folder), cache) == {"src/lib.rs": LIB}
    (folder / ("d/" * 300)).mkdir(parents=True)

    with pytest.raises(ProvenderError, match="nested more than 256 deep"):
        files(worktree(folder), cache)


def test_unchanged_files_are_not_read_again(folder: Path, cache: Path, opens: list[str]) -> None:
    age(folder / "src" / "lib.rs")
    first = current_revision(worktree(folder), cache)
    assert opens == ["lib.rs"]

    assert current_revision(worktree(folder), cache) == first
    assert opens == ["lib.rs"]


def test_file_of_which_anything_changed_is_read_again(
    folder: Path, cache: Path, opens: list[str]
) -> None:
    lib, other = folder / "src" / "lib.rs", folder / "other.rs"
    other.write_text("fn other() {}\n")
    age(lib, other)
    current_revision(worktree(folder), cache)
    opens.clear()
    lib.write_bytes(b"fn g() {}\n")
    age(lib)  # the same size and time as before: what is left is that its inode changed

    assert entries(worktree(folder), cache)["src/lib.rs"].blob == git_object("blob", b"fn g() {}\n")
    assert opens == ["lib.rs"]


def test_file_written_just_now_is_read_again(folder: Path, cache: Path, opens: list[str]) -> None:
    current_revision(worktree(folder), cache)
    current_revision(worktree(folder), cache)

    assert opens == ["lib.rs", "lib.rs"]


def test_file_that_was_written_just_before_is_known_later(
    folder: Path, cache: Path, opens: list[str]
) -> None:
    lib, known = folder / "src" / "lib.rs", cache / "demo.stat.json"
    current_revision(worktree(folder), cache)
    just_before = lib.stat().st_mtime_ns + 1_000_000_000
    os.utime(known, ns=(just_before, just_before))
    current_revision(worktree(folder), cache)  # racy: read, and remembered again
    later = lib.stat().st_mtime_ns + 9_000_000_000
    assert known.stat().st_mtime_ns != just_before
    os.utime(known, ns=(later, later))
    opens.clear()
    current_revision(worktree(folder), cache)

    assert opens == []


def test_names_of_any_bytes_are_known_again(folder: Path, cache: Path, opens: list[str]) -> None:
    for name in ("caf\udce9.rs", "a\nb.rs"):
        (folder / name).write_text(name, errors="surrogateescape")
    age(*folder.rglob("*.rs"))
    current_revision(worktree(folder), cache)
    opens.clear()
    current_revision(worktree(folder), cache)

    assert opens == []


@pytest.mark.parametrize("text", ["", "{", "\0\xff"])
def test_damaged_notes_are_made_anew(folder: Path, cache: Path, text: str) -> None:
    first = current_revision(worktree(folder), cache)
    (cache / "demo.stat.json").write_text(text, encoding="latin-1")

    assert current_revision(worktree(folder), cache) == first
    assert [*json.loads((cache / "demo.stat.json").read_text())] == ["src/lib.rs"]


def test_deleted_file_is_forgotten(folder: Path, cache: Path) -> None:
    (folder / "gone.rs").write_text("x")
    current_revision(worktree(folder), cache)
    (folder / "gone.rs").unlink()

    assert [*entries(worktree(folder), cache)] == ["src/lib.rs"]
    assert [*json.loads((cache / "demo.stat.json").read_text())] == ["src/lib.rs"]


@pytest.mark.parametrize("change", ["write", "delete", "link"])
def test_file_that_changes_while_it_is_read_is_told(folder: Path, cache: Path, change: str) -> None:
    lib = folder / "src" / "lib.rs"
    found = WorktreeTree(worktree(folder), cache)
    if change == "write":
        lib.write_text("fn changed() {}\n")
    else:
        lib.rename(folder.parent / "aside")
    if change == "link":
        lib.symlink_to(folder.parent / "aside")

    with pytest.raises(ProvenderError, match=r"'src/lib\.rs' changed while it was read"):
        list(found.contents({git_object("blob", LIB)}))


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://me:secret@example.org/me/demo.git", "https://example.org/me/demo.git"),
        ("git@example.org:me/demo.git", "git@example.org:me/demo.git"),
        ("ssh://git@example.org/demo", "ssh://example.org/demo"),
        ("/home/me/secret-project", "local:demo"),
        ("file:///home/me/secret-project", "local:demo"),
        ("../elsewhere", "local:demo"),
    ],
)
@pytest.mark.parametrize("make", [head, worktree])
def test_origin_is_the_repositorys_own_without_credentials(
    repository: Repository, cache: Path, make: Make, url: str, origin: str
) -> None:
    repository.git("remote", "add", "origin", url)

    with open_tree(make(repository), cache) as found:
        assert found.origin == origin


def test_place_of_a_folder_is_not_in_its_snapshot(
    folder: Path, cache: Path, tmp_path: Path
) -> None:
    frame, _ = take_snapshot(worktree(folder), cache, BlobStore(tmp_path / "blobs"))

    assert frame["origin"].to_list() == ["local:demo"]
    assert str(tmp_path) not in frame.write_csv()


def test_refresh_of_a_worktree_adds_what_is_new(folder: Path, cache: Path, tmp_path: Path) -> None:
    store = BlobStore(tmp_path / "blobs")
    (folder / "gone.rs").write_text("fn gone() {}\n")
    take_snapshot(worktree(folder), cache, store)
    (folder / "gone.rs").unlink()
    (folder / "new.rs").write_text("fn new() {}\n")
    again, _ = take_snapshot(worktree(folder), cache, store)

    assert again["path"].to_list() == ["new.rs", "src/lib.rs"]
    other = BlobStore(tmp_path / "other")
    assert again.equals(take_snapshot(worktree(folder), tmp_path / "cache 2", other)[0])

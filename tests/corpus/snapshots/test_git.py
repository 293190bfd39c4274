from pathlib import Path

import pytest

from common.errors import ProvenderError
from corpus.snapshots import git as snapshots_git
from corpus.snapshots.git import fetch_commit, remote_commit
from corpus.snapshots.snapshot import pinned_revision, take_snapshot
from corpus.sources import GitSource
from tests.corpus.snapshots.repository import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    found = Repository(tmp_path / "origin")
    found.write("Cargo.toml", '[package]\nlicense = "MIT"\n')
    found.write("src/lib.rs", "fn f() {}\n")
    found.commit()
    return found


@pytest.fixture
def downloads(tmp_path: Path) -> Path:
    return tmp_path / "downloads"


def source(repository: Repository, ref: str = "main") -> GitSource:
    return GitSource(name="demo", url=str(repository.folder), ref=ref)


def files(source: GitSource, downloads: Path) -> dict[str, bytes]:
    _, entries = fetch_commit(source, downloads)
    return {entry.path: entry.data for entry in entries}


def test_snapshot_is_that_of_the_commit(repository: Repository, downloads: Path) -> None:
    found = take_snapshot(source(repository), downloads)

    assert found["path"].to_list() == ["Cargo.toml", "src/lib.rs"]
    assert found["content"].to_list()[1] == b"fn f() {}\n"
    assert found["revision"].unique().to_list() == [repository.git("rev-parse", "HEAD")]
    assert found["tree"].unique().to_list() == [repository.tree()]
    assert found["blob_sha"].to_list()[1] == repository.git("rev-parse", "HEAD:src/lib.rs")


def test_folders_and_files_of_the_same_bytes_are_all_there(
    repository: Repository, downloads: Path
) -> None:
    for folder in ("a", "b", "c/d"):
        repository.write(f"{folder}/same.rs", "fn same() {}\n")
    repository.commit()

    found = take_snapshot(source(repository), downloads)
    assert found.height == 5
    assert found["tree"][0] == repository.tree()


def test_executable_keeps_its_mode(repository: Repository, downloads: Path) -> None:
    repository.write("run.sh", "#!/bin/sh\n").chmod(0o755)
    repository.commit()

    found = take_snapshot(source(repository), downloads)
    assert dict(found.select("path", "mode").iter_rows())["run.sh"] == "100755"
    assert found["tree"][0] == repository.tree()


def test_file_address_is_fetched(repository: Repository, downloads: Path) -> None:
    found = GitSource(name="demo", url=repository.folder.as_uri(), ref="main")

    assert set(files(found, downloads)) == {"Cargo.toml", "src/lib.rs"}


def test_pinned_commit_is_fetched_whatever_the_branch_is_now(
    repository: Repository, downloads: Path
) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.write("src/lib.rs", "fn changed() {}\n")
    repository.commit()

    revision, entries = fetch_commit(source(repository, first), downloads)
    assert revision == first
    assert {entry.path: entry.data for entry in entries}["src/lib.rs"] == b"fn f() {}\n"


def test_branch_is_fetched(repository: Repository, downloads: Path) -> None:
    repository.git("checkout", "--quiet", "-b", "topic")
    repository.write("new.rs", "fn new() {}\n")
    repository.commit()
    repository.git("checkout", "--quiet", "main")

    assert "new.rs" in files(source(repository, "topic"), downloads)


@pytest.mark.parametrize("annotated", [False, True])
def test_tag_is_fetched_and_names_its_commit(
    repository: Repository, downloads: Path, annotated: bool
) -> None:
    commit = repository.git("rev-parse", "HEAD")
    repository.git("tag", *(["--annotate", "--message=v1"] if annotated else []), "v1")
    repository.write("later.rs", "fn later() {}\n")
    repository.commit()

    assert remote_commit(source(repository, "v1")) == commit
    revision, entries = fetch_commit(source(repository, "v1"), downloads)
    assert revision == commit
    assert "later.rs" not in {entry.path for entry in entries}


def test_head_is_the_default_ref(repository: Repository, downloads: Path) -> None:
    found = GitSource(name="demo", url=str(repository.folder))

    assert remote_commit(found) == repository.git("rev-parse", "HEAD")
    assert fetch_commit(found, downloads)[0] == repository.git("rev-parse", "HEAD")


def test_branch_is_pinned_to_its_commit_now(repository: Repository) -> None:
    before = pinned_revision(source(repository))
    repository.write("new.rs", "fn new() {}\n")
    after = repository.commit()

    assert before != after
    assert pinned_revision(source(repository)) == after


def test_full_commit_id_is_pinned_without_asking_the_remote(tmp_path: Path) -> None:
    found = GitSource(name="demo", url=str(tmp_path / "nowhere"), ref="a" * 40)

    assert remote_commit(found) == "a" * 40


def test_unknown_ref_is_named_when_pinning(repository: Repository) -> None:
    with pytest.raises(ProvenderError, match="has no ref 'nope'") as caught:
        remote_commit(source(repository, "nope"))
    assert caught.value.where == "source demo"
    assert caught.value.remedy == "Correct `ref` in the manifest."


@pytest.mark.parametrize("ref", ["nope", "0" * 40])
def test_unknown_ref_is_named_when_fetching(
    repository: Repository, downloads: Path, ref: str
) -> None:
    with pytest.raises(ProvenderError, match=f"at '{ref}' cannot be fetched: ") as caught:
        fetch_commit(source(repository, ref), downloads)
    assert caught.value.where == "source demo"
    assert list(downloads.iterdir()) == []


def test_missing_repository_is_named(tmp_path: Path, downloads: Path) -> None:
    found = GitSource(name="demo", url=str(tmp_path / "nowhere"), ref="main")

    for ask in (remote_commit, lambda each: fetch_commit(each, downloads)):
        with pytest.raises(ProvenderError, match="does not appear to be a git repository"):
            ask(found)
    assert list(downloads.iterdir()) == []


@pytest.mark.parametrize("url", ["ext::sh -c touch% ran", "fd::7", "--upload-pack=touch ran"])
def test_address_that_could_run_a_command_is_refused(
    tmp_path: Path, downloads: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = GitSource(name="demo", url=url, ref="main")

    for ask in (remote_commit, lambda each: fetch_commit(each, downloads)):
        with pytest.raises(ProvenderError, match="could run a command"):
            ask(found)
    assert list(tmp_path.iterdir()) == []


def test_mirror_of_the_users_configuration_is_used(
    repository: Repository, downloads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{repository.folder.parent.as_uri()}/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://git.invalid/")
    found = GitSource(name="demo", url="https://git.invalid/origin", ref="main")

    assert remote_commit(found) == repository.git("rev-parse", "HEAD")
    assert set(files(found, downloads)) == {"Cargo.toml", "src/lib.rs"}


def test_link_is_recorded_and_not_followed(repository: Repository, downloads: Path) -> None:
    secret = repository.folder.parent / "secret"
    secret.write_text("secret")
    (repository.folder / "link").symlink_to("../secret")
    repository.commit()

    found = take_snapshot(source(repository), downloads)
    row = next(each for each in found.iter_rows(named=True) if each["path"] == "link")
    assert (row["mode"], row["size"], row["content"]) == ("120000", len("../secret"), None)


def test_submodule_is_not_followed(repository: Repository, downloads: Path) -> None:
    commit = repository.git("rev-parse", "HEAD")
    repository.write(
        ".gitmodules", f'[submodule "sub"]\n\tpath = sub\n\turl = {repository.folder}\n'
    )
    repository.git("add", "--all")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{commit},sub")
    repository.git("commit", "--quiet", "--message", "submodule")

    snapshot = take_snapshot(source(repository), downloads)
    assert set(snapshot["path"]) == {".gitmodules", "Cargo.toml", "src/lib.rs"}
    assert set(snapshot["tree"]) == {repository.tree()}  # its commit counts all the same


def test_hooks_are_not_run(repository: Repository, downloads: Path, tmp_path: Path) -> None:
    hooks = repository.folder / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "post-merge", "reference-transaction", "pre-auto-gc"):
        hook = hooks / name
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
        hook.chmod(0o755)

    assert files(source(repository), downloads)
    assert not (tmp_path / "ran").exists()


def test_filters_of_the_repository_are_not_run(repository: Repository, downloads: Path) -> None:
    repository.write(".gitattributes", "*.rs filter=lfs text eol=crlf ident\n")
    repository.write("src/lib.rs", "// $Id$\nfn f() {}\n")
    repository.commit()

    assert files(source(repository), downloads)["src/lib.rs"] == b"// $Id$\nfn f() {}\n"


def test_nothing_stays_in_the_downloads(repository: Repository, downloads: Path) -> None:
    take_snapshot(source(repository), downloads)

    assert list(downloads.iterdir()) == []


def test_nothing_stays_when_reading_stops_half_way(
    repository: Repository, downloads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots_git, "MAX_TOTAL_BYTES", 30)

    with pytest.raises(ProvenderError, match="larger than any source should be") as caught:
        take_snapshot(source(repository), downloads)
    assert caught.value.where == "source demo"
    assert list(downloads.iterdir()) == []


def test_too_many_files_are_refused(
    repository: Repository, downloads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots_git, "MAX_ENTRIES", 1)

    with pytest.raises(ProvenderError, match="larger than any source should be"):
        take_snapshot(source(repository), downloads)


def test_ref_that_is_no_commit_leaves_nothing(repository: Repository, downloads: Path) -> None:
    repository.git("tag", "blob", repository.git("rev-parse", "HEAD:Cargo.toml"))

    with pytest.raises(ProvenderError, match="is no commit"):
        fetch_commit(source(repository, "blob"), downloads)
    assert list(downloads.iterdir()) == []


def test_a_branch_whose_name_ends_alike_is_another(repository: Repository) -> None:
    wanted = repository.git("rev-parse", "HEAD")
    repository.git("checkout", "--quiet", "-b", "zeta/main")
    repository.write("src/other.rs", "fn other() {}\n")
    repository.commit()

    assert remote_commit(source(repository, "main")) == wanted

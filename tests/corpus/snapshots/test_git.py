import os
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from pydantic import ValidationError
from tenacity import wait_none

from common.errors import ProvenderError
from common.hashing import git_object
from corpus.snapshots import git as snapshots_git
from corpus.snapshots import gitcli, take_snapshot, tree
from corpus.snapshots.git import current_revision, open_tree
from corpus.snapshots.store import BlobStore
from corpus.snapshots.tree import GITLINK, LINK
from corpus.sources import GitSource
from tests.corpus.snapshots.repository import Repository
from tests.corpus.snapshots.servers import GitDaemon, GitHttp, serving

LIB = b"fn f() {}\n"

Ask = Callable[[GitSource, Path], object]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_ls_remote", "_fetch", "_fetch_blobs"):
        retrying = vars(getattr(snapshots_git, name))["retry"]
        monkeypatch.setattr(retrying, "wait", wait_none())


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    found = Repository(tmp_path / "served" / "origin")
    found.write("Cargo.toml", '[package]\nlicense = "MIT"\n')
    found.write("src/lib.rs", LIB)
    found.commit()
    return found


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def daemon(repository: Repository) -> Iterator[GitDaemon]:
    server = GitDaemon(repository.folder.parent)
    with serving(server):
        yield server


@pytest.fixture
def http(repository: Repository) -> Iterator[GitHttp]:
    server = GitHttp(repository.folder.parent)
    with serving(server):
        yield server


def source(repository: Repository | str, ref: str = "main") -> GitSource:
    url = repository if isinstance(repository, str) else str(repository.folder)
    return GitSource(name="demo", url=url, ref=ref)


def files(source: GitSource, cache: Path) -> dict[str, bytes | None]:
    """The bytes of all files of the tree that is opened, by path."""
    with open_tree(source, cache) as found:
        blobs = {entry.blob for entry in found.entries if entry.mode not in (LINK, GITLINK)}
        contents = dict(found.contents(blobs))
        return {each.path: contents[each.blob] for each in found.entries if each.blob in contents}


def snapshot(source: GitSource, cache: Path, store: Path) -> pl.DataFrame:
    return take_snapshot(source, cache, BlobStore(store))[0]


def cached(cache: Path) -> Path:
    """The one repository in the cache."""
    (folder,) = cache.iterdir()
    return folder


def blobs_in(folder: Path) -> set[str]:
    return gitcli.local_blobs(gitcli.command("test", folder))


def noise(seed: int, size: int) -> bytes:
    """Text that no compression shortens much."""
    return random.Random(seed).randbytes(size // 2).hex().encode()


def test_tree_is_that_of_the_commit(repository: Repository, cache: Path) -> None:
    repository.write("run.sh", "#!/bin/sh\n").chmod(0o755)
    commit = repository.commit()

    with open_tree(source(repository), cache) as found:
        assert (found.revision, found.tree) == (commit, repository.tree())
        assert found.anchor == f"swh:1:rev:{commit}"
        assert [(entry.path, entry.mode) for entry in found.entries] == [
            ("Cargo.toml", "100644"),
            ("run.sh", "100755"),
            ("src/lib.rs", "100644"),
        ]
        assert found.entries[2].blob == repository.git("rev-parse", "HEAD:src/lib.rs")


def test_files_of_the_same_bytes_are_all_there(repository: Repository, cache: Path) -> None:
    for folder in ("a", "b", "c/d"):
        repository.write(f"{folder}/same.rs", "fn same() {}\n")
    repository.commit()

    found = files(source(repository), cache)
    assert [path for path, data in found.items() if data == b"fn same() {}\n"] == [
        "a/same.rs",
        "b/same.rs",
        "c/d/same.rs",
    ]


def test_file_address_is_fetched(repository: Repository, cache: Path) -> None:
    assert files(source(repository.folder.as_uri()), cache).keys() == {"Cargo.toml", "src/lib.rs"}


def test_address_of_git_itself_is_fetched(daemon: GitDaemon, cache: Path) -> None:
    assert files(source(f"{daemon.url}/origin"), cache)["src/lib.rs"] == LIB


def test_address_of_http_is_fetched(http: GitHttp, cache: Path) -> None:
    assert files(source(f"{http.url}/origin/.git"), cache)["src/lib.rs"] == LIB


def test_pinned_commit_is_fetched_whatever_the_branch_is_now(
    repository: Repository, cache: Path
) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.write("src/lib.rs", "fn changed() {}\n")
    repository.commit()

    with open_tree(source(repository, first), cache) as found:
        assert found.revision == first
    assert files(source(repository, first), cache)["src/lib.rs"] == LIB


@pytest.mark.parametrize("ref", ["topic/one", "refs/heads/topic/one"])
def test_branch_is_fetched(repository: Repository, cache: Path, ref: str) -> None:
    repository.git("checkout", "--quiet", "-b", "topic/one")
    repository.write("new.rs", "fn new() {}\n")
    commit = repository.commit()
    repository.git("checkout", "--quiet", "main")

    assert "new.rs" in files(source(repository, ref), cache)
    assert current_revision(source(repository, ref), cache) == commit


@pytest.mark.parametrize("annotated", [False, True])
def test_tag_is_fetched_and_names_its_commit(
    repository: Repository, cache: Path, annotated: bool
) -> None:
    commit = repository.git("rev-parse", "HEAD")
    repository.git("tag", *(["--annotate", "--message=v1"] if annotated else []), "v1")
    repository.write("later.rs", "fn later() {}\n")
    repository.commit()

    assert current_revision(source(repository, "v1"), cache) == commit
    with open_tree(source(repository, "v1"), cache) as found:
        assert found.revision == commit
        assert "later.rs" not in {entry.path for entry in found.entries}


def test_tag_comes_before_a_branch_of_its_name(repository: Repository, cache: Path) -> None:
    commit = repository.git("rev-parse", "HEAD")
    repository.git("tag", "both")
    repository.git("checkout", "--quiet", "-b", "both")
    repository.write("later.rs", "fn later() {}\n")
    repository.commit()

    assert current_revision(source(repository, "both"), cache) == commit
    with open_tree(source(repository, "both"), cache) as found:
        assert found.revision == commit


def test_head_is_the_default_ref(repository: Repository, cache: Path) -> None:
    found = GitSource(name="demo", url=str(repository.folder))
    commit = repository.git("rev-parse", "HEAD")

    assert current_revision(found, cache) == commit
    with open_tree(found, cache) as opened:
        assert opened.revision == commit


def test_full_commit_id_is_the_revision_without_asking_the_remote(
    tmp_path: Path, cache: Path
) -> None:
    found = source(str(tmp_path / "nowhere"), "a" * 40)

    assert current_revision(found, cache) == "a" * 40


def test_asking_for_the_revision_writes_nothing(repository: Repository, cache: Path) -> None:
    current_revision(source(repository), cache)

    assert not cache.exists()


def test_branch_whose_name_ends_alike_is_another(repository: Repository, cache: Path) -> None:
    wanted = repository.git("rev-parse", "HEAD")
    repository.git("checkout", "--quiet", "-b", "zeta/main")
    repository.write("src/other.rs", "fn other() {}\n")
    repository.commit()

    assert current_revision(source(repository), cache) == wanted


def test_unknown_ref_is_named_when_asking(repository: Repository, cache: Path) -> None:
    with pytest.raises(ProvenderError, match="has no ref 'nope'") as caught:
        current_revision(source(repository, "nope"), cache)
    assert caught.value.where == "source demo"
    assert caught.value.remedy == "Correct `ref` in the manifest."


@pytest.mark.parametrize("ref", ["nope", "0" * 40])
def test_unknown_ref_is_named_when_fetching(repository: Repository, cache: Path, ref: str) -> None:
    with pytest.raises(ProvenderError, match=f"at '{ref}' cannot be fetched: ") as caught:
        files(source(repository, ref), cache)
    assert caught.value.where == "source demo"
    assert caught.value.remedy == "Check `url` and `ref` in the manifest, and the network."


def test_ref_that_is_no_commit_is_told(repository: Repository, cache: Path) -> None:
    repository.git("tag", "blob", repository.git("rev-parse", "HEAD:Cargo.toml"))

    with pytest.raises(ProvenderError, match="at 'blob' is no commit"):
        files(source(repository, "blob"), cache)


def test_missing_repository_is_named(tmp_path: Path, cache: Path) -> None:
    for ask in (current_revision, files):
        with pytest.raises(ProvenderError, match="does not appear to be a git repository"):
            ask(source(str(tmp_path / "nowhere")), cache)


def test_empty_repository_is_told(tmp_path: Path, cache: Path) -> None:
    found = GitSource(name="demo", url=str(Repository(tmp_path / "empty").folder))

    with pytest.raises(ProvenderError, match="empty, or its default branch is gone") as caught:
        current_revision(found, cache)
    assert caught.value.remedy == "Name a branch that exists in `ref`."
    with pytest.raises(ProvenderError, match="couldn't find remote ref HEAD"):
        files(found, cache)


def test_default_branch_that_vanished_is_told(repository: Repository, cache: Path) -> None:
    repository.git("symbolic-ref", "HEAD", "refs/heads/gone")
    found = GitSource(name="demo", url=str(repository.folder))

    with pytest.raises(ProvenderError, match="empty, or its default branch is gone"):
        current_revision(found, cache)
    assert files(source(repository), cache)["src/lib.rs"] == LIB


def test_commit_without_files_has_none(tmp_path: Path, cache: Path) -> None:
    bare = Repository(tmp_path / "bare")
    bare.commit()

    with open_tree(source(bare), cache) as found:
        assert (found.entries, found.tree) == ([], git_object("tree", b""))


@pytest.mark.parametrize(
    "url", ["ext::sh -c touch% ran", "fd::7", "--upload-pack=touch ran", "-u", "a\nb"]
)
def test_address_that_could_run_a_command_is_no_address(url: str) -> None:
    with pytest.raises(ValidationError, match="could run a command"):
        source(url)


@pytest.mark.parametrize("url", ["ext://touch ran", "ext::touch ran", "::touch ran"])
def test_address_that_got_past_the_manifest_runs_nothing(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.chdir(tmp_path)
    found = source("https://example.org/").model_copy(update={"url": url})

    for ask in (current_revision, files):
        with pytest.raises(ProvenderError, match="cannot be fetched"):
            ask(found, cache)
    assert not list(tmp_path.rglob("ran"))


def test_mirror_of_the_users_configuration_is_used(
    repository: Repository, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "gitconfig"
    config.write_text(
        f'[url "{repository.folder.parent.as_uri()}/"]\n\tinsteadOf = https://git.invalid/\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    found = source("https://git.invalid/origin")

    assert current_revision(found, cache) == repository.git("rev-parse", "HEAD")
    assert files(found, cache)["src/lib.rs"] == LIB
    with open_tree(found, cache) as opened:
        assert opened.origin == "https://git.invalid/origin"


def test_link_is_listed_and_its_target_is_not(repository: Repository, cache: Path) -> None:
    repository.write("../secret.rs", "secret")
    (repository.folder / "link.rs").symlink_to("../secret.rs")
    (repository.folder / "passwd").symlink_to("/etc/passwd")
    repository.commit()

    with open_tree(source(repository), cache) as found:
        links = {entry.path: entry.blob for entry in found.entries if entry.mode == LINK}
    assert links == {
        "link.rs": git_object("blob", b"../secret.rs"),
        "passwd": git_object("blob", b"/etc/passwd"),
    }


def test_submodule_is_listed_and_not_followed(
    repository: Repository, cache: Path, tmp_path: Path
) -> None:
    inner = Repository(tmp_path / "inner")
    inner.write("inner.rs", "fn inner() {}\n")
    commit = inner.commit()
    repository.write(".gitmodules", f'[submodule "sub"]\n\tpath = sub\n\turl = {inner.folder}\n')
    repository.git("add", "--all")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{commit},sub")
    repository.git("commit", "--quiet", "--message", "submodule")

    with open_tree(source(repository), cache) as found:
        assert found.tree == repository.tree()
        assert [(entry.path, entry.mode) for entry in found.entries] == [
            (".gitmodules", "100644"),
            ("Cargo.toml", "100644"),
            ("src/lib.rs", "100644"),
            ("sub", GITLINK),
        ]
        dict(found.contents({entry.blob for entry in found.entries[:3]}))
    assert git_object("blob", b"fn inner() {}\n") not in blobs_in(cached(cache))


def test_hooks_are_not_run(repository: Repository, cache: Path, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    files(source(repository), cache)  # so that the cache has hooks too, should somebody write there
    names = (
        "post-checkout",
        "post-merge",
        "reference-transaction",
        "pre-auto-gc",
        "post-index-change",
    )
    for hooks in (repository.folder / ".git" / "hooks", cached(cache) / "hooks"):
        hooks.mkdir(exist_ok=True)
        for name in names:
            (hooks / name).write_text(f"#!/bin/sh\ntouch {marker}\n")
            (hooks / name).chmod(0o755)
    subprocess.run(
        ["git", "update-ref", "refs/heads/bait", "main"], cwd=repository.folder, check=True
    )
    assert marker.exists(), "the bait works where nothing refuses it"
    marker.unlink()

    repository.write("new.rs", "fn new() {}\n")
    repository.commit()  # itself without hooks
    assert "new.rs" in files(source(repository), cache)
    assert not marker.exists()


def test_filters_and_attributes_change_nothing_and_run_nothing(
    repository: Repository, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "ran"
    config = tmp_path / "gitconfig"
    config.write_text(
        f'[filter "evil"]\n\tclean = touch {marker}; cat\n\tsmudge = touch {marker}; cat\n'
    )
    text = b"// $Id$\nfn f() {}\n"
    repository.write("src/lib.rs", text)
    repository.write(".gitattributes", "*.rs filter=evil text eol=crlf ident export-ignore\n")
    repository.commit()
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    where = tmp_path / "bait"
    subprocess.run(["git", "clone", "--quiet", repository.folder, where], check=True)
    assert marker.exists(), "the bait works where files are checked out"
    marker.unlink()

    assert files(source(repository), cache)["src/lib.rs"] == text
    assert not marker.exists()


def test_configuration_of_the_remote_runs_nothing(
    repository: Repository, cache: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "ran"
    evil = repository.write("../evil", f'#!/bin/sh\ntouch {marker}\nexec "$@"\n')
    evil.chmod(0o755)
    for key in ("uploadpack.packObjectsHook", "core.fsmonitor", "core.sshCommand", "core.pager"):
        repository.git("config", key, str(evil))

    assert files(source(repository), cache)["src/lib.rs"] == LIB
    assert not marker.exists()


def test_hidden_bidi_and_odd_names_are_listed_as_they_are(
    repository: Repository, cache: Path
) -> None:
    for number, name in enumerate(("a\nb.rs", "tab\t.rs", "caf\udce9.rs", "LIB.rs", "lib.rs")):
        repository.write(name, f"{number}")
    repository.commit()

    assert files(source(repository), cache) == {
        "Cargo.toml": b'[package]\nlicense = "MIT"\n',
        "LIB.rs": b"3",
        "a\nb.rs": b"0",
        "caf\udce9.rs": b"2",
        "lib.rs": b"4",
        "src/lib.rs": LIB,
        "tab\t.rs": b"1",
    }


def test_too_many_files_are_refused(
    repository: Repository, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "MAX_FILES", 1)

    with pytest.raises(ProvenderError, match=r"larger than any should be \(2 files\)") as caught:
        files(source(repository), cache)
    assert caught.value.where == "source demo"


def test_too_many_bytes_are_refused(
    repository: Repository, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "MAX_TOTAL_BYTES", 30)

    with pytest.raises(ProvenderError, match="larger than any should be"):
        files(source(repository), cache)


def test_first_fetch_of_a_server_with_filters_brings_no_files(
    repository: Repository, cache: Path
) -> None:
    repository.git("config", "uploadpack.allowFilter", "true")
    repository.write("README.md", "# read\n")
    repository.commit()

    with open_tree(source(repository.folder.as_uri()), cache) as found:
        assert blobs_in(cached(cache)) == set()
        wanted = {git_object("blob", LIB)}
        assert dict(found.contents(wanted)) == {git_object("blob", LIB): LIB}
        assert blobs_in(cached(cache)) == wanted


def test_files_are_asked_for_in_batches(
    repository: Repository, cache: Path, daemon: GitDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots_git, "_BATCH", 3)
    repository.git("config", "uploadpack.allowFilter", "true")
    for number in range(5):
        repository.write(f"{number}.rs", f"fn f{number}() {{}}\n")
    repository.commit()

    assert len(files(source(f"{daemon.url}/origin"), cache)) == 7
    assert daemon.connections == 1 + 3


def test_server_without_filters_gives_all_at_once(
    repository: Repository, cache: Path, daemon: GitDaemon
) -> None:
    repository.git("config", "uploadpack.allowFilter", "false")

    assert files(source(f"{daemon.url}/origin"), cache)["src/lib.rs"] == LIB
    assert daemon.connections == 1


def test_nothing_is_asked_for_twice(repository: Repository, cache: Path, daemon: GitDaemon) -> None:
    repository.git("config", "uploadpack.allowFilter", "true")
    files(source(f"{daemon.url}/origin"), cache)
    before = daemon.connections
    files(source(f"{daemon.url}/origin"), cache)

    assert daemon.connections == before + 1  # is there a new commit?


@pytest.mark.parametrize("filters", ["true", "false"])
def test_history_is_not_fetched(repository: Repository, cache: Path, filters: str) -> None:
    repository.git("config", "uploadpack.allowFilter", filters)
    old = repository.git("rev-parse", "HEAD")
    repository.write("src/lib.rs", "fn new() {}\n")
    repository.commit()
    files(source(repository.folder.as_uri()), cache)

    assert git_object("blob", LIB) not in blobs_in(cached(cache))
    listed = gitcli.command("test", cached(cache)).rev_list("--all")
    assert old not in listed


def test_history_that_was_rewritten_is_simply_followed(
    repository: Repository, cache: Path, tmp_path: Path
) -> None:
    snapshot(source(repository), cache, tmp_path / "blobs")
    repository.git("checkout", "--quiet", "--orphan", "other")
    repository.git("rm", "-r", "--quiet", "--force", ".")
    repository.write("other.rs", "fn other() {}\n")
    commit = repository.commit()
    repository.git("branch", "--force", "main", "other")

    found = snapshot(source(repository), cache, tmp_path / "blobs")
    assert found["path"].to_list() == ["other.rs"]
    assert found["revision"].to_list() == [commit]


def parts(store: Path) -> list[set[str]]:
    return [set(pl.read_parquet(part)["blob_sha"]) for part in sorted(store.glob("*.parquet"))]


@pytest.mark.parametrize("filters", ["true", "false"])
def test_refresh_adds_what_is_new_and_gives_what_a_first_time_would(
    repository: Repository, cache: Path, tmp_path: Path, filters: str
) -> None:
    repository.git("config", "uploadpack.allowFilter", filters)
    repository.write("src/gone.rs", "fn gone() {}\n")
    repository.write("src/stays.rs", "fn stays() {}\n")
    repository.commit()
    found = source(repository.folder.as_uri())
    store = tmp_path / "blobs"
    snapshot(found, cache, store)
    repository.write("src/lib.rs", "fn changed() {}\n")
    (repository.folder / "src" / "gone.rs").unlink()
    repository.commit()
    before = blobs_in(cached(cache))

    after = snapshot(found, cache, store)
    changed = {git_object("blob", b"fn changed() {}\n")}
    assert parts(store)[1:] == [changed]
    assert blobs_in(cached(cache)) - before == changed
    assert after["path"].to_list() == ["Cargo.toml", "src/lib.rs", "src/stays.rs"]
    assert after.equals(snapshot(found, tmp_path / "cache 2", tmp_path / "blobs 2"))


def test_lost_cache_changes_nothing_of_the_result(
    repository: Repository, cache: Path, tmp_path: Path
) -> None:
    found, store = source(repository), tmp_path / "blobs"
    before = snapshot(found, cache, store)
    cache.rename(tmp_path / "lost")

    assert snapshot(found, cache, store).equals(before)
    assert len(parts(store)) == 1


def test_lost_store_is_filled_again(repository: Repository, cache: Path, tmp_path: Path) -> None:
    found, store = source(repository), tmp_path / "blobs"
    before = snapshot(found, cache, store)
    store.rename(tmp_path / "lost")

    assert snapshot(found, cache, store).equals(before)
    assert parts(store) == [set(before["blob_sha"])]


@pytest.mark.parametrize("broken", ["HEAD", "config", "objects"])
def test_cache_that_is_not_whole_is_made_anew(
    repository: Repository, cache: Path, broken: str
) -> None:
    expected = files(source(repository), cache)
    (cached(cache) / broken).rename(cache.parent / "lost")

    assert files(source(repository), cache) == expected


def test_run_that_was_killed_before_the_address_was_written_does_not_block(
    repository: Repository, cache: Path
) -> None:
    expected = files(source(repository), cache)
    gitcli.command("test", cached(cache)).config("--unset", "remote.origin.url")

    assert files(source(repository), cache) == expected


def test_locks_of_a_run_that_was_killed_do_not_block(repository: Repository, cache: Path) -> None:
    files(source(repository), cache)
    for lock in ("config", "shallow", "HEAD", "packed-refs", "refs/provender/head"):
        (cached(cache) / f"{lock}.lock").write_text("")
    repository.write("new.rs", "fn new() {}\n")
    repository.commit()

    assert "new.rs" in files(source(repository), cache)


@pytest.mark.parametrize("filters", ["true", "false"])
def test_cache_of_many_packs_is_begun_anew(
    repository: Repository,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    filters: str,
) -> None:
    monkeypatch.setattr(snapshots_git, "_RENEW_ABOVE", 3)
    repository.git("config", "uploadpack.allowFilter", filters)
    found, store = source(repository.folder.as_uri()), tmp_path / "blobs"
    seen = set()
    for number in range(6):
        repository.write("src/lib.rs", f"fn f{number}() {{}}\n")
        repository.commit()
        frame = snapshot(found, cache, store)
        assert frame["path"].to_list() == ["Cargo.toml", "src/lib.rs"]
        assert frame["blob_sha"][1] == git_object("blob", b"fn f%d() {}\n" % number)
        seen.add(len(list(cache.rglob("*.pack"))))

    assert 0 in seen
    assert max(seen) <= 3
    old = git_object("blob", b"fn f0() {}\n")
    assert not any(old in blobs_in(folder) for folder in cache.iterdir())


def test_sources_of_one_name_and_other_addresses_share_nothing(
    repository: Repository, cache: Path
) -> None:
    files(source(repository), cache)
    files(source(repository.folder.as_uri()), cache)

    assert len(list(cache.iterdir())) == 2


def test_repository_of_a_hook_that_calls_is_left_alone(
    repository: Repository, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = Repository(tmp_path / "caller")
    before = sorted(path.name for path in (caller.folder / ".git").iterdir())
    monkeypatch.setenv("GIT_DIR", str(caller.folder / ".git"))

    assert files(source(repository), cache)["src/lib.rs"] == LIB
    assert sorted(path.name for path in (caller.folder / ".git").iterdir()) == before


@pytest.mark.parametrize("cut_after", [0, 40, 700, 60_000])
@pytest.mark.parametrize("filters", ["true", "false"])
def test_transfer_that_breaks_off_is_tried_again(
    repository: Repository, cache: Path, daemon: GitDaemon, cut_after: int, filters: str
) -> None:
    repository.git("config", "uploadpack.allowFilter", filters)
    text = noise(1, 200_000)
    repository.write("src/large.rs", text)
    repository.commit()
    daemon.cuts, daemon.cut_after = 3, cut_after

    assert files(source(f"{daemon.url}/origin"), cache)["src/large.rs"] == text
    assert daemon.connections >= 4 if cut_after < 700 else daemon.connections >= 2


def test_revision_is_asked_for_again(
    repository: Repository, cache: Path, daemon: GitDaemon
) -> None:
    daemon.cuts = 3

    commit = repository.git("rev-parse", "HEAD")
    assert current_revision(source(f"{daemon.url}/origin"), cache) == commit
    assert daemon.connections == 4


@pytest.mark.parametrize("ask", [current_revision, files])
def test_network_that_never_holds_is_told_with_the_number_of_tries(
    cache: Path, daemon: GitDaemon, ask: Ask
) -> None:
    daemon.cuts = 99
    with pytest.raises(ProvenderError, match=r"/origin at 'main' cannot be fetched: ") as caught:
        ask(source(f"{daemon.url}/origin"), cache)

    assert caught.value.where == "source demo"
    assert caught.value.remedy == (
        "4 tries failed: check the network and run again; the rest is kept."
    )
    assert daemon.connections == 4


def test_network_that_breaks_off_in_the_files_is_told(
    repository: Repository, cache: Path, daemon: GitDaemon
) -> None:
    repository.git("config", "uploadpack.allowFilter", "true")
    with open_tree(source(f"{daemon.url}/origin"), cache) as found:
        daemon.cuts = 99
        with pytest.raises(ProvenderError, match="cannot be fetched") as caught:
            list(found.contents({git_object("blob", LIB)}))
    assert caught.value.remedy.startswith("4 tries failed")
    assert daemon.connections == 1 + 4


def test_server_that_is_gone_is_told(repository: Repository, cache: Path) -> None:
    with GitDaemon(repository.folder.parent) as gone:
        url = gone.url
    with pytest.raises(ProvenderError, match="cannot be fetched: unable to connect") as caught:
        files(source(f"{url}/origin"), cache)
    assert caught.value.remedy.startswith("4 tries failed")


def test_what_came_before_the_network_failed_is_kept(
    repository: Repository, cache: Path, daemon: GitDaemon, tmp_path: Path
) -> None:
    found, store = source(f"{daemon.url}/origin"), tmp_path / "blobs"
    before = snapshot(found, cache, store)
    repository.write("new.rs", "fn new() {}\n")
    repository.commit()
    daemon.cuts = 99
    with pytest.raises(ProvenderError):
        snapshot(found, cache, store)

    assert parts(store) == [set(before["blob_sha"])]
    daemon.cuts = 0
    assert snapshot(found, cache, store)["path"].to_list() == ["Cargo.toml", "new.rs", "src/lib.rs"]


def test_server_that_is_busy_is_asked_again(
    repository: Repository, cache: Path, http: GitHttp
) -> None:
    http.failures = 3

    commit = repository.git("rev-parse", "HEAD")
    assert current_revision(source(f"{http.url}/origin/.git"), cache) == commit


@pytest.mark.parametrize("ask", [current_revision, files])
def test_private_repository_is_told_and_nobody_is_asked(
    cache: Path, http: GitHttp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ask: Ask
) -> None:
    asker = tmp_path / "ask"
    asker.write_text(f"#!/bin/sh\ntouch {tmp_path / 'asked'}\n")
    asker.chmod(0o755)
    for name in ("GIT_ASKPASS", "SSH_ASKPASS"):
        monkeypatch.setenv(name, str(asker))
    http.login = "me:secret"
    with pytest.raises(ProvenderError, match="cannot be fetched: Authentication failed") as caught:
        ask(source(f"{http.url}/origin/.git"), cache)

    assert caught.value.remedy == (
        "It is private or gone: give git credentials for it, or correct `url`."
    )
    assert not (tmp_path / "asked").exists()
    assert http.asked["/origin/.git/info/refs?service=git-upload-pack"] <= 2


def test_repository_that_is_not_there_is_told_as_maybe_private(cache: Path, http: GitHttp) -> None:
    with pytest.raises(ProvenderError, match="not found") as caught:
        files(source(f"{http.url}/other/.git"), cache)
    assert caught.value.remedy.startswith("It is private or gone")


def test_credential_helper_of_the_user_is_asked(
    repository: Repository,
    cache: Path,
    http: GitHttp,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    config = tmp_path / "gitconfig"
    config.write_text('[credential]\n\thelper = "!echo username=me; echo password=secret;:"\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    http.login = "me:secret"
    found = source(f"{http.url}/origin/.git")

    assert current_revision(found, cache) == repository.git("rev-parse", "HEAD")
    assert files(found, cache)["src/lib.rs"] == LIB


def test_credentials_in_an_address_are_used_and_never_shown(
    cache: Path, http: GitHttp, tmp_path: Path
) -> None:
    http.login = "me:s3cret"
    found = source(f"http://me:s3cret@{http.host}/origin/.git")
    frame = snapshot(found, cache, tmp_path / "blobs")

    assert frame["origin"].unique().to_list() == [f"http://{http.host}/origin/.git"]
    assert "s3cret" not in frame.write_csv()
    assert "s3cret" not in cached(cache).name


@pytest.mark.parametrize("ask", [current_revision, files])
@pytest.mark.parametrize(("status", "login"), [(401, "me:other"), (404, ""), (503, "")])
def test_credentials_in_an_address_are_in_no_message(
    cache: Path, http: GitHttp, ask: Ask, status: int, login: str
) -> None:
    http.login, http.failure = login, status
    http.failures = 0 if login else 99
    with pytest.raises(ProvenderError) as caught:
        ask(source(f"http://me:s3cret@{http.host}/origin/.git?token=t0ken"), cache)

    assert f"http://{http.host}/origin/.git at 'main' cannot be fetched" in caught.value.what
    assert "s3cret" not in str(caught.value)
    assert "t0ken" not in str(caught.value)


def test_unknown_ref_at_an_address_with_credentials_shows_none(cache: Path, http: GitHttp) -> None:
    http.login = "me:s3cret"
    with pytest.raises(ProvenderError, match="has no ref 'nope'") as caught:
        current_revision(source(f"http://me:s3cret@{http.host}/origin/.git", "nope"), cache)

    assert "s3cret" not in str(caught.value)


def test_environment_of_the_caller_is_not_written_to(repository: Repository, cache: Path) -> None:
    before = dict(os.environ)
    files(source(repository), cache)

    assert dict(os.environ) == before

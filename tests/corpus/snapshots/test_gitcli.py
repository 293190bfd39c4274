import subprocess
from pathlib import Path

import git
import pytest
from tenacity import wait_none

from common.errors import ProvenderError
from common.hashing import git_object
from corpus.snapshots import gitcli, tree
from corpus.snapshots.tree import GITLINK, LINK, Entry
from tests.corpus.snapshots.repository import Repository

WHERE = "source demo"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "origin")


def failure(stderr: str) -> git.GitCommandError:
    return git.GitCommandError(["git", "fetch"], 128, stderr.encode())


def test_helper_that_runs_commands_is_refused_behind_a_mirror_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "ran"
    config = tmp_path / "gitconfig"
    config.write_text(
        f'[url "ext::sh -c touch% {marker}"]\n\tinsteadOf = https://mirror.invalid/demo\n'
        "[protocol]\n\tallow = always\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    address = "https://mirror.invalid/demo"

    subprocess.run(["git", "ls-remote", address], check=False, capture_output=True)
    assert marker.exists(), "the bait works where nothing refuses it"
    marker.unlink()
    with pytest.raises(git.GitCommandError, match="transport 'ext' not allowed"):
        gitcli.command(WHERE).ls_remote("--", address)
    assert not marker.exists()


@pytest.mark.parametrize("alone", ["options", "environment"])
def test_options_and_environment_each_refuse_the_helper(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: str
) -> None:
    config = tmp_path / "gitconfig"
    config.write_text('[protocol "ext"]\n\tallow = always\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    run = git.Git(repository.folder)
    if alone == "options":
        run.set_persistent_git_options(c=gitcli._SAFE_SETTINGS)
    else:
        run.update_environment(**gitcli.environment())
    marker = tmp_path / "ran"

    with pytest.raises(git.GitCommandError, match="transport 'ext' not allowed"):
        run.fetch(f"ext::sh -c touch% {marker}")
    assert not marker.exists()


def test_nobody_is_asked_for_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = tmp_path / "asked"
    asker = tmp_path / "ask"
    asker.write_text(f"#!/bin/sh\ntouch {marker}\n")
    asker.chmod(0o755)
    for name in ("GIT_ASKPASS", "SSH_ASKPASS"):
        monkeypatch.setenv(name, str(asker))
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "1")
    with gitcli.asking(["protocol=https", "host=example.org"]) as question:
        answer = gitcli.command(WHERE).credential("fill", istream=question)

    assert "username=\npassword=" in answer
    assert not marker.exists()


def test_ssh_never_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "BatchMode=yes" in gitcli.environment()["GIT_SSH_COMMAND"]

    monkeypatch.setenv("GIT_SSH_COMMAND", "ssh -i key")
    assert "GIT_SSH_COMMAND" not in gitcli.environment()


def test_ssh_of_the_users_configuration_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "gitconfig"
    config.write_text("[core]\n\tsshCommand = ssh -i key\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))

    assert "GIT_SSH_COMMAND" not in gitcli.environment()


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR"])
def test_repository_of_a_hook_that_calls_is_not_meant(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    repository.write("a.rs", "fn a() {}\n")
    repository.commit()
    caller = Repository(tmp_path / "caller")
    monkeypatch.setenv(name, str(caller.folder / ".git"))

    assert gitcli.command(WHERE, repository.folder).ls_files() == "a.rs"


def test_missing_git_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git.Git, "GIT_PYTHON_GIT_EXECUTABLE", "git-that-is-not-there")

    with pytest.raises(ProvenderError, match=r"git is not installed\. Install git"):
        gitcli.command(WHERE)


@pytest.mark.parametrize(
    ("stderr", "reason", "remedy"),
    [
        (
            "remote: nope\nfatal: Authentication failed for 'https://me:secret@example.org/d.git/'",
            "Authentication failed for 'https://example.org/d.git/'",
            "It is private or gone",
        ),
        (
            "fatal: could not read Username for 'https://e'",
            "could not read Username for 'https://e'",
            "It is private or gone",
        ),
        ("ERROR: Repository not found.", "ERROR: Repository not found", "It is private or gone"),
        ("git@e: Permission denied (publickey).\nfatal: No", "No", "It is private or gone"),
        (
            "fatal: the remote end hung up unexpectedly",
            "the remote end hung up unexpectedly",
            "4 tries failed",
        ),
        ("error: RPC failed; HTTP 503\nfatal: early EOF", "early EOF", "4 tries failed"),
        (
            "fatal: unable to access: Could not resolve host: e",
            "unable to access: Could not resolve host: e",
            "4 tries failed",
        ),
        ("fatal: couldn't find remote ref nope", "couldn't find remote ref nope", "Check `url`"),
        ("", "git gave no reason", "Check `url`"),
    ],
)
def test_failure_is_told_by_its_kind(stderr: str, reason: str, remedy: str) -> None:
    url = "https://me:secret@example.org/d.git"
    told = gitcli.unfetchable(url, "main", failure(stderr), WHERE)

    assert told.what == f"https://example.org/d.git at 'main' cannot be fetched: {reason}."
    assert remedy in told.remedy
    assert "secret" not in str(told)


def test_query_of_an_address_is_not_told() -> None:
    url = "https://example.org/d.git?token=secret"
    told = gitcli.unfetchable(url, "main", failure(f"fatal: unable to access '{url}/'"), WHERE)

    assert "secret" not in str(told)


def test_passing_fault_is_tried_four_times() -> None:
    tries = []

    @gitcli.patiently
    def fail(stderr: str) -> None:
        tries.append(stderr)
        raise failure(stderr)

    vars(fail)["retry"].wait = wait_none()
    with pytest.raises(git.GitCommandError):
        fail("fatal: early EOF")
    assert len(tries) == 4
    with pytest.raises(git.GitCommandError):
        fail("fatal: couldn't find remote ref nope")
    assert len(tries) == 5


def test_tree_is_listed_with_modes_and_odd_names(repository: Repository) -> None:
    commit = repository.commit()
    repository.write("src/a\nb\t.rs", "1")
    repository.write("caf\udce9.rs", "2")
    repository.write("run.sh", "3").chmod(0o755)
    (repository.folder / "link").symlink_to("/etc/passwd")
    repository.git("add", "--all")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{commit},sub")
    repository.git("commit", "--quiet", "--message", "all")
    found = gitcli.list_tree(gitcli.command(WHERE, repository.folder), "HEAD")

    assert sorted(found, key=lambda entry: entry.path) == [
        Entry("caf\udce9.rs", "100644", git_object("blob", b"2")),
        Entry("link", LINK, git_object("blob", b"/etc/passwd")),
        Entry("run.sh", "100755", git_object("blob", b"3")),
        Entry("src/a\nb\t.rs", "100644", git_object("blob", b"1")),
        Entry("sub", GITLINK, commit),
    ]


def test_blobs_are_read_byte_for_byte(repository: Repository) -> None:
    wanted = {
        git_object("blob", data): data for data in (b"", b"\n", b"a\r\n\0\xff\n\n", b"no end")
    }
    for number, data in enumerate(wanted.values()):
        repository.write(f"{number}", data)
    repository.commit()
    run = gitcli.command(WHERE, repository.folder)

    assert dict(gitcli.read_blobs(run, wanted.keys(), WHERE)) == wanted
    assert gitcli.local_blobs(run) == wanted.keys()


def test_no_blobs_are_read_from_an_empty_repository(repository: Repository) -> None:
    run = gitcli.command(WHERE, repository.folder)

    assert list(gitcli.read_blobs(run, set(), WHERE)) == []
    assert gitcli.local_blobs(run) == set()


def test_blob_over_the_bound_is_not_read(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gitcli, "MAX_FILE_BYTES", 10)
    monkeypatch.setattr(tree, "MAX_TOTAL_BYTES", 10)
    repository.write("large", "x" * 11)
    repository.write("bound", "y" * 10)
    repository.commit()
    large, bound = git_object("blob", b"x" * 11), git_object("blob", b"y" * 10)
    run = gitcli.command(WHERE, repository.folder)

    assert dict(gitcli.read_blobs(run, {large, bound}, WHERE)) == {large: None, bound: b"y" * 10}


def test_blobs_over_the_bound_together_are_refused(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "MAX_TOTAL_BYTES", 19)
    wanted = [git_object("blob", data) for data in (b"x" * 10, b"y" * 10)]
    repository.write("x", "x" * 10)
    repository.write("y", "y" * 10)
    repository.commit()

    with pytest.raises(ProvenderError, match=r"larger than any should be \(20 bytes\)"):
        list(gitcli.read_blobs(gitcli.command(WHERE, repository.folder), wanted, WHERE))


def test_blob_that_is_not_there_is_told(repository: Repository) -> None:
    repository.commit()

    with pytest.raises(ProvenderError, match="lacks some of its own files") as told:
        list(gitcli.read_blobs(gitcli.command(WHERE, repository.folder), ["0" * 40], WHERE))
    assert told.value.where == WHERE


def test_replaced_object_is_not_taken_for_the_one_of_its_id(repository: Repository) -> None:
    repository.write("a.rs", "fn true_bytes() {}\n")
    repository.write("b.rs", "fn replacement() {}\n")
    repository.commit()
    blob = git_object("blob", b"fn true_bytes() {}\n")
    repository.git("replace", blob, git_object("blob", b"fn replacement() {}\n"))
    run = gitcli.command(WHERE, repository.folder)

    assert dict(gitcli.read_blobs(run, [blob], WHERE)) == {blob: b"fn true_bytes() {}\n"}


def test_reading_that_is_given_up_leaves_no_process(repository: Repository) -> None:
    repository.write("a", "1")
    repository.write("b", "2")
    repository.commit()
    run = gitcli.command(WHERE, repository.folder)
    reading = gitcli.read_blobs(run, gitcli.local_blobs(run), WHERE)
    next(reading)
    process = run.cat_file_all.proc
    reading.close()  # type: ignore[attr-defined]

    assert process.poll() is not None

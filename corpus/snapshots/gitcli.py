"""Git as this product runs it: GitPython's command line without hooks, filters, prompts or odd transports.

The user's own git configuration (mirrors by `url.*.insteadOf`, credential helpers) is honoured.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import git
from git.util import remove_password_if_present
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from common.errors import ProvenderError
from common.interrupts import held
from corpus.snapshots.tree import MAX_FILE_BYTES, Entry, bounded, public

ANSWER_S, FETCH_S = 120.0, 3600.0
"""What asking a remote and fetching from it may take at most, however slowly something still comes."""

_ATTEMPTS = 4
_GRACE_S = 10.0
"""For a git that was told to end, to take away its locks."""

# Nothing that a repository's own configuration could name is run.
_SAFE_SETTINGS = [
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "protocol.ext.allow=never",
    "fetch.recurseSubmodules=false",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
    "gc.auto=0",
]
# What git tells a hook about the repository that called it: here, other repositories are meant.
_OF_A_CALLER = (
    "GIT_DIR GIT_WORK_TREE GIT_COMMON_DIR GIT_INDEX_FILE GIT_NAMESPACE GIT_PREFIX"
    " GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_SHALLOW_FILE"
).split()
_TRANSIENT = re.compile(
    r"early EOF|RPC failed|hung up|unexpected disconnect|Connection (reset|refused|timed out)"
    r"|Could not resolve host|timed out|Operation too slow|returned error: (429|5\d\d)"
    r"|Failed to connect|invalid index-pack|index-pack failed|Temporary failure|Broken pipe"
    r"|Could not read from remote repository|unable to connect|expected (flush|\S+ to be sent) after",
    re.IGNORECASE,
)
_PRIVATE = re.compile(
    r"Authentication failed|could not read (Username|Password)|terminal prompts disabled"
    r"|Permission denied|Repository (.*)?not found|returned error: 40[134]",
    re.IGNORECASE,
)
_LASTING = re.compile(r"does not appear to be a git repository|Host key verification failed")


def environment() -> dict[str, str]:
    """Variables under which git asks nobody anything and speaks to files and known hosts only."""
    found = {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",  # the program: answers every question with nothing
        "SSH_ASKPASS": "true",
        "SSH_ASKPASS_REQUIRE": "never",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",  # an id stands for the bytes that it is the hash of
        "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
        "LC_ALL": "C",
    }
    if "GIT_SSH_COMMAND" not in os.environ and not _configured("core.sshCommand"):
        found["GIT_SSH_COMMAND"] = (
            "ssh -o BatchMode=yes -o ConnectTimeout=30 -o ServerAliveInterval=15"
        )
    return found


def _configured(key: str) -> bool:
    try:
        return bool(git.Git().config("--get", key))
    except git.GitCommandError:
        return False


def command(where: str, folder: str | os.PathLike[str] | None = None) -> Any:
    """Git in `folder`, with the safe options in front of every command. Call a subcommand on it."""
    for name in _OF_A_CALLER:
        os.environ.pop(name, None)
    try:
        bound = git.Git(folder)
        bound.set_persistent_git_options(c=_SAFE_SETTINGS)
        bound.update_environment(**environment())
    except git.GitCommandNotFound:
        raise ProvenderError(
            "git is not installed.", where=where, remedy="Install git and run again."
        ) from None
    return bound


def within(timeout_s: float, subcommand: Any, *arguments: str, **options: Any) -> str:
    """What a subcommand of `command` prints; its process ends with us, and after `timeout_s`.

    GitPython's own limit is a thread, for whose end a run that was stopped would have to wait.

    Raises:
        git.GitCommandError: git failed, or takes longer.
    """
    process = None
    try:
        with held():  # until we know the process that an interrupt has to end
            process = subcommand(*arguments, as_process=True, **options)
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        _end(process)
        late = f"fatal: it takes longer than {timeout_s:g} s"
        raise _failed(process, late) from None
    except BaseException:
        _end(process)
        raise
    if process.returncode:
        raise _failed(process, err)
    return os.fsdecode(out)


def _end(process: Any) -> None:
    if process is None:
        return
    process.terminate()
    try:
        process.communicate(timeout=_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()


def _failed(process: Any, stderr: str | bytes) -> git.GitCommandError:
    command = remove_password_if_present(process.args)
    return git.GitCommandError(command, process.returncode, stderr)


def _is_transient(error: BaseException) -> bool:
    if not isinstance(error, git.GitCommandError):
        return False
    if error.status == -signal.SIGPIPE:  # the other end had gone: git dies of it without a word
        return True
    text = str(error.stderr)
    # Git ends many a message with the same line, whatever came before it.
    return bool(_TRANSIENT.search(text)) and not (_PRIVATE.search(text) or _LASTING.search(text))


patiently = retry(
    retry=retry_if_exception(_is_transient),
    stop=stop_after_attempt(_ATTEMPTS),
    wait=wait_exponential_jitter(multiplier=0.5, max=20),
    reraise=True,
)
"""Try again, with growing pauses, where a network's fault may pass."""


def unfetchable(url: str, ref: str, error: git.GitCommandError, where: str) -> ProvenderError:
    """The message for a fetch that failed for good."""
    text = str(error.stderr)
    if _PRIVATE.search(text):
        remedy = "It is private or gone: give git credentials for it, or correct `url`."
    elif _is_transient(error):
        remedy = f"{_ATTEMPTS} tries failed: check the network and run again; the rest is kept."
    else:
        remedy = "Check `url` and `ref` in the manifest, and the network."
    return ProvenderError(
        f"{public(url)} at {ref!r} cannot be fetched: {reason(text)}.",
        where=where,
        remedy=remedy,
        passing=_is_transient(error),
    )


def reason(stderr: str) -> str:
    """What git said of its failure, in one line without credentials."""
    text = stderr.strip().removeprefix("stderr: '").removesuffix("'")  # as GitPython frames it
    lines = [line for line in text.splitlines() if line.strip()]
    fatal = [line for line in lines if "fatal:" in line] or lines or ["git gave no reason"]
    line = fatal[0].strip().removeprefix("fatal: ").rstrip(". ")
    return re.sub(r"(\w+://)(?:[^/\s']*@)?([^\s'?#]*)(?:[?#][^\s']*)?", r"\1\2", line)


def list_tree(run: Any, commit: str) -> list[Entry]:
    """The files of `commit`, without a look at their bytes."""
    listed: bytes = run.ls_tree(
        "-r", "-z", "--full-tree", commit, stdout_as_string=False, strip_newline_in_stdout=False
    )
    entries = []
    for line in listed.split(b"\0")[:-1]:
        head, path = line.split(b"\t", 1)
        mode, _, sha = head.decode().split()
        entries.append(Entry(path.decode("utf-8", "surrogateescape"), mode, sha))
    return entries


def local_blobs(run: Any) -> set[str]:
    """The ids of all blobs in the repository itself; asks no remote for what a filter left out."""
    listed = run.cat_file(
        "--batch-all-objects", "--unordered", "--batch-check=%(objecttype) %(objectname)"
    )
    lines = map(str.split, str(listed).splitlines())
    return {sha for kind, sha in lines if kind == "blob"}


def read_blobs(run: Any, blobs: Collection[str], where: str) -> Iterator[tuple[str, bytes | None]]:
    """The bytes of `blobs`, through one `git cat-file --batch`; null for the large ones.

    Raises:
        ProvenderError: they are too many, or the repository lacks some of them.
    """
    sizes = _sizes(run, blobs, where)
    bounded(where, size=sum(size for size in sizes.values() if size <= MAX_FILE_BYTES))
    try:
        for blob, size in sizes.items():
            if size > MAX_FILE_BYTES:
                yield blob, None
                continue
            _, _, _, stream = run.stream_object_data(blob)
            yield blob, stream.read()
    finally:
        run.clear_cache()


def _sizes(run: Any, blobs: Collection[str], where: str) -> dict[str, int]:
    try:
        with asking(blobs) as wanted:
            listed = str(run.cat_file("--batch-check=%(objectname) %(objectsize)", istream=wanted))
    except git.GitCommandError:  # said so, or died of it: a partial clone, by the version of git
        listed = " missing"
    if " missing" in listed:
        raise ProvenderError(
            "The repository lacks some of its own files: it is a partial clone, or damaged.",
            where=where,
            remedy="Fetch them (`git fetch --refetch --no-filter`, `git fsck`) and run again.",
        )
    return {sha: int(size) for sha, size in map(str.split, listed.splitlines())}


@contextmanager
def asking(lines: Iterable[str]) -> Iterator[IO[bytes]]:
    """A file to be a command's standard input."""
    with tempfile.TemporaryFile() as file:
        file.write("".join(f"{line}\n" for line in lines).encode())
        file.seek(0)
        yield file

"""Git as this product runs it: GitPython's command line without hooks, filters, prompts or odd transports.

The user's own git configuration (mirrors by `url.*.insteadOf`, credential helpers) is honoured.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any
from urllib.parse import urlsplit, urlunsplit

import git
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from common.errors import ProvenderError
from corpus.snapshots.tree import MAX_FILE_BYTES, Entry, bounded

TIMEOUT_S = 3600
_ATTEMPTS = 4

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
_TRANSIENT = re.compile(
    r"early EOF|RPC failed|hung up|unexpected disconnect|Connection (reset|refused|timed out)"
    r"|Could not resolve host|timed out|Operation too slow|returned error: (429|5\d\d)"
    r"|Failed to connect|invalid index-pack|index-pack failed|Temporary failure|Broken pipe",
    re.IGNORECASE,
)
_PRIVATE = re.compile(
    r"Authentication failed|could not read (Username|Password)|terminal prompts disabled"
    r"|Permission denied|Repository not found|returned error: 40[134]",
    re.IGNORECASE,
)


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
        "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
        "LC_ALL": "C",
    }
    if "GIT_SSH_COMMAND" not in os.environ and not _configured("core.sshCommand"):
        found["GIT_SSH_COMMAND"] = "ssh -o BatchMode=yes -o ConnectTimeout=30"
    return found


def _configured(key: str) -> bool:
    try:
        return bool(git.Git().config("--get", key))
    except git.GitCommandError:
        return False


def command(where: str, folder: str | os.PathLike[str] | None = None) -> Any:
    """Git in `folder`, with the safe options in front of every command. Call a subcommand on it."""
    try:
        bound = git.Git(folder)
        bound.set_persistent_git_options(c=_SAFE_SETTINGS)
        bound.update_environment(**environment())
    except git.GitCommandNotFound:
        raise ProvenderError(
            "git is not installed.", where=where, remedy="Install git and run again."
        ) from None
    return bound


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, git.GitCommandError) and bool(_TRANSIENT.search(str(error.stderr)))


patiently = retry(
    retry=retry_if_exception(_is_transient),
    stop=stop_after_attempt(_ATTEMPTS),
    wait=wait_exponential_jitter(initial=0.5, max=20),
    reraise=True,
)
"""Try again, with growing pauses, where a network's fault may pass."""


def public(url: str) -> str:
    """`url` without user name, password, query and fragment: what may be shown and stored."""
    parts = urlsplit(url)
    if not parts.scheme or not parts.netloc:
        return url
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def unfetchable(url: str, ref: str, error: git.GitCommandError, where: str) -> ProvenderError:
    """The message for a fetch that failed for good."""
    text = str(error.stderr)
    if _PRIVATE.search(text):
        remedy = "It is private or gone: give git credentials for it, or correct `url`."
    elif _TRANSIENT.search(text):
        remedy = f"{_ATTEMPTS} tries failed: check the network and run again; the rest is kept."
    else:
        remedy = "Check `url` and `ref` in the manifest, and the network."
    reason = _reason(text).replace(url, public(url))
    return ProvenderError(
        f"{public(url)} at {ref!r} cannot be fetched: {reason}.", where=where, remedy=remedy
    )


def _reason(stderr: str) -> str:
    lines = [line for line in stderr.strip(" '\n").splitlines() if line.strip()]
    fatal = [line for line in lines if "fatal:" in line] or lines or ["git gave no reason"]
    line = fatal[0].strip().removeprefix("stderr: '").removeprefix("fatal: ").rstrip("'. ")
    return re.sub(r"(\w+://)[^/@\s']+@", r"\1", line)


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
    """The bytes of `blobs`, through one `git cat-file --batch`; null for the large ones."""
    sizes = _sizes(run, blobs)
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


def _sizes(run: Any, blobs: Collection[str]) -> dict[str, int]:
    with asking(blobs) as wanted:
        listed = run.cat_file("--batch-check=%(objectname) %(objectsize)", istream=wanted)
    return {sha: int(size) for sha, size in map(str.split, str(listed).splitlines())}


@contextmanager
def asking(lines: Iterable[str]) -> Iterator[IO[bytes]]:
    """A file to be a command's standard input."""
    with tempfile.TemporaryFile() as file:
        file.write("".join(f"{line}\n" for line in lines).encode())
        file.seek(0)
        yield file

"""Git repositories at one commit: a shallow fetch into a bare scratch repository, blobs read from it.

No work tree, hooks, submodules or filters. The user's own git configuration (mirrors by
`url.*.insteadOf`, credentials) is honoured.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import git

from common.errors import ProvenderError
from corpus.snapshots.archive import MAX_ENTRIES, MAX_TOTAL_BYTES
from corpus.snapshots.snapshot import GITLINK, Entry
from corpus.sources import GitSource

_ENVIRONMENT = {"GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1"}
_FETCH_TIMEOUT_S = 1800


def remote_commit(source: GitSource) -> str:
    """The commit that `source.ref` names on the remote now; a full commit id is taken as it stands.

    Raises:
        ProvenderError: the remote cannot be asked, or has no such ref.
    """
    if re.fullmatch(r"[0-9a-f]{40}", source.ref):
        return source.ref
    where = _checked(source)
    try:
        listed = str(git.Git().ls_remote(source.url, env=_ENVIRONMENT))
    except git.GitCommandError as error:
        raise _unfetchable(source, error, where) from None
    commits = {name: commit for commit, name in map(str.split, listed.splitlines())}
    # In git's own order of looking a name up; an annotated tag peels to its commit.
    for name in ("{}", "refs/{}", "refs/tags/{}", "refs/heads/{}"):
        full = name.format(source.ref)
        if full in commits:
            return commits.get(f"{full}^{{}}", commits[full])
    raise ProvenderError(
        f"{source.url} has no ref {source.ref!r}.",
        where=where,
        remedy="Correct `ref` in the manifest.",
    )


def fetch_commit(source: GitSource, downloads: Path) -> tuple[str, Iterable[Entry]]:
    """Fetch the commit that `source.ref` names, one deep.

    Returns:
        The commit id as revision, and the entries of its tree.

    Raises:
        ProvenderError: the repository or the ref cannot be had.
    """
    where = _checked(source)
    downloads.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=downloads, prefix=f"{source.name}."))
    try:
        repo = git.Repo.init(scratch, bare=True)
        repo.git.fetch(
            *("--depth=1", "--no-tags", "--no-recurse-submodules", source.url, source.ref),
            env=_ENVIRONMENT,
            kill_after_timeout=_FETCH_TIMEOUT_S,
        )
        commit = repo.commit("FETCH_HEAD")
        return commit.hexsha, _entries(repo, commit, scratch, where)
    except git.GitCommandError as error:
        shutil.rmtree(scratch, ignore_errors=True)
        raise _unfetchable(source, error, where) from None
    except ValueError:
        shutil.rmtree(scratch, ignore_errors=True)
        raise ProvenderError(
            f"{source.url} at {source.ref!r} is no commit.",
            where=where,
            remedy="Name a branch, a tag or a commit in `ref`.",
        ) from None
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def _checked(source: GitSource) -> str:
    """Where to say that something is wrong with `source`, whose address cannot run a command."""
    where = f"source {source.name}"
    if re.match(r"^-|^[\w+.-]+::", source.url):
        raise ProvenderError(
            f"The address {source.url!r} could run a command.",
            where=where,
            remedy="Use an https, ssh or file address.",
        )
    return where


def _unfetchable(source: GitSource, error: git.GitCommandError, where: str) -> ProvenderError:
    return ProvenderError(
        f"{source.url} at {source.ref!r} cannot be fetched: {_last_line(error)}.",
        where=where,
        remedy="Check `url` and `ref` in the manifest, and the network.",
    )


def _entries(repo: git.Repo, commit: git.Commit, scratch: Path, where: str) -> Iterator[Entry]:
    total = 0
    try:
        for count, item in enumerate(commit.tree.traverse()):
            if isinstance(item, git.Submodule):
                yield Entry(str(item.path), GITLINK, item.binsha)  # recorded, never followed
                continue
            if not isinstance(item, git.Blob):
                continue
            total += item.size
            if count >= MAX_ENTRIES or total > MAX_TOTAL_BYTES:
                raise ProvenderError(
                    "The commit is larger than any source should be.",
                    where=where,
                    remedy="Leave this source out of the manifest.",
                )
            yield Entry(str(item.path), f"{item.mode:o}", item.data_stream.read())
    finally:
        repo.close()
        shutil.rmtree(scratch, ignore_errors=True)


def _last_line(error: git.GitCommandError) -> str:
    lines = [line for line in str(error.stderr).strip(" '\n").splitlines() if line.strip()]
    fatal = [line for line in lines if "fatal:" in line] or lines or ["git gave no reason"]
    return fatal[0].strip().removeprefix("stderr: '").removeprefix("fatal: ").rstrip("'. ")

"""Git repositories at one commit: a shallow, partial fetch into a bare repository that the next one uses.

No work tree, hooks, submodules or filters. What a refresh fetches is what has changed.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import git

from common.errors import ProvenderError
from common.hashing import digest
from corpus.snapshots import gitcli
from corpus.snapshots.tree import bounded, public
from corpus.sources import GitSource

_HEAD = "refs/provender/head"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_BATCH = 10_000
_RENEW_ABOVE = 20
"""Packs in a cache before it is given up for a new one, without what no refresh needs any more."""


class GitTree:
    """The tree of one commit in a repository that has its blobs, or knows a remote that has."""

    def __init__(self, run: Any, commit: str, origin: str, where: str) -> None:
        self.revision, self.origin = commit, origin
        self.anchor = f"swh:1:rev:{commit}"
        self.tree = str(run.rev_parse(f"{commit}^{{tree}}"))
        self.entries = gitcli.list_tree(run, commit)
        bounded(where, files=len(self.entries))
        self._run, self._where = run, where

    def contents(self, blobs: Collection[str]) -> Iterator[tuple[str, bytes | None]]:
        return gitcli.read_blobs(self._run, blobs, self._where)


class _Fetched(GitTree):
    """A tree whose blobs are fetched when they are asked for, all in a few requests."""

    def __init__(self, run: Any, commit: str, source: GitSource, where: str) -> None:
        super().__init__(run, commit, public(source.url), where)
        self._source = source

    def contents(self, blobs: Collection[str]) -> Iterator[tuple[str, bytes | None]]:
        missing = sorted(set(blobs) - gitcli.local_blobs(self._run)) if blobs else []
        try:
            for start in range(0, len(missing), _BATCH):
                _fetch_blobs(self._run, missing[start : start + _BATCH])
        except git.GitCommandError as error:
            source = self._source
            raise gitcli.unfetchable(source.url, source.ref, error, self._where) from None
        return super().contents(blobs)


def current_revision(source: GitSource, cache: Path) -> str:
    """The commit that `source.ref` names on the remote now; a full commit id is taken as it stands.

    Raises:
        ProvenderError: the remote cannot be asked, or has no such ref.
    """
    del cache
    if _COMMIT.fullmatch(source.ref):
        return source.ref
    where = f"source {source.name}"
    try:
        listed = _ls_remote(source, where)
    except git.GitCommandError as error:
        raise gitcli.unfetchable(source.url, source.ref, error, where) from None
    commits = {ref: sha for sha, ref in (line.split("\t", 1) for line in listed.splitlines())}
    # In git's own order of looking a name up; an annotated tag peels to its commit.
    for name in ("{}", "refs/{}", "refs/tags/{}", "refs/heads/{}"):
        full = name.format(source.ref)
        if full in commits:
            return commits.get(f"{full}^{{}}", commits[full])
    if source.ref == "HEAD":
        raise ProvenderError(
            f"{public(source.url)} is empty, or its default branch is gone.",
            where=where,
            remedy="Name a branch that exists in `ref`.",
        )
    raise ProvenderError(
        f"{public(source.url)} has no ref {source.ref!r}.",
        where=where,
        remedy="Correct `ref` in the manifest.",
    )


@gitcli.patiently
def _ls_remote(source: GitSource, where: str) -> str:
    run = gitcli.command(where)
    # A helper such as ext is refused by git itself, here as in a fetch: `gitcli.environment`.
    return gitcli.within(
        gitcli.ANSWER_S,
        run.ls_remote,
        *("--", source.url, source.ref, f"{source.ref}^{{}}"),
        allow_unsafe_protocols=True,
    )


@contextmanager
def open_tree(source: GitSource, cache: Path) -> Iterator[GitTree]:
    """Fetch the commit that `source.ref` names, one deep and without its files, and open it.

    The bare repository below `cache` is kept: the next fetch brings only what has changed.

    Raises:
        ProvenderError: the repository or the ref cannot be had.
    """
    where = f"source {source.name}"
    folder = _folder(source, cache)
    run = _repository(folder, source.url, where)
    try:
        _fetch(run, source)
        # Fetched commits are kept by a ref of ours, so that the next fetch knows what is here.
        commit = str(run.rev_parse("--verify", "--quiet", "FETCH_HEAD^{commit}"))
        run.update_ref(_HEAD, commit)
        tree = _Fetched(run, commit, source, where)
    except git.GitCommandError as error:
        if "rev-parse" in str(error.command):
            raise ProvenderError(
                f"{public(source.url)} at {source.ref!r} is no commit.",
                where=where,
                remedy="Name a branch, a tag or a commit in `ref`.",
            ) from None
        raise gitcli.unfetchable(source.url, source.ref, error, where) from None
    yield tree
    _tidy(folder)


def forget(source: GitSource, cache: Path) -> None:
    """Delete what `cache` has of `source`, whose files are no longer to be held."""
    shutil.rmtree(_folder(source, cache), ignore_errors=True)


def _folder(source: GitSource, cache: Path) -> Path:
    return cache / f"{source.name}-{digest(source.url)[:8]}.git"


def _repository(folder: Path, url: str, where: str) -> Any:
    """A bare repository at `folder` whose `origin` is `url`; made anew where it is not whole."""
    folder.mkdir(parents=True, exist_ok=True)
    run = gitcli.command(where, folder)
    try:
        run.rev_parse("--git-dir", env={"GIT_CEILING_DIRECTORIES": str(folder.parent)})
    except git.GitCommandError:
        shutil.rmtree(folder)
        folder.mkdir(parents=True)
        run.init("--quiet", "--bare", "--template=", ".")
    # Abandoned by a run that was killed: nothing else writes here.
    for lock in folder.rglob("*.lock"):
        lock.unlink(missing_ok=True)
    run.config("remote.origin.url", url)
    return run


@gitcli.patiently
def _fetch(run: Any, source: GitSource) -> None:
    """The commit and its folders; blobs only from a remote that knows no filters."""
    gitcli.within(
        gitcli.FETCH_S,
        run.fetch,
        *("--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--force"),
        *("--no-auto-maintenance", "--filter=blob:none", "origin", source.ref),
    )


@gitcli.patiently
def _fetch_blobs(run: Any, blobs: Collection[str]) -> None:
    # As git itself fetches what a partial clone lacks, but many at once.
    with gitcli.asking(blobs) as wanted:
        gitcli.within(
            gitcli.FETCH_S,
            run(c="fetch.negotiationAlgorithm=noop").fetch,
            *("--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"),
            *("--no-auto-maintenance", "--filter=blob:none", "--stdin", "origin"),
            istream=wanted,
        )


def _tidy(folder: Path) -> None:
    # Git never drops what a filtered fetch brought, not even when it repacks. Another shallow fetch
    # without files costs little: the files themselves are in the store.
    if len(list((folder / "objects" / "pack").glob("*.pack"))) > _RENEW_ABOVE:
        shutil.rmtree(folder)

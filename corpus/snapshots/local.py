"""Folders of this machine: the HEAD of a git repository, or the files as they lie there.

Links are recorded and never followed; nothing is written into the folder.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import git

from common.atomic import write_text
from common.errors import ProvenderError
from common.hashing import git_object
from corpus.paths import MAX_DEPTH
from corpus.snapshots import gitcli
from corpus.snapshots.git import GitTree
from corpus.snapshots.tree import LINK, MAX_FILE_BYTES, Entry, bounded, public, tree_id
from corpus.sources import PathSource

_RACY_NS = 2_000_000_000
"""A file written this shortly before it was hashed may have been written again within one tick."""
_MAX_HASHED_BYTES = 512 << 20
_MAX_FOLDERS = MAX_DEPTH * 4
_REMOTE = re.compile(r"^(https?|ssh|git)://|^[\w.-]+@[\w.-]+:")


def current_revision(source: PathSource, cache: Path) -> str:
    """The commit at HEAD, or the id of the tree that the files make now.

    Raises:
        ProvenderError: the folder is not there, or not what the manifest says it is.
    """
    if not source.worktree:
        return _head(_repository(source), source)
    return WorktreeTree(source, cache).revision


@contextmanager
def open_tree(source: PathSource, cache: Path) -> Iterator[GitTree | WorktreeTree]:
    """Open the folder as `source` says.

    Raises:
        ProvenderError: the folder is not there, or not what the manifest says it is.
    """
    if source.worktree:
        yield WorktreeTree(source, cache)
        return
    run = _repository(source)
    yield GitTree(run, _head(run, source), _origin(run, source), f"source {source.name}")


def forget(source: PathSource, cache: Path) -> None:
    """Nothing: the files are the owner's, and no bytes of them are cached."""
    del source, cache


class WorktreeTree:
    """The files of a folder as they lie there; in a git repository, without the ignored ones."""

    def __init__(self, source: PathSource, cache: Path) -> None:
        self._root, self._where = _folder(source), f"source {source.name}"
        self._known = _StatCache(cache / f"{source.name}.stat.json")
        run = gitcli.command(self._where, self._root)
        self.origin = _origin(run, source)
        paths = self._paths(run)
        found = (self._entry(path) for path in sorted(set(paths)))
        self.entries = [entry for entry in found if entry is not None]
        bounded(self._where, files=len(self.entries))
        self._known.save()
        self.tree = tree_id(self.entries, self._where)
        self.revision = f"worktree:{self.tree}"
        self.anchor = f"swh:1:dir:{self.tree}"
        self._places = {entry.blob: entry.path for entry in self.entries if entry.mode != LINK}

    def contents(self, blobs: Collection[str]) -> Iterator[tuple[str, bytes | None]]:
        for blob in blobs:
            path = self._places[blob]
            data = self._read(self._root / path)
            if data is None or git_object("blob", data) != blob:
                raise ProvenderError(
                    f"{path!r} changed while it was read.",
                    where=self._where,
                    remedy="Run again when nothing writes there.",
                )
            yield blob, data if len(data) <= MAX_FILE_BYTES else None

    def _paths(self, run: Any) -> list[str]:
        try:
            listed: bytes = run.ls_files(
                *("-z", "--cached", "--others", "--exclude-standard"),
                stdout_as_string=False,
                strip_newline_in_stdout=False,
            )
        except git.GitCommandError as error:
            if "not a git repository" not in str(error.stderr):
                # Not every file then: among them are the ignored ones, secrets and builds.
                raise _unreadable(self._root, error, self._where) from None
            return list(_walk(self._root, "", self._where))
        return [part.decode("utf-8", "surrogateescape") for part in listed.split(b"\0") if part]

    def _entry(self, path: str) -> Entry | None:
        place = self._root / path
        try:
            status = place.lstat()
        except OSError:
            return None  # deleted, though still in the index
        if not _inside(self._root, place):
            return None
        if stat.S_ISLNK(status.st_mode):
            data = os.fsencode(os.readlink(place))  # noqa: PTH115  # bytes, as git hashes them
            return Entry(path, LINK, git_object("blob", data))
        if not stat.S_ISREG(status.st_mode):
            return None
        mode = "100755" if status.st_mode & 0o100 else "100644"
        blob = self._known.blob(path, status)
        if blob is None:
            data = self._read(place)
            if data is None:
                return None
            blob = git_object("blob", data)
            self._known.remember(path, status, blob)
        return Entry(path, mode, blob)

    def _read(self, place: Path) -> bytes | None:
        try:
            # Not followed should the file have become a link, nor waited for should it be a pipe.
            handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None
        with os.fdopen(handle, "rb") as file:
            if os.fstat(handle).st_size > _MAX_HASHED_BYTES:
                return None
            return file.read()


class _StatCache:
    """The blob id of each file by what `stat` said of it, as git's own index does it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fresh: dict[str, list[Any]] = {}
        self._learned = False
        try:
            self._old: dict[str, list[Any]] = json.loads(path.read_text(encoding="utf-8"))
            self._written = path.stat().st_mtime_ns
        except (OSError, ValueError):
            self._old, self._written = {}, 0

    def blob(self, path: str, status: os.stat_result) -> str | None:
        known = self._old.get(path)
        if known is None or known[:-1] != _signature(status):
            return None
        if status.st_mtime_ns > self._written - _RACY_NS:
            return None
        self._fresh[path] = known
        return known[-1]

    def remember(self, path: str, status: os.stat_result, blob: str) -> None:
        self._fresh[path] = [*_signature(status), blob]
        self._learned = True

    def save(self) -> None:
        # Also where all is as it was: what was racy then is not any more.
        if self._learned or self._fresh.keys() != self._old.keys():
            write_text(json.dumps(self._fresh), self._path)  # ASCII: a name may be no UTF-8


def _signature(status: os.stat_result) -> list[int]:
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _walk(root: Path, inside: str, where: str) -> Iterator[str]:
    if inside.count("/") > _MAX_FOLDERS:
        raise ProvenderError(
            f"Its folders are nested more than {_MAX_FOLDERS} deep.",
            where=where,
            remedy="Correct `path` in the manifest.",
        )
    with os.scandir(root / inside) as found:
        for each in found:
            path = f"{inside}/{each.name}" if inside else each.name
            if each.is_dir(follow_symlinks=False):
                if each.name != ".git":
                    yield from _walk(root, path, where)
            else:
                yield path


def _inside(root: Path, place: Path) -> bool:
    """False where a folder on the way to `place` is a link out of `root`."""
    return place.parent.resolve().is_relative_to(root)


def _folder(source: PathSource) -> Path:
    if not source.path.is_dir():
        raise ProvenderError(
            f"There is no folder {source.path}.",
            where=f"source {source.name}",
            remedy="Correct `path` in the manifest.",
        )
    return source.path.resolve()


def _repository(source: PathSource) -> Any:
    where = f"source {source.name}"
    folder = _folder(source)
    run = gitcli.command(where, folder)
    try:
        top = Path(str(run.rev_parse("--show-toplevel"))).resolve()
    except git.GitCommandError as error:
        raise _unreadable(folder, error, where) from None
    if top != folder:
        raise ProvenderError(
            f"{folder} is a part of the repository at {top}.",
            where=where,
            remedy="Name the whole repository (with `include`), or set `worktree: true`.",
        )
    return run


def _unreadable(folder: Path, error: git.GitCommandError, where: str) -> ProvenderError:
    text = str(error.stderr)
    if "dubious ownership" in text:
        what = f"{folder} belongs to somebody else, and git refuses to read it."
        remedy = "Trust it by `git config --global --add safe.directory …`."
    elif "not a git repository" in text:
        what = f"{folder} is no git repository."
        remedy = "Set `worktree: true` to read the files as they lie there."
    else:
        what = f"git cannot read {folder}: {gitcli.reason(text)}."
        remedy = "Repair it (`git status` says the same), or name another folder."
    return ProvenderError(what, where=where, remedy=remedy)


def _head(run: Any, source: PathSource) -> str:
    try:
        return str(run.rev_parse("--verify", "--quiet", "HEAD^{commit}"))
    except git.GitCommandError:
        raise ProvenderError(
            f"{source.path} has no commit yet.",
            where=f"source {source.name}",
            remedy="Commit something, or set `worktree: true`.",
        ) from None


def _origin(run: Any, source: PathSource) -> str:
    """The repository's own origin; a folder's place on this machine is nobody's business."""
    try:
        url = str(run.config("--get", "remote.origin.url"))
    except git.GitCommandError:
        url = ""
    return public(url) if _REMOTE.match(url) else f"local:{source.name}"

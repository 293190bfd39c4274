"""What every kind of source opens into: the files of one revision, listed, then read as asked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol
from urllib.parse import urlsplit, urlunsplit

from common.errors import ProvenderError
from common.hashing import git_object
from corpus.paths import MAX_DEPTH

MAX_FILE_BYTES = 1 << 20
"""Larger files are listed without their bytes: no source file is that large."""
MAX_FILES = 400_000
MAX_TOTAL_BYTES = 4 << 30

LINK, GITLINK = "120000", "160000"
"""Git's modes of a symbolic link and of a submodule, which is recorded and never followed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a tree.

    `mode` is git's: 100644, 100755, `LINK` or `GITLINK`; `blob` the git id of its bytes (of a
    submodule: its commit).
    """

    path: str
    mode: str
    blob: str


class Tree(Protocol):
    """The files of a source at one revision."""

    revision: str
    """Git commit, sha256 of an archive, or `worktree:` and a tree id."""
    origin: str
    """Address of the source for a SWHID: a URL without credentials, or a package URL."""
    anchor: str
    """Core SWHID of the revision or of its root folder."""
    tree: str
    """Git tree id of the whole."""
    entries: list[Entry]

    def contents(self, blobs: Collection[str]) -> Iterator[tuple[str, bytes | None]]:
        """The bytes of each of `blobs`, in any order, one file in memory at a time.

        Null for a file above `MAX_FILE_BYTES`.
        """
        ...


State = Literal[
    "stored",
    "no_code",
    "odd_path",
    "excluded",
    "link",
    "submodule",
    "too_large",
    "binary",
    "opted_out",
]
"""What a snapshot holds of a file: its bytes, or why not."""


def tree_id(leaves: Iterable[Entry], where: str) -> str:
    """The git tree id of files, as `git write-tree` computes it.

    Raises:
        ProvenderError: a path is both file and folder, there twice, or nested beyond reason.
    """
    root: dict = {}
    for leaf in leaves:
        *folders, last = leaf.path.split("/")
        node = root
        for folder in folders:
            node = node.setdefault(folder, {})
            if not isinstance(node, dict):
                break
        if not isinstance(node, dict) or last in node:
            raise _distrusted(f"{leaf.path!r} is both a file and a folder, or there twice.", where)
        if len(folders) > MAX_DEPTH * 4:
            raise _distrusted(f"A file lies {len(folders)} folders deep.", where)
        node[last] = (leaf.mode, leaf.blob)
    return _write_tree(root)


def _write_tree(node: dict) -> str:
    entries = []
    for name, child in node.items():
        raw = name.encode("utf-8", "surrogateescape")
        if isinstance(child, dict):
            # git sorts a folder as if its name ended in a slash.
            entries.append((raw + b"/", b"40000", raw, _write_tree(child)))
        else:
            entries.append((raw, child[0].encode(), raw, child[1]))
    body = b"".join(
        mode + b" " + raw + b"\0" + bytes.fromhex(sha) for _, mode, raw, sha in sorted(entries)
    )
    return git_object("tree", body)


def public(url: str) -> str:
    """`url` without user name, password, query and fragment: what may be shown and stored."""
    try:
        parts = urlsplit(url)
    except ValueError:  # no address, whatever it looks like
        return url.rpartition("@")[2]
    if not parts.scheme or not parts.netloc:
        return url
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def bounded(where: str, *, files: int = 0, size: int = 0) -> None:
    """Refuse what is larger than any source should be.

    Raises:
        ProvenderError: `files` files, or `size` bytes of them, are too many.
    """
    if files > MAX_FILES or size > MAX_TOTAL_BYTES:
        raise ProvenderError(
            f"The source is larger than any should be ({files or size} {'files' if files else 'bytes'}).",
            where=where,
            remedy="Leave it out of the manifest.",
        )


def _distrusted(what: str, where: str) -> ProvenderError:
    return ProvenderError(
        what, where=where, remedy="Do not trust this source; leave it out of the manifest."
    )

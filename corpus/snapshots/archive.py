"""Release archives read as a stream, entry by entry: names confined, sizes bounded, no unpacking."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, Self, cast

from common.errors import ProvenderError
from common.hashing import git_object
from corpus.snapshots.tree import LINK, MAX_FILE_BYTES, MAX_FILES, MAX_TOTAL_BYTES, Entry, tree_id

_CHUNK = 1 << 20
_SLACK_BYTES = 64 << 20
"""Of headers and padding, beside the bytes of the files."""
_MAX_HEADER_BYTES = 1 << 20
"""Of an extended header, which tarfile reads whole into memory: it holds a name or two."""
_EXTENDED = {
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
}


class ArchiveTree:
    """The files and links of a `.tar.gz` source release, its top folder stripped.

    Raises:
        ProvenderError: the archive is damaged, outgrows the bounds, or names a path outside itself.
    """

    def __init__(self, archive: Path, revision: str, origin: str, where: str) -> None:
        self.revision, self.origin = revision, origin
        self._archive, self._where = archive, where
        self.entries = self._list()
        self.tree = tree_id(self.entries, where)
        self.anchor = f"swh:1:dir:{self.tree}"

    def contents(self, blobs: Collection[str]) -> Iterator[tuple[str, bytes | None]]:
        wanted = {entry.path: entry.blob for entry in self.entries if entry.blob in blobs}
        left = set(wanted.values())
        with _reading(self._archive, self._where) as tar:
            for member in tar:
                blob = wanted.get("/".join(PurePosixPath(member.name).parts[1:]))
                if member.isreg() and blob in left:
                    left.discard(blob)
                    small = member.size <= MAX_FILE_BYTES
                    yield blob, _body(tar, member).read() if small else None

    def _list(self) -> list[Entry]:
        found: dict[str, Entry] = {}
        total = 0
        with _reading(self._archive, self._where) as tar:
            for count, member in enumerate(tar):
                path = _confined(member.name, self._where)
                # A bomb is refused by its header, before a byte of it is read.
                total += member.size
                if count >= MAX_FILES or total > MAX_TOTAL_BYTES:
                    raise _refused("is larger than any source release should be", self._where)
                if member.isdir():
                    continue
                inside = "/".join(path.parts[1:])
                if not inside:
                    fault = f"has the file {member.name!r} outside its top folder"
                    raise _refused(fault, self._where)
                if inside in found:
                    raise _refused(f"names {inside!r} twice", self._where)
                found[inside] = _entry(tar, member, path, inside, self._where)
        return list(found.values())


@contextmanager
def _reading(archive: Path, where: str) -> Iterator[tarfile.TarFile]:
    try:
        with (
            gzip.open(archive) as unpacked,
            tarfile.open(
                fileobj=_Bounded(cast("BinaryIO", unpacked), where), mode="r|", tarinfo=_Header
            ) as tar,
        ):
            yield tar
    # ValueError: a number in an extended header that is none. RecursionError: a chain of such headers.
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError, RecursionError) as error:
        raise ProvenderError(
            f"The release archive is damaged: {error}.",
            where=where,
            remedy="Pin another release, or report it to its authors.",
        ) from None


class _Header(tarfile.TarInfo):
    """A header whose own size is bounded before what belongs to it is read."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        if header.size < 0 or (header.type in _EXTENDED and header.size > _MAX_HEADER_BYTES):
            raise tarfile.ReadError("a header says that it is of no sensible size")
        return header


class _Bounded(io.RawIOBase):
    """A stream that ends in an error where it outgrows the bound, headers and padding included."""

    def __init__(self, stream: BinaryIO, where: str) -> None:
        self._stream, self._where, self._left = stream, where, MAX_TOTAL_BYTES + _SLACK_BYTES

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise _refused("unpacks to more than any source release should", self._where)
        return data


def _body(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    file = tar.extractfile(member)
    assert file is not None  # a regular member always has a body
    return file


def _entry(
    tar: tarfile.TarFile, member: tarfile.TarInfo, path: PurePosixPath, inside: str, where: str
) -> Entry:
    if member.issym() or member.islnk():
        target = str(path.parent / member.linkname) if member.issym() else member.linkname
        _confined(target, where, link=member.linkname)
        data = member.linkname.encode("utf-8", "surrogateescape")
        return Entry(inside, LINK, git_object("blob", data))
    if not member.isreg():
        raise _refused(f"has {member.name!r}, which is neither file, folder nor link", where)
    mode = "100755" if member.mode & 0o100 else "100644"
    body = _body(tar, member)
    if member.size <= MAX_FILE_BYTES:
        return Entry(inside, mode, git_object("blob", body.read()))
    state = hashlib.sha1(f"blob {member.size}\0".encode(), usedforsecurity=False)
    while chunk := body.read(_CHUNK):
        state.update(chunk)
    return Entry(inside, mode, state.hexdigest())


def _confined(name: str, where: str, link: str = "") -> PurePosixPath:
    """`name` as a normal relative path that never climbs above its start."""
    if name.startswith("/") or link.startswith("/") or "\\" in name or "\0" in name:
        raise _refused(f"has the absolute or malformed path {link or name!r}", where)
    parts: list[str] = []
    for part in PurePosixPath(name).parts:
        if part != "..":
            parts.append(part)
        elif link and parts:
            parts.pop()
        else:
            raise _refused(f"has the path {link or name!r}, which leaves it", where)
    return PurePosixPath(*parts)


def _refused(fault: str, where: str) -> ProvenderError:
    return ProvenderError(
        f"The release archive {fault}; nothing of it was used.",
        where=where,
        remedy="Do not trust this release; pin another one.",
    )

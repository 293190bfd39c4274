"""Release archives read as a stream, entry by entry: names confined, sizes bounded, no unpacking."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from common.errors import ProvenderError
from corpus.snapshots.snapshot import Entry

MAX_ENTRIES = 200_000
MAX_TOTAL_BYTES = 2 << 30


def read_sdist(archive: Path, where: str) -> Iterator[Entry]:
    """The files and links of a `.tar.gz` source release, its top folder stripped.

    Raises:
        ProvenderError: the archive is damaged, outgrows the bounds, or names a path outside itself.
    """
    total = 0
    seen: set[str] = set()
    try:
        with tarfile.open(archive, "r|gz") as tar:
            for count, member in enumerate(tar):
                path = _confined(member.name, where)
                # A bomb is refused by its header, before a byte of it is read.
                total += member.size
                if count >= MAX_ENTRIES or total > MAX_TOTAL_BYTES:
                    raise _refused("is larger than any source release should be", where)
                if member.isdir():
                    continue
                inside = "/".join(path.parts[1:])
                if not inside:
                    raise _refused(f"has the file {member.name!r} outside its top folder", where)
                if inside in seen:
                    raise _refused(f"names {inside!r} twice", where)
                seen.add(inside)
                yield _entry(tar, member, path, inside, where)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise ProvenderError(
            f"The release archive is damaged: {error}.",
            where=where,
            remedy="Pin another release, or report it to its authors.",
        ) from None


def _entry(
    tar: tarfile.TarFile, member: tarfile.TarInfo, path: PurePosixPath, inside: str, where: str
) -> Entry:
    if member.issym():
        _confined(str(path.parent / member.linkname), where, link=member.linkname)
        return Entry(inside, "120000", member.linkname.encode("utf-8", "surrogateescape"))
    if member.islnk():
        _confined(member.linkname, where, link=member.linkname)
        return Entry(inside, "120000", member.linkname.encode("utf-8", "surrogateescape"))
    if not member.isreg():
        raise _refused(f"has {member.name!r}, which is neither file, folder nor link", where)
    file = tar.extractfile(member)
    assert file is not None  # a regular member always has a body
    return Entry(inside, "100755" if member.mode & 0o100 else "100644", file.read())


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

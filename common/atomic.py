"""Writes that are whole or absent: a temporary neighbour first, then one rename."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from common.errors import ProvenderError

_HERE = -100
"""AT_FDCWD of Linux."""
_EXCHANGE = 2
"""RENAME_EXCHANGE of Linux's renameat2, and RENAME_SWAP of macOS's renamex_np."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path; on success it becomes `path`, on any error it is removed.

    Raises:
        ProvenderError: the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except OSError as error:
        _raise_explained(error, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """As `replacing`, for a folder. An older folder at `path` stays until the new one is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp"))
    try:
        yield temporary
        temporary.chmod(0o755)
        _swap(temporary, path)
    except OSError as error:
        _raise_explained(error, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_json(value: Any, path: Path) -> None:
    """Write `value` to `path` as indented JSON, atomically."""
    write_text(json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n", path)


def write_text(text: str, path: Path) -> None:
    """Write `text` to `path` as UTF-8, atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def leftovers(folder: Path) -> list[Path]:
    """What writes that were killed have left below `folder`, and writes that go on just now."""
    return sorted(folder.rglob(".*.tmp"))


def _swap(new: Path, path: Path) -> None:
    """Put the folder `new` at `path`; where that fails, what was there stays."""
    if not path.exists():
        new.rename(path)
        return
    if _exchange(new, path):  # what was there is at `new` now, which the caller removes
        return
    old = new.with_suffix(".old")
    path.rename(old)
    try:
        new.rename(path)
    except OSError:
        old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step, so that a kill finds one of them at either place.

    Returns:
        Whether the system and the file system can, as most do.

    Raises:
        OSError: they can, and it failed.
    """
    names = os.fsencode(one), os.fsencode(other)
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux" and hasattr(libc, "renameat2"):
        code = libc.renameat2(_HERE, names[0], _HERE, names[1], _EXCHANGE)
    elif sys.platform == "darwin":
        code = libc.renamex_np(*names, _EXCHANGE)
    else:
        return False
    if code == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(number, os.strerror(number), str(other))


def _raise_explained(error: OSError, path: Path) -> NoReturn:
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        raise error
    raise ProvenderError(
        "The disk is full; nothing was half written.",
        where=str(path),
        remedy="Free some space and run again; finished stages are kept.",
    ) from error

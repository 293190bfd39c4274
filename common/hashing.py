"""Stable content hashes: of values for data versions and keys, of bytes as git objects (SWHIDs)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def digest(*values: Any) -> str:
    """32 hex digits that name `values`, which must be JSON-serialisable."""
    canonical = json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()


def digest_file(path: Path) -> str:
    """sha256 of the file at `path`, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def git_object(kind: str, data: bytes) -> str:
    """The git object id (sha1) of `data`, the hash that a SWHID of the same object carries."""
    header = f"{kind} {len(data)}\0".encode()
    return hashlib.sha1(header + data, usedforsecurity=False).hexdigest()

"""Leaving out what its authors want left out, and keeping it out: `config/optout.yaml` and tombstones.

A match leaves a tombstone, the git blob id of the file, so that a fork or mirror does not bring it back.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Annotated

import polars as pl
from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from common.config import Settings, load
from corpus.paths import Patterns, role

_SWHID = re.compile(r"^swh:1:(cnt|dir|rev):([0-9a-f]{40})$")
_EMPTY_BLOB = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
_ADDRESS = re.compile(
    r"^(?:[a-z+]+://)?(?:[^@/]+@)?(?P<host>[^/:]*)(?::\d+)?[/:](?P<path>.+?)(?:\.git)?/?$",
    re.IGNORECASE,
)


def _written(day: object) -> object:
    return day.isoformat() if isinstance(day, date) else day  # YAML reads a plain date as one


class OptOut(Settings):
    """One wish. Every field that is given must match; at least one is."""

    host: str | None = Field(default=None, description="as `github.com`")
    owner: str | None = Field(default=None, description="the first part of the repository's path")
    repository: str | None = Field(default=None, description="as `owner/name`, or a source's name")
    path: str | None = Field(default=None, description="gitignore-style pattern of files")
    swhid: Annotated[str, StringConstraints(pattern=_SWHID.pattern)] | None = Field(
        default=None, description="core SWHID of a file, a snapshot's folder or a commit"
    )
    since: Annotated[str, BeforeValidator(_written)] = Field(
        default="", description="when it was asked for"
    )
    note: str = Field(default="", description="where, or by whom")

    @model_validator(mode="after")
    def _says_something(self) -> OptOut:
        if not any((self.host, self.owner, self.repository, self.path, self.swhid)):
            raise ValueError("give at least one of host, owner, repository, path, swhid")
        return self

    def blobs(self, snapshot: pl.DataFrame) -> pl.Series:
        """The files that this wish is about, by blob id.

        `snapshot` has the columns source, origin, anchor, tree, path, mode and blob_sha of
        `schema.SNAPSHOT`.
        """
        # No links, no submodules; and no licence texts or manifests, which are never trained on: a
        # tombstone on one would take the licence from every other project that has the same text.
        regular = snapshot.filter(pl.col("mode").str.starts_with("100"))
        rows = regular.filter([role(path) is None for path in regular["path"]])
        if rows.is_empty() or not self.is_about(rows["source"][0], rows["origin"][0]):
            return rows["blob_sha"].clear()
        if self.swhid is not None:
            kind, sha = self.swhid.split(":")[2:]
            whole = {"dir": rows["tree"][0], "rev": rows["anchor"][0].rpartition(":")[2]}
            if kind == "cnt":
                rows = rows.filter(blob_sha=sha)
            elif whole[kind] != sha:
                rows = rows.clear()
        if self.path is not None:
            spec = Patterns([self.path], default=False)
            rows = rows.filter([spec.match(path) for path in rows["path"]])
        return rows["blob_sha"]

    def names_path(self, path: str) -> bool:
        """True where the wish has no SWHID, and is about files at `path`."""
        if self.swhid is not None:
            return False
        return self.path is None or Patterns([self.path], default=False).match(path)

    def is_about(self, source: str, origin: str) -> bool:
        """True where host, owner and repository, as far as given, are those of a source."""
        match = _ADDRESS.match(origin)
        host = match["host"].lower() if match else ""
        path = match["path"].lower() if match else ""
        if self.host is not None and self.host.lower() != host:
            return False
        if self.owner is not None and self.owner.lower() != path.partition("/")[0]:
            return False
        wanted = (self.repository or "").lower().removesuffix(".git")
        return self.repository is None or wanted in (path, source)


class OptOuts(Settings):
    """`config/optout.yaml`."""

    optout: list[OptOut] = Field(default=[])


def load_optouts(path: Path) -> OptOuts:
    """Read the wishes from `path`; none where there is no such file."""
    return load(path, OptOuts) if path.is_file() else OptOuts()


def wanted_out(listing: pl.DataFrame, wishes: OptOuts) -> set[str]:
    """The blobs of a listing (see `OptOut.blobs`) that some wish is about."""
    found = {blob for wish in wishes.optout for blob in wish.blobs(listing)}
    # An empty file is nobody's work: a tombstone on it would empty the corpus.
    return found - {_EMPTY_BLOB}


def names_row(wishes: OptOuts, origin: str, path: str) -> bool:
    """True where a wish is about a file of a repository of which only its address is known."""
    return any(wish.is_about("", origin) and wish.names_path(path) for wish in wishes.optout)

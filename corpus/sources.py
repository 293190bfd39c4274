"""The source manifest: what `config/sources_*.yaml` may say. Fetching lives in `corpus.snapshots`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from common.config import Settings, load
from common.errors import ProvenderError

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=80)]
Domain = Literal["general", "rust", "formal", "personal"]
Split = Literal["train", "valid", "test"]


class _Source(Settings):
    name: Name
    domain: Domain = "rust"
    split: Split = "train"
    license: str | None = Field(
        default=None, description="expected SPDX expression; a different finding is reported"
    )
    why: str = Field(default="", description="why this source is in the manifest")


class PypiSource(_Source):
    """A source release on PyPI, pinned by version and digest."""

    kind: Literal["pypi"] = "pypi"
    project: str = ""
    version: str
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

    @property
    def project_name(self) -> str:
        return self.project or self.name


class GitSource(_Source):
    """A git repository at a pinned ref: a full commit id, a tag or a branch."""

    kind: Literal["git"] = "git"
    url: Annotated[str, StringConstraints(min_length=1)]
    ref: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][\w./+@-]*$")] = "HEAD"


Source = Annotated[PypiSource | GitSource, Field(discriminator="kind")]


class Manifest(Settings):
    """A list of sources."""

    sources: Annotated[list[Source], Field(min_length=1)]

    def __getitem__(self, name: str) -> PypiSource | GitSource:
        for source in self.sources:
            if source.name == name:
                return source
        raise ProvenderError(
            "The manifest has no source of this name.",
            where=name,
            remedy=f"Use one of: {', '.join(self.names)}.",
        )

    @property
    def names(self) -> list[str]:
        return [source.name for source in self.sources]


def load_manifest(path: Path) -> Manifest:
    """Read a manifest.

    Raises:
        ProvenderError: the file breaks the schema, or names a source twice.
    """
    manifest = load(path, Manifest)
    twice = [name for name, count in Counter(manifest.names).items() if count > 1]
    if twice:
        raise ProvenderError(
            f"source names appear twice: {', '.join(twice)}.",
            where=str(path),
            remedy="Give each source a name of its own.",
        )
    return manifest

"""The source manifest: what `config/sources_*.yaml` may say. Fetching lives in `corpus.snapshots`."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from common.config import Settings, load
from common.errors import ProvenderError

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=80)]
Domain = Literal["general", "rust", "formal", "personal"]
Split = Literal["train", "valid", "test"]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def _safe_address(url: str) -> str:
    if re.match(r"^-|^[\w+.-]*::|^ext://", url) or not url.isprintable():
        raise ValueError("this address could run a command; use an https, ssh, git or file address")
    return url


Address = Annotated[str, StringConstraints(min_length=1), AfterValidator(_safe_address)]
Ref = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][\w./+@-]*$", max_length=250)]


class _Source(Settings):
    name: Name
    domain: Domain = "rust"
    split: Split | None = Field(
        default=None, description="pins it to a split; without, `corpus.splits` draws one by name"
    )
    license: str | None = Field(
        default=None, description="expected SPDX expression; a different finding is reported"
    )
    why: str = Field(default="", description="why this source is in the manifest")
    weight: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="how often its pairs are drawn, in place of the domain's weight"
    )
    include: list[str] = Field(
        default=[], description="gitignore-style patterns; files that match none are left out"
    )
    exclude: list[str] = Field(default=[], description="gitignore-style patterns to leave out")
    nested_licences: Literal["drop", "keep"] = Field(
        default="drop",
        description="what to do with a folder whose licence is not the repository's: it is"
        " somebody else's work, or, with `keep`, a contribution under a licence of its own",
    )
    max_test_files: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="most test files to keep, in place of the policy's number"
    )


class PypiSource(_Source):
    """A source release on PyPI, pinned by version and digest."""

    kind: Literal["pypi"] = "pypi"
    project: str = ""
    version: str
    sha256: Sha256

    @property
    def project_name(self) -> str:
        return self.project or self.name


class GitSource(_Source):
    """A git repository at a ref: a branch, a tag or a full commit id."""

    kind: Literal["git"] = "git"
    url: Address
    ref: Ref = "HEAD"


class PathSource(_Source):
    """A folder of this machine: the HEAD of its git repository, or its files as they lie there."""

    kind: Literal["path"] = "path"
    path: Annotated[Path, Field(description="from the manifest's folder where it is relative")]
    worktree: bool = Field(
        default=False, description="the files as they lie there, not the ones of HEAD"
    )


class DatasetSource(_Source):
    """Published pairs in the columns of CodeSearchNet, sampled."""

    kind: Literal["dataset"] = "dataset"
    domain: Domain = "general"
    urls: list[Address] = Field(default=[], description="https addresses of the files")
    paths: list[Path] = Field(
        default=[], description="files, from the manifest's folder where they are relative"
    )
    languages: list[str] = Field(default=[], description="languages to keep; all by default")
    partition: str = Field(default="train", description="rows of other partitions are left out")
    sample: Annotated[int, Field(ge=1)] = Field(default=100_000, description="most pairs to keep")
    seed: int = 0

    @model_validator(mode="after")
    def _has_files(self) -> DatasetSource:
        if bool(self.urls) == bool(self.paths):
            raise ValueError("give either `urls` or `paths`")
        return self


AnySource = PypiSource | GitSource | PathSource | DatasetSource
Repository = PypiSource | GitSource | PathSource
"""A source that has files; a data set has pairs."""
Source = Annotated[AnySource, Field(discriminator="kind")]


class Manifest(Settings):
    """A list of sources."""

    sources: Annotated[list[Source], Field(min_length=1)]

    def __getitem__(self, name: str) -> AnySource:
        for source in self.sources:
            if source.name == name:
                return source
        raise ProvenderError(
            "The manifest has no source of this name.",
            where=name,
            remedy=f"Use one of: {', '.join(self.names)}.",
        )

    def repository(self, name: str) -> Repository:
        """The source `name`, which is no data set."""
        source = self[name]
        if isinstance(source, DatasetSource):
            raise ProvenderError(
                "This source is a data set: it has pairs, but no files.",
                where=name,
                remedy="Materialize `codesearchnet_pairs`.",
            )
        return source

    @property
    def names(self) -> list[str]:
        """Every source, by name."""
        return [source.name for source in self.sources]

    @property
    def repositories(self) -> list[Repository]:
        """The sources that have files."""
        return [each for each in self.sources if not isinstance(each, DatasetSource)]

    @property
    def datasets(self) -> list[DatasetSource]:
        """The sources that have pairs."""
        return [each for each in self.sources if isinstance(each, DatasetSource)]


def load_manifest(*paths: Path) -> Manifest:
    """Read manifests into one; relative paths in each are taken from its folder.

    Raises:
        ProvenderError: a file breaks the schema, or a source is named twice.
    """
    sources = [
        _anchored(source, path.resolve().parent)
        for path in paths
        for source in load(path, Manifest).sources
    ]
    twice = [name for name, count in Counter(each.name for each in sources).items() if count > 1]
    if twice:
        raise ProvenderError(
            f"source names appear twice: {', '.join(twice)}.",
            where=", ".join(map(str, paths)),
            remedy="Give each source a name of its own.",
        )
    return Manifest(sources=sources)


def _anchored(source: AnySource, folder: Path) -> AnySource:
    changes: dict[str, Any] = {}
    if isinstance(source, PathSource):
        changes["path"] = _absolute(source.path, folder, source)
    elif isinstance(source, DatasetSource):
        changes["paths"] = [_absolute(path, folder, source) for path in source.paths]
    return source.model_copy(update=changes)


def _absolute(path: Path, folder: Path, source: AnySource) -> Path:
    try:
        return folder / path.expanduser()
    except RuntimeError:
        raise ProvenderError(
            f"{path} begins with the home of somebody whom this machine does not know.",
            where=f"source {source.name}",
            remedy="Write the whole path.",
        ) from None

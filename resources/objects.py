"""Objects of one S3 bucket below a prefix, by key: put and fetched whole, checked, and every fault explained.

dagster-aws makes the client; boto3 retries, and uploads in parts at once. Where several write, a put can be
on condition that nobody has meanwhile, which AWS, and others that speak S3, hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from common.errors import ProvenderError
from common.hashing import digest_file

_SHA = "sha256"
_ATTEMPTS = 8
"""Of each request, seconds apart and more each time: botocore's standard mode."""
_MOVED = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412"})
_GONE = frozenset({"NoSuchKey", "NotFound", "404"})
_REFUSED = frozenset({"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"})

Key = tuple[str, ...]


@dataclass(frozen=True)
class Seen:
    """An object as S3 describes it.

    Attributes:
        size: in bytes.
        sha256: that was put with it; empty for what others put there.
        etag: as S3 gives it; empty where S3 was not asked.
        notes: what was said when it was put.
        modified: seconds since 1970.
    """

    size: int
    sha256: str
    etag: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)
    modified: float = 0.0

    @property
    def identity(self) -> str:
        """Of its content."""
        return self.sha256 or self.etag


class MovedError(Exception):
    """What was fetched is gone, or is not what was seen before."""


class Objects:
    """Those below `uri` (`s3://bucket/prefix`).

    Args:
        uri: as PROVENDER_LAKE says it.
        endpoint: of a server other than AWS, addressed by path-style; empty: what AWS's settings name.
        region: empty: what AWS's settings name.

    Raises:
        ProvenderError: `uri` names no bucket. Of every method: S3 refuses, or does not answer.
    """

    def __init__(self, uri: str, endpoint: str = "", region: str = "") -> None:
        from dagster_aws.s3 import S3Resource

        parts = urlsplit(uri)
        if not parts.netloc:
            raise ProvenderError(
                "This names no bucket.", where=uri, remedy="Write it as s3://bucket/prefix."
            )
        self._uri, self._bucket, self._prefix = uri, parts.netloc, parts.path.strip("/")
        self._client = S3Resource(
            endpoint_url=endpoint or None, region_name=region or None, max_attempts=_ATTEMPTS
        ).get_client()

    def uri(self, key: Key) -> str:
        """The address of the object at `key`."""
        return "/".join((self._uri.rstrip("/"), *key))

    def seen(self, key: Key) -> Seen | None:
        """The object at `key`; null where there is none."""
        found = self._asked(key, lambda: self._client.head_object(**self._at(key)))
        if found is None:
            return None
        return Seen(
            found["ContentLength"],
            found["Metadata"].get(_SHA, ""),
            found["ETag"],
            found["Metadata"],
            found["LastModified"].timestamp(),
        )

    def text(self, key: Key) -> tuple[str | None, str]:
        """What the object at `key` holds, null where there is none; and its ETag."""

        def get() -> tuple[str, str]:
            found = self._client.get_object(**self._at(key))
            return found["Body"].read().decode(), found["ETag"]

        return self._asked(key, get) or (None, "")

    def put(self, key: Key, file: Path, notes: Mapping[str, str] | None = None) -> str:
        """Make `file` the object at `key`: readers see it whole, or the one before. Its identity."""
        identity = digest_file(file)
        extra = {"Metadata": {**(notes or {}), _SHA: identity}}
        with self._explained(key):
            self._client.upload_file(str(file), self._bucket, self._name(key), ExtraArgs=extra)
        return identity

    def put_text(self, key: Key, text: str, etag: str) -> bool:
        """Whether `text` was put at `key`: not where another one was, since the one with `etag`."""
        condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
        with self._explained(key):
            try:
                self._client.put_object(**self._at(key), Body=text.encode(), **condition)
            except self._client.exceptions.ClientError as error:
                if _code(error) not in _MOVED:
                    raise
                return False
        return True

    def download(self, key: Key, target: Path, seen: Seen) -> None:
        """Write the object at `key` to `target`.

        Raises:
            MovedError: it is gone, or is not (or no longer) the one that was `seen`.
        """
        from botocore.exceptions import FlexibleChecksumError

        def download() -> bool:
            try:
                self._client.download_file(self._bucket, self._name(key), str(target))
            except FlexibleChecksumError:  # of S3's own checksum, which not every server keeps
                return False
            return True

        there = self._asked(key, download)
        if not there or target.stat().st_size != seen.size:
            raise MovedError
        if seen.sha256 and digest_file(target) != seen.sha256:
            raise MovedError

    def touch(self, key: Key) -> None:
        """Make the object at `key` of now: `Seen.modified` tells."""
        with self._explained(key):
            found = self._client.head_object(**self._at(key))
            self._client.copy_object(
                **self._at(key),
                CopySource=self._at(key),
                CopySourceIfMatch=found["ETag"],
                Metadata=found["Metadata"],
                MetadataDirective="REPLACE",
            )

    def remove(self, key: Key) -> None:
        """Delete the object at `key`; nothing where there is none."""
        with self._explained(key):
            self._client.delete_object(**self._at(key))

    def list(self, prefix: Key) -> Iterator[Key]:
        """The keys below `prefix`, as S3 lists them now: what was just put may be missing elsewhere."""
        below = f"{self._name(prefix)}/"
        with self._explained(prefix):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=below):
                for each in page.get("Contents", ()):
                    yield (*prefix, *each["Key"].removeprefix(below).split("/"))

    def check(self, key: Key) -> None:
        """Find out whether objects can be written, with one at `key` that does not stay."""
        with self._explained(()):
            self._client.head_bucket(Bucket=self._bucket)
            self._client.put_object(**self._at(key), Body=b"")
            self._client.delete_object(**self._at(key))

    def _at(self, key: Key) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._name(key)}

    def _name(self, key: Key) -> str:
        return "/".join((*filter(None, (self._prefix,)), *key))

    def _asked(self, key: Key, ask: Callable[[], Any]) -> Any:
        """What `ask` gives; null where there is no object."""
        with self._explained(key):
            try:
                return ask()
            except self._client.exceptions.ClientError as error:
                if _code(error) in _GONE:
                    return None
                raise

    @contextmanager
    def _explained(self, key: Key) -> Iterator[None]:
        """What boto3 raises is one message."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

        try:
            yield
        except (ClientError, BotoCoreError, Boto3Error) as error:
            code, passing = _code(error), False
            if isinstance(error, NoCredentialsError):
                said = "No credentials for S3 were found."
                remedy = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE."
            elif code in _REFUSED:
                said = f"S3 refuses these credentials ({code})."
                remedy = "They need to get, put, delete and list objects of this bucket."
            elif code in ("404", "NoSuchBucket"):
                said = f"There is no bucket `{self._bucket}`."
                remedy = "Make it, or correct PROVENDER_LAKE and AWS_ENDPOINT_URL_S3."
            else:
                said = f"S3 does not answer as it should: {' '.join(str(error).split())[:200]}."
                remedy = (
                    "Nothing was half written: run again. AWS_ENDPOINT_URL_S3 names the server."
                )
                passing = True
            raise ProvenderError(
                said, where=self.uri(key), remedy=remedy, passing=passing
            ) from None


def _code(error: Exception) -> str:
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))

"""The web page of a commit, for sources in git that anybody can reach."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import quote, urlsplit

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def commit_page(origin: str, revision: str) -> str | None:
    """The address of a commit on its forge; null where there is none that anybody can open.

    Forges agree on `/commit/`: GitHub, GitLab, Gitea and Forgejo, sourcehut.

    Args:
        origin: the source's address, as in the lake's `repos` table.
        revision: what it is at.
    """
    try:
        address = urlsplit(origin)
    except ValueError:
        return None
    if (
        address.scheme not in ("http", "https")
        or not _is_public(address.hostname or "")
        or "@" in address.netloc
        or address.query
        or not _COMMIT.fullmatch(revision)
    ):
        return None
    path = quote(address.path.rstrip("/").removesuffix(".git"))
    return f"{address.scheme}://{address.netloc}{path}/commit/{revision}"


def _is_public(host: str) -> bool:
    """Whether a host's name is one of the public net: neither a private address nor a local name."""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return bool(re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", host)) and not host.endswith(
            (".local", ".localhost", ".internal", ".lan", ".home.arpa")
        )

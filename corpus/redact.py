"""Secrets and addresses taken out of a file before anything is read from it.

Finds secrets with Kingfisher's rules, offline and without its live validation. Which rule matched is
kept, what it matched never is. Line numbers stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kingfisher_sdk import Scanner

VERSION = f"2-{version('kingfisher-secret-scanner')}"

_EMAIL = re.compile(
    rb"(?<![\w.%+-])[A-Za-z0-9][A-Za-z0-9._%+-]*@(?:[A-Za-z0-9-]+\.)+(?:[a-z]{2,24}|[A-Z]{2,24})(?![\w@])"
)
# Nobody's: the names that RFC 2606 keeps for examples, and the user of every git host.
_NOBODY = re.compile(
    rb"^(?:git|noreply|REDACTED)@|@(?:.+\.)?example\.(?:com|net|org)$|\.(?:test|example|invalid|localhost)$",
    re.IGNORECASE,
)
_SECRET, _SOMEBODY = b"REDACTED", b"somebody@example.org"
_HALVES = frozenset({"betterleaks.aws-secret-access-key"})
"""Rules that Kingfisher uses as a part of others only, though what they find is the secret itself."""
EMAIL = "email"
"""The rule of addresses, beside Kingfisher's ids."""

Found = tuple[int, str]
"""A line, from 1, and the id of the rule that matched there."""


def redact(content: bytes) -> tuple[bytes, list[Found]]:
    """`content` without secrets and e-mail addresses, and what was found where."""
    found: list[Found] = []
    spans = [
        (finding.location["start_offset"], finding.location["end_offset"], finding.rule_id)
        for finding in _scanner().scan(content)
        if finding.visible or finding.rule_id in _HALVES
    ]
    clean = _without(content, spans, found)
    emails = [
        (match.start(), match.end(), EMAIL)
        for match in (_EMAIL.finditer(clean) if b"@" in clean else ())
        if not _NOBODY.search(match[0])
    ]
    return _without(clean, emails, found), sorted(set(found))


def redact_text(text: str) -> str:
    """`text` without secrets and addresses."""
    return redact(text.encode("utf-8", "replace"))[0].decode("utf-8", "replace")


def _without(content: bytes, spans: list[tuple[int, int, str]], found: list[Found]) -> bytes:
    """`content` with each span replaced, its line breaks kept, and noted in `found`."""
    if not spans:
        return content
    line_of = _line_counter(content)
    parts: list[bytes] = []
    position = 0
    for start, end, rule in sorted(spans):
        found.append((line_of(start), rule))
        if end <= position:
            continue  # inside what another rule found
        parts.append(content[position : max(start, position)])
        breaks = b"\n" * content.count(b"\n", max(start, position), end)
        parts.append((_SOMEBODY if rule == EMAIL else _SECRET) + breaks)
        position = end
    parts.append(content[position:])
    return b"".join(parts)


def _line_counter(content: bytes) -> Callable[[int], int]:
    return lambda offset: content.count(b"\n", 0, offset) + 1


@cache
def _scanner() -> Scanner:
    from kingfisher_sdk import Scanner

    return Scanner()

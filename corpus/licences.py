"""Which licence a source states: SPDX expression with its evidence, and its tier.

Reads package metadata first, then licence texts. Licences file by file are a later room's work.
"""

from __future__ import annotations

import email
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import license_expression
import polars as pl
from license_expression import (
    ExpressionError,
    ExpressionParseError,
    LicenseSymbol,
    get_spdx_licensing,
)
from pydantic import Field

from common.config import Settings, load

Tier = Literal["permissive", "weak_file", "weak_lib", "strong", "none"]
_STRICTNESS: dict[Tier, int] = {
    "permissive": 0,
    "weak_file": 1,
    "weak_lib": 2,
    "strong": 3,
    "none": 4,
}
_SPDX = get_spdx_licensing()
_TEXT_NAMES = re.compile(r"^(licen[cs]e|copying|unlicense)([._-].*)?$", re.IGNORECASE)

# Trove classifiers and the free-text names that packages of before PEP 639 use.
_LEGACY_NAMES = {
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
    "License :: OSI Approved :: ISC License (ISCL)": "ISC",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "License :: OSI Approved :: The Unlicense (Unlicense)": "Unlicense",
    "MIT License": "MIT",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
}


class LicencePolicy(Settings):
    """`config/licenses.yaml`: the tier of each SPDX id, and the tiers that may be trained on."""

    tiers: dict[Tier, list[str]]
    keep: Annotated[list[Tier], Field(min_length=1)]

    def tier(self, expression: str | None) -> Tier:
        """The tier of an SPDX expression: OR leaves the choice, AND (and WITH) binds to the strictest."""
        if expression is None:
            return "none"
        return self._tier(_SPDX.parse(expression))

    def _tier(self, node: object) -> Tier:
        if isinstance(node, license_expression.LicenseWithExceptionSymbol):
            return self._tier(node.license_symbol)
        if isinstance(node, LicenseSymbol):
            for tier, ids in self.tiers.items():
                if node.key in ids:
                    return tier
            return "none"
        assert isinstance(node, license_expression.OR | license_expression.AND)
        parts: list[Tier] = [self._tier(part) for part in node.args]
        choose = min if isinstance(node, license_expression.OR) else max
        return choose(parts, key=_STRICTNESS.__getitem__)


@dataclass(frozen=True)
class Finding:
    """A source's licence. `expression` is null where nothing was proven."""

    expression: str | None
    evidence: str | None


def load_policy(path: Path) -> LicencePolicy:
    """Read the licence policy from `path`."""
    return load(path, LicencePolicy)


def find_licence(files: pl.DataFrame) -> Finding:
    """The licence that a snapshot (a frame of `schema.SNAPSHOT`) states for itself as a whole."""
    top = files.filter(~pl.col("path").str.contains("/"), pl.col("content").is_not_null())
    contents: dict[str, bytes] = dict(top.select("path", "content").iter_rows())
    readers: list[tuple[str, Callable[[str], str | None]]] = [
        ("PKG-INFO", _from_license_expression),
        ("Cargo.toml", _from_cargo),
        ("PKG-INFO", _from_legacy_metadata),
    ]
    for name, reader in readers:
        if name in contents:
            expression = _normal(reader(contents[name].decode("utf-8", "replace")))
            if expression:
                return Finding(expression, name)
    texts = sorted(name for name in contents if _TEXT_NAMES.match(name))
    ids = {
        spdx: name
        for name in texts
        for spdx in _from_text(contents[name].decode("utf-8", "replace"))
    }
    # Several texts without a word on how they combine bind together too.
    expression = _normal(" AND ".join(sorted(ids)))
    return Finding(expression, ", ".join(sorted(set(ids.values()))) if expression else None)


def _from_license_expression(text: str) -> str | None:
    """PEP 639's field."""
    return email.message_from_string(text).get("License-Expression")


def _from_legacy_metadata(text: str) -> str | None:
    """The `License` field where it names one licence, else the trove classifiers."""
    message = email.message_from_string(text)
    free = (message.get("License") or "").strip()
    if _normal(_LEGACY_NAMES.get(free, free)):
        return _LEGACY_NAMES.get(free, free)
    names = {
        _LEGACY_NAMES[name] for name in message.get_all("Classifier", []) if name in _LEGACY_NAMES
    }
    # Classifiers do not say how several licences combine: bind to all of them, the careful reading.
    return " AND ".join(sorted(names)) or None


def _from_cargo(text: str) -> str | None:
    try:
        manifest = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
    workspace = _table(_table(manifest.get("workspace")).get("package"))
    stated = _table(manifest.get("package")).get("license", workspace.get("license"))
    if stated == {"workspace": True}:
        stated = workspace.get("license")
    # Cargo's old "MIT/Apache-2.0" means OR.
    return stated.replace("/", " OR ") if isinstance(stated, str) else None


def _table(value: object) -> dict:
    return value if isinstance(value, dict) else {}


def _from_text(text: str) -> set[str]:
    from licenseclassifier import identify_license

    return {match.id for match in identify_license(text)}


def _normal(expression: str | None) -> str | None:
    """`expression` in SPDX's own spelling; null where it is no valid expression of known ids."""
    if not expression or len(expression) > 400:
        return None
    try:
        return str(_SPDX.parse(expression, validate=True))
    except (ExpressionError, ExpressionParseError, AttributeError, IndexError):
        return None

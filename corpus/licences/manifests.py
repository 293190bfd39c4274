"""What a manifest, a REUSE.toml or a .gitattributes states: one reader each, for hostile input too.

A reader gives pairs of how it is stated and the SPDX expression; null where the field says nothing.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from email.parser import HeaderParser
from typing import Any

from defusedxml import DefusedXmlException, ElementTree

from corpus.licences.policy import normal
from corpus.licences.words import UNKNOWN, free_text, named_licence, spdx_field
from corpus.paths import Role

Said = list[tuple[str, str | None]]

_MAX_DOTS = 1000


def _cargo(text: str) -> Said:
    manifest = _toml(text)
    found: Said = []
    package = _table(manifest.get("package"))
    stated = package.get("license")
    if isinstance(stated, str):
        found.append(("cargo", spdx_field(stated)))
    elif _table(stated).get("workspace") is True:
        found.append(("cargo_inherits", UNKNOWN))
    workspace = _table(_table(manifest.get("workspace")).get("package")).get("license")
    if isinstance(workspace, str):
        found.append(("cargo_workspace", spdx_field(workspace)))
    return found


def _pyproject(text: str) -> Said:
    manifest = _toml(text)
    stated = _table(manifest.get("project")).get("license")
    poetry = _table(_table(manifest.get("tool")).get("poetry")).get("license")
    field = _table(stated).get("text") if isinstance(stated, dict) else stated or poetry
    return [("pyproject", free_text(field))] if isinstance(field, str) else []


def _package_json(text: str) -> Said:
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError):
        return []
    stated = _table(manifest).get("license")
    field = _table(stated).get("type") if isinstance(stated, dict) else stated
    if not isinstance(field, str) or field.upper().startswith("SEE LICENSE"):
        return []
    if field == "UNLICENSED":  # npm's word for: all rights reserved
        return [("package_json", UNKNOWN)]
    return [("package_json", normal(field) or named_licence(field) or UNKNOWN)]


def _pom(text: str) -> Said:
    try:
        root = ElementTree.fromstring(text.encode())
    except (ElementTree.ParseError, DefusedXmlException, ValueError, LookupError, RecursionError):
        return []
    names = [
        (each.text or "").strip()
        for licence in root.iterfind("{*}licenses/{*}license")
        for each in licence.iterfind("{*}name")
    ]
    # Maven: several licences of a project are a choice.
    found = [named_licence(name) or UNKNOWN for name in names]
    return [("pom", normal(" OR ".join(found)) or UNKNOWN)] if found else []


def _pkg_info(text: str) -> Said:
    message = HeaderParser().parsestr(text)
    expression = message.get("License-Expression")
    if expression:
        return [("pkg_info", normal(str(expression)) or UNKNOWN)]
    field = str(message.get("License") or "")
    if named := named_licence(field):
        return [("pkg_info", named)]
    classifiers = [str(each) for each in message.get_all("Classifier", [])]
    trove = [each.rpartition("::")[2] for each in classifiers if each.startswith("License ::")]
    found = {said for each in trove if (said := free_text(each)) is not None}
    # Classifiers do not say how several licences combine: bind to all of them, the careful reading.
    if found:
        return [("pkg_info", normal(" AND ".join(sorted(found))) or UNKNOWN)]
    return [("pkg_info", free_text(field))]


def _reuse(text: str) -> Said:
    """The annotations of a REUSE.toml (REUSE specification 3.3), one statement a pattern."""
    listed = _toml(text).get("annotations", [])
    found: Said = []
    for each in map(_table, listed if isinstance(listed, list) else []):
        ids = [normal(text) or UNKNOWN for text in _strings(each.get("SPDX-License-Identifier"))]
        if ids:
            expression = normal(" AND ".join(f"({each})" for each in ids)) or UNKNOWN
            precedence = str(each.get("precedence", "closest"))
            found += [
                ("annotation", json.dumps([glob, expression, precedence]))
                for glob in _strings(each.get("path"))
            ]
    return found


def _attributes(text: str) -> Said:
    """The lines of a .gitattributes that say what is vendored or generated."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return [("attribute", line) for line in lines if "linguist-" in line and line[0] != "#"]


def _toml(text: str) -> dict[str, Any]:
    # tomllib needs minutes for a key of thousands of dots, which no manifest has.
    if any(line.count(".") > _MAX_DOTS for line in text.splitlines()):
        return {}
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):  # a number of thousands of digits is a plain ValueError
        return {}


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _strings(value: object) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [each for each in listed if isinstance(each, str)]


READERS: dict[Role, Callable[[str], Said]] = {
    "cargo": _cargo,
    "pyproject": _pyproject,
    "package_json": _package_json,
    "pom": _pom,
    "pkg_info": _pkg_info,
    "reuse": _reuse,
    "attributes": _attributes,
}
"""The reader of each kind of file."""

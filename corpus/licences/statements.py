"""What one file states about licences: a header, a licence text, a manifest's field, REUSE.toml.

Reads, never decides: which statement counts for which file is `scope`.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from email.parser import HeaderParser
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from defusedxml import DefusedXmlException, ElementTree

from corpus.licences.policy import family, names, normal
from corpus.paths import Role, glob_pattern, language, licence_prefix

VERSION = "4"

UNKNOWN = "LicenseRef-unknown"
"""A licence is stated, but it is none that SPDX or the classifier knows."""


@dataclass(frozen=True, slots=True)
class Statement:
    """`by` says how (header, text, cargo …), `place` where, `expression` what, in SPDX.

    An `annotation` (REUSE.toml) and an `attribute` (.gitattributes) carry their line instead.
    """

    by: str
    place: str
    expression: str


_HEADER_BYTES = 6000
_MAX_STATEMENTS = 2000
_ID = r"\(*[A-Za-z0-9][\w.+-]*(?<!-)\)*"
# A list such as `MIT, GPL-2.0` is taken whole: it is no expression, and so none that is known.
_JOINT = r"(?:[ \t]+(?:OR|AND|WITH)[ \t]+|[ \t]*[,;&|/][ \t]*)"
_TAG = re.compile(rf"SPDX-License-Identifier:[ \t]*({_ID}(?:{_JOINT}{_ID})*)", re.IGNORECASE)
_GATE = re.compile(
    r"licen[cs]|permission is (?:hereby )?granted|public domain|redistribution and use|permission to use"
    r"|proprietary|confidential|\b[al]?gpl",
    re.IGNORECASE,
)
_COMMENT_MARKS = re.compile(r"^[ \t]*(?://[/!]?|#+|/\*+!?|\*+/?|--+|\(\*+|;+|%+|/-+|<!--)?[ \t]?")
_STARTS_COMMENT = re.compile(r"^\s*(//|#(?!\[)|/\*|\\?\*|--|\(\*|;|%|/-|<!--|\"\"\"|''')")
_STARTS_TEXT = re.compile(r"/\*|\(\*|/-|<!--|\"\"\"|'''")
_ENDS_TEXT = re.compile(r"\*/|\*\)|-/|-->|\"\"\"|'''")
_COPYRIGHT = re.compile(
    r"^\W*(?:portions )?(?:copyright|\(c\)|©|all rights reserved)", re.IGNORECASE | re.MULTILINE
)
_MIN_TEXT_COVERAGE = 50.0
_MAX_DOTS = 1000

# What headers say in a sentence, where there is no text for the classifier to compare.
_PHRASES = [
    (re.compile(pattern, re.IGNORECASE), spdx)
    for pattern, spdx in (
        (r"mozilla public licen[cs]e,? (?:v(?:ersion|\.)? ?)?2|\bmpl[- ]?v?2", "MPL-2.0"),
        (r"eclipse public licen[cs]e,? ?(?:-|v|version)? ?v?\.? ?1|\bepl[- ]?v?1", "EPL-1.0"),
        (r"eclipse public licen[cs]e,? ?(?:-|v|version)? ?v?\.? ?2|\bepl[- ]?v?2", "EPL-2.0"),
        (r"apache(?: software)?(?: licen[cs]e)?,?(?: version| v)?\.?[- ]?2(?:\.0)?", "Apache-2.0"),
        (r"\bmit(?:/x11)? licen[cs]e|\blicen[cs]ed? (?:under|:) ?mit\b", "MIT"),
        (r"permission is hereby granted, free of charge, to any person obtaining a copy", "MIT"),
        (r"bsd[- ]2[- ]clause|2[- ]clause bsd|simplified bsd", "BSD-2-Clause"),
        (
            r"bsd[- ]?3[- ]clause|3[- ]clause bsd|(?:new|modified|revised) bsd|\bbsd ?3\b|bsd-style",
            "BSD-3-Clause",
        ),
        (r"permission to use, copy, modify,? (?:and(?:/or)?|or) distribute", "ISC"),
        (r"gnu affero general public licen[cs]e|\bagpl", "AGPL-3.0-only"),
        (r"gnu (?:lesser|library) general public licen[cs]e|\blgpl", "LGPL-2.1-only"),
        (r"gnu general public licen[cs]e|\bgpl(?![- ]compatible)", "GPL-2.0-only"),
        (r"elastic licen[cs]e", "Elastic-2.0"),
        (r"business source licen[cs]e", "BUSL-1.1"),
        (r"server side public licen[cs]e", "SSPL-1.0"),
        (r"boost software licen[cs]e", "BSL-1.0"),
        (r"\bcc0\b|creative commons zero", "CC0-1.0"),
        (r"creative commons(?! zero| cc0| public domain)", UNKNOWN),
        (r"commons clause|functional source licen[cs]e|polyform", UNKNOWN),
        (r"\bcc[- ]by\b|proprietary and confidential|confidential and proprietary", UNKNOWN),
        (r"unauthori[sz]ed (?:copying|use|reproduction)|trade secrets?\b", UNKNOWN),
    )
]
# What stands over a part of a file that is somebody else's, further down than its head.
_NOTICE_WORDS = (b"icens", b"ICENS", b"edistribution and use", b"ermission to use, copy")
_NOTICE = re.compile(
    r"subject to the terms of the mozilla public|terms of the eclipse public|eclipse public licen[cs]e"
    r"|licen[cs]ed under the apache licen[cs]e|terms of the gnu|gnu (?:\w+ )?general public licen[cs]e"
    r"|redistribution and use in source and binary forms|permission to use, copy, modify"
    r"|(?:governed|distributed|licen[cs]ed|covered) (?:by|under) (?:a|the) (?:\S+ )?bsd"
    r"|bsd-style licen[cs]e|licen[cs]ed under bsd",
    re.IGNORECASE,
)
_CHOICE = re.compile(
    r"at your option|\bor\b.{0,40}licen[cs]e|dual[- ]licen[cs]ed", re.IGNORECASE | re.DOTALL
)
_LATER = re.compile(r"any later version", re.IGNORECASE)

# Trove classifiers and the free-text names of manifests whose field is not SPDX.
_NAMES = {
    "mit": "MIT",
    "the mit": "MIT",
    "apache": "Apache-2.0",
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache software": "Apache-2.0",
    "the apache software, version 2.0": "Apache-2.0",
    "apache, version 2.0": "Apache-2.0",
    "apache version 2.0": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd 2-clause": "BSD-2-Clause",
    "isc": "ISC",
    "isc (iscl)": "ISC",
    "boost software 1.0 (bsl-1.0)": "BSL-1.0",
    "python software foundation": "PSF-2.0",
    "zlib/libpng": "Zlib",
    "cc0 1.0 universal (cc0 1.0) public domain dedication": "CC0-1.0",
    "mit no attribution (mit-0)": "MIT-0",
    "mozilla public 1.1 (mpl 1.1)": "MPL-1.1",
    "mozilla public 2.0 (mpl 2.0)": "MPL-2.0",
    "mozilla public 2.0": "MPL-2.0",
    "the unlicense (unlicense)": "Unlicense",
    "eclipse public 1.0": "EPL-1.0",
    "eclipse public - v 1.0": "EPL-1.0",
    "eclipse public 2.0": "EPL-2.0",
    "eclipse public v2.0": "EPL-2.0",
    "gnu general public v3 (gplv3)": "GPL-3.0-only",
    "gnu general public v3 or later (gplv3+)": "GPL-3.0-or-later",
    "gnu general public v2 (gplv2)": "GPL-2.0-only",
    "gnu general public v2 or later (gplv2+)": "GPL-2.0-or-later",
    "gnu lesser general public v3 (lgplv3)": "LGPL-3.0-only",
    "gnu lesser general public v3 or later (lgplv3+)": "LGPL-3.0-or-later",
    "gnu lesser general public v2 (lgplv2)": "LGPL-2.0-only",
    "gnu lesser general public v2 or later (lgplv2+)": "LGPL-2.0-or-later",
    "gnu affero general public v3": "AGPL-3.0-only",
    "gnu affero general public v3 or later (agplv3+)": "AGPL-3.0-or-later",
}
_NO_NAMES = ("", "unknown", "osi approved", "dfsg approved")
"""What stands in such a field where nothing is stated."""


def header(path: str, content: bytes) -> list[Statement]:
    """What a source file says of itself: SPDX tags, else a known header, else a phrase; and further
    down, notices for parts that are somebody else's.
    """
    text = content[:_HEADER_BYTES].decode("utf-8", "replace")
    tags = _tagged(_no_examples(text))
    if language(path) == "markdown":
        # A README that speaks of licences speaks of the project's.
        return [Statement("spdx", path, each) for each in tags]
    blocks, end = _first_comments(text)
    if tags:
        own, end = [Statement("spdx", path, each) for each in tags], 0
    else:
        # Block by block: a licence is a block of its own, which many files share, so the cache knows it.
        found = (_of_header(_without_notices(block)) for block in blocks if _GATE.search(block))
        own = [Statement("header", path, each) for each in dict.fromkeys(found) if each]
    known = {family(name) for each in own for name in names(each.expression)}
    rest = content[len(text[:end].encode("utf-8", "replace")) :]
    return own + [Statement("notice", path, each) for each in _notices(rest, known)]


def _notices(content: bytes, known: set[str]) -> list[str]:
    """The licences of parts of a file, as far as comments state them in the words of a notice."""
    if not any(word in content for word in _NOTICE_WORDS):
        return []
    found: dict[str, None] = {}
    paragraph: list[str] = []
    for line in [*content.decode("utf-8", "replace").splitlines(), ""]:
        if _STARTS_COMMENT.match(line):
            paragraph.append(_COMMENT_MARKS.sub("", line, count=1).strip())
            continue
        text = _TAG.sub("", " ".join(paragraph))
        paragraph = []
        if not _NOTICE.search(text):
            continue
        expression = _of_header(text[:_HEADER_BYTES]) or UNKNOWN
        if not {family(name) for name in names(expression)} <= known:
            found[expression] = None
    return list(found)


def header_text(content: bytes) -> str:
    """The comments of a file's head that speak of a licence or a copyright, as they stand there."""
    blocks, _ = _first_comments(content[:_HEADER_BYTES].decode("utf-8", "replace"))
    wanted = (each for each in blocks if _GATE.search(each) or _COPYRIGHT.search(each))
    return "\n\n".join(wanted).strip()


def stated(role: Role, path: str, content: bytes) -> list[Statement]:
    """What a file of that role states of the files beside and below it."""
    text = _decoded(content)
    if role in ("text", "sidecar"):
        return _texts(role, path, text)
    readers = {
        "cargo": _cargo,
        "pyproject": _pyproject,
        "package_json": _package_json,
        "pom": _pom,
        "pkg_info": _pkg_info,
        "reuse": _reuse,
        "attributes": _attributes,
    }
    found = readers[role](text)[:_MAX_STATEMENTS]
    return [Statement(by, path, said) for by, said in found if said is not None]


@dataclass(frozen=True)
class Annotation:
    """A `[[annotations]]` of a REUSE.toml: `pattern` matches paths below the file's folder."""

    pattern: re.Pattern[str]
    expression: str
    precedence: str


def annotation(said: Statement) -> Annotation:
    """The annotation that a statement of a REUSE.toml stands for."""
    glob, expression, precedence = json.loads(said.expression)
    return Annotation(_reuse_glob(glob), expression, precedence)


def _reuse(text: str) -> list[tuple[str, str | None]]:
    """The annotations of a REUSE.toml (REUSE specification 3.3), one statement a pattern."""
    listed = _toml(text).get("annotations", [])
    found: list[tuple[str, str | None]] = []
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


def _attributes(text: str) -> list[tuple[str, str | None]]:
    """The lines of a .gitattributes that say what is vendored or generated."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return [("attribute", line) for line in lines if "linguist-" in line and line[0] != "#"]


def _reuse_glob(glob: str) -> re.Pattern[str]:
    """REUSE's own patterns: `*` stays in a folder, `**` does not, a backslash escapes."""
    pieces: list[str] = []
    position = 0
    while position < len(glob):
        if glob.startswith("**", position):
            pieces.append("**")
            position += 2
        elif glob[position] == "*":
            pieces.append("*")
            position += 1
        else:
            position += glob[position] == "\\"
            pieces.append(re.escape(glob[position : position + 1]))
            position += 1
    return glob_pattern(pieces)


def _decoded(content: bytes) -> str:
    """The text of a file whose first bytes may name its encoding; UTF-8 where they do not."""
    utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    return content.decode("utf-16" if utf16 else "utf-8-sig", "replace")


def _without_notices(block: str) -> str:
    """`block` on one line, without the lines that only say whose the copyright is, and since when."""
    lines = (
        line for line in block.splitlines() if _GATE.search(line) or not _COPYRIGHT.match(line)
    )
    return " ".join(" ".join(lines).split())


def _no_examples(text: str) -> str:
    """`text` without what REUSE-IgnoreStart … REUSE-IgnoreEnd encloses."""
    return re.sub(r"REUSE-IgnoreStart.*?(REUSE-IgnoreEnd|\Z)", "", text, flags=re.DOTALL)


def _first_comments(text: str) -> tuple[list[str], int]:
    """The comments at the head of a file, without their marks, and where they end.

    A blank line ends one of them.
    """
    blocks: list[list[str]] = [[]]
    inside, end = False, 0
    for line in text.splitlines(keepends=True):
        bare = line.removeprefix("\ufeff")
        if not inside and bare.strip() and not _STARTS_COMMENT.match(bare):
            break
        end += len(line)
        opened = _STARTS_TEXT.search(bare)
        if not inside and opened:
            inside = not _ENDS_TEXT.search(bare, opened.end())
        elif inside and _ENDS_TEXT.search(bare):
            inside = False
        if not bare.strip() and not inside:
            blocks.append([])
        elif not bare.startswith("#!"):
            blocks[-1].append(_ENDS_TEXT.sub("", _COMMENT_MARKS.sub("", bare.rstrip(), count=1)))
    return ["\n".join(block) for block in blocks if block], end


@lru_cache(maxsize=8192)
def _of_header(text: str) -> str | None:
    """The licence of a header, whose years and names are gone so that equal ones meet in the cache."""
    from licenseclassifier._engine import scan

    found = list(dict.fromkeys(match.id for match in scan(text).match))
    phrases = list(dict.fromkeys(spdx for pattern, spdx in _PHRASES if pattern.search(text)))
    if not any(each.startswith(("GPL", "LGPL", "AGPL")) for each in found):
        found += [_later(spdx, text) for spdx in phrases if spdx not in found]
    if not found:
        return None
    gnu = [each for each in found if "GPL" in each]
    choice = not gnu and UNKNOWN not in found and len(found) > 1 and _CHOICE.search(text)
    return normal((" OR " if choice else " AND ").join(found)) or UNKNOWN


def _later(spdx: str, text: str) -> str:
    """The GNU licence of the version that `text` names, and of later ones if it says so."""
    if "GPL" not in spdx:
        return spdx
    stem, number, _ = spdx.split("-")
    if stated := re.search(r"(?:version|v\.?|gpl[- ]?) ?(\d)(\.\d)?", text, re.IGNORECASE):
        number = stated[1] + (stated[2] or ".0")
    return f"{stem}-{number}-{'or-later' if _LATER.search(text) else 'only'}"


def _texts(role: str, path: str, text: str) -> list[Statement]:
    found = _tagged(text)
    # A text under a tag counts too, but that the tag may say `-or-later` of it.
    named = {family(name) for tag in found for name in names(tag)}
    found += [each for each in _classified(text) if family(each) not in named]
    if role == "sidecar" and not found:
        return []
    if licence_prefix(PurePosixPath(path).name) and not found:
        return []  # `check-license` is a script, and no licence of `check`
    ids = without_base(found)
    return [Statement(role, path, each) for each in dict.fromkeys(ids or [UNKNOWN])]


def without_base(expressions: Sequence[str]) -> list[str]:
    """`expressions` of licence texts without the GPL 3 where the LGPL 3 is one of them.

    The LGPL 3 is written as an addition to the GPL 3, whose text lies beside it by its own terms.
    """
    has_lgpl = any(each.startswith("LGPL-3") for each in expressions)
    return [each for each in expressions if not (has_lgpl and each.startswith("GPL-3"))]


def _tagged(text: str) -> list[str]:
    """What the SPDX tags in `text` say."""
    return list(dict.fromkeys(_spdx(tag) for tag in _TAG.findall(text)))


@lru_cache(maxsize=256)
def _classified(text: str) -> list[str]:
    from licenseclassifier import identify_license

    found = list(dict.fromkeys(each.id for each in identify_license(text, _MIN_TEXT_COVERAGE)))
    if (
        not found and len(text) < 2000
    ):  # `Licensed under either of MIT or Apache-2.0, at your option`
        expression = _of_header(" ".join(text.split()))
        found = [expression] if expression else []
    return [normal(each) or UNKNOWN for each in found]


def _cargo(text: str) -> list[tuple[str, str | None]]:
    manifest = _toml(text)
    found: list[tuple[str, str | None]] = []
    package = _table(manifest.get("package"))
    stated = package.get("license")
    if isinstance(stated, str):
        found.append(("cargo", _spdx(stated)))
    elif _table(stated).get("workspace") is True:
        found.append(("cargo_inherits", UNKNOWN))
    workspace = _table(_table(manifest.get("workspace")).get("package")).get("license")
    if isinstance(workspace, str):
        found.append(("cargo_workspace", _spdx(workspace)))
    return found


def _spdx(field: str) -> str:
    """A field that must be SPDX, in Cargo's old form too, where `MIT/Apache-2.0` means OR."""
    return normal(field) or normal(field.replace("/", " OR ")) or UNKNOWN


def _pyproject(text: str) -> list[tuple[str, str | None]]:
    manifest = _toml(text)
    stated = _table(manifest.get("project")).get("license")
    poetry = _table(_table(manifest.get("tool")).get("poetry")).get("license")
    field = _table(stated).get("text") if isinstance(stated, dict) else stated or poetry
    return [("pyproject", _free_text(field))] if isinstance(field, str) else []


def _package_json(text: str) -> list[tuple[str, str | None]]:
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
    return [("package_json", normal(field) or _named(field) or UNKNOWN)]


def _pom(text: str) -> list[tuple[str, str | None]]:
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
    found = [_named(name) or UNKNOWN for name in names]
    return [("pom", normal(" OR ".join(found)) or UNKNOWN)] if found else []


def _pkg_info(text: str) -> list[tuple[str, str | None]]:
    message = HeaderParser().parsestr(text)
    expression = message.get("License-Expression")
    if expression:
        return [("pkg_info", normal(str(expression)) or UNKNOWN)]
    field = str(message.get("License") or "")
    if named := _named(field):
        return [("pkg_info", named)]
    classifiers = [str(each) for each in message.get_all("Classifier", [])]
    trove = [each.rpartition("::")[2] for each in classifiers if each.startswith("License ::")]
    found = {said for each in trove if (said := _free_text(each)) is not None}
    # Classifiers do not say how several licences combine: bind to all of them, the careful reading.
    if found:
        return [("pkg_info", normal(" AND ".join(sorted(found))) or UNKNOWN)]
    return [("pkg_info", _free_text(field))]


def _free_text(field: str) -> str | None:
    """What a field that holds a name, an expression or a whole text says; null where it is blank."""
    field = field.strip()
    if field.lower() in _NO_NAMES:
        return None
    if "\n" in field:
        return normal(" AND ".join(_classified(field))) or UNKNOWN
    return _named(field) or _of_header(f"Licensed under: {field}") or UNKNOWN


def _named(field: str) -> str | None:
    """The licence that a free-text field names, if it is one of the common names."""
    if not field or "\n" in field.strip():
        return None
    short = " ".join(re.sub(r"\blicen[cs]e\b", " ", field, flags=re.IGNORECASE).split())
    short = short.lower().replace(" ,", ",").removesuffix(" (mit)").strip(" .")
    return _NAMES.get(short) or _NAMES.get(short.removeprefix("the ")) or normal(field)


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

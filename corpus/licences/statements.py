"""What one file states about licences: a header, a licence text, a manifest's field, REUSE.toml.

Reads, never decides: which statement counts for which file is `scope`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from corpus.licences.manifests import READERS
from corpus.licences.policy import family, names
from corpus.licences.words import TAG, UNKNOWN, classified, of_header, tagged
from corpus.paths import DOCUMENTATION, Role, glob_pattern, language, licence_prefix

VERSION = "4"


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


def header(path: str, content: bytes) -> list[Statement]:
    """What a source file says of itself: SPDX tags, else a known header, else a phrase; and further
    down, notices for parts that are somebody else's.
    """
    text = content[:_HEADER_BYTES].decode("utf-8", "replace")
    tags = tagged(_no_examples(text))
    if language(path) in DOCUMENTATION:
        # A README that speaks of licences speaks of the project's.
        return [Statement("spdx", path, each) for each in tags]
    blocks, end = _first_comments(text)
    if tags:
        own, end = [Statement("spdx", path, each) for each in tags], 0
    else:
        # Block by block: a licence is a block of its own, which many files share, so the cache knows it.
        found = (of_header(_without_notices(block)) for block in blocks if _GATE.search(block))
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
        text = TAG.sub("", " ".join(paragraph))
        paragraph = []
        if not _NOTICE.search(text):
            continue
        expression = of_header(text[:_HEADER_BYTES]) or UNKNOWN
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
    found = READERS[role](text)[:_MAX_STATEMENTS]
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


def _texts(role: str, path: str, text: str) -> list[Statement]:
    found = tagged(text)
    # A text under a tag counts too, but that the tag may say `-or-later` of it.
    named = {family(name) for tag in found for name in names(tag)}
    found += [each for each in classified(text) if family(each) not in named]
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

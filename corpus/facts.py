"""What a file's bytes say: the licences it states, its dialect, and whether they are fit to be read.

A pure function of path and bytes, so that a refresh keeps the facts of every file that did not change.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from corpus import licences, paths
from corpus.licences import Statement

VERSION = f"5/licences-{licences.VERSION}"
"""Raise it when the same bytes give other facts: files read by another version are read again."""

EMPTY, NOT_UTF8, GENERATED, MINIFIED = "empty", "not_utf8", "generated", "minified"
"""The reasons to drop a file that its bytes can give."""


@dataclass(frozen=True, slots=True)
class Facts:
    """`drop` is null for a file that is fit to be read."""

    states: tuple[Statement, ...]
    dialect: str | None
    drop: str | None


# A statement about the file, not a sentence that speaks of something generated.
_GENERATED_TEXT = re.compile(
    rb"@generated\b|\bdo(?: not|n't) (?:edit|modify)\b|\bis an? (?:\w+[ -])?generated file\b"
    rb"|\b(?:auto|automatically|machine)[- ]?generated\s*(?:by|from|file|code|using|with|at|on|[^\w\s]|$)"
    rb"|^\W*(?:(?:this|the) )?(?:file|code|module|source)?\s*(?:is|was|has been)?\s*"
    rb"generated (?:by|from|with)\b"
    rb"|\bfile\b.{0,40}\bgenerated (?:by|from|with)\b",
    re.IGNORECASE,
)
# Below, `\A(?>…)` seeks the first of two signs once: a stranger may repeat it a hundred thousand times.

# What the TLA+ Toolbox calls the definitions of a model: `const_132279554830654000`.
_TOOLBOX_MODEL = re.compile(
    rb"\A(?>.*?^-{4,}\s*MODULE \w*(?:MC|TE)\b).*?"
    rb"^(?:const|const_expr|init|next|spec|inv|prop|constr|view|val|trace_def|def_ov)_\d{12,}",
    re.MULTILINE | re.DOTALL,
)
_LONGEST_LINE = 20_000
_COMMENT = re.compile(rb"^\s*(//|#|/?\*|\\\*|--|\(\*|/-|;|<!--)")
_OPENS_COMMENT = re.compile(rb"^\s*(/\*|\(\*|/-|<!--)")
_CLOSES_COMMENT = re.compile(rb"\*/|\*\)|-/|-->")
_DIALECTS = {
    "kani": re.compile(
        rb"#\[\s*(cfg_attr\(\s*kani\s*,\s*)?kani::(proof|requires|ensures)"
        rb"|\A(?>[\s\S]*?#!?\[cfg\(kani\)\])[\s\S]*?\bkani::"
    ),
    "verus": re.compile(rb"\bverus(?:_code)?!\s*\{|\bverus_keep_ghost\b|#!?\[verifier(::|\()"),
    "creusot": re.compile(
        rb"\buse (::)?creusot_(std|contracts)\b|\bextern crate creusot_"
        rb"|\A(?![\s\S]*\brustc_)(?>[\s\S]*?^[ \t]*(?:pearlite!\s*\{|#\[logic\b))",
        re.MULTILINE,
    ),
    "prusti": re.compile(rb"\buse prusti_contracts\b|\bextern crate prusti_contracts\b"),
}

DIALECTS = tuple(_DIALECTS)
"""The ways of writing verified Rust."""

_WORDS = {
    "kani": (b"kani",),
    "verus": (b"verus", b"verifier"),
    "creusot": (b"creusot_", b"pearlite!", b"#[logic"),
    "prusti": (b"prusti_",),
}
"""What a file must hold one of for the expression to be worth trying."""


def inspect(path: str, content: bytes) -> Facts:
    """Read what `content`, the bytes at `path`, says."""
    role = paths.role(path)
    if role is not None:
        return Facts(tuple(licences.stated(role, path, content)), None, _unfit(path, content))
    states = tuple(licences.header(path, content))
    return Facts(states, _dialect(path, content), _unfit(path, content))


def _dialect(path: str, content: bytes) -> str | None:
    if paths.language(path) != "rust":
        return None
    signs = (
        (name, sign)
        for name, sign in _DIALECTS.items()
        if any(word in content for word in _WORDS[name])
    )
    return next((name for name, sign in signs if sign.search(content)), None)


def _unfit(path: str, content: bytes) -> str | None:
    if paths.language(path) is None:
        return None
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or not _is_utf8(content):
        return NOT_UTF8
    if not content.strip():
        return EMPTY
    if _says_generated(content) or (path.endswith(".tla") and _TOOLBOX_MODEL.search(content)):
        return GENERATED
    return MINIFIED if _longest_line(content) > _LONGEST_LINE else None


def _longest_line(content: bytes) -> int:
    # Splitting at one byte is ten times as fast as at every kind of line end.
    longest = max(map(len, content.split(b"\n")))
    return longest if longest <= _LONGEST_LINE else max(map(len, content.splitlines()))


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _says_generated(content: bytes) -> bool:
    """True where a comment in the file's first lines says so; a string or a doc further down does not."""
    inside = False
    for line in content[:2000].removeprefix(b"\xef\xbb\xbf").splitlines()[:10]:
        if (inside or _COMMENT.match(line)) and _GENERATED_TEXT.search(line):
            return True
        opened = _OPENS_COMMENT.match(line)
        if inside or opened:
            inside = not _CLOSES_COMMENT.search(line, opened.end() if opened else 0)
    return False

"""Comments that document what stands below them in a Python file, told apart from the many that do not."""

from __future__ import annotations

import re

_PRAGMA = re.compile(
    r"[!%]|-\*-|(?:noqa|nosec|pragma|type|fmt|isort|mypy|pyright|pylint|flake8|ruff|yapf|pytype|coding"
    r"|region|endregion|TODO|FIXME|XXX|HACK|sourcery|codespell|black)\b"
)
_BANNER = re.compile(r"[-=#*~_+.]{2}|[^\n]*[-=#*~_]{3}$")
_LICENCE = re.compile(
    r"\bcopyright\b|\(c\)\s*\d{4}|SPDX-|\blicen[sc]ed under\b|all rights reserved",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"""(?:@\w|(?:async\s+)?def\s+\w+\(|class\s+\w+[(:]|import\s+[\w.]+(?:,|$|\s+as\b)
      |from\s+[\w.]+\s+import\b|(?:if|elif|for|while|with|try|else|except|finally)\b[^\n]*:$
      |(?:return|yield|raise|del|await)(?:\s+[\w.]+(?:$|\()|$)|(?:pass|break|continue|\.\.\.)$
      |[\w.\[\]'"]+\s*(?::\s*[\w.\[\]]+\s*)?[-+*/|&]?=\s*\S|[\w.]+\([^\n]*\)?$|[)\]}]+,?$|>>>)""",
    re.VERBOSE,
)


def above(source: bytes, start: int) -> tuple[int, list[str]]:
    """The first byte and the lines of the comment right above the statement at `start`.

    Its lines stand as far right as the statement, without blank lines between.
    """
    begin = source.rfind(b"\n", 0, start) + 1
    mark = source[begin:start] + b"#"
    lines: list[str] = []
    while begin:
        line_start = source.rfind(b"\n", 0, begin - 1) + 1
        if not source.startswith(mark, line_start):
            break
        line = source[line_start + len(mark) : begin]
        if b'"""' in line or b"'''" in line:  # the end of a string
            break
        lines.append(line.decode("utf-8", "replace").rstrip())
        begin = line_start
    return begin, lines[::-1]


def doc(lines: list[str]) -> str:
    """The text of a comment, given without its first `#`; none of a banner, licence or disabled code."""
    texts = [line.lstrip() for line in lines]
    if any(_BANNER.match(text) or _LICENCE.search(text) for text in texts):
        return ""
    kept = [
        line.removeprefix(" ")
        for line, text in zip(lines, texts, strict=True)
        if not _PRAGMA.match(text)
    ]
    written = [line for line in kept if line.strip()]
    if 2 * sum(_CODE.match(line.lstrip()) is not None for line in written) >= len(written):
        return ""
    return "\n".join(kept).strip()


def marked(lines: list[str]) -> str:
    """The text of the `#:` lines at a comment's end, which Sphinx takes for a constant's doc."""
    texts: list[str] = []
    for line in reversed(lines):
        if not line.startswith(":"):
            break
        texts.append(line[1:].removeprefix(" "))
    return "\n".join(reversed(texts)).strip()

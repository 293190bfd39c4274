"""AsciiDoc by a scanner of lines: nothing is included, no attribute and no condition is worked out."""

from __future__ import annotations

import re

from corpus.markup import base
from corpus.markup.base import Inline, Outline, Section, decoded, line_count

VERSION = f"asciidoc-1/{base.VERSION}"

_HEADING = re.compile(r"(={1,6}|#{1,6})\s+(\S.*)$")
_DELIMITER = re.compile(
    r"(?:-{4,}|\.{4,}|/{4,}|\+{4,}|={4,}|\*{4,}|_{4,}|--|[|,:!]={3,}|```.*|\"\")$"
)
_ATTRIBUTES = re.compile(r"\[.*\]$")
_SOURCE = re.compile(r"\[\s*(?:source[^,\]]{0,40})?,\s*(?:language=)?\"?([\w+#-]+)")
_DROPPED = re.compile(
    r"//(?!/)|:!?[\w-]+!?:(?:\s|$)|(?:image|include|video|audio|toc|ifdef|ifndef|ifeval|endif)::|\.[^\s.]"
    r"|'{3}$|<{3}$"
)
_ITEM = re.compile(r"\s*(?:\*{1,5}|-|\.{1,5}|\d{1,4}\.|<(?:\d{1,3}|\.)>)\s+(?:\[[ *x]\]\s+)?(?=\S)")
_TERM = re.compile(r"(\S(?:.{0,200}?\S)?)(?:::{1,3}|;;)(?:\s+|$)")
_LABEL = re.compile(r"(?:NOTE|TIP|IMPORTANT|WARNING|CAUTION): +")

# Every span has a longest length: an unclosed one costs no more than that.
_INLINE = re.compile(
    r"""(?P<address>\b(?:https?|irc|ftp)://[^\s\[\]<>]{1,400})(?:\[(?P<label>[^\]]{0,300})\])?
      | (?:link|xref):(?P<target>[^\s\[\]]{1,300})\[(?P<of>[^\]]{0,300})\]
      | <<(?P<anchor>[^,<>]{1,200})(?:,(?P<named>[^<>]{1,200}))?>>
      | (?:image|footnote|footnoteref|indexterm|anchor|icon|pass):[^\s\[\]]{0,300}\[[^\]]{0,500}\]
      | (?:kbd|btn|menu|mailto|stem|latexmath):[^\s\[\]]{0,100}\[(?P<macro>[^\]]{0,300})\]
      | \[\[[^\]]{1,100}\]\] | \(\(\([^()]{1,200}\)\)\) | \[[.\#][\w.\#%-]{1,60}\](?=[`*_\#])
      | ``(?P<double>[^`]{1,300})`` | (?<!\w)`\+?(?P<code>[^`\n](?:[^`]{0,300}?[^`+\n])?)\+?`
      | (?<!\w)\+(?P<plus>[^\s+](?:[^+\n]{0,200}[^\s+])?)\+(?!\w)
      | \*\*(?P<bolder>[^\s*][^*]{0,300})\*\* | (?<![\w*])\*(?P<bold>[^\s*][^*]{0,300})\*(?![\w*])
      | (?<!\w)_(?P<italic>[^\s_](?:[^_]{0,300}[^\s_])?)_(?!\w)
      | (?<!\w)\#(?P<mark>[^\s\#][^\#]{0,300})\#(?!\w)
      | \{[\w-]{1,60}\}""",
    re.VERBOSE,
)


def parse(source: bytes) -> list[Section]:
    """The sections of an AsciiDoc file."""
    text = decoded(source)
    return _Scanner(text.split("\n")).scan(line_count(text))


class _Scanner:
    """Goes through the lines once; `_at` is the next one."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = [line.rstrip() for line in lines]
        self._at = 0
        self._outline = Outline()
        self._paragraph: list[str] = []
        self._language = ""
        self._is_listing = False

    def scan(self, lines: int) -> list[Section]:
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            if not self._block(line):
                self._text(line)
        self._flush()
        return self._outline.finish(lines)

    def _block(self, line: str) -> bool:
        """Take what is no prose, if `line` begins such."""
        if not line or line == "+":
            self._flush()
        elif _DELIMITER.match(line):
            self._flush()
            self._delimited(line)
        elif heading := _HEADING.match(line):
            self._flush()
            self._outline.heading(len(heading[1]), _read(heading[2]), self._at)
            if heading[1] == "=":
                self._until("")  # who wrote it, and attributes
        elif not self._paragraph and _ATTRIBUTES.match(line):
            source = _SOURCE.match(line)
            self._is_listing = source is not None or line.startswith("[source")
            self._language = source[1] if source else ""
        elif not _DROPPED.match(line):
            return False
        return True

    def _delimited(self, line: str) -> None:
        is_code = line[0] in "-.`" and line != "--"
        if is_code or line[0] in "/+|,:!":
            body = "\n".join(self._until("```" if line[0] == "`" else line))
            if is_code:
                self._outline.code(body, line.lstrip("`") if line[0] == "`" else self._language)
        self._language, self._is_listing = "", False

    def _until(self, delimiter: str) -> list[str]:
        """Take the lines up to `delimiter`, and that one too."""
        start = self._at
        while self._at < len(self._lines) and self._lines[self._at] != delimiter:
            self._at += 1
        self._at += 1
        return self._lines[start : self._at - 1]

    def _text(self, line: str) -> None:
        if not self._paragraph and self._is_listing:
            self._listing(line)
            return
        item = _ITEM.match(line)
        if item:
            self._flush()
            line = line[item.end() :]
        elif line[0] in " \t" and not self._paragraph:
            self._listing(line)
            return
        elif term := _TERM.match(line):
            self._flush()
            line = f"{term[1]}: {line[term.end() :]}"
        self._paragraph.append(line.removesuffix(" +").strip())

    def _listing(self, line: str) -> None:
        """A block of code without delimiters ends with its paragraph."""
        code = [line, *self._until("")]
        self._outline.code("\n".join(code), self._language)
        self._language, self._is_listing = "", False

    def _flush(self) -> None:
        if self._paragraph:
            text = _LABEL.sub("", "\n".join(self._paragraph), count=1)
            self._outline.paragraph(_read(text))
            self._paragraph = []


def _read(text: str) -> Inline:
    found = Inline()
    found.text = _words(text, found)
    return found


def _words(text: str, found: Inline) -> str:
    return _INLINE.sub(lambda span: _shown(span, found), text)


def _shown(span: re.Match[str], found: Inline) -> str:
    code = span["double"] or span["code"] or span["plus"]
    if code:
        found.code.append(code)
        return code
    target = span["target"] or span["anchor"]
    if target:
        found.targets.append(target)
        return _words((span["of"] or span["named"] or "").removesuffix("^"), found)
    groups = ("label", "macro", "bolder", "bold", "italic", "mark")
    return _words(next((span[group] for group in groups if span[group]), ""), found)

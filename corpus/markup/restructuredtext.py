"""reStructuredText with Sphinx's directives, by a scanner of lines: nothing is included or executed.

docutils takes longer, drops what stands in directives it does not know, and overflows on deep quotes.
"""

from __future__ import annotations

import re

from corpus.markup import base, rstinline
from corpus.markup.base import Inline, Outline, Section, decoded, line_count

VERSION = f"restructuredtext-1/{base.VERSION}"

_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1{2,}$")
_TABLE = re.compile(r"\+[-=]{2,}[-=+]*\+$|=+(?: +=+)+$")
_DIRECTIVE = re.compile(r"\.\.\s+(?:\|[^|]*\|\s+)?([\w:+.-]+?)::(?:\s+(.*))?$")
_OPTION = re.compile(r":[^:`\s][^:`]*:(?:\s|$)")
_ITEM = re.compile(r"(?:[-*+•]|\(?(?:\d{1,4}|[A-Za-z#])[.)])\s+(?=\S)")
_DEFINED = re.compile(r"(?:\w+\s+)*?([\w.:~]+)\s*(?:[(<:=\[]|$)")

_OBJECTS = frozenset(
    """
    function method class attribute data exception module decorator decoratormethod classmethod staticmethod
    property macro type struct enum union member var concept operator theorem lemma trait
    autofunction automethod autoclass autoattribute autodata autoexception automodule
    doxygenfunction doxygenclass doxygenstruct
    """.split()
)
"""Directives, domains aside, that define what their argument names and describe it in their content."""
_CODE = frozenset("code code-block sourcecode testcode testsetup doctest ipython".split())
_PROSE = frozenset("note tip hint important warning caution attention danger error topic".split())
"""Directives whose argument is where their prose begins."""
_SKIPPED = frozenset(
    """
    image figure toctree include literalinclude raw csv-table list-table table math graphviz digraph graph
    contents index highlight meta bibliography plot mermaid uml currentmodule parsed-literal testoutput
    deprecated versionadded versionchanged versionremoved seealso todo autosummary footbibliography replace
    sectionauthor codeauthor default-role role unicode date program option envvar productionlist
    """.split()
)
_MAX_ROWS = 50
_OBJECT_LEVEL = 100
"""Objects stand below every heading."""


def parse(source: bytes) -> list[Section]:
    """The sections of a reStructuredText file; what Sphinx's directives define has sections too."""
    text = decoded(source)
    return _Scanner(text.split("\n")).scan(line_count(text))


class _Scanner:
    """Goes through the lines once; `_at` is the next one."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = [line.expandtabs().rstrip() for line in lines]
        self._at = 0
        self._outline = Outline()
        self._styles: list[str] = []
        self._objects: list[tuple[int, str]] = []
        self._paragraph: list[str] = []
        self._indent = 0
        self._is_item = False

    def scan(self, lines: int) -> list[Section]:
        while self._at < len(self._lines):
            if self._lines[self._at]:
                self._line()
            else:
                self._at += 1
                self._flush()
        self._flush()
        return self._outline.finish(lines)

    def _line(self) -> None:
        line = self._lines[self._at]
        stripped = line.lstrip()
        indent = len(line) - len(stripped)
        if self._paragraph and self._goes_on(stripped, indent):
            self._paragraph.append(stripped)
            self._at += 1
        elif self._paragraph:
            self._flush()
        else:
            self._leave(indent)
            if not (self._heading(indent) or self._explicit(stripped, indent)):
                self._begin(stripped, indent)

    def _goes_on(self, stripped: str, indent: int) -> bool:
        """True where a line belongs to the paragraph before it; a term goes on with its meaning."""
        first = self._paragraph[0]
        if _OPTION.match(first):
            return indent >= self._indent
        if stripped.startswith((".. ", ">>> ", "| ")):
            return False
        if _ITEM.match(stripped) and (self._is_item or indent > self._indent):
            return False
        if indent > self._indent and len(self._paragraph) == 1 and not first.endswith("::"):
            if not self._is_item and not first.endswith((".", ":")):
                self._paragraph[0] += ":"
            self._indent = indent
        return indent == self._indent

    def _begin(self, stripped: str, indent: int) -> None:
        if stripped.startswith(">>>"):
            start = self._at
            self._to_blank()
            self._outline.code("\n".join(self._lines[start : self._at]))
        elif _TABLE.match(stripped):
            self._table(is_grid=stripped.startswith("+"))
        else:
            marker = _ITEM.match(stripped)
            length = marker.end() if marker else 0
            self._paragraph = [stripped[length:].removeprefix("| ")]
            self._indent, self._is_item = indent + length, marker is not None
            self._at += 1

    def _flush(self) -> None:
        """End the paragraph. Two colons at its end begin a block of code."""
        text = "\n".join(self._paragraph)
        self._paragraph = []
        if text and not _OPTION.match(text):
            self._outline.paragraph(rstinline.read(re.sub("::$", ":", text)))
        if text.endswith("::"):
            self._outline.code("\n".join(self._body(self._indent)))

    def _leave(self, indent: int) -> None:
        """Leave the objects whose content is indented deeper."""
        if self._objects and self._objects[-1][0] >= indent:
            while self._objects and self._objects[-1][0] >= indent:
                self._objects.pop()
            self._outline.leave(_OBJECT_LEVEL + len(self._objects), self._at + 1)

    def _heading(self, indent: int) -> bool:
        first, second, third = [*self._lines[self._at : self._at + 3], "", ""][:3]
        over = _ADORNMENT.match(first)
        if over and not second:
            self._at += 1
        elif over and third[:1] == over[1] and _ADORNMENT.match(third):
            self._title(over[1] * 2, second, 3)
        elif indent == 0 and not over and _ADORNMENT.match(second) and _is_long(second, first):
            self._title(second[0], first, 2)
        else:
            return False
        return True

    def _title(self, style: str, title: str, lines: int) -> None:
        if style not in self._styles:
            self._styles.append(style)
        self._objects.clear()
        level = self._styles.index(style) + 1
        self._outline.heading(level, rstinline.read(title.strip()), self._at + 1)
        self._at += lines

    def _explicit(self, stripped: str, indent: int) -> bool:
        """Take a directive, a comment, a target or a footnote, if there is one."""
        if not stripped.startswith((".. ", "__ ")) and stripped != "..":
            return False
        directive = _DIRECTIVE.match(stripped)
        line = self._at + 1
        self._at += 1
        if directive is None:
            if stripped != ".." or any(self._lines[self._at : self._at + 1]):
                self._body(indent)
            return True
        name = directive[1].rpartition(":")[2].lower()
        argument = directive[2] or ""
        if name in _OBJECTS:
            self._to_blank()
            self._object(argument, indent, line)
        elif name in _CODE:
            body = [each for each in self._body(indent) if not _OPTION.match(each.lstrip())]
            self._outline.code("\n".join(body), argument)
        elif name in _SKIPPED:
            self._body(indent)
        else:
            self._content(argument if name in _PROSE else "", indent)
        return True

    def _object(self, signature: str, indent: int, line: int) -> None:
        defined = _DEFINED.match(signature)
        name = defined[1].lstrip("~") if defined else signature
        if self._objects and "." not in name and "::" not in name:
            name = f"{self._objects[-1][1]}.{name}"
        level = _OBJECT_LEVEL + len(self._objects)
        self._outline.heading(level, Inline(signature), line, name)
        self._objects.append((indent, name))

    def _content(self, begins: str, indent: int) -> None:
        """Go on with a directive's content as prose, its options aside."""
        while self._at < len(self._lines) and _OPTION.match(self._lines[self._at].lstrip()):
            self._at += 1
        if begins:
            following = self._lines[self._at] if self._at < len(self._lines) else ""
            deeper = len(following) - len(following.lstrip())
            self._paragraph, self._is_item = [begins], False
            self._indent = max(deeper, indent + 1)

    def _body(self, indent: int) -> list[str]:
        """Take the lines that are indented deeper than `indent`."""
        start = self._at
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if line and len(line) - len(line.lstrip()) <= indent:
                break
            self._at += 1
        return self._lines[start : self._at]

    def _to_blank(self) -> None:
        while self._at < len(self._lines) and self._lines[self._at]:
            self._at += 1

    def _table(self, *, is_grid: bool) -> None:
        """Skip a table: a grid to its empty line, a simple one to the border above an empty line."""
        for end in () if is_grid else range(self._at + 1, self._at + _MAX_ROWS):
            line, following = [*self._lines[end : end + 2], "", ""][:2]
            if not following and _TABLE.match(line.lstrip()):
                self._at = end
                break
        self._to_blank()


def _is_long(adornment: str, title: str) -> bool:
    return len(adornment) >= min(len(title), 4)

"""What every markup module gives: the sections of one file, each with its prose, names and links."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote

from corpus.text import identifier_words

VERSION = "1"
"""Part of the version of every markup module: raise it when the rules below change."""

MAX_LINES = 20_000
"""Lines of a file that are read. No person writes more, and parsers take longest on lines."""
MAX_PARAGRAPH = 10_000
"""Characters of a paragraph; a longer one is data."""
_MAX_NAMES = 200
_MAX_NAME = 120

NameKind = Literal["title", "prose", "code"]


@dataclass(frozen=True, slots=True)
class Name:
    """An identifier as written: `Epoch::from_utc`, `parse_duration`, `Config`.

    Attributes:
        name: the identifier with its qualifiers, without arguments, generics and sigils.
        kind: it stands in the section's own title, in a code span of its prose, or in a code block.
        paragraph: the index of its paragraph; of a code block, that of the paragraph before it. -1 for
            a title's name, and where no paragraph stands before.
    """

    name: str
    kind: NameKind
    paragraph: int = -1


@dataclass(frozen=True, slots=True)
class Link:
    """A link to a file of the same repository, from the paragraph of that index."""

    path: str
    fragment: str
    paragraph: int


@dataclass(frozen=True, slots=True)
class Section:
    """What stands below one heading, up to the next heading of whatever level.

    Attributes:
        titles: the headings from the document's title down to its own; empty above the first heading.
        level: of its own heading, from 1; 0 above the first one.
        start_line: the line of the heading, from 1.
        end_line: the last line before the next heading, inclusive.
        paragraphs: the prose as plain text, one line each; items of lists are paragraphs of their own.
        names: the identifiers in it, in order, each once a place.
        links: the files that its paragraphs link to.
    """

    titles: tuple[str, ...]
    level: int
    start_line: int
    end_line: int
    paragraphs: tuple[str, ...] = ()
    names: tuple[Name, ...] = ()
    links: tuple[Link, ...] = ()


@dataclass(slots=True)
class Inline:
    """A run of text whose markup was read: what it says, its code spans and its link targets."""

    text: str = ""
    code: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)


class Outline:
    """Puts the headings, paragraphs and code blocks that a parser finds in order together."""

    def __init__(self) -> None:
        self._sections: list[Section] = []
        self._above: list[tuple[int, str]] = []
        self._start = 1
        self._clear()

    def heading(self, level: int, title: Inline, line: int, name: str | None = None) -> None:
        """A heading of `level`, from 1, at `line`. `name`: what it defines, where that is known."""
        self.leave(level, line)
        text = plain(title.text)
        self._above.append((level, text))
        names = [name] if name else [each for code in title.code for each in span_names(code)]
        if not names and _looks_like_code(text):
            names = list(span_names(text))
        self._names += [Name(each, "title") for each in names]

    def leave(self, level: int, line: int) -> None:
        """What comes from `line` on stands below the headings above `level` only."""
        self._close(line - 1)
        while self._above and self._above[-1][0] >= level:
            self._above.pop()
        self._start = line

    def paragraph(self, content: Inline) -> None:
        """A paragraph of prose; one that says nothing, such as a row of badges, leaves no trace."""
        text = plain(content.text)
        if not any(map(str.isalpha, text)) or len(text) > MAX_PARAGRAPH:
            return
        index = len(self._paragraphs)
        self._paragraphs.append(text)
        for code in content.code:
            self._names += [Name(each, "prose", index) for each in span_names(code)]
        for target in content.targets:
            if link := _local(target):
                self._links.append(Link(*link, index))

    def code(self, text: str, language: str = "") -> None:
        """A block of code, whose tag says `language`; what no program is written in names nothing."""
        if language.casefold() not in _NO_PROGRAM:
            index = len(self._paragraphs) - 1
            self._names += [Name(each, "code", index) for each in block_names(text)]

    def finish(self, lines: int) -> list[Section]:
        """The sections that hold anything, of a file of so many lines."""
        self._close(lines)
        return self._sections

    def _clear(self) -> None:
        self._paragraphs: list[str] = []
        self._names: list[Name] = []
        self._links: list[Link] = []

    def _close(self, end: int) -> None:
        if self._paragraphs or self._names:
            section = Section(
                titles=tuple(title for _, title in self._above if title),
                level=self._above[-1][0] if self._above else 0,
                start_line=self._start,
                end_line=max(end, self._start),
                paragraphs=tuple(self._paragraphs),
                names=tuple(dict.fromkeys(self._names))[:_MAX_NAMES],
                links=tuple(dict.fromkeys(self._links)),
            )
            self._sections.append(section)
        self._clear()


_FRONT_MATTER = re.compile(r"\A(---|\+\+\+)[ \t]*\n(?:(?!\1).*\n){0,200}?\1[ \t]*(?:\n|\Z)")
_URL = re.compile(r"<?\bhttps?://(?:[^\s<>()]|\([^\s<>()]{0,100}\))*(?<![.,;:!?\]])>?")
_NOTE_MARK = re.compile(r"\[\^[^\]\s]{1,40}\]:?|\{#[\w-]{1,80}\}")


def decoded(source: bytes) -> str:
    """`source` as text, cut to what is read; front matter gives way to empty lines."""
    text = source.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n")
    text = text.replace("\r", "\n").replace("\0", "\ufffd")
    lines = text.split("\n", MAX_LINES)
    text = text if len(lines) <= MAX_LINES else "\n".join(lines[:MAX_LINES]) + "\n"
    return _FRONT_MATTER.sub(lambda found: "\n" * found[0].count("\n"), text)


def line_count(text: str) -> int:
    """The lines of `text`, of which an empty last one is none."""
    return text.count("\n") + (not text.endswith("\n"))


def plain(text: str) -> str:
    """`text` on one line, without addresses and marks of footnotes."""
    return " ".join(_URL.sub("", _NOTE_MARK.sub("", text)).split())


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")


def _local(target: str) -> tuple[str, str] | None:
    """The path and the fragment of a link that stays in the repository; null for any other."""
    target = target.strip()
    if not target or _SCHEME.match(target) or len(target) > 1000:
        return None
    path, _, fragment = target.partition("#")
    path = unquote(path.partition("?")[0]).strip()
    return (path, fragment) if path and path.isprintable() else None


_NO_PROGRAM = frozenset(
    """
    sh bash zsh fish shell console shell-session sh-session terminal powershell pwsh ps1 bat batch cmd
    text txt plain plaintext none output log toml json json5 jsonc yaml yml xml html css scss ini cfg conf
    properties env dotenv diff patch dockerfile docker makefile make cmake nix mermaid dot graphviz plantuml
    svg csv tsv sql http latex tex math bibtex markdown md rst asciidoc ebnf bnf gitignore
    """.split()
)
"""Tags of code blocks in which names are not those of definitions."""

_PART = r"[^\W\d]\w*[?!']*"
_QUALIFIED = re.compile(rf"{_PART}(?:(?:::|\.|\#){_PART})*")
_GENERICS = re.compile(r"(?:(?<=\w)|::)<[\w\s,&'.:\[\]]{0,80}>")
_KEYWORDS = re.compile(
    r"(?:(?:pub|public|async|unsafe|const|static|export|open|spec|proof|noncomputable|protected)\s+)*"
    r"(?:fn|func|function|def|class|struct|enum|union|trait|interface|type|mod|macro|impl|theorem|lemma"
    r"|axiom|predicate|operator|module)\s+"
)
_ARGUMENTS = re.compile(r"!?\s*(?:\(.*\)|\[.*\])?\s*(?:->.*|==.*)?;?", re.DOTALL)
_NOT_CODE = re.compile(
    r"""//[^\n]*|(?<!\S)\#\s[^\n]*|\\\*[^\n]*|(?<!\S)--\s[^\n]*|"(?:[^"\\\n]|\\.)*\"""", re.VERBOSE
)


def span_names(code: str) -> Iterator[str]:
    """The name that a code span is, arguments aside; else those of the expression that it holds."""
    text = _without_generics(code.strip().lstrip("&*@~"))
    keywords = _KEYWORDS.match(text)
    name = _QUALIFIED.match(text, keywords.end() if keywords else 0)
    if name and _ARGUMENTS.fullmatch(text, name.end()):
        yield from _bounded([name[0]])
    else:
        yield from block_names(text)


def block_names(code: str) -> Iterator[str]:
    """The identifiers of some code that can be told from plain words, each once.

    They are qualified, called, or of several words; those in comments and strings do not count.
    """
    text = _without_generics(_NOT_CODE.sub(" ", code[:100_000]))
    found: dict[str, None] = {}
    for each in _QUALIFIED.finditer(text):
        called = text[each.end() : each.end() + 1] in ("(", "!")
        if called or each[0].endswith("!") or is_compound(each[0]):
            found[each[0]] = None
    yield from _bounded(found)


def is_compound(name: str) -> bool:
    """True for a name of several words or with a qualifier, which is no word of plain English."""
    return not name.isalnum() or (not name.isupper() and len(identifier_words(name)) > 1)


def _without_generics(code: str) -> str:
    return _GENERICS.sub("", _GENERICS.sub("", code)) if "<" in code else code


def _bounded(names: Iterable[str]) -> Iterator[str]:
    return (each for each in names if 1 < len(each) <= _MAX_NAME)


def _looks_like_code(title: str) -> bool:
    """A title that is one name of several words or a call, and no prose."""
    name = _QUALIFIED.match(title)
    if name is None or _ARGUMENTS.fullmatch(title, name.end()) is None:
        return False
    return title[name.end() :].startswith("(") or bool(re.search(r"_|::|[a-z][A-Z]", name[0]))

"""SMT-LIB by a scanner that knows its lexer: definitions, assertions, documented declarations and scripts."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from corpus.languages.base import SYNTAX, Contract, Definition, Extraction
from corpus.languages.excerpt import excerpt, whole_lines
from corpus.languages.smtlib_forms import Script, Span, children, read

VERSION = "smtlib-1"
"""Rows made by another version are extracted again."""

_DEFINITIONS = {
    "define-fun": "function",
    "define-fun-rec": "function",
    "define-const": "constant",
    "define": "constant",
    "define-sort": "sort",
    "declare-datatype": "datatype",
    "declare-datatypes": "datatype",
    "declare-codatatype": "datatype",
    "declare-codatatypes": "datatype",
}
_DECLARATIONS = {
    "declare-fun": "function",
    "declare-const": "constant",
    "declare-sort": "sort",
    "declare-rel": "function",
    "declare-var": "constant",
}
_ASSERTIONS = frozenset({"assert", "assert-soft", "rule"})
_COMMANDS = frozenset({*_DEFINITIONS, *_DECLARATIONS, *_ASSERTIONS, "define-funs-rec"})

_HEAD = re.compile(rb"\(\s*+([a-z][a-z-]*+)")
_NAME = re.compile(rb"\(\s*+[a-z-]++\s++\(?\s*+(\|[^|]*+\||[^\s()]++)")
_NULLARY = re.compile(rb"\(\s*+declare-fun\s++[^\s()]++\s*+\(\s*+\)")
_ANNOTATED = re.compile(rb"\(\s*+[a-z-]++\s*+\(\s*+!")
_LABEL = re.compile(rb":named\s++(\|[^|]*+\||[^\s()]++)")
_LOGIC = re.compile(rb"\(\s*+set-logic\s++([^\s()]++)")
_SOURCE = re.compile(rb'\(\s*+set-info\s++:source\s++(?:\|([^|]*+)\||"((?:[^"]++|"")*+)")')

_RULE = re.compile(r"[-=*#~_+%;.<>]*")
_UNSAID = re.compile(
    r"!|\s*+(?:[-=*#~_+%;.<>]++\s*+)?\Z"
    r"|(?:COMMAND-LINE|(?:DIS|EN)ABLE-TESTER|EXIT|EXPECT(?:-ERROR)?|REQUIRES|RUN|(?:ERROR-)?SCRUBBER)\s*:"
    r"|\s*+\(\s*+(?:assert|check-|declare-|define-|echo|exit|get-|pop|push|set-)"
)
_BOILERPLATE = re.compile(
    r"copyright|licen[cs]e|SPDX|all rights reserved|translated|generated|produced by|contributed"
    r"|benchmarks?\b|ported from|https?://|\w@\w",
    re.IGNORECASE,
)

_WORD = re.compile(r"[A-Za-z]{2,}")

_LONGEST_SIGNATURE = 200
_LONGEST_SCRIPT = 120
_LARGEST_SCRIPT = 50_000  # bytes: lines may be long
_MOST_NAMES = 8


def extract(source: bytes) -> Extraction:
    """What a script defines and asserts, in order, and before it the script itself if it says what it is.

    Declarations without a comment carry nothing and are left out; those that stand together below
    one comment are one unit.
    """
    script = read(source)
    file = _File(script)
    commands = list(_commands(script))
    found = [*file.whole(), *file.definitions(commands)]
    return Extraction(found, SYNTAX if script.broken else None)


@dataclass(slots=True)
class _Command:
    """One command, the comment lines right above it, and the comment behind it on its line."""

    word: str
    start: int
    end: int
    above: list[Span]
    follows: bool
    behind: list[Span] = field(default_factory=list)


def _commands(script: Script) -> Iterator[_Command]:
    """The commands of interest; a comment behind one is known once the next is asked for."""
    source, comments = script.source, script.comments
    last: _Command | None = None
    at, previous = 0, 0
    for start, end in script.forms:
        head = _HEAD.match(script.code, start)
        word = head[1].decode() if head else ""
        gap: list[Span] = []
        while at < len(comments) and comments[at][0] < start:
            if comments[at][0] >= previous:
                gap.append(comments[at])
            at += 1
        if gap and previous and source.find(b"\n", previous, gap[0][0]) < 0:
            behind = gap.pop(0)
            if last is not None and last.end == previous:
                last.behind.append(behind)
        if word in _COMMANDS:
            rows = source.count(b"\n", gap[-1][1] if gap else previous, start)
            above = _adjacent(source, gap) if gap and rows == 1 else []
            follows = last is not None and last.end == previous and not gap and rows <= 1
            if last is not None:
                yield last
            last = _Command(word, start, end, above, follows)
        previous = end
    if last is not None:
        rest = comments[at:] if last.end == previous else []
        later = [each for each in rest if each[0] >= previous][:1]
        if later and source.find(b"\n", previous, later[0][0]) < 0:
            last.behind.append(later[0])
        yield last


def _adjacent(source: bytes, gap: list[Span]) -> list[Span]:
    """The last of these comments, as far back as no blank line comes between."""
    first = len(gap) - 1
    while first and source.count(b"\n", gap[first - 1][1], gap[first][0]) <= 1:
        first -= 1
    return gap[first:]


def _said(source: bytes, spans: list[Span]) -> str:
    """What comments say, without marks, lines of dashes, directives and commented-out commands."""
    rows: list[str] = []
    previous = spans[0][0] if spans else 0
    for start, end in spans:
        row = source[start:end].decode("utf-8", "replace").lstrip(";").rstrip().removeprefix(" ")
        if source.count(b"\n", previous, start) > 1 or _RULE.fullmatch(row.strip()):
            rows.append("")
        if not _UNSAID.match(row):
            rows.append(row)
        previous = end
    return "\n".join(rows).strip()


def _continues(command: _Command) -> bool:
    return command.word in _DECLARATIONS and command.follows


class _File:
    def __init__(self, script: Script) -> None:
        self.script = script
        self.source = script.source
        ends = np.frombuffer(script.source, np.uint8) == ord("\n")
        self.rows: list[int] = np.flatnonzero(ends).tolist()

    def definitions(self, commands: list[_Command]) -> Iterator[Definition]:
        """The definitions of `commands`, which are in order."""
        index = 0
        while index < len(commands):
            command = commands[index]
            index += 1
            if command.word in _DECLARATIONS:
                run = [command]
                while index < len(commands) and _continues(commands[index]):
                    run.append(commands[index])
                    index += 1
                yield from self._declared(run)
            elif command.word == "define-funs-rec":
                yield from self._mutual(command)
            elif command.word in _ASSERTIONS:
                yield self._assertion(command)
            else:
                yield self._defined(command)

    def whole(self) -> Iterator[Definition]:
        """The script itself, where it is short and says in words what it is about."""
        forms = self.script.forms
        if not forms or len(self.rows) > _LONGEST_SCRIPT or len(self.source) > _LARGEST_SCRIPT:
            return
        sources = [(form, _SOURCE.match(self.source, *form)) for form in forms]
        stated = [(form, found[1] or found[2] or b"") for form, found in sources if found]
        said = [self._opening(), *(text.decode("utf-8", "replace") for _, text in stated)]
        doc = "\n\n".join(filter(None, map(_prose, said)))
        start, end = forms[0][0], forms[-1][1]
        cuts = [whole_lines(self.source, *form) for form, _ in stated]
        clamped = [(max(cut[0], start), min(cut[1], end), cut[2]) for cut in cuts]
        code = excerpt(self.source, start, end, clamped).strip("\n")
        if doc and code:
            logics = (_LOGIC.match(self.source, *form) for form in forms)
            logic = next((found[1].decode("utf-8", "replace") for found in logics if found), "")
            symbol = f"script:{logic}" if logic else "script"
            signature = f"(set-logic {logic})" if logic else ""
            yield self._made("script", symbol, signature, doc, (start, end), code=code)

    def _opening(self) -> str:
        """The comments that the file begins with, unless they are about its first definition."""
        comments, first = self.script.comments, self.script.forms[0][0]
        opening = comments[: bisect_left(comments, (first, 0))]
        head = _HEAD.match(self.script.code, first)
        if opening and head and head[1].decode() in _COMMANDS:
            last = _adjacent(self.source, opening)
            if self.source.count(b"\n", last[-1][1], first) == 1:
                opening = opening[: -len(last)]
        return _said(self.source, opening)

    def _declared(self, run: list[_Command]) -> Iterator[Definition]:
        """Declarations that stand together: one unit below one comment, or else each that has its own."""
        doc = _said(self.source, run[0].above) if run[0].above else ""
        if doc and len(run) > 1:
            names = [self._symbol(command) for command in run]
            symbol = ", ".join(names[:_MOST_NAMES]) + (" …" if len(names) > _MOST_NAMES else "")
            span = (run[0].start, max([run[-1].end, *(each[1] for each in run[-1].behind)]))
            signature = self._line(run[0], run[-1].end)
            yield self._made("declarations", symbol, signature, doc, span)
            return
        for command in run:
            doc = self._doc(command)
            if doc:
                kind = _DECLARATIONS[command.word]
                if command.word == "declare-fun" and _NULLARY.match(
                    self.script.code, command.start
                ):
                    kind = "constant"
                symbol = self._symbol(command)
                yield self._made(kind, symbol, self._line(command), doc, _span(command))

    def _defined(self, command: _Command) -> Definition:
        kind = _DEFINITIONS[command.word]
        symbol, end = self._symbol(command), command.end
        if kind == "datatype":
            symbol = self._sorts(command) or symbol
        elif command.word.startswith("define-fun"):
            parts = list(islice(children(self.script.code, _span(command)), 4))
            end = parts[-1][1] if len(parts) == 4 else end
        header = self._line(command, end)
        return self._made(kind, symbol, header, self._doc(command), _span(command))

    def _sorts(self, command: _Command) -> str:
        """The names of the datatypes that one command declares, in either syntax of it."""
        lists = list(islice(children(self.script.code, _span(command)), 1, 3))
        if not command.word.endswith("s") or len(lists) < 2:
            return ""
        sorts = list(children(self.script.code, lists[0]))
        if not sorts or self.script.code[sorts[0][0]] != ord("("):
            sorts = list(children(self.script.code, lists[1]))  # `(T) ((Pair (mk …)))`
        names = (next(children(self.script.code, each), None) for each in sorts)
        return ", ".join(self._text(*name) for name in names if name)

    def _mutual(self, command: _Command) -> Iterator[Definition]:
        """Each of the functions that are defined together, as its own header and body."""
        code, span = self.script.code, _span(command)
        lists = list(islice(children(code, span), 3))
        if len(lists) < 3:
            return
        word = self._text(command.start, lists[0][1])
        doc = self._doc(command)
        several = len(list(islice(children(code, lists[1]), 2))) > 1
        for header, body in zip(children(code, lists[1]), children(code, lists[2]), strict=False):
            name = next(children(code, header), None)
            if name is not None:
                pieces = (word, self._code(*header), self._code(*body))
                signature = self._line(command, header[1], header[0])
                made = " …\n".join(pieces) + " …" if several else ""
                yield self._made("function", self._text(*name), signature, doc, span, code=made)

    def _assertion(self, command: _Command) -> Definition:
        """An assertion by its label, or else by its line."""
        label = None
        if _ANNOTATED.match(self.script.code, command.start):
            place = self.script.code.rfind(b":named", command.start, command.end)
            label = _LABEL.match(self.source, place) if place >= 0 else None
        row = bisect_left(self.rows, command.start) + 1
        symbol = label[1].decode("utf-8", "replace") if label else f"{command.word}-{row}"
        line = self._line(command)
        formula = line[1:].removesuffix(")").strip().removeprefix(command.word).strip()
        clauses = [Contract("assert", formula)] if formula else []
        doc = self._doc(command)
        return self._made("assertion", symbol, line, doc, _span(command), contracts=clauses)

    def _symbol(self, command: _Command) -> str:
        name = _NAME.match(self.source, command.start, command.end)
        return name[1].decode("utf-8", "replace") if name else command.word

    def _text(self, start: int, end: int) -> str:
        return self.source[start:end].decode("utf-8", "replace")

    def _code(self, start: int, end: int) -> str:
        if self.source.find(b"\n", start, end) < 0:  # a line may be a million definitions long
            return self._text(start, end)
        return excerpt(self.source, start, end)

    def _line(self, command: _Command, end: int | None = None, start: int | None = None) -> str:
        """A command, or a part of it, on one line and without comments."""
        start = command.start if start is None else start
        end = command.end if end is None else end
        comments = self.script.comments
        pieces = []
        for index in range(bisect_left(comments, (start, 0)), len(comments)):
            if comments[index][0] >= end:
                break
            pieces.append(self.source[start : comments[index][0]])
            start = comments[index][1]
        pieces.append(self.source[start:end])
        return " ".join(b" ".join(pieces).decode("utf-8", "replace").split())

    def _doc(self, command: _Command) -> str:
        """What is said above a command, and behind it where it is one line."""
        behind = command.behind
        if not behind and not command.above:
            return ""
        if behind and self.source.find(b"\n", command.start, command.end) >= 0:
            behind = []
        return _said(self.source, [*command.above, *behind])

    def _made(
        self,
        kind: str,
        symbol: str,
        signature: str,
        doc: str,
        span: Span,
        *,
        code: str = "",
        contracts: list[Contract] | None = None,
    ) -> Definition:
        longest = _LONGEST_SIGNATURE
        return Definition(
            kind=kind,
            symbol=symbol,
            name=symbol.strip("|") or symbol,
            module="",
            signature=signature if len(signature) <= longest else f"{signature[:longest]} …",
            doc=doc,
            code=code or self._code(*span),
            start_line=bisect_left(self.rows, span[0]) + 1,
            end_line=bisect_left(self.rows, span[1] - 1) + 1,
            contracts=contracts or [],
        )


def _span(command: _Command) -> Span:
    return command.start, command.end


def _prose(text: str) -> str:
    """The paragraphs of `text` that say something of their own in words."""
    paragraphs = (each.strip() for each in re.split(r"\n\s*\n", text))
    return "\n\n".join(
        each
        for each in paragraphs
        if len(_WORD.findall(each)) >= 4 and not _BOILERPLATE.search(each)
    )

"""Lean 4 through a scanner that knows its comments, strings and commands: every declaration."""

from __future__ import annotations

import re
import textwrap
from collections import defaultdict
from dataclasses import dataclass, field
from inspect import cleandoc

from corpus.languages.base import Contract, Definition, Extraction
from corpus.languages.lean_commands import (
    ACTIONS,
    ATTRIBUTE,
    NOTATIONS,
    PROPERTIES,
    UNITS,
    Command,
    commands,
)
from corpus.languages.lean_lexer import Blanked, Span

VERSION = "lean-1"
"""Rows made by another version are extracted again."""

_MAX_DEPTH = 100  # no person nests blocks deeper; a hostile file might

UNBALANCED = "unbalanced"
"""The fault of a file with a comment, string, bracket or block that never closes."""

_PART = r"(?:[^\W\d][\w'!?]*|«[^«»\n]*»)"
_NAME = re.compile(rf"\s*({_PART}(?:\.{_PART})*)")
_NAME_ON_LINE = re.compile(rf"[ \t]+({_PART}(?:\.{_PART})*)")
_LAST_PART = re.compile(rf"{_PART}$")
_PARTS = re.compile(_PART)
_PRIORITY = re.compile(r"\s*\(\s*priority\s*:=[^()]*(?:\([^()]*\))?[^()]*\)")
_WRITTEN_NAME = re.compile(rf"[^\n]*?\(\s*name\s*:=\s*({_PART}(?:\.{_PART})*)\s*\)")
_ABBREVIATION = re.compile(rf"\s+({_PART})\s*:=")
_FIRST_STRING = re.compile(r'"[^"]*"')
_TITLE = re.compile(r"^\s*#+\s+(.*\S)", re.MULTILINE)
_SENTENCE_END = re.compile(r"\.(?:\s.*)?$")

_FLAT = r"[^(\[{⟨⦃)\]}⟩⦄]*+"
_GROUP = rf"[(\[{{⟨⦃]{_FLAT}[)\]}}⟩⦄]"
for _ in range(2):
    _GROUP = rf"[(\[{{⟨⦃]{_FLAT}(?:{_GROUP}{_FLAT})*+[)\]}}⟩⦄]"
_FREE = r"[^(\[{⟨⦃)\]}⟩⦄:|]*+"
_BINDERS = re.compile(rf"{_FREE}(?:{_GROUP}{_FREE})*+")
# Most headers in one go: up to the first `:=` outside brackets, unless another word says otherwise.
_PLAIN = re.compile(
    rf"{_BINDERS.pattern}(?:(:)(?![:=]){_FREE}(?:(?:{_GROUP}|::|:(?!=)){_FREE})*+)?:="
)
_NOT_PLAIN = re.compile(r"where|deriving|let|have")
# Such a header after a name without «», which is in front of most.
_WORD = r"[^\W\d][\w'!?]*+"
_NAMED = re.compile(rf"\s*+({_WORD}(?:\.{_WORD})*+)(?!\.?«){_PLAIN.pattern}")
_MARK = re.compile(
    rf"{_GROUP}"
    r"|[(\[{⟨⦃]|[)\]}⟩⦄]|:=|=>|::|:|\|(?<=\s\|)(?=\s)|\|(?<=\n\|)"
    # Looking back keeps letters in front, by which the search leaps.
    r"|where(?<=\bwhere)\b|deriving(?<=\bderiving)\b"
)
_LOCAL = re.compile(r"(?:let(?<=\blet)|have(?<=\bhave))I?\b(?![^\n]*←)")
_OPENING = frozenset("([{⟨⦃")
_CLOSING = frozenset(")]}⟩⦄")
_BODY = frozenset([":=", "where", "|", "deriving"])
_NOTATION_BODY = frozenset([":=", "=>"])

_TYPE_NAME = re.compile(r"(?<![\w'.])(?:[^\W\d][\w']*\.)*([^\W\d][\w']*)")
_VARIABLE = re.compile(r".[\d₀-₉']*$")
_NUMBERS = {"ℕ": "Nat", "ℤ": "Int", "ℚ": "Rat", "ℝ": "Real"}
_BOUND = re.compile(r"[∀∃]\s*[^,\n]*,")
_LONGEST_TYPE = 10  # words of a type that make up the name of its instance

_MEASURE = re.compile(r"\n([ \t]*)termination_by\??[ \t]*")
_DEEPEST = 40  # columns that a measure may be indented by
_LOCAL_DEFINITIONS = re.compile(r"\bwhere\b|\brec\b")
_ACTION_BODY = re.compile(r"\{|=\s*fun\b|\bdo\b|:=")
_CLAUSE = re.compile(r"(?<=\s)(requires?|ensures?|decreasing)\s")
_PROPERTY_NAME = re.compile(r"\s*\[\s*([^\[\]\s]+)\s*\]")
_STATEMENTS = frozenset(["theorem", "lemma"])
_ALWAYS_NAMED = _STATEMENTS | {"def", "abbrev", "opaque", "axiom"}
_BOUND_BEFORE_COLON = _ALWAYS_NAMED | {"instance", "example"}


def extract(source: bytes) -> Extraction:
    """Declarations in order: what begins with a keyword at the margin, or as its block is indented.

    Notations and examples count when they are documented.
    """
    text = Blanked(source.decode("utf-8", "replace"))
    scopes = _Scopes()
    file = _File(text)
    definitions: list[Definition] = []
    for command in commands(text.code):
        if command.word in UNITS:
            definition = file.definition(command, scopes)
            if definition:
                definitions.append(definition)
        else:
            scopes.read(command, text.text)
    closed = text.is_balanced() and scopes.are_closed()
    return Extraction(definitions, None if closed else UNBALANCED)


@dataclass(slots=True)
class _Scopes:
    """The blocks that are open: each part of a namespace or section's name is a block of its own."""

    names: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=lambda: [""])
    """What stands before the names of a file's own, and then in each block."""

    is_broken: bool = False

    def read(self, command: Command, text: str) -> None:
        """Opens or closes blocks, as the command does."""
        parts = self._parts(command, text)
        if command.word == "end":
            self._close(parts)
        elif len(self.names) + len(parts) > _MAX_DEPTH:
            self.is_broken = True
        else:
            kind = "namespace" if command.word == "veil module" else command.word
            for part in parts:
                self.kinds.append(kind)
                self.names.append(part)
                named = f"{part}." if kind == "namespace" and part else ""
                self.prefixes.append(self.prefixes[-1] + named)

    def are_closed(self) -> bool:
        """Lean closes namespaces and sections at the end of a file by itself."""
        return not self.is_broken and "mutual" not in self.kinds

    def _parts(self, command: Command, text: str) -> list[str]:
        found = _NAME_ON_LINE.match(text, command.after)
        if not found or command.word == "mutual":
            return [""]
        return _PARTS.findall(found[1]) if "«" in found[1] else found[1].split(".")

    def _close(self, parts: list[str]) -> None:
        last = len(self.names) - len(parts)
        for at in range(last, -1, -1):
            if self.names[at : at + len(parts)] == parts:
                del self.names[at:], self.kinds[at:], self.prefixes[at + 1 :]
                self.is_broken |= at < last
                return
        self.is_broken = True


class _File:
    """One file's definitions, taken in order: lines are counted from the last one on."""

    def __init__(self, text: Blanked) -> None:
        self.text = text.text
        self.code = text.code
        self.blanked = text
        self.docs = text.docs[::-1]
        self.titles = [
            (each.start, _title(self.text[each.start + 3 : each.end - 2])) for each in text.titles
        ]
        self.titles.reverse()
        self.has_measures = "termination_by" in self.code
        self.instances: defaultdict[str, int] = defaultdict(int)
        self.heading = ""
        self.line = 0
        self.counted = 0

    def definition(self, command: Command, scopes: _Scopes) -> Definition | None:
        """The definition that a command makes, if it is one that counts."""
        word = command.word
        doc = self._doc(command)
        if not doc and (word in NOTATIONS or word == "example"):
            return None
        prefix = scopes.prefixes[-1]
        written, body, colon = self._named_header(command, prefix)
        if not written:
            return None
        symbol = written[7:] if written.startswith("_root_.") else prefix + written
        start, end = command.start, command.end
        if not self.text.startswith("\n", end):
            end = self._end(end)
        first_line = self.line + self.text.count("\n", self.counted, start)
        self.line = first_line + self.text.count("\n", start, end)
        self.counted = end
        if self.titles and self.titles[-1][0] < start:
            self._turn_to_title(start)
        signature, statement = self._signature(command, body, colon)
        if word in ACTIONS or word in PROPERTIES or self.has_measures:
            contracts = self._contracts(command, body, statement)
        else:
            contracts = [Contract("statement", statement)] if statement else []
        return Definition(  # by position: names make up a third of the time
            word,
            symbol,
            _bare(written, word),
            "",
            signature,
            _doc_text(self.text[doc.start + 3 : doc.end - 2]) if doc else "",
            self._code(start, end, doc),
            first_line,
            self.line,
            self._attributes(command) if self.code[start] == "@" else [],
            contracts,
            self.heading,
        )

    def _doc(self, command: Command) -> Span | None:
        """The last doc comment before the keyword with nothing but the command's own head after it."""
        doc = None
        while self.docs and self.docs[-1].end <= command.after:
            doc = self.docs.pop()  # of no later command, which would have this one in between
        if doc and doc.start < command.head and self.code[doc.end : command.head].strip():
            return None
        return doc

    def _named_header(self, command: Command, prefix: str) -> tuple[str, int, int]:
        """The name, where the body begins, and where the colon before the type is, or -1."""
        if command.word in _ALWAYS_NAMED:
            named = _NAMED.match(self.code, command.after, command.end)
            if named:
                colon, body = named.start(2), named.end() - len(":=")
                if colon < 0 or not _NOT_PLAIN.search(self.code, colon, body):
                    return named[1], body, colon
        body, colon = self._header(command)
        return self._name(command, body, colon, prefix), body, colon

    def _header(self, command: Command) -> tuple[int, int]:
        """Where the body begins, and where the colon before the type is, or -1."""
        word, after, end = command.word, command.after, command.end
        if word in _BOUND_BEFORE_COLON:
            if word not in _ALWAYS_NAMED and (plain := _PLAIN.match(self.code, after, end)):
                colon, body = plain.start(1), plain.end() - len(":=")
                if colon < 0 or not _NOT_PLAIN.search(self.code, colon, body):
                    return body, colon
            binders = _BINDERS.match(self.code, after, end)
            after = binders.end() if binders else after
        elif word in ACTIONS:
            found = _ACTION_BODY.search(self.code, after, end)
            return (found.start() if found else end), -1
        elif word in PROPERTIES:
            return end, -1
        return _header(self.code, after, end, _NOTATION_BODY if word in NOTATIONS else _BODY)

    def _signature(self, command: Command, body: int, colon: int) -> tuple[str, str]:
        """The header on one line, and what a theorem says."""
        word, line = command.word, self.blanked.on_one_line
        if word not in _STATEMENTS or colon < 0:
            header = line(command.signature, body)
            return header.removesuffix(" =") if word in ACTIONS else header, ""
        statement = line(colon + 1, body)
        gap = " " if self.code[colon + 1 : colon + 2].isspace() else ""
        return line(command.signature, colon + 1) + gap + statement, statement

    def _name(self, command: Command, body: int, colon: int, prefix: str) -> str:
        word, after = command.word, command.after
        if word in ("example", "after_init"):
            return word
        if word in PROPERTIES:
            named = _PROPERTY_NAME.match(self.code, after)
            return named[1] if named else word
        if word in NOTATIONS:
            return self._notation(command)
        if word == "instance":
            priority = _PRIORITY.match(self.code, after)
            after = priority.end() if priority else after
        named = _NAME.match(self.code, after, command.end)
        if named:
            return self.text[named.start(1) : named.end(1)]
        return self._instance(colon, body, prefix) if word == "instance" else ""

    def _notation(self, command: Command) -> str:
        """A name that is written, or the first token of the notation."""
        after, end = command.after, command.end
        named = _WRITTEN_NAME.match(self.code, after, end) or _ABBREVIATION.match(
            self.code, after, end
        )
        if named:
            return named[1]
        if command.word.startswith(("simproc", "dsimproc")):
            named = _NAME.search(self.code, after, end)
            return named[1] if named else command.word
        token = _FIRST_STRING.search(self.code, after, end)
        if not token or command.word.endswith("_rules"):
            return command.word
        return self.text[token.start() + 1 : token.end() - 1].strip() or command.word

    def _instance(self, colon: int, body: int, prefix: str) -> str:
        """A name made of the type, nearly as Lean makes it: `instToStringFoo`."""
        words: list[str] = []
        if colon >= 0:
            words = _TYPE_NAME.findall(_BOUND.sub("", self.code[colon + 1 : body]))
        # A capital alone, or with an index, is a variable, which Lean leaves out of the name.
        known = [_NUMBERS.get(word, word) for word in words]
        kept = [word for word in known if word[0].isupper() and not _VARIABLE.match(word)]
        name = "inst" + "".join(kept[:_LONGEST_TYPE])
        self.instances[prefix + name] += 1
        others = self.instances[prefix + name] - 1
        return f"{name}_{others}" if others else name

    def _end(self, end: int) -> int:
        """The end of the code with a remark beside its last token."""
        text = self.text
        line_end = text.find("\n", end)
        beside = text[end : line_end if line_end >= 0 else None].rstrip()
        return end + len(beside) if beside.lstrip().startswith("--") else end

    def _code(self, start: int, end: int, doc: Span | None) -> str:
        text = self.text
        if text[start - 1] == "\n" and (not doc or doc.start < start):
            return text[start:end]
        before = text[text.rfind("\n", 0, start) + 1 : start]
        indent = before if before.isspace() else ""
        if doc and doc.start >= start:
            block = f"{text[start : doc.start].rstrip()}\n{indent}{text[doc.end : end].lstrip()}"
        else:
            block = text[start:end]
        return textwrap.dedent(indent + block) if indent else block

    def _turn_to_title(self, start: int) -> None:
        while self.titles and self.titles[-1][0] < start:
            self.heading = self.titles.pop()[1] or self.heading

    def _attributes(self, command: Command) -> list[str]:
        found = ATTRIBUTE.finditer(self.code, command.start, command.after)
        return [" ".join(self.text[each.start() : each.end()].split()) for each in found]

    def _contracts(self, command: Command, body: int, statement: str) -> list[Contract]:
        word, after = command.word, command.after
        if word in PROPERTIES:
            named = _PROPERTY_NAME.match(self.code, after)
            return self._contract(word, named.end() if named else after, body)
        if word in ACTIONS:
            return self._clauses(after, body)
        contracts = [Contract("statement", statement)] if statement else []
        measure = self._measure(command, body) if self.has_measures else None
        return contracts + self._contract("decreases", *measure) if measure else contracts

    def _contract(self, kind: str, start: int, end: int) -> list[Contract]:
        text = self.blanked.on_one_line(start, end)
        return [Contract(kind, text)] if text else []

    def _clauses(self, after: int, body: int) -> list[Contract]:
        found = list(_CLAUSE.finditer(self.code, after, body))
        ends = [*(each.start() for each in found), body][1:]
        return [
            contract
            for each, end in zip(found, ends, strict=True)
            for contract in self._contract(each[1], each.end(), end)
        ]

    def _measure(self, command: Command, body: int) -> Span | None:
        """The measure of the definition itself: deeper ones may be those of its local functions."""
        for found in _MEASURE.finditer(self.code, body, command.end):
            if found[1] and _LOCAL_DEFINITIONS.search(self.code, body, found.start()):
                continue
            least = min(len(found[1]), _DEEPEST)
            end = re.compile(rf"\n[ \t]{{0,{least}}}\S").search(self.code, found.end(), command.end)
            return Span(found.end(), end.start() if end else command.end)
        return None


def _header(code: str, start: int, end: int, bodies: frozenset[str]) -> tuple[int, int]:
    depth = 0
    colon = -1
    for found in _MARK.finditer(code, start, end):
        mark = found[0]
        if mark[0] in _OPENING:
            depth += len(mark) == 1
        elif mark in _CLOSING:
            depth -= 1
        elif depth > 0:
            continue
        elif mark == ":":
            if colon < 0:
                colon = start = found.start()
        elif mark in bodies:
            body = found.start()
            if mark != ":=":
                return body, colon
            line = code.rfind("\n", start, body)
            if not _LOCAL.search(code, line if line >= 0 else start, body):
                return body, colon
            start = body
    return end, colon


def _bare(name: str, word: str) -> str:
    """The last part of a name; the name of a property or a notation may be no name of Lean's."""
    if word in NOTATIONS:
        return name
    if word not in PROPERTIES and name[-1] != "»":
        return name[name.rfind(".") + 1 :]
    found = _LAST_PART.search(name)
    return found[0] if found else name


def _doc_text(comment: str) -> str:
    comment = comment.strip().removesuffix("-").rstrip()  # some close with --/
    return cleandoc(comment) if "\n " in comment else comment


def _title(comment: str) -> str:
    titled = _TITLE.search(comment)
    if titled:
        return titled[1]
    comment = comment.strip()
    return "" if "\n" in comment else _SENTENCE_END.sub("", comment)

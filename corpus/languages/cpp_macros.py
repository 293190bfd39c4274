"""What the C++ grammar stumbles over, blanked out before the parse: macros, `export`, contracts."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator

from corpus.languages.base import Contract

_ARGUMENTS = rb'(?:\((?:"[^"\n]{0,200}+"|[^()"]{1,200}+|\([^()]{0,200}+\)){0,20}+\))?+'
_MACRO = re.compile(
    # The start of a word, underscores aside; it is fastest to look for the letter first.
    rb"A(?<![A-Za-z0-9].)(?<![A-Za-z0-9]_.)[A-Z0-9_]{2,}+\b" + _ARGUMENTS + rb"(?=[\s{])"
    # Several may follow one another.
    rb"(?:[ \t]+_{0,2}[A-Z][A-Z0-9_]{2,}+\b" + _ARGUMENTS + rb"){0,4}+"
    rb"(?:(?P<specifier>(?=\s+(?:static|inline|extern|constexpr|consteval|virtual|explicit|friend|template"
    rb"|typename|struct|class|enum|auto|void|bool|char|short|int|long|float|double|unsigned|signed|const(?=\s+\w)"
    rb"|std::|size_t|u?int\d+_t)\b))"
    rb"|(?P<type>(?=[ \t]+[A-Za-z_][\w:]*+(?:<[^<>;{}()\n]{0,200}>)?[ \t*&]+"
    rb"(?:[A-Za-z_~][\w:]*+|operator[^\w\s(]{1,3})[ \t]*\())"
    rb"|(?P<name>(?=[ \t]+[A-Za-z_~][\w:]*+(?:[^\w\s(]{1,3})?[ \t]*\())"
    rb"|(?P<class>(?=[ \t]+(?!final\b)\w++\s*(?:final\s*)?[:{<]))"
    rb"|(?P<line>(?=[ \t]*\n\s*[A-Za-z_~\[/#}]))"
    rb"|(?P<brace>(?=\s*\{)))"
)
"""A run of words in capitals, and by what follows it where it may be a macro that says nothing to us.

To be looked for where every capital is an A: the search for one letter is three times as fast.
"""

_TO_A = bytes.maketrans(string.ascii_uppercase.encode(), b"A" * 26)

_WORD_BEFORE = re.compile(rb"(?:[\w>]|[\w>)][ \t]*[*&]+)[ \t]+_{0,2}$")
_CLASS_BEFORE = re.compile(rb"\b(?:class|struct|union)[ \t]+_{0,2}$")
_HEAD_BEFORE = re.compile(
    rb"(?:\)|\)\s*(?:const|noexcept|override|final)|\bnamespace[ \t]+[\w:]++)$"
)
_LINE_BEFORE = re.compile(rb"(?:[;{}>)/:]|(?:^|\n)[ \t]*(?:#|//|template\b)[^\n]*(?<!\\))\s*$")
_KEYWORD_BEFORE = re.compile(
    rb"\b(?:return|else|new|case|throw|delete|goto|struct|class|union|enum|static|inline|extern|const|typedef"
    rb"|virtual|explicit|constexpr|friend|volatile|mutable|register|unsigned|signed|long|short|typename)"
    rb"[ \t]+_{0,2}$"
)
_COMPILER = re.compile(
    rb"\b__(?:host|device|global|forceinline|noinline|inline|extension)(?:__)?\b"
)
_EXPORT = re.compile(rb"^[ \t]*export(?=[ \t]+[A-Za-z])", re.MULTILINE)
_COMPILER_SIGN = re.compile(rb"__(?:device__|host__|forceinline|inline)")
# What stands before is looked at last: a pattern that begins with a letter is found much faster.
_CONTRACT = re.compile(rb"(pre(?<=[)\w>\s]...)|post(?<=[)\w>\s]....))[ \t]*\(")
_CONTRACT_BEFORE = re.compile(
    rb"(?:\)|\b(?:const|noexcept|override|final)|->[ \t]*[^;{}()]{1,100}?)\s*$"
)
_CONTRACT_AFTER = re.compile(rb"\s*(?:[;{:=]|pre\b|post\b)")
_ASSERTION = re.compile(rb"\bcontract_assert[ \t]*\(")
_BRACKET = re.compile(rb'[()]|"(?:[^"\\\n]|\\.)*+"?')
_NO_LINE_END = re.compile(rb"[^\n]")
_NEAR = 200
_FAR = 4000

Placed = tuple[int, Contract]
"""A contract and the byte at which it begins."""


def readable(source: bytes) -> tuple[bytes, list[Placed]]:
    """`source` with blanks for what hides a definition from the grammar, and the contracts in it.

    Every byte keeps its place, so that the source's own text can be cut out of what was parsed.
    Blanking too much inside a body does no harm: nobody looks there.
    """
    contracts = list(_contracts(source))
    spans = [
        found.span() for found in _MACRO.finditer(source.translate(_TO_A)) if _hides(found, source)
    ]
    if _COMPILER_SIGN.search(source):
        spans += [found.span() for found in _COMPILER.finditer(source)]
    if b"export module " in source:
        spans += [found.span() for found in _EXPORT.finditer(source)]
    if not spans and not contracts:
        return source, []
    masked = bytearray(source)
    for start, end in [*spans, *((start, end) for start, end, _ in contracts)]:
        begin = len(source[max(0, start - 2) : start].rstrip(b"_")) + max(0, start - 2)
        masked[begin:end] = _NO_LINE_END.sub(b" ", source[begin:end])
    return bytes(masked), [(start, contract) for start, _, contract in contracts]


def assertions(source: bytes, start: int, end: int) -> Iterator[Contract]:
    """The `contract_assert` statements between two places."""
    for found in _ASSERTION.finditer(source, start, end):
        closed = _closed(source, found.end())
        if closed:
            yield _contract("contract_assert", source, found.end(), closed - 1)


def _hides(found: re.Match[bytes], source: bytes) -> bool:
    """Whether these capitals stand where a macro stands, not where a type or a name does."""
    start = found.start()
    line = source[max(source.rfind(b"\n", max(0, start - _NEAR), start) + 1, start - _NEAR) : start]
    if line.lstrip().startswith(b"#"):
        return False
    how = found.lastgroup
    if how == "class":
        return _CLASS_BEFORE.search(line) is not None
    if how == "name":
        return _WORD_BEFORE.search(line) is not None and not _KEYWORD_BEFORE.search(line)
    before = source[max(0, start - _NEAR) : start].rstrip(b" \t\n_")
    if how == "brace":
        return _HEAD_BEFORE.search(before) is not None
    if how == "line":
        return not line.strip(b" \t_") and _LINE_BEFORE.search(before) is not None
    return not _CLASS_BEFORE.search(line)


def _contracts(source: bytes) -> Iterator[tuple[int, int, Contract]]:
    last = 0
    for found in _CONTRACT.finditer(source):
        start = found.start()
        before = source[max(last, start - _NEAR) : start]
        if not (last and not before.strip()) and not _CONTRACT_BEFORE.search(before):
            continue
        end = _closed(source, found.end())
        if end and _CONTRACT_AFTER.match(source, end):
            last = end
            yield start, end, _contract(found[1].decode(), source, found.end(), end - 1)


def _contract(kind: str, source: bytes, start: int, end: int) -> Contract:
    return Contract(kind, " ".join(source[start:end].decode(errors="replace").split()))


def _closed(source: bytes, opened: int) -> int:
    """The end of what was opened just before `opened`; 0 if that is nowhere near."""
    depth = 1
    for found in _BRACKET.finditer(source, opened, opened + _FAR):
        depth += {b"(": 1, b")": -1}.get(found[0], 0)
        if not depth:
            return found.end()
    return 0

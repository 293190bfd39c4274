"""Functions that hold nothing to find: stubs, and bodies that only forward to another function.

Read from the code alone, and only where its shape leaves no doubt: what is not recognised is fine.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from corpus.text import identifier_words

_LONGEST = 600
"""Characters of a body that may still be a stub or a delegation."""

_BRACED = frozenset({"rust", "java", "javascript", "typescript", "cpp", "php", "go"})

_DEF = re.compile(r"\bdef\s+(?P<name>\w+)\s*\(")
_DEF_BODY = re.compile(r"\)\s*(?:->[^\n]+?)?:[^\S\n]*(?:#[^\n]*)?\n?")
_FN = re.compile(r"\bfn\s+(\w+)")
_ANNOTATION = re.compile(r"@\w+(?:\.\w+)*(?:\([^()]*\))?|\[\[.*?\]\]")
_CALLABLE = re.compile(r"(~?\w+)\s*(?:<[^(){}]*>\s*)?\(")
_TYPE = re.compile(
    r"\b(?:class|concept|enum|impl|interface|module|namespace|record|struct|union)\b"
)
# `Point(int x) : x_(x) {}` and `constructor(private x: number) {}` do all their work in the header.
_INITIALISES = {
    "cpp": re.compile(r"\).*(?<!:):(?!:)", re.DOTALL),
    "typescript": re.compile(r"\bconstructor\s*\([^)]*\b(?:private|protected|public|readonly)\b"),
}
_COMMENTS = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_HASH_COMMENTS = re.compile(r"#[^\n]*")


class _Function(NamedTuple):
    head: str
    name: str
    body: str


_SORRY = re.compile(r":=\s*(?:by\s+)?sorry\s*$")
_STUB = re.compile(
    r"""(?:todo|unimplemented)!\s*[(\[{].*[)\]}]\s*;?
      | pass | \.\.\. | raise\s+NotImplementedError(?:\(.*\))?
      | throw\s+new\s+(?:UnsupportedOperation|NotImplemented)\w*\(.*\)\s*;?
      | (?:panic!|throw\s+new\s+\w*Error|throw\s+std::\w+)
        \(\s*["'`](?:\w+\W+){0,6}?(?:not\s+(?:yet\s+)?(?:been\s+)?(?:implemented|supported)|unimplemented
        |todo)\b.*\)\s*;?
      | NOT_IMPLEMENTED\w*\(.*\)\s*;?(?:\s*return\s+\w+;)?""",
    re.DOTALL | re.VERBOSE | re.IGNORECASE,
)

_ARGUMENT = (
    r"(?:(?:\w+\s*=\s*)?(?:[&*]|\.{3})*(?:mut\s+)?[A-Za-z_$][\w.$]*"
    r"|std::(?:move|forward)(?:<\w+>)?\(\w+\))"
)
_CALL = re.compile(
    rf"""(?:return\s+)?(?:await\s+)?&?
        (?P<callee>(?:<[^()<>]*>::|super\(\)\.)?[\w$]+(?:(?:\.|::|->)[\w$]+)*)(?:(?:::)?<[^()]*>)?
        \(\s*(?:{_ARGUMENT}(?:\s*,\s*{_ARGUMENT})*\s*,?\s*)?\)
        (?:\.await)?\??\s*;?""",
    re.VERBOSE,
)
_WORD = re.compile(r"\w+")
_LITERALS = frozenset("true false null nullptr undefined None True False".split())
_INNER = frozenset("async base do helper impl init inner internal private py sync wrapped".split())
"""Words by which the two halves of a split function differ."""


Lack = Literal["stub", "namesake", "other"]
"""A stub does nothing. The rest forward all they do: to a function of the same name, or to another."""


def lack(code: str, language: str) -> Lack | None:
    """What makes the function in `code` a poor answer, if anything.

    A stub of Lean is a proof that is left out. To forward is to pass one's own values on in one call and
    nothing else; the same name is one that differs by words such as `inner`; and to build a type is not
    to forward.
    """
    if language == "lean":
        return "stub" if "sorry" in code[-20:] and _SORRY.search(code) else None
    function = _function(code, language)
    if function is None:
        return None
    if not function.body or _STUB.fullmatch(function.body):
        initialises = _INITIALISES.get(language)
        return None if initialises and initialises.search(function.head) else "stub"
    return _delegation(function, language)


def _delegation(function: _Function, language: str) -> Lack | None:
    call = _CALL.fullmatch(function.body)
    if call is None or not _LITERALS.isdisjoint(_WORD.findall(function.body, call.end("callee"))):
        return None
    callee = _WORD.findall(call["callee"])[-1]
    if language in ("rust", "python") and callee[0].isupper():
        return None
    return "namesake" if _core(callee) == _core(function.name) else "other"


def _core(name: str) -> tuple[str, ...]:
    words = identifier_words(name)
    return tuple(word for word in words if word not in _INNER) or tuple(words)


def _function(code: str, language: str) -> _Function | None:
    """The header, name and body without comments of a short function."""
    if language == "python":
        return _python(code)
    start, end = code.find("{"), code.rfind("}")
    if language not in _BRACED or start < 0 or end - start > _LONGEST:
        return None
    head = _COMMENTS.sub("", code[:start])
    if language == "rust":
        name = _FN.search(head)
    else:
        head = _ANNOTATION.sub("", head)
        name = None if _TYPE.search(head) else _CALLABLE.search(head)
    if name is None or code[end + 1 :].strip(" \n;"):
        return None
    return _Function(head, name[1], _COMMENTS.sub("", code[start + 1 : end]).strip())


def _python(code: str) -> _Function | None:
    header = _DEF.search(code)
    opening = header and _DEF_BODY.search(code, header.end())
    if not header or not opening or len(code) - opening.end() > _LONGEST:
        return None
    if _TYPE.search(code, 0, header.start()):
        return None
    body = _HASH_COMMENTS.sub("", code[opening.end() :]).strip()
    return _Function(code[: opening.end()], header["name"], body)

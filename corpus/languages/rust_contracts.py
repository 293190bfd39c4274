"""The specification of a Rust unit: contracts from its attributes and loops, and its verifier's dialect."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from corpus.languages.base import Contract
from corpus.languages.verus_clauses import attribute_contracts

_TOKEN = re.compile(
    r"""(?P<blank>(?:\s++|//[^\n]*|/\*(?:.*?\*/|.*))++)
      |(?P<string>b?r(?P<hashes>\#*)"(?:.*?"(?P=hashes)|.*)|b?"(?:[^"\\]|\\.)*(?:"|\Z)
        |'(?:[^'\\\n]|\\[^'\n]+|\\')')
      |(?P<open>[(\[{]|::<)|(?P<close>[)\]}])|[-=]>|(?P<greater>>)|(?P<comma>,)""",
    re.VERBOSE | re.DOTALL,
)
_PAIRS = {")": "(", "]": "[", "}": "{"}
_PATH = re.compile(r"\s*(?:::)?\s*(\w+(?:\s*::\s*\w+)*)\s*")
_DOC = re.compile(r'doc\s*=\s*r?#*"(.*)"#*\s*', re.DOTALL)
_LINE_END = re.compile(r"\s*\n\s*")
_MAX_DEPTH = 5  # of cfg_attr in cfg_attr
_LONG_LINE = 300

# An attribute in some place of the code, be it behind a condition.
_ATTRIBUTE = r"#!?\[\s*(?:cfg_attr\([^\]]{0,200}?,\s*)?(?:::)?"

_CLAUSES = {
    prefix + kind: kind
    for kind in ("requires", "ensures", "invariant")
    for prefix in ("", "debug_", "test_")
}
"""What the attributes of the `contracts` crate, of `core` and of most verifiers are called."""

_KANI = {
    **{kind: kind for kind in ("requires", "ensures", "modifies")},
    "loop_invariant": "invariant",
    "loop_decreases": "decreases",
    "loop_modifies": "modifies",
}
_OWN = {
    "creusot": {
        "variant": "decreases",
        **{
            kind: kind
            for kind in """
            bitwise_proof check erasure ghost law logic maintains opaque open predicate pure
            terminates trusted
            """.split()
        },
    },
    "prusti": {
        kind: kind
        for kind in """
        after_expiry after_expiry_if assert_on_expiry extern_spec ghost_constraint model predicate
        pure refine_spec refine_trait_spec terminates trusted verified
        """.split()
    },
}
"""Attributes that mean something to one verifier, in whose files alone they are read."""

_LOOP = re.compile(
    _ATTRIBUTE
    + r"(?:\w+::){0,4}(?P<attribute>loop_(?:invariant|decreases|modifies)|(?:in)?variant|verus_spec)\s*\("
    r"|\b(?P<macro>body_invariant|body_variant)!\s*\("
)
_LOOP_KINDS = {
    **_KANI,
    "invariant": "invariant",
    "variant": "decreases",
    "body_invariant": "invariant",
    "body_variant": "decreases",
}

_FILE_SIGNS = {
    "creusot": re.compile(
        rb"\b(?:use |extern crate |::)creusot_|\bcreusot_(?:std|contracts)::"
        rb"|^[ \t]*(?:extern_spec!\s*\{|#\[logic\b|#\[check\((?:ghost|terminates)\))",
        re.MULTILINE,
    ),
    "prusti": re.compile(rb"\bprusti_contracts\b"),
}
_FILE_WORDS = {
    "creusot": (b"creusot_", b"extern_spec!", b"#[logic", b"#[check("),
    "prusti": (b"prusti_contracts",),
}
_VERUS = re.compile(rb"ver(?:us|ifier)")  # quicker to look for than either word alone
_COMPILER = re.compile(
    rb"\b(?:proc_macro2?|quote|rustc_(?:ast|driver|errors|hir|middle|public|smir|span)\w*)::"
)
"""A compiler or a macro speaks of annotations in its bodies, and is not verified for it."""

_UNIT_SIGNS = {
    "kani": re.compile(
        r"\bkani::(?:\w+::){0,4}\w+(?:::<|\s*[(!])"
        r"|" + _ATTRIBUTE + r"kani::(?:proof|recursion|should_panic)\b"
    ),
    "verus": re.compile(
        r"^[ \t]*" + _ATTRIBUTE + r"(?:verifier(?:::|\()|verus_(?:spec|verify)\b|verus::)",
        re.MULTILINE,
    ),
    "creusot": re.compile(
        r"\b(?:pearlite|proof_assert|snapshot|ghost|ghost_let)!\s*[({]"
        r"|" + _ATTRIBUTE + r"(?:\w+::){0,4}"
        rf"(?:requires|ensures|invariant|builtin|intrinsic|{'|'.join(_OWN['creusot'])})\b"
    ),
    "prusti": re.compile(
        r"\b(?:body_(?:in)?variant|prusti_(?:assert|assume|refute)\w*)!\s*[({]"
        r"|" + _ATTRIBUTE + r"(?:\w+::){0,4}"
        rf"(?:requires|ensures|invariant|{'|'.join(_OWN['prusti'])})\b"
    ),
}


class Specifications:
    """Reads the specifications of one file's units.

    Creusot and Prusti spell `#[requires]`, `#[pure]` and `#[trusted]` alike: whose they are is
    decided once, by what else the file says.
    """

    def __init__(self, source: bytes) -> None:
        self._verifier = _verifier(source)
        there = [self._verifier] if self._verifier else []
        if b"kani::" in source:
            there.insert(0, "kani")
        if _VERUS.search(source):
            there.append("verus")
        self._signs = [(name, _UNIT_SIGNS[name]) for name in there]
        self.expected = bool(there) or b"requires(" in source or b"ensures(" in source
        """False spares the search: no unit of the file has a contract or a dialect."""
        self._bodies_count = bool(self._signs) and not _COMPILER.search(source)

    def dialect(self, attributes: list[str], code: str) -> str | None:
        """The verifier whose annotations a unit shows."""
        shown = code if self._bodies_count else "\n".join(attributes)
        return next((name for name, sign in self._signs if sign.search(shown)), None)

    def contracts(self, attributes: list[str], body: str) -> list[Contract]:
        """The clauses of a unit's attributes, then those of the loops in its body."""
        found: list[Contract] = []
        for attribute in attributes:
            for path, rest in _parts(attribute):
                found += self._clauses(path, rest)
        if self._bodies_count:
            found += _loops(body)
        return found

    def _clauses(self, path: str, rest: str) -> Iterator[Contract]:
        *crate, name = path.split("::")
        if name == "verus_spec":
            yield from _verus_clauses(rest, of_loop=False)
        elif crate == ["kani"]:
            kind = _KANI.get(name)
            if kind:
                yield Contract(kind, _formula(_inside(rest)))
        elif name in _CLAUSES:
            if rest.startswith("("):
                yield Contract(_CLAUSES[name], _formula(_inside(rest)))
        else:
            kind = _OWN.get(self._verifier, {}).get(name)
            if kind:
                yield Contract(kind, _formula(_inside(rest)))


def _verifier(source: bytes) -> str:
    """Whose `#[requires]` a file's is, as far as it says."""
    for name, sign in _FILE_SIGNS.items():
        for word in _FILE_WORDS[name]:
            if word in source and sign.search(source):
                return name
    return ""


def attribute_docs(attribute: str) -> list[str] | None:
    """The texts of `#[doc = "…"]`, conditional or not; null of an attribute that is more than doc."""
    if "doc" not in attribute:
        return None
    docs = [_DOC.fullmatch(path + rest) for path, rest in _parts(attribute)]
    return [doc[1] for doc in docs if doc] if docs and all(docs) else None


def _parts(attribute: str) -> Iterator[tuple[str, str]]:
    """Path and arguments of an attribute, or of each one that a `cfg_attr` stands for."""
    waiting = [(attribute.partition("[")[2].removesuffix("]"), 0)]
    while waiting:
        text, depth = waiting.pop()
        path = _PATH.match(text)
        if path is None:
            continue
        name, rest = "".join(path[1].split()), text[path.end() :].strip()
        if name == "cfg_attr" and depth < _MAX_DEPTH:
            pieces = _split(_inside(rest))[1:]
            waiting += [(piece, depth + 1) for piece in reversed(pieces)]
        else:
            yield name, rest


def _inside(arguments: str) -> str:
    """What stands between the brackets of an attribute's arguments; nothing of one without."""
    return arguments[1:-1] if arguments[:1] in ("(", "[", "{") else ""


def _formula(text: str) -> str:
    """`text` on one line, without remarks; strings keep their blanks."""
    return _TOKEN.sub(_flat, text).strip().removesuffix(",").rstrip()


def _flat(token: re.Match[str]) -> str:
    return " " if token["blank"] else _LINE_END.sub(" ", token[0])


def _split(text: str) -> list[str]:
    """The parts between the commas that stand in no bracket."""
    commas, opened = [-1], list[str]()
    for token in _TOKEN.finditer(text):
        if token["open"]:
            opened.append(token[0])
        elif opened and (token["close"] or (token["greater"] and opened[-1] == "::<")):
            opened.pop()
        elif token["comma"] and not opened:
            commas.append(token.start())
    commas.append(len(text))
    return [text[start + 1 : end] for start, end in pairwise(commas)]


def _end(text: str, start: int) -> int:
    """Where the parenthesis that was opened before `start` is closed; -1 if nowhere."""
    opened = ["("]
    for token in _TOKEN.finditer(text, start):
        if token["open"] and token[0] != "::<":
            opened.append(token[0])
        elif token["close"]:
            if opened.pop() != _PAIRS[token[0]]:
                return -1
            if not opened:
                return token.start()
    return -1


def _loops(body: str) -> Iterator[Contract]:
    place = 0
    while found := _LOOP.search(body, place):
        place = found.end()
        before = body[max(0, found.start() - _LONG_LINE) : found.start()]
        if "//" in before.rpartition("\n")[2]:
            continue
        end = _end(body, place)
        if end < 0:  # nothing further is balanced either
            return
        text, name = body[place:end], found["attribute"] or found["macro"]
        if name == "verus_spec":
            yield from _verus_clauses(f"({text})", of_loop=True)
        else:
            yield Contract(_LOOP_KINDS[name], _formula(text))
        place = end


def _verus_clauses(attribute: str, *, of_loop: bool) -> Iterator[Contract]:
    """The clauses of `#[verus_spec(result => requires …, ensures …)]`, as Verus reads them."""
    for each in attribute_contracts(attribute):
        yield Contract("loop_ensures", each.text) if of_loop and each.kind == "ensures" else each

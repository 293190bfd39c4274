"""Names in the heads of Verus items: the type that an impl is for, the function a path leads to."""

from __future__ import annotations

import re

from corpus.languages.verus_clauses import ANGLES

_GENERICS = re.compile(rf"(?:::\s*+)?{ANGLES}")
_BEFORE_TYPE = re.compile(r"\bfor\b")
_WHERE = re.compile(r"\bwhere\b")
_POINTER = re.compile(r"(?:&\s*(?:'\w+\s*)?(?:mut\b\s*)?|\*\s*(?:const|mut)\b\s*)+")
_PATH = re.compile(r"[\w:\s]+$")
_QUALIFIED = re.compile(rf"\s*+({ANGLES})\s*+::(.*)$", re.DOTALL)


def implementor(header: str) -> str:
    """The bare type of an impl, from what stands between `impl` and the block, without comments."""
    outside = _GENERICS.sub(lambda found: " " * len(found[0]), header)
    where = _WHERE.search(outside)
    end = where.start() if where else len(header)
    traits = list(_BEFORE_TYPE.finditer(outside, 0, end))
    if traits:
        start = traits[-1].end()
    else:
        generics = _GENERICS.match(header.lstrip())
        start = len(header) - len(header.lstrip()) + (generics.end() if generics else 0)
    return bare_type(header[start:end])


def bare_type(written: str) -> str:
    """A type without module path, references and generics; one that is no path stays as it is."""
    written = written.strip()
    pointer = _POINTER.match(written)
    written = written[pointer.end() :] if pointer else written
    path = _GENERICS.sub("", written)
    if _PATH.match(path):
        written = path.rpartition("::")[2]
    return " ".join(written.split())


def specified(path: str) -> str:
    """The path of a function without generics; `<Type as Trait>::function` is its type's."""
    qualified = _QUALIFIED.match(path)
    owner = bare_type(qualified[1][1:-1].partition(" as ")[0]) if qualified else ""
    function = "".join(_GENERICS.sub("", qualified[2] if qualified else path).split())
    return f"{owner}::{function}" if owner else function

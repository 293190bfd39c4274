"""The statements of TLA+ modules in order: by the grammar, or by a plain scan of what it cannot read.

Everything here reads text in which comments are blank.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import tree_sitter_tlaplus
from tree_sitter import Language, Node, Parser

from corpus.languages.base import SYNTAX, grammar

NESTED = "nested_too_deep"
LONG_LINE = "line_too_long"

_MAX_DEPTH = 50
_MAX_NESTING = 100  # the grammar's scanner runs out of room, and crashes, near 300
_MAX_LINE = 3000  # it reads a line again for each of its tokens
_SHORT_LINE = 100

_BULLET = re.compile(r"/\\|\\/|∧|∨")
_STEP = re.compile(rb"<(\d+|\+)>")
_DEFINES = re.compile("==|≜".encode())


@dataclass(slots=True)
class Statement:
    """One statement of a module, or the line that begins, ends or divides one.

    `kind` is the grammar's word, with `header` for a module's first line, or `algorithm`; `body` is
    where the text after the `==` begins, 0 where there is none; `module` is the path of the module
    that it stands in.
    """

    kind: str
    start: int
    end: int
    module: str
    name: str = ""
    body: int = 0


@cache
def language() -> Language:
    return grammar(tree_sitter_tlaplus.language())


def statements(source: bytes, code: bytes) -> tuple[list[Statement], str | None]:
    """The statements of `source`, whose comments are blank in `code`, and what is wrong with it."""
    fault = _refused(code)
    if not code.strip():
        return [], None
    if fault is None:
        root = Parser(language()).parse(code).root_node
        if not root.has_error:
            return list(_grown(root, code, "", 0)), None
        fault = SYNTAX
    return list(_scanned(source, code)), fault


def _refused(code: bytes) -> str | None:
    """Why the grammar must not see this text: its scanner is written in C and trusts it."""
    longest = max(map(len, code.split(b"\n")))
    if longest > _MAX_LINE and max(len(line.rstrip()) for line in code.split(b"\n")) > _MAX_LINE:
        return LONG_LINE
    steps = _STEP.findall(code)
    if len(set(steps)) + steps.count(b"+") > _MAX_NESTING:
        return NESTED
    if longest > _SHORT_LINE:
        lines = code.decode("utf-8", "replace").split("\n")
        columns = {bullet.start() for line in lines for bullet in _BULLET.finditer(line)}
        if len(columns) > _MAX_NESTING:
            return NESTED
    return None


def _grown(parent: Node, code: bytes, module: str, depth: int) -> Iterator[Statement]:
    for node in parent.named_children:
        if node.type == "module":
            if depth < _MAX_DEPTH:
                yield from _module(node, code, module, depth)
        elif node.type == "local_definition":
            inner = node.named_children[-1]
            yield _statement(inner, node.start_byte, code, module)
        elif node.type not in ("extramodular_text", "header_line", "identifier"):
            yield _statement(node, node.start_byte, code, module)


def _module(node: Node, code: bytes, outer: str, depth: int) -> Iterator[Statement]:
    name = _name(node, code)
    end = code.find(b"\n", node.start_byte)
    end = len(code) if end < 0 else end
    header = code[node.start_byte : end].rstrip()
    path = f"{outer}!{name}" if outer else name
    yield Statement("header", node.start_byte, node.start_byte + len(header), path, name)
    yield from _grown(node, code, path, depth + 1)


def _statement(node: Node, start: int, code: bytes, module: str) -> Statement:
    # A list of conjuncts reaches as far as the next statement.
    end = start + len(code[start : node.end_byte].rstrip())
    kind = node.type
    name = _name(node, code)
    body = 0
    if name:
        found = _DEFINES.search(code, node.start_byte + len(name), end)
        body = found.end() if found else 0
    return Statement(kind, start, end, module, name, body)


def _name(node: Node, code: bytes) -> str:
    name = node.child_by_field_name("name")
    return "" if name is None else code[name.start_byte : name.end_byte].decode("utf-8", "replace")


_KEYWORDS = {
    **dict.fromkeys(("CONSTANT", "CONSTANTS"), "constant_declaration"),
    **dict.fromkeys(("VARIABLE", "VARIABLES"), "variable_declaration"),
    **dict.fromkeys(("ASSUME", "ASSUMPTION", "AXIOM"), "assumption"),
    **dict.fromkeys(("THEOREM", "LEMMA", "PROPOSITION", "COROLLARY"), "theorem"),
    **dict.fromkeys(("USE", "HIDE"), "use_or_hide"),
    "EXTENDS": "extends",
    "RECURSIVE": "recursive_declaration",
    "INSTANCE": "instance",
}

_SCAN = re.compile(
    rf"""
    ^[ \t]*+(?:
        (?P<header>-{{4,}}+[ \t]*+MODULE[ \t]++(?P<module>\w++(?:-\w++)*+)[ \t]*+-{{4,}}+)
      | (?P<double_line>={{4,}})
      | (?P<single_line>-{{4,}})
      | (?:LOCAL\s++)?(?P<keyword>{"|".join(_KEYWORDS)})\b(?:[ \t]++(?P<title>\w++)\s*+(?:==(?!=)|≜))?
      | (?:LOCAL\s++)?(?:
            (?P<operator>[A-Za-z_]\w*+)[ \t]*+(?:\([^()\n]*+(?:\([^()\n]*+\)[^()\n]*+)*+\))?
          | (?P<function>[A-Za-z_]\w*+)[ \t]*+\[[^\n]*?\]
          | [A-Za-z_]\w*+[ \t]*+(?P<infix>\\[a-z]++|[^\s\w()\[\]]{{1,4}})[ \t]*+[A-Za-z_]\w*+
        )\s*+(?:==(?!=)|≜)
    )
    """.encode(),
    re.MULTILINE | re.VERBOSE,
)
_INSTANCE = re.compile(rb"\s*INSTANCE\b")


def _scanned(source: bytes, code: bytes) -> Iterator[Statement]:
    """What begins at the margin, each until the next begins."""
    found = [each for each in _SCAN.finditer(code) if _begins(each, source)]
    path: list[str] = []
    for index, each in enumerate(found):
        after = found[index + 1].start() if index + 1 < len(found) else len(code)
        start = each.start() + len(each[0]) - len(each[0].lstrip())
        end = start + len(code[start:after].rstrip())
        if each["header"]:
            if len(path) == _MAX_DEPTH:
                continue
            path = [*path, each["module"].decode("utf-8", "replace")]
        yield _recognised(each, code, Statement("", start, end, "!".join(path)))
        if each["double_line"]:
            path = path[:-1]


def _begins(found: re.Match[bytes], source: bytes) -> bool:
    """Whether this is at the margin, where definitions of a LET are not; a comment may come before."""
    if found["header"] or found["double_line"] or found["single_line"]:
        return True
    return source[found.start() : found.start() + 1] not in (b" ", b"\t")


def _recognised(found: re.Match[bytes], code: bytes, statement: Statement) -> Statement:
    kind = found.lastgroup or ""
    name = found["title"] or found["module"] or found["operator"] or found["function"]
    statement.name = (name or found["infix"] or b"").decode("utf-8", "replace")
    if found["keyword"]:
        statement.kind = _KEYWORDS[found["keyword"].decode()]
        statement.body = found.end() if found["title"] else 0
    elif found["header"] or found["double_line"] or found["single_line"]:
        statement.kind = "header" if found["header"] else kind
        statement.end = min(statement.end, found.end())
    else:
        statement.body = found.end()
        is_instance = _INSTANCE.match(code, found.end()) is not None
        whole = "module_definition" if is_instance else "operator_definition"
        statement.kind = "function_definition" if found["function"] else whole
    return statement

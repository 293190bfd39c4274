"""Python through tree-sitter: functions, methods, classes and documented constants."""

from __future__ import annotations

import ast
import inspect
import re
import warnings
from dataclasses import dataclass, field
from functools import cache

import tree_sitter_python
from tree_sitter import Language, Node, Parser

from corpus.languages import python_comments, python_contracts
from corpus.languages.base import SYNTAX, Contract, Definition, Extraction, grammar
from corpus.languages.excerpt import Cut, excerpt, indentation

VERSION = "python-1"
"""Rows made by another version are extracted again."""

_COMPOUND = frozenset(
    """
    if_statement elif_clause else_clause try_statement except_clause except_group_clause
    finally_clause with_statement for_statement while_statement match_statement case_clause
    block ERROR
    """.split()
)
_DEFINITIONS = frozenset({"function_definition", "class_definition"})
_ELISION = " …".encode()
_STRING_STARTS = frozenset(bytes((each,)) for each in b"\"'rRuU(")
_BLANK_LINES = re.compile(rb"(?:[ \t\f]*\n)*")
_DEFINES = re.compile(rb"\b(?:def|class)\b")
_REMARK = re.compile(r"""("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|#[^\n]*""")
_OVERLOAD = re.compile(r"@\s*(?:\w+\s*\.\s*)?overload\b")
_TEST_DECORATOR = re.compile(
    r"@\s*(?:(?:pytest|hypothesis|unittest|mock|parameterized)\s*\.|(?:given|patch|parameterized)\b)"
)
_MAX_DEPTH = 50  # no person nests blocks deeper; a hostile file might


@cache
def language() -> Language:
    return grammar(tree_sitter_python.language())


def extract(source: bytes) -> Extraction:
    """Functions, classes and documented constants, in order.

    Walks modules, classes and the blocks of compound statements in them, and never enters the body
    of a function. Stubs (`...` or `pass`) and overloads without a doc are left out.
    """
    if b"\r" in source:
        source = source.replace(b"\r\n", b"\n")
    tree = Parser(language()).parse(source)
    root = tree.root_node
    reader = _Reader(source)
    reader.read(root, _Scope())
    return Extraction(reader.found, SYNTAX if root.has_error else None)


@dataclass(slots=True)  # frozen ones take three times as long to make
class _Scope:
    """Where a statement stands; `cuts` is what the outline of the class around it leaves out."""

    owner: str = ""
    is_test: bool = False
    depth: int = 0
    cuts: list[Cut] = field(default_factory=list)


@dataclass(slots=True)
class _Doc:
    """A doc, with what its outline and that of the class around it leave out for it."""

    text: str = ""
    inside: tuple[Cut, ...] = ()
    above: tuple[Cut, ...] = ()


_NO_DOC = _Doc()


class _Reader:
    """Reads one file; `found` fills up in order."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.found: list[Definition] = []
        self._has_nagini = b"nagini_contracts" in source
        self._has_marks = b"#:" in source

    def read(self, container: Node, scope: _Scope) -> None:
        """Finds what stands in a module, class or block."""
        if scope.depth > _MAX_DEPTH:
            return
        previous = None
        for node in container.named_children:
            kind = node.type
            if kind in _DEFINITIONS:
                self._definition(node, node, scope)
            elif kind == "decorated_definition":
                inner = node.child_by_field_name("definition")
                if inner is not None and inner.type in _DEFINITIONS:
                    self._definition(inner, node, scope)
            elif kind == "expression_statement":
                if not scope.owner:
                    self._constant(node, previous)
            elif kind in _COMPOUND and _DEFINES.search(self.source, node.start_byte, node.end_byte):
                deeper = _Scope(scope.owner, scope.is_test, scope.depth + 1, scope.cuts)
                self.read(node, deeper)
            previous = node

    def _definition(self, node: Node, outer: Node, scope: _Scope) -> None:
        """A function or class; `outer` is the node that begins with its decorators."""
        name_node = node.child_by_field_name("name")
        body = node.child_by_field_name("body")
        if name_node is None or body is None:
            return
        decorators: list[Node] = []
        attributes: list[str] = []
        if outer is not node:
            decorators = [each for each in outer.children if each.type == "decorator"]
            attributes = [self._text(each.start_byte, each.end_byte) for each in decorators]
        doc = self._doc(outer, body)
        if attributes and not doc.inside and any(map(_OVERLOAD.match, attributes)):
            return
        if not doc.text and self._is_stub(body):
            return
        owner, is_class = scope.owner, node.type == "class_definition"
        name = self._text(name_node.start_byte, name_node.end_byte)
        symbol = f"{owner}.{name}" if owner else name
        header_end, signature = self._header(node, body)
        is_test = (
            scope.is_test
            or (bool(attributes) and any(map(_TEST_DECORATOR.match, attributes)))
            or self._is_test(name, signature, body if is_class else None)
        )
        place = len(self.found)
        cuts = doc.inside
        if is_class:
            inner = _Scope(symbol, is_test, scope.depth + 1)
            self.read(body, inner)
            cuts = (*cuts, *inner.cuts)
        contracts: list[Contract] = []
        if decorators or doc.text or self._has_nagini:
            contracts = self._contracts(decorators, doc.text, None if is_class else body)
        start_line, end_line = outer.start_point.row + 1, body.end_point.row + 1
        end = body.end_byte
        if self.source[end - 1 : end].isspace():
            end = body.start_byte + len(self.source[body.start_byte : end].rstrip())
            end_line -= self.source.count(b"\n", end, body.end_byte)
        definition = Definition(  # by position: names make up a third of the time
            "class" if is_class else "method" if owner else "function",
            symbol,
            name,
            "",
            signature,
            doc.text,
            excerpt(self.source, outer.start_byte, end, cuts),
            start_line,
            end_line,
            attributes,
            contracts,
            is_test=is_test,
        )
        self.found.insert(place, definition)
        scope.cuts.extend((*doc.above, (header_end, end, _ELISION)))

    def _header(self, node: Node, body: Node) -> tuple[int, str]:
        """Where the header ends with its colon, and its text without that and without remarks."""
        start = node.start_byte
        header = self.source[start : body.start_byte].rstrip()
        if b"#" in header or not header.endswith(b":"):
            colons = [each.end_byte for each in node.children if each.type == ":"]
            header = self.source[start : colons[0] if colons else body.start_byte]
        text = header.decode("utf-8", "replace").removesuffix(":")
        if "#" in text:
            text = _REMARK.sub(r"\1", text)
        return start + len(header), " ".join(text.split())

    def _is_stub(self, body: Node) -> bool:
        start = body.start_byte
        if not self.source.startswith((b"...", b"pass"), start):
            return False
        lines = self.source[start : body.end_byte].split(b"\n")
        return {line.split(b"#")[0].strip() for line in lines} <= {b"...", b"pass", b""}

    def _is_test(self, name: str, signature: str, class_body: Node | None) -> bool:
        """A test function by its name; a test class by its base, or its name and a test inside."""
        if class_body is None:
            return name.startswith("test_")
        if "TestCase" in signature.partition("(")[2]:
            return True
        start, end = class_body.start_byte, class_body.end_byte
        return name.startswith("Test") and self.source.find(b"def test", start, end) >= 0

    def _contracts(self, decorators: list[Node], doc: str, body: Node | None) -> list[Contract]:
        found = [each for one in decorators for each in python_contracts.of_decorator(one)]
        if doc:
            found += python_contracts.of_docstring(doc)
        if body is not None and self._has_nagini:
            found += python_contracts.of_body(body)
        return found

    def _doc(self, outer: Node, body: Node) -> _Doc:
        """The docstring, or else the comment right above."""
        found = _NO_DOC
        if self.source[body.start_byte : body.start_byte + 1] in _STRING_STARTS:
            statement = body.named_child(0)
            text = self._string(statement)
            if statement is not None and text is not None:
                text = inspect.cleandoc(text)
                inside = (self._docstring_cut(statement),)
                if text.strip():
                    return _Doc(text, inside)
                found = _Doc("", inside)
        begin, lines = python_comments.above(self.source, outer.start_byte)
        text = python_comments.doc(lines) if lines else ""
        if not text:
            return found
        line_start = self.source.rfind(b"\n", 0, outer.start_byte) + 1
        return _Doc(text, found.inside, ((begin, line_start, b""),))

    def _string(self, statement: Node | None) -> str | None:
        """The value of a statement that is nothing but a string."""
        if statement is None or statement.type != "expression_statement":
            return None
        if statement.named_child_count != 1:
            return None
        node = statement.named_child(0)
        while node is not None and node.type == "parenthesized_expression":
            node = node.named_child(0)
        if node is None or node.type not in ("string", "concatenated_string"):
            return None
        text = self._text(node.start_byte, node.end_byte)
        if node.type == "string" and text[:1] in ('"', "'") and "\\" not in text:
            quotes = 3 if text.startswith(('"""', "'''")) else 1
            return text[quotes:-quotes]
        return _evaluated(text)

    def _docstring_cut(self, statement: Node) -> Cut:
        """A docstring with the lines it has for itself, or what it has of a line with other code."""
        start, end = statement.start_byte, statement.end_byte
        line_end = self._line_end(end)
        begin = self.source.rfind(b"\n", 0, start) + 1
        before = self.source[begin:start]
        rest = self.source[end:line_end].lstrip(b"; \t")
        is_last = not rest or rest.startswith(b"#")
        if not before.strip():
            if is_last:
                blank = _BLANK_LINES.match(self.source, line_end)
                return (begin, blank.end() if blank else line_end, b"")
            return (start, line_end - len(rest), b"")
        start -= len(before) - len(before.rstrip())
        if is_last:
            return (start, line_end, b"")
        return (start, line_end - len(rest), b"\n" + indentation(self.source, start) + b"    ")

    def _constant(self, node: Node, previous: Node | None) -> None:
        """A constant with a string below it, or with `#:` comments above it or behind it."""
        if self.source[node.start_byte : node.start_byte + 1] in _STRING_STARTS:
            if previous is not None and previous.type == "expression_statement":
                self._add_constant(previous, inspect.cleandoc(self._string(node) or ""))
        elif self._has_marks:
            _, lines = python_comments.above(self.source, node.start_byte)
            behind = self.source[node.end_byte : self._line_end(node.end_byte)].strip()
            if behind.startswith(b"#:"):
                lines.append(behind[1:].decode("utf-8", "replace"))
            self._add_constant(node, python_comments.marked(lines))

    def _add_constant(self, statement: Node, doc: str) -> None:
        assignment = statement.named_child(0) if doc.strip() else None
        if assignment is None or assignment.type != "assignment":
            return
        left = assignment.child_by_field_name("left")
        if left is None or left.type != "identifier" or left.is_missing:
            return
        typed = assignment.child_by_field_name("type") or left
        start, end = statement.start_byte, statement.end_byte
        start_line = statement.start_point.row + 1
        name = self._text(left.start_byte, left.end_byte)
        self.found.append(
            Definition(
                kind="constant",
                symbol=name,
                name=name,
                module="",
                signature=" ".join(self._text(start, typed.end_byte).split()),
                doc=doc,
                code=excerpt(self.source, start, end),
                start_line=start_line,
                end_line=start_line + self.source.count(b"\n", start, end),
            )
        )

    def _line_end(self, at: int) -> int:
        end = self.source.find(b"\n", at)
        return len(self.source) if end < 0 else end

    def _text(self, start: int, end: int) -> str:
        return self.source[start:end].decode("utf-8", "replace")


def _evaluated(text: str) -> str | None:
    """The value of a string literal with escapes or of several; none of what is no plain string."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of unknown escapes
        try:
            value = ast.literal_eval(f"({text})")
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            return None
    if not isinstance(value, str):
        return None
    return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")

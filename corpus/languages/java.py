"""Java through tree-sitter: types, methods, constructors and documented constants."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

import tree_sitter_java
from tree_sitter import Language, Node, Parser

from corpus.languages import jml
from corpus.languages.base import SYNTAX, Contract, Definition, Extraction, grammar
from corpus.languages.braces import is_licence, on_one_line, text, without_body
from corpus.languages.excerpt import Cut, excerpt, whole_lines

VERSION = "java-1"
"""Rows made by another version are extracted again."""

_TYPES = {
    "class_declaration": "class",
    "interface_declaration": "interface",
    "enum_declaration": "enum",
    "record_declaration": "record",
    "annotation_type_declaration": "annotation",
}
_MEMBERS = {
    "method_declaration": "method",
    "annotation_type_element_declaration": "method",
    "constructor_declaration": "constructor",
    "compact_constructor_declaration": "constructor",
}
_FIELDS = {"field_declaration": "constant", "constant_declaration": "constant"}
_KINDS = _TYPES | _MEMBERS | _FIELDS
_OTHERS = frozenset(
    """
    package_declaration block static_initializer enum_constant enum_body_declarations ERROR
    """.split()
)
_COMMENTS = frozenset({"block_comment", "line_comment"})
_ANNOTATIONS = frozenset({"annotation", "marker_annotation"})
_STAR = re.compile(r"\n[ \t]*\*+ ?")
_FLUSH_LEFT = re.compile(r"\n\S")
_TEST = (
    r"@\s*(?:\w+\.)*(?:(?:Test|ParameterizedTest|RepeatedTest|TestFactory|TestTemplate|Theory"
    r"|(?:Before|After)(?:Each|All|Class|Method|Suite)|DataProvider|RunWith|ExtendWith)\b"
    r"|(?:Before|After)\b(?!\s*\())"
)
_TEST_ANNOTATION = re.compile(_TEST)
_TEST_INSIDE = re.compile(_TEST.encode())
_TEST_CASE = re.compile(r"\bextends\s+(?:\w+\.)*\w*TestCase\b")
_MAX_OPEN_COMMENTS = 200
_MAX_DEPTH = 50  # no person nests types deeper; a hostile file might


@cache
def language() -> Language:
    return grammar(tree_sitter_java.language())


def extract(source: bytes) -> Extraction:
    """Types, methods, constructors and documented constants, in order.

    Walks types member by member and never enters a body. What has no body is found where a doc
    comment or a contract says what it does.
    """
    if b"\r" in source:
        source = source.replace(b"\r\n", b"\n")
    kept = _without_open_comments(source)
    tree = Parser(language()).parse(kept)
    root = tree.root_node
    reader = _Reader(kept)
    reader.read(root, _Scope())
    is_whole = kept is source and not root.has_error
    return Extraction(reader.found, None if is_whole else SYNTAX)


def _without_open_comments(source: bytes) -> bytes:
    """The file up to the first of very many comments that never end: the lexer reads on from each."""
    closed = source.rfind(b"*/") + 2
    if source.count(b"/*", closed) <= _MAX_OPEN_COMMENTS:
        return source
    return source[: source.find(b"/*", closed)]


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where a member stands; the outline of its type leaves out `cuts` and is under `contracts`."""

    owner: str = ""
    is_test: bool = False
    depth: int = 0
    cuts: list[Cut] = field(default_factory=list)
    contracts: list[Contract] = field(default_factory=list)

    def qualified(self, name: str) -> str:
        return f"{self.owner}.{name}" if self.owner else name


@dataclass(slots=True)
class _Declared:
    """A declaration up to its body, with what stands before it and belongs to it.

    Attributes:
        start: the first byte of its specification in JML, or else of its annotations.
        doc_cuts: where its doc is.
        specification: the text from `start` to the body, where the file has JML.
    """

    node: Node
    name: str
    start: int
    doc: str
    doc_cuts: list[Cut]
    specification: bytes
    attributes: list[str]
    signature: str


class _Reader:
    """Reads one file; `found` fills up in order."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.found: list[Definition] = []
        self._module = ""
        self._has_jml = jml.may_be_in(source)

    def read(self, container: Node, scope: _Scope) -> None:
        """Finds the types and members that stand in a file or a type's body."""
        if scope.depth > _MAX_DEPTH:
            return
        comments: list[Node] = []
        for node in container.named_children:
            kind = node.type
            if kind in _COMMENTS:
                comments.append(node)
                continue
            handler = _HANDLERS.get(kind)
            if handler:
                handler(self, node, comments, scope)
            elif kind in _OTHERS:
                self._other(node, kind, scope)
            if comments:
                if self._has_jml and kind not in _TYPES:
                    self._specify(comments, scope)
                comments = []
        if comments and self._has_jml:
            self._specify(comments, scope)

    def _specify(self, comments: list[Node], scope: _Scope) -> None:
        span = self.source[comments[0].start_byte : comments[-1].end_byte]
        scope.contracts.extend(jml.of_type(span))

    def _other(self, node: Node, kind: str, scope: _Scope) -> None:
        if kind == "package_declaration":
            for part in node.named_children:
                self._module = "".join(text(part, self.source).split())
        elif kind == "block":
            scope.cuts.append(without_body(node, self.source))
        elif kind == "static_initializer":
            blocks = [each for each in node.named_children if each.type == "block"]
            scope.cuts.extend(without_body(each, self.source) for each in blocks)
        elif kind == "enum_constant":
            body = node.child_by_field_name("body")
            if body is not None:
                name = text(node.child_by_field_name("name"), self.source)
                inner = replace(scope, owner=scope.qualified(name), depth=scope.depth + 1)
                self.read(body, inner)
        else:
            self.read(node, replace(scope, depth=scope.depth + 1))

    def _type(self, node: Node, comments: list[Node], scope: _Scope) -> None:
        body = node.child_by_field_name("body")
        if body is None:
            return
        start, end = body.start_byte, body.end_byte
        declared = self._declared(node, node, start, comments)
        is_test = (
            scope.is_test
            or _TEST_CASE.search(declared.signature) is not None
            or self._has_tests(node.start_byte, end)
        )
        inner = _Scope(scope.qualified(declared.name), is_test, scope.depth + 1)
        inner.contracts.extend(self._contracts(declared, jml.of_type))
        place = len(self.found)
        self.read(body, inner)
        is_empty = (
            not self.source[start + 1 : end - 1].strip() and node.type != "record_declaration"
        )
        if declared.name and (declared.doc or not is_empty):
            found = self._definition(declared, inner, inner.contracts, is_test=inner.is_test)
            self.found.insert(place, found)
        scope.cuts.extend((*declared.doc_cuts, without_body(body, self.source)))

    def _has_tests(self, start: int, end: int) -> bool:
        """Whether there is a test's annotation, in a file that speaks of tests: few have the first."""
        source = self.source
        found = _TEST_INSIDE.search(source, start, end)
        return found is not None and (b"Test" in source or b"junit" in source)

    def _member(self, node: Node, comments: list[Node], scope: _Scope) -> None:
        body = node.child_by_field_name("body")
        end = node.end_byte if body is None else body.start_byte
        declared = self._declared(node, node, end, comments)
        contracts: list[Contract] = []
        if declared.attributes or self._has_jml:
            contracts = self._contracts(declared, jml.of_method)
        if not declared.name or (body is None and not declared.doc and not contracts):
            return
        if self._has_jml and body is not None:
            contracts += jml.of_loops(self.source[body.start_byte : body.end_byte])
        is_test = scope.is_test
        if declared.attributes and not is_test:
            is_test = any(map(_TEST_ANNOTATION.match, declared.attributes))
        self.found.append(self._definition(declared, scope, contracts, is_test=is_test))
        scope.cuts.extend(declared.doc_cuts)
        if body is not None:
            scope.cuts.append(without_body(body, self.source))

    def _constant(self, node: Node, comments: list[Node], scope: _Scope) -> None:
        if not comments or not self._doc_comments(comments):
            return
        declarator = node.child_by_field_name("declarator")
        if declarator is None:
            return
        value = declarator.child_by_field_name("value")
        end = declarator.end_byte if value is None else value.start_byte
        declared = self._declared(node, declarator, end, comments)
        is_constant = node.type == "constant_declaration" or (
            {"static", "final"} <= set(declared.signature.split())
        )
        if declared.name and declared.doc and is_constant:
            self.found.append(self._definition(declared, scope, [], is_test=scope.is_test))
            scope.cuts.extend(declared.doc_cuts)

    def _definition(
        self, declared: _Declared, scope: _Scope, contracts: list[Contract], *, is_test: bool
    ) -> Definition:
        """A definition; `scope` is the one around a member, and a type's own."""
        node, name, start = declared.node, declared.name, declared.start
        kind, end = node.type, node.end_byte
        start_line, end_line = node.start_point.row + 1, node.end_point.row + 1
        if start < node.start_byte:
            start_line -= self.source.count(b"\n", start, node.start_byte)
        cuts = declared.doc_cuts
        if cuts:
            cuts = [each for each in cuts if each[0] >= start]
        if kind in _TYPES:
            symbol, cuts = scope.owner, cuts + scope.cuts
        else:
            symbol = scope.qualified(name)
        return Definition(  # by position: names make up a third of the time
            _KINDS[kind],
            symbol,
            name,
            self._module,
            declared.signature,
            declared.doc,
            excerpt(self.source, start, end, cuts),
            start_line,
            end_line,
            declared.attributes,
            contracts,
            is_test=is_test,
        )

    def _declared(self, node: Node, named: Node, end: int, comments: list[Node]) -> _Declared:
        """What is declared up to `end`, after `comments`; `named` has its name."""
        source, start = self.source, node.start_byte
        written = source[start:end]
        attributes: list[str] = []
        docs = self._doc_comments(comments) if comments else []
        if b"@" in written:
            annotations, inside = self._modifiers(node)
            attributes = [text(each, source) for each in annotations]
            written = self._without(annotations, start, end)
            if inside and not docs:
                docs = self._doc_comments(inside)
        specification = b""
        if self._has_jml:
            start = next((each.start_byte for each in comments if self._specifies(each)), start)
            specification = source[start:end]
        doc = ""
        doc_cuts: list[Cut] = []
        if docs:
            doc = _doc_text(docs, source)
            if doc and not self.found and is_licence(doc):
                doc = ""
            if doc:
                doc_cuts = [whole_lines(source, each.start_byte, each.end_byte) for each in docs]
        return _Declared(
            node,
            text(named.child_by_field_name("name"), source),
            start,
            doc,
            doc_cuts,
            specification,
            attributes,
            on_one_line(written).rstrip("=; "),
        )

    def _modifiers(self, node: Node) -> tuple[list[Node], list[Node]]:
        """The annotations of a declaration, and the comments between them."""
        first = node.named_child(0)
        if first is None or first.type != "modifiers":
            return [], []
        parts = [(each.type, each) for each in first.named_children]
        return (
            [each for kind, each in parts if kind in _ANNOTATIONS],
            [each for kind, each in parts if kind in _COMMENTS],
        )

    def _contracts(
        self, declared: _Declared, in_comments: Callable[[bytes], list[Contract]]
    ) -> list[Contract]:
        found = [each for one in declared.attributes for each in jml.of_annotation(one)]
        return found + in_comments(declared.specification) if self._has_jml else found

    def _specifies(self, comment: Node) -> bool:
        written = self.source[comment.start_byte : comment.end_byte]
        return jml.is_jml(written) and bool(jml.of_method(written))

    def _doc_comments(self, comments: list[Node]) -> list[Node]:
        """The last Javadoc comment, or the last run of `///` lines."""
        run: list[Node] = []
        for each in reversed(comments):
            opening = self.source[each.start_byte : each.start_byte + 4]
            if opening.startswith(b"///") and opening != b"////":
                run.append(each)
            elif run:
                break
            elif opening.startswith(b"/**") and opening not in (b"/***", b"/**/"):
                return [each]
        return run[::-1]

    def _without(self, annotations: list[Node], start: int, end: int) -> bytes:
        """The header from `start` to `end` without its own annotations."""
        pieces = []
        for each in annotations:
            pieces.append(self.source[start : each.start_byte])
            start = each.end_byte
        return b" ".join((*pieces, self.source[start:end]))


_HANDLERS: dict[str, Callable[[_Reader, Node, list[Node], _Scope], None]] = {
    **dict.fromkeys(_TYPES, _Reader._type),
    **dict.fromkeys(_MEMBERS, _Reader._member),
    **dict.fromkeys(_FIELDS, _Reader._constant),
}


def _doc_text(comments: list[Node], source: bytes) -> str:
    """What doc comments say, without marks; nothing of a mere line of dashes."""
    first = text(comments[0], source)
    if first.startswith("///"):
        lines = [text(each, source)[3:].rstrip() for each in comments]
        doc = textwrap.dedent("\n".join(lines)).strip("\n")
    else:
        doc = _STAR.sub("\n", first[3:].removesuffix("*/").rstrip("* \t\n"))
        is_flush = "\n" not in doc or _FLUSH_LEFT.search(doc)
        doc = doc.strip() if is_flush else inspect.cleandoc(doc)
    return doc if any(map(str.isalnum, doc)) else ""

"""The walk over JavaScript and TypeScript: functions, classes and their members, types, with JSDoc."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

from tree_sitter import Node

from corpus.languages.base import Definition
from corpus.languages.braces import comment_text, header, in_order, is_licence, text, without_body
from corpus.languages.excerpt import Cut, excerpt, trimmed, whole_lines

_MAX_DEPTH = 50  # no person nests namespaces deeper; a hostile file might
_FILE_DOC = re.compile(
    r"\n@(?:file|fileoverview|fileOverview|overview|packageDocumentation|module|typedef|callback|jsx\w*)\b"
)
"""Tags of a comment that stands for itself, whatever follows it."""

_COMMENTS = frozenset({"comment", "html_comment"})
_FUNCTIONS = frozenset({"function_expression", "arrow_function", "generator_function"})
_CLASSES = frozenset({"class_declaration", "abstract_class_declaration", "class"})
_SIGNATURES = frozenset({"function_signature", "method_signature", "abstract_method_signature"})
_WRAPPERS = frozenset(
    {"as_expression", "satisfies_expression", "parenthesized_expression", "non_null_expression"}
)
_STATEMENTS = frozenset({"export_statement", "ambient_declaration", "expression_statement"})
_ENTERED = frozenset(
    """
    ERROR internal_module module statement_block call_expression parenthesized_expression
    """.split()
)
_NO_OWNERS = frozenset({"module", "exports", "window", "globalThis", "prototype"})
"""Parts of `module.exports.f` and `X.prototype.m` that say where a name is put, not what it is."""


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where an item stands: module path, enclosing type, and what is cut out of that type's outline."""

    module: str = ""
    owner: str = ""
    cuts: list[Cut] = field(default_factory=list)
    depth: int = 0

    def inside(self, name: str) -> _Scope:
        """The scope of the members of `name`."""
        return _Scope(self.module, self.qualified(name), [], self.depth + 1)

    def qualified(self, name: str) -> str:
        return f"{self.owner}.{name}" if self.owner and name else self.owner or name


@dataclass(
    slots=True
)  # thawed: there is one of each statement, and freezing takes most of the time
class _Statement:
    """All of a definition: its decorators, `export`, the definition; and the comment that documents it."""

    node: Node
    decorators: list[Node]
    head: int
    doc: str
    comment: Node | None

    @property
    def is_documented(self) -> bool:
        """Whether a comment says something; a type or another tag alone is no documentation."""
        return bool(self.doc) and not self.doc.startswith("@")


def definitions(root: Node, source: bytes) -> list[Definition]:
    """What a parsed file defines, in order; no body is entered but that of a function called at once."""
    walk = _Walk(source)
    walk.items(root.named_children, _Scope())
    return walk.found


class _Walk:
    """The definitions found so far in one file."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.found: list[Definition] = []
        self._overloaded = -1
        self._handlers: dict[str, Callable[[Node, _Statement, _Scope], None]] = {
            "function_declaration": self._function,
            "generator_function_declaration": self._function,
            "method_definition": self._function,
            "interface_declaration": self._class,
            "type_alias_declaration": self._type,
            "enum_declaration": self._type,
            "lexical_declaration": self._variables,
            "variable_declaration": self._variables,
            "assignment_expression": self._assignment,
            "pair": self._member,
            "public_field_definition": self._member,
            "field_definition": self._member,
            **dict.fromkeys(_FUNCTIONS, self._function),
            **dict.fromkeys(_CLASSES, self._class),
            **dict.fromkeys(_SIGNATURES, self._signature),
        }

    def items(self, nodes: Sequence[Node], scope: _Scope) -> None:
        """Adds what `nodes`, which follow one another, define."""
        comments: list[Node] = []
        decorators: list[Node] = []
        for node in nodes:
            kind = node.type
            if kind in _COMMENTS:
                comments.append(node)
                continue
            if kind == "decorator":
                decorators.append(node)
                continue
            inner = _unwrapped(node) if kind in _STATEMENTS else node
            handler = self._handlers.get(inner.type)
            if handler:
                handler(inner, self._statement(node, inner, comments, decorators), scope)
            else:
                self._enter(node, inner, scope)
            if comments or decorators:
                comments, decorators = [], []

    def _enter(self, node: Node, inner: Node, scope: _Scope) -> None:
        """Adds what is in a part of the file that is no definition itself."""
        if inner.type == "class_static_block":
            scope.cuts.append(without_body(inner.named_children[-1], self.source))
        elif inner.type in _ENTERED and scope.depth < _MAX_DEPTH:
            module = self._module(node, inner)
            entered = _entered(inner, is_module=bool(module))
            if entered:
                path = f"{scope.module}.{module}".strip(".")
                self.items(entered, replace(scope, module=path, depth=scope.depth + 1))

    def _module(self, node: Node, inner: Node) -> str:
        if inner.type in ("internal_module", "module"):
            return _name(inner.child_by_field_name("name"), self.source)
        is_global = inner.type == "statement_block" and node.type == "ambient_declaration"
        return "global" if is_global else ""

    def _statement(
        self, node: Node, inner: Node, comments: list[Node], decorators: list[Node]
    ) -> _Statement:
        head = node.start_byte
        decorated = self._decorated(node, inner)
        if decorated is not None:
            leading = list(takewhile(_is_leading, decorated.children))
            decorators = decorators + [each for each in leading if each.type == "decorator"]
            comments = comments + [each for each in leading if each.type == "comment"]
            if decorated == node:
                head = node.children[len(leading)].start_byte
        if not comments:
            return _Statement(node, decorators, head, "", None)
        return _Statement(node, decorators, head, *self._doc(comments))

    def _decorated(self, node: Node, inner: Node) -> Node | None:
        """Which one begins with a decorator: the statement, or the class that it exports."""
        if self.source.startswith(b"@", node.start_byte):
            return node
        if inner is not node and self.source.startswith(b"@", inner.start_byte):
            return inner
        return None

    def _doc(self, comments: list[Node]) -> tuple[str, Node | None]:
        for node in reversed(comments):
            start = self.source[node.start_byte : node.start_byte + 4]
            if start.startswith(b"/**") and start not in (b"/***", b"/**/"):
                doc = comment_text(text(node, self.source))
                alone = _FILE_DOC.search(f"\n{doc}")
                # Only what stands before all else can be a header.
                header = not self.found and is_licence(doc)
                return ("", None) if alone or header or not doc else (doc, node)
        return "", None

    def _function(self, node: Node, statement: _Statement, scope: _Scope) -> None:
        name = _name(node.child_by_field_name("name"), self.source)
        if not name and statement.node.type != "export_statement":
            return
        self._callable(name or "default", node, statement, scope)

    def _callable(self, name: str, node: Node, statement: _Statement, scope: _Scope) -> None:
        body = node.child_by_field_name("body")
        if body is None:
            return
        symbol = scope.qualified(name)
        if not statement.doc and self._is_overload(symbol):
            # The first overload speaks for all; a doc belongs to one unit.
            statement = replace(statement, doc=self.found.pop(self._overloaded).doc)
        self._overloaded = -1
        kind = "method" if scope.owner else "function"
        self._add(kind, name, statement, scope, body.start_byte)
        scope.cuts.append(without_body(body, self.source))

    def _signature(self, node: Node, statement: _Statement, scope: _Scope) -> None:
        """One overload, or what is implemented elsewhere: a unit only if documented."""
        name = _name(node.child_by_field_name("name"), self.source)
        if not name or not statement.is_documented:
            return
        if not self._is_overload(scope.qualified(name)):
            self._overloaded = len(self.found)
        kind = "method" if scope.owner else "function"
        self._add(kind, name, statement, scope, node.end_byte)

    def _is_overload(self, symbol: str) -> bool:
        """Whether the last units found are signatures of `symbol`, `self._overloaded` the first."""
        first = self._overloaded
        return first >= 0 and self.found[first].symbol == symbol == self.found[-1].symbol

    def _member(self, node: Node, statement: _Statement, scope: _Scope) -> None:
        """A field of a class or a property of an object: a unit if its value is a function."""
        value = _bare(node.child_by_field_name("value"))
        if value is not None and value.type in _FUNCTIONS:
            fields = ("name", "property", "key")
            key = next(filter(None, map(node.child_by_field_name, fields)), None)
            if name := _name(key, self.source):
                self._callable(name, value, statement, scope)

    def _class(self, node: Node, statement: _Statement, scope: _Scope, name: str = "") -> None:
        body = node.child_by_field_name("body")
        own = _name(node.child_by_field_name("name"), self.source)
        name = name or own or ("default" if statement.node.type == "export_statement" else "")
        if body is None or not name:
            return
        place, inner = len(self.found), scope.inside(name)
        self._overloaded = -1
        self.items(body.named_children, inner)
        self._overloaded = -1
        kind = "interface" if node.type == "interface_declaration" else "class"
        self._add(kind, name, statement, scope, body.start_byte, cuts=inner.cuts, place=place)

    def _type(self, node: Node, statement: _Statement, scope: _Scope) -> None:
        rest = node.child_by_field_name("body") or node.child_by_field_name("value")
        kind = "enum" if node.type == "enum_declaration" else "type"
        name = _name(node.child_by_field_name("name"), self.source)
        if rest is not None and name:
            self._add(kind, name, statement, scope, rest.start_byte)

    def _variables(self, node: Node, statement: _Statement, scope: _Scope) -> None:
        declarators = [each for each in node.named_children if each.type == "variable_declarator"]
        kind = text(node.child_by_field_name("kind"), self.source)
        kind = "constant" if kind == "const" else "variable"
        for place, each in enumerate(declarators):
            name = each.child_by_field_name("name")
            if name is None or name.type != "identifier":
                continue
            if len(declarators) > 1:
                doc = ("", None) if place else (statement.doc, statement.comment)
                statement = _Statement(each, [], each.start_byte, *doc)
            self._value(
                _name(name, self.source), each.child_by_field_name("value"), statement, scope, kind
            )

    def _assignment(self, node: Node, statement: _Statement, scope: _Scope) -> None:
        value = node.child_by_field_name("right")
        while value is not None and value.type == "assignment_expression":
            value = value.child_by_field_name("right")
        path = _path(node.child_by_field_name("left"), self.source)
        if path is None or value is None:
            return
        *owners, name = [each for each in path if each not in _NO_OWNERS] or [""]
        if not name and value.type != "object":
            name = _name(value.child_by_field_name("name"), self.source) or "exports"
        inner = scope.inside(".".join(owners)) if owners else scope
        self._value(name, value, statement, inner)

    def _value(
        self, name: str, given: Node | None, statement: _Statement, scope: _Scope, kind: str = ""
    ) -> None:
        """What a name is bound to; of what is neither code nor documented, nothing."""
        value = _bare(given)
        if value is not None and value.type in _FUNCTIONS:
            self._callable(name, value, statement, scope)
        elif value is not None and value.type == "class":
            self._class(value, statement, scope, name)
        else:
            place, cuts = len(self.found), list[Cut]()
            if value is not None and value.type == "object":
                inner = scope.inside(name)
                self.items(value.named_children, inner)
                cuts = inner.cuts
            # A variable that gets a value is a state; one without stands for what is elsewhere.
            is_fixed = kind == "constant" or (kind and given is None)
            if is_fixed and statement.is_documented:
                end = statement.node.end_byte if given is None else given.start_byte
                self._add(kind, name, statement, scope, end, cuts=cuts, place=place)

    def _add(
        self,
        kind: str,
        name: str,
        statement: _Statement,
        scope: _Scope,
        header_end: int,
        *,
        cuts: Sequence[Cut] = (),
        place: int | None = None,
    ) -> None:
        """Puts a unit at the end of those found, or before its members at `place`."""
        first = statement.decorators[0] if statement.decorators else statement.node
        cuts = list(cuts)
        comment = statement.comment
        is_inside = comment is not None and comment.start_byte > first.start_byte
        if comment is not None and (is_inside or scope.owner):
            lines = whole_lines(self.source, comment.start_byte, comment.end_byte)
            (cuts if is_inside else scope.cuts).append(lines)
        end = statement.node.end_byte
        end += self.source[end : end + 1] == b";"
        start, end = trimmed(self.source, first.start_byte, end)
        start_line = first.start_point.row + 1 + self.source.count(b"\n", first.start_byte, start)
        definition = Definition(
            kind=kind,
            symbol=scope.qualified(name),
            name=name,
            module=scope.module,
            signature=header(self.source, statement.head, header_end).rstrip(" =;"),
            doc=statement.doc,
            code=excerpt(self.source, start, end, in_order(cuts) if cuts else ()),
            start_line=start_line,
            end_line=start_line + self.source.count(b"\n", start, end),
            attributes=[text(each, self.source) for each in statement.decorators],
        )
        self.found.insert(len(self.found) if place is None else place, definition)


def _is_leading(node: Node) -> bool:
    return node.type in ("decorator", "comment")


def _unwrapped(node: Node) -> Node:
    """What an `export`, a `declare` or an expression that is a statement of its own holds."""
    inner = node
    while inner.type in _STATEMENTS:
        held = inner.child_by_field_name("declaration") or inner.child_by_field_name("value")
        if held is None:
            named = [each for each in inner.named_children if each.type not in _COMMENTS]
            held = named[-1] if named else None
        if held is None:
            break
        inner = held
    return inner


def _entered(node: Node, *, is_module: bool) -> list[Node]:
    """The items of a module, of a broken piece of a file, and of a function that is called at once."""
    if node.type == "ERROR":
        return node.named_children
    if is_module:
        body = node.child_by_field_name("body") or node
        return body.named_children
    called = _bare(node)
    if called is not None and called.type == "call_expression":
        function = _bare(called.child_by_field_name("function"))
        if function is not None and function.type in _FUNCTIONS:
            body = function.child_by_field_name("body")
            return body.named_children if body is not None else []
    return []


def _bare(node: Node | None) -> Node | None:
    """An expression without the brackets and types around it."""
    while node is not None and node.type in _WRAPPERS:
        named = [each for each in node.named_children if each.type not in _COMMENTS]
        node = named[0] if named else None
    return node


def _name(node: Node | None, source: bytes) -> str:
    name = text(node, source)
    if name.isidentifier():
        return name
    return name[1:-1] if name.startswith(("'", '"')) else " ".join(name.split())


def _path(node: Node | None, source: bytes) -> list[str] | None:
    """The parts of `a.b.c`; null of anything else that one can assign to."""
    parts: list[str] = []
    while node is not None and node.type == "member_expression":
        parts.append(text(node.child_by_field_name("property"), source))
        node = node.child_by_field_name("object")
    if node is None or node.type != "identifier" or not parts:
        return None
    return [text(node, source), *reversed(parts)]

"""What C++ declarators name: the scopes, the bare name, and whether it is a function."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tree_sitter import Node

from corpus.languages.braces import text

_MAX_DEPTH = 50
_PLAIN = frozenset({"identifier", "field_identifier", "type_identifier", "namespace_identifier"})
_NAME = re.compile(r"~?[^\W\d]\w*|operator\W.*", re.DOTALL)
_KEYWORDS = frozenset(
    """
    alignas alignof asm auto break case catch class const const_cast constexpr continue decltype default
    delete do dynamic_cast else enum explicit export extern for friend goto if inline namespace new
    noexcept private protected public register reinterpret_cast requires return sizeof static
    static_assert static_cast struct switch template this throw try typedef typeid typename union using
    virtual volatile while defined
    """.split()
)


@dataclass(slots=True)
class Name:
    """`A<T>::B::f` as scopes A and B and the name f; `is_function` if parameters follow it directly."""

    scopes: tuple[str, ...]
    name: str
    is_function: bool


def declared(declarator: Node | None, source: bytes) -> Name | None:
    """What a declarator declares, below its pointers, references and brackets."""
    is_function = False
    for _ in range(_MAX_DEPTH):
        if declarator is None:
            return None
        kind = declarator.type
        if not kind.endswith("_declarator"):
            break
        is_function = kind == "function_declarator"
        inner = declarator.child_by_field_name("declarator")
        if inner is None and kind in ("reference_declarator", "parenthesized_declarator"):
            named = declarator.named_children
            inner = named[-1] if named else None
        declarator = inner
    return qualified(declarator, source, is_function=is_function)


def qualified(node: Node | None, source: bytes, *, is_function: bool = False) -> Name | None:
    """The parts of a name without template arguments; null of what is no name."""
    scopes: tuple[str, ...] = ()
    while node is not None and node.type == "qualified_identifier" and len(scopes) <= _MAX_DEPTH:
        scope = node.child_by_field_name("scope")
        if scope is not None:
            scopes = (*scopes, _bare(scope, source))
        node = node.child_by_field_name("name")
    if node is None or len(scopes) > _MAX_DEPTH:
        return None
    kind = node.type
    name = text(node, source) if kind in _PLAIN else _bare(node, source)
    if name in _KEYWORDS or not (name.isidentifier() or _NAME.fullmatch(name)):
        return None
    if scopes and not all(map(str.isidentifier, scopes)):
        return None
    return Name(scopes, name, is_function or kind == "operator_cast")


def _bare(node: Node, source: bytes) -> str:
    """The name of a scope or of a function without its template arguments, as one writes it."""
    if node.type in _PLAIN:
        return text(node, source)
    if node.type in ("template_type", "template_function", "template_method", "dependent_name"):
        inner = node.child_by_field_name("name") or node.named_child(0)
        return text(inner, source)
    name = " ".join(text(node, source).split())
    if node.type == "operator_cast":
        return name.partition("(")[0].rstrip()
    if node.type == "operator_name":
        # `operator ==` and `operator==` are one name; in `operator new` the blank is needed.
        return re.sub(r"\s+(?=\W)", "", name)
    return name.replace("~ ", "~")

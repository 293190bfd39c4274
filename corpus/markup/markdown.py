"""Markdown (CommonMark with GitHub's tables) through markdown-it-py: blocks first, then text as wanted."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import version

from markdown_it import MarkdownIt
from markdown_it.token import Token

from corpus.markup import base
from corpus.markup.base import MAX_PARAGRAPH, Inline, Outline, Section, decoded, line_count

VERSION = f"markdown-1/{base.VERSION}-{version('markdown-it-py')}"

_MAX_NESTING = 10  # a paragraph in a list in a list in a list in a quote stands at 8
_MAX_BRACKETS = 200  # in one paragraph; links are what inline parsing takes longest on

_BRACKETED = re.compile(r"\[([^\[\]]{1,120})\]")
_ALERT = re.compile(r"\[!\w+\]\s*")
_NO_PROSE = ("[^", "{{", "{%", ":::", "!!! ", "??? ")
"""How footnotes and the directives of site generators begin."""


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"maxNesting": _MAX_NESTING})
    # Text is parsed paragraph by paragraph, where it is wanted: none of tables.
    return parser.enable(["table", "strikethrough"]).disable(["inline", "text_join"])


def parse(source: bytes) -> list[Section]:
    """The sections of a Markdown file."""
    text = decoded(source)
    outline, references = Outline(), {}
    tokens = _parser().parse(text, references)
    tables = 0
    for index, token in enumerate(tokens):
        if token.type in ("table_open", "table_close"):
            tables += token.nesting
        elif token.type in ("fence", "code_block"):
            outline.code(token.content, _language(token.info))
        elif token.type == "inline" and not tables:
            _add(outline, token, tokens[index - 1], references)
    return outline.finish(line_count(text))


def _add(outline: Outline, token: Token, opening: Token, references: dict) -> None:
    content = _ALERT.sub("", token.content, count=1)
    if opening.type == "heading_open" and opening.level == 0:
        line = (token.map or [0])[0] + 1
        outline.heading(int(opening.tag[1:]), _inline(content, references), line)
    elif not content.startswith(_NO_PROSE):
        outline.paragraph(_inline(content, references))


def _language(info: str) -> str:
    """`rust` of `rust,no_run`, `{.rust}` and `rust ignore`."""
    words = re.findall(r"[^\s,{}]+", info)
    return words[0].lstrip(".") if words else ""


def _inline(content: str, references: dict) -> Inline:
    found = Inline()
    if len(content) > MAX_PARAGRAPH or content.count("[") > _MAX_BRACKETS:
        return found
    children: list[Token] = []
    _parser().inline.parse(content, _parser(), references, children)
    pieces: list[str] = []
    is_address = False
    for token in children:
        if token.type.startswith("link_"):
            is_address = token.nesting == 1 and token.info == "auto"
        if not is_address:
            pieces.append(_piece(token, found))
    # Rustdoc links a name in brackets without saying where to.
    found.text = _BRACKETED.sub(
        lambda each: each[1] if each[1] in found.code else each[0], "".join(pieces)
    )
    return found


def _piece(token: Token, found: Inline) -> str:
    """What a token says; code and targets are noted in `found`."""
    if token.type in ("text", "text_special"):
        return token.content
    if token.type == "code_inline":
        found.code.append(token.content)
        return token.content
    if token.type == "link_open":
        found.targets.append(str(token.attrGet("href") or ""))
    return " " if token.type in ("softbreak", "hardbreak") else ""

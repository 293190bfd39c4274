"""Doc comments as paragraphs of plain text: Markdown's mark-up out, words and symbols kept.

The mark-up of other documentation tools is rewritten as Markdown first, by `corpus.docstyles`.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from corpus.docstyles import FENCE, as_markdown

_LONGEST = 20_000
"""Characters of a doc that are read: nobody searches with what stands further down."""

_HEADING = re.compile(r"^\s{0,3}#{1,6}\s.*\Z", re.MULTILINE | re.DOTALL)
_FIELDS = re.compile(r"^[^\S\n]*:(?:type|rtype|param)\b.*\Z", re.MULTILINE | re.DOTALL)
"""What Rust that is called from Python says for Sphinx, at the end of a doc."""
_HEADED = re.compile(r"^[^\S\n]{0,3}#{1,6}[^\S\n]+([^\n]*)$", re.MULTILINE)
_REFERENCE = re.compile(r"^[^\S\n]*\[[^\]]{1,300}\]:\s.*$", re.MULTILINE)
_IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
_URL = re.compile(r"<?https?://\S*[^\s.,;:!?>)]>?")
_CODE_SPAN = re.compile(r"(`+)(.+?)\1", re.DOTALL)
_SPAN_AT = re.compile("\ue000(\\d+)\ue001")
_LIST_ITEM = re.compile(r"^[^\S\n]*([-*+]|\d+[.)])\s+", re.MULTILINE)
_BREAK = re.compile(r"\n\s*\n")


@dataclass(frozen=True, slots=True)
class _Markup:
    """What stands between the words of a language's docs, beside Markdown's blocks."""

    link: re.Pattern[str]
    emphasis: re.Pattern[str]
    tag: re.Pattern[str] | None = None
    rule: re.Pattern[str] | None = None
    has_entities: bool = False


# rustdoc makes a link of every bracket; `x[i]` and `*args` of other languages are text.
_LINK = re.compile(
    r"(?<![\w\])\ue001])\[(?P<text>[^\]\[\n]+)\](?:\([^)\n]*\)|\[[^\]\n]*\]|(?<=\ue001\]))"
)
_EMPHASIS = re.compile(
    r"(?<![\w*])(?P<mark>\*\*|\*)(?=[^\s*])(?P<text>[^*\n]+(?:\n[^*\n]+)?)(?<=\S)(?P=mark)(?![\w*])"
    r"|(?<!\w)_(?=[^\s_])(?P<slanted>[^_\n]+)(?<=\S)_(?!\w)"
)
_RULE = re.compile(r"^[^\S\n]*([-=*_~+.#|/])\1{2,}[^\S\n]*$", re.MULTILINE)
_HTML = re.compile(
    r"</?(?:abbr|b|big|cite|code|del|dfn|em|i|ins|kbd|q|s|samp|small|strike|strong|sub|sup|t[dt]|u|var)"
    r"\s*/?>|<(?:a|font|img|span|td|th)\s[^>\n]*>|</(?:a|font|span)>",
    re.IGNORECASE,
)
_RUST = _Markup(
    link=re.compile(r"\[(?P<text>[^\]\[]+)\](\([^)]*\)|\[[^\]]*\])?"),
    emphasis=re.compile(r"(?P<mark>\*\*|__|\*)(?=\S)(?P<text>.+?)(?<=\S)(?P=mark)"),
    tag=re.compile(r"</?[a-zA-Z][^>\n]*>"),
)
_TEXT = _Markup(_LINK, _EMPHASIS, rule=_RULE)
_HYPERTEXT = _Markup(_LINK, _EMPHASIS, tag=_HTML, rule=_RULE, has_entities=True)
_MARKUPS = {
    "rust": _RUST,
    **dict.fromkeys(["java", "javascript", "typescript", "cpp", "php"], _HYPERTEXT),
}


def prose(doc: str, language: str = "rust") -> list[str]:
    """The paragraphs of a doc comment before its first heading, as plain text on one line each.

    Code blocks, doctests, parameter lists, link targets, images, HTML and list markers go; the text of
    links and code spans stays, and so does every symbol. Where the only text says what comes back,
    in a section or tag of its own, that is what there is.
    """
    doc = doc[:_LONGEST]
    markup = _MARKUPS.get(language, _TEXT)
    if markup is _RUST:
        return _plain(_FIELDS.sub("", _HEADING.sub("", FENCE.sub("\n\n", doc))), markup)
    text = FENCE.sub("\n\n", as_markdown(doc, language))
    lead = _HEADING.sub("", text)
    found = _plain(lead, markup)
    return found if found or len(lead) == len(text) else _returned(text, markup)


def sections(doc: str, language: str = "rust") -> list[tuple[str, list[str]]]:
    """The headings of a doc comment in order, lower-cased, each with the paragraphs below it."""
    text = FENCE.sub("\n\n", as_markdown(doc[:_LONGEST], language))
    markup = _MARKUPS.get(language, _TEXT)
    return [(title, _plain(below, markup)) for title, below in _headed(text)]


def _headed(text: str) -> list[tuple[str, str]]:
    _, *rest = _HEADED.split(text)
    titles = (title.strip().strip(":#").casefold() for title in rest[::2])
    return list(zip(titles, rest[1::2], strict=True))


_RETURN_TITLES = frozenset({"return", "returns", "result", "yields", "yield"})
_RETURN_TYPE = re.compile(
    r"""\s*(?:
        \{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}\s*(?:-\s+)?      # JSDoc: {number} - the count
      | (?:[\w*, ]{1,80}[ ]:[ ][^\n]{0,80}|[\w.\[\], |]{1,80})\n[^\S\n]+(?=\S)  # NumPy: n : int
      | [\w.`~\[\], |]{1,80}:[^\S\n]+(?=\S)              # Google: int: the count
    )""",
    re.VERBOSE,
)


def _returned(text: str, markup: _Markup) -> list[str]:
    """What a doc that says nothing else says of the value that comes back."""
    for title, below in _headed(text):
        if title in _RETURN_TITLES:
            said = _plain(_RETURN_TYPE.sub("", below.strip("\n"), count=1), markup)[:1]
            if said and len(said[0].split()) >= 3:
                return said
    return []


def _plain(text: str, markup: _Markup) -> list[str]:
    """The paragraphs of Markdown without blocks of code."""
    spans: list[str] = []

    def set_aside(span: re.Match[str]) -> str:
        # Markup inside a code span is code: `arr[i]`, `Vec<T>`, `__init__`.
        spans.append(span[2].strip())
        return f"\ue000{len(spans) - 1}\ue001"

    text = _REFERENCE.sub("", text)
    text = _CODE_SPAN.sub(set_aside, text.replace("\ue000", "").replace("\ue001", ""))
    text = _IMAGE.sub("", text)
    text = markup.link.sub(r"\g<text>", text)
    text = _URL.sub("", text)
    if markup.rule:
        text = markup.rule.sub("\n\n", text)
    text = _LIST_ITEM.sub("\n\n", text)
    if markup.tag:
        text = markup.tag.sub("", text)
    text = markup.emphasis.sub(_unmarked, text)
    text = _SPAN_AT.sub(lambda at: spans[int(at[1])], text).replace("`", "")
    if markup.has_entities and "&" in text:
        text = html.unescape(text)
    paragraphs = (" ".join(each.split()) for each in _BREAK.split(text))
    return [each for each in paragraphs if each]


def _unmarked(emphasis: re.Match[str]) -> str:
    return emphasis["text"] or emphasis["slanted"]

"""Doc comments as prose: markup out, words and symbols kept; sentences, keywords, identifier words."""

from __future__ import annotations

import re

_FENCE = re.compile(r"^\s*(```|~~~).*?(^\s*\1[^\n]*$|\Z)", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s.*\Z", re.MULTILINE | re.DOTALL)
_REFERENCE = re.compile(r"^\s*\[[^\]]+\]:\s.*$", re.MULTILINE)
_IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
_LINK = re.compile(r"\[([^\]\[]+)\](\([^)]*\)|\[[^\]]*\])?")
_TAG = re.compile(r"</?[a-zA-Z][^>\n]*>")
_URL = re.compile(r"<?https?://\S*[^\s.,;:!?>)]>?")
_CODE_SPAN = re.compile(r"(`+)(.+?)\1", re.DOTALL)
_SPAN_AT = re.compile("\ue000(\\d+)\ue001")
_EMPHASIS = re.compile(r"(\*\*|__|\*)(?=\S)(.+?)(?<=\S)\1")
_LIST_ITEM = re.compile(r"^\s*([-*+]|\d+[.)])\s+", re.MULTILINE)
_SENTENCE_END = re.compile(r"(?:(?<=[.!?])|(?<=[.!?][\"')\]]))\s+(?=[\"'(\[]?[A-Z`0-9∀∃])")
_ABBREVIATED = re.compile(r"\b([eE]\.g|[iI]\.e|etc|[cC]f|vs|resp|approx|[fF]ig|Eq|Sec|No)\.$")
_WORD = re.compile(r"\w+")
_CAMEL_CASE = re.compile(r"[a-z]+([A-Z][a-z0-9]+)+|([A-Z][a-z0-9]+){2,}|.*_.*")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

STOPWORDS = frozenset(
    """
    a about all also an and any are as at be been but by can do does each for from has have if in into
    is it its may more must no not of on or other our out over should so some such than that the their
    them then there these they this those to up us use used using very was we what when where whether
    which while who will with would you your given returns return whose here just only
    """.split()
)


def prose(doc: str) -> list[str]:
    """The paragraphs of a doc comment before its first heading, as plain text on one line each.

    Code blocks, link targets, images, HTML and list markers go; the text of links and code spans
    stays, and so does every symbol.
    """
    text = _FENCE.sub("\n\n", doc)
    text = _HEADING.sub("", text)
    text = _REFERENCE.sub("", text)
    spans: list[str] = []

    def set_aside(span: re.Match[str]) -> str:
        # Markup inside a code span is code: `arr[i]`, `Vec<T>`, `__init__`.
        spans.append(span[2].strip())
        return f"\ue000{len(spans) - 1}\ue001"

    text = _CODE_SPAN.sub(set_aside, text.replace("\ue000", "").replace("\ue001", ""))
    text = _IMAGE.sub("", text)
    text = _LINK.sub(r"\1", text)
    text = _URL.sub("", text)
    text = _LIST_ITEM.sub("\n\n", text)
    text = _TAG.sub("", text)
    text = _EMPHASIS.sub(r"\2", text)
    text = _SPAN_AT.sub(lambda at: spans[int(at[1])], text).replace("`", "")
    paragraphs = (" ".join(each.split()) for each in re.split(r"\n\s*\n", text))
    return [each for each in paragraphs if each]


def sentences(paragraph: str) -> list[str]:
    """The sentences of a paragraph; abbreviations such as `e.g.` end none."""
    found: list[str] = []
    for part in _SENTENCE_END.split(paragraph):
        if found and _ABBREVIATED.search(found[-1]):
            found[-1] += " " + part
        else:
            found.append(part)
    return [each.strip() for each in found if each.strip()]


def identifier_words(identifier: str) -> list[str]:
    """The lower-case words of a path or an identifier: `Epoch::fromGregorianUTC` gives four."""
    return [
        word.lower()
        for part in re.split(r"[^\w]+|_", identifier)
        for word in _CAMEL.split(part)
        if word
    ]


def keywords(sentence: str, limit: int = 6) -> list[str]:
    """The words of `sentence` that carry meaning, lower-cased, in order, each once.

    Identifiers fall into their words; names such as PyPI and URLs stay whole.
    """
    found: dict[str, None] = {}
    for token in _WORD.findall(sentence.replace("'s ", " ")):
        parts = identifier_words(token) if _CAMEL_CASE.fullmatch(token) else [token.lower()]
        found |= dict.fromkeys(part for part in parts if len(part) > 1 and part not in STOPWORDS)
    return list(found)[:limit]

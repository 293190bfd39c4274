"""What a body says in words -> the function without those words: its remarks and its messages.

Remarks tell how and why in the words of the person who wrote the code, messages what a person sees
when it fails. Both are nearer to what people type than a first doc sentence, and neither is in the
doc, so that the document can keep all of it, as in a search index.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from corpus.pairs.base import CALLABLE, Proposal, names_of, to_pairs
from corpus.text import sentences, shares_a_word

VERSION = "5"

_LANGUAGES = ("rust", "java", "cpp")
"""Those whose comments and strings `_TOKEN` knows."""

_MAX_REMARKS, _MAX_MESSAGES = 2, 2
_MIN_WORDS, _MIN_REMARK_WORDS = 4, 5

# Tokens as far as words can hide in them: raw and plain strings, characters, comments.
_TOKEN = re.compile(
    r"""(?P<raw>b?r(?P<hashes>\#*)".*?"(?P=hashes))
      | (?P<string>b?"(?:\\.|[^"\\])*")
      | (?P<character>'(?:\\.|[^'\\\n])')
      | (?P<remark>(?:[ \t]*//[^\n]*\n?)+)
      | (?P<block>/\*.*?\*/)""",
    re.VERBOSE | re.DOTALL,
)
_PLACEHOLDER = re.compile(r"\{[^{}]*\}|\\[\s\S]")
_NOT_PROSE = re.compile(
    r"https?://|TODO|FIXME|XXX|HACK|noqa|clippy|rustfmt|^\s*[-=*#]{3,}|[;{}=]\s*$|::|\(\)|=>|->"
)
# A remark that goes on from the line above it, or tells of the work on the code.
_LEANS = re.compile(
    r"\W|.*(?:\(\s*\)|;)|(?:we|this|that|these|those|it|its|they|here|there|else|otherwise|also|still|already|only|just|now|so"
    r"|then|but|and|or|if|see|when|since|because|as|at|in|for|to|on|everything|nothing|happens|not|no|note|non"
    r"|same|like|unlike|maybe|perhaps|probably|safety|invariant|hack|workaround|you|i)\b|.*\b(?:above|below"
    r"|anymore|rlimit|speeds? up|for now|at this point)\b",
    re.IGNORECASE,
)
_LABEL = re.compile(r"^(?:SAFETY|NOTE|N\.B\.|Note|Safety|PERF|Step \d+|\d+[.)])\s*:?\s*")


def body_pairs(units: pl.DataFrame) -> pl.DataFrame:
    """Rows of `schema.PAIRS` for the rows of `units` whose code holds remarks or messages.

    Plain tests are left out: their remarks are about the test.
    """
    wanted = units.filter(~pl.col("is_test") | pl.col("dialect").is_not_null())
    wanted = wanted.filter(
        pl.col("language").is_in(_LANGUAGES),
        pl.col("kind").is_in(CALLABLE),
        pl.col("code").str.contains(r'//|/\*|"'),
    )
    proposals = []
    columns = ("unit_id", "prose", "code", "symbol")
    for unit_id, prose, code, symbol in wanted.select(columns).iter_rows():
        remarks, messages, without = words_of(code, names_of(symbol, ""))
        for kind, texts in (("implementation", remarks), ("symptom", messages)):
            proposals += [Proposal(unit_id, text, kind, prose, without) for text in texts]
    return to_pairs(proposals, units, "body", VERSION)


def words_of(code: str, names: frozenset[str]) -> tuple[list[str], list[str], str]:
    """The remarks and the messages of `code` that read as prose, and `code` without those.

    A remark that has no word of the function's name is about a detail that nobody searches for.
    """
    remarks: list[str] = []
    messages: list[str] = []
    kept: list[str] = []
    end = 0
    for token in _TOKEN.finditer(code):
        text = token[0]
        if token["remark"] or token["block"]:
            found, limit, into, replacement = _remark(text), _MAX_REMARKS, remarks, ""
        elif token["raw"] or token["string"]:
            found, limit, into, replacement = _message(text), _MAX_MESSAGES, messages, '"…"'
        else:
            continue
        if found is None or len(into) >= limit:
            continue
        if into is remarks and not _tells(found, names):
            continue
        into.append(found)
        kept += [code[end : token.start()], replacement]
        end = token.end()
        if replacement == "" and text.endswith("\n"):
            kept.append("\n" if not kept[-2].endswith("\n") else "")
    kept.append(code[end:])
    return remarks, messages, "".join(kept)


def _tells(remark: str, names: frozenset[str]) -> bool:
    is_long = len(list(_words(remark))) >= _MIN_REMARK_WORDS
    return is_long and not _LEANS.match(remark) and shares_a_word(remark, names)


def _remark(comment: str) -> str | None:
    lines = (line.strip().lstrip("/!*").rstrip("*/").strip() for line in comment.splitlines())
    text = " ".join(line for line in lines if line)
    if _NOT_PROSE.search(text):
        return None
    first = next(iter(sentences(_LABEL.sub("", text.replace("`", "")))), "")
    return _as_query(first)


def _message(literal: str) -> str | None:
    inner = literal[literal.index('"') + 1 : literal.rindex('"')]
    text = " ".join(_PLACEHOLDER.sub(" ", inner).replace("`", "").split())
    return None if _NOT_PROSE.search(text) else _as_query(text)


def _as_query(text: str) -> str | None:
    """`text` where it reads as words: enough of them, and mostly letters."""
    words = list(_words(text))
    letters = sum(character.isalpha() or character.isspace() for character in text)
    if len(words) < _MIN_WORDS or letters < 0.85 * len(text):
        return None
    return text.strip(" .:,;!'\"")


def _words(text: str) -> Iterator[str]:
    return (word for word in text.split() if any(map(str.isalpha, word)))

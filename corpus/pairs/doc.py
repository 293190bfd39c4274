"""Doc comment -> code. The first sentence as it stands, later sentences, and keyword forms.

The last two are there because people type keywords and properties, not first doc sentences.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import polars as pl

from corpus.pairs.base import Proposal, names_of, to_pairs
from corpus.text import conditions, keywords, prose, sentences, shares_a_word
from corpus.wording import points_elsewhere

VERSION = "2"

_MAX_PROSE, _MAX_CONDITIONS = 2, 1
_MIN_KEYWORDS = 3
_IDENTIFIER = re.compile(r"\b(?:[A-Z]+[a-z]+[A-Z]|[a-z]+[A-Z]|[A-Z][A-Za-z]*\d|\w+_)\w*\b")
_MAX_PROSE_WORDS = 25

# A later sentence that leans on the ones before it is no query by itself.
_LEANS = re.compile(
    r"\(|(this|it|its|these|those|that|they|such|so|also|otherwise|however|instead|then|note|notably"
    r"|see|here|but|and|or|specifically|for example|in this|in that|in these|if it|e\.g|i\.e|unlike|we|you"
    r"|because|thus|hence|therefore|finally|first|second|next|additionally|moreover|furthermore|now)\b",
    re.IGNORECASE,
)


def doc_pairs(units: pl.DataFrame) -> pl.DataFrame:
    """Rows of `schema.PAIRS` for the documented rows of `units`."""
    documented = units.filter(pl.col("doc") != "")
    columns = ("unit_id", "doc", "language", "symbol", "signature", "code")
    proposals = [
        each
        for unit in documented.select(columns).iter_rows(named=True)
        for each in proposals_of(unit)
    ]
    return to_pairs(proposals, units, "doc", VERSION)


def proposals_of(unit: Mapping[str, str]) -> list[Proposal]:
    """What a person who wants this unit might type, as far as its doc tells."""
    unit_id, doc, language, code = (unit[key] for key in ("unit_id", "doc", "language", "code"))
    every = [sentence for paragraph in prose(doc, language) for sentence in sentences(paragraph)]
    if not every:
        return []
    names = names_of(unit["symbol"], unit["signature"])
    rest = " ".join(every[1:])
    found = []
    if not points_elsewhere(every[0]) and not _is_of_another(every[0], language, code):
        found.append(Proposal(unit_id, every[0].rstrip(". "), "doc", rest))
        words = keywords(every[0])
        # Fewer words, or none of the header's, are what is left of a sentence that said more.
        if len(words) >= _MIN_KEYWORDS and shares_a_word(" ".join(words), names):
            found.append(Proposal(unit_id, " ".join(words), "keywords", rest))
    standing = [
        index
        for index in range(1, len(every))
        if _stands_alone(every[index])
        and shares_a_word(every[index], names)
        and not _is_of_another(every[index], language, code)
    ]
    for index in standing[:_MAX_PROSE]:
        others = " ".join(every[:index] + every[index + 1 :])
        found.append(Proposal(unit_id, every[index].rstrip(". "), "prose", others))
    # What goes wrong and what must hold stands under a heading of its own, outside of the prose.
    for kind, sentence in conditions(doc, language)[:_MAX_CONDITIONS]:
        found.append(Proposal(unit_id, sentence.rstrip(". "), kind, " ".join(every)))
    return found


def _stands_alone(sentence: str) -> bool:
    words = len(sentence.split())
    leans = _LEANS.match(sentence) or points_elsewhere(sentence)
    return 4 <= words <= _MAX_PROSE_WORDS and not leans


def _is_of_another(sentence: str, language: str, code: str) -> bool:
    """A TLA+ comment stands before or after what it is about: names in it that the code lacks tell."""
    if language != "tlaplus":
        return False
    return any(name not in code for name in _IDENTIFIER.findall(sentence))

"""Doc comment -> code. The first sentence as it stands, later sentences, and keyword forms.

The last two are there because people type keywords and properties, not first doc sentences.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import polars as pl

from corpus.pairs.base import Proposal, names_of, to_pairs
from corpus.pairs.telling import is_deed
from corpus.text import conditions, keywords, prose, sentences, shares_a_word
from corpus.wording import points_elsewhere

VERSION = "4"

_MAX_PROSE, _MAX_CONDITIONS = 2, 1
_MIN_KEYWORDS, _MAX_KEYWORDS, _MIN_CONTENT = 4, 8, 4
_SAYS_NOTHING = frozenset(
    "method function class struct type constructor private public internal helper invoked called used "
    "held value object instance during implementation".split()
)
_MATHEMATICS = re.compile(r"[∀-⋿←-⇿]")
_DEICTIC = re.compile(
    r"\b(?:above|below|following|previous(?:ly)?)\b|\bif (?:it|so|they|not)\b.{0,12}$",
    re.IGNORECASE,
)
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
    names, own = names_of(unit["symbol"], unit["signature"]), names_of(unit["symbol"], "")
    rest = " ".join(every[1:])
    found = []
    first = every[0]
    is_fit = not points_elsewhere(first) and not _is_of_another(first, language, code)
    # The constants and variables of a specification have a label each, and many have the same.
    is_label = language == "tlaplus" and not _says_enough(first)
    if is_fit and not is_label and (_says_enough(first) or shares_a_word(first, own)):
        found.append(Proposal(unit_id, every[0].rstrip(". "), "doc", rest))
        words = keywords(every[0], limit=_MAX_KEYWORDS + 1)
        # Fewer words, or none of the symbol's, are what is left of a sentence that said more, and of a
        # longer one the end is as good as the beginning.
        if _MIN_KEYWORDS <= len(words) <= _MAX_KEYWORDS and shares_a_word(" ".join(words), own):
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
    leans = _LEANS.match(sentence) or _DEICTIC.search(sentence) or points_elsewhere(sentence)
    # What it does, and not what somebody should know of it.
    return (
        4 <= words <= _MAX_PROSE_WORDS
        and not leans
        and is_deed(sentence.split(maxsplit=1)[0].lower())
    )


def _says_enough(sentence: str) -> bool:
    if _MATHEMATICS.search(sentence):
        return True
    return sum(word not in _SAYS_NOTHING for word in keywords(sentence, limit=40)) >= _MIN_CONTENT


def _is_of_another(sentence: str, language: str, code: str) -> bool:
    """A TLA+ comment stands before or after what it is about: names in it that the code lacks tell."""
    if language != "tlaplus":
        return False
    return any(name not in code for name in _IDENTIFIER.findall(sentence))

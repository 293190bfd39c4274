"""Doc comment -> code. The first sentence as it stands, later sentences, and keyword forms.

The last two are there because people type keywords and properties, not first doc sentences.
"""

from __future__ import annotations

import re

import polars as pl

from corpus.pairs.base import Proposal, to_pairs
from corpus.text import conditions, keywords, prose, sentences

VERSION = "2"

_MAX_PROSE, _MAX_CONDITIONS = 2, 1
_MAX_PROSE_WORDS = 25

# A later sentence that leans on the ones before it is no query by itself.
_LEANS = re.compile(
    r"\(|(this|it|its|these|those|that|they|such|so|also|otherwise|however|instead|then|note|notably"
    r"|see|here|but|and|or|specifically|for example|in this|in that|in these|if it|e\.g|i\.e)\b",
    re.IGNORECASE,
)


def doc_pairs(units: pl.DataFrame) -> pl.DataFrame:
    """Rows of `schema.PAIRS` for the documented rows of `units`."""
    documented = units.filter(pl.col("doc") != "").select("unit_id", "doc", "language")
    proposals = [each for row in documented.iter_rows() for each in proposals_of(*row)]
    return to_pairs(proposals, units, "doc", VERSION)


def proposals_of(unit_id: str, doc: str, language: str = "rust") -> list[Proposal]:
    """What a person who wants this unit might type, as far as its doc tells."""
    every = [sentence for paragraph in prose(doc, language) for sentence in sentences(paragraph)]
    if not every:
        return []
    rest = " ".join(every[1:])
    found = [Proposal(unit_id, every[0].rstrip(". "), "doc", rest)]
    words = keywords(every[0])
    if len(words) >= 2:
        found.append(Proposal(unit_id, " ".join(words), "keywords", rest))
    standing = [index for index in range(1, len(every)) if _stands_alone(every[index])]
    for index in standing[:_MAX_PROSE]:
        others = " ".join(every[:index] + every[index + 1 :])
        found.append(Proposal(unit_id, every[index].rstrip(". "), "prose", others))
    # What goes wrong and what must hold stands under a heading of its own, outside of the prose.
    for kind, sentence in conditions(doc, language)[:_MAX_CONDITIONS]:
        found.append(Proposal(unit_id, sentence.rstrip(". "), kind, " ".join(every)))
    return found


def _stands_alone(sentence: str) -> bool:
    words = len(sentence.split())
    return 4 <= words <= _MAX_PROSE_WORDS and not _LEANS.match(sentence)

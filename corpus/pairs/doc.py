"""Doc comment -> code. The first sentence as it stands, later sentences, and keyword forms.

The last two are there because people type keywords and properties, not first doc sentences.
"""

from __future__ import annotations

import polars as pl

from corpus.pairs.base import Proposal, to_pairs
from corpus.text import keywords, prose, sentences

VERSION = "1"

_MAX_PROSE = 2


def doc_pairs(units: pl.DataFrame) -> pl.DataFrame:
    """Rows of `schema.PAIRS` for the documented rows of `units`."""
    proposals = [
        proposal
        for unit_id, doc in units.filter(pl.col("doc") != "").select("unit_id", "doc").iter_rows()
        for proposal in proposals_of(unit_id, doc)
    ]
    return to_pairs(proposals, units, "doc")


def proposals_of(unit_id: str, doc: str) -> list[Proposal]:
    """What a person who wants this unit might type, as far as its doc tells."""
    every = [sentence for paragraph in prose(doc) for sentence in sentences(paragraph)]
    if not every:
        return []
    rest = " ".join(every[1:])
    found = [Proposal(unit_id, every[0].rstrip(". "), "doc", rest)]
    words = keywords(every[0])
    if len(words) >= 2:
        found.append(Proposal(unit_id, " ".join(words), "keywords", rest))
    for index, sentence in enumerate(every[1 : 1 + _MAX_PROSE], start=1):
        others = " ".join(every[:index] + every[index + 1 :])
        found.append(Proposal(unit_id, sentence.rstrip(". "), "prose", others))
    return found

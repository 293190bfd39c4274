"""Whether a sentence of a doc is in another language than English: by its script, then by its words."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

_MIN_WORDS = 3
_MARGIN = 15.0
"""How much likelier another language must be, as a difference of log probabilities.

Names and formulas look like anything. Of 20,000 first sentences of Rust docs in English, and as many
keyword forms of them, 0 would take 28 for something else, 10 takes 6, and 15 none.
"""
_MOST_FOREIGN = 0.25
"""Share of letters in another script that an English sentence may quote."""

# Greek is left out: its letters are mathematics.
_SCRIPT = re.compile(
    "[\u0400-\u077f\u0900-\u0eff\u10a0-\u11ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]"
)
_LETTER = re.compile(r"[^\W\d_]")
_PLAIN_WORD = re.compile(r"(?<![\w.:`<&-])[^\W\d_]+(?![\w`(<-]|[.:]\w)")
_CAPITAL_WITHIN = re.compile(r"[a-z][A-Z]|[A-Z]{2}")
_LATIN = "en cs da de es fi fr hu id it nl no pl pt ro sv tr vi".split()

# Small words of these languages. Hardly a sentence has none of them, nor a letter outside ASCII; few
# English ones have any, and only those with one are worth a closer look.
_SMALL_WORDS = frozenset(
    """
    aan af al alla alle auf aus av bei bij com como con cu dan das de deg dei del della delle dem den der
    des det di die din do dos du een ei ein eine einem einen einer eines el em en er est et ett fra
    fram fue gli hat het hoz il ile im in ist itu je la las le les lo los mais med mit na nach nao naar
    ne nel nem nie nicht nu och oder og os ou over para pas per po pour por prin pro que se si sich sie
    sind skal som su sul sur til till tra um uma un una und une uit van ve vi voi voor vom von wird yang
    za zu zum zur
    """.split()
) - frozenset("do er in over per pro".split())
_ENGLISH = frozenset(
    """
    and are be been but can does each every for from given has have if into must not of should some that the
    then there these this those to was were when where whether which while will with without
    """.split()
)


def is_foreign(text: str) -> bool:
    """Whether `text` is surely not English. A few words, names or formulas are never sure."""
    if not text.isascii():
        quoted = len(_SCRIPT.findall(text))
        if quoted > 1 and quoted > _MOST_FOREIGN * len(_LETTER.findall(text)):
            return True
    small = set(text.lower().split())
    if (text.isascii() and _SMALL_WORDS.isdisjoint(small)) or not _ENGLISH.isdisjoint(small):
        return False
    words = [word for word in _PLAIN_WORD.findall(text) if not _CAPITAL_WITHIN.search(word)]
    if len(words) < _MIN_WORDS or sum(map(str.islower, words)) < _MIN_WORDS - 1:
        return False
    (likeliest, score), *others = _identifier().rank(" ".join(words))
    return likeliest != "en" and score - dict(others)["en"] > _MARGIN


@cache
def _identifier() -> LanguageIdentifier:
    # Half a second, which most processes never need.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    identifier.set_languages(_LATIN)
    return identifier

"""Keywords for a definition: its telling words, which are frequent in it and in few others."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from corpus.pairs.base import CALLABLE
from corpus.proposals.base import MIN_WORDS, SYNTAX, Unit, Wording
from corpus.text import STOPWORDS, identifier_words, stem

_KEYWORDS, _KEYWORDS_OF_DOC = 4, 2
_COMMON = 0.05
"""Share of the definitions that have a word: where more have it, nobody searches for it."""
_ATTRIBUTE = re.compile(r"^\s*(?:#!?\[.*?\]|@\w+.*)\s*$", re.MULTILINE)
_PROOF = re.compile(r"#\[[\w:, (]*\bproof\b|\blemma\b|\btheorem\b|\bproof fn\b")
_CALLABLE = (*CALLABLE, "theorem", "lemma", "axiom", "operator")
_MIN_LINES = 4
"""Of code that words are taken from."""


def keyed(
    units: Collection[Unit], told: Mapping[str, set[str]], prose: Counter[str]
) -> Iterator[tuple[str, Wording]]:
    """Keywords with the id of the definition that they are of.

    Of its name they have all words but one at most, of its doc two.

    Args:
        units: the definitions that may be asked for.
        told: the words of each one's doc, by id.
        prose: in how many docs a word stands.
    """
    said = {unit["unit_id"]: _words(unit) for unit in units}
    spread = Counter(word for words in said.values() for word in words)
    wanted = (
        unit
        for unit in units
        if unit["kind"] in _CALLABLE and unit["end_line"] - unit["start_line"] >= _MIN_LINES
    )
    for unit in wanted:
        doc = {stem(word) for word in told[unit["unit_id"]]}
        chosen: dict[str, str] = {}
        of_doc = 0
        for word in _ranked(unit, said[unit["unit_id"]], spread, prose, len(said)):
            is_of_doc = stem(word) in doc
            if (
                len(chosen) < _KEYWORDS
                and stem(word) not in chosen
                and (not is_of_doc or of_doc < _KEYWORDS_OF_DOC)
            ):
                chosen[stem(word)] = word
                of_doc += is_of_doc
        if len(chosen) >= MIN_WORDS:
            ends = ["proof"] if _PROOF.search(unit["code"]) else []
            yield unit["unit_id"], Wording("keywords", " ".join([*chosen.values(), *ends]))


def _ranked(
    unit: Unit,
    words: Counter[str],
    spread: Counter[str],
    prose: Counter[str],
    units: int,
) -> list[str]:
    """The words to ask by, the best first: of the name but for one, of its owner, then of the rest."""
    *_, owner, name = ["", *re.split(r"::|[.#]", unit["symbol"])]
    rarest = sorted({*identifier_words(name)} & {*words}, key=lambda word: (spread[word], word))
    if len(identifier_words(name)) > 1:
        rarest = rarest[: len(identifier_words(name)) - 1]
    left = {*identifier_words(name)} - {*rarest}
    owners = sorted({*identifier_words(owner)} & {*words}, key=lambda word: (spread[word], word))
    header = {*identifier_words(unit["signature"])}
    scores = {
        word: (1 + math.log(times)) * math.log(1 + units / spread[word]) * (1 + (word in header))
        for word, times in words.items()
        # A word that is hardly ever written in prose is an abbreviation of somebody's.
        if prose[word] > min(2, units // 100)
        and 1 < spread[word] <= max(10, _COMMON * units)
        and word not in left
    }
    return [*rarest[:2], *owners[:1], *sorted(scores, key=lambda each: (-scores[each], each))]


def _words(unit: Unit) -> Counter[str]:
    """The words of the definition and how often it has them, in their order."""
    text = f"{unit['symbol']} {unit['signature']} {_ATTRIBUTE.sub('', unit['code'])}"
    return Counter(
        word
        for word in identifier_words(text)
        if len(word) > 2 and word.isalpha() and word not in STOPWORDS and word not in SYNTAX
    )

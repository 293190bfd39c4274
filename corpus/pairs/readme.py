"""README -> code: what a section of documentation says of the units that it names.

Precision first: a sentence counts where it says what a name is for, and a name where few units bear it.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from corpus.english import is_foreign
from corpus.licences.policy import STRICTNESS
from corpus.pairs.base import Proposal, normal, to_pairs
from corpus.pairs.names import MAX_MEANINGS, Names
from corpus.pairs.telling import aim, described, told
from corpus.text import identifier_words, keywords, sentences

VERSION = "2"

_MAX_PER_SECTION = 3
_MIN_SCORE = 0.4
_TITLE, _PROSE, _CODE = 1.0, 1.0, 0.7

_BOILERPLATE = re.compile(
    r"""\b(?:
    install(?:ing|ation)?|set[- ]?up|download|build(?:ing)?|compil(?:e|ing|ation)|requirements|prerequisites
    |msrv|minimum\ supported|versioning|licen[cs](?:e|es|ing)|contribut(?:e|ing|ions?|ors?)|badges?|sponsors?
    |credits?|acknowledge?ments?|authors?|team|maintainers?|thanks|code\ of\ conduct|community|support(?:ed)?
    |security|change\ ?log|release\ notes|releas(?:e|es|ing)|history|migrat(?:ion|ing)|upgrad(?:e|ing)
    |breaking|deprecat\w+|status|roadmap|todo|future\ work|known\ issues|limitations|troubleshooting
    |disclaimer|faq|(?:table\ of\ )?contents|benchmarks?|develop(?:ment|ing|ers?)|testing|tests?
    |continuous\ integration|publications?|cit(?:e|ing|ations?)|references|links|resources|related
    |alternatives|further\ reading
    )\b""",
    re.IGNORECASE | re.VERBOSE,
)
"""Titles of sections that say nothing of the code."""


_PRAISE = re.compile(
    r"(?:the )?(?:usual|general|foundation|heart|core|basis|main|central)\b|try first|provides? both",
    re.IGNORECASE,
)
"""What is said of a role, and not of what is done."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    unit_id: str
    query: str
    score: float


def readme_pairs(units: pl.DataFrame, sections: pl.DataFrame) -> pl.DataFrame:
    """Rows of `schema.PAIRS` for what `sections` say of `units`.

    Args:
        units: rows of `schema.UNITS` of one source.
        sections: rows of `schema.SECTIONS` of the same source.
    """
    names = Names(units)
    columns = units.select("unit_id", "prose", "license_tier").iter_rows()
    known = {unit_id: (prose, tier) for unit_id, prose, tier in columns}
    found: dict[str, dict[str, Proposal]] = defaultdict(dict)
    for section in sections.sort("path", "start_line").iter_rows(named=True):
        for each in _best(_candidates(section, names)):
            prose, tier = known[each.unit_id]
            # The pair will be under the licence of the code: the text's own may not be stricter.
            if STRICTNESS[section["license_tier"]] <= STRICTNESS[tier]:
                rest = _without(prose, each.query)
                proposal = Proposal(each.unit_id, each.query, "prose", rest)
                found[normal(each.query)].setdefault(each.unit_id, proposal)
    proposals = [
        proposal
        for answers in found.values()
        if len(answers) <= MAX_MEANINGS
        for proposal in answers.values()
    ]
    return to_pairs(proposals, units, "readme", VERSION)


def _best(candidates: Iterable[_Candidate]) -> list[_Candidate]:
    """The best candidate of each unit, of three units at most."""
    best: dict[str, _Candidate] = {}
    for each in candidates:
        if each.score >= _MIN_SCORE and each.score > _score(best.get(each.unit_id)):
            best[each.unit_id] = each
    return sorted(best.values(), key=lambda each: -each.score)[:_MAX_PER_SECTION]


def _score(candidate: _Candidate | None) -> float:
    return candidate.score if candidate else 0.0


def _candidates(section: dict[str, Any], names: Names) -> Iterator[_Candidate]:
    if any(map(_BOILERPLATE.search, section["titles"])):
        return
    linked: dict[int, set[str]] = defaultdict(set)
    for link in section["links"]:
        linked[link["paragraph"]].add(_target(section["path"], link["path"]))
    # A title of several names is of what they have in common.
    said = [sentences(each) for each in section["prose"]]
    alone = sum(name["kind"] == "title" for name in section["names"]) == 1
    for name in section["names"]:
        query = _query(name, said) if alone or name["kind"] != "title" else None
        if query is None or _PRAISE.match(query) or is_foreign(query):
            continue
        weight = {"title": _TITLE, "prose": _PROSE, "code": _CODE}[name["kind"]]
        places = linked.get(name["paragraph"], ())
        meanings = names.meanings(
            name["name"], section["path"], linked=places, is_called=_is_called(name, section)
        )
        for meaning in meanings:
            yield _Candidate(meaning.unit_id, query, weight * meaning.score)


def _target(path: str, link: str) -> str:
    """The path of the file that `link` leads to from the file `path`."""
    folder = "" if link.startswith("/") else posixpath.dirname(path)
    return posixpath.normpath(posixpath.join(folder, link.lstrip("/")))


def _query(name: dict[str, Any], said: list[list[str]]) -> str | None:
    """What the paragraph at which a name stands, given as sentences, says of it."""
    if name["kind"] == "title":
        first = next(iter(said[0]), "") if said else ""
        return described(first, name["name"])
    if name["paragraph"] < 0:
        return None
    every = said[name["paragraph"]]
    if name["kind"] == "code":
        query = aim(every[-1]) if every else None
        return query if query and _is_about(query, name["name"]) else None
    return next(filter(None, (told(each, name["name"]) for each in every)), None)


def _is_called(name: dict[str, Any], section: dict[str, Any]) -> bool:
    """True where the text shows arguments of the name, or a block of code uses it."""
    if name["kind"] == "code":
        return True
    text = section["titles"][-1] if name["kind"] == "title" else section["prose"][name["paragraph"]]
    return f"{name['name']}(" in text


def _is_about(query: str, name: str) -> bool:
    """True where each word of `name`, of which there must be several, occurs in `query`."""
    words = identifier_words(re.split(r"::|\.|#", name)[-1])
    said = keywords(query, limit=40)
    return len(words) > 1 and all(any(_is_same(word, each) for each in said) for word in words)


def _is_same(word: str, other: str) -> bool:
    """True for forms of one word: parse, parses, parsing."""
    length = min(len(word), len(other))
    return word == other or (
        length > 3 and word[: max(4, length - 2)] == other[: max(4, length - 2)]
    )


def _without(prose: str, query: str) -> str:
    """The sentences of `prose` that do not hold `query`."""
    key = normal(query)
    return " ".join(each for each in sentences(prose) if key not in normal(each))

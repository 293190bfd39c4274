"""Words of docs and names: prose, its sentences and conditions, keywords, identifier words."""

from __future__ import annotations

import re

from corpus.prose import prose, sections

__all__ = ["STOPWORDS", "conditions", "identifier_words", "keywords", "prose", "sentences"]

_SENTENCE_END = re.compile(r"(?:(?<=[.!?])|(?<=[.!?][\"')\]]))\s+(?=[\"'(\[]?[A-Z`0-9∀∃])")
_ABBREVIATED = re.compile(r"\b([eE]\.g|[iI]\.e|etc|[cC]f|vs|resp|approx|[fF]ig|Eq|Sec|No)\.$")
_WORD = re.compile(r"\w+(?:-\w+)*")
_CONTRACTED = re.compile(r"(?:\b(?:ca|sha|wo))?n['’]t\b", re.IGNORECASE)
_POSSESSIVE = re.compile(r"['’]s\b")
_NEGATIONS = frozenset({"no", "not"})
_CAMEL_CASE = re.compile(r"[a-z]+([A-Z][a-z0-9]+)+|([A-Z][a-z0-9]+){2,}|.*_.*")
_PLURAL = re.compile(r"(?<=\w\w)(?:es?|(?<!s)s)$")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

STOPWORDS = frozenset(
    """
    a about all also an and any are as at be been but by can do does each for from has have if in into
    is it its may more must no not of on or other our out over should so some such than that the their
    them then there these they this those to up us use used using very was we what when where whether
    which while who will with would you your given returns return whose here just only
    """.split()
)


_SYMPTOMS = "panics panic errors error raises raise throws throw exceptions exception".split()
_PROPERTIES = (
    "safety pre precondition preconditions requires post postcondition postconditions ensures "
    "invariant invariants"
).split()
_CONDITIONS: dict[str, str] = {
    **dict.fromkeys(_SYMPTOMS, "symptom"),
    **dict.fromkeys(_PROPERTIES, "property"),
}
_MAX_ENTRIES = 3
_MIN_WORDS = 4
_NONE = re.compile(
    r"(?:this |the |these )?(?:\w+ ){0,2}(?:never|none|n/a|no|nothing|does(?:n't| not)|can(?:not|'t)"
    r"|will (?:not|never)|is infallible)\b",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"(?:if|when|whenever|unless)\b", re.IGNORECASE)
_RAISED = re.compile(
    r"\{?((?:\w+[.:]+)*\w+)\}?:?\s+(?:-+\s+)?(?=(?:if|when|whenever|unless|on|in case|for)\b)",
    re.IGNORECASE,
)


def conditions(doc: str, language: str = "rust") -> list[tuple[str, str]]:
    """What a doc says of when its code fails, a `symptom`, or of what must hold, a `property`.

    Each is the first sentence of a section such as Panics, Errors or Safety, or of an entry of one
    that lists exceptions; sections that say that nothing can go wrong give none.
    """
    found = []
    for title, paragraphs in sections(doc, language):
        kind = _CONDITIONS.get(title)
        for said in _entries(title, paragraphs) if kind else ():
            sentence = next(iter(sentences(said)), "").rstrip(". ")
            if len(sentence.split()) >= _MIN_WORDS and not _NONE.match(sentence):
                is_clause = _CLAUSE.match(sentence)
                query = f"{title} {_lowered(sentence)}" if is_clause else sentence
                found.append((kind, query.rstrip(":")))
    return found


def _entries(title: str, paragraphs: list[str]) -> list[str]:
    if title.startswith(("raise", "throw", "exception")):
        return [_as_sentence(each) for each in paragraphs[:_MAX_ENTRIES]]
    if len(paragraphs) > 1 and paragraphs[0].endswith((":", " if", " that", " when")):
        return [f"{paragraphs[0].rstrip(':')} {_lowered(paragraphs[1])}"]
    return paragraphs[:1]


def _as_sentence(entry: str) -> str:
    """`ValueError if x` for `ValueError: If x` and `{ValueError} - If x`."""
    raised = _RAISED.match(entry)
    if raised is None:
        return entry
    return f"{raised[1]} {_lowered(entry[raised.end() :])}"


def _lowered(text: str) -> str:
    """`text` as it stands within a sentence; what is no plain word keeps its capital."""
    return text[0].lower() + text[1:] if re.match(r"[A-Z][a-z]*\b", text) else text


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


def keywords(sentence: str, limit: int = 8) -> list[str]:
    """The words of `sentence` that carry meaning, lower-cased, in order, each once.

    Identifiers fall into their words; names such as PyPI and URLs stay whole, and so do compounds such
    as `as-array`. Negations stay: without them the rest says the opposite.
    """
    found: dict[str, None] = {}
    for token in _WORD.findall(_CONTRACTED.sub(" not", _POSSESSIVE.sub("", sentence))):
        if "-" in token:
            found |= dict.fromkeys(token.lower().split("-"))
            continue
        parts = identifier_words(token) if _CAMEL_CASE.fullmatch(token) else [token.lower()]
        meant = (part for part in parts if part not in STOPWORDS or part in _NEGATIONS)
        found |= dict.fromkeys(part for part in meant if len(part) > 1)
    return list(found)[:limit]


def shares_a_word(text: str, names: frozenset[str]) -> bool:
    """Whether a word of `text` that carries meaning is one of `names`, as `stem` makes both alike."""
    return any(stem(word) in names for word in keywords(text, limit=60))


def stem(word: str) -> str:
    """The beginning of a word, which most of its forms share: `insert`, `insertion`; `node`, `nodes`."""
    return _PLURAL.sub("", word[:5])

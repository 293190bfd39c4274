"""What a query is instead of words that somebody types: a notice, code, signs, or just a name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from corpus.text import STOPWORDS, identifier_words

_NOTICE = re.compile(
    r"""[\W_]*(?:
      (?P<todo>(?-i:TODO|FIXME|XXX|HACK|TBD|WIP)\b
        | (?:todo|fixme|tbd)\b\s*(?:$|[:!(-]))
    | (?P<deprecation>(?:(?:warning|note|caution|important)\W+)?
        (?:this\s(?:\w+\s){0,3}?(?:is|was|has\sbeen)\s(?:now\s)?)?deprecated
        (?:\W*$ | \W+(?:alias|and\swill|as\sof|because|by|do\snot|don't|due|for|in|no\slonger|please|prefer
            |replaced|see|since|superseded|to\sbe|use|will\sbe|wrapper)\b))
    | (?P<legal>copyright\b\W*(?:\(c\)|©|\d{4}|holders?\b|by\b|the\b.*authors)|©|\(c\)\W*\d{4}|spdx-
        | licen[sc]ed\s(?:under|to)\b | all\srights\sreserved | permission\sis\shereby | redistribution\sand
        | this\s(?:file|library|program|software|source(?:\scode)?|work)\sis\s(?:available\sunder|distributed
            |free\ssoftware|governed|licen[sc]ed|made\savailable|provided|released\sunder|subject\sto)
        | (?-i:@author)\b)
    | (?P<generated>(?:this\s(?:\w+\s){0,4}?)?(?:(?:is|was|were|been)\s)?
            (?:auto-?(?:matically)?[\s-]?)generated(?:\W*$|\s(?:by|code|file|for|from|method|source)\b)
        | generated\s(?:by|client\simplementations|from|server\simplementations|trait\scontaining)\b
        | (?:begin|end)\stranslation\b
        | do\snot\s(?:edit|modify)\W*$ | non-javadoc\b
        | (?:visit|enter|exit)\sa\sparse\stree\sproduced\sby\b
        | (?:no\s|missing\s|todo\W+)doc(?:s|umentation)?\b\W*(?:$|available|for|provided|yet)
        | undocumented\W*$ | documentation\sgoes\shere | (?:your\s)?description\s(?:goes\s)?here
        | (?:missing|placeholder)\s(?:comment|description|docstring|summary)\b | placeholder\W*$
        | lorem\sipsum
        | (?:trait\s(?:declaration|implementation)|[\w:]+)?\W*\[[^\[\]]*\][^'"]{0,80}\ssource:\s['"])
    )""",
    re.VERBOSE | re.IGNORECASE,
)
"""What begins like this is a notice. The groups are its kinds."""

_POINTER = re.compile(
    r"""\W*(?:
        (?:\.\.\.|…) | see\b | (?:cf|ditto|idem)\b | as\s(?:above|below|before)\b | same\sas\b | unlike\b
        | another\sversion\b | possibly\b | in\sfact\b | note\b | nb\b | hack\b
        | (?:the|this)\s(?:following|above)\b
        | the\s(?:next|previous)\s(?:\w+\s)?(?:definition|formula|lemma|operator|theorem)s?\b
        | like\s[`\w:.]+,?\s(?:but|except)\b
        | this\sis\s(?:the|a)\s(?:main\s)?(?:theorem|lemma|invariant)\b | (?:last\s)?modified\s(?:by|on)\b
        | finally\b | for\sgenerality\b | have\sto\b | this\s(?:isn't|is\snot|doesn't|does\snot)\b
        | (?:pre|post)-?conditions?\b | we\b | let(?:'s|\sus)\b
        | (?:anchor|author|created|date|example|file\s?name|purpose|usage|version)s?\W*:
        | [\w\s]{1,24}:\s*[\w./-]+\W*$
    )""",
    re.VERBOSE | re.IGNORECASE,
)
"""What begins like this speaks of something else, or of where to read."""

_CODE = re.compile(
    r":[a-z]+(?:\s[^:]{0,60})?:(?:\s|$)|[\w:.<>*&\[\]]+(?:\s[\w:.<>*&]+)?\s*(?:\(|=(?!=)).*[;{]\W*$"
)
_CODE_OF: Mapping[str, re.Pattern[str]] = {
    "lean": re.compile(
        r"(?:info|error|warning):\s|#\w|@\[|(?:.*\S)?\s*:=(?:\s*by\b.*)?$", re.DOTALL
    ),
    "python": re.compile(
        r">>>|@\w+$|def\s\w+\(|class\s\w+[(:]|from\s\S+\simport\s|import\s[\w.]+$"
    ),
    "smtlib": re.compile(
        r"\(\s*(?:assert|check-|declare-|define-|forall|exists|get-|let|pop|push|set-|and|or|not|=>?)"
    ),
    "tlaplus": re.compile(r"\S+(?:\([^)]*\))?\s*==(?:\s|$)|/\\|\\/|\\\*|----"),
}
_NO_LETTERS = re.compile(r"[\x00-@\[-`{-\x7f]+")
_SIGNS = re.compile(r"[\d<=>+*/^|&~%_-]")
_TOKEN = re.compile(r"[^\W_]+")
_SEPARATOR = re.compile(r"[\W_]+")
_SAYS_LITTLE = STOPWORDS | frozenset(
    "create creates creating construct constructs get gets getter new obtain obtains retrieve retrieves "
    "set sets setter self".split()
)
_MIN_REPEATING = 4


def notice(query: str) -> str | None:
    """`todo`, `deprecation`, `legal` or `generated` where `query` begins as such a notice does."""
    found = _NOTICE.match(query)
    return found.lastgroup if found else None


def points_elsewhere(query: str) -> bool:
    """Whether `query` only points to something else, leads in to it, or is a field of a file's header."""
    return _POINTER.match(query) is not None or query.rstrip().endswith(":")


def is_code(query: str, language: str) -> bool:
    """Whether `query` is a statement, a definition or what a tool prints, or a list of typed fields."""
    special = _CODE_OF.get(language)
    return bool(_CODE.match(query) or (special and special.match(query)))


def repeats(query: str, most: float) -> bool:
    """Whether one word, of four or more, makes up more than a share of `most` of `query`."""
    words = query.split()
    # So many different words leave too few places for any one of them.
    if len(words) < _MIN_REPEATING or len(set(words)) > len(words) * (1 - most) + 1:
        return False
    [(_, times)] = Counter(word.casefold() for word in words).most_common(1)
    return times > most * len(words)


def has_letters(query: str, least: float) -> bool:
    """Whether letters are a share of `least` of `query`, where each excuses one digit or sign.

    Signs beyond ASCII are letters: ∀ and ≤ are what people search formulas with.
    """
    letters = len(_NO_LETTERS.sub("", query))
    wanted = least * (len(query) - query.count(" "))
    return letters >= wanted or letters + min(letters, len(_SIGNS.findall(query))) >= wanted


def only_names(query: str, symbol: str) -> bool:
    """Whether every word of `query` that says something is a word of `symbol`."""
    flat = _SEPARATOR.sub("", symbol).lower()
    said = []
    for token in _TOKEN.findall(query):
        word = token.lower()
        if word in _SAYS_LITTLE:
            continue
        if word.rstrip("s") not in flat:
            return False
        said.append(token)
    names = {word.rstrip("s") for word in identifier_words(symbol)}
    return all(word.rstrip("s") in names for token in said for word in identifier_words(token))

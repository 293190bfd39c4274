"""What a sentence says that a named thing does: the part of it that a person might type, or nothing.

A sentence that merely mentions a name, calls it, compares with it or tells of its past says nothing.
"""

from __future__ import annotations

import re
from functools import lru_cache

from corpus.markup.base import is_compound
from corpus.text import STOPWORDS, identifier_words, keywords

_MIN_CHARS, _MAX_CHARS = 20, 200
_MAX_SENTENCE = 400
_MIN_CONTENT = 3

_KIND = (
    r"(?:(?:helper|utility|free|associated|inherent|abstract|generic|marker|derive|proc|smart) )?"
    r"(?:functions?|methods?|types?|structs?|structures?|traits?|class(?:es)?|macros?|modules?|enums?"
    r"|operators?|predicates?|lemmas?|theorems?|interfaces?|objects?|instances?|wrappers?|attributes?"
    r"|annotations?|decorators?|components?|resources?|plugins?|systems?|constructors?|procedures?"
    r"|tactics?|definitions?|axioms?|pointers?)"
)
_SEPARATOR = re.compile(r"::|\.|#")
_GENERICS = r"(?:(?:::)?<[^<>]{0,80}(?:<[^<>]{0,80}>)?[^<>]{0,40}>)?"
_SUBJECT = re.compile(r"(?:(?:the|an?|our|each|every)\s+)?((?:[\w-]+\s+){0,2})$", re.IGNORECASE)
_MEANS = re.compile(r"\s*(?:\([^()]*\)\s*)?(?::|[—–]|(?<=\s)-{1,3})\s+(.+)$", re.DOTALL)
_PURPOSE = re.compile(
    rf"(?: {_KIND})?+ (?:"
    r"(?:is|are|can be|may be|will be) (?:mainly |mostly |typically |usually |often |commonly )?"
    r"(?:used|useful|responsible|designed|intended|meant|provided|a way|the way) (?:to|for) (?!be\b)"
    r"|(?:lets|let|allows?|enables?|helps?) (?:you|us|users?|one|callers?|developers?)(?: to)? "
    r"|makes it (?:possible|easy|easier|simple) to |provides? (?:a|an) (?:\w+ )?way (?:to|of) "
    r")(.+)$",
    re.DOTALL,
)
_IS = re.compile(rf"(?: {_KIND})?+ (?:is|are) ((?:an?|the)\s.+)$", re.DOTALL)
_DOES = re.compile(
    rf"(?: {_KIND})?+ (?:also |simply |just |then |[a-z]+ly )?([a-z]{{2,}}s)"
    r"( (?!(?:and|or|can|are|is|have|must|will|may|should|that|which|do|in|of)\b).+)$",
    re.DOTALL,
)
_VERBS = frozenset(
    """
    abort accept accumulate acquire add adjust advance aggregate align allocate allow analyze append
    assemble assert assign associate attach bind block borrow broadcast buffer build bundle cache
    calculate cancel capture cast check choose clean clear clone close collapse collect combine compare
    compile compose compress compute concatenate configure connect construct consume contain control
    convert coordinate copy count create declare decode decompress decorate decrypt define delay delegate
    delete deliver deny describe deserialize destroy detach detect determine disable discard dispatch
    display distribute divide drain draw drive drop dump duplicate emit emulate enable encapsulate encode
    encrypt enforce enqueue ensure enter enumerate erase escape establish estimate evaluate exchange
    execute expand expose express extend extract fetch fill filter find flatten flush fold force format
    forward free gather generate get give grant group guarantee guard handle hash hide hold identify
    ignore implement import increment index infer initialize inject insert inspect install instantiate
    instrument integrate intercept interpret invalidate invert invoke iterate join keep launch limit link
    list listen load locate lock log lower maintain make manage map mark match measure merge mirror model
    modify monitor move multiply mutate normalize notify obtain offer open optimize orchestrate order
    organize output override own pack pad parse partition pass patch pause perform persist pick pin poll
    pop populate prepare present preserve prevent print process produce project propagate protect prove
    provide prune publish pull push query queue randomize read rebuild receive reclaim recognize record
    recover redirect reduce register reject release reload remove rename render replace report represent
    reset resize resolve restart restore restrict resume retain retrieve retry return reveal reverse
    rewrite roll rotate round route sample save scan schedule search select send separate serialize serve
    set share shift shut sign simplify simulate skip solve sort spawn specify split stop store stream
    strip subscribe substitute summarize support suppress suspend swap switch synchronize take terminate
    throw toggle tokenize track transfer transform translate traverse trigger trim truncate turn unify
    unwrap update upload validate verify visit wait walk warn watch wrap write yield zip
    """.split()
)
"""What code does; `is`, `uses`, `fails` or `lives` tell what it is made of, or where it is."""
_INFLECTED = (("ies", "y"), ("es", ""), ("es", "e"), ("s", ""), ("ing", ""), ("ing", "e"), ("", ""))

_USED = re.compile(
    r"(?:^|\b(?:you (?:can|may|should|must|need to|could)|please|then|simply|just|or|and|users can) )"
    r"(?:use|call|invoke)(?: the)?(?: \w+)? $",
    re.IGNORECASE,
)
_TO = re.compile(
    rf"(?: {_KIND})?+ to ((?!be\b|the\b|an?\b|which\b|your\b)[a-z]\w+ .+)$",
    re.DOTALL,
)
_GOAL = re.compile(
    r"(?:If you (?:want|need|wish|would like) to|When you (?:want|need) to|In order to|To) ([a-z][^,]+?), "
    r"(?:you (?:can|may|should|need to|must|have to) |we |just |simply |please |one can |it is )?"
    r"(?:then )?(?:use|using|call|invoke|run|there (?:is|are)|add)(?: the| a| an| our)?(?: \w+)? $",
    re.IGNORECASE,
)
_VAGUE = re.compile(
    r"\b(?:this|these|those|above|below|following|here|former|latter|example|section|chapter|page|tutorial"
    r"|guide|readme|one(?! or| of)|because|now|currently|yet|previous(?:ly)?|deprecated|renamed|removed"
    r"|legacy|todo|bug|issue|fixme|etc|we|our|us|I|let's|step|later|earlier|instead|however|therefore|e\.g"
    r"|i\.e)\b|[?:]$|…|\.\.\.",
    re.IGNORECASE,
)
_CODE = re.compile(r"[][{};\\|]|(?<!\w)<|=|->|\w\(|::\w+::|https?:")
_PRONOUN = re.compile(
    r"(?:(?:This|The) (?:function|method|type|struct|trait|class|macro|module|operator|command|attribute"
    r"|lemma|theorem|predicate|enum|interface|object)(?: also)?|It|Used to|Can be used to|Use this to"
    r"|Allows? you to|Lets you)\s+(?=[a-z])"
)
_NOUN_PHRASE = re.compile(r"(?:An?|The) (?!.*\b(?:is|are|can|may|must|should|will|has|have)\b)")
_MIN_WORDS = 5
"""Of a description that does not begin with what is done."""
_ASIDE = re.compile(
    r"(?:,? (?:while|whereas) |, (?:but|so) |, and (?=(?:the )?(?:[A-Z]\w*|\w+_\w+)\b)).*$",
    re.DOTALL,
)
"""What follows in a sentence is of something else."""


def told(sentence: str, name: str) -> str | None:
    """What `sentence` says that `name` is for or does, as a query."""
    place = _place(sentence, name) if len(sentence) <= _MAX_SENTENCE else None
    if place is None:
        return None
    before, after = sentence[: place[0]], sentence[place[1] :]
    return _query(_said(before, after, is_word=not is_compound(name)), name)


def described(sentence: str, name: str) -> str | None:
    """What `sentence`, the first one below the heading `name`, says of it, as a query."""
    if not sentence or _place(sentence, name) is not None:
        return told(sentence, name)
    if lead := _PRONOUN.match(sentence):
        return _query(sentence[lead.end() :], name)
    first, *others = sentence.split()
    is_phrase = _NOUN_PHRASE.match(sentence) and not any(map(_is_deed_of_one, others[:5]))
    return _query(sentence, name) if is_phrase or _is_deed_of_one(first) else None


def aim(sentence: str) -> str | None:
    """What a sentence in front of a block of code says that the code is for, as a query."""
    goal = re.match(r"(?:In order to|To) ([^,:]+)[,:]", sentence)
    return _query(goal[1] if goal else None, "")


def _said(before: str, after: str, *, is_word: bool) -> str | None:
    subject = _SUBJECT.match(before)
    if subject and STOPWORDS.isdisjoint(subject[1].lower().split()):
        # A list that explains plain words may explain anything: options, columns, states.
        return _predicate(after, is_term=not before and not is_word)
    if goal := _GOAL.match(before):
        return goal[1]
    if _USED.search(before) and (goal := _TO.match(after)):
        return goal[1]
    return None


def _predicate(after: str, *, is_term: bool) -> str | None:
    if is_term and (meaning := _MEANS.match(after)):
        return meaning[1]
    if purpose := _PURPOSE.match(after) or _IS.match(after):
        return purpose[1]
    deed = _DOES.match(after)
    return deed[1] + deed[2] if deed and is_deed(deed[1]) else None


def is_deed(word: str) -> bool:
    """True for a form of one of `_VERBS`, which may be spelled the British way."""
    lower = word.lower().replace("ise", "ize").replace("isi", "izi")
    stems = (lower.removesuffix(end) + put for end, put in _INFLECTED if lower.endswith(end))
    return any(stem in _VERBS or _undoubled(stem) in _VERBS for stem in stems)


def _is_deed_of_one(word: str) -> bool:
    """True for `returns`; `Return` after a heading may be an order to the reader."""
    return word.endswith("s") and is_deed(word)


def _undoubled(stem: str) -> str:
    """`map` for the `mapp` of `mapping`."""
    return stem[:-1] if stem[-1:] == stem[-2:-1] else stem


def _place(sentence: str, name: str) -> tuple[int, int] | None:
    """Where `name` first stands in `sentence`, arguments included: in full, or by its last part."""
    found = _spelled(name).search(sentence)
    return found.span() if found else None


@lru_cache(maxsize=4096)
def _spelled(name: str) -> re.Pattern[str]:
    *qualifiers, last = (re.escape(each) for each in _SEPARATOR.split(name))
    before = "".join(rf"(?:{each}{_GENERICS}(?:::|\.|#))?" for each in qualifiers)
    return re.compile(rf"(?<![\w.:]){before}{last}(?!\w){_GENERICS}!?(?:\([^()]{{0,120}}\))?!?")


def _query(said: str | None, name: str) -> str | None:
    """`said` where a person might type it: it stands alone, in words, and says more than the name."""
    text = _ASIDE.sub("", said or "").strip(" .:;,!")
    if not _MIN_CHARS <= len(text) <= _MAX_CHARS or _VAGUE.search(text) or _CODE.search(text):
        return None
    content = set(keywords(text, limit=40)) - set(identifier_words(name))
    letters = sum(character.isalpha() or character.isspace() for character in text)
    if len(content) < _MIN_CONTENT or letters < 0.9 * len(text):
        return None
    first, *others = text.lower().split()
    if is_deed(first) or first in ("a", "an", "the"):
        return text
    return text if len(others) + 1 >= _MIN_WORDS and first not in STOPWORDS else None

"""What the owner of some code might ask about it, as drafts for judged queries; no language model is asked.

The words come from wherever a searcher may know them: messages, remarks, contracts, tests, documents and the
names within a definition. What repeats its doc or spells out its name is no draft, as no judged query may.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from common.hashing import digest
from corpus.heldout import MOST_COPIED, judged_pool, share_of_doc, spells_out
from corpus.pairs.base import CALLABLE, normal
from corpus.pairs.proof.formula import spoken
from corpus.text import STOPWORDS, identifier_words, keywords, stem

Style = Literal["what", "keywords", "property", "symptom"]
STYLES: tuple[Style, ...] = ("what", "property", "symptom", "keywords")
"""In the order of their turns: keywords can be made of anything."""

_OF_PAIRS: Mapping[tuple[str, str], Style] = {
    ("body", "implementation"): "what",
    ("body", "symptom"): "symptom",
    ("readme", "prose"): "what",
}
"""Which pairs of the lake, by type and kind of query, read as something that a person types."""

_MIN_WORDS, _MAX_WORDS = 3, 16
_KEYWORDS, _KEYWORDS_OF_DOC = 4, 2
_MAX_TESTS = 5
"""Of those that call a function: what more of them call is a tool of theirs, and not what they test."""
_MAX_TEST_LINES = 40
_ROLES = frozenset(
    "test tests check checks verify verifies prove proves proof harness kani contract contracts model verus"
    " creusot prusti lean lemma theorem function guarantees assuming it should can works ok basic case cases"
    " main smoke regression issue repro gh".split()
)
"""Words that only say what a definition is there for."""
_MIN_NEW = 2
"""Words of a query that the definition's own name lacks."""
_COMMON = 0.05
"""Share of the definitions that have a word: where more have it, nobody searches for it."""
_SYNTAX = frozenset(
    """
    abstract args array assert async await bool break case catch char class clone const continue crate cls
    default def derive dict double dyn elif else enum eq err error except export extends extern false final
    finally float fn format from frozenset func function if impl implements import inline instanceof int
    interface into isinstance iter kwargs lambda len let list loop match mod mut namespace new none null
    ok option override package panic pass private proof protected ptr pub public raise range ref requires
    ensures result return self set some static std str string struct super switch template tests theorem
    this throw throws trait true try tuple type typename union unsafe unsigned unwrap usize use value vec
    virtual void where while with yield
    """.split()
)
"""Words of the languages themselves, and of what every program does."""
_CALLED = re.compile(r"\b([A-Za-z_]\w+)(?:::<[^<>()]*>)?\s*!?\s*\(")
_RAISED = re.compile(
    r"(?:raise\s+[\w.]+|\b\w*(?:Error|Exception))\(\s*[fr]?\"((?:[^\"\\\n]|\\.)+)\""
)
_ATTRIBUTE = re.compile(r"^\s*(?:#!?\[.*?\]|@\w+.*)\s*$", re.MULTILINE)
_PROOF = re.compile(r"#\[[\w:, (]*\bproof\b|\blemma\b|\btheorem\b|\bproof fn\b")
_HOLE = re.compile(r"\{[^{}]*\}|%[sdr]\b|\\.")
_QUOTED_NOTHING = re.compile(r"""(["'`(\[<])\s*["'`)\]>]""")
_CLAUSES = frozenset({"ensures", "invariant", "statement"})
_FAILING = re.compile(
    r"panic|expect|bail|anyhow|err|fail|assert|ensure|context|unreachable|raise|throw|detail|reason|message",
    re.IGNORECASE,
)
_NEAR = 80
"""Characters before a message in which something must fail, for the message to be a symptom."""
_CALLABLE = (*CALLABLE, "theorem", "lemma", "axiom", "operator")
_MIN_LINES = 4
"""Of code that words are taken from."""
_OF_THE_PLACE = re.compile(
    r"\b(?:do nothing|we|this|these|here|self|previously)\b|~", re.IGNORECASE
)
"""In a remark: it is of the lines around it."""
_MARKS = " .:,;!'\"`-"
_SAYS_WRONG = frozenset(
    "fail fails failed error errors panics panic invalid wrong refused rejected rejects refuses missing"
    " unknown malformed broken damaged overflow overflows crash hang".split()
)
_SAYS_ALWAYS = frozenset(
    "never always every each only same equal equals no not none all cannot must once unchanged stays"
    " keeps roundtrip without".split()
)
_NOT_TYPED = re.compile(r"[{}\\;|<>=]|::|->|\(\)|https?:|\n|\w_\w|[a-z][A-Z]|:\w+:")


@dataclass(frozen=True, slots=True)
class Wording:
    """One way to ask for a definition."""

    style: Style
    query: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A definition, a row of `schema.UNITS`, and what it might be asked by; the first wording is proposed."""

    unit: Mapping[str, Any]
    wordings: tuple[Wording, ...]


def drafts(
    units: pl.DataFrame,
    pairs: pl.DataFrame,
    *,
    count: int,
    seed: int = 0,
    known: Iterable[str] = (),
) -> list[Draft]:
    """At most `count` drafts, the same for the same seed, spread over styles, files and kinds of code.

    Args:
        units: rows of `schema.UNITS` of held-out sources, plain tests among them.
        pairs: rows of `schema.PAIRS` of the same sources.
        seed: another one draws others.
        known: texts that are queries already.
    """
    wanted = judged_pool("personal", units, units["source"].unique().to_list())
    rows = {row["unit_id"]: row for row in wanted.iter_rows(named=True)}
    found = _fitting(rows, [*_of_pairs(rows, pairs), *_of_code(rows, units)], known)
    order = sorted(found, key=lambda unit_id: digest(seed, unit_id))
    taken: Counter[tuple] = Counter()
    chosen: list[Draft] = []
    while order and len(chosen) < count:
        style = STYLES[len(chosen) % len(STYLES)]
        having = [each for each in order if any(w.style == style for w in found[each])]
        unit_id = min(having or order, key=lambda each: _crowd(rows[each], taken))
        order.remove(unit_id)
        taken.update(_places(rows[unit_id]))
        wordings = sorted(found[unit_id], key=lambda each: each.style != style)
        chosen.append(Draft(rows[unit_id], tuple(wordings)))
    return chosen


def _places(unit: Mapping[str, Any]) -> tuple[tuple, ...]:
    kind = (unit["source"], unit["language"], unit["dialect"], unit["kind"])
    return (unit["source"], unit["path"]), kind, (unit["source"],)


def _crowd(unit: Mapping[str, Any], taken: Counter[tuple]) -> tuple[int, ...]:
    """How many of the unit's file, kind and source were drawn already."""
    return tuple(taken[place] for place in _places(unit))


def _of_pairs(
    rows: Mapping[str, Mapping[str, Any]], pairs: pl.DataFrame
) -> Iterator[tuple[str, Wording]]:
    columns = ("unit_id", "pair_type", "query_kind", "query")
    for unit_id, pair_type, kind, query in pairs.select(columns).iter_rows():
        style = _OF_PAIRS.get((pair_type, kind))
        if style and unit_id in rows:
            if pair_type == "body" and not _tells(style, query, rows[unit_id]["code"]):
                continue
            yield unit_id, _worded(style, query)


def _tells(style: Style, query: str, code: str) -> bool:
    """Whether a message is of something that fails, a remark of more than the line below it."""
    words = r"[\s/*#]+".join(map(re.escape, re.findall(r"\w+", query)[:2]))
    found = re.search(rf"\b{words}", code)
    if found is None:
        return False
    if style == "symptom":
        return _FAILING.search(code[max(0, found.start() - _NEAR) : found.start()]) is not None
    below = (line.strip() for line in code[found.start() :].splitlines()[1:])
    code_below = next((line for line in below if line and not line.startswith(("//", "*"))), "")
    # A field, an argument or an arm.
    return not code_below.endswith(",") and not _OF_THE_PLACE.search(query)


def _of_code(
    rows: Mapping[str, Mapping[str, Any]], units: pl.DataFrame
) -> Iterator[tuple[str, Wording]]:
    told = {
        unit_id: {*keywords(unit["prose"].lower(), limit=60)} - _SYNTAX
        for unit_id, unit in rows.items()
    }
    prose = Counter(word for words in told.values() for word in words)
    for unit_id, unit in rows.items():
        for message in _RAISED.findall(unit["code"]):
            yield unit_id, _worded("symptom", _HOLE.sub(" ", message))
        for clause in unit["contracts"]:
            if clause["kind"] in _CLAUSES:
                said = _promised(spoken(clause["text"]), unit["symbol"])
                if all(prose[word] or word in STOPWORDS for word in said.split()):
                    yield unit_id, _worded("property", said)
    yield from _of_tests(rows.values(), units)
    yield from _of_names(rows.values(), told, prose)


def _promised(said: str, symbol: str) -> str:
    """A clause about `result` as one about what encloses the definition, which it most likely returns."""
    said = re.sub(r"^not (.+) (is|are) (\w+)$", r"\1 \2 not \3", said)
    owner = " ".join(identifier_words(re.split(r"::|[.#]", f"::{symbol}")[-2]))
    return re.sub(r"\bresult\b", owner, said) if owner else said


def _worded(style: Style, text: str) -> Wording:
    """`text` without quotes around nothing, where a value was, and without what it leaves at its end."""
    words = _QUOTED_NOTHING.sub(" ", text).strip(_MARKS).split()
    while words and words[-1].strip(_MARKS).lower() in STOPWORDS:
        words.pop()
    query = " ".join(words).strip(_MARKS)
    is_context = style == "symptom" and query.lower().startswith(("when ", "while "))
    return Wording(style, f"error {query[0].lower()}{query[1:]}" if is_context else query)


def _fitting(
    rows: Mapping[str, Mapping[str, Any]],
    proposed: Iterable[tuple[str, Wording]],
    known: Iterable[str],
) -> dict[str, list[Wording]]:
    """What of `proposed` may be asked, by unit: a text that asks for two definitions asks for neither."""
    asked: dict[str, set[str]] = defaultdict(set)
    fitting: list[tuple[str, Wording]] = []
    for unit_id, wording in proposed:
        if unit_id in rows:
            asked[normal(wording.query)].add(unit_id)
            if _fits(wording, rows[unit_id]):
                fitting.append((unit_id, wording))
    taken = {normal(text) for text in known}
    found: dict[str, list[Wording]] = {}
    for unit_id, wording in fitting:
        text = normal(wording.query)
        if text not in taken and len(asked[text]) == 1:
            taken.add(text)
            found.setdefault(unit_id, []).append(wording)
    return found


def _fits(wording: Wording, unit: Mapping[str, Any]) -> bool:
    query = wording.query
    if not _MIN_WORDS <= len(query.split()) <= _MAX_WORDS or _NOT_TYPED.search(query):
        return False
    told = keywords(query, limit=20)
    known = _ROLES | set(identifier_words(unit["symbol"]))
    if not query.isprintable() or len(told) < _MIN_WORDS or len({*told} - known) < _MIN_NEW:
        return False
    name = [word for word in identifier_words(unit["name"]) if word not in _ROLES]
    is_named = len(name) > 1 and set(name) <= set(identifier_words(query))
    return (
        not is_named
        and not spells_out(query, unit["symbol"])
        and share_of_doc(query, f"{unit['doc']} {unit['prose']}") <= MOST_COPIED
    )


def _of_tests(
    wanted: Iterable[Mapping[str, Any]], units: pl.DataFrame
) -> Iterator[tuple[str, Wording]]:
    """The names of tests, which tell in words what a definition does: of the one that only they call."""
    named: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for unit in wanted:
        named[unit["name"]].append(unit)
    tests = units.filter(pl.col("is_test") & pl.col("dialect").is_null())
    own = set(tests.select("path", "name").iter_rows())
    plain = tests.filter(
        pl.col("kind").is_in(["function", "method"])
        & (pl.col("end_line") - pl.col("start_line") <= _MAX_TEST_LINES)
    )
    called = [
        (test, {name for name in _CALLED.findall(test["code"]) if len(named.get(name, ())) == 1})
        for test in plain.iter_rows(named=True)
    ]
    callers = Counter(name for _, names in called for name in names)
    for test, names in called:
        words = [word for word in identifier_words(test["name"]) if word not in _ROLES]
        rare = sorted(
            (callers[name], name)
            for name in names
            if callers[name] <= _MAX_TESTS and (test["path"], name) not in own
        )
        if len(words) <= _MIN_WORDS or any(word.isdigit() for word in words):
            continue
        # What shares most words with the test is what it is about, the rarest if several do.
        best = max(
            rare, key=lambda each: (_shared(test, named[each[1]][0]), -each[0]), default=None
        )
        if best and _shared(test, named[best[1]][0]):
            yield named[best[1]][0]["unit_id"], _worded(_told_by(words), " ".join(words))


def _shared(test: Mapping[str, Any], unit: Mapping[str, Any]) -> int:
    """How many words of the test's name are in the unit's symbol or at the beginning of its doc."""
    words = {stem(word) for word in identifier_words(test["name"]) if word not in _ROLES}
    about = [*identifier_words(unit["symbol"]), *keywords(unit["prose"].lower(), limit=20)]
    return len(words & {stem(word) for word in about})


def _told_by(words: Sequence[str]) -> Style:
    if not _SAYS_WRONG.isdisjoint(words):
        return "symptom"
    return "what" if _SAYS_ALWAYS.isdisjoint(words) else "property"


def _of_names(
    units: Iterable[Mapping[str, Any]], told: Mapping[str, set[str]], prose: Counter[str]
) -> Iterator[tuple[str, Wording]]:
    """The telling words of each definition, of its name all but one at most."""
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
        if len(chosen) >= _MIN_WORDS:
            ends = ["proof"] if _PROOF.search(unit["code"]) else []
            yield unit["unit_id"], Wording("keywords", " ".join([*chosen.values(), *ends]))


def _ranked(
    unit: Mapping[str, Any],
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
        # A word that is nowhere written in prose is an abbreviation of somebody's.
        if prose[word] > 2 and 1 < spread[word] <= max(10, _COMMON * units) and word not in left
    }
    return [*rarest[:2], *owners[:1], *sorted(scores, key=lambda each: (-scores[each], each))]


def _words(unit: Mapping[str, Any]) -> Counter[str]:
    """The words of the definition and how often it has them, in their order."""
    text = f"{unit['symbol']} {unit['signature']} {_ATTRIBUTE.sub('', unit['code'])}"
    return Counter(
        word
        for word in identifier_words(text)
        if len(word) > 2 and word.isalpha() and word not in STOPWORDS and word not in _SYNTAX
    )

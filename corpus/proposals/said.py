"""What is already said of a definition: messages, remarks, documents, contracts, and the names of tests."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import polars as pl

from corpus.pairs.proof.formula import spoken
from corpus.proposals.base import MIN_WORDS, ROLES, Style, Unit, Wording
from corpus.text import STOPWORDS, identifier_words, keywords, stem

_OF_PAIRS: Mapping[tuple[str, str], Style] = {
    ("body", "implementation"): "what",
    ("body", "symptom"): "symptom",
    ("readme", "prose"): "what",
}
"""Which pairs of the lake, by type and kind of query, read as something that a person types."""
_MAX_TESTS = 5
"""Of those that call a function: what more of them call is a tool of theirs, and not what they test."""
_MAX_TEST_LINES = 40
_CALLED = re.compile(r"\b([A-Za-z_]\w+)(?:::<[^<>()]*>)?\s*!?\s*\(")
_RAISED = re.compile(
    r"(?:raise\s+[\w.]+|\b\w*(?:Error|Exception))\(\s*[fr]?\"((?:[^\"\\\n]|\\.)+)\""
)
_HOLE = re.compile(r"\{[^{}]*\}|%[sdr]\b|\\.")
_QUOTED_NOTHING = re.compile(r"""(["'`(\[<])\s*["'`)\]>]""")
_CLAUSES = frozenset({"ensures", "invariant", "statement"})
_FAILING = re.compile(
    r"panic|expect|bail|anyhow|err|fail|assert|ensure|context|unreachable|raise|throw|detail|reason|message",
    re.IGNORECASE,
)
_NEAR = 80
"""Characters before a message in which something must fail, for the message to be a symptom."""
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


def said(
    rows: Mapping[str, Unit], units: pl.DataFrame, pairs: pl.DataFrame, prose: Counter[str]
) -> Iterator[tuple[str, Wording]]:
    """Wordings with the id of the definition that each is of.

    Args:
        rows: the definitions that may be asked for, by id.
        units: rows of `schema.UNITS` of the same sources, plain tests among them.
        pairs: rows of `schema.PAIRS` of the same sources.
        prose: in how many docs a word stands.
    """
    yield from _of_pairs(rows, pairs)
    for unit_id, unit in rows.items():
        for message in _RAISED.findall(unit["code"]):
            yield unit_id, _worded("symptom", _HOLE.sub(" ", message))
        for clause in unit["contracts"]:
            if clause["kind"] in _CLAUSES:
                promise = _promised(spoken(clause["text"]), unit["symbol"])
                if all(prose[word] or word in STOPWORDS for word in promise.split()):
                    yield unit_id, _worded("property", promise)
    yield from _of_tests(rows.values(), units)


def _of_pairs(rows: Mapping[str, Unit], pairs: pl.DataFrame) -> Iterator[tuple[str, Wording]]:
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


def _promised(clause: str, symbol: str) -> str:
    """A clause about `result` as one about what encloses the definition, which it most likely returns."""
    text = re.sub(r"^not (.+) (is|are) (\w+)$", r"\1 \2 not \3", clause)
    owner = " ".join(identifier_words(re.split(r"::|[.#]", f"::{symbol}")[-2]))
    return re.sub(r"\bresult\b", owner, text) if owner else text


def _of_tests(wanted: Iterable[Unit], units: pl.DataFrame) -> Iterator[tuple[str, Wording]]:
    """The names of tests, which tell in words what a definition does: of the one that only they call."""
    named: dict[str, list[Unit]] = defaultdict(list)
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
        words = [word for word in identifier_words(test["name"]) if word not in ROLES]
        rare = sorted(
            (callers[name], name)
            for name in names
            if callers[name] <= _MAX_TESTS and (test["path"], name) not in own
        )
        if len(words) <= MIN_WORDS or any(word.isdigit() for word in words):
            continue
        # What shares most words with the test is what it is about, the rarest if several do.
        best = max(
            rare, key=lambda each: (_shared(test, named[each[1]][0]), -each[0]), default=None
        )
        if best and _shared(test, named[best[1]][0]):
            yield named[best[1]][0]["unit_id"], _worded(_told_by(words), " ".join(words))


def _shared(test: Unit, unit: Unit) -> int:
    """How many words of the test's name are in the unit's symbol or at the beginning of its doc."""
    words = {stem(word) for word in identifier_words(test["name"]) if word not in ROLES}
    about = [*identifier_words(unit["symbol"]), *keywords(unit["prose"].lower(), limit=20)]
    return len(words & {stem(word) for word in about})


def _told_by(words: Sequence[str]) -> Style:
    if not _SAYS_WRONG.isdisjoint(words):
        return "symptom"
    return "what" if _SAYS_ALWAYS.isdisjoint(words) else "property"


def _worded(style: Style, text: str) -> Wording:
    """`text` without quotes around nothing, where a value was, and without what it leaves at its end."""
    words = _QUOTED_NOTHING.sub(" ", text).strip(_MARKS).split()
    while words and words[-1].strip(_MARKS).lower() in STOPWORDS:
        words.pop()
    query = " ".join(words).strip(_MARKS)
    is_context = style == "symptom" and query.lower().startswith(("when ", "while "))
    return Wording(style, f"error {query[0].lower()}{query[1:]}" if is_context else query)

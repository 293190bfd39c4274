from __future__ import annotations

import math

import numpy as np
import pytest

from evaluation.bm25 import bm25_scores, tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("parse a date", ["parse", "a", "date"]),
        ("parseDate", ["parse", "date", "parsedate"]),
        ("ParseDateTime", ["parse", "date", "time", "parsedatetime"]),
        ("parse_date", ["parse", "date", "parse_date"]),
        ("HTTPServer", ["http", "server", "httpserver"]),
        ("utf8Name", ["utf8", "name", "utf8name"]),
        ("read_JSONFile", ["read", "json", "file", "read_jsonfile"]),
        ("MAX_SIZE", ["max", "size", "max_size"]),
        ("__init__", ["init"]),
        ("fn from_utc(self) -> Epoch;", ["fn", "from", "utc", "from_utc", "self", "epoch"]),
        ("Überlauf größe", ["überlauf", "größe"]),
        ("", []),
        ("-> ; {}", []),
    ],
)
def test_identifiers_count_whole_and_in_parts(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


def test_logical_symbols_are_tokens() -> None:
    assert tokens("∀x ∃y: x≤y ∧ ¬(x ∈ S) → y ≥ 0") == [
        *("∀", "x", "∃", "y", "x", "≤", "y", "∧", "¬", "x", "∈", "s", "→", "y", "≥", "0")
    ]


DOCUMENTS = [
    "fn parse_date(text: &str) -> Date",
    "fn open_file(path: &Path) -> File",
    "fn write_all(buffer: &[u8])",
    "lemma: ∀ x, x ≤ x",
]


@pytest.mark.parametrize(
    ("query", "best"), [("parse date", 0), ("openFile", 1), ("write the buffer", 2), ("∀ ≤", 3)]
)
def test_the_obvious_document_comes_first(query: str, best: int) -> None:
    scores = bm25_scores([query], DOCUMENTS)
    assert scores.shape == (1, 4)
    assert scores[0].argmax() == best
    assert (np.delete(scores[0], best) < scores[0][best]).all()


def test_unknown_words_score_0() -> None:
    assert bm25_scores(["quantum banana", ""], DOCUMENTS).tolist() == [[0.0] * 4, [0.0] * 4]


def test_unknown_words_add_nothing_to_known_ones() -> None:
    with_it, without = bm25_scores(["parse banana", "parse"], DOCUMENTS)
    assert with_it.tolist() == without.tolist()


def _lucene(query: str, documents: list[str], k1: float = 1.5, b: float = 0.75) -> list[float]:
    split = [tokens(document) for document in documents]
    mean = sum(map(len, split)) / len(split)
    scores = []
    for words in split:
        score = 0.0
        for token in tokens(query):
            holding = sum(token in other for other in split)
            if not holding:
                continue
            idf = math.log(1 + (len(split) - holding + 0.5) / (holding + 0.5))
            count = words.count(token)
            score += idf * count / (count + k1 * (1 - b + b * len(words) / mean))
        scores.append(score)
    return scores


@pytest.mark.parametrize("query", ["parse date", "fn path", "x", "fn fn text"])
def test_scores_are_those_of_the_formula(query: str) -> None:
    assert bm25_scores([query], DOCUMENTS)[0] == pytest.approx(_lucene(query, DOCUMENTS), rel=1e-5)


def test_a_document_without_words_scores_0() -> None:
    scores = bm25_scores(["parse"], ["fn parse()", "{}"])
    assert scores[0][0] > 0
    assert scores[0][1] == 0

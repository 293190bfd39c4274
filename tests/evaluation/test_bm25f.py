from __future__ import annotations

import math

import numpy as np
import pytest

from evaluation.bm25 import bm25_scores, tokens
from evaluation.bm25f import K1, B, bm25f_scores

DOCUMENTS = [
    {
        "path": "src/date.rs",
        "symbol": "parse_date",
        "doc": "Reads a date.",
        "code": "fn parse_date()",
    },
    {
        "path": "src/file.rs",
        "symbol": "File::open",
        "doc": "",
        "code": "fn open(date: Date) { date.x() }",
    },
    {"path": "lib.rs", "symbol": "write", "doc": "Writes all of it, slowly.", "code": "fn write()"},
]


def _by_hand(query: str, weights: dict[str, float]) -> list[float]:
    words = [{field: tokens(each[field]) for field in weights} for each in DOCUMENTS]
    mean = {field: sum(len(each[field]) for each in words) / len(words) for field in weights}
    scores = []
    for own in words:
        score = 0.0
        for token in tokens(query):
            holding = sum(any(token in text for text in each.values()) for each in words)
            if not holding:
                continue
            count = sum(
                weight * own[field].count(token) / (1 - B + B * len(own[field]) / mean[field])
                for field, weight in weights.items()
            )
            idf = math.log(1 + (len(words) - holding + 0.5) / (holding + 0.5))
            score += idf * count / (count + K1)
        scores.append(score)
    return scores


@pytest.mark.parametrize("query", ["parse date", "open file", "date date", "fn write it"])
@pytest.mark.parametrize("symbol", [0.5, 1.0, 4.0])
def test_scores_are_those_of_the_formula(query: str, symbol: float) -> None:
    weights = {"path": 1.0, "symbol": symbol, "doc": 1.0, "code": 1.0}
    found = bm25f_scores([query], DOCUMENTS, weights)[0]
    assert found == pytest.approx(_by_hand(query, weights), rel=1e-5)


def test_one_field_alone_is_bm25() -> None:
    queries = ["open the date", "fn", "x x"]
    plain = bm25_scores(queries, [each["code"] for each in DOCUMENTS])
    assert np.allclose(bm25f_scores(queries, DOCUMENTS, {"code": 1.0}), plain, atol=1e-6)


def test_a_name_counts_the_same_above_long_code_as_above_short_code() -> None:
    both = [{"symbol": "date", "code": "x " * length} for length in (2, 200)]
    short, long = bm25f_scores(["date"], both, {"symbol": 1.0, "code": 1.0})[0]
    assert short == long > 0
    plain = bm25_scores(["date"], [" ".join(each.values()) for each in both])[0]
    assert plain[0] > plain[1]


def test_unknown_words_and_empty_fields_score_0() -> None:
    empty = [dict.fromkeys(DOCUMENTS[0], "") for _ in range(2)]
    assert bm25f_scores(["date", ""], empty).tolist() == [[0.0] * 2] * 2
    assert bm25f_scores(["quantum banana"], DOCUMENTS).tolist() == [[0.0] * 3]

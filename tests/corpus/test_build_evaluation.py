"""What is asked of checkpoints is never learned: held-out units, judged queries, published benchmarks."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from corpus.build import Built, Drop, Evaluation, build_corpus
from tests.corpus.frames import pairs, units
from tests.corpus.test_build import CURRICULUM, QUALITY, SPLITS, code, pair
from tests.corpus.test_build_repeats import long


def build(*rows: dict[str, Any], **evaluation: Any) -> Built:
    return build_corpus(
        pairs(*rows), SPLITS, CURRICULUM, QUALITY, evaluation=Evaluation(**evaluation)
    )


def held_out(source: str, code: str, **changes: Any) -> pl.DataFrame:
    return units({"unit_id": "h1", "source": source, "code": code, **changes})


@pytest.mark.parametrize("source", ["held", "tuning"])
def test_code_of_a_held_out_unit_without_a_pair_is_not_trained_on(source: str) -> None:
    made = build(pair(1), pair(2), units=held_out(source, code("thing_1")))

    assert made.pairs["unit_id"].to_list() == ["u2"]
    assert made.removed.select("pair_id", "reason", "kept").rows() == [
        ("p1", Drop.HELD_OUT.value, "h1")
    ]


def test_code_near_to_a_held_out_unit_without_a_pair_is_not_trained_on() -> None:
    made = build(
        pair(1, symbol="sub", positive=long("sub", sign="-")),
        units=held_out("held", long("add"), symbol="add"),
    )

    assert made.pairs.height == 0
    assert made.removed["kept"].to_list() == ["h1"]
    assert made.edges.select("unit_id_a", "unit_id_b", "near", "repeats").row(0) == (
        *("h1", "u1", True, True),
    )


def test_unit_of_the_test_split_goes_before_one_of_the_valid_split() -> None:
    made = build(pair(1, source="tuning"), units=held_out("held", code("thing_1")))

    assert made.pairs.height == 0


def test_held_out_unit_does_not_drop_its_own_pair() -> None:
    made = build(pair(1, source="held"), units=held_out("held", code("thing_1"), unit_id="u1"))

    assert made.pairs["unit_id"].to_list() == ["u1"]


@pytest.mark.parametrize("asked", ["Does thing number 1", "thing NUMBER 1 does"])
def test_judged_query_is_not_trained_on(asked: str) -> None:
    made = build(pair(1), pair(2), queries=[asked])

    assert made.pairs["unit_id"].to_list() == ["u2"]
    assert made.removed.select("reason", "kept", "share").row(0) == (
        *(Drop.ASKED.value, asked.lower(), 1.0),
    )


def test_judged_query_is_found_in_a_crowd_of_like_ones() -> None:
    words = "sort the list of all users by their name".split()
    rows = [pair(n, query=" ".join(words[n % 9 :] + words[: n % 9])) for n in range(40)]
    rows += [pair(n, query=" ".join(reversed(row["query"].split()))) for n, row in
             enumerate(rows, 100)]  # fmt: skip

    made = build(*rows, queries=["their name users by sort the list of all"])

    assert made.pairs.height == 0
    asked = made.removed.filter(reason=Drop.ASKED.value)
    assert asked.height == 18  # the others ask what one of these does, word for word


def test_judged_query_may_be_asked_of_its_held_out_source() -> None:
    made = build(pair(1, source="held"), queries=["Does thing number 1"])

    assert made.pairs.height == 1


def test_code_in_a_benchmark_is_not_trained_on() -> None:
    program = "mod all;\n" + long("add") + "\nfn main() { add(1, 2); }"
    benchmark = pl.DataFrame(
        {"benchmark": ["verina"], "row": [3], "text": [program]},
        schema={"benchmark": pl.String, "row": pl.Int64, "text": pl.String},
    )
    made = build(pair(1, positive=long("add")), pair(2), benchmarks=benchmark)

    assert made.pairs["unit_id"].to_list() == ["u2"]
    assert made.removed.select("pair_id", "reason", "kept").row(0) == (
        *("p1", Drop.BENCHMARK.value, "verina:3"),
    )
    assert made.removed["share"][0] > 0.9

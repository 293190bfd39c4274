from typing import Any

import polars as pl
import pytest

from corpus import schema
from corpus.pairs import path
from corpus.pairs.path import path_query
from corpus.quality import Quality, Rules
from tests.corpus.frames import units

UNIT = {
    "path": "src/lib.rs",
    "module": "",
    "heading": "",
    "symbol": "add_all",
    "kind": "function",
    "language": "rust",
    "dialect": None,
}


def query(**changes: Any) -> str:
    return path_query({**UNIT, **changes})


def path_pairs(frame: pl.DataFrame, quality: Quality | None = None) -> pl.DataFrame:
    return path.path_pairs(frame, quality or Quality())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "add all"),
        ({"path": "a/b/c/d/sum_tree.rs"}, "c d sum tree add all"),
        ({"path": "sum.rs", "module": "inner::deep"}, "sum inner deep add all"),
        ({"symbol": "SumTree::len"}, "sum tree len"),
        ({"dialect": "kani"}, "kani proof add all"),
        ({"path": "src/add.rs"}, "add all"),
        ({"path": "crates/core/src/utils/mod.rs"}, "add all"),
        ({"dialect": "verus", "kind": "proof_function"}, "verus proof add all"),
        (
            {
                "language": "lean",
                "kind": "theorem",
                "path": "Demo/Order.lean",
                "heading": "Lemmas about bounds",
                "symbol": "Nat.le_bound",
            },
            "lean theorem demo order lemmas about bounds nat le bound",
        ),
        (
            {
                "language": "tlaplus",
                "kind": "action",
                "path": "specs/Paxos.tla",
                "module": "Paxos",
                "symbol": "SendVote",
            },
            "tla+ action paxos send vote",
        ),
        (
            {"language": "java", "path": "org/demo/Ring.java", "symbol": "Ring.pushBack"},
            "demo ring push back",
        ),
        (
            {
                "path": "one_two/three_four/five_six_seven_eight.rs",
                "module": "nine::ten_eleven_twelve_thirteen",
            },
            "two three four five six seven eight nine ten eleven twelve thirteen add all",
        ),
    ],
)
def test_query_is_made_of_place_and_symbol(changes: dict[str, Any], expected: str) -> None:
    assert query(**changes) == expected


@pytest.mark.parametrize("symbol", ["add", "_", "__"])
def test_symbol_of_one_word_says_too_little(symbol: str) -> None:
    assert query(path="kani/sum_tree.rs", symbol=symbol) == ""


def test_words_of_the_place_do_not_repeat_those_of_the_symbol() -> None:
    assert query(path="ring/push.rs", module="buffer", symbol="Ring::pushBack") == (
        "buffer ring push back"
    )


def test_symbol_keeps_all_of_its_words() -> None:
    symbol = "one_two_three_four_five_six_seven_eight_nine_ten_eleven_twelve_more_and_more"

    assert query(path="sum.rs", symbol=symbol) == symbol.replace("_", " ")


def test_symbol_repeats_no_word_in_a_row() -> None:
    assert query(symbol="Ring::ring_push") == "ring push"
    assert query(symbol="RingBuffer::ring_push") == "ring buffer ring push"


def test_words_nearest_to_the_symbol_stay() -> None:
    path = "crates/one_two_three_four_five_six/seven_eight_nine.rs"

    assert query(path=path, module="ten_eleven_twelve_thirteen") == (
        "two three four five six seven eight nine ten eleven twelve thirteen add all"
    )


def test_category_is_not_said_twice() -> None:
    assert query(path="kani/proof_sum.rs", dialect="kani") == "kani proof sum add all"


@pytest.mark.parametrize(
    ("language", "symbol"),
    [
        ("smtlib", "assert at line 3"),
        ("smtlib", "script of demo"),
        ("smtlib", "rule 7"),
        ("lean", "Demo.instReprTree"),
        ("lean", "Demo.«left + right»"),
        ("rust", "Ring::0_of_many"),
    ],
)
def test_name_that_no_person_gave_is_not_searched_for(language: str, symbol: str) -> None:
    assert query(language=language, symbol=symbol) == ""


@pytest.mark.parametrize("symbol", ["assert_all", "ruleset_of", "Ring::instance_of", "rule_of"])
def test_name_that_only_begins_like_those_is_searched_for(symbol: str) -> None:
    assert query(symbol=symbol) != ""


def test_undocumented_unit_gives_a_pair() -> None:
    found = path_pairs(units({"symbol": "add_all", "path": "src/sum.rs"}))

    assert schema.conform(found, schema.PAIRS).num_rows == 1
    row = found.row(0, named=True)
    assert (row["query"], row["query_kind"], row["pair_type"]) == (
        "sum add all",
        "keywords",
        "path",
    )
    assert row["doc_rest"] == ""


@pytest.mark.parametrize(
    "symbol",
    [
        "Ring::new",
        "Ring.__init__",
        "Ring.toString",
        "Ring::operator==",
        "BigRing.BigRing",
        "BigRing::BigRing",
        "BigRing::~BigRing",
    ],
)
def test_what_every_type_has_is_not_searched_for(symbol: str) -> None:
    assert query(symbol=symbol) == ""


def test_unit_whose_doc_says_something_gives_none() -> None:
    assert path_pairs(units({"doc": "Sums up.", "prose": "Sums up."})).height == 0


def test_unit_whose_doc_says_only_its_name_gives_a_pair() -> None:
    named = units({"doc": "Long enough.", "prose": "Long enough."})

    assert path_pairs(named)["doc_rest"].to_list() == ["Long enough."]


def test_what_is_a_usable_doc_is_set_by_the_quality_rules() -> None:
    named = units({"doc": "Long enough.", "prose": "Long enough."})

    assert path_pairs(named, Quality(default=Rules(drop_names=False))).height == 0


def test_unit_whose_doc_says_nothing_gives_a_pair() -> None:
    assert path_pairs(units({"doc": "# Safety\n\nNone."})).height == 1


def test_unit_with_a_short_symbol_gives_none() -> None:
    assert path_pairs(units({"symbol": "add"})).height == 0


def test_plain_test_gives_none() -> None:
    assert path_pairs(units({"is_test": True})).height == 0


def test_proof_harness_among_tests_gives_a_pair() -> None:
    assert path_pairs(units({"is_test": True, "dialect": "kani"})).height == 1


def test_a_file_gives_its_first_eight_pairs() -> None:
    many = [
        {"unit_id": f"u{line:02}", "symbol": f"do_it_{line}", "start_line": line}
        for line in range(12, 0, -1)
    ]
    other = {"unit_id": "other", "path": "src/other.rs"}

    found = path_pairs(units(*many, other))

    assert found["unit_id"].to_list() == [f"u{line:02}" for line in range(1, 9)] + ["other"]


def test_units_that_give_no_pair_do_not_count_against_the_bound() -> None:
    short = [{"unit_id": f"s{line}", "symbol": "go", "start_line": line} for line in range(1, 10)]
    last = {"unit_id": "last", "symbol": "go_on", "start_line": 99}

    assert path_pairs(units(*short, last))["unit_id"].to_list() == ["last"]

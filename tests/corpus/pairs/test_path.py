from typing import Any

import pytest

from corpus import schema
from corpus.pairs.path import path_pairs, path_query
from tests.corpus.frames import units


def query(**changes: Any) -> str:
    unit = {"path": "src/lib.rs", "module": "", "symbol": "add_all", "dialect": None}
    return path_query({**unit, **changes})


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
    ],
)
def test_query_is_made_of_place_and_symbol(changes: dict[str, Any], expected: str) -> None:
    assert query(**changes) == expected


@pytest.mark.parametrize("symbol", ["add", "_", "__"])
def test_symbol_of_one_word_says_too_little(symbol: str) -> None:
    assert query(path="kani/sum_tree.rs", symbol=symbol) == ""


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


def test_unit_whose_doc_says_something_gives_none() -> None:
    assert path_pairs(units({"doc": "Adds."})).height == 0


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

from typing import Any

import polars as pl
import pytest

from corpus import schema
from corpus.heldout import (
    copied,
    documentation_queries,
    judged_pool,
    pool,
    sample,
    share_of_doc,
    spells_out,
)
from tests.corpus.frames import LONG_CODE, pairs, units


def code(name: str) -> str:
    return LONG_CODE.replace("long_enough", name)


def unit(name: str, **changes: Any) -> dict[str, Any]:
    return {"unit_id": name, "code": code(name), **changes}


def asked(name: str, query: str, **changes: Any) -> dict[str, Any]:
    return {"unit_id": name, "pair_id": name + query, "query": query, **changes}


def answers(queries: pl.DataFrame) -> dict[str, list[str]]:
    return dict(queries.select("query", "unit_ids").iter_rows())


def test_pool_leaves_out_plain_tests() -> None:
    found = pool(units(unit("a"), unit("b", is_test=True)))

    assert found["unit_id"].to_list() == ["a"]


def test_pool_keeps_proof_harnesses_among_tests() -> None:
    found = pool(units(unit("a", is_test=True, dialect="kani")))

    assert found["unit_id"].to_list() == ["a"]


def test_pool_keeps_functions_and_methods_only() -> None:
    kinds = ["function", "method", "struct", "trait", "macro", "const", "spec_function"]
    found = pool(units(*(unit(kind, kind=kind) for kind in kinds)))

    assert found["unit_id"].to_list() == ["function", "method"]


def test_pool_is_rust_only() -> None:
    languages = ["rust", "java", "python", "lean"]
    found = pool(units(*(unit(each, language=each) for each in languages)))

    assert found["unit_id"].to_list() == ["rust"]


def test_pool_leaves_out_what_has_no_body() -> None:
    found = pool(units(unit("a"), unit("b", code="fn declared(left: u64, right: u64) -> u64;")))

    assert found["unit_id"].to_list() == ["a"]


def test_formal_pool_keeps_every_kind_of_the_sources_that_are_asked_about() -> None:
    kept = {
        "spec": {"kind": "spec_function", "dialect": "verus"},
        "harness": {"is_test": True, "dialect": "kani"},
        "lemma": {"language": "lean", "code": "theorem add_zero (n : Nat) : n + 0 = n := rfl"},
        "cases": {"language": "lean", "code": "def f : Nat → Nat\n  | 0 => 1\n  | n => n"},
        "operator": {"language": "tlaplus", "code": "Init == x = 0"},
    }
    kept["invariant"] = {"language": "lean", "code": "invariant [single] leader a → leader b"}
    dropped = {
        "test": {"is_test": True},
        "declared": {"code": "fn declared(left: u64, right: u64) -> u64;"},
        "elsewhere": {"source": "other"},
    }
    rows = [unit(name, **changes) for name, changes in {**kept, **dropped}.items()]
    found = judged_pool("formal", units(*rows), {units(unit("a"))["source"][0]})

    assert set(found["unit_id"]) == set(kept)


def test_general_pool_keeps_functions_of_any_language() -> None:
    kept = {
        "python": {"language": "python", "code": "def f():\n    return 1"},
        "method": {"language": "java", "kind": "method", "code": "int f() { return 1; }"},
    }
    dropped = {
        "type": {"kind": "class", "language": "python", "code": "class A:\n    pass"},
        "declared": {"language": "cpp", "code": "int f();"},
        "test": {"is_test": True, "language": "python"},
    }
    rows = [unit(name, **changes) for name, changes in {**kept, **dropped}.items()]
    found = judged_pool("general", units(*rows), {units(unit("a"))["source"][0]})
    assert set(found["unit_id"]) == set(kept)


def test_pool_is_in_the_order_of_place() -> None:
    found = pool(
        units(
            unit("a", source="z"),
            unit("b", path="b.rs", start_line=9),
            unit("c", path="b.rs", start_line=2),
            unit("d", path="a.rs"),
        )
    )

    assert found["unit_id"].to_list() == ["d", "c", "b", "a"]


def test_first_sentence_asks_for_its_unit() -> None:
    found = documentation_queries(pairs(asked("a", "Adds two numbers")), units(unit("a")))

    assert schema.conform(found, schema.QUERIES).num_rows == 1
    row = found.row(0, named=True)
    assert row["query_id"].startswith("doc-")
    assert (row["query"], row["style"], row["dialect"]) == ("Adds two numbers", "doc", None)
    assert row["unit_ids"] == ["a"]


def test_other_kinds_of_query_are_not_asked() -> None:
    found = documentation_queries(
        pairs(asked("a", "adds numbers wrapping", query_kind="keywords")), units(unit("a"))
    )

    assert schema.conform(found, schema.QUERIES).num_rows == 0


def test_query_of_two_words_is_not_asked() -> None:
    found = documentation_queries(pairs(asked("a", "Adds numbers")), units(unit("a")))

    assert found.height == 0


def test_every_unit_with_the_sentence_is_an_answer() -> None:
    found = documentation_queries(
        pairs(asked("b", "Adds two numbers"), asked("a", "adds TWO  numbers")),
        units(unit("a"), unit("b"), unit("c")),
    )

    assert answers(found) == {"Adds two numbers": ["a", "b"]}


def test_undocumented_copy_of_the_code_is_an_answer() -> None:
    found = documentation_queries(
        pairs(asked("a", "Adds two numbers")),
        units(unit("a"), unit("b", code=code("a").replace("\n", "\r\n")), unit("c")),
    )

    assert answers(found) == {"Adds two numbers": ["a", "b"]}


def test_query_id_does_not_depend_on_the_other_queries() -> None:
    pool_of_two = units(unit("a"), unit("b"))
    alone = documentation_queries(pairs(asked("a", "Adds two numbers")), pool_of_two)
    beside = documentation_queries(
        pairs(asked("b", "Aborts at once now"), asked("a", "Adds two numbers")), pool_of_two
    )

    assert alone["query_id"][0] in beside["query_id"].to_list()
    assert beside["query_id"].n_unique() == 2


def queries_for(names: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    found = units(*(unit(name) for name in names))
    asks = pairs(*(asked(name, f"Does the thing {name}") for name in names))
    return documentation_queries(asks, found), found


NAMES = [f"u{number:02}" for number in range(20)]


def test_sample_is_bounded() -> None:
    queries, found = queries_for(NAMES)
    drawn, kept = sample(queries, found, max_queries=4, max_units=10, also=set())

    assert (drawn.height, kept.height) == (4, 10)


def test_sample_keeps_the_answers() -> None:
    queries, found = queries_for(NAMES)
    drawn, kept = sample(queries, found, max_queries=6, max_units=0, also={"u03"})

    expected = set(drawn["unit_ids"].explode()) | {"u03"}
    assert set(kept["unit_id"]) == expected


def test_sample_does_not_depend_on_order() -> None:
    queries, found = queries_for(NAMES)
    expected = sample(queries, found, max_queries=5, max_units=9, also={"u00"})
    shuffled = sample(
        queries.reverse(),
        found.sample(fraction=1, shuffle=True, seed=1).sort("unit_id", descending=True),
        max_queries=5,
        max_units=9,
        also={"u00"},
    )

    assert shuffled[0].equals(expected[0])
    assert shuffled[1]["unit_id"].sort().equals(expected[1]["unit_id"].sort())


def test_drawn_queries_stay_drawn_when_others_go() -> None:
    queries, found = queries_for(NAMES)
    drawn, _ = sample(queries, found, max_queries=5, max_units=0, also=set())
    fewer = queries.filter(pl.col("query_id").is_in(drawn["query_id"].to_list()))
    again, _ = sample(fewer, found, max_queries=5, max_units=0, also=set())

    assert again.equals(drawn)


def test_sample_larger_than_everything_is_everything() -> None:
    queries, found = queries_for(NAMES)
    drawn, kept = sample(queries, found, max_queries=99, max_units=99, also=set())

    assert drawn.equals(queries.sort("query_id"))
    assert set(kept["unit_id"]) == set(NAMES)


def test_sample_without_queries_keeps_units() -> None:
    queries, found = queries_for(NAMES)
    drawn, kept = sample(queries.clear(), found, max_queries=5, max_units=7, also=set())

    assert (drawn.height, kept.height) == (0, 7)


def test_a_query_that_repeats_its_answers_doc_is_copied() -> None:
    doc = "Adds two numbers and wraps at the end."
    searched = pool(units(unit("a", doc=doc), unit("b", prose="Something else")))
    rows = [("q1", "adding numbers, wraps", ["a"]), ("q2", "sum of a pair, modulo", ["a", "b"])]
    queries = pl.DataFrame(rows, schema=["query_id", "query", "unit_ids"], orient="row")
    assert copied(queries, searched) == {"q1": 1.0}


# Copied words and names


@pytest.mark.parametrize(
    ("query", "symbol", "expected"),
    [
        ("where is time to seconds done", "Epoch::to_seconds", True),
        ("call toSeconds twice", "Epoch.to_seconds", True),
        ("seconds to time", "Epoch::to_seconds", False),
        ("seconds", "to_seconds", False),
        ("sort a list", "List::sort", False),
    ],
)
def test_a_name_is_spelt_out_by_its_words_in_a_row(query: str, symbol: str, expected: bool) -> None:
    assert spells_out(query, symbol) is expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [("searching tables", 1.0), ("searching rows", 0.5), ("the of", 0.0), ("", 0.0)],
)
def test_the_share_of_words_that_stand_in_a_doc(query: str, expected: float) -> None:
    assert share_of_doc(query, "Searches a table.") == expected


def test_personal_queries_search_definitions_of_every_kind() -> None:
    rows = units(unit("a", kind="struct", code="struct A { b: u8 }"), unit("b", is_test=True))
    assert judged_pool("personal", rows, ["demo"])["unit_id"].to_list() == ["a"]
    assert judged_pool("general", rows, ["demo"])["unit_id"].to_list() == []

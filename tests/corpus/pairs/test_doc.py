import pytest

from corpus import schema
from corpus.pairs.base import Proposal
from corpus.pairs.doc import doc_pairs, proposals_of
from tests.corpus.frames import units


def test_first_sentence_is_a_query_and_the_rest_is_kept_beside_the_code() -> None:
    first, *_ = proposals_of("u", "Adds two numbers. Wraps on overflow.\n\nIt is fast.")

    assert first == Proposal("u", "Adds two numbers", "doc", "Wraps on overflow. It is fast.")


def test_keywords_of_the_first_sentence_are_a_query() -> None:
    _, second, *_ = proposals_of("u", "Returns the sum of two numbers. More text.")

    assert second == Proposal("u", "sum two numbers", "keywords", "More text.")


def test_single_keyword_is_no_query() -> None:
    found = proposals_of("u", "Returns the sum.")

    assert [each.query_kind for each in found] == ["doc"]


def test_two_later_sentences_are_queries_without_themselves_in_the_rest() -> None:
    doc = "It adds. Wraps around at the end. Never panics on any input. Takes no time at all."
    found = [each for each in proposals_of("u", doc) if each.query_kind == "prose"]

    assert found == [
        Proposal(
            "u",
            "Wraps around at the end",
            "prose",
            "It adds. Never panics on any input. Takes no time at all.",
        ),
        Proposal(
            "u",
            "Never panics on any input",
            "prose",
            "It adds. Wraps around at the end. Takes no time at all.",
        ),
    ]


@pytest.mark.parametrize(
    "sentence",
    [
        "This wraps around at the end.",
        "If it wraps, nothing is lost.",
        "(Nobody ever needs this one.)",
        "Note that nothing is lost.",
        "Is fast.",
        " ".join(["Very"] * 26) + ".",
    ],
)
def test_sentence_that_leans_on_others_or_has_an_odd_length_is_no_query(sentence: str) -> None:
    assert {each.query_kind for each in proposals_of("u", f"Adds two numbers. {sentence}")} == {
        "doc",
        "keywords",
    }


def test_sentence_that_only_begins_like_a_pronoun_stands_alone() -> None:
    found = proposals_of("u", "Adds two numbers. Items are summed from the left.")

    assert [each.query for each in found if each.query_kind == "prose"] == [
        "Items are summed from the left"
    ]


def test_doc_without_prose_gives_no_queries() -> None:
    assert proposals_of("u", "# Safety\n\nNone.") == []


def test_only_documented_units_give_pairs() -> None:
    found = doc_pairs(
        units(
            {"unit_id": "u1", "doc": "Adds two numbers."},
            {"unit_id": "u2", "doc": ""},
            {"unit_id": "u3", "doc": "```\ncode\n```"},
        )
    )

    assert schema.conform(found, schema.PAIRS)["unit_id"].to_pylist() == ["u1", "u1"]
    assert found["query"].to_list() == ["Adds two numbers", "adds two numbers"]
    assert set(found["pair_type"]) == {"doc"}


def test_units_without_docs_give_an_empty_table() -> None:
    assert schema.conform(doc_pairs(units({})), schema.PAIRS).num_rows == 0


def test_symbols_stay_in_the_query() -> None:
    found = proposals_of("u", "Holds iff ∀ x: f(x) ≤ 0.")

    assert found[0].query == "Holds iff ∀ x: f(x) ≤ 0"

import pytest

from corpus import schema
from corpus.pairs.base import Proposal
from corpus.pairs.doc import doc_pairs, proposals_of
from tests.corpus.frames import units


def proposals(doc: str, **changes: str) -> list[Proposal]:
    unit = {
        "unit_id": "u",
        "doc": doc,
        "language": "rust",
        "symbol": "Sum::add_numbers",
        "signature": "fn add_numbers(&self, left: u64) -> u64",
        "code": "",
    }
    return proposals_of({**unit, **changes})


def asked(doc: str, kind: str, **changes: str) -> list[str]:
    return [each.query for each in proposals(doc, **changes) if each.query_kind == kind]


# The first sentence


def test_first_sentence_is_a_query_and_the_rest_is_kept_beside_the_code() -> None:
    first, *_ = proposals("Adds two numbers. Wraps on overflow.\n\nIt is fast.")

    assert first == Proposal("u", "Adds two numbers", "doc", "Wraps on overflow. It is fast.")


@pytest.mark.parametrize(
    "sentence",
    [
        "Adds up",
        "Gathers every value, key, page",
        "∀ x, x ≤ x",
    ],
)
def test_first_sentence_has_a_word_of_the_symbol_or_four_or_mathematics(sentence: str) -> None:
    assert asked(f"{sentence}.", "doc") == [sentence]


@pytest.mark.parametrize(
    "sentence", ["Gathers every page.", "Private helper method called during left phase."]
)
def test_first_sentence_that_says_too_little_is_no_query(sentence: str) -> None:
    assert proposals(sentence) == []


@pytest.mark.parametrize(
    "sentence", ["See the other adding numbers.", "Same as add numbers twice.", "Numbers to add:"]
)
def test_first_sentence_that_points_elsewhere_is_no_query(sentence: str) -> None:
    assert proposals(sentence) == []


def test_later_sentence_is_a_query_where_the_first_points_elsewhere() -> None:
    found = proposals("See the book. Adds from the left on.")

    assert found == [Proposal("u", "Adds from the left on", "prose", "See the book.")]


def test_symbols_stay_in_the_query() -> None:
    assert asked("Holds iff ∀ x: f(x) ≤ 0.", "doc") == ["Holds iff ∀ x: f(x) ≤ 0"]


def test_doc_without_prose_gives_no_queries() -> None:
    assert proposals("# Safety\n\nNone.") == []


# Keywords


def test_keywords_of_the_first_sentence_are_a_query() -> None:
    _, second, *_ = proposals("Returns the sum of two small numbers. More text.")

    assert second == Proposal("u", "sum two small numbers", "keywords", "More text.")


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Adds three numbers.", []),
        ("Adds four small numbers.", ["adds four small numbers"]),
        (
            "Adds one two three four five six seven.",
            ["adds one two three four five six seven"],
        ),
        ("Adds one two three four five six seven eight.", []),
    ],
)
def test_keywords_are_four_to_eight(sentence: str, expected: list[str]) -> None:
    assert asked(sentence, "keywords") == expected


def test_keywords_without_a_word_of_the_symbol_are_no_query() -> None:
    assert asked("Gathers whatever left side stands there.", "keywords") == []


def test_keywords_share_the_beginning_of_a_word_with_the_symbol() -> None:
    assert asked("Gathers every number seen.", "keywords") == ["gathers every number seen"]


# Later sentences


def test_two_later_sentences_are_queries_without_themselves_in_the_rest() -> None:
    doc = "It adds. Wraps numbers at the end. Keeps every number in place. Returns the sum at last."
    found = [each for each in proposals(doc) if each.query_kind == "prose"]

    assert found == [
        Proposal(
            "u",
            "Wraps numbers at the end",
            "prose",
            "It adds. Keeps every number in place. Returns the sum at last.",
        ),
        Proposal(
            "u",
            "Keeps every number in place",
            "prose",
            "It adds. Wraps numbers at the end. Returns the sum at last.",
        ),
    ]


@pytest.mark.parametrize(
    "sentence",
    [
        "This adds numbers once.",
        "Then adds the numbers.",
        "Unlike others, adds numbers.",
        "(Adds the numbers twice.)",
        "Note that it adds numbers.",
        "Same as the sum of numbers.",
        "Adds numbers from the left:",
        "Adds the numbers as above.",
        "Adds the following numbers twice.",
        "Adds the numbers if they fit.",
        "Adds numbers fast.",
        " ".join(["Adds"] + ["numbers"] * 25) + ".",
    ],
)
def test_sentence_that_leans_on_others_or_has_an_odd_length_is_no_query(sentence: str) -> None:
    assert asked(f"Adds two numbers. {sentence}", "prose") == []


def test_longest_and_shortest_later_sentence_are_queries() -> None:
    longest, shortest = " ".join(["Adds", *["numbers"] * 24]), "Adds one more number"

    assert asked(f"It adds. {longest}. {shortest}.", "prose") == [longest, shortest]


@pytest.mark.parametrize(
    "sentence", ["Numbers are added from the left.", "Callers add the numbers themselves."]
)
def test_later_sentence_that_begins_with_no_deed_is_no_query(sentence: str) -> None:
    assert asked(f"Adds two numbers. {sentence}", "prose") == []


def test_sentence_that_only_begins_like_a_word_that_leans_stands_alone() -> None:
    assert asked("Adds two numbers. Organizes numbers from the left.", "prose") == [
        "Organizes numbers from the left"
    ]


def test_later_sentence_may_share_a_word_with_the_signature_alone() -> None:
    assert asked("Adds two numbers. Wraps the left one around.", "prose") == [
        "Wraps the left one around"
    ]


def test_later_sentence_without_a_word_of_the_header_is_no_query() -> None:
    assert asked("Adds two numbers. Wraps around at the end.", "prose") == []


# Comments of TLA+, which stand before or after what they are about


NEXT = {"language": "tlaplus", "symbol": "SendVote", "signature": "SendVote(r)"}


def test_sentence_that_names_what_the_code_lacks_is_anothers() -> None:
    doc = "Sends the vote of maxBallot once. A vote is sent by SendPromise as well."

    assert proposals(doc, code="SendVote(r) == msgs' = msgs", **NEXT) == []


def test_sentence_that_names_what_the_code_holds_is_its_own() -> None:
    doc = "Sends the vote of maxBallot once."

    assert [each.query for each in proposals(doc, code="x = maxBallot", **NEXT)] == [
        "Sends the vote of maxBallot once",
        "sends vote max ballot once",
    ]


def test_other_languages_may_name_what_the_code_lacks() -> None:
    assert asked("Adds numbers of a HashMap.", "doc") == ["Adds numbers of a HashMap"]


# What goes wrong, and what must hold


@pytest.mark.parametrize(
    ("heading", "kind"), [("Panics", "symptom"), ("Errors", "symptom"), ("Safety", "property")]
)
def test_condition_is_a_query_beside_all_of_the_prose(heading: str, kind: str) -> None:
    doc = f"Adds two numbers. Fast.\n\n# {heading}\n\nThe pointer must not be null."

    assert proposals(doc)[-1] == Proposal(
        "u", "The pointer must not be null", kind, "Adds two numbers. Fast."
    )


def test_first_of_several_conditions_is_taken() -> None:
    doc = "Adds up.\n\n# Panics\n\nPanics if it is full.\n\n# Safety\n\nThe lock must be held."

    assert [each.query_kind for each in proposals(doc)] == ["doc", "symptom"]


# Tables


def test_only_documented_units_give_pairs() -> None:
    found = doc_pairs(
        units(
            {"unit_id": "u1", "doc": "Adds two long numbers."},
            {"unit_id": "u2", "doc": ""},
            {"unit_id": "u3", "doc": "```\ncode\n```"},
        )
    )

    assert schema.conform(found, schema.PAIRS)["unit_id"].to_pylist() == ["u1", "u1"]
    assert found["query"].to_list() == ["Adds two long numbers", "adds two long numbers"]
    assert set(found["pair_type"]) == {"doc"}


def test_units_without_docs_give_an_empty_table() -> None:
    assert schema.conform(doc_pairs(units({})), schema.PAIRS).num_rows == 0

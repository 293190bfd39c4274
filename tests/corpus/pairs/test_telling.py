import pytest

from corpus.pairs.telling import aim, described, told


@pytest.mark.parametrize(
    ("sentence", "query"),
    [
        ("do_it parses a duration from its text form.", "parses a duration from its text form"),
        (
            "The do_it function returns the number of open files.",
            "returns the number of open files",
        ),
        (
            "The internal do_it() also validates every incoming header.",
            "validates every incoming header",
        ),
        (
            "do_it is a thread-safe queue of pending events.",
            "a thread-safe queue of pending events",
        ),
        (
            "do_it is used to convert calendar dates into seconds.",
            "convert calendar dates into seconds",
        ),
        (
            "The do_it macro lets you select one of several futures.",
            "select one of several futures",
        ),
        ("do_it: Merges two sorted lists into another", "Merges two sorted lists into another"),
        ("do_it(x) - merges two sorted lists", "merges two sorted lists"),
        ("do_it — the largest value of some iterator", "the largest value of some iterator"),
        ("To merge two sorted lists, use do_it.", "merge two sorted lists"),
        (
            "If you want to merge two sorted lists, you can call the do_it function.",
            "merge two sorted lists",
        ),
        ("Use do_it to merge two sorted lists.", "merge two sorted lists"),
        ("You can use the do_it function to merge two sorted lists.", "merge two sorted lists"),
        ("do_it normalises the spelling of names.", "normalises the spelling of names"),
        ("do_it merges two sorted lists, while other_one sorts them.", "merges two sorted lists"),
        ("do_it merges two sorted lists, and OtherOne sorts them.", "merges two sorted lists"),
    ],
)
def test_what_a_sentence_tells(sentence: str, query: str) -> None:
    assert told(sentence, "a::Type::do_it") == query
    assert told(sentence, "do_it") == query


def test_generics_within_a_name_do_not_hide_it() -> None:
    sentence = "a::Type::<T>::do_it(x, y) constructs a set of all members."

    assert told(sentence, "a::Type::do_it") == "constructs a set of all members"


@pytest.mark.parametrize(
    "sentence",
    [
        "See do_it for more.",
        "Unlike other functions, do_it parses a duration text.",
        "We call do_it to prove the postcondition of the loop.",
        "The result of do_it merges two sorted lists.",
        "do_it is deprecated since the last release of the crate.",
        "do_it was added in version two of the library.",
        "do_it uses several helper functions internally.",
        "do_it fails where the input has no digits.",
        "do_it constructors return their arguments unchanged.",
        "do_it values are copied between threads.",
        "do_it parses these durations as shown below.",
        "do_it returns x => y for every entry.",
        "do_it parses it",
        "do_it does it",
        "do_it: for variable declarations and bindings",
        "do_it: foreign helper table",
        "other_do_it parses a duration from its text.",
        "do_it parses " + "very " * 60 + "long durations.",
        "do_it " * 100 + "parses a duration from its text.",
        "",
    ],
)
def test_what_merely_mentions(sentence: str) -> None:
    assert told(sentence, "do_it") is None


def test_a_list_of_plain_words_may_explain_anything() -> None:
    assert told("Text: String literals that may be interpolated", "Text") is None
    assert told("Text holds string literals that may be interpolated.", "Text") is not None


@pytest.mark.parametrize(
    ("sentence", "query"),
    [
        ("Returns the number of open files.", "Returns the number of open files"),
        ("This function returns the number of open files.", "returns the number of open files"),
        (
            "A queue of events that several threads share.",
            "A queue of events that several threads share",
        ),
        ("do_it returns the number of open files.", "returns the number of open files"),
        ("Check your device manual for open files.", None),
        ("The time layer provides four kinds of clocks.", None),
        ("The default way of counting files is slow.", None),
        ("Structs are also supported by every reader.", None),
        ("As of version two, files are counted.", None),
        ("See do_it for more about open files.", None),
        ("", None),
    ],
)
def test_what_the_first_sentence_below_a_heading_tells(sentence: str, query: str | None) -> None:
    assert described(sentence, "do_it") == query


@pytest.mark.parametrize(
    ("sentence", "query"),
    [
        ("To parse a duration from text, write:", "parse a duration from text"),
        ("In order to parse a duration from text:", "parse a duration from text"),
        ("For example:", None),
        ("Together with others:", None),
    ],
)
def test_what_code_is_for(sentence: str, query: str | None) -> None:
    assert aim(sentence) == query

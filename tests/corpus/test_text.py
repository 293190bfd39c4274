import pytest

from corpus.text import (
    conditions,
    identifier_words,
    keywords,
    prose,
    sentences,
    shares_a_word,
    stem,
)


def test_lines_of_a_paragraph_are_joined() -> None:
    assert prose("One line\n  and  another.\n\nNext.") == ["One line and another.", "Next."]


def test_link_keeps_its_text() -> None:
    assert prose("See [the guide](https://a.b/c) now.") == ["See the guide now."]


def test_intra_doc_link_keeps_its_name() -> None:
    assert prose("Like [`Vec::push`], see [it][Vec].") == ["Like Vec::push, see it."]


def test_reference_link_definition_goes() -> None:
    assert prose("See [it].\n\n[it]: https://a.b/c") == ["See it."]


def test_image_goes() -> None:
    assert prose("Before ![a badge](x.svg) after.") == ["Before after."]


def test_bare_address_goes() -> None:
    assert prose("Read <https://a.b/c> first.") == ["Read first."]


def test_code_span_keeps_its_text() -> None:
    assert prose("Calls `push` twice.") == ["Calls push twice."]


def test_strong_emphasis_keeps_its_text() -> None:
    assert prose("This **must not** panic.") == ["This must not panic."]


def test_html_tags_go_and_their_text_stays() -> None:
    assert prose("A <b class='x'>bold</b> claim.<br/>") == ["A bold claim."]


def test_less_than_is_no_tag() -> None:
    assert prose("Holds if a < b and b > c.") == ["Holds if a < b and b > c."]


def test_text_from_the_first_heading_on_goes() -> None:
    assert prose("Adds.\n\n# Panics\n\nNever.\n\n## More\nx") == ["Adds."]


def test_doc_that_begins_with_a_heading_says_nothing() -> None:
    assert prose("# Safety\n\nNone.") == []


def test_hash_within_a_line_is_no_heading() -> None:
    assert prose("Issue #12 and # signs.") == ["Issue #12 and # signs."]


@pytest.mark.parametrize("fence", ["```", "~~~"])
def test_doctest_goes(fence: str) -> None:
    doc = f"Adds.\n\n{fence}rust\nassert_eq!(1, 1);\n# hidden\n{fence}\n\nAfter."

    assert prose(doc) == ["Adds.", "After."]


def test_doctest_without_end_goes_to_the_end() -> None:
    assert prose("Adds.\n```\nlet x = 1;") == ["Adds."]


@pytest.mark.parametrize("marker", ["-", "*", "+", "1.", "2)"])
def test_list_items_are_paragraphs_without_markers(marker: str) -> None:
    assert prose(f"Either:\n{marker} one\n{marker} two") == ["Either:", "one", "two"]


def test_unicode_symbols_stay() -> None:
    assert prose("∀ x ≤ y: f(x) ≤ f(y), naïve ℕ.") == ["∀ x ≤ y: f(x) ≤ f(y), naïve ℕ."]


@pytest.mark.parametrize("doc", ["", "  \n\n ", "```\ncode\n```"])
def test_doc_without_prose_has_no_paragraphs(doc: str) -> None:
    assert prose(doc) == []


def test_sentences_end_at_stops_before_capitals() -> None:
    text = "Adds one. Panics on overflow! Is it safe? `x` is kept."

    assert sentences(text) == [
        "Adds one.",
        "Panics on overflow!",
        "Is it safe?",
        "`x` is kept.",
    ]


def test_stop_before_a_small_letter_ends_nothing() -> None:
    assert sentences("See lib.rs. it is short.") == ["See lib.rs. it is short."]


@pytest.mark.parametrize("short", ["e.g.", "i.e.", "cf.", "vs.", "approx.", "Fig.", "Eq.", "etc."])
def test_abbreviation_ends_no_sentence(short: str) -> None:
    assert sentences(f"Some types, {short} Vec, grow. Others not.") == [
        f"Some types, {short} Vec, grow.",
        "Others not.",
    ]


def test_version_number_ends_no_sentence() -> None:
    assert sentences("Since 1.2.3 it works.") == ["Since 1.2.3 it works."]


def test_sentence_may_begin_with_a_quantifier() -> None:
    assert sentences("Holds always. ∀ x it is so.") == ["Holds always.", "∀ x it is so."]


def test_empty_paragraph_has_no_sentences() -> None:
    assert sentences("") == []


@pytest.mark.parametrize(
    ("identifier", "words"),
    [
        ("Epoch::fromGregorianUTC", ["epoch", "from", "gregorian", "utc"]),
        ("parseHTTPResponse", ["parse", "http", "response"]),
        ("snake_case_name", ["snake", "case", "name"]),
        ("kebab-case/file.rs", ["kebab", "case", "file", "rs"]),
        ("SCREAMING_CASE", ["screaming", "case"]),
        ("as_u8Slice", ["as", "u8", "slice"]),
        ("__init__", ["init"]),
        ("", []),
    ],
)
def test_identifier_falls_into_words(identifier: str, words: list[str]) -> None:
    assert identifier_words(identifier) == words


def test_keywords_are_the_words_with_meaning_in_order() -> None:
    found = keywords("Returns the number of leap seconds in the UTC epoch.")

    assert found == ["number", "leap", "seconds", "utc", "epoch"]


def test_keywords_come_once() -> None:
    assert keywords("Copy bytes, then copy more bytes") == ["copy", "bytes"]


def test_keywords_split_identifiers() -> None:
    assert keywords("Wraps HashMap and try_from") == ["wraps", "hash", "map", "try"]


def test_keywords_leave_out_possessives_and_single_letters() -> None:
    assert keywords("The node's x value") == ["node", "value"]


def test_keywords_are_bounded() -> None:
    text = "alpha beta gamma delta epsilon zeta eta theta iota"

    assert keywords(text) == text.split()[:8]
    assert keywords(text, limit=2) == ["alpha", "beta"]


def test_negations_stay_among_keywords() -> None:
    assert keywords("It is not empty and has no lock") == ["not", "empty", "no", "lock"]


@pytest.mark.parametrize(
    "contracted", ["doesn't", "don’t", "isn't", "can't", "Can’t", "won't", "DON'T", "shan't"]
)
def test_contraction_among_keywords_is_its_negation(contracted: str) -> None:
    assert keywords(f"{contracted} free memory") == ["not", "free", "memory"]


def test_compound_among_keywords_keeps_all_of_its_parts() -> None:
    assert keywords("Converts a non-empty row to its as-array form, left-to-right") == [
        *("converts", "non", "empty", "row", "as", "array", "form", "left"),
    ]
    assert keywords("The x-axis") == ["x", "axis"]


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("It was inserted here", True),
        ("On insertion nothing moves", True),
        ("Uses insert_all of it", True),
        ("An insert-only list", True),
        ("Installs the tree", False),
        ("The ins and outs", False),
        ("", False),
    ],
)
def test_words_are_shared_by_their_beginning(text: str, shares: bool) -> None:
    assert shares_a_word(text, frozenset({"inser"})) is shares


def test_word_without_meaning_is_not_shared() -> None:
    assert not shares_a_word("This is for all", frozenset({"this", "for", "all"}))


def test_late_word_is_shared() -> None:
    text = " ".join(f"word{number}" for number in range(30))

    assert shares_a_word(f"{text} insert", frozenset({"inser"}))


def test_stem_is_the_beginning_of_a_word() -> None:
    assert stem("insertion") == stem("inserted") == "inser"
    assert stem("map") == "map"


@pytest.mark.parametrize(
    "forms",
    [
        "node nodes",
        "add adds",
        "push pushes pushed",
        "cache caches cached",
        "box boxes",
        "class classes",
    ],
)
def test_forms_of_a_short_word_have_one_stem(forms: str) -> None:
    assert len({stem(form) for form in forms.split()}) == 1


def test_stem_is_no_single_letter() -> None:
    assert [stem(word) for word in ("is", "es", "axe", "ass")] == ["is", "es", "ax", "ass"]


def test_markup_inside_a_code_span_is_code() -> None:
    doc = "Returns `arr[i]` as `Vec<T>` of `&[u8]`, see `__init__`."

    assert prose(doc) == ["Returns arr[i] as Vec<T> of &[u8], see __init__."]


def test_stop_after_an_address_still_ends_the_sentence() -> None:
    [paragraph] = prose("See https://example.org/a/b. Then read it.")

    assert sentences(paragraph) == ["See .", "Then read it."]


def test_closing_quote_stays_with_its_sentence() -> None:
    assert sentences('He said "Stop." Then he went.') == ['He said "Stop."', "Then he went."]


def test_the_word_no_ends_a_sentence() -> None:
    assert sentences("The answer is no. Then go.") == ["The answer is no.", "Then go."]


def test_names_stay_whole_among_keywords_and_identifiers_do_not() -> None:
    assert keywords("Fetch URLs of PyPI for LazyMemoryExec in flake8 and read_zorder", 9) == [
        *("fetch", "urls", "pypi", "lazy", "memory", "exec", "flake8", "read", "zorder"),
    ]


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        ("Gets.\n\n# Panics\n\nPanics if `i` is too big. Sorry.", [("symptom", "Panics if i is too big")]),
        ("# Safety\n\nThe caller must own `p`.", [("property", "The caller must own p")]),
        ("# Errors\n\nFails if:\n\n- The file is gone.\n- Late", [("symptom", "Fails if the file is gone")]),
        ("# Panics\n\nThis function never panics at all.", []),
        ("# Errors\n\nSometimes.", []),
        ("# Examples\n\nPanics if you look at it.", []),
        ("Panics if you look at it.", []),
    ],
)  # fmt: skip
def test_conditions_of_a_rust_doc(doc: str, expected: list[tuple[str, str]]) -> None:
    assert conditions(doc) == expected


@pytest.mark.parametrize(
    ("language", "doc"),
    [
        ("python", "Gets.\n\nRaises:\n    KeyError: If the key is gone.\n    OSError: On bad luck now."),
        ("python", "Raises\n------\nKeyError\n    If the key is gone.\nOSError\n    On bad luck now."),
        ("python", ":raises KeyError: if the key is gone\n:raises OSError: On bad luck now."),
        ("java", "@throws KeyError if the key is gone\n@exception OSError on bad luck now"),
        ("javascript", "@throws {KeyError} If the key is gone.\n@throws {OSError} - On bad luck now."),
        ("cpp", "\\throws KeyError if the key is gone\n\\throw OSError on bad luck now"),
    ],
)  # fmt: skip
def test_every_exception_is_a_symptom(language: str, doc: str) -> None:
    assert conditions(doc, language) == [
        ("symptom", "KeyError if the key is gone"),
        ("symptom", "OSError on bad luck now"),
    ]


def test_precondition_is_a_property() -> None:
    assert conditions("\\brief Adds.\n\\pre a < b and so on", "cpp") == [
        ("property", "a < b and so on")
    ]

import pytest

from corpus import schema
from corpus.pairs import body as rules
from corpus.pairs.base import names_of
from corpus.pairs.body import body_pairs
from tests.corpus.frames import units

REMARK = "    // Walk the tree from its root.\n"
NAMES = names_of("file_tree", "")


def words_of(code: str) -> tuple[list[str], list[str], str]:
    return rules.words_of(code, NAMES)


def body(*lines: str) -> str:
    return "fn f() {\n" + "".join(lines) + "}"


def test_remark_is_a_query_and_leaves_the_code() -> None:
    assert words_of(body(REMARK, "    walk();\n")) == (
        ["Walk the tree from its root"],
        [],
        body("    walk();\n"),
    )


def test_remark_at_the_end_of_a_line_leaves_the_line() -> None:
    found = words_of(body("    walk(); // walk the tree upwards only\n", "    stop();\n"))

    assert found == (["walk the tree upwards only"], [], body("    walk();\n", "    stop();\n"))


def test_lines_of_a_remark_are_one_text_of_which_the_first_sentence_counts() -> None:
    remarks, _, code = words_of(
        body("    // Walk the tree from\n", "    // its `root`. Then stop.\n", "    walk();\n")
    )

    assert remarks == ["Walk the tree from its root"]
    assert code == body("    walk();\n")


def test_block_remark_is_read() -> None:
    remarks, _, code = words_of("fn f() { /* walk the tree upwards only */ walk() }")

    assert remarks == ["walk the tree upwards only"]
    assert code == "fn f() {  walk() }"


def test_label_of_a_remark_goes() -> None:
    remarks, _, _ = words_of(body("    // SAFETY: the tree is never null\n"))

    assert remarks == ["the tree is never null"]


def test_message_is_a_query_and_its_place_stays() -> None:
    found = words_of(body('    bail!("there is no file called {path}");\n'))

    assert found == ([], ["there is no file called"], body('    bail!("…");\n'))


def test_raw_message_is_read() -> None:
    _, messages, code = words_of(body('    bail!(r#"there is no "such" file"#);\n'))

    assert messages == ['there is no "such" file']
    assert code == body('    bail!("…");\n')


def test_code_in_a_remark_is_no_query() -> None:
    for text in ("tree of x = y + four;", "Walk Foo::bar in that file", "calls walk() on the tree"):
        code = body(f"    // {text}\n")
        assert words_of(code) == ([], [], code)


def test_task_in_a_remark_is_no_query() -> None:
    code = body("    // Walk the tree upwards, TODO\n")

    assert words_of(code) == ([], [], code)


def test_few_words_or_letters_are_no_query() -> None:
    for text in ("three short trees", "tree b c d 1 2 3 4 5 6 7 8 9 0"):
        code = body(f"    // {text}\n", f'    say("{text}");\n')
        assert words_of(code) == ([], [], code)


def test_address_in_a_string_hides_no_remark() -> None:
    code = body('    open("https://a.example/b c d e");\n')

    assert words_of(code) == ([], [], code)


def test_quote_character_opens_no_string() -> None:
    code = "fn f<'a>(x: &'a str) { is('\"'); bail!(\"there is no such file\"); is('\\''); }"

    assert words_of(code)[1] == ["there is no such file"]


def test_two_remarks_are_taken_and_the_third_stays() -> None:
    lines = [f"    // the {nth} file of three\n" for nth in ("first", "second", "third")]
    calls = "    go();\n"
    remarks, _, code = words_of(body(*(line + calls for line in lines)))

    assert remarks == ["the first file of three", "the second file of three"]
    assert code == body(calls, calls, lines[2], calls)


def test_remark_without_a_word_of_the_symbol_stays() -> None:
    code = body("    // Keeps the neighbours in balance.\n")

    assert words_of(code) == ([], [], code)


def test_remark_that_is_passed_over_does_not_count() -> None:
    other = "    // Keeps the neighbours in balance.\n"
    remarks, _, code = words_of(body(other, "    go();\n", other, "    go();\n", REMARK))

    assert remarks == ["Walk the tree from its root"]
    assert code == body(other, "    go();\n", other, "    go();\n")


@pytest.mark.parametrize(
    "remark",
    [
        "This walks the tree once",
        "otherwise the tree is empty",
        "If empty, the tree is gone",
        "(the tree is walked once)",
        "Walks the tree as above",
        "Walks the tree; stops there",
        "Walks the tree with ( )",
        "Invariant: the tree is sorted",
        "the tree is sorted at this point",
    ],
)
def test_remark_that_leans_on_the_code_around_it_stays(remark: str) -> None:
    code = body(f"    // {remark}\n")

    assert words_of(code) == ([], [], code)


def test_message_needs_no_word_of_the_symbol() -> None:
    assert words_of(body('    bail!("nothing was given to us");\n'))[1] == [
        "nothing was given to us"
    ]


TREE = {"symbol": "Tree::walk", "code": body(REMARK)}


def test_pairs_hold_the_code_without_its_words() -> None:
    code = body(REMARK, '    bail!("there is no such file");\n')
    found = body_pairs(units({**TREE, "code": code, "prose": "Does it."}, {"unit_id": "u2"}))

    assert schema.conform(found, schema.PAIRS).num_rows == 2
    assert found.select("query", "query_kind", "pair_type", "doc_rest").rows() == [
        ("Walk the tree from its root", "implementation", "body", "Does it."),
        ("there is no such file", "symptom", "body", "Does it."),
    ]
    assert set(found["positive"]) == {body('    bail!("…");\n')}


def test_remark_needs_a_word_of_the_symbol_and_not_of_the_signature() -> None:
    other = {"symbol": "stroll", "signature": "fn stroll(from: &Tree)"}

    assert body_pairs(units({**TREE, "signature": "fn walk()"})).height == 1
    assert body_pairs(units({**TREE, **other})).height == 0


def test_plain_test_gives_none_and_a_proof_harness_does() -> None:
    found = body_pairs(
        units(
            {**TREE, "unit_id": "test", "is_test": True},
            {**TREE, "unit_id": "proof", "is_test": True, "dialect": "kani"},
        )
    )

    assert found["unit_id"].to_list() == ["proof"]


def test_only_languages_whose_comments_are_known_give_pairs() -> None:
    languages = ["rust", "java", "cpp", "python", "typescript", "javascript", "lean", "tlaplus"]
    found = body_pairs(units(*({**TREE, "unit_id": each, "language": each} for each in languages)))

    assert found["unit_id"].to_list() == ["rust", "java", "cpp"]


def test_only_what_has_a_body_gives_pairs() -> None:
    kinds = ["method", "constructor", "proof_function", "spec_function", "struct", "trait", "const"]
    found = body_pairs(units(*({**TREE, "unit_id": each, "kind": each} for each in kinds)))

    assert found["unit_id"].to_list() == kinds[:4]


def test_units_without_words_give_an_empty_table() -> None:
    assert schema.conform(body_pairs(units({})), schema.PAIRS).num_rows == 0

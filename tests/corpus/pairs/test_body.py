from corpus import schema
from corpus.pairs.body import body_pairs, words_of
from tests.corpus.frames import units

REMARK = "    // Walk the tree from its root.\n"


def body(*lines: str) -> str:
    return "fn f() {\n" + "".join(lines) + "}"


def test_remark_is_a_query_and_leaves_the_code() -> None:
    assert words_of(body(REMARK, "    walk();\n")) == (
        ["Walk the tree from its root"],
        [],
        body("    walk();\n"),
    )


def test_remark_at_the_end_of_a_line_leaves_the_line() -> None:
    found = words_of(body("    walk(); // walk the tree from below\n", "    stop();\n"))

    assert found == (["walk the tree from below"], [], body("    walk();\n", "    stop();\n"))


def test_lines_of_a_remark_are_one_text_of_which_the_first_sentence_counts() -> None:
    remarks, _, code = words_of(
        body("    // Walk the tree from\n", "    // its `root`. Then stop.\n", "    walk();\n")
    )

    assert remarks == ["Walk the tree from its root"]
    assert code == body("    walk();\n")


def test_block_remark_is_read() -> None:
    remarks, _, code = words_of("fn f() { /* walk the tree from below */ walk() }")

    assert remarks == ["walk the tree from below"]
    assert code == "fn f() {  walk() }"


def test_label_of_a_remark_goes() -> None:
    remarks, _, _ = words_of(body("    // SAFETY: the pointer is never null\n"))

    assert remarks == ["the pointer is never null"]


def test_message_is_a_query_and_its_place_stays() -> None:
    found = words_of(body('    bail!("there is no file called {path}");\n'))

    assert found == ([], ["there is no file called"], body('    bail!("…");\n'))


def test_raw_message_is_read() -> None:
    _, messages, code = words_of(body('    bail!(r#"there is no "such" file"#);\n'))

    assert messages == ['there is no "such" file']
    assert code == body('    bail!("…");\n')


def test_code_in_a_remark_is_no_query() -> None:
    for text in ("let x = y + four;", "see Foo::bar in that file", "calls walk() on the tree"):
        code = body(f"    // {text}\n")
        assert words_of(code) == ([], [], code)


def test_task_in_a_remark_is_no_query() -> None:
    code = body("    // TODO walk the tree from below\n")

    assert words_of(code) == ([], [], code)


def test_few_words_or_letters_are_no_query() -> None:
    for text in ("three short words", "a b c d 1 2 3 4 5 6 7 8 9 0"):
        code = body(f"    // {text}\n", f'    say("{text}");\n')
        assert words_of(code) == ([], [], code)


def test_address_in_a_string_hides_no_remark() -> None:
    code = body('    open("https://a.example/b c d e");\n')

    assert words_of(code) == ([], [], code)


def test_quote_character_opens_no_string() -> None:
    code = "fn f<'a>(x: &'a str) { is('\"'); bail!(\"there is no such file\"); is('\\''); }"

    assert words_of(code)[1] == ["there is no such file"]


def test_two_remarks_are_taken_and_the_third_stays() -> None:
    lines = [f"    // the {nth} remark of three\n" for nth in ("first", "second", "third")]
    calls = "    go();\n"
    remarks, _, code = words_of(body(*(line + calls for line in lines)))

    assert remarks == ["the first remark of three", "the second remark of three"]
    assert code == body(calls, calls, lines[2], calls)


def test_pairs_hold_the_code_without_its_words() -> None:
    code = body(REMARK, '    bail!("there is no such file");\n')
    found = body_pairs(units({"code": code, "prose": "Does it."}, {"unit_id": "u2"}))

    assert schema.conform(found, schema.PAIRS).num_rows == 2
    assert found.select("query", "query_kind", "pair_type", "doc_rest").rows() == [
        ("Walk the tree from its root", "implementation", "body", "Does it."),
        ("there is no such file", "symptom", "body", "Does it."),
    ]
    assert set(found["positive"]) == {body('    bail!("…");\n')}


def test_plain_test_gives_none_and_a_proof_harness_does() -> None:
    code = body(REMARK)
    found = body_pairs(
        units(
            {"unit_id": "test", "code": code, "is_test": True},
            {"unit_id": "proof", "code": code, "is_test": True, "dialect": "kani"},
        )
    )

    assert found["unit_id"].to_list() == ["proof"]


def test_units_without_words_give_an_empty_table() -> None:
    assert schema.conform(body_pairs(units({})), schema.PAIRS).num_rows == 0

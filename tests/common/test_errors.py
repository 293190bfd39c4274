from common.errors import ProvenderError


def test_message_says_where_what_and_remedy() -> None:
    error = ProvenderError("It broke.", where="here", remedy="Mend it.")

    assert str(error) == "here: It broke. Mend it."
    assert (error.what, error.where, error.remedy) == ("It broke.", "here", "Mend it.")


def test_a_question_and_a_missing_full_stop_end_a_sentence_once() -> None:
    asked = ProvenderError("No `a`; did you mean `b`?", where="x", remedy="Correct it.")
    known = ProvenderError("No `a`; known ones: b, c", where="x", remedy="Correct it.")
    assert str(asked) == "x: No `a`; did you mean `b`? Correct it."
    assert str(known) == "x: No `a`; known ones: b, c. Correct it."

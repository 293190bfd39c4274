from common.errors import ProvenderError


def test_message_says_where_what_and_remedy() -> None:
    error = ProvenderError("It broke.", where="here", remedy="Mend it.")

    assert str(error) == "here: It broke. Mend it."
    assert (error.what, error.where, error.remedy) == ("It broke.", "here", "Mend it.")

from __future__ import annotations

from evaluation.documents import fields, render

DEFINITION = {"file_context": "uv/src/a.rs", "prose": "Reads it.", "code": "fn read() {}"}


def test_code_alone_leaves_path_and_doc_out() -> None:
    assert render({"code": "fn read() {}"}, "code") == "fn read() {}"
    assert render(DEFINITION, "code") == "fn read() {}"


def test_indexed_form_is_path_doc_code() -> None:
    assert render(DEFINITION, "indexed") == "uv/src/a.rs\nReads it.\nfn read() {}"


def test_an_empty_doc_leaves_no_empty_line() -> None:
    assert render({**DEFINITION, "prose": ""}, "indexed") == "uv/src/a.rs\nfn read() {}"


def test_fields_are_the_parts_of_the_indexed_form_and_the_symbol() -> None:
    assert fields({**DEFINITION, "symbol": "A::read"}) == {
        "path": "uv/src/a.rs",
        "symbol": "A::read",
        "doc": "Reads it.",
        "code": "fn read() {}",
    }

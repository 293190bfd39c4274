from typing import Any

import pytest

from corpus.pairs.names import Meaning, Names
from tests.corpus.frames import units


def unit(unit_id: str, symbol: str, path: str = "src/lib.rs", **columns: Any) -> dict[str, Any]:
    name = symbol.replace(".", "::").rpartition("::")[2]
    kind = "struct" if name[0].isupper() else "method" if name != symbol else "function"
    signature = "pub " + ("struct " if kind == "struct" else "fn ") + name
    return {
        "unit_id": unit_id,
        "symbol": symbol,
        "name": name,
        "kind": kind,
        "path": path,
        "signature": signature,
        **columns,
    }


def meant(name: str, *rows: dict[str, Any], path: str = "README.md", **hints: Any) -> list[str]:
    return [each.unit_id for each in Names(units(*rows)).meanings(name, path, **hints)]


@pytest.mark.parametrize(
    ("name", "symbol", "found"),
    [
        ("parse_all", "parse_all", True),
        ("parse_all", "Parser::parse_all", True),
        ("Parser::parse_all", "Parser::parse_all", True),
        ("Lexer::parse_all", "Parser::parse_all", False),
        ("crate::parse_all", "parse_all", True),
        ("lib::Self::parse_all", "parse_all", False),
        ("parser.parse_all", "Parser::parse_all", True),
        ("Parser::new", "Parser::new", True),
        ("new", "Parser::new", False),
        ("run", "run", False),
        ("parser.run", "Parser::run", False),
        ("__init__", "Parser.__init__", False),
        ("HttpClient", "HttpClient", True),
        ("Config", "Config", True),
        ("Io", "Io", False),
        ("std::mem::swap_all", "swap_all", False),
        ("nothing_such", "parse_all", False),
    ],
)
def test_names_and_symbols(name: str, symbol: str, *, found: bool) -> None:
    assert meant(name, unit("u1", symbol)) == ["u1"] * found


@pytest.mark.parametrize(
    ("name", "path", "found"),
    [
        ("time::sleep", "tokio/src/time/sleep.rs", True),
        ("tokio::time::sleep", "tokio/src/time/sleep.rs", True),
        ("my_crate::sleep", "crates/my-crate/src/lib.rs", True),
        ("std::thread::sleep", "tokio/src/time/sleep.rs", False),
        ("sleep::time", "tokio/src/time/sleep.rs", False),
    ],
)
def test_qualifiers_may_be_modules_files_and_crates(name: str, path: str, *, found: bool) -> None:
    assert meant(name, unit("u1", "sleep", path)) == ["u1"] * found


def test_a_module_inside_the_file_qualifies() -> None:
    assert meant("inner::sleep", unit("u1", "sleep", module="outer::inner")) == ["u1"]


def test_dots_qualify_where_the_language_has_them() -> None:
    rows = [
        unit("u1", "load", "pkg/store.py", language="python", signature="def load()"),
        unit("u2", "lock", "src/store.rs"),
    ]

    assert meant("pkg.store.load", *rows) == ["u1"]
    assert meant("store.load", *rows) == ["u1"]
    assert meant("store.lock", *rows) == []


def test_the_more_units_share_a_name_the_less_it_says() -> None:
    rows = [unit(f"u{n}", f"T{n}::parse_all") for n in range(1, 5)]

    def meanings(count: int) -> list[Meaning]:
        return Names(units(*rows[:count])).meanings("parse_all", "README.md")

    assert meanings(1) == [Meaning("u1", 0.9)]
    assert meanings(2) == [Meaning("u1", 0.45), Meaning("u2", 0.45)]
    assert len(meanings(3)) == 3
    assert meanings(4) == []


def test_qualified_names_say_most_and_single_words_least() -> None:
    names = Names(units(unit("u1", "Foo::parse_all"), unit("u2", "Config")))

    assert names.meanings("Foo::parse_all", "README.md") == [Meaning("u1", 1.0)]
    assert names.meanings("Config", "README.md") == [Meaning("u2", 0.7)]


def test_a_link_to_the_file_settles_it() -> None:
    rows = [unit("u1", "run", "src/a.rs"), unit("u2", "run", "src/b.rs")]

    assert meant("run", *rows, linked={"src/b.rs"}) == ["u2"]
    assert meant("run", *rows, linked={"src/c.rs"}) == []


def test_the_nearest_of_equal_names_is_meant() -> None:
    rows = [
        unit("u1", "parse_all", "crates/a/src/x.rs"),
        unit("u2", "parse_all", "crates/b/src/x.rs"),
    ]

    assert meant("parse_all", *rows, path="crates/b/README.md") == ["u2"]
    assert meant("parse_all", *rows) == ["u1", "u2"]


def test_a_constructor_is_not_its_type() -> None:
    rows = [
        unit("u1", "HttpClient", "A.java", kind="class", language="java"),
        unit("u2", "HttpClient.HttpClient", "A.java", kind="class", language="java"),
    ]

    assert meant("HttpClient", *rows) == ["u1"]


def test_a_stub_is_not_what_it_stands_for() -> None:
    rows = [
        unit("u1", "HttpClient", "a.pyi", kind="class", language="python"),
        unit("u2", "HttpClient", "src/a.rs"),
    ]

    assert meant("HttpClient", *rows) == ["u2"]
    assert meant("HttpClient", rows[0]) == ["u1"]


def test_a_method_must_be_called_to_be_told_from_an_option() -> None:
    method, free = unit("u1", "Options::byte_size"), unit("u2", "byte_count")
    hidden = unit("u3", "byte_total", signature="pub(crate) fn byte_total()")

    assert meant("byte_size", method, is_called=True) == ["u1"]
    assert meant("byte_size", method, is_called=False) == []
    assert meant("byte_count", free, is_called=False) == ["u2"]
    assert meant("byte_total", hidden, is_called=False) == []
    assert meant("Options::byte_size", method, is_called=False) == ["u1"]


def test_a_hidden_type_of_one_word_is_not_meant() -> None:
    assert meant("Mode", unit("u1", "Mode", signature="enum Mode")) == []
    assert meant("RunMode", unit("u1", "RunMode", signature="enum RunMode")) == ["u1"]


def test_a_macro_is_preferred_where_the_name_is_one() -> None:
    macro = unit("u1", "join_all", kind="macro", signature="macro_rules! join_all")

    assert meant("join_all!", macro, unit("u2", "join_all")) == ["u1"]
    assert meant(
        "select!", unit("u3", "select", kind="macro", signature="macro_rules! select")
    ) == ["u3"]


def test_tests_mean_nothing_but_proofs_do() -> None:
    test, proof = (
        unit("u1", "check_all", is_test=True),
        unit("u2", "prove_all", is_test=True, dialect="kani"),
    )

    assert meant("check_all", test, proof) == []
    assert meant("prove_all", test, proof) == ["u2"]

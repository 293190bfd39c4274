from typing import Any

from corpus.pairs.proof.counterpart import queries

LEAN = {
    "unit_id": "l",
    "name": "isAuthorized",
    "language": "lean",
    "kind": "def",
    "signature": "def isAuthorized (req : Request) : Response",
    "code": "def isAuthorized (req : Request) : Response := decide req",
    "is_test": False,
}
RUST = {
    "unit_id": "r",
    "name": "is_authorized",
    "language": "rust",
    "kind": "method",
    "signature": "fn is_authorized(&self)",
    "code": "fn is_authorized(&self) {}",
    "is_test": False,
}
TLA = {**LEAN, "unit_id": "t", "language": "tlaplus", "kind": "operator", "name": "IsAuthorized"}


def found(*units: dict[str, Any]) -> list[tuple[str, str]]:
    return [(unit["unit_id"], query.text) for unit, query in queries(units)]


def test_lean_definition_asks_for_the_rust_of_its_name() -> None:
    ((unit, text),) = found(LEAN, RUST)

    assert unit == "r"
    assert "Rust" in text
    assert text.endswith("def isAuthorized (req : Request) : Response")


def test_tla_operator_asks_for_its_code_too() -> None:
    assert [unit for unit, _ in found(RUST, TLA)] == ["r"]


def test_name_that_two_functions_bear_is_not_taken() -> None:
    assert found(LEAN, RUST, {**RUST, "unit_id": "other"}) == []
    assert found(LEAN, {**LEAN, "unit_id": "other"}, RUST) == []


def test_name_of_one_word_is_not_taken() -> None:
    assert found({**LEAN, "name": "authorize"}, {**RUST, "name": "authorize"}) == []


def test_types_and_tests_implement_nothing() -> None:
    assert found(LEAN, {**RUST, "kind": "struct"}) == []
    assert found(LEAN, {**RUST, "is_test": True}) == []

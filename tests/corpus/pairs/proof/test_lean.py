import pytest

from corpus.languages.lean import extract
from corpus.pairs.proof.base import Query
from corpus.pairs.proof.lean import by_name, queries
from tests.corpus.pairs.proof.rows import row


def asked(source: str) -> list[Query]:
    (definition,) = extract(source.encode()).definitions
    return list(queries(row(definition, language="lean", path="Demo/List.lean")))


@pytest.mark.parametrize(
    ("symbol", "words"),
    [
        ("Nat.add_comm", "nat addition is commutative"),
        ("List.length_append", "list length append"),
        ("List.mem_cons_self", "list membership cons itself"),
        ("le_trans", "is at most is transitive"),
    ],
)
def test_name_is_read_by_the_naming_rules(symbol: str, words: str) -> None:
    assert by_name({"symbol": symbol}) == words


def test_theorem_is_asked_for_by_name_statement_and_formula() -> None:
    found = asked(
        "theorem List.length_append_self (xs : List α) : (xs ++ xs).length = 2 * xs.length := by\n"
        "  simp [Nat.two_mul]\n"
    )

    assert [each.kind for each in found] == ["property", "property", "specification"]
    assert found[0].text.endswith("list length append itself")
    assert found[1].text.endswith("xs append xs length equals 2 times xs length")
    assert found[2].text == "(xs ++ xs).length = 2 * xs.length"


def test_short_hypothesis_is_given() -> None:
    texts = [
        each.text
        for each in asked(
            "theorem take_all (h : xs.length ≤ count) : xs.take count = xs := by\n  simp [h]\n"
        )
    ]

    assert any(text.endswith(" if xs length at most count") for text in texts)


def test_power_is_said_in_statement_and_hypothesis() -> None:
    texts = [
        each.text
        for each in asked(
            "theorem square_le (h : base ^ 2 = limit) : base^2 + extra ≤ total := by\n  simp [h]\n"
        )
    ]

    assert any(
        "base to the power of 2 plus extra at most total if base to the power of 2 equals limit"
        in text
        for text in texts
    )


def test_measure_of_a_definition_is_said_and_that_of_a_theorem_is_not() -> None:
    recursion = ": Nat := halve (value / 2)\ntermination_by value_size"

    assert any(
        "value size" in each.text for each in asked(f"def halve (value : Nat) {recursion}\n")
    )
    theorem = asked(f"theorem halve (value : Nat) {recursion}\n")
    assert not any("value size" in each.text for each in theorem)


def test_prime_of_a_statement_is_said() -> None:
    texts = [
        each.text
        for each in asked("theorem len_same : (xs'.length) = xs.length + extra := by\n  simp\n")
    ]

    assert any("xs prime length equals xs length plus extra" in text for text in texts)


def test_instance_names_class_and_type() -> None:
    (query,) = asked("instance : Inhabited (Tree α) where\n  default := .leaf\n")

    assert "inhabited" in query.text
    assert "tree" in query.text


def test_definition_without_facts_is_not_asked_for() -> None:
    assert asked("def double (n : Nat) : Nat := n + n\n") == []

import time

import pytest

from corpus.pairs.proof.formula import MAX_WORDS, spoken


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        # Verus
        (
            "forall|i: int| 0 <= i < s.len() ==> #[trigger] s[i] >= 0",
            "for all i 0 at most i less than s length implies s i at least 0",
        ),
        ("self.wf() && index < self@.len()", "well formed and index less than length"),
        ("n as nat <= capacity as nat", "n at most capacity"),
        (
            "old(queue).is_empty() <==> ret.is_none()",
            "old queue is empty if and only if result is none",
        ),
        # Creusot
        ("(^list)@ == (*list)@.push_back(item)", "final list equals list push back item"),
        (
            "forall<i: Int> i < row.len() ==> row[i] == 1u8",
            "for all i less than row length implies row i equals 1",
        ),
        # Lean
        (
            "(xs ++ ys).length = xs.length + ys.length",
            "xs append ys length equals xs length plus ys length",
        ),
        ("∀ x ∈ xs, x ≤ bound", "for all x in xs x at most bound"),
        # TLA+
        (
            '\\A p \\in Proc : pc[p] = "cs" => lock = p',
            "for all p in proc pc p equals cs implies lock equals p",
        ),
        ("request ~> granted", "request leads to granted"),
        ("[](stopped => <>idle)", "always stopped implies eventually idle"),
        ("map'[k] = value", "map k equals value"),
    ],
)
def test_formula_is_said_in_words(formula: str, words: str) -> None:
    assert spoken(formula) == words


@pytest.mark.parametrize(
    "formula", ["", "x != y", "result", "true", "n >= 0", "result == true", "()"]
)
def test_formula_that_says_nothing_is_not_said(formula: str) -> None:
    assert spoken(formula) == ""


def test_formula_as_long_as_a_query_can_be_is_said() -> None:
    longest = " && ".join(f"word{letter}" for letter in "abcdefghijk")

    assert len(spoken(longest).split()) == MAX_WORDS - 1
    assert spoken(f"{longest} && one && more") == ""


def test_same_word_twice_in_a_row_is_said_once() -> None:
    assert spoken("!!valid(list.list)") == "not valid list"


@pytest.mark.parametrize(
    "hostile", ["(" * 20000, "forall|" * 20000, "a::<" * 20000, "x." * 20000, '"' * 19999]
)
def test_hostile_formula_ends(hostile: str) -> None:
    started = time.monotonic()
    spoken(hostile)

    assert time.monotonic() - started < 5

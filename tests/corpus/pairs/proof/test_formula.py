import pytest

from corpus.pairs.proof.formula import MAX_WORDS, spoken, written


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
        ("mask ^ other == total", "mask xor other equals total"),
        (
            "left < right as nat && total > count",
            "left less than right and total greater than count",
        ),
        ("<List<T> as Sequence>::len(list) == total", "list length list equals total"),
        # Creusot
        ("(^list)@ == (*list)@.push_back(item)", "final list equals list push back item"),
        (
            "(*^list).len() == (^*list).len()",
            "final list length equals final list length",
        ),
        ("sorted && ^other == *other", "sorted and final other equals other"),
        (
            "forall<i: Int> i < row.len() ==> row[i] == 1u8",
            "for all i less than row length implies row i equals 1",
        ),
        # Lean
        (
            "(xs ++ ys).length = xs.length + ys.length",
            "xs append ys length equals xs length plus ys length",
        ),
        ("xs'.length = xs.length", "xs prime length equals xs length"),
        ("base ** 2 = total", "base to the power of 2 equals total"),
        ("base ** exponent = total", "base to the power of exponent equals total"),
        ("∀ x ∈ xs, x ≤ bound", "for all x in xs x at most bound"),
        # TLA+
        (
            '\\A p \\in Proc : pc[p] = "cs" => lock = p',
            "for all p in proc pc p equals cs implies lock equals p",
        ),
        ("request ~> granted", "request leads to granted"),
        ("[](stopped => <>idle)", "always stopped implies eventually idle"),
        ("map'[k] = value", "map prime k equals value"),
        ("view.number' = number", "number prime equals number"),
        ("[key |-> value]", "key maps to value"),
    ],
)
def test_formula_is_said_in_words(formula: str, words: str) -> None:
    assert spoken(formula) == words


@pytest.mark.parametrize(
    "formula", ["", "x != y", "result", "true", "n >= 0", "result == true", "()"]
)
def test_formula_that_says_nothing_is_not_said(formula: str) -> None:
    assert spoken(formula) == ""


@pytest.mark.parametrize("sign", ["⋈", "$", "⟦", "▷", "©"])
def test_sign_without_a_word_makes_a_formula_unsayable(sign: str) -> None:
    assert spoken("total = other") == "total equals other"
    assert spoken(f"total = {sign}other") == ""


@pytest.mark.parametrize(
    "formula",
    [
        "match total { Some(x) => x, None => other }",
        "if total { other } else { rest }",
        "total <$> other = rest",
        "total >>= other",
        "let total = other; total == rest",
        "total ^# other",
        "total**+ = other",
    ],
)
def test_program_in_a_formulas_place_is_not_said(formula: str) -> None:
    assert spoken(formula) == ""


def test_conjunction_without_spaces_is_no_reference() -> None:
    assert spoken("sorted &&valid") == "sorted and valid"
    assert spoken("sorted && &valid == &&other") == "sorted and valid equals other"


def test_name_of_which_nothing_is_left_is_said_as_it_stands() -> None:
    assert spoken("view' = total") == "view prime equals total"
    assert spoken("spec = total") == "spec equals total"


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        ("|result| result == crate::tree::root()", "result == tree::root()"),
        ("#[trigger] list[i]\n    >= 0", "list[i] >= 0"),
        ("{ sorted(list) }", "sorted(list)"),
    ],
)
def test_formula_is_written_as_it_would_be_typed(formula: str, text: str) -> None:
    assert written(formula) == text


def test_formula_as_long_as_a_query_can_be_is_said() -> None:
    longest = " && ".join(f"word{letter}" for letter in "abcdefghijk")

    assert len(spoken(longest).split()) == MAX_WORDS - 1
    assert spoken(f"{longest} && one && more") == ""


def test_same_word_twice_in_a_row_is_said_once() -> None:
    assert spoken("!!valid(list.list)") == "not valid list"


@pytest.mark.parametrize(
    "hostile",
    [
        "(" * 20000,
        "&*" * 10000,
        "^" * 20000,
        " " * 20000,
        "forall|" * 20000,
        "a::<" * 20000,
        "x." * 20000,
        '"' * 19999,
    ],
)
def test_hostile_formula_ends(hostile: str) -> None:
    assert len(spoken(hostile).split()) <= MAX_WORDS

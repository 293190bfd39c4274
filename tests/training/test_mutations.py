from __future__ import annotations

import pytest

from corpus.languages.base import grammar
from training.mutations import NAMES, conclusion_shape, mutate
from training.spoken import spoken_of

KANI = """#[kani::proof]
#[kani::unwind(5)]
fn checks_add() {
    let values: Vec<u8> = kani::any();
    // values < 3 && never == 4
    kani::assume(values.len() <= 4 && values.len() > 0);
    let total = values.iter().map(|&value| u32::from(value) << 1).sum::<u32>();
    assert!(total < 2048, "total < 2048");
    assert_eq!(total, total);
    assert_eq!(total % 2, 0);
}
"""
CREUSOT = """#[creusot_std::macros::requires(x@ < u32::MAX@)]
#[ensures(result@ == x@ + 1 && result > x)]
#[ensures(forall<i: Int> 0 <= i ==> f(i) == f(i))]
fn next(x: u32) -> u32 {
    x + 1
}
"""
PRUSTI = """#[pure]
#[requires(index < self.len())]
#[ensures(old(self.len()) == self.len())]
pub fn lookup<'a>(&'a self, index: usize) -> Option<&'a T> {
    if index == 0 { None } else { self.items.get(index) }
}
"""
VERUS = """pub proof fn lemma_push<A, B>(s: Seq<A>, f: spec_fn(A) -> B, x: A)
    requires
        s.len() < 10,
        forall|i: int, j: int| 0 <= i < j ==> s[i] != s[j],  // i <= j
    ensures
        Seq::<A>::empty().push(x).len() == 1,
{
    assert(s.len() == s.len() + 0);
}
"""
VERUS_SWAPPED = """Seq::<A>::empty().push(x).len() == 1,
        forall|i: int, j: int| 0 <= i < j ==> s[i] != s[j],  // i <= j
    ensures
        s.len() < 10"""
VERUS_SPEC = """pub open spec fn sorted(s: Seq<int>) -> bool {
    forall|i: int, j: int| i < j ==> s[i] <= s[j]
}
"""
LEAN = """@[simp] theorem take_le {α : Type} (xs : List α) (n : Nat) (h : n ≤ xs.length) /- a = b -/ :
    (xs.take n).length = n ∧ xs ≠ [] := by
  have : n < 3 → n = n := by omega
  simp [h]
"""
LEAN_DEFINITION = "def Sorted (xs : List Nat) : Prop := ∀ i j, i < j → xs[i]! ≤ xs[j]!\n"
LEAN_IMPLICATION = "lemma even_of (n : Nat) : n % 2 = 0 → Even n := by omega"
TLA = """TypeOK == \\* x = 3
  /\\ x \\in 0..N
  /\\ \\A p \\in Procs : pc[p] # "a = b" => x <= N
  /\\ f' = [f EXCEPT ![1] = 2]
"""
TLA_THEOREM = """THEOREM Safety == ASSUME NEW n \\in Nat, n > 0 PROVE Spec => []Inv
<1>1. Init => Inv BY DEF Init
<1> QED BY <1>1
"""
SMT = """; (assert (< x 3))
(assert (! (=> (and (< x 10) (>= y 0) |a = b|) (forall ((i Int)) (= (f i) (f i)))) :named |p < q|))
"""

CLAUSE = "result@ == x@ + 1 && result > x"

EXPECTED = {
    "kani": (
        ("rust", "kani", KANI),
        [
            ("changed_bound", "5", "6"),
            ("dropped_requires", "kani::assume(values.len() <= 4 && values.len() > 0);\n    ", ""),
            ("strengthened_requires", "<=", "<"),
            ("changed_bound", "4", "5"),
            ("flipped_connective", "&&", "||"),
            ("flipped_comparison", ">", ">="),
            ("changed_bound", "0", "1"),
            ("dropped_ensures", 'assert!(total < 2048, "total < 2048");\n    ', ""),
            ("weakened_ensures", "<", "<="),
            ("changed_bound", "2048", "2049"),
            ("flipped_equality", "eq", "ne"),
            ("changed_bound", "0", "1"),
        ],
    ),
    "creusot": (
        ("rust", "creusot", CREUSOT),
        [
            ("dropped_requires", "#[creusot_std::macros::requires(x@ < u32::MAX@)]\n", ""),
            (
                "swapped_contract",
                "x@ < u32::MAX@)]\n#[ensures(result@ == x@ + 1 && result > x",
                "result@ == x@ + 1 && result > x)]\n#[ensures(x@ < u32::MAX@",
            ),
            ("flipped_comparison", "<", "<="),
            ("changed_bound", "MAX", "MIN"),
            ("dropped_ensures", "#[ensures(result@ == x@ + 1 && result > x)]\n", ""),
            ("weakened_ensures", "result@ == x@ + 1 && ", ""),
            ("flipped_equality", "==", "!="),
            ("weakened_ensures", "==", "<="),
            ("weakened_ensures", " && result > x", ""),
            ("weakened_ensures", "&&", "||"),
            ("weakened_ensures", ">", ">="),
            ("dropped_ensures", "#[ensures(forall<i: Int> 0 <= i ==> f(i) == f(i))]\n", ""),
            ("flipped_quantifier", "forall", "exists"),
            ("changed_bound", "0", "1"),
            ("flipped_comparison", "<=", "<"),
            ("flipped_connective", "==>", "&&"),
        ],
    ),
    "prusti": (
        ("rust", "prusti", PRUSTI),
        [
            ("dropped_requires", "#[requires(index < self.len())]\n", ""),
            (
                "swapped_contract",
                "index < self.len())]\n#[ensures(old(self.len()) == self.len()",
                "old(self.len()) == self.len())]\n#[ensures(index < self.len()",
            ),
            ("flipped_comparison", "<", "<="),
            ("dropped_ensures", "#[ensures(old(self.len()) == self.len())]\n", ""),
            ("flipped_equality", "==", "!="),
            ("weakened_ensures", "==", "<="),
        ],
    ),
    "verus": (
        ("rust", "verus", VERUS),
        [
            ("dropped_requires", "s.len() < 10,\n        ", ""),
            (
                "swapped_contract",
                VERUS[VERUS.index("s.len() < 10") : VERUS.index(",\n{")],
                VERUS_SWAPPED,
            ),
            ("flipped_comparison", "<", "<="),
            ("changed_bound", "10", "11"),
            ("flipped_quantifier", "forall", "exists"),
            (
                "dropped_requires",
                "forall|i: int, j: int| 0 <= i < j ==> s[i] != s[j],  ",
                "",
            ),
            ("changed_bound", "0", "1"),
            ("flipped_comparison", "<=", "<"),
            ("flipped_comparison", "<", "<="),
            ("flipped_connective", "==>", "&&"),
            ("flipped_equality", "!=", "=="),
            (
                "dropped_ensures",
                "ensures\n        Seq::<A>::empty().push(x).len() == 1,\n",
                "",
            ),
            ("flipped_equality", "==", "!="),
            ("weakened_ensures", "==", "<="),
            ("changed_bound", "1", "2"),
        ],
    ),
    "verus definition": (
        ("rust", "verus", VERUS_SPEC),
        [
            ("flipped_quantifier", "forall", "exists"),
            ("flipped_comparison", "<", "<="),
            ("flipped_connective", "==>", "&&"),
            ("flipped_comparison", "<=", "<"),
        ],
    ),
    "lean": (
        ("lean", None, LEAN),
        [
            ("dropped_requires", "(h : n ≤ xs.length) /- a = b -/ ", ""),
            ("strengthened_requires", "≤", "<"),
            ("weakened_ensures", "(xs.take n).length = n ∧ ", ""),
            ("flipped_equality", "=", "≠"),
            ("weakened_ensures", " ∧ xs ≠ []", ""),
            ("weakened_ensures", "∧", "∨"),
            ("flipped_equality", "≠", "="),
        ],
    ),
    "lean definition": (
        ("lean", None, LEAN_DEFINITION),
        [
            ("flipped_quantifier", "∀", "∃"),
            ("flipped_comparison", "<", "≤"),
            ("flipped_comparison", "≤", "<"),
        ],
    ),
    "lean implication": (
        ("lean", None, LEAN_IMPLICATION),
        [
            ("converse", "n % 2 = 0 → Even n", "Even n → n % 2 = 0"),
            ("changed_bound", "2", "3"),
            ("flipped_equality", "=", "≠"),
            ("changed_bound", "0", "1"),
        ],
    ),
    "tlaplus": (
        ("tlaplus", None, TLA),
        [
            ("dropped_conjunct", "/\\ x \\in 0..N\n  ", ""),
            ("flipped_membership", "\\in", "\\notin"),
            ("changed_bound", "0", "1"),
            ("dropped_conjunct", '/\\ \\A p \\in Procs : pc[p] # "a = b" => x <= N\n  ', ""),
            ("flipped_quantifier", "A", "E"),
            ("flipped_equality", "#", "="),
            ("flipped_connective", "=>", "/\\"),
            ("flipped_comparison", "<=", "<"),
            ("flipped_equality", "=", "#"),
            ("changed_bound", "2", "3"),
        ],
    ),
    "tlaplus theorem": (
        ("tlaplus", None, TLA_THEOREM),
        [
            ("dropped_requires", ", n > 0", ""),
            ("flipped_comparison", ">", ">="),
            ("changed_bound", "0", "1"),
            ("flipped_connective", "=>", "/\\"),
            ("flipped_temporal", "[]", "<>"),
        ],
    ),
    "smtlib": (
        ("smtlib", None, SMT),
        [
            ("flipped_connective", "=>", "and"),
            ("flipped_connective", "and", "or"),
            ("dropped_conjunct", "(< x 10)", ""),
            ("flipped_comparison", "<", "<="),
            ("changed_bound", "10", "11"),
            ("dropped_conjunct", " (>= y 0)", ""),
            ("flipped_comparison", ">=", ">"),
            ("changed_bound", "0", "1"),
            ("dropped_conjunct", " |a = b|", ""),
            ("flipped_quantifier", "forall", "exists"),
        ],
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_every_mutation_of_a_definition(name: str) -> None:
    (language, dialect, code), expected = EXPECTED[name]
    found = sorted(
        mutate(code, language, dialect, seed=1), key=lambda each: (each.start, each.end, each.name)
    )
    assert [
        (each.name, code[each.start : each.end], each.replacement) for each in found
    ] == expected
    assert {each.name for each in found} <= set(NAMES)


@pytest.mark.parametrize("name", EXPECTED)
def test_mutants_are_what_they_say_and_different_from_each_other(name: str) -> None:
    (language, dialect, code), _ = EXPECTED[name]
    found = mutate(code, language, dialect, seed=1)
    for each in found:
        assert each.text == code[: each.start] + each.replacement + code[each.end :]
    squeezed = ["".join(text.split()) for text in [code, *(each.text for each in found)]]
    assert len(set(squeezed)) == len(squeezed)


@pytest.mark.parametrize(
    ("language", "dialect", "code"),
    [
        (
            "rust",
            "creusot",
            "use a::b;\nfn f(x: &mut Vec<u8>) -> bool { x.len() < 3 && x[0] == 1 }",
        ),
        ("rust", "creusot", "#[ensures(true)]\nfn f() {}"),
        ("rust", "creusot", '// #[ensures(a < b)]\n#[doc = "#[ensures(a < b)]"]\nfn f() {}'),
        ("rust", "creusot", "#[logic]\n#[trusted]\nfn lemma(x: Int) { proof_assert!(x < x + 1); }"),
        ("rust", "creusot", "#[ensures(f(<A as B>::C, &&x, |a, b| c))]\nfn f() -> Vec<Vec<u8>> {}"),
        ("rust", "kani", "fn helper(x: u8) { assert!(x < 3); }"),
        ("rust", "verus", "fn f(x: u8) { assert(x < 3); while x < 3 invariant x < 3 { } }"),
        ("lean", None, "def f (n : Nat) : Bool := n < 3 ∧ n = 2"),
        ("lean", None, "theorem f (α : Type := Nat) : p α := by\n  have : 1 < 2 := by omega"),
        ("lean", None, "theorem f : ∀ {x : Nat}, p x := by simp"),  # ∃ takes no implicit binder
        ("tlaplus", None, "---- MODULE M ----\nEXTENDS Naturals\nA == …"),
        ("tlaplus", None, "Next == [][A]_<<x, y>>"),
        ("tlaplus", None, "F == [x \\in S |-> x] @@ {y \\in T : P(y)}"),
        ("smtlib", None, "(declare-fun f (Int) Bool)\n(set-info :source |x = 1|)"),
        ("python", None, "def f(x): return x < 3"),
    ],
)
def test_what_specifies_nothing_is_left_alone(
    language: str, dialect: str | None, code: str
) -> None:
    names = [each.name for each in mutate(code, language, dialect, seed=1)]
    # A contract that only calls a predicate can be dropped, whatever stands in it.
    assert [name for name in names if name != "dropped_ensures"] == []


@pytest.mark.parametrize(
    ("language", "dialect", "code"),
    [
        ("rust", "creusot", "#[requires(a  == a && b == b)]\nfn f() {}"),
        ("rust", "kani", "#[kani::proof]\nfn f() { assert_eq!(x, x) }"),
        ("lean", None, "theorem f : a + b = a  + b := rfl"),
        ("tlaplus", None, "THEOREM f(x) = f( x )"),
        ("smtlib", None, "(assert (and p p))"),
    ],
)
def test_equal_sides_are_not_compared_otherwise(
    language: str, dialect: str | None, code: str
) -> None:
    names = {each.name for each in mutate(code, language, dialect, seed=1)}
    assert not names & {"flipped_equality", "flipped_comparison"}


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("THEOREM \\A x : x \\in T", 1),
        ("F == {x \\in S : x \\in T}", 1),  # the second
        ("F == {f[x] : x \\in T}", 0),
        ("F == \\A x \\in S : \\E y \\in T : p(x, y)", 0),
    ],
)
def test_what_binds_a_name_states_no_membership(code: str, count: int) -> None:
    names = [each.name for each in mutate(code, "tlaplus", None, seed=1)]
    assert names.count("flipped_membership") == count


def test_a_conjunct_that_is_there_twice_is_not_dropped() -> None:
    code = "#[ensures(p(x) && q(x) && p(x))]\nfn f() {}"
    dropped = [
        code[each.start : each.end]
        for each in mutate(code, "rust", "creusot", seed=1)
        if each.name == "weakened_ensures" and not each.replacement
    ]
    assert dropped == [" && q(x)"]


def test_the_seed_orders_and_does_not_choose() -> None:
    one, again, other = (mutate(CREUSOT, "rust", "creusot", seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert one != other
    assert {each.text for each in one} == {each.text for each in other}


def test_the_first_mutants_have_different_names() -> None:
    found = mutate(CREUSOT, "rust", "creusot", seed=1)
    names = [each.name for each in found]
    different = len(set(names))
    assert len(set(names[:different])) == different == 9


def test_what_a_change_is_about() -> None:
    scopes = {
        (each.name, each.scope, each.is_condition)
        for each in mutate(VERUS, "rust", "verus", seed=1)
        if each.name in ("flipped_equality", "dropped_requires")
    }
    assert scopes == {
        ("dropped_requires", "s.len() < 10", True),
        ("dropped_requires", "forall|i: int, j: int| 0 <= i < j ==> s[i] != s[j]", True),
        ("flipped_equality", "s[i] != s[j]", True),
        ("flipped_equality", "Seq::<A>::empty().push(x).len() == 1", False),
    }


@pytest.mark.parametrize("code", [KANI, CREUSOT, PRUSTI])
def test_rust_mutants_parse(code: str) -> None:
    import tree_sitter_rust
    from tree_sitter import Parser

    parser = Parser(grammar(tree_sitter_rust.language()))
    for each in mutate(code, "rust", "kani", seed=1):
        assert not parser.parse(each.text.encode()).root_node.has_error, each.text


@pytest.mark.parametrize("code", [TLA, TLA_THEOREM])
def test_tlaplus_mutants_parse(code: str) -> None:
    import tree_sitter_tlaplus
    from tree_sitter import Parser

    parser = Parser(grammar(tree_sitter_tlaplus.language()))
    for each in mutate(code, "tlaplus", None, seed=1):
        module = f"---- MODULE M ----\n{each.text}\n====\n"
        assert not parser.parse(module.encode()).root_node.has_error, each.text


@pytest.mark.parametrize(
    ("language", "dialect", "code", "shape"),
    [
        ("lean", None, "theorem f (h : a < b) : xs.length = n + 1 := by simp", "_._=_+1"),
        ("lean", None, "theorem f : p x := by simp", None),
        ("lean", None, "def f : x = x := rfl", None),
        ("rust", "verus", VERUS, "_::<_>::_()._(_)._()==1"),
        ("rust", "verus", VERUS_SPEC, None),
        ("rust", "creusot", "#[logic]\n#[ensures(f(x) == x)]\nfn lemma(x: Int) {}", "_(_)==_"),
        ("rust", "creusot", CREUSOT, None),
        ("tlaplus", None, TLA_THEOREM, "_=>[]_"),
        ("tlaplus", None, "ASSUME N > 0", None),
        ("smtlib", None, SMT, None),
    ],
)
def test_conclusions_of_lemmas_have_a_shape(
    language: str, dialect: str | None, code: str, shape: str | None
) -> None:
    assert conclusion_shape(code, language, dialect) == shape


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("next ensures result equals x plus 1", {"result@ == x@ + 1", CLAUSE}),
        ("next adds one", set()),
        ("result x 1", set()),  # names both sides, and says nothing of them
        ("precondition of next: result equals x plus 1", set()),  # of what goes in, not of this
    ],
)
def test_a_query_speaks_of_what_it_says(query: str, expected: set[str]) -> None:
    found = mutate(CREUSOT, "rust", "creusot", seed=1)
    assert {each.scope for each in spoken_of(found, query, share=1.0)} == expected


def test_a_condition_is_spoken_of_after_given() -> None:
    code = "#[requires(low < high)]\n#[ensures(low <= result)]\nfn f() {}"
    found = [
        each for each in mutate(code, "rust", "creusot", seed=1) if each.name == "dropped_requires"
    ]
    given = "result is at least low given low is less than high"
    assert spoken_of(found, given, 0.7) == found
    assert spoken_of(found, "result is between low and high", 0.7) == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("total equals sum of items", {"total == sum(items)"}),  # the other is said in part
        (
            "total equals sum of items and sum of spare",
            {"total == sum(items)", "total == sum(spare)"},
        ),
        ("total equals some sum", set()),  # as much of the one as of the other
    ],
)
def test_a_query_speaks_of_the_part_it_says_best(query: str, expected: set[str]) -> None:
    code = "#[ensures(total == sum(items))]\n#[ensures(total == sum(spare))]\nfn f() {}"
    found = mutate(code, "rust", "creusot", seed=1)
    assert {each.scope for each in spoken_of(found, query, share=0.6)} == expected
    assert len({each.scope for each in found}) == 2


@pytest.mark.parametrize(
    ("number", "expected"),
    [("0", "1"), ("9", "10"), ("1299", "1300"), ("9" * 6000, "1" + "0" * 6000)],
)
def test_a_bound_may_have_thousands_of_digits(number: str, expected: str) -> None:
    code = f"#[kani::proof]\n#[kani::unwind({number})]\nfn check() {{}}"
    [changed] = mutate(code, "rust", "kani", seed=1)
    assert changed.text == code.replace(number, expected)


def test_blanks_before_a_membership_cost_no_more_than_other_signs() -> None:
    code = "Inv ==" + " " * 100_000 + "x" + "\n" * 100_000 + "\\in S"
    assert [each.name for each in mutate(code, "tlaplus", None, seed=1)] != []

from textwrap import dedent

import pytest

from corpus.languages.base import Contract, Definition
from corpus.languages.rust import extract

CREUSOT = "use creusot_std::prelude::*;\n"
PRUSTI = "use prusti_contracts::*;\n"


def units(source: str) -> list[Definition]:
    return extract(dedent(source).encode()).definitions


def only(source: str) -> Definition:
    (definition,) = units(source)
    return definition


def contracts(source: str) -> list[tuple[str, str]]:
    return [(each.kind, each.text) for each in only(source).contracts]


@pytest.mark.parametrize(
    ("attribute", "kind", "text"),
    [
        ("#[kani::requires(x < 9)]", "requires", "x < 9"),
        ("#[kani::ensures(|r| *r > x)]", "ensures", "|r| *r > x"),
        ("#[kani::modifies(a, b)]", "modifies", "a, b"),
        ("#[cfg_attr(kani, kani::requires(x < 9))]", "requires", "x < 9"),
        ("#[cfg_attr(all(kani, unix), kani::ensures(|r| f(r, x)))]", "ensures", "|r| f(r, x)"),
        ("#[requires(x < 9)]", "requires", "x < 9"),
        ("#[requires(x < 9, )]", "requires", "x < 9"),
        ("#[core::contracts::ensures(|r| *r > 0)]", "ensures", "|r| *r > 0"),
        ('#[::contracts::debug_requires(x > 0, "few")]', "requires", 'x > 0, "few"'),
    ],
)
def test_attribute_is_a_clause_in_any_file(attribute: str, kind: str, text: str) -> None:
    assert contracts(f"{attribute}\nfn f(x: u8) {{}}") == [(kind, text)]


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("\n    x <\n        9\n", "x < 9"),
        ("x < 9 // a remark, (\n && y", "x < 9 && y"),
        ("x < /* ( */ 9", "x < 9"),
        ('s == "a  )  b"', 's == "a  )  b"'),
        ('s == r#"a " )"#', 's == r#"a " )"#'),
        ("c == ')' && d == '\\''", "c == ')' && d == '\\''"),
        ("f::<'a, B>(x) && g", "f::<'a, B>(x) && g"),
        ("∀ <= ∃", "∀ <= ∃"),
    ],
)
def test_clause_is_one_line_and_its_strings_are_kept(written: str, text: str) -> None:
    assert contracts(f"#[requires({written})]\nfn f() {{}}") == [("requires", text)]


def test_conditional_attributes_are_taken_apart() -> None:
    attribute = "#[cfg_attr(kani, kani::requires(f::<A, B>(x)), inline, kani::ensures(|_| true))]"

    assert contracts(f"{attribute}\nfn f() {{}}") == [
        ("requires", "f::<A, B>(x)"),
        ("ensures", "|_| true"),
    ]


@pytest.mark.parametrize(
    "attribute",
    [
        "#[kani::proof]",
        "#[kani::unwind(3)]",
        '#[clap(requires = "x")]',
        "#[requires]",
        "#[pure]",
        "#[trusted]",
        "#[variant(x)]",
        "#[inline]",
    ],
)
def test_other_attributes_are_no_clauses(attribute: str) -> None:
    assert contracts(f"{attribute}\nfn f() {{}}") == []


@pytest.mark.parametrize(
    ("attribute", "kind", "text"),
    [
        ("#[requires(x@ < 9)]", "requires", "x@ < 9"),
        ("#[ensures(^self == x)]", "ensures", "^self == x"),
        ("#[creusot_std::macros::ensures(result)]", "ensures", "result"),
        ("#[variant(n - i)]", "decreases", "n - i"),
        ("#[logic]", "logic", ""),
        ("#[logic(open, law)]", "logic", "open, law"),
        ("#[predicate]", "predicate", ""),
        ("#[law]", "law", ""),
        ("#[open(self)]", "open", "self"),
        ("#[check(terminates)]", "check", "terminates"),
        ("#[super::check(ghost)]", "check", "ghost"),
        ("#[trusted]", "trusted", ""),
        ("#[cfg_attr(creusot, trusted)]", "trusted", ""),
        ("#[bitwise_proof]", "bitwise_proof", ""),
        ("#[erasure(g)]", "erasure", "g"),
        ("#[maintains((mut self).ok())]", "maintains", "(mut self).ok()"),
    ],
)
def test_creusot_attribute_is_a_clause_and_shows_the_dialect(
    attribute: str, kind: str, text: str
) -> None:
    definition = only(f"{CREUSOT}{attribute}\nfn f() {{}}")

    assert definition.contracts == [Contract(kind, text)]
    assert definition.dialect == "creusot"


@pytest.mark.parametrize(
    ("attribute", "kind", "text"),
    [
        ("#[requires(x < 9)]", "requires", "x < 9"),
        ("#[prusti_contracts::requires(x < 9)]", "requires", "x < 9"),
        ("#[ensures(old(x) == x)]", "ensures", "old(x) == x"),
        (
            "#[after_expiry(x == before_expiry(*result))]",
            "after_expiry",
            "x == before_expiry(*result)",
        ),
        ("#[pure]", "pure", ""),
        ("#[trusted]", "trusted", ""),
        ('#[cfg_attr(feature = "prusti", pure)]', "pure", ""),
    ],
)
def test_prusti_attribute_is_a_clause_and_shows_the_dialect(
    attribute: str, kind: str, text: str
) -> None:
    definition = only(f"{PRUSTI}{attribute}\nfn f() {{}}")

    assert definition.contracts == [Contract(kind, text)]
    assert definition.dialect == "prusti"


def test_type_has_its_invariant() -> None:
    definition = only(f"{PRUSTI}#[invariant(self.a < self.b)]\nstruct Range {{ a: u8, b: u8 }}")

    assert definition.contracts == [Contract("invariant", "self.a < self.b")]
    assert definition.dialect == "prusti"


@pytest.mark.parametrize(
    ("file", "loop", "kind", "text"),
    [
        (CREUSOT, "#[invariant(i <= n)]\nwhile i < n {}", "invariant", "i <= n"),
        (CREUSOT, "#[variant(n - i)]\nloop {}", "decreases", "n - i"),
        (CREUSOT, "#[creusot_std::invariant(f(i,\n  n))]\nloop {}", "invariant", "f(i, n)"),
        (PRUSTI, "while i < n { body_invariant!(i <= n); }", "invariant", "i <= n"),
        ("", "#[kani::loop_invariant(i <= n)]\nloop {}", "invariant", "i <= n"),
        ("", "#[cfg_attr(kani, kani::loop_invariant(i <= n))]\nloop {}", "invariant", "i <= n"),
        ("", "#[kani::loop_decreases(n - i)]\nloop {}", "decreases", "n - i"),
    ],
)
def test_clauses_of_loops_follow_those_of_the_function(
    file: str, loop: str, kind: str, text: str
) -> None:
    assert contracts(f"{file}#[requires(n > 0)]\nfn f() {{ kani::any::<u8>();\n{loop} }}") == [
        ("requires", "n > 0"),
        (kind, text),
    ]


@pytest.mark.parametrize(
    "body",
    ["// #[invariant(x)]\n", "x.invariant(y);", "variant(y);", "#[invariant(", "invariant!(x);"],
)
def test_what_only_looks_like_a_loop_clause_is_none(body: str) -> None:
    definitions = units(f"{CREUSOT}fn f() {{ {body} }}")

    assert [each.contracts for each in definitions if each.contracts] == []


def test_invariant_below_one_that_is_commented_out_is_found() -> None:
    body = "// #[invariant(a\n//   && b)]\n#[invariant(c)]\nloop {}"

    assert contracts(f"{CREUSOT}fn f() {{\n{body}\n}}") == [("invariant", "c")]


def test_functions_of_external_specifications_are_units_with_their_contracts() -> None:
    source = """\
        use crate::prelude::*;

        extern_spec! {
            mod std {
                mod vec {
                    impl<T> Vec<T> {
                        #[check(ghost)]
                        #[ensures(result@ == self@.len())]
                        fn len(&self) -> usize;

                        fn silent(&self);
                    }
                }
            }
        }
        """

    definition = only(source)
    assert (definition.kind, definition.symbol, definition.module, definition.start_line) == (
        "method",
        "Vec::len",
        "std::vec",
        7,
    )
    assert definition.contracts == [
        Contract("check", "ghost"),
        Contract("ensures", "result@ == self@.len()"),
    ]
    assert definition.dialect == "creusot"


def test_function_of_a_predicate_macro_is_a_unit() -> None:
    source = f"{PRUSTI}predicate! {{\n    fn sorted(a: &[u8]) -> bool {{ true }}\n}}"

    assert only(source).symbol == "sorted"


@pytest.mark.parametrize(
    ("file", "code", "dialect"),
    [
        (CREUSOT, "fn f() -> bool { pearlite! { true } }", "creusot"),
        (CREUSOT, "fn f() { proof_assert!(true); }", "creusot"),
        (CREUSOT, "fn f() { let s = snapshot! { x }; }", "creusot"),
        (CREUSOT, "trait T { #[logic] fn f(); }", "creusot"),
        (CREUSOT, "fn f() { plain(); }", None),
        (CREUSOT, "struct S;", None),
        (CREUSOT, "#[inline]\nfn f() {}", None),
        (PRUSTI, "fn f() { prusti_assert!(true); }", "prusti"),
        (PRUSTI, "fn f() { plain(); }", None),
        ("", "#[requires(x)]\nfn f() {}", None),
        ("", "fn f() { snapshot!(x); }", None),
        ("", "#[verus_verify]\nfn f() {}", "verus"),
        ("", "#[verifier::external_body]\nfn f() {}", "verus"),
        ("", "#[cfg_attr(verus_keep_ghost, verifier::external)]\nstruct S;", "verus"),
        ("", "#[verifier(external_body)]\nfn f() {}", "verus"),
        ("", 'fn f() { print("#[verifier::inline]"); }', None),
        ("", "macro_rules! m { () => { #[kani::proof] fn f() {} } }", "kani"),
        ("", "#[cfg_attr(kani, derive(kani::Arbitrary))]\nstruct S;", None),
        (CREUSOT, "#[kani::proof]\nfn f() { proof_assert!(x); }", "kani"),
    ],
)
def test_dialect_is_what_the_unit_shows(file: str, code: str, dialect: str | None) -> None:
    assert units(file + code)[0].dialect == dialect


@pytest.mark.parametrize(
    "file",
    [
        "extern crate creusot_std;\n",
        "use ::creusot_contracts::*;\n",
        "#[logic]\nfn other() {}\n",
        "fn other() {\n    ::creusot_std::macros::x!();\n}\n",
        "#[check(ghost)]\nfn other() {}\n",
    ],
)
def test_file_says_whose_contracts_are(file: str) -> None:
    assert units(f"{file}#[requires(x)]\nfn f() {{}}")[-1].dialect == "creusot"


@pytest.mark.parametrize("compiler", ["use quote::quote;", "use rustc_middle::ty::TyCtxt;"])
def test_compiler_that_speaks_of_annotations_is_not_verified(compiler: str) -> None:
    body = "quote! {\n#[requires(x)]\n#[invariant(y)]\n#[verifier::inline]\nx }; kani::any();"
    definition = only(f"{CREUSOT}{compiler}\nfn f() {{ {body} }}")

    assert (definition.dialect, definition.contracts) == (None, [])


def test_harness_of_a_compiler_is_a_harness() -> None:
    assert only("use quote::quote;\n#[kani::proof]\nfn f() {}").dialect == "kani"


def test_verus_attribute_gives_the_clauses_and_the_dialect() -> None:
    source = """\
        #[verus_spec(total =>
            requires
                forall|i: int, j: int| i < j ==> a[i] < a[j],
                a.len() > 0,
            ensures
                total > 0,
        )]
        fn sum(a: &[u8]) -> u8 {
            #[verus_spec(invariant total <= 9, decreases n)]
            while n > 0 { }
        }
        """

    definition = only(source)
    assert definition.dialect == "verus"
    assert [(each.kind, each.text) for each in definition.contracts] == [
        ("requires", "forall|i: int, j: int| i < j ==> a[i] < a[j]"),
        ("requires", "a.len() > 0"),
        ("ensures", "total > 0"),
        ("invariant", "total <= 9"),
        ("decreases", "n"),
    ]


@pytest.mark.parametrize(
    "source",
    [
        CREUSOT + "fn f() {" + "#[invariant(" * 50_000,
        CREUSOT + "fn f() {" + "#[invariant(x)] " * 30_000 + "}",
        CREUSOT + "fn f() {" + "#[cfg_attr(," * 50_000 + "}",
        "fn f() {" + "kani::a::" * 50_000 + "}",
        CREUSOT + "#[cfg_attr(a," + "requires(x)," * 30_000 + ")] fn f() {}",
        "#[" + "cfg_attr(a," * 30_000 + "] fn f() {}",
    ],
)
@pytest.mark.timeout(20)
def test_hostile_repetition_ends(source: str) -> None:
    extract(source.encode())

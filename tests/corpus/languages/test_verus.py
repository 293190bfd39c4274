import time
from textwrap import dedent

import pytest

from corpus.languages.base import SYNTAX, Contract, Definition, Extraction
from corpus.languages.scanning import masked
from corpus.languages.verus import extract_inside
from corpus.languages.verus_clauses import attribute_contracts


def extraction(inside: str, macro: str = "verus", **options: bool) -> Extraction:
    """What `macro! {` … `}` holds, with the brace at the end of the file's first line."""
    opening = f"{macro}! {{".encode()
    source = opening + b"\n" + dedent(inside).encode() + b"\n}\n"
    return extract_inside(
        source, len(opening), len(source) - 2, 1, "", macro=macro.rpartition(":")[2], **options
    )


def found(inside: str, macro: str = "verus") -> list[Definition]:
    return extraction(inside, macro).definitions


def only(inside: str, macro: str = "verus") -> Definition:
    (definition,) = found(inside, macro)
    return definition


def symbols(inside: str, macro: str = "verus") -> list[str]:
    return [each.symbol for each in found(inside, macro)]


def clauses(header: str, body: str = "{ body() }") -> list[tuple[str, str]]:
    """The clauses of a function; whatever stands in them, its body must be found."""
    first, second = found(f"fn f(x: int) -> (r: int)\n{header}\n{body}\nfn last() {{}}")
    assert (first.signature, second.name) == ("fn f(x: int) -> (r: int)", "last")
    assert first.code.endswith(body)
    return [(each.kind, each.text) for each in first.contracts]


def test_function_is_found_whole() -> None:
    source = """\
        /// Halves.
        #[verifier::inline]
        pub open(crate) spec fn half<T: Fn(int) -> int>(
            x: int, // whole
        ) -> (r: int)
            recommends
                x % 2 == 0, // even
                x >= 0,
            decreases x,
        {
            x / 2
        }
        """

    assert only(source) == Definition(
        kind="spec_function",
        symbol="half",
        name="half",
        module="",
        signature="pub open(crate) spec fn half<T: Fn(int) -> int>( x: int, ) -> (r: int)",
        doc="Halves.",
        code=dedent(source).partition("\n")[2].rstrip(),
        start_line=3,
        end_line=13,
        attributes=["#[verifier::inline]"],
        contracts=[
            Contract("recommends", "x % 2 == 0"),
            Contract("recommends", "x >= 0"),
            Contract("decreases", "x"),
        ],
        dialect="verus",
    )


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("fn f()", "function"),
        ("pub exec fn f()", "function"),
        ("pub(crate) const unsafe fn f()", "function"),
        ("async fn f()", "function"),
        ('extern "C" fn f()', "function"),
        ("spec fn f()", "spec_function"),
        ("pub(in a::b) open(super) spec(checked) fn f()", "spec_function"),
        ("closed spec fn f()", "spec_function"),
        ("uninterp spec fn f()", "spec_function"),
        ("proof fn f()", "proof_function"),
        ("pub broadcast proof fn f()", "proof_function"),
        ("broadcast axiom fn f()", "proof_function"),
        ("#[verifier::spec] fn f()", "spec_function"),
        ("#[proof] fn f()", "proof_function"),
        ("fn r#proof()", "function"),
    ],
)
@pytest.mark.parametrize("end", [" {}", ";"])
def test_mode_gives_the_kind(header: str, kind: str, end: str) -> None:
    assert only(header + end).kind == kind


def test_methods_of_all_modes_carry_their_type() -> None:
    source = "impl<T> Foo<T> { fn a() {} spec fn b() { 1 } proof fn c() {} }"

    assert [(each.kind, each.symbol) for each in found(source)] == [
        ("method", "Foo::a"),
        ("spec_function", "Foo::b"),
        ("proof_function", "Foo::c"),
    ]


@pytest.mark.parametrize(
    ("header", "owner"),
    [
        ("impl<'a, T> View for inner::Foo<'a, T>", "Foo"),
        ("impl<F: Fn(u8) -> u8, const N: usize> Trait<F> for &'a mut Foo<[F; N]>", "Foo"),
        ("unsafe impl<T> Trait for *const Foo<T> where T: for<'b> Fn(&'b u8)", "Foo"),
        ("impl View for [u8]", "[u8]"),
        ("impl View for (A<B>,\n  C)", "(A<B>, C)"),
        ("impl Foo where u8: Copy,", "Foo"),
        ("impl Foo /* { */", "Foo"),
        ("trait Foo: Sized", "Foo"),
    ],
)
def test_method_is_named_after_the_bare_type(header: str, owner: str) -> None:
    assert symbols(f"{header} {{ fn m(&self) {{}} }}")[-1] == f"{owner}::m"


@pytest.mark.parametrize(
    ("path", "symbol"),
    [
        ("core::mem::swap", "core::mem::swap"),
        ("core::mem::swap::<T>", "core::mem::swap"),
        (" Option::<T>::is_some ", "Option::is_some"),
        ("<Vec<T, A> as core::ops::Index<usize>>::index", "Vec::index"),
        ("<[T]>::len", "[T]::len"),
    ],
)
def test_assumed_specification_is_named_after_its_path(path: str, symbol: str) -> None:
    definition = only(
        f"pub assume_specification<T, A: Fn(T) -> T>[ {path} ](x: &T) -> (r: u8)\n"
        "    ensures r == 1,\n    no_unwind\n;"
    )

    assert (definition.kind, definition.symbol) == ("function", symbol)
    assert definition.name == symbol.rpartition("::")[2]
    assert definition.contracts == [Contract("ensures", "r == 1"), Contract("no_unwind", "")]


def test_every_clause_is_a_contract() -> None:
    assert clauses("""
        by (nonlinear_arith)
        requires a, b(x, y),
        recommends c
        ensures d, ({ &&& e &&& f }),
        default_ensures g,
        returns (h, i),
        decreases j, k when l via Self::m
        opens_invariants [n, o]
        no_unwind when p
        """) == [
        ("requires", "a"),
        ("requires", "b(x, y)"),
        ("recommends", "c"),
        ("ensures", "d"),
        ("ensures", "({ &&& e &&& f })"),
        ("default_ensures", "g"),
        ("returns", "(h, i)"),
        ("decreases", "j, k"),
        ("when", "l"),
        ("via", "Self::m"),
        ("opens_invariants", "[n, o]"),
        ("no_unwind", ""),
        ("when", "p"),
    ]


@pytest.mark.parametrize(
    "clause",
    [
        "forall|a: int, b: Map<int, int>| #![auto] a < b ==> exists|c, d: nat| c == d",
        "f == |a: int, b: int| a + b",
        "Map::<int, Seq<(int, int)>>::empty() == m",
        "match x { Some(a) => a, None => b }",
        "if a { b } else if c { d } else { e }",
        "x matches Some(y) && y > 0",
        "a ==> { let b = 1; b == c }",
        "&&& a &&& b",
        "||| a ||| b",
        "a <==> b && c =~= d && e =~~= g && h <== i",
        "f.requires((x, y)) && f.ensures((x,), r) && S::decreases(a, b)",
        's == "} // , {"',
        "c == '{' || c == '\\'' || c == ','",
        'is(r#"a " , { "#)',
        "x@.len() < old(y)@[0].len()",
        "a[0..1] == b",
        "a as int < b",
        "#[trigger] g(x) == final(x)",
        "imap![k => v].insert(1, 2)",
        "inner is Some",
        "with_lower() && by > 2",
    ],
)
def test_clause_is_kept_whole(clause: str) -> None:
    assert clauses(f"requires\n {clause},\n first,\nensures {clause}") == [
        ("requires", clause),
        ("requires", "first"),
        ("ensures", clause),
    ]


def test_comments_of_clauses_are_stripped_and_strings_kept() -> None:
    assert clauses('requires // why, {\n a /* b, */ == "/* c */", // d\n') == [
        ("requires", 'a == "/* c */"')
    ]


def test_block_before_a_comma_is_a_clause() -> None:
    assert clauses("ensures { a }, { b },") == [("ensures", "{ a }"), ("ensures", "{ b }")]


def test_turbofish_before_the_body_is_no_comparison() -> None:
    assert clauses("ensures r == None::<T>") == [("ensures", "r == None::<T>")]


def test_where_clause_belongs_to_the_signature() -> None:
    definition = only("fn f<T>() where T: View<V = int>, requires a {}")

    assert definition.signature == "fn f<T>() where T: View<V = int>,"
    assert definition.contracts == [Contract("requires", "a")]


def test_contracts_of_atomic_updates_stay_together() -> None:
    assert clauses("atomically (au) { (a: A) -> (b: B), requires c, },\nrequires d,") == [
        ("atomically", "(au) { (a: A) -> (b: B), requires c, }"),
        ("requires", "d"),
    ]


def test_loops_add_their_clauses() -> None:
    body = """{
        let invariant = |x: int| ensures_nothing(x);
        while i < n // while
            invariant
                i <= n, a.invariant(),
            invariant_except_break b,
            ensures c,
            decreases n - i, n
        {
            for x in iter: 0..n invariant d { loop invariant_ensures e {} }
        }
        assert(y) by { "while invariant z {" };
    }"""

    assert clauses("requires r", body) == [
        ("requires", "r"),
        ("invariant", "i <= n"),
        ("invariant", "a.invariant()"),
        ("invariant", "b"),
        ("loop_ensures", "c"),
        ("decreases", "n - i, n"),
        ("invariant", "d"),
        ("invariant", "e"),
    ]


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ("#[verus_spec(r => requires a, b, ensures r == c)]", ["a", "b", "r == c"]),
        ("#[verus_spec(requires a ==> b)]", ["a ==> b"]),
        ("#[verus_spec(r: Option<T> => with Tracked(x): T -> y: T requires a)]", ["a"]),
        ("#[verus_spec(invariant a decreases b)]", ["a", "b"]),
        ("#[verus_spec]", []),
        ("#[verus_spec(", []),
        ("#[verus_spec)(]", []),
    ],
)
def test_attribute_gives_clauses(attribute: str, expected: list[str]) -> None:
    assert [each.text for each in attribute_contracts(attribute)] == expected


def test_attribute_of_an_item_adds_its_clauses() -> None:
    assert only("#[verus_spec(requires a)]\nfn f() ensures b {}").contracts == [
        Contract("ensures", "b"),
        Contract("requires", "a"),
    ]


def test_doc_attaches_across_attributes_and_remarks() -> None:
    source = """\
        //! Of the macro.
        use a::{b, c}; /// One.
        #[inline('"')] // remark
        /**
         * Two.
         *   indented */
        #[doc = "Three."]
        #[doc = r#"Four "4"."#]
        //// no doc /// either
        #[cfg(a)]
        proof fn f() {}
        """
    definition = only(source)

    assert definition.doc == 'One.\nTwo.\n  indented\nThree.\nFour "4".'
    assert definition.attributes == ["#[inline('\"')]", "#[cfg(a)]"]
    assert definition.code == "#[inline('\"')]\n#[cfg(a)]\nproof fn f() {}"
    assert (definition.start_line, definition.end_line) == (4, 12)


def test_doc_of_another_item_is_not_the_functions() -> None:
    source = "/// Of use.\nuse a;\n/// Of the impl.\nimpl A { fn m() {} }\nfn f() {}"

    assert [each.doc for each in found(source)] == ["", ""]


def test_inner_attributes_belong_to_no_item() -> None:
    assert only("#![allow(x)]\n#[a]\nfn f() {}").attributes == ["#[a]"]


def test_type_kinds_are_verbatim() -> None:
    source = """\
        /// A.
        pub tracked struct A<T>(pub T) where T: Copy;
        #[derive(Clone)]
        ghost struct B {
            /// Field.
            ghost b: int,
        }
        enum C { D { x: int } }
        union E { f: u8 }
        type F<T> = spec_fn(T) -> bool;
        """

    assert [(each.kind, each.symbol, each.signature) for each in found(source)] == [
        ("struct", "A", "pub tracked struct A<T>(pub T) where T: Copy"),
        ("struct", "B", "ghost struct B"),
        ("enum", "C", "enum C"),
        ("union", "E", "union E"),
        ("type", "F", "type F<T> = spec_fn(T) -> bool"),
    ]
    assert "/// Field." in found(source)[1].code


def test_only_documented_constants_are_units() -> None:
    source = """\
        const A: u8 = 1;
        /// Two.
        pub spec const B: S = S { x: 2 };
        /// Three.
        exec const C: u8 ensures C == 3 { 3 }
        impl D { /// Four.
        const E: u8 = 4; type F = u8; }
        """

    assert [(each.kind, each.signature, each.code[-4:]) for each in found(source)] == [
        ("constant", "pub spec const B: S", "2 };"),
        ("constant", "exec const C: u8", "{ 3 }"[-4:]),
    ]
    assert found(source)[1].contracts == [Contract("ensures", "C == 3")]


def test_broadcast_group_is_a_unit_and_broadcast_use_is_none() -> None:
    source = "broadcast use {a, b};\n/// All.\npub broadcast group g {\n    a,\n}\nbroadcast use g;"
    group = only(source)

    assert (group.kind, group.symbol, group.doc) == ("broadcast_group", "g", "All.")
    assert group.code == "pub broadcast group g {\n    a,\n}"


def test_trait_is_an_outline_before_its_members() -> None:
    source = """\
        impl X {}
        /// Shapes.
        pub trait Shape: View {
            /// Its own.
            type V;

            /// The area.
            spec fn area(&self) -> nat;

            // kept
            /// Doubles.
            /// It.
            #[inline]
            fn double(&self) -> (r: u64)
                ensures r == 2 * self.area(),
            {
                2 * self.get()
            }

            proof fn nothing() {}
        }
        """
    trait, *members = found(source)

    assert [each.symbol for each in members] == ["Shape::area", "Shape::double", "Shape::nothing"]
    assert [each.doc for each in members] == ["The area.", "Doubles.\nIt.", ""]
    assert (trait.kind, trait.doc, trait.signature) == ("trait", "Shapes.", "pub trait Shape: View")
    assert trait.code == dedent("""\
        pub trait Shape: View {
            /// Its own.
            type V;

            spec fn area(&self) -> nat;

            // kept
            #[inline]
            fn double(&self) -> (r: u64)
                ensures r == 2 * self.area(),
            { … }

            proof fn nothing() {}
        }""")


MACHINE = """\
    /// Counts.
    Counter<T> where T: Copy {
        fields {
            /// Now.
            #[sharding(variable)] pub now: int,
        }

        /// Begins.
        init!{
            begin(n: int) { init now = n; }
        }
        transition!{ step(n: int) {
            require n > 0;
            update now = pre.now + n;
        } }
        property!{ peek() { assert pre.now >= 0; } }

        #[invariant]
        pub fn positive(&self) -> bool { self.now >= 0 }

        #[inductive(begin)]
        fn begin_keeps(post: Self, n: int) { }
    }
"""


@pytest.mark.parametrize(
    "macro", ["state_machine", "tokenized_state_machine", "a::state_machine", "verus"]
)
def test_state_machine_gives_itself_and_its_parts(macro: str) -> None:
    source = f"state_machine!(\n{MACHINE});" if macro == "verus" else MACHINE
    machine, *parts = found(source, macro)

    assert [(each.kind, each.symbol, each.signature) for each in parts] == [
        ("transition", "Counter::begin", "begin(n: int)"),
        ("transition", "Counter::step", "step(n: int)"),
        ("property", "Counter::peek", "peek()"),
        ("spec_function", "Counter::positive", "pub fn positive(&self) -> bool"),
        ("proof_function", "Counter::begin_keeps", "fn begin_keeps(post: Self, n: int)"),
    ]
    assert (parts[0].doc, parts[0].code.split()[0]) == ("Begins.", "init!{")
    assert (machine.kind, machine.symbol, machine.doc) == ("state_machine", "Counter", "Counts.")
    assert machine.signature == "Counter<T> where T: Copy"
    assert "/// Now." in machine.code
    assert "begin(n: int) { … }" in machine.code
    assert "Begins." not in machine.code


def test_macros_that_hold_items_are_entered_and_others_are_not() -> None:
    source = """\
        struct_with_invariants!{ struct A { a: u8 } spec fn wf(&self) -> bool { predicate { true } } }
        vstd::prelude::verus!{ fn b() {} }
        macro_rules! m { () => { fn hidden() {} } }
        other! { fn hidden() {} }
        other!(fn hidden() {});
        fn c() {}
        """

    assert symbols(source) == ["A", "wf", "b", "c"]


def test_nested_functions_are_left_out() -> None:
    assert symbols("fn outer() { fn inner() {} impl S { fn m() {} } }") == ["outer"]


def test_module_path_is_that_of_the_macro_and_inside_it() -> None:
    source = b"verus!{ mod b; mod c { mod d { impl F { fn g() {} } } } }"
    inside = extract_inside(source, 7, len(source) - 1, 1, "a")

    assert [(each.symbol, each.module) for each in inside.definitions] == [("F::g", "a::c::d")]


def test_test_code_is_known() -> None:
    source = "#[test] fn a() {}\n#[cfg(test)] mod t { fn b() {} }\nfn c() {}"

    assert [each.is_test for each in found(source)] == [True, True, False]
    assert all(each.is_test for each in extraction(source, is_test=True).definitions)


def test_lines_are_those_of_the_file() -> None:
    source = b"\n\n    verus! { fn a() {\n    }\n\nfn b() {} }"
    inside = extract_inside(source, source.index(b"{") + 1, len(source) - 1, 3, "")

    assert [(each.start_line, each.end_line) for each in inside.definitions] == [(3, 4), (6, 6)]
    assert inside.definitions[0].code == "fn a() {\n}"


def test_code_is_dedented_as_a_block() -> None:
    source = 'impl A {\n    fn f() {\n        g("\n  x");\n    }\n\n    fn h() {\n\n    }\n}'

    assert [each.code for each in found(source)] == [
        'fn f() {\n    g("\n  x");\n}',
        "fn h() {\n\n}",
    ]


def test_brackets_of_strings_and_comments_are_none() -> None:
    source = """\
        fn a<'a>(x: &'a u8) { "}" ; '}' ; b'\\'' ; r#"}"}"# ; br"}\\" ; /* } /* } */ } */ 'b: loop {} }
        // fn hidden() {}
        fn c() {}
        """

    assert symbols(source) == ["a", "c"]


def test_masked_text_keeps_its_length_and_its_code() -> None:
    assert masked('a /* b */ "c\\"" //\n\'d\' e::<\'f> r#"g"# i') == (
        'a         "   "   \n" " e::<\'f> r"   " i'
    )


@pytest.mark.parametrize(
    "broken",
    ["fn cut(", "fn cut() {", "impl Cut {", "#[cut", "const CUT: u8 = (", "))"],
)
def test_functions_around_a_fault_are_found(broken: str) -> None:
    inside = extraction(f"fn before() {{}}\n{broken}\npub fn after() {{}}")

    assert {"before", "after"} <= {each.name for each in inside.definitions}
    assert inside.fault in (SYNTAX, None)


def test_fault_is_told() -> None:
    assert extraction("fn a() {}").fault is None
    assert extraction("fn a() {} fn cut( {").fault == SYNTAX
    assert extraction("garbage", "state_machine").fault == SYNTAX


@pytest.mark.parametrize(
    "source", [b"", b"\xff\xfe\x00", b"not verus at all", b"fn", b"impl {", b"#"]
)
def test_bytes_that_are_no_verus_give_nothing(source: bytes) -> None:
    assert extract_inside(source, 0, len(source), 1, "").definitions == []


@pytest.mark.parametrize(
    "piece",
    [
        "mod a {", "fn a(", "fn a() {", "fn a() requires forall|", "fn f() { while (", "::<", "r#\"",
        "/*", "\"", "\"\\", "init!{ a(); }",
        "fn a() ensures if ", "trait T {\n", "#[doc = r#\"x\"# ", "impl<", "macro!(",
        "#[", "fn a() ensures {} ", "init!{ a() {", "assume_specification[", "/// d\nconst A: B = ",
    ],
)  # fmt: skip
@pytest.mark.parametrize("macro", ["verus", "state_machine"])
def test_hostile_text_ends(piece: str, macro: str) -> None:
    source = ("A {" * (macro != "verus") + piece * (100_000 // len(piece))).encode()
    began = time.process_time()

    extract_inside(source, 0, len(source), 1, "", macro=macro)

    assert time.process_time() - began < 5

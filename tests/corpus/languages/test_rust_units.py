from textwrap import dedent

import pytest

from corpus.languages import verus
from corpus.languages.base import SYNTAX, Definition, Extraction
from corpus.languages.rust import extract


def units(source: str) -> list[Definition]:
    return extract(dedent(source).encode()).definitions


def only(source: str) -> Definition:
    (definition,) = units(source)
    return definition


def kinds(source: str) -> list[tuple[str, str]]:
    return [(each.kind, each.symbol) for each in units(source)]


def test_struct_keeps_its_field_docs_and_loses_its_own() -> None:
    source = """\
        mod shapes {
            /// A circle.
            #[derive(Debug)]
            /// Round.
            pub struct Circle<T>
            where
                T: Copy,
            {
                /// Its radius.
                pub radius: T,
            }
        }
        """

    assert only(source) == Definition(
        kind="struct",
        symbol="Circle",
        name="Circle",
        module="shapes",
        signature="pub struct Circle<T> where T: Copy,",
        doc="A circle.\nRound.",
        code=dedent(
            """\
            #[derive(Debug)]
            pub struct Circle<T>
            where
                T: Copy,
            {
                /// Its radius.
                pub radius: T,
            }"""
        ),
        start_line=3,
        end_line=11,
        attributes=["#[derive(Debug)]"],
    )


@pytest.mark.parametrize(
    ("source", "kind", "signature"),
    [
        ("struct Metres(f64);", "struct", "struct Metres"),
        ("pub struct Unit;", "struct", "pub struct Unit"),
        ("enum Colour { Red, Blue = 3 }", "enum", "enum Colour"),
        ("union Bits { a: u32, b: f32 }", "union", "union Bits"),
        ("pub type Pairs<T> = Vec<(T, T)>;", "type", "pub type Pairs<T> = Vec<(T, T)>"),
        ("/// Doc.\nconst LIMIT: usize = 3;", "constant", "const LIMIT: usize"),
        ("/// Doc.\nstatic mut COUNT: u8 = 0;", "constant", "static mut COUNT: u8"),
        ("macro_rules! twice {\n    ($x:expr) => { 2 * $x };\n}", "macro", "macro_rules! twice"),
        ("trait Empty: Sized {}", "trait", "trait Empty: Sized"),
    ],
)
def test_item_of_each_kind_is_a_unit(source: str, kind: str, signature: str) -> None:
    definition = only(source)

    assert (definition.kind, definition.signature) == (kind, signature)
    assert definition.code == source.removeprefix("/// Doc.\n")


@pytest.mark.parametrize(
    "source",
    [
        "const LIMIT: usize = 3;",
        "// remark\nstatic COUNT: u8 = 0;",
        "#[allow(dead_code)]\nconst LIMIT: usize = 3;",
        "impl A { /// Doc.\n const LIMIT: usize = 3; }",
        "impl A { /// Doc.\n type Item = u8; }",
        "impl A {}",
        "mod a {}",
        "use std::fmt;",
        "//! Of the file.\n",
    ],
)
def test_other_items_are_no_units(source: str) -> None:
    assert units(source) == []


def test_documented_static_of_another_language_is_a_unit() -> None:
    assert kinds('extern "C" {\n    /// Doc.\n    static COUNT: u8;\n}') == [("constant", "COUNT")]


def test_trait_is_its_outline() -> None:
    source = """\
        /// Things with an area.
        pub trait Shape {
            /// What it is measured in.
            type Unit;
            // Sizes.
            /// The area.
            #[must_use]
            fn area(&self) -> f64;
            /// Twice
            /// the area.
            fn double(&self) -> f64 {
                // twice
                2.0 * self.area()
            }
            fn reset(&mut self) {}
        }
        """

    trait = units(source)[0]
    assert (trait.kind, trait.doc, trait.start_line, trait.end_line) == (
        "trait",
        "Things with an area.",
        2,
        16,
    )
    assert trait.code == dedent(
        """\
        pub trait Shape {
            /// What it is measured in.
            type Unit;
            // Sizes.
            #[must_use]
            fn area(&self) -> f64;
            fn double(&self) -> f64 { … }
            fn reset(&mut self) {}
        }"""
    )


def test_outline_of_a_trait_on_one_line_keeps_what_stands_beside_a_doc() -> None:
    source = "trait A { /** One. */ fn a() { 1; } /** Two. */ fn b(); }"

    assert units(source)[0].code == "trait A {  fn a() { … }  fn b(); }"


def test_units_of_a_file_come_in_order() -> None:
    source = """\
        struct A;
        impl A { fn new() -> A { A } }
        trait B { fn b() {} }
        cfg_if! { if #[cfg(unix)] {
            fn c() {}
        } else {
            fn d() {}
        } }
        verus! { spec fn e() -> int { 1 } }
        enum F {}
        """

    assert [each.name for each in units(source)] == ["A", "new", "B", "b", "c", "d", "e", "F"]


def test_types_of_a_test_module_are_tests() -> None:
    assert only("#[cfg(test)]\nmod tests { struct Fake; }").is_test


@pytest.mark.parametrize(
    ("head", "doc", "attributes"),
    [
        ('/// One.\n#[inline]\n#[doc = "Two."]\n/// Three.', "One.\nTwo.\nThree.", ["#[inline]"]),
        ('#[cfg_attr(docsrs, doc = "Only there.")]', "Only there.", []),
        ('#[cfg_attr(docsrs, doc = "a, b", doc = r#"c"#)]', "a, b\nc", []),
        ("#[cfg_attr(docsrs, doc(cfg(unix)))]", "", ["#[cfg_attr(docsrs, doc(cfg(unix)))]"]),
        ("#[inline]\n/** One. */", "One.", ["#[inline]"]),
        ('#[doc = include_str!("a.md")]', "", ['#[doc = include_str!("a.md")]']),
    ],
)
def test_doc_and_attributes_stand_in_any_order(head: str, doc: str, attributes: list[str]) -> None:
    definition = only(f"{head}\nstruct A;")

    assert (definition.doc, definition.attributes) == (doc, attributes)


def test_inner_doc_is_not_the_first_items() -> None:
    assert only("//! Of the file.\n/*! Too. */\nstruct A;").doc == ""


@pytest.mark.parametrize("name", ["cfg_rt", "tokio::cfg_rt", "pin_project"])
def test_items_in_a_macro_are_units_with_the_lines_of_the_file(name: str) -> None:
    source = f"""\
        mod a {{
            {name}! {{
                /// A task.
                #[derive(Debug)]
                pub struct Task {{
                    #[pin]
                    id: u64,
                }}

                impl Task {{
                    fn id(&self) -> u64 {{ self.id }}
                }}
            }}
        }}
        """

    task, method = units(source)
    assert (task.symbol, task.module, task.doc, task.start_line, task.end_line) == (
        "Task",
        "a",
        "A task.",
        4,
        8,
    )
    assert task.code == "#[derive(Debug)]\npub struct Task {\n    #[pin]\n    id: u64,\n}"
    assert (method.symbol, method.start_line) == ("Task::id", 11)


def test_methods_in_a_macro_belong_to_the_type_around_it() -> None:
    assert kinds("impl A {\n    cfg_rt! {\n        fn a() {}\n    }\n}") == [("method", "A::a")]


def test_macro_under_a_test_condition_holds_tests() -> None:
    assert only("#[cfg(test)]\ncfg_rt! {\n    fn a() {}\n}").is_test


def test_macro_that_ends_in_a_semicolon_is_entered() -> None:
    assert kinds("cfg_rt! {\n    fn a() {}\n};") == [("function", "a")]


@pytest.mark.parametrize(
    "source",
    [
        "bitflags! {\n    struct Flags: u32 { const A = 1; }\n}",
        "mock! {\n    fn a(x in 0..9) { }\n}",
        "thing!(\n    fn a() {}\n);",
        "lines! {\n    one, two\n}",
        "proptest! {\n    broken ( fn\n}",
    ],
)
def test_macro_in_a_language_of_its_own_gives_nothing(source: str) -> None:
    assert units(source) == []


def test_what_is_rust_beside_something_else_in_a_macro_is_found() -> None:
    source = "bitflags! {\n    struct Flags: u32 { const A = 1; }\n}\nfn after() {}"

    assert kinds(source) == [("function", "after")]
    assert extract(source.encode()).fault is None


def test_macros_are_entered_two_deep() -> None:
    source = "a! {\n fn a() {}\n b! {\n fn b() {}\n c! {\n fn c() {}\n} } }"

    assert kinds(source) == [("function", "a"), ("function", "b")]


@pytest.mark.parametrize(
    "macro", ["verus!", "vstd::prelude::verus!", "verus_code!", "verus_keep_ghost!"]
)
def test_verus_code_is_read_by_its_own_reader(macro: str) -> None:
    source = f"mod a {{\n{macro} {{\n\n    proof fn lemma()\n        ensures 1 + 1 == 2,\n    {{}}\n}}\n}}"

    lemma = only(source)
    assert (lemma.symbol, lemma.module, lemma.start_line, lemma.dialect) == (
        "lemma",
        "a",
        4,
        "verus",
    )
    assert [(each.kind, each.text) for each in lemma.contracts] == [("ensures", "1 + 1 == 2")]


def test_verus_code_in_a_test_module_is_a_test() -> None:
    assert only("#[cfg(test)]\nmod t { verus! { proof fn p() {} } }").is_test


def test_verus_reader_gets_the_span_inside_the_braces(monkeypatch: pytest.MonkeyPatch) -> None:
    source = b"mod a {\n    verus! {\n x }\n}"
    calls = []

    def reader(*arguments: object, **about: object) -> Extraction:
        calls.append(arguments)
        assert about == {"macro": "verus", "is_test": False}
        return Extraction([], "verus_fault")

    monkeypatch.setattr(verus, "extract_inside", reader)

    assert extract(source).fault == "verus_fault"
    ((given, start, end, first_line, module),) = calls
    assert (given, source[start:end], first_line, module) == (source, b"\n x ", 2, "a")


def test_verus_code_that_a_macro_writes_is_found() -> None:
    source = (
        b"macro_rules! counters {\n    ($name:ident) => {\n        verus! {\n"
        b"            pub fn double(n: u64) -> (r: u64)\n                ensures r == 2 * n,\n"
        b"            { n + n }\n        }\n    };\n}\n"
    )
    found = {each.symbol: each for each in extract(source).definitions}

    assert set(found) == {"counters", "double"}
    assert (found["double"].start_line, found["double"].dialect) == (4, "verus")
    assert [each.kind for each in found["double"].contracts] == ["ensures"]


def test_what_only_the_rust_parser_cannot_read_of_verus_is_no_fault() -> None:
    assert (
        extract(b"verus! {\nfn f() { assert(a =~= 0x_) by { }; let b = 1 &&& 2; }\n}\n").fault
        is None
    )


def test_broken_file_has_a_fault_and_a_whole_one_has_none() -> None:
    assert extract(b"fn f() {}\nfn g( {").fault == SYNTAX
    assert extract(b"fn f() {}").fault is None


@pytest.mark.parametrize(
    "source",
    [
        "m! {\nfn f() {}\n" * 20_000,
        "impl A { " * 20_000,
        "m!{\nfn f(){}\n}\n" * 10_000,
        "trait T { " + "/** d */ fn f(); " * 10_000 + "}",
        "struct S;" * 20_000,
        "m!{\n" + "pub " * 50_000 + "}",
    ],
)
@pytest.mark.timeout(20)
def test_hostile_repetition_ends(source: str) -> None:
    extract(source.encode())


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('    let s = "a\nb";\n', '    fn f() {\n    let s = "a\nb";\n    }'),
        ("        one();\n\n\n        two();\n", "fn f() {\n    one();\n\n\n    two();\n}"),
        ("        one();   \n \n        two();\n", "fn f() {\n    one();   \n\n    two();\n}"),
    ],
)
def test_code_is_dedented_as_far_as_all_its_lines_go(body: str, code: str) -> None:
    (method,) = extract(f"impl A {{\n    fn f() {{\n{body}    }}\n}}".encode()).definitions

    assert method.code == code

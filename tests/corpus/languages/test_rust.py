from textwrap import dedent

import pytest

from corpus.languages.base import Definition, Extraction
from corpus.languages.rust import extract


def units(source: str) -> list[Definition]:
    return extract(dedent(source).encode()).definitions


def found(source: str) -> list[Definition]:
    """Functions and methods alone."""
    return [each for each in units(source) if each.kind in ("function", "method")]


def only(source: str) -> Definition:
    (definition,) = found(source)
    return definition


def symbols(source: str) -> list[str]:
    return [each.symbol for each in found(source)]


def doc(source: str) -> str:
    return only(source + "\nfn f() {}\n").doc


def test_function_is_found_whole() -> None:
    source = """\
        use std::fmt;

        /// Adds.
        #[inline]
        pub(crate) const fn add<T>(
            left: T,
            right: T,
        ) -> T
        where
            T: Add,
        {
            left + right
        }
        """

    assert only(source) == Definition(
        kind="function",
        symbol="add",
        name="add",
        module="",
        signature="pub(crate) const fn add<T>( left: T, right: T, ) -> T where T: Add,",
        doc="Adds.",
        code=dedent(
            """\
            #[inline]
            pub(crate) const fn add<T>(
                left: T,
                right: T,
            ) -> T
            where
                T: Add,
            {
                left + right
            }"""
        ),
        start_line=4,
        end_line=13,
        attributes=["#[inline]"],
        is_test=False,
        dialect=None,
    )


def test_empty_file_has_no_definitions() -> None:
    assert extract(b"") == Extraction([])


def test_method_carries_its_type() -> None:
    method = only("struct Foo;\nimpl Foo {\n    fn new() -> Self { Foo }\n}\n")

    assert (method.kind, method.symbol, method.name) == ("method", "Foo::new", "new")


@pytest.mark.parametrize(
    ("header", "owner"),
    [
        ("impl Foo", "Foo"),
        ("impl<T> Foo<T>", "Foo"),
        ("impl<'a, T> fmt::Display for Foo<'a, T>", "Foo"),
        ("impl fmt::Display for crate::inner::Foo", "Foo"),
        ("impl<T> Trait for inner::Foo<T>", "Foo"),
        ("impl<'a> Trait for &'a mut Foo", "Foo"),
        ("impl Trait for *const Foo", "Foo"),
        ("unsafe impl<T: Send> Trait for Foo<T> where T: Sync", "Foo"),
        ("impl Trait for [u8]", "[u8]"),
        ("impl Trait for (A,\n  B)", "(A, B)"),
        ("impl Trait for u64", "u64"),
        ("trait Foo", "Foo"),
        ("pub unsafe trait Foo<T>: Sized", "Foo"),
    ],
)
def test_method_is_named_after_the_bare_type(header: str, owner: str) -> None:
    assert symbols(f"{header} {{ fn fmt(&self) {{}} }}") == [f"{owner}::fmt"]


def test_trait_gives_its_default_methods_and_the_documented_ones() -> None:
    source = """\
        trait Shape {
            fn name(&self) -> &str;
            /// The area.
            fn area(&self) -> f64;
            /// Twice the area.
            fn double(&self) -> f64 { 2.0 * self.area() }
        }
        """

    assert [(each.symbol, each.doc, each.signature) for each in found(source)] == [
        ("Shape::area", "The area.", "fn area(&self) -> f64"),
        ("Shape::double", "Twice the area.", "fn double(&self) -> f64"),
    ]


def test_method_without_body_but_with_contract_is_a_unit() -> None:
    (method,) = found("trait Shape {\n    #[ensures(result >= 0.0)]\n    fn area(&self) -> f64;\n}")

    assert method.code == "#[ensures(result >= 0.0)]\nfn area(&self) -> f64;"


def test_foreign_functions_are_units_where_documented() -> None:
    source = """\
        extern "C" {
            fn silent();
            /// Rings the bell.
            #[link_name = "bell"]
            fn ring(times: u8);
        }
        extern "C" fn inside() {}
        """

    assert [(each.kind, each.symbol, each.doc) for each in found(source)] == [
        ("function", "ring", "Rings the bell."),
        ("function", "inside", ""),
    ]


def test_nested_functions_are_left_out() -> None:
    source = """\
        fn outer() {
            fn inner() {}
            struct S;
            impl S { fn method() {} }
        }
        """

    assert symbols(source) == ["outer"]


def test_functions_of_macros_are_left_out() -> None:
    assert symbols("macro_rules! m { () => { fn hidden() {} } }\nm!();\nfn shown() {}") == ["shown"]


def test_definitions_come_in_order() -> None:
    assert symbols("fn b() {}\nmod m { fn a() {} }\nimpl C { fn d() {} }\nfn e() {}") == [
        "b",
        "a",
        "C::d",
        "e",
    ]


def test_module_path_is_that_inside_the_file() -> None:
    source = """\
        mod elsewhere;
        fn top() {}
        mod a {
            mod b {
                fn deep() {}
                impl Foo { fn method() {} }
            }
            fn shallow() {}
        }
        """

    assert [(each.symbol, each.module) for each in found(source)] == [
        ("top", ""),
        ("deep", "a::b"),
        ("Foo::method", "a::b"),
        ("shallow", "a"),
    ]


def test_doc_lines_are_joined() -> None:
    assert doc("/// One\n/// two.\n///\n/// Three.") == "One\ntwo.\n\nThree."


def test_doc_keeps_relative_indentation() -> None:
    assert doc("/// Either:\n///   - one\n///     more") == "Either:\n  - one\n    more"


def test_doc_attaches_across_attributes() -> None:
    assert doc("/// One.\n#[inline]\n/// Two.\n#[must_use]") == "One.\nTwo."


def test_remark_between_doc_and_function_is_ignored() -> None:
    assert doc("/// One.\n// a remark\n/* another */\n//// four slashes") == "One."


@pytest.mark.parametrize(
    "remark", ["// one", "/* one */", "//// one", "/*** one */", "/**/", "//! one", "/*! one */"]
)
def test_remark_is_no_doc(remark: str) -> None:
    assert doc(remark) == ""


def test_block_doc_loses_its_stars() -> None:
    assert doc("/**\n * One\n * two.\n *\n *   indented\n */") == "One\ntwo.\n\n  indented"


def test_block_doc_on_one_line_is_read() -> None:
    assert doc("/** One line. */") == "One line."


def test_block_doc_without_stars_is_read() -> None:
    assert doc("/**\n   One\n   two.\n*/") == "One\ntwo."


@pytest.mark.parametrize(
    "attribute", ['#[doc = "One."]', '#[doc="One."]', '#[doc = r"One."]', '#[doc = r#"One."#]']
)
def test_doc_attribute_is_a_doc(attribute: str) -> None:
    definition = only(f"{attribute}\nfn f() {{}}\n")

    assert (definition.doc, definition.attributes) == ("One.", [])


def test_doc_attribute_without_text_is_an_attribute() -> None:
    definition = only("#[doc(hidden)]\nfn f() {}\n")

    assert (definition.doc, definition.attributes) == ("", ["#[doc(hidden)]"])


def test_doc_of_another_item_is_not_the_functions() -> None:
    assert doc("/// Of the struct.\n#[derive(Debug)]\nstruct S;") == ""


def test_attributes_of_another_item_are_not_the_functions() -> None:
    assert only("#[derive(Debug)]\nstruct S;\nfn f() {}").attributes == []


def test_doc_of_an_impl_is_not_its_methods() -> None:
    assert only("/// Of the impl.\nimpl Foo { fn m() {} }").doc == ""


def test_doc_with_symbols_is_kept() -> None:
    assert doc("/// ∀ x ≤ y: ⌊x⌋ ≤ ⌊y⌋, naïve.") == "∀ x ≤ y: ⌊x⌋ ≤ ⌊y⌋, naïve."


def test_code_has_its_attributes_but_no_doc() -> None:
    source = "/// Doc.\n#[inline]\n// remark\n#[must_use]\nfn f() -> u8 { 1 }\n"

    assert only(source).code == "#[inline]\n#[must_use]\nfn f() -> u8 { 1 }"


def test_code_of_a_method_is_dedented() -> None:
    source = """\
        impl Foo {
            /// Doc.
            #[inline]
            fn m(&self) -> u8 {
                // inside
                if self.ok {
                    1
                }
            }
        }
        """

    assert only(source).code == dedent(
        """\
        #[inline]
        fn m(&self) -> u8 {
            // inside
            if self.ok {
                1
            }
        }"""
    )


def test_symbols_in_code_are_kept() -> None:
    source = 'fn f() -> &\'static str { "∀ ≤ 𝔽" }'

    assert only(source).code == source


def test_symbols_before_a_function_do_not_shift_it() -> None:
    assert only("// ∀∀∀∀ ≤≤≤≤\nfn f() {}\n").code == "fn f() {}"


def test_lines_count_from_one_and_leave_out_the_doc() -> None:
    source = "\n/// Doc.\nfn a() {\n}\n\nfn b() {}\n"

    assert [(each.start_line, each.end_line) for each in found(source)] == [(3, 4), (6, 6)]


def test_carriage_returns_do_not_reach_the_doc() -> None:
    (definition,) = extract(b"/// One\r\n/// two.\r\nfn f() {\r\n}\r\n").definitions

    assert definition.doc == "One\ntwo."
    assert (definition.start_line, definition.end_line) == (3, 4)


@pytest.mark.parametrize(
    "attribute",
    [
        "#[test]",
        "#[tokio::test]",
        "#[ test ]",
        "#[tokio::test(flavor = 'x')]",
        "#[rstest]",
        "#[test_case(1)]",
        "#[bench]",
        "#[cfg(test)]",
    ],
)
def test_function_with_a_test_attribute_is_a_test(attribute: str) -> None:
    assert only(f"{attribute}\nfn f() {{}}").is_test is True


@pytest.mark.parametrize("attribute", ["#[test_only]", "#[cfg(not(test))]", "#[inline]"])
def test_function_with_another_attribute_is_no_test(attribute: str) -> None:
    assert only(f"{attribute}\nfn f() {{}}").is_test is False


def test_everything_in_a_test_module_is_a_test() -> None:
    source = """\
        fn real() {}
        #[cfg(test)]
        mod tests {
            fn helper() {}
            mod deeper { impl Foo { fn m() {} } }
        }
        fn also_real() {}
        """

    assert [(each.name, each.is_test) for each in found(source)] == [
        ("real", False),
        ("helper", True),
        ("m", True),
        ("also_real", False),
    ]


@pytest.mark.parametrize(
    "attribute",
    [
        "#[kani::proof]",
        "#[kani::proof_for_contract(Foo::m)]",
        "#[kani::requires(x <= 3)]",
        "#[kani::ensures(|r| *r > 0)]",
        "#[cfg_attr(kani, kani::proof)]",
        "#[kani::should_panic]",
    ],
)
def test_kani_attribute_gives_the_dialect(attribute: str) -> None:
    assert only(f"#[inline]\n{attribute}\nfn f() {{}}").dialect == "kani"


def test_kani_dialect_stays_with_its_function() -> None:
    source = "#[cfg(kani)]\nmod proofs {\n#[kani::proof]\nfn check() {}\nfn helper() {}\n}"

    assert [(each.name, each.dialect) for each in found(source)] == [
        ("check", "kani"),
        ("helper", None),
    ]


@pytest.mark.parametrize(
    "body",
    [
        "let x: u8 = kani::any();",
        "kani::any::<[u8; 4]>();",
        "kani::assume(x > 0);",
        "kani::cover!(x > 0);",
        "kani::mem::can_dereference(p);",
    ],
)
def test_kani_call_in_a_body_gives_the_dialect(body: str) -> None:
    assert only(f"fn f() {{ {body} }}").dialect == "kani"


@pytest.mark.parametrize("body", ["kani::proof;", "my_kani::any();", "any::<u8>();"])
def test_body_without_a_call_of_kani_has_no_dialect(body: str) -> None:
    assert only(f"fn f() {{ {body} }}").dialect is None


def test_broken_file_gives_what_it_has() -> None:
    source = "/// Whole.\nfn whole() { 1; }\n\nimpl Foo {\n    /// Kept.\n    fn kept() {}\n"

    assert [(each.symbol, each.doc) for each in found(source)] == [
        ("whole", "Whole."),
        ("Foo::kept", "Kept."),
    ]


def test_functions_around_a_fault_are_found() -> None:
    assert {"before", "after"} <= set(symbols("fn before() {}\n)))\nfn after() {}\n"))


def test_functions_inside_a_fault_are_found() -> None:
    source = "fn ok() {}\nimpl Foo {\n    fn kept() {}\n    fn cut(\n"

    assert "ok" in symbols(source)


@pytest.mark.parametrize("source", [b"\xff\xfe\x00", b"not rust at all ((", b"fn", b"impl {"])
def test_bytes_that_are_no_rust_give_nothing(source: bytes) -> None:
    assert extract(source).definitions == []


def test_bytes_that_are_not_utf8_are_replaced() -> None:
    (definition,) = extract(b'fn f() { "caf\xe9" }').definitions

    assert definition.code == 'fn f() { "caf�" }'


def test_type_of_an_unusual_impl_keeps_its_text() -> None:
    assert symbols("impl dyn Shape { fn area(&self) {} }") == ["dyn Shape::area"]


def test_tab_indented_method_is_dedented() -> None:
    assert only("impl A {\n\tfn f() {\n\t\tx\n\t}\n}").code == "fn f() {\n\tx\n}"


def test_function_that_does_not_begin_its_line_is_dedented_with_its_line() -> None:
    source = "impl A {\n    #[inline] fn f() {\n        x\n    }\n}"

    assert only(source).code == "#[inline]\nfn f() {\n    x\n}"


def test_a_hostile_depth_of_modules_is_not_followed() -> None:
    source = "mod a {" * 3000 + "fn f() {}" + "}" * 3000 + "fn g() {}"

    assert symbols(source) == ["g"]


def test_docs_of_both_spellings_are_one_text() -> None:
    assert doc('/// A.\n/// more\n#[doc = "third"]') == "A.\nmore\nthird"


def test_module_under_a_compound_test_condition_is_test_code() -> None:
    assert only("#[cfg(all(test, unix))]\nmod t {\n    fn f() {}\n}").is_test

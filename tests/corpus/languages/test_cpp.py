import gc
import random
from textwrap import dedent

import pytest

from corpus.languages.base import Contract, Definition
from corpus.languages.cpp import extract


def found(source: str) -> list[Definition]:
    return extract(dedent(source).encode()).definitions


def only(source: str) -> Definition:
    (definition,) = found(source)
    return definition


def symbols(source: str) -> list[str]:
    return [each.symbol for each in found(source)]


def kinds(source: str) -> list[tuple[str, str]]:
    return [(each.kind, each.symbol) for each in found(source)]


def doc(comment: str, item: str = "int f() { return 0; }") -> str:
    return only(f"#include <a>\n{comment}\n{item}\n").doc


def test_function_is_found_whole() -> None:
    source = """\
        #include <vector>

        namespace shop {

        /** Adds up the prices.
         *
         * @return the sum
         */
        template <typename T>
        [[nodiscard]] constexpr T total(
            std::vector<T> const& prices,  // in cents
            T start) noexcept
        {
            return start;
        }

        }
        """

    assert only(source) == Definition(
        kind="function",
        symbol="total",
        name="total",
        module="shop",
        signature="template <typename T> [[nodiscard]] constexpr T total( std::vector<T> const& prices,"
        " T start) noexcept",
        doc="Adds up the prices.\n\n@return the sum",
        code=dedent(
            """\
            template <typename T>
            [[nodiscard]] constexpr T total(
                std::vector<T> const& prices,  // in cents
                T start) noexcept
            {
                return start;
            }"""
        ),
        start_line=9,
        end_line=15,
        attributes=["[[nodiscard]]"],
    )


def test_empty_file_has_no_definitions() -> None:
    assert extract(b"").definitions == []
    assert extract(b"").fault is None


@pytest.mark.parametrize(
    ("item", "symbol"),
    [
        ("void Shop::open() {}", "Shop::open"),
        ("template <class T> void Shop<T>::open() {}", "Shop::open"),
        ("template <class T> T Mall<T>::Shop<int>::open() {}", "Mall::Shop::open"),
        ("Shop::Shop(int a) : a(a) {}", "Shop::Shop"),
        ("Shop::~Shop() {}", "Shop::~Shop"),
        ("bool Shop::operator ==(Shop const& o) const { return true; }", "Shop::operator=="),
        ("int Shop::operator()(int x) { return x; }", "Shop::operator()"),
        ("Shop::operator bool() const { return true; }", "Shop::operator bool"),
        ("void* Shop::operator new(size_t n) { return 0; }", "Shop::operator new"),
        (
            "std::ostream & operator<<(std::ostream & out, Shop const & s) { return out; }",
            "operator<<",
        ),
        ('km operator""_km(long double d) { return d; }', 'operator""_km'),
        ("template <> void swap<Shop>(Shop & a, Shop & b) {}", "swap"),
        ("static char const * const * names(void) { return 0; }", "names"),
        ("int (*chooser(int kind))(int) { return 0; }", "chooser"),
        ('extern "C" int single(int) { return 1; }', "single"),
        ("auto late() -> int { return 1; }", "late"),
        ("int tried() try { return 1; } catch (...) { return 2; }", "tried"),
    ],
)
def test_functions_are_called_as_one_writes_them(item: str, symbol: str) -> None:
    unit = only(item)

    assert unit.symbol == symbol
    assert unit.kind == ("method" if "::" in symbol else "function")
    assert unit.name == symbol.rpartition("::")[2]


def test_namespaces_are_the_module() -> None:
    source = """\
        namespace a::b { namespace { void f() {} } }
        inline namespace v1 { void g() {} }
        extern "C" { void h() {} }
        """

    assert [(each.module, each.symbol) for each in found(source)] == [
        ("a::b", "f"),
        ("v1", "g"),
        ("", "h"),
    ]


def test_a_namespace_that_the_file_uses_is_no_class() -> None:
    unit = only("using namespace shop;\nvoid shop::Till::open() {}\n")

    assert (unit.module, unit.symbol) == ("shop", "Till::open")


def test_a_class_may_be_called_like_its_namespace() -> None:
    unit = only("namespace shop { void shop::open() {} }")

    assert (unit.module, unit.symbol, unit.kind) == ("shop", "shop::open", "method")


def test_class_is_an_outline_and_its_members_are_units() -> None:
    source = """\
        /// A till.
        class Till final : public Box {
            int m_sum = 0;  ///< what is in it
        public:
            /// Opens it.
            explicit Till(int sum) : m_sum(sum) {
                check();
            }
            Till(Till const&) = delete;

            /** Adds a coin. */
            template <typename T>
            void add(T coin) { m_sum += coin; }

            /// The sum.
            int sum() const;
            int plain() const;
            enum class State { Open, Shut };
            friend bool operator<(Till const& a, Till const& b) { return a.m_sum < b.m_sum; }
        #ifdef LARGE
            void wide() {}
        #endif
        };
        """
    till, *members = found(source)

    assert (till.kind, till.symbol, till.doc) == ("class", "Till", "A till.")
    assert till.signature == "class Till final : public Box"
    assert till.code == dedent(
        """\
        class Till final : public Box {
            int m_sum = 0;  ///< what is in it
        public:
            explicit Till(int sum) : m_sum(sum) { … }
            Till(Till const&) = delete;

            template <typename T>
            void add(T coin) { … }

            int sum() const;
            int plain() const;
            enum class State { … };
            friend bool operator<(Till const& a, Till const& b) { … }
        #ifdef LARGE
            void wide() {}
        #endif
        };"""
    )
    assert [(each.kind, each.symbol, each.doc) for each in members] == [
        ("method", "Till::Till", "Opens it."),
        ("method", "Till::add", "Adds a coin."),
        ("method", "Till::sum", "The sum."),
        ("enum", "Till::State", ""),
        ("function", "operator<", ""),
        ("method", "Till::wide", ""),
    ]
    assert members[0].signature == "explicit Till(int sum)"
    assert members[1].code == "template <typename T>\nvoid add(T coin) { m_sum += coin; }"


def test_types_and_their_names() -> None:
    source = """\
        struct Point { int x; };
        struct Forward;
        union Either { int a; float b; };
        enum Colour : int { Red };
        enum { Nameless };
        typedef struct point_s { int x; } point_t;
        typedef struct { int y; } other_t;
        struct Made { int z; } made;
        template <> struct hash<Point> { };
        struct Outer { struct Inner { void f() {} }; };
        """

    assert kinds(source) == [
        ("struct", "Point"),
        ("union", "Either"),
        ("enum", "Colour"),
        ("struct", "point_t"),
        ("struct", "other_t"),
        ("struct", "Made"),
        ("struct", "hash"),
        ("struct", "Outer"),
        ("struct", "Outer::Inner"),
        ("method", "Outer::Inner::f"),
    ]


def test_what_has_no_body_is_a_unit_if_documented() -> None:
    source = """\
        int plain(int);
        // A remark is enough for a definition only.
        int remarked(int);
        /// Counts.
        int count(int);
        /** A table of them. */
        int (*table)(int);
        /// An alias.
        using Count = int;
        using Other = int;
        /// Called back.
        typedef int (*callback)(int);
        typedef int other_t;
        template <class T> concept Small = sizeof(T) < 8;
        #define GUARD_H
        #define SIZE 5
        /// How many.
        #define MANY 50
        // Swaps the two values.
        #define SWAP(a, b) \\
            do { } while (0)
        int after;
        """

    assert kinds(source) == [
        ("function", "count"),
        ("type", "Count"),
        ("type", "callback"),
        ("concept", "Small"),
        ("macro", "MANY"),
        ("macro", "SWAP"),
    ]
    swap = found(source)[-1]
    assert swap.code == "#define SWAP(a, b) \\\n    do { } while (0)"
    assert swap.signature == "#define SWAP(a, b)"
    assert (swap.start_line, swap.end_line) == (20, 21)


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("/** Adds. */", "Adds."),
        ("/*! Adds. */", "Adds."),
        ("/// Adds.\n/// Twice.", "Adds.\nTwice."),
        ("//! Adds.", "Adds."),
        ("/**\n   \\brief Adds.\n\n     more\n*/", "\\brief Adds.\n\n  more"),
        ("/**\n * Adds.\n *   - one\n */", "Adds.\n  - one"),
        ("/// Adds.\n\n", "Adds."),
        ("/// Adds.\n// NOLINTNEXTLINE", "Adds."),
        ("/** Old. */\n/** Adds. */", "Adds."),
        ("// Adds two numbers.", "Adds two numbers."),
        ("// Adds\n// two numbers.", "Adds\ntwo numbers."),
        ("/* Adds two numbers. */", "Adds two numbers."),
        ("// Adds two numbers.\n", ""),
        ("// Helpers", ""),
        ("// ------------------\n// Adding the numbers\n// ------------------", ""),
        ("/***** Adding the numbers *****/", ""),
        ("// int old = compute(1, 2);\n// return old + other;", ""),
        ("// TODO: add the numbers up", ""),
        ("/* Copyright 2020 Somebody and friends */", ""),
        ("/** Copyright (c) 2020 Somebody\n * Licensed under the MIT licence */", ""),
        ("/** @file\n * All about adding. */", ""),
        ("/** @name Adding */\n/**@{*/", ""),
        ("int x; ///< what it is for", ""),
        ("int x; // what it is good for", ""),
        ("/**/", ""),
    ],
)
def test_doc(comment: str, expected: str) -> None:
    assert doc(comment) == expected


def test_comment_behind_an_opening_brace_or_a_directive_is_no_doc() -> None:
    source = """\
        namespace a { // all about adding here
        int f() { return 0; }
        #if 1
        #endif // of the first condition
        int g() { return 0; }
        }
        """

    assert [each.doc for each in found(source)] == ["", ""]


def test_macros_of_other_people_hide_nothing() -> None:
    source = """\
        #define SHOP_API __attribute__((visibility("default")))
        /** Makes one.
            def_API('make', INT, (_in(INT),))
        */
        shop_ast SHOP_API shop_make(int kind);
        class SHOP_API Till : public Box { void f() {} };
        SHOP_API std::vector<int>& all(int kind) { return x; }
        SHOP_HOT SHOP_INLINE(1)
        Price g() { return 1; }
        namespace std SHOP_VISIBLE(default) {
        BEGIN_VERSION
        bool h() const SHOP_NOTHROW { return true; }
        END_VERSION
        }
        static RESULT i(int x) { return x; }
        """
    units = found(source)

    assert [each.symbol for each in units] == ["shop_make", "Till", "Till::f", "all", "g", "h", "i"]
    assert units[0].signature == "shop_ast SHOP_API shop_make(int kind)"
    assert units[1].code == "class SHOP_API Till : public Box { void f() {} };"
    assert units[-2].module == "std"
    assert extract(dedent(source).encode()).fault is None


def test_exported_definitions_of_a_module() -> None:
    assert symbols("export module shop;\nexport int f() { return 0; }\n") == ["f"]


def test_both_sides_of_a_condition_are_read() -> None:
    source = """\
        #ifdef __cplusplus
        extern "C" {
        #endif
        #if A
        int f() { return 1; }
        #elif B
        int g() { return 1; }
        #else
        int h() { return 1; }
        #endif
        #ifdef __cplusplus
        }
        #endif
        """

    assert symbols(source) == ["f", "g", "h"]


def test_tests_are_named_by_their_macros_and_other_calls_are_none() -> None:
    source = """\
        TEST(Till, Opens) { open(); }
        BOOST_AUTO_TEST_CASE(shuts)
        {
            shut();
        }
        DEFINE_STUFF(Till) { }
        struct Options {
            /// How many there are.
            SHOP_ARG(int, count) = 1;
        };
        if (x) { }
        while (y) { }
        """

    assert [(each.symbol, each.is_test) for each in found(source)] == [
        ("Till.Opens", True),
        ("shuts", True),
        ("Options", False),
    ]


def test_functions_in_functions_are_left_out() -> None:
    assert symbols("void f() { struct S { void g() {} }; auto h = [] { return 1; }; }") == ["f"]


def test_contracts_of_the_language() -> None:
    source = """\
        int root(int x)
            pre(x >= 0)
            post(r: r * r <= x)
        {
            contract_assert(x < (1 << 30));
            if (x) pre(x);
            return 0;
        }
        """
    unit = only(source)

    assert unit.contracts == [
        Contract("pre", "x >= 0"),
        Contract("post", "r: r * r <= x"),
        Contract("contract_assert", "x < (1 << 30)"),
    ]
    assert unit.signature == "int root(int x) pre(x >= 0) post(r: r * r <= x)"


def test_contracts_in_acsl() -> None:
    source = """\
        /*@ requires \\valid(a + (0 .. n-1));
          @ assigns \\nothing;
          @ behavior empty:
          @   assumes n == 0;
          @   ensures \\result == 0;
          @*/
        int sum(int const* a, int n) {
            int s = 0;
            /*@ loop invariant 0 <= i <= n;
                loop variant n - i; */
            for (int i = 0; i < n; i++) s += a[i];
            return s;
        }
        //@ ensures \\result > 0;
        int one(void) { return 1; }
        """
    total, one = found(source)

    assert total.contracts == [
        Contract("requires", "\\valid(a + (0 .. n-1))"),
        Contract("assigns", "\\nothing"),
        Contract("assumes", "n == 0"),
        Contract("ensures", "\\result == 0"),
        Contract("invariant", "0 <= i <= n"),
        Contract("decreases", "n - i"),
    ]
    assert total.doc == ""
    assert total.start_line == 7
    assert one.contracts == [Contract("ensures", "\\result > 0")]


def test_what_stands_in_a_broken_class_keeps_its_name() -> None:
    source = """\
        namespace shop {
        class Till {
            void open() { a(); }
            @@@ $$$ ((
            void shut() { b(); }
        """
    extraction = extract(dedent(source).encode())

    assert extraction.fault == "syntax_error"
    assert ("shop", "Till::open") in [(e.module, e.symbol) for e in extraction.definitions]


SAMPLE = dedent(
    """\
    namespace a { /// Doc.
    template <class T> class SHOP_API B : public C {
        /** Doc. */
        T f(int x) const noexcept { if (x) { return g("}"); } return 1; }
        int h(); // trailing
    #ifdef D
        ~B() = default;
    #endif
    };
    /*@ requires x > 0; */
    int k(int x) pre(x > 0) { contract_assert(x); return x; }
    }
    """
).encode()


def test_no_damage_raises_or_reaches_beyond_the_file() -> None:
    randomly = random.Random(7)
    for _ in range(400):
        broken = bytearray(SAMPLE)
        for _ in range(randomly.randint(1, 6)):
            at = randomly.randrange(len(broken))
            broken[at : at + randomly.randint(0, 9)] = randomly.choice(
                [b"", b"{", b"}", b"(", b"/*", b'"', b"#if\n", b"\xff\xfe", b"class ", b"operator"]
            )
        source = bytes(broken)
        lines = source.decode(errors="replace").split("\n")
        for unit in extract(source).definitions:
            assert 1 <= unit.start_line <= unit.end_line <= len(lines)
            place = unit.start_line - 1
            for piece in "".join(unit.code).replace("…", "\n").split("\n"):
                while piece.strip() not in lines[place]:
                    place += 1
                    assert place < unit.end_line, (source, unit)


@pytest.mark.parametrize(
    "hostile",
    [
        b"{" * 100_000,
        b"class A { " * 20_000,
        b"namespace a { " * 20_000,
        b"A" * 300_000,
        b"FOO(" * 50_000,
        b"FOO FOO " * 50_000,
        b"/*" * 100_000,
        b"/** a */ " * 30_000,
        b"void f() pre(x) " * 10_000,
        b"\n// " + b"- " * 100_000 + b"\nint f() {}",
        b"int f(char* a = " + b'"\\"' * 10_000,
        b"a::" * 50_000 + b"f() {}",
        bytes(range(256)) * 1000,
    ],
)
@pytest.mark.timeout(20)
def test_hostile_bytes_end_soon(hostile: bytes) -> None:
    extract(hostile)


def test_nothing_is_left_to_the_cycle_collector() -> None:
    """It does not run in the process that extracts."""
    source = b"/** Does it. */\nint f() { return 0; }\nclass A { void g() {} };\n"
    extract(source)
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        extract(source)
        gc.collect()
        left = [each for each in gc.garbage if _module(each).startswith(("corpus", "tree_sitter"))]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert left == []  # other threads of the process may leave cycles of their own


def _module(each: object) -> str:
    return str(getattr(each, "__module__", None) or type(each).__module__)

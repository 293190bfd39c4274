import random
from textwrap import dedent

import pytest

from corpus.languages.base import SYNTAX, Contract, Definition
from corpus.languages.java import extract


def found(source: str) -> list[Definition]:
    return extract(dedent(source).encode()).definitions


def symbols(source: str) -> list[str]:
    return [each.symbol for each in found(source)]


def member(source: str) -> Definition:
    """The only member of a class."""
    definitions = found(f"class A {{\n{dedent(source)}\n}}\n")
    return definitions[-1]


def doc(comment: str) -> str:
    return member(f"{comment}\nvoid f() {{ g(); }}").doc


def contracts(source: str) -> list[Contract]:
    return member(source).contracts


def is_verbatim(definition: Definition, source: str) -> bool:
    """Each piece of the code occurs in the definition's lines, in order."""
    text, at = "\n".join(source.split("\n")[definition.start_line - 1 : definition.end_line]), 0
    for line in definition.code.split("\n"):
        for piece in line.split("…"):
            at = text.find(piece.strip(), at)
            if at < 0:
                return False
            at += len(piece.strip())
    return True


SAMPLE = """\
/*
 * Copyright 2020 Somebody
 */
package org.example.queues;

import java.util.List;

/**
 * A queue of things.
 *
 * @param <T> what is in it
 */
@Named("a")
@Deprecated
public class Queue<T extends Comparable<T>> extends Base<T>
        implements Iterable<T> {

    //@ public invariant size >= 0;
    private int size = 0; // of now

    /** How many fit in. */
    public static final int LIMIT = 10;

    /** Kept in the outline. */
    List<T> items;

    /** Makes one. */
    public Queue() {
        super(1);
    }

    /**
     * Puts an item at the end.
     */
    /*@ public normal_behavior
      @   requires item != null;   // of course
      @   ensures size == \\old(size) + 1
      @        && last() == item;
      @   assignable size, items;
      @ also public exceptional_behavior
      @   signals (FullException e) \\old(size) == LIMIT;
      @*/
    // not a doc
    @Override
    public /*@ pure @*/ boolean put(@NonNull T item, // it
                                    int times) throws FullException {
        //@ loop_invariant 0 <= i;
        //@ decreases times - i;
        for (int i = 0; i < times; i++) {
            items.add(item);
        }
        return true;
    }

    enum State {
        /** Nothing inside. */
        EMPTY,
        FULL {
            @Override boolean takes() { return false; }
        };
        boolean takes() { return true; }
    }

    record Pair(int left, int right) {
        Pair { check(left); }
    }

    interface Visitor {
        /** Sees an item. */
        void see(Object item);
        void forget();
        default void end() { stop(); }
    }

    @interface Marked { int value() default 1; }

    static { setUp(); }
}
"""


def test_method_is_found_whole() -> None:
    source = """\
        package a.b;

        class A {
            /** Adds. */
            @Pure
            public static <N extends Number> int add(
                    int left,
                    int right) throws Overflow
            {
                // plainly
                return left + right;
            }
        }
        """

    assert found(source)[1] == Definition(
        kind="method",
        symbol="A.add",
        name="add",
        module="a.b",
        signature="public static <N extends Number> int add( int left, int right) throws Overflow",
        doc="Adds.",
        code=dedent(
            """\
            @Pure
            public static <N extends Number> int add(
                    int left,
                    int right) throws Overflow
            {
                // plainly
                return left + right;
            }"""
        ),
        start_line=5,
        end_line=12,
        attributes=["@Pure"],
    )


def test_definitions_of_a_file_come_in_order() -> None:
    assert [(each.kind, each.symbol, each.start_line, each.end_line) for each in found(SAMPLE)] == [
        ("class", "Queue", 13, 78),
        ("constant", "Queue.LIMIT", 22, 22),
        ("constructor", "Queue.Queue", 28, 30),
        ("method", "Queue.put", 35, 53),
        ("enum", "Queue.State", 55, 62),
        ("method", "Queue.State.FULL.takes", 59, 59),
        ("method", "Queue.State.takes", 61, 61),
        ("record", "Queue.Pair", 64, 66),
        ("constructor", "Queue.Pair.Pair", 65, 65),
        ("interface", "Queue.Visitor", 68, 73),
        ("method", "Queue.Visitor.see", 70, 70),
        ("method", "Queue.Visitor.end", 72, 72),
        ("annotation", "Queue.Marked", 75, 75),
    ]


def test_code_is_verbatim() -> None:
    assert all(is_verbatim(each, SAMPLE) for each in found(SAMPLE))


def test_module_is_the_package() -> None:
    assert {each.module for each in found(SAMPLE)} == {"org.example.queues"}
    assert found("class A { int x; }")[0].module == ""


def test_class_is_an_outline() -> None:
    queue = found(SAMPLE)[0]

    assert queue.signature == (
        "public class Queue<T extends Comparable<T>> extends Base<T> implements Iterable<T>"
    )
    assert queue.doc == "A queue of things.\n\n@param <T> what is in it"
    assert queue.attributes == ['@Named("a")', "@Deprecated"]
    assert queue.code == dedent(
        """\
        @Named("a")
        @Deprecated
        public class Queue<T extends Comparable<T>> extends Base<T>
                implements Iterable<T> {

            //@ public invariant size >= 0;
            private int size = 0; // of now

            public static final int LIMIT = 10;

            /** Kept in the outline. */
            List<T> items;

            public Queue() { … }

            /*@ public normal_behavior
              @   requires item != null;   // of course
              @   ensures size == \\old(size) + 1
              @        && last() == item;
              @   assignable size, items;
              @ also public exceptional_behavior
              @   signals (FullException e) \\old(size) == LIMIT;
              @*/
            // not a doc
            @Override
            public /*@ pure @*/ boolean put(@NonNull T item, // it
                                            int times) throws FullException { … }

            enum State { … }

            record Pair(int left, int right) { … }

            interface Visitor { … }

            @interface Marked { … }

            static { … }
        }"""
    )


def test_enum_and_interface_are_outlines() -> None:
    state, visitor = found(SAMPLE)[4], found(SAMPLE)[9]

    assert state.code == dedent(
        """\
        enum State {
            /** Nothing inside. */
            EMPTY,
            FULL {
                @Override boolean takes() { … }
            };
            boolean takes() { … }
        }"""
    )
    assert visitor.code == dedent(
        """\
        interface Visitor {
            void see(Object item);
            void forget();
            default void end() { … }
        }"""
    )


def test_method_begins_with_its_specification() -> None:
    put = found(SAMPLE)[3]

    assert put.doc == "Puts an item at the end."
    assert put.code.startswith("/*@ public normal_behavior\n  @   requires item != null;")
    assert put.attributes == ["@Override"]
    assert put.signature == "public boolean put(@NonNull T item, int times) throws FullException"


def test_doc_behind_the_specification_is_cut_out() -> None:
    method = member("//@ requires x > 0;\n/** Does. */\nint f(int x) { return x; }")

    assert (method.doc, method.start_line, method.end_line) == ("Does.", 2, 4)
    assert method.code == "//@ requires x > 0;\nint f(int x) { return x; }"


def test_contracts_of_a_method_and_its_loops() -> None:
    assert found(SAMPLE)[3].contracts == [
        Contract("requires", "item != null"),
        Contract("ensures", "size == \\old(size) + 1 && last() == item"),
        Contract("assignable", "size, items"),
        Contract("signals", "(FullException e) \\old(size) == LIMIT"),
        Contract("invariant", "0 <= i"),
        Contract("decreases", "times - i"),
    ]


def test_contracts_of_a_class() -> None:
    assert found(SAMPLE)[0].contracts == [Contract("invariant", "size >= 0")]


@pytest.mark.parametrize(
    ("comment", "kind", "text"),
    [
        ("//@ requires x > 0;", "requires", "x > 0"),
        ("//@ requires x > 0", "requires", "x > 0"),
        ("//@ pre x > 0;", "requires", "x > 0"),
        ("//@ public behavior requires x > 0;", "requires", "x > 0"),
        ("//@ also requires x > 0;", "requires", "x > 0"),
        ("//@ requires (x > 0);", "requires", "(x > 0)"),
        ("//@ ensures \\result > 0;", "ensures", "\\result > 0"),
        ("//@ ensures_redundantly x > 0;", "ensures", "x > 0"),
        (
            "//@ ensures (\\forall int i; 0 <= i; i < x);",
            "ensures",
            "(\\forall int i; 0 <= i; i < x)",
        ),
        (
            "//@ ensures (\\forall int i; 0 <= i; i < x)",
            "ensures",
            "(\\forall int i; 0 <= i; i < x)",
        ),
        ("//@ ensures x > 0 &&\n//@     x < 9;", "ensures", "x > 0 && x < 9"),
        ("//@ ensures x > 0; // why", "ensures", "x > 0"),
        ("//+ESC@ ensures x > 0;", "ensures", "x > 0"),
        ("/*@ ensures x > 0; */", "ensures", "x > 0"),
        ("/*@ ensures x > 0; @*/", "ensures", "x > 0"),
        ("/*@\n *@ ensures x > 0;\n */", "ensures", "x > 0"),
        ("/*@ ensures x > 0;\n  @ pure\n  @*/", "ensures", "x > 0"),
        ("/*@ assert y;\n  @ ensures x > 0;\n  @*/", "ensures", "x > 0"),
        ("//@ modifies \\nothing;", "assignable", "\\nothing"),
        ("//@ signals_only E;", "signals_only", "E"),
        ("//@ context Perm(this.x, 1);", "context", "Perm(this.x, 1)"),
    ],
)
def test_comment_is_a_contract(comment: str, kind: str, text: str) -> None:
    assert contracts(f"{comment}\nint f(int x) {{ return x; }}") == [Contract(kind, text)]


@pytest.mark.parametrize(
    "comment",
    [
        "// @ requires x > 0;",
        "// requires x > 0;",
        "/* requires x > 0; */",
        "/** requires x > 0; */",
        "//@ invariant x > 0;",
        "//@ pure",
        "//@ requires ;",
        "//@ assert x > 0;",
        "//@Override",
        "//@ ensures true; model int g(int x) { return x; }",
    ],
)
def test_comment_is_no_contract(comment: str) -> None:
    assert contracts(f"{comment}\nint f(int x) {{ return x; }}") == []


def test_invariants_belong_to_the_innermost_type() -> None:
    source = """\
        class A {
            //@ invariant a > 0;
            int a;
            class B {
                //@ private invariant b > 0;
                int b;
                //@ constraint c > 0;
            }
        }
        """

    assert [[(each.kind, each.text) for each in one.contracts] for one in found(source)] == [
        [("invariant", "a > 0")],
        [("invariant", "b > 0"), ("constraint", "c > 0")],
    ]


def test_bodiless_method_with_a_contract_is_found() -> None:
    method = member("//@ ensures \\result > 0;\nabstract int f();")

    assert (method.name, method.signature) == ("f", "abstract int f()")
    assert method.code == "//@ ensures \\result > 0;\nabstract int f();"


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ('@Requires("x > 0")', [("requires", "x > 0")]),
        ('@Requires({"x > 0", "x < 9"})', [("requires", "x > 0"), ("requires", "x < 9")]),
        ('@Ensures("a" +\n  " == b")', [("ensures", "a == b")]),
        ('@com.google.java.contract.Ensures("x == \\"y\\"")', [("ensures", 'x == "y"')]),
        ('@Requires(property = "name")', []),
        ("@Requires(A.class)", []),
        ('@Named("x > 0")', []),
    ],
)
def test_annotation_is_a_contract(annotation: str, expected: list[tuple[str, str]]) -> None:
    stated = contracts(f"{annotation}\nint f(int x) {{ return x; }}")

    assert [(each.kind, each.text) for each in stated] == expected


def test_invariant_of_a_class_is_an_annotation() -> None:
    assert found('@Invariant("n > 0")\nclass A { int n; }')[0].contracts == [
        Contract("invariant", "n > 0")
    ]


@pytest.mark.parametrize(
    ("comment", "text"),
    [
        ("/** One. */", "One."),
        ("/**\n * One\n * two.\n *\n *   indented\n */", "One\ntwo.\n\n  indented"),
        ("/**\n   One\n   two.\n*/", "One\ntwo."),
        ("/** One\n * two. */", "One\ntwo."),
        ("/**\n * One:\n<pre>\n  code\n</pre>\n */", "One:\n<pre>\n  code\n</pre>"),
        ("/** One.\n ** Two. **/", "One.\nTwo."),
        ("/** Before. */\n/** One. */", "One."),
        ("/** One. */\n\n// remark", "One."),
        ("/** One. */\n@A @B(1)", "One."),
        ("@A\n/** One. */\n@B", "One."),
        ("/// One\n///   *two*.", "One\n  *two*."),
        ("/** ∀ x ≤ y */", "∀ x ≤ y"),
        ("/** {@code a} <b>c</b> */", "{@code a} <b>c</b>"),
        ("/* One. */", ""),
        ("// One.", ""),
        ("//// One.", ""),
        ("/*** One. */", ""),
        ("/**/", ""),
        ("/** */", ""),
        ("/** ------ */", ""),
        ("/** Of g. */\nvoid g();", ""),
        ("/** Of x. */\nint x;", ""),
    ],
)
def test_doc_is_what_javadoc_takes_for_one(comment: str, text: str) -> None:
    assert doc(comment) == text


def test_doc_between_annotations_is_cut_out() -> None:
    method = member("@A\n/** One. */\n@B\nvoid f() { g(); }")

    assert (method.code, method.attributes) == ("@A\n@B\nvoid f() { g(); }", ["@A", "@B"])


@pytest.mark.parametrize(
    "licence", ["/** Copyright 2020 Somebody */", "/**\n * Licensed under the MIT License.\n */"]
)
def test_licence_is_no_doc(licence: str) -> None:
    assert found(f"{licence}\nclass A {{ int x; }}")[0].doc == ""


@pytest.mark.parametrize(
    "source",
    [
        "interface A { int f(); }",
        "abstract class A { abstract int f(); }",
        "class A { native int f(); }",
        "@interface A { int f(); }",
        "class A { int f; }",
        "class A { static final int F = 1; }",
        "class A { /** One. */ final int f = 1; }",
        "class A { Object f = new Object() { void g() { } }; }",
        "class A { static { class B { void g() { } } } }",
    ],
)
def test_member_is_left_out(source: str) -> None:
    assert symbols(source) == ["A"]


def test_documented_bodiless_members_are_found() -> None:
    source = """\
        interface A {
            /** One. */
            int f();
            /** Two. */
            int LIMIT = 2;
        }
        """

    assert [(each.kind, each.symbol, each.doc, each.code) for each in found(source)][1:] == [
        ("method", "A.f", "One.", "int f();"),
        ("constant", "A.LIMIT", "Two.", "int LIMIT = 2;"),
    ]


def test_empty_type_is_left_out_unless_documented() -> None:
    source = "class A { }\n/** One. */ class B { }\nrecord C(int x) { }\ninterface D {\n}\n"

    assert symbols(source) == ["B", "C"]


def test_signature_is_without_annotations_and_remarks() -> None:
    method = member('@A("{") public @B /* why */ final int f( // how\n  int x) { return x; }')

    assert method.signature == "public final int f( int x)"
    assert method.attributes == ['@A("{")', "@B"]


def test_constant_has_no_value_in_its_signature() -> None:
    constant = member("/** One. */\npublic static final int[] X = {1, 2};")

    assert (constant.kind, constant.signature) == ("constant", "public static final int[] X")
    assert constant.code == "public static final int[] X = {1, 2};"


@pytest.mark.parametrize(
    "annotation",
    [
        "@Test",
        "@org.junit.Test",
        "@Test(expected = E.class)",
        "@ParameterizedTest",
        "@RepeatedTest(3)",
        "@Before",
        "@After",
        "@BeforeEach",
        "@BeforeClass(alwaysRun = true)",
        "@AfterAll",
    ],
)
def test_class_with_a_test_is_test_code(annotation: str) -> None:
    source = (
        f"import org.junit.*;\nclass A {{ {annotation} void f() {{ g(); }} void h() {{ i(); }} }}"
    )

    assert [each.is_test for each in found(source)] == [True, True, True]


def test_test_case_is_test_code() -> None:
    source = "class A extends junit.framework.TestCase { void helper() { g(); } }"

    assert [each.is_test for each in found(source)] == [True, True]


@pytest.mark.parametrize(
    "source",
    [
        "class A { @Testable void f() { g(); } }",
        'import org.junit.B;\nclass A { @Before("execution(* *)") void f() { g(); } }',
        "class TestData { void f() { g(); } }",
        "class A implements TestCase { void f() { g(); } }",
    ],
)
def test_code_is_no_test(source: str) -> None:
    assert not any(each.is_test for each in found(source))


def test_tabs_are_dedented() -> None:
    assert member("\tvoid f() {\n\t\tg();\n\t}").code == "void f() {\n\tg();\n}"


def test_carriage_returns_are_no_part_of_what_is_found() -> None:
    source = b"class A {\r\n  /** One\r\n   * two. */\r\n  void f() {\r\n    g();\r\n  }\r\n}\r\n"
    definition = extract(source).definitions[1]

    assert (definition.doc, definition.code) == ("One\ntwo.", "void f() {\n  g();\n}")
    assert (definition.start_line, definition.end_line) == (4, 6)


def test_bytes_that_are_not_utf8_are_replaced() -> None:
    definition = extract(b'class A { String f() { return "caf\xe9"; } }').definitions[1]

    assert definition.code == 'String f() { return "caf\N{REPLACEMENT CHARACTER}"; }'


def test_fault_is_named_and_what_is_around_it_is_found() -> None:
    extraction = extract(b"class A { void a() { g(); } ) void b() { g(); } }\nclass C { int x; }")

    assert extraction.fault == SYNTAX
    assert {each.name for each in extraction.definitions} >= {"a", "b", "C"}


def test_whole_file_has_no_fault() -> None:
    assert extract(SAMPLE.encode()).fault is None


def test_comments_that_never_end_are_a_fault_and_end_the_file() -> None:
    extraction = extract(
        b"class A { int x; }\n/** One. */ class B { int x; }\n" + b"/*@ " * 100_000
    )

    assert extraction.fault == SYNTAX
    assert [each.symbol for each in extraction.definitions] == ["A", "B"]


@pytest.mark.parametrize(
    "source", [b"", b"\xff\xfe\x00", b"class", b"class {", b"((((", b"/**", b"@interface", b"\x00"]
)
def test_bytes_that_are_no_java_give_nothing(source: bytes) -> None:
    assert extract(source).definitions == []


@pytest.mark.parametrize(
    "source",
    [
        "class A { " * 3000 + "void f() { g(); }" + "}" * 3000,
        "enum E { A { " * 2000,
        "//@ also\n" * 50_000 + "class A { int x; }",
        "class A { /*@ " + "model " * 50_000 + "*/ void f() { g(); } }",
        "class A { /*@ " + "requires ;" * 20_000 + "*/ void f() { g(); } }",
        '@Requires("' + "a\\" * 50_000 + "class A { int x; }",
        "/** " + "* \n" * 50_000 + "*/ class A { int x; }",
    ],
)
def test_hostile_files_end(source: str) -> None:
    assert len(extract(source.encode()).definitions) <= 60


def test_damaged_files_give_verbatim_code_inside_the_file() -> None:
    chance = random.Random(5)
    for _ in range(300):
        start = chance.randrange(len(SAMPLE))
        end = start + chance.choice([0, 1, 30, len(SAMPLE)])
        source = SAMPLE[:start] + chance.choice(["", "\n", "(", "/*", "*/", "}"]) + SAMPLE[end:]
        for each in extract(source.encode()).definitions:
            assert each.name
            assert 1 <= each.start_line <= each.end_line <= source.count("\n") + 1
            assert is_verbatim(each, source)

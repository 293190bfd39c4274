import random
from textwrap import dedent

import pytest

from corpus.languages.base import SYNTAX, Contract, Definition, Extraction
from corpus.languages.smtlib import extract


def found(source: str) -> list[Definition]:
    return extract(dedent(source).encode()).definitions


def only(source: str) -> Definition:
    (definition,) = found(source)
    return definition


def test_function_is_found_whole() -> None:
    source = """\
        (set-logic LIA)

        ; The larger of two.
        ;   (either where they are equal)
        (define-fun larger ((x Int)
                            (y Int)) Int
          (ite (> x y) x y)) ; done
        """

    assert only(source) == Definition(
        kind="function",
        symbol="larger",
        name="larger",
        module="",
        signature="(define-fun larger ((x Int) (y Int)) Int",
        doc="The larger of two.\n  (either where they are equal)",
        code=dedent(
            """\
            (define-fun larger ((x Int)
                                (y Int)) Int
              (ite (> x y) x y))"""
        ),
        start_line=5,
        end_line=7,
    )


def test_empty_file_has_nothing() -> None:
    assert extract(b"") == Extraction([])


@pytest.mark.parametrize(
    ("source", "kind", "symbol", "signature"),
    [
        ("(define-fun-rec f ((x Int)) Int (f x))", "function", "f", "(define-fun-rec f ((x Int)) Int"),
        ("(define-const c (_ BitVec 8) #x00)", "constant", "c", "(define-const c (_ BitVec 8) #x00)"),
        ("(define-sort Word () (_ BitVec 8))", "sort", "Word", "(define-sort Word () (_ BitVec 8))"),
        ("(declare-datatype Nat ((zero) (succ (pred Nat))))", "datatype", "Nat", None),
        ("(declare-datatypes ((Nat 0) (List 1)) (((z)) (par (T) ((nil)))))", "datatype", "Nat, List", None),
        ("(declare-datatypes (T) ((Pair (mk (first T))) (Box (in T))))", "datatype", "Pair, Box", None),
        ("( define-fun |a (b)| () Bool true )", "function", "|a (b)|", "( define-fun |a (b)| () Bool"),
        ("(declare-fun f (Int) Int) ; doc", "function", "f", "(declare-fun f (Int) Int)"),
        ("(declare-fun c () Int) ; doc", "constant", "c", "(declare-fun c () Int)"),
        ("(declare-const c Int) ; doc", "constant", "c", "(declare-const c Int)"),
        ("(declare-sort S 0) ; doc", "sort", "S", "(declare-sort S 0)"),
        ("(assert (> x 0))", "assertion", "assert-1", "(assert (> x 0))"),
        ("(assert (! (> x 0) :named positive))", "assertion", "positive", None),
        ("(assert (! (> x 0) :weight 1 :named |at 0|))", "assertion", "|at 0|", None),
        ("(rule (=> a b))", "assertion", "rule-1", "(rule (=> a b))"),
    ],
)  # fmt: skip
def test_every_command_of_interest_is_found(
    source: str, kind: str, symbol: str, signature: str | None
) -> None:
    definition = only(source)

    assert (definition.kind, definition.symbol) == (kind, symbol)
    assert definition.name == symbol.strip("|")
    assert definition.signature == (signature or source)


@pytest.mark.parametrize(
    "source",
    [
        "(declare-fun f (Int) Int)\n(declare-const c Int)\n(check-sat)",
        "(push 1)\n(pop 1)\n(get-model) ; said of nothing",
        '(echo "(assert true)")',
        "; (assert true)",
        "(set-info :name |(assert true)|)",
    ],
)
def test_what_carries_nothing_is_left_out(source: str) -> None:
    assert found(source) == []


def test_functions_defined_together_are_units_of_their_own() -> None:
    source = """\
        ; Whether a number is even, or odd.
        (define-funs-rec
          ((even ((n Int)) Bool)
           (odd ((n Int)) Bool))
          ((or (= n 0)
               (odd (- n 1)))
           (and (not (= n 0)) (even (- n 1)))))
        """

    even, odd = found(source)
    assert (even.symbol, odd.symbol) == ("even", "odd")
    assert (even.signature, even.start_line, even.end_line) == ("(even ((n Int)) Bool)", 2, 7)
    assert even.doc == odd.doc == "Whether a number is even, or odd."
    assert even.code == (
        "(define-funs-rec …\n(even ((n Int)) Bool) …\n(or (= n 0)\n     (odd (- n 1))) …"
    )


def test_assertion_is_its_contract() -> None:
    source = """\
        (assert (and (> x 0)  ; positive
                     (= s "a ; b")))
        """

    assert only(source).contracts == [Contract("assert", '(and (> x 0) (= s "a ; b"))')]


@pytest.mark.parametrize(
    ("source", "doc"),
    [
        ("; One.\n; Two.\n(assert a)", "One.\nTwo."),
        (";;; One.\n;;; ----\n;; Two.\n(assert a)", "One.\n\nTwo."),
        ("(assert a) ; One.", "One."),
        ("; One.\n(assert a) ; Two.", "One.\nTwo."),
        ("; One.\n\n(assert a)", ""),
        ("(check-sat) ; One.\n(assert a)", ""),
        ("; EXPECT: sat\n; One.\n(assert a)", "One."),
        ("; (assert b)\n(assert a)", ""),
        ("(assert (and a ; One.\n b))", ""),
        ("(assert (and a\n b)) ; One.", ""),
    ],
)
def test_doc_is_the_comment_right_above_or_behind(source: str, doc: str) -> None:
    assert only(source).doc == doc


def test_declarations_below_one_comment_are_one_unit() -> None:
    source = """\
        (declare-const other Int)

        ; The sizes.
        (declare-const width Int)
        (declare-const height Int) ; in steps

        (declare-const alone Int)
        """

    definition = only(source)
    assert (definition.kind, definition.symbol) == ("declarations", "width, height")
    assert definition.doc == "The sizes."
    assert definition.signature == "(declare-const width Int) (declare-const height Int)"
    assert definition.code.endswith("(declare-const height Int) ; in steps")
    assert (definition.start_line, definition.end_line) == (4, 5)


def test_many_declarations_are_named_by_the_first() -> None:
    source = "; All.\n" + "".join(f"(declare-const x{n} Int)\n" for n in range(20))

    assert only(source).symbol == "x0, x1, x2, x3, x4, x5, x6, x7 …"


SCRIPT = """\
    ; Copyright 2020 Somebody

    ; Two queens never attack each other
    ; on a board this small.
    (set-logic QF_LIA)
    (set-info :source |
      From a lesson about the placing of queens.
    |)
    (assert (> x 0))
    (check-sat)
    """


def test_script_that_says_what_it_is_about_is_a_unit() -> None:
    script, assertion = found(SCRIPT)

    assert (script.kind, script.symbol) == ("script", "script:QF_LIA")
    assert script.doc == (
        "Two queens never attack each other\non a board this small.\n\n"
        "From a lesson about the placing of queens."
    )
    assert script.code == "(set-logic QF_LIA)\n(assert (> x 0))\n(check-sat)"
    assert (script.start_line, script.end_line) == (5, 10)
    assert assertion.kind == "assertion"


@pytest.mark.parametrize(
    "head",
    [
        "; EXPECT: unsat\n; COMMAND-LINE: --some options that are long enough\n(set-logic LIA)",
        "; Licensed under the terms of this or that\n\n(set-logic LIA)",
        "(set-info :source |Translated from that other format by a tool|)",
        "; Too short.\n\n(set-logic LIA)",
    ],
)
def test_script_without_prose_is_none(head: str) -> None:
    assert [each.kind for each in found(f"{head}\n(assert a)\n")] == ["assertion"]


def test_comment_above_the_first_definition_is_its_own() -> None:
    assert [each.kind for each in found("; Every number here is positive.\n(assert a)\n")] == [
        "assertion"
    ]


def test_long_script_is_none() -> None:
    source = "; This says what the script is about.\n\n(set-logic LIA)\n" + "\n" * 120 + "(exit)"

    assert found(source) == []


def test_commands_after_an_open_bracket_are_found() -> None:
    source = "(assert (and a b)\n(assert c)\n(assert (d)\n\n; Done.\n(assert e)\n"

    extraction = extract(source.encode())
    assert extraction.fault == SYNTAX
    assert [each.code for each in extraction.definitions] == [
        "(assert (and a b)",
        "(assert c)",
        "(assert (d)",
        "(assert e)",
    ]
    assert extraction.definitions[-1].doc == "Done."


def test_stray_bracket_is_a_fault() -> None:
    extraction = extract(b"(assert a))\n(assert b)\n")

    assert extraction.fault == SYNTAX
    assert [each.symbol for each in extraction.definitions] == ["assert-1", "assert-2"]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "source",
    [
        "(" * 500_000,
        ")(" * 500_000,
        "(assert " + "(" * 100_000 + "x" + ")" * 100_000 + ")",
        '"' * 500_000,
        "|" * 500_001,
        "(assert (\n" * 50_000,
        "(assert a)" * 50_000,
        "(assert (! " + ":named " * 100_000,
        "(set-info :source |x|)" * 40_000,
        "(assert" + " " * 500_000 + ")",
        "(define-fun f (" + "(x Int)" * 100_000,
        "\0" * 500_000,
    ],
)
def test_hostile_text_ends_soon(source: str) -> None:
    extract(source.encode())


def test_deep_nesting_is_one_assertion() -> None:
    source = "(assert " + "(not " * 100_000 + "x" + ")" * 100_000 + ")"

    assert only(source).contracts[0].text.startswith("(not (not (not")


def test_any_part_of_a_file_gives_verbatim_lines() -> None:
    whole = dedent(SCRIPT).encode() + b'(define-fun f ((x Int)) Int\n  (g x "a")) ; doc\n'
    rng = random.Random(1)
    for _ in range(300):
        first, last = sorted(rng.choices(range(len(whole) + 1), k=2))
        source = whole[:first] + rng.choice([b"", b"(", b'"', b"|", b"\xff"]) + whole[last:]
        lines = source.decode("utf-8", "replace").split("\n")
        for each in extract(source).definitions:
            assert 1 <= each.start_line <= each.end_line <= len(lines)
            span = "\n".join(lines[each.start_line - 1 : each.end_line])
            assert all(piece.strip() in span for piece in each.code.split("\n")), each

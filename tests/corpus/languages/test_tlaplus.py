import random
from textwrap import dedent

import pytest

from corpus.languages.base import SYNTAX, Contract, Definition, Extraction
from corpus.languages.tlaplus import extract
from corpus.languages.tlaplus_statements import LONG_LINE, NESTED


def within(source: str) -> str:
    return f"---- MODULE Clock ----\n{dedent(source)}\n====\n"


def found(source: str) -> list[Definition]:
    """The definitions of one module's text, without the module itself."""
    return [each for each in extract(within(source).encode()).definitions if each.kind != "module"]


def only(source: str) -> Definition:
    (definition,) = found(source)
    return definition


def module(source: str) -> Definition:
    return extract(dedent(source).encode()).definitions[0]


def kinds(source: str) -> dict[str, str]:
    return {each.symbol: each.kind for each in found(source)}


def test_operator_is_found_whole() -> None:
    source = """\
        (***************************)
        (* The hour after `hour`.  *)
        (***************************)
        After(hour, step) ==
          IF hour = 12
            THEN 1  \\* starts again
            ELSE hour + step
        """

    assert only(source) == Definition(
        kind="operator",
        symbol="After",
        name="After",
        module="Clock",
        signature="After(hour, step)",
        doc="The hour after `hour`.",
        code=dedent(
            """\
            After(hour, step) ==
              IF hour = 12
                THEN 1  \\* starts again
                ELSE hour + step"""
        ),
        start_line=5,
        end_line=8,
    )


def test_empty_file_has_nothing() -> None:
    assert extract(b"") == Extraction([])


@pytest.mark.parametrize(
    ("source", "kind", "symbol", "signature"),
    [
        ("f[i \\in Nat] == i", "function", "f", "f[i \\in Nat]"),
        ("LOCAL f[i \\in Nat] == i", "function", "f", "LOCAL f[i \\in Nat]"),
        ("LOCAL Op(a) == a", "operator", "Op", "LOCAL Op(a)"),
        ("a \\prec b == a < b", "operator", "\\prec", "a \\prec b"),
        ("a ^+ == a", "operator", "^+", "a ^+"),
        ("-. a == 0 - a", "operator", "-.", "-. a"),
        ("Op(_ ++ _, P(_)) == 1", "operator", "Op", "Op(_ ++ _, P(_))"),
        ("I == INSTANCE M WITH x <- y,\n  y <- x", "instance", "I", "I == INSTANCE M WITH x <- y, y <- x"),
        ("I(z) == INSTANCE M", "instance", "I", "I(z) == INSTANCE M"),
        ("ASSUME Positive == N > 0", "assumption", "Positive", "ASSUME Positive == N > 0"),
        ("AXIOM N > 0", "assumption", "N > 0", "AXIOM N > 0"),
        ("LEMMA Safe == Spec => []Inv", "lemma", "Safe", "LEMMA Safe == Spec => []Inv"),
        ("THEOREM Spec => []Inv", "theorem", "Spec => []Inv", "THEOREM Spec => []Inv"),
        ("COROLLARY X == TRUE", "corollary", "X", "COROLLARY X == TRUE"),
        ("Op(S) ≜ ∀ x ∈ S : x ≥ 0", "operator", "Op", "Op(S)"),
        ("a ⊕ b ≜ a", "operator", "⊕", "a ⊕ b"),
    ],
)  # fmt: skip
def test_every_sort_of_statement_is_found(
    source: str, kind: str, symbol: str, signature: str
) -> None:
    definition = only(source)

    assert (definition.kind, definition.symbol) == (kind, symbol)
    assert definition.signature == signature


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("Init == x = 1", "init"),
        ("TPInit == x = 1", "init"),
        ("Initial(x) == x = 1", "operator"),
        ("Next == A \\/ B", "next"),
        ("Next == x' = 1", "next"),
        ("Step == x' = x + 1", "action"),
        ("Step(a) == UNCHANGED <<x, y>>", "action"),
        ("Spec == Init /\\ [][Next]_x", "spec"),
        ("Spec == /\\ Init\n        /\\ [][Next]_x\n        /\\ WF_x(Next)", "spec"),
        ("LiveSpec == Spec /\\ WF_x(Next)", "spec"),
        ("Spec ≜ Init ∧ □[Next]_x", "spec"),
        ("Fair == WF_x(Next) /\\ SF_x(Stop)", "fairness"),
        ("Live == <>(x = 1)", "temporal"),
        ("Live == a ~> b", "temporal"),
        ("Live ≜ ◇(x = 1)", "temporal"),
        ("Always == [](x = 1)", "temporal"),
        ("Steps == [][x' > x]_x", "temporal"),
        ("Empty == << >>", "operator"),
        ("Nothing == <<>>", "operator"),
        ("Sign == CASE x > 0 -> 1 [] x = 0 -> 0 [] OTHER -> -1", "operator"),
        ("Text == \"it's [] <> x'\"", "operator"),
        ("TypeOK == x \\in Nat", "invariant"),
        ("IndInv == x \\in Nat", "invariant"),
        ("Inverse == x", "operator"),
        ("Invert(x) == x", "operator"),
    ],
)
def test_kind_is_what_the_formula_shows(source: str, kind: str) -> None:
    assert only(source).kind == kind


def test_what_a_theorem_states_to_hold_always_is_an_invariant() -> None:
    source = """\
        Safe == x > 0
        Sound == x < 9
        Other == x = 2
        THEOREM Spec => [](Safe /\\ Sound)
        <1> QED BY DEF Other
        """

    assert kinds(source) == {
        "Safe": "invariant",
        "Sound": "invariant",
        "Other": "operator",
        "Spec => [](Safe /\\ Sound)": "theorem",
    }


@pytest.mark.parametrize(
    ("source", "contracts"),
    [
        ("THEOREM Spec => []Inv", [Contract("prove", "Spec => []Inv")]),
        (
            "LEMMA L == ASSUME NEW x \\in S,\n         x > 0\n  PROVE  x >= 0\n  BY DEF S",
            [Contract("assume", "NEW x \\in S, x > 0"), Contract("prove", "x >= 0")],
        ),
        ("ASSUME /\\ a\n       /\\ b  \\* why", [Contract("assume", "/\\ a /\\ b")]),
        ("Inv == x > 0", [Contract("invariant", "x > 0")]),
        ("Live == []<>(x > 0)", [Contract("property", "[]<>(x > 0)")]),
        ("Op == 1", []),
    ],
)
def test_contracts_are_formulas_on_one_line(source: str, contracts: list[Contract]) -> None:
    assert only(source).contracts == contracts


def test_proof_stays_with_its_theorem() -> None:
    source = """\
        THEOREM Safe == TRUE
        <1>1. TRUE
          OBVIOUS
        <1> QED BY <1>1
        (* Nothing of the proof. *)
        Other == 1
        """

    theorem, _ = found(source)
    assert theorem.code.endswith("<1> QED BY <1>1")
    assert theorem.signature == "THEOREM Safe == TRUE"


def test_long_statement_without_a_name_is_cut_between_words() -> None:
    statement = " /\\ ".join(["Spec => []Inv"] * 9)

    symbol = only(f"THEOREM {statement}").symbol
    assert symbol == "Spec => []Inv /\\ Spec => []Inv /\\ Spec => []Inv /\\ Spec => …"


@pytest.mark.parametrize(
    ("source", "doc"),
    [
        ("\\* One.\n\\*  two\nOp == 1", "One.\n two"),
        ("(* One. *)\nOp == 1", "One."),
        ("(**********)\n(* One.   *)\n(*        *)\n(* Two.   *)\n(**********)\nOp == 1", "One.\n\nTwo."),
        ("(*\n  One\n    two\n*)\nOp == 1", "One\n  two"),
        ("(*\n * One\n * two\n *)\nOp == 1", "One\ntwo"),
        ("Op ==\n  (*******)\n  (* One *)\n  (*******)\n  1", "One"),
        ("Op == \\* One\n  1", "One"),
        ("Op == 1  \\* One", "One"),
        ("Op == 1\n  (* One *)", "One"),
        ("(* One *)\nOp == 1\n  (* Two *)", "One\n\nTwo"),
        ("(* A nested (* comment *) here *)\nOp == 1", "A nested (* comment *) here"),
        ("\\* Other == 2\nOp == 1", ""),
        ("(* Too far away from it all. *)\n\n\nOp == 1", ""),
        ("Op == (* inline *) 1", ""),
        ("\\* Last modified Mon Nov 01 10:00:00 2021 by someone\nOp == 1", ""),
    ],
)  # fmt: skip
def test_doc_is_what_stands_about_a_definition(source: str, doc: str) -> None:
    assert only(source).doc == doc


def test_prose_is_a_doc_across_one_blank_line() -> None:
    first, second, third = found(
        "A == 1\n\n(* This is all that B does. *)\n\nB == 2\n(* Too short *)\n\nC == 3"
    )

    assert (first.doc, second.doc, third.doc) == ("", "This is all that B does.", "")


def test_doc_after_the_sign_is_cut_out_of_the_code() -> None:
    source = """\
        Op ==  \\* The first.
               \\* The second.
          /\\ 1  \\* stays
          /\\ 2
        """

    definition = only(source)
    assert definition.doc == "The first.\nThe second."
    assert definition.code == "Op ==\n  /\\ 1  \\* stays\n  /\\ 2"


def test_comment_after_the_sign_stays_where_another_is_the_doc() -> None:
    definition = only("\\* Above.\nOp ==\n  \\* inside\n  1")

    assert definition.doc == "Above."
    assert definition.code == "Op ==\n  \\* inside\n  1"


def test_indented_comment_belongs_to_what_it_follows() -> None:
    first, second = found("A == 1\n  (* Of A. *)\n(* Of B. *)\nB == 2")

    assert (first.doc, second.doc) == ("Of A.", "Of B.")


def test_annotations_are_attributes_and_code() -> None:
    source = """\
        \\* The next one.
        \\* @type: (Int)
        \\*   => Int;
        Op(x) == x + 1
        """

    definition = only(source)
    assert definition.doc == "The next one."
    assert definition.attributes == ["@type: (Int) => Int;"]
    assert definition.code.splitlines()[0] == "\\* @type: (Int)"
    assert (definition.start_line, definition.end_line) == (3, 5)


def test_doc_attaches_across_recursive() -> None:
    source = """\
        \\* Counts.
        RECURSIVE Count(_)
        \\* @type: Int => Int;
        Count(n) == Count(n - 1)
        """

    definition = only(source)
    assert definition.doc == "Counts."
    assert definition.attributes == ["@type: Int => Int;", "RECURSIVE Count(_)"]
    assert definition.code == "RECURSIVE Count(_)\nCount(n) == Count(n - 1)"


def test_declarations_are_units_where_they_are_documented() -> None:
    source = """\
        CONSTANTS N, Op(_, _)
        ASSUME TRUE
        VARIABLES big,   \\* The big jug.
                  small  \\* The small jug.
        ASSUME FALSE
        \\* Who takes part.
        CONSTANT Node
        """

    _, variables, _, constants = found(source)
    assert (variables.kind, variables.symbol, variables.doc) == ("variables", "big, small", "")
    assert variables.code.endswith("\\* The small jug.")
    assert (constants.kind, constants.symbol, constants.doc) == (
        "constants",
        "Node",
        "Who takes part.",
    )


def test_module_is_its_outline() -> None:
    source = """\
        \\* Copyright 2020 Somebody

        \\* Tells the time.
        ---- MODULE Clock ----
        EXTENDS Naturals
        VARIABLE hour  \\* from 1
        Init == hour = 1
        THEOREM TRUE
        ====
        after
        """

    assert module(source) == Definition(
        kind="module",
        symbol="Clock",
        name="Clock",
        module="",
        signature="MODULE Clock EXTENDS Naturals",
        doc="Tells the time.",
        code="---- MODULE Clock ----\nEXTENDS Naturals\nVARIABLE hour\nInit == …\nTHEOREM TRUE",
        start_line=4,
        end_line=9,
    )


@pytest.mark.parametrize(
    "head",
    [
        "(* Tells the time. *)\nEXTENDS Naturals",
        "EXTENDS Naturals\n(* Tells the time. *)\n\nCONSTANT N",
        "(* Tells the time. *)\nCONSTANT N",
        "\n(* Tells the time. *)\n\n\\* One.\nOne == 1",
    ],
)
def test_module_doc_stands_at_its_head(head: str) -> None:
    assert module(within(head)).doc == "Tells the time."


def test_nested_modules_are_paths() -> None:
    source = """\
        ---- MODULE Outer ----
        ---- MODULE Inner ----
        Deep == 1
        ====
        Shallow == 2
        ====
        ---- MODULE Second ----
        Other == 3
        ====
        """

    assert [(each.symbol, each.module) for each in extract(dedent(source).encode()).definitions] == [
        ("Outer", ""),
        ("Inner", "Outer"),
        ("Deep", "Outer!Inner"),
        ("Shallow", "Outer"),
        ("Second", ""),
        ("Other", "Second"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "title",
    [
        "----\n\n(* Actions. *)\n\n",
        "(***********)\n(* Actions *)\n(***********)\n\n",
        "\\* ---- Actions ----\n",
        "\\* ========\n\\* Actions:\n\\* ========\n",
    ],
)
def test_title_is_the_heading_of_what_follows(title: str) -> None:
    *_, definition = found(f"Before == 1\n{title}Step == x' = 1\n")

    assert definition.heading.rstrip(".") == "Actions"
    assert definition.doc == ""


def test_heading_ends_with_the_section() -> None:
    _, first, second = found("Z == 0\n\\* ---- Actions ----\nA == 1\n----\nB == 2")

    assert (first.heading, second.heading) == ("Actions", "")


PLUSCAL = """\
    (* Counts up.

    --algorithm Count {
      variable x = 0;  \\* } is no end
      { a: x := x + 1; }
    }

    and no more *)
    \\* BEGIN TRANSLATION
    VARIABLES x, pc
    Init == x = 0
    \\* END TRANSLATION
    Inv == x >= 0
    """


def test_algorithm_stands_for_its_translation() -> None:
    algorithm, invariant = found(PLUSCAL)

    assert (algorithm.kind, algorithm.symbol) == ("algorithm", "Count")
    assert (algorithm.doc, algorithm.signature) == ("Counts up.", "--algorithm Count")
    assert algorithm.code.startswith("--algorithm Count {")
    assert algorithm.code.endswith("{ a: x := x + 1; }\n}")
    assert (algorithm.start_line, algorithm.end_line) == (4, 7)
    assert invariant.symbol == "Inv"
    assert "pc" not in extract(within(PLUSCAL).encode()).definitions[0].code


def test_algorithm_with_words_for_braces_ends_with_them() -> None:
    source = "(* --fair algorithm Go\nbegin x := {1}; skip;\nend algorithm; *)"

    algorithm = only(source)
    assert algorithm.code == "--fair algorithm Go\nbegin x := {1}; skip;\nend algorithm;"


def test_translation_without_an_algorithm_is_kept() -> None:
    assert kinds("\\* BEGIN TRANSLATION\nInit == 1\n\\* END TRANSLATION") == {"Init": "init"}


def test_what_stands_around_a_fault_is_found() -> None:
    source = within(
        "\\* One.\nOne == 1\nBroken == ( /\\ \nTwo(a, b) == a\nf[i \\in S] ==\n  LET\n    g == 1\n  IN g\n"
        "a ++ b == 1\nI == INSTANCE M\nASSUME A == TRUE\n----\n\\* All.\nVARIABLES x, y"
    )

    extraction = extract(source.encode())
    assert extraction.fault == SYNTAX
    assert [(each.kind, each.symbol, each.doc) for each in extraction.definitions] == [
        ("module", "Clock", ""),
        ("operator", "One", "One."),
        ("operator", "Broken", ""),
        ("operator", "Two", ""),
        ("function", "f", ""),
        ("operator", "++", ""),
        ("instance", "I", ""),
        ("assumption", "A", ""),
        ("variables", "x, y", "All."),
    ]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("A == " + "/\\ " * 3000 + "TRUE", LONG_LINE),
        ("A == " + "/\\ " * 400 + "TRUE", NESTED),
        ("THEOREM T == TRUE\n" + "".join(f"<{n}>1. TRUE\n" for n in range(3000)), NESTED),
        ("THEOREM T == TRUE\n" + "<0>1. TRUE\n<+>1. TRUE\n" * 3000, NESTED),
        ("A == " + "(" * 100_000, LONG_LINE),
    ],
)
def test_what_would_crash_the_grammar_never_reaches_it(body: str, fault: str) -> None:
    extraction = extract(within(body).encode())

    assert extraction.fault == fault
    assert len(extraction.definitions) == 2


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "source",
    [
        "---- MODULE M ----\n" * 20_000,
        "---- MODULE M ----\nA" + " " * 500_000 + "x",
        "---- MODULE M ----\nA == 1\n" + "(* " * 200_000,
        "---- MODULE M ----\nA == " + '"\\' * 200_000,
        "-" * 500_000,
        "---- MODULE M ----\n\\* " + "@type:" * 80_000 + "\nA == 1\n====",
        "---- MODULE M ----\n(* --algorithm A " + "{" * 300_000,
        "\0" * 500_000,
    ],
)
def test_hostile_text_ends_soon(source: str) -> None:
    extract(source.encode())


def test_any_part_of_a_file_gives_verbatim_lines() -> None:
    whole = within(
        dedent(PLUSCAL) + "RECURSIVE f(_)\n(* One. *)\nf(x) ==\n  (* Two. *)\n  /\\ x'\n"
    ).encode()
    rng = random.Random(1)
    for _ in range(300):
        first, last = sorted(rng.choices(range(len(whole) + 1), k=2))
        source = whole[:first] + rng.choice([b"", b"(*", b'"', b"\xff", b"\n"]) + whole[last:]
        lines = source.decode("utf-8", "replace").split("\n")
        for each in extract(source).definitions:
            assert 1 <= each.start_line <= each.end_line <= len(lines)
            span = "\n".join(lines[each.start_line - 1 : each.end_line])
            pieces = each.code.replace("…", "\n").split("\n")
            assert all(piece.strip() in span for piece in pieces), each

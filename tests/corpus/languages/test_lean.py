import random
import time
from textwrap import dedent

import pytest

from corpus.languages.base import Contract, Definition
from corpus.languages.lean import UNBALANCED, extract


def found(source: str) -> list[Definition]:
    return extract(dedent(source).encode()).definitions


def only(source: str) -> Definition:
    (definition,) = found(source)
    return definition


def symbols(source: str) -> list[str]:
    return [each.symbol for each in found(source)]


def fault(source: str) -> str | None:
    return extract(dedent(source).encode()).fault


def test_theorem_is_found_whole() -> None:
    source = """\
        module

        public import Init.Data.Nat

        /-! ## Halving -/

        namespace Nat

        /-- Half of a double. -/
        @[simp, grind =]
        protected theorem half_double (n : Nat)
            (h : 0 < n) : -- as one expects
            half (2 * n) = n := by
          unfold half

          omega
        -- a remark on what follows

        end Nat
        """

    assert only(source) == Definition(
        kind="theorem",
        symbol="Nat.half_double",
        name="half_double",
        module="",
        signature="protected theorem half_double (n : Nat) (h : 0 < n) : half (2 * n) = n",
        doc="Half of a double.",
        code=dedent(
            """\
            @[simp, grind =]
            protected theorem half_double (n : Nat)
                (h : 0 < n) : -- as one expects
                half (2 * n) = n := by
              unfold half

              omega"""
        ),
        start_line=10,
        end_line=16,
        attributes=["@[simp, grind =]"],
        contracts=[Contract("statement", "half (2 * n) = n")],
        heading="Halving",
    )


@pytest.mark.parametrize(
    ("source", "kind", "name"),
    [
        ("lemma a' : True := trivial", "lemma", "a'"),
        ("def find? (n : Nat) : Option Nat := none", "def", "find?"),
        ("partial def get!\n  (n : Nat) : Nat := get! n", "def", "get!"),
        ("abbrev «odd name» := Nat", "abbrev", "«odd name»"),
        ("structure Point.{u} (α : Type u) where\n  x : α", "structure", "Point"),
        ("inductive Tree\n| leaf\n| node (l r : Tree)", "inductive", "Tree"),
        ("coinductive Stream' : Prop\n| step : Stream'", "coinductive", "Stream'"),
        ("class Top (α : Type) where\n  top : α", "class", "Top"),
        ("class inductive Few : Prop\n| few", "class inductive", "Few"),
        ("axiom choice : Nonempty Nat", "axiom", "choice"),
        ('@[extern "c"] opaque now : IO Nat', "opaque", "now"),
        ("public meta unsafe def f₁ := 1", "def", "f₁"),
        ("private noncomputable nonrec def f := 1", "def", "f"),
        ("/-- A case. -/\nexample : 1 = 1 := rfl", "example", "example"),
        ("instance low (n : Nat) : Inhabited (Fin (n + 1)) := ⟨0⟩", "instance", "low"),
        ('instance : ToString Point where\n  toString _ := ""', "instance", "instToStringPoint"),
        ("instance (priority := low) [BEq α] : BEq (A.List α) where", "instance", "instBEqList"),
        ('/-- Sum. -/\nnotation:65 a " ⊕ " b:66 => plus a b', "notation", "⊕"),
        ('/-- Closes. -/\nlocal macro "done!" : tactic => `(tactic| done)', "macro", "done!"),
        ('/-- S. -/\nscoped syntax (name := myTac) "my_tac" : tactic', "syntax", "myTac"),
        ("/-- R. -/\nmacro_rules\n| `(x) => `(y)", "macro_rules", "macro_rules"),
        ("/-- Folds. -/\nsimproc ↓ foldIt (_ + _) := fun e => go e", "simproc", "foldIt"),
    ],
)
def test_kinds(source: str, kind: str, name: str) -> None:
    definition = only(source)

    assert (definition.kind, definition.name) == (kind, name)
    assert definition.code.endswith(source.rpartition("-/\n")[2])


@pytest.mark.parametrize(
    "source",
    [
        "example : 1 = 1 := rfl",
        'macro "done!" : tactic => `(tactic| done)',
        "/-- error: no -/\n#guard_msgs in\nexample : False := by decide",
        "#eval f 1\n#guard f 1 = 2",
        "initialize table : IO.Ref Nat ← IO.mkRef 0",
        "attribute [simp] foo",
        "deriving instance Repr for Point",
        "-- def f := 1\n/- def g := 1\n/- nested -/\ndef h := 1 -/",
        'open Foo "\ndef f := 1\n"',
        "universe u\nvariable (n : Nat)",
        "def $name := 1",
    ],
)
def test_other_commands_are_no_units(source: str) -> None:
    assert found(source) == []


def test_names_are_qualified_by_namespaces_alone() -> None:
    source = """\
        @[expose] public section
        namespace A.B
        def one := 1
        section Few
        def C.two := 2
        namespace D
        def _root_.three := 3
        end D
        end Few
        noncomputable section
        theorem four : True := trivial
        end
        end A.B
        def five := 5
        namespace X
        namespace Y
        def six := 6
        end X.Y
        def seven := 7
        """

    assert symbols(source) == [
        "A.B.one", "A.B.C.two", "three", "A.B.four", "five", "X.Y.six", "seven",
    ]  # fmt: skip
    assert [each.name for each in found(source)][1:3] == ["two", "three"]
    assert fault(source) is None


def test_mutual_definitions_with_their_measures() -> None:
    source = """\
        mutual
        def even : Nat → Bool
          | 0 => true
          | n + 1 => odd n
        termination_by n => n

        def odd (n : Nat) : Bool := go n
        where
          /-- Inner. -/
          go (k : Nat) : Bool :=
            match k with
            | 0 => false
            | k + 1 => even k
          termination_by k
        termination_by n + 0
        decreasing_by
          all_goals omega
        end
        """
    even, odd = found(source)

    assert even.signature == "def even : Nat → Bool"
    assert even.contracts == [Contract("decreases", "n => n")]
    assert odd.signature == "def odd (n : Nat) : Bool"
    assert odd.contracts == [Contract("decreases", "n + 0")]
    assert odd.code.endswith("decreasing_by\n  all_goals omega")
    assert "/-- Inner. -/" in odd.code
    assert fault(source) is None


def test_prefixes_that_end_in_in() -> None:
    source = """\
        /-- One. -/
        set_option maxRecDepth 99 in
        open A B in
        @[simp]
        theorem one : P := p

        open C in
        /-- Two. -/
        def two := 2

        open D in theorem three : P := p
        variable (n : Nat) in
        /- not a doc -/
        include n in
        def four := 4
        """
    one, two, three, four = found(source)

    assert (one.doc, one.code) == ("One.", "@[simp]\ntheorem one : P := p")
    assert (two.doc, two.code) == ("Two.", "def two := 2")
    assert (three.start_line, three.code) == (11, "theorem three : P := p")
    assert (four.doc, four.code) == ("", "def four := 4")


def test_doc_between_attribute_and_keyword_is_cut_out() -> None:
    definition = only("@[simp]\n/-- Doc. -/\ndef f := 1")

    assert (definition.doc, definition.code) == ("Doc.", "@[simp]\ndef f := 1")
    assert (definition.start_line, definition.end_line) == (1, 3)


def test_doc_on_the_same_line() -> None:
    definition = only("/-- Doc. -/ @[inline] def f := 1 -- why")

    assert (definition.doc, definition.code) == ("Doc.", "@[inline] def f := 1 -- why")


def test_doc_is_dedented_and_licence_is_none() -> None:
    source = """\
        /-
        Copyright (c) nobody
        -/
        /-! One sentence. Another. -/
        /-- First,
            then:
              * more -/
        def f := 1
        /- plain -/
        def g := 1
        """
    f, g = found(source)

    assert (f.doc, f.heading) == ("First,\nthen:\n  * more", "One sentence")
    assert g.doc == ""


def test_doc_that_closes_with_two_dashes() -> None:
    assert only("/-- Doc. --/\ndef f := 1").doc == "Doc."


def test_headings_last_until_the_next() -> None:
    source = """\
        def a := 1
        /-!
        # First title
        ## Details
        -/
        def b := 1
        /-! no
        title -/
        def c := 1
        /-! ### Second -/
        def d := 1
        """

    assert [each.heading for each in found(source)] == ["", "First title", "First title", "Second"]


def test_types_keep_their_fields_with_docs() -> None:
    source = """\
        structure Point (α : Type) extends Base α where
          /-- Across. -/
          x : α := 0
          y : α
          deriving Repr
        -- end
        """
    definition = only(source)

    assert definition.signature == "structure Point (α : Type) extends Base α"
    assert definition.code == dedent(source).removesuffix("\n-- end\n")


@pytest.mark.parametrize(
    ("source", "signature"),
    [
        ("theorem t (f := fun x => x) (h : a := b) : P := p", "theorem t (f := fun x => x) (h : a := b) : P"),
        ("theorem t : let x := 1; x = 1 := rfl", "theorem t : let x := 1; x = 1"),
        ("theorem t : ({x | P x} : Set Nat) = s := p", "theorem t : ({x | P x} : Set Nat) = s"),
        ("theorem t : ∀ l : List Nat, l = l\n  | [] => rfl", "theorem t : ∀ l : List Nat, l = l"),
        ("def f : Nat → Nat | 0 => 1 | n => n", "def f : Nat → Nat"),
        ("def f (c := ':') (s := \":= (\") /- := -/ : Nat := 1", "def f (c := ':') (s := \":= (\") : Nat"),
        ("theorem t : ∀ x : A, have y : B := c; P y := p", "theorem t : ∀ x : A, have y : B := c; P y"),
        ("theorem t : a :: b = c := p", "theorem t : a :: b = c"),
        ("instance i : Foo Nat where\n  a := 1", "instance i : Foo Nat"),
        ("theorem whereabouts : nowhere = here := p", "theorem whereabouts : nowhere = here"),
        ("theorem deep (a : ((((((Nat)))))) ) : P := p", "theorem deep (a : ((((((Nat)))))) ) : P"),
        ("inductive T : Type\n| a : T\nderiving Repr", "inductive T : Type"),
        ("class A (α : Type) extends B α", "class A (α : Type) extends B α"),
        ("axiom a : b", "axiom a : b"),
    ],
)  # fmt: skip
def test_signature_ends_where_the_body_begins(source: str, signature: str) -> None:
    assert only(source).signature == signature


@pytest.mark.parametrize(
    "body",
    [
        "'\"'",
        "'\\''",
        'x\' ++ "a"',
        'r#"a " -- \\"#',
        'r"\\"',
        '"\\"/-"',
        's!"{f "/-"} -- {g}"',
        's!"{"{"}" ++ "/-"',
        "«-- no» + '('",
        '"two\nlines"',
        "1 /- /- nested -/ -/ + 1",
        "1 /--/ + 1",
    ],
)
def test_words_do_not_swallow_what_follows(body: str) -> None:
    source = f"def f := {body}\ndef g := 1\n"

    assert symbols(source) == ["f", "g"]
    assert fault(source) is None
    assert found(source)[0].code == f"def f := {body}"


def test_commands_indented_in_their_block() -> None:
    source = """\
        namespace A
          namespace B
            /-- Doc. -/
            def one :=
              open C in
              1

            private theorem two : P := by
              set_option x true in
              simp
          end B
          mutual
            inductive T
              | t
          end
        end A
        def three := 3
        #guard_msgs in
          def four := 4
        """

    assert symbols(source) == ["A.B.one", "A.B.two", "A.T", "three", "four"]
    assert found(source)[0].code == "def one :=\n  open C in\n  1"
    assert found(source)[0].doc == "Doc."


def test_instances_without_names_are_told_apart() -> None:
    assert symbols("instance : Fresh ℕ := a\ninstance : Fresh N₁ := b\ninstance : Fresh M := c") == [
        "instFreshNat", "instFresh", "instFresh_1",
    ]  # fmt: skip


def test_brackets_in_quoted_names_are_none() -> None:
    source = "namespace «A)»\ndef «(» : Nat := 1\nend «A)»"

    assert (only(source).symbol, only(source).signature) == ("«A)».«(»", "def «(» : Nat")
    assert fault(source) is None


@pytest.mark.parametrize(("name", "bare"), [("a.b'", "b'"), ("a.«b.c»", "«b.c»"), ("«a.b».c", "c")])
def test_bare_name_is_the_last_part(name: str, bare: str) -> None:
    assert only(f"def {name} := 1").name == bare


def test_unknown_command_ends_a_definition() -> None:
    definition = only("def f :=\n  1\n\nmy_command f\n  2")

    assert definition.code == "def f :=\n  1"


def test_veil_specification() -> None:
    source = """\
        import Veil
        veil module Ring
        relation leader (n : node)
        ghost relation next (n : node) := ∀ z, n ≠ z
        after_init {
          leader N := False
        }
        /-- Sends. -/
        action send (n : node) = {
          require leader n
        }
        procedure twice (k : Nat) =
          requires k > 0
          ensures r, r = 2 * k
          { return k + k }
        internal transition byz = fun a b => True
        safety [single] leader L → le N L
        invariant leader N →
          N = N
        #gen_spec
        end Ring
        """
    ghost, init, send, twice, byz, single, unnamed = found(source)

    assert (ghost.kind, ghost.symbol, init.symbol) == (
        "ghost relation", "Ring.next", "Ring.after_init",
    )  # fmt: skip
    assert (send.kind, send.signature, send.doc) == ("action", "action send (n : node)", "Sends.")
    assert twice.contracts == [
        Contract("requires", "k > 0"), Contract("ensures", "r, r = 2 * k"),
    ]  # fmt: skip
    assert byz.signature == "internal transition byz"
    assert (single.name, single.contracts) == ("single", [Contract("safety", "leader L → le N L")])
    assert unnamed.name == "invariant"
    assert unnamed.contracts == [Contract("invariant", "leader N → N = N")]


def test_velvet_method() -> None:
    source = """\
        import Velvet.Std
        method double (mut n : Nat) return (r : Nat)
          require n > 0
          ensures r = 2 * n
          do
            return n + n
        """

    assert only(source).kind == "method"
    assert only(source).contracts == [
        Contract("require", "n > 0"),
        Contract("ensures", "r = 2 * n"),
    ]


def test_words_of_veil_are_names_elsewhere() -> None:
    assert symbols("def f :=\naction g\ninvariant h") == ["f"]


@pytest.mark.parametrize(
    "source",
    [
        "def f := 1\n/- open",
        'def f := 1\n#print "open',
        "def f := (1",
        "mutual\ndef f := 1",
        "def f := 1\nend A",
        "namespace A\nend B\ndef A.f := 1",
    ],
)
def test_unbalanced_file_gives_what_can_be_had(source: str) -> None:
    assert fault(source) == UNBALANCED
    assert [each.name for each in found(source)] == ["f"]


def test_namespace_may_stay_open() -> None:
    assert fault("namespace A\nsection\ndef f := 1") is None


def test_a_string_that_never_ends_spoils_one_line() -> None:
    source = 'def f := "open\ndef g := 1\n'

    assert (symbols(source), fault(source)) == (["f", "g"], UNBALANCED)


PIECES = (
    "/- -/ /-- -/ /-! \" ' -- ( ) { } [ ] ⟨ « » @[ := : | where in end namespace mutual open theorem"
    ' def s!"{ r#" \\ instance notation \n \n\n \t \r \x0c'
).split(" ")


def test_broken_files_give_verbatim_lines() -> None:
    chance = random.Random(5)
    for _ in range(400):
        source = "".join(
            chance.choice(PIECES) + chance.choice(["\n", " ", ""])
            for _ in range(chance.randrange(60))
        )
        lines = source.split("\n")
        for each in found_in(source):
            assert 1 <= each.start_line <= each.end_line <= len(lines)
            span = lines[each.start_line - 1 : each.end_line]
            assert all(any(line.strip() in one for one in span) for line in each.code.split("\n"))


def found_in(source: str) -> list[Definition]:
    return extract(source.encode()).definitions


@pytest.mark.parametrize(
    "piece",
    ['"\\"', 's!"{"', 'r#"', "/-", "«", "@[a", "\nprivate ", "\nopen A in\n", "\nnamespace A", "(",
     "\ntheorem x : (a", "\ndef f : let a := ", "\n/-- d -/ def f := 1", "\ninstance : ∀ ", "\xff"],
)  # fmt: skip
def test_hostile_file_ends_soon(piece: str) -> None:
    source = (piece * (200_000 // len(piece))).encode("latin-1", "replace")
    before = time.process_time()
    extract(source)

    assert time.process_time() - before < 4


def test_nothing_in_nothing() -> None:
    assert found("") == []
    assert extract(b"\xff\xfe def").definitions == []

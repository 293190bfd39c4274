"""One file of each language with a little of everything that its extractor looks for."""

SAMPLES = {
    "rust": '''//! About queues.
use creusot_std::prelude::*;

/// A ring of `T`, ∀ sizes ≤ 2⁶⁴.
#[derive(Debug)]
pub struct Ring<T> {
    /// What it holds.
    items: Vec<T>,
}

impl<T: Clone> Ring<T> {
    /// Adds one.
    ///
    /// # Panics
    /// If it is full.
    #[requires(self.len() < 10)]
    #[ensures(result == true)]
    pub fn push(&mut self, item: T) -> bool {
        let text = r#"fn no() { "}" }"#;
        let quote = '"'; // a remark about the quote
        self.items.push(item);
        true
    }
}

/** Walks. */
pub trait Walk {
    /// Goes.
    fn go(&self);
    fn stop(&self) { panic!("stopped }}") }
}

#[cfg(test)]
mod tests {
    #[kani::proof]
    #[kani::unwind(3)]
    fn check_push() { assert!(kani::any::<u8>() >= 0, "never fails"); }
}

verus! {
/// Halves.
proof fn lemma_half(n: nat)
    requires
        n > 0, /* nested /* comment */ */
    ensures
        forall|i: int| 0 <= i < n ==> #[trigger] f(i, n) == "}",
    decreases n,
{
}

pub closed spec fn f<'a>(i: int, n: nat) -> Set<(int, &'a str)> recommends i < n { arbitrary() }
}
''',
    "python": '''"""A module."""

LIMIT = 3
"""How many."""


class Ring(Base):
    """Holds items.

    Args:
        size: how many ≤ LIMIT
    """

    size: int = 0

    @property
    def full(self) -> bool:
        r"""Whether none fits."""
        def inner():
            return "def no(): pass"
        return f"{self.size}" == \'\'\'
        class Not: pass\'\'\'

    @deal.pre(lambda x: x > 0)
    async def push(self, item, *, twice=False): ...


# Adds two
# numbers.
def add(a, b=(1, 2), /) -> "int": return a + b


if TYPE_CHECKING:
    try:
        def maybe(): "Perhaps."
    except ImportError:
        pass
''',
    "java": '''/* Licence. */
package org.demo.ring;

import java.util.*;

/**
 * A ring of {@code T} — ∀ sizes.
 * @param <T> what it holds
 */
@Deprecated
public final class Ring<T extends Comparable<T>> implements Iterable<T> {
    /** How many. */
    public static final int LIMIT = 3;

    //@ requires size > 0;
    /*@ ensures \\result >= 0; @*/
    @Override @SuppressWarnings({"unchecked", "}"})
    public int push(T item) throws Oops {
        String text = "class No { void no() {} }"; char quote = '"';
        return new Object() { int inner() { return 1; } }.inner();
    }

    Ring() { this(1); }

    enum Kind { ONE { void act() {} }, TWO }
    record Pair(int a, int b) { Pair { } }
    interface Walk { /** Goes. */ void go(); default void stop() { } }

    @Test public void testPush() { assertEquals(1, 1); }
}
''',
    "typescript": '''/** @fileoverview A file. */
import x from "y";

/**
 * A ring — ∀ sizes.
 */
@decorated({ a: "}" })
export class Ring<T extends Item = {}> extends Base implements Walk {
  private items: T[] = [];
  /** Adds. */
  @inner() async push(item: T): Promise<void> { return `${() => { "}" }}`; }
  get full(): boolean { return /[/"}]/.test("x"); }
  handler = (event: Event) => { this.go(event); };
}
export interface Walk { /** Goes. */ go(): void; }
export type Kind = "one" | { two: number };
export enum Side { Left = "l", Right }
export const add = (a: number, b = 2): number => a + b;
export default function* walk<T>(this: void, ...rest: T[]) { yield* rest; }
declare namespace Deep.Inner { function go(): void; }
export const table = { one() { return 1; }, two: function () {} };
''',
    "javascript": '''// A file.
"use strict";

/** Adds — ∀ numbers. */
function add(a, b = { c: "}" }) { return a + b; }

class Ring extends Base { #items = []; static make() { return new Ring(`}`); } get full() { return 1; } }

exports.sub = function (a, b) { return a - b; };
Ring.prototype.push = function push(item) { this.items.push(item); };
const lazy = async (x) => <div onClick={() => x}>{"}"}</div>;
module.exports = { add, Ring };
''',
    "cpp": '''// Licence.
#include <vector>
#define LIMIT(x) ((x) + 1)

namespace demo { namespace deep {

/**
   \\brief A ring — ∀ sizes.
*/
template<typename T, int N = 3>
class [[nodiscard]] Ring : public Base<T> {
    std::vector<T> m_items; ///< what it holds
public:
    Ring(): m_items() {}
    ~Ring() { clear(); }
    /// Adds one.
    bool push(T const& item) { if (item) { return true; } char q = '"'; const char* s = R"(})"; return false; }
    bool operator==(Ring const& other) const;
    operator bool() const { return true; }
};

template<typename T, int N>
bool Ring<T, N>::operator==(Ring const& other) const { return m_items == other.m_items; }

struct Pair { int a, b; };
union Word { int i; float f; };
enum class Side { Left, Right };

#ifdef X
static unsigned add(unsigned a, unsigned b) noexcept { return a + b; }
#else
/* Subtracts. */
Z3_ast Z3_API Z3_mk_sub(Z3_context c, unsigned n, Z3_ast const args[]);
#endif

}} // namespace

extern "C" { void go(void); }
TEST(Ring, Push) { EXPECT_EQ(1, 1); }
''',
    "lean": '''/-! # Rings

About rings. -/
module
public import Init.Data

/-! ## Basic lemmas -/

namespace Demo.Ring
universe u
variable {α : Type u} [LE α]

/-- A ring ∀ sizes; "quoted" and `code`. -/
@[ext] structure Ring (α : Type u) where
  /-- what it holds -/
  items : List α := []
  size : Nat
deriving Repr

/-- Never `none`. /- nested -/ -/
@[simp, grind =] protected theorem find?_isSome' (r : Ring α) (h : 0 < r.size) :
    (find? r).isSome = true := by
  cases r <;> simp -- a remark
  · exact absurd "end Demo" (by decide)

section Inner
private partial def go! (n : Nat) : Nat :=
  match n with
  | 0 => 'a'.toNat
  | n + 1 => go! n
termination_by n
decreasing_by omega
end Inner

mutual
inductive Even : Nat → Prop | zero : Even 0
inductive Odd : Nat → Prop
end

instance : Inhabited (Ring α) := ⟨⟨[], 0⟩⟩
set_option maxHeartbeats 400 in
theorem _root_.Nat.«odd name» : 1 = 1 := rfl
axiom choice {p : Prop} : s!"a{1 + 1}b" = "" → p
end Demo.Ring
''',
    "tlaplus": '''A header that is no part of the module.
---------------------------- MODULE TwoPhase ----------------------------
(***************************************************************************)
(* How a transaction commits, ∀ managers.                                  *)
(***************************************************************************)
EXTENDS Naturals, TLC
CONSTANT RM  \\* the managers
ASSUME RMAssumption == RM # {} /\\ "a\\"b" = "(*"
VARIABLES rmState, msgs

-----------------------------------------------------------------------------
\\* What is true of every state.
TypeOK ==
  /\\ rmState \\in [RM -> {"working", "done"}]
  /\\ LET one == 1 IN one = 1

(* The start. (* nested *) *)
Init == rmState = [r \\in RM |-> "working"] /\\ msgs = {}
Prepare(r) == /\\ rmState[r] = "working"
              /\\ rmState' = [rmState EXCEPT ![r] = "done"]
              /\\ UNCHANGED msgs
Next == \\E r \\in RM : Prepare(r)
vars == <<rmState, msgs>>
Spec == Init /\\ [][Next]_vars /\\ WF_vars(Next)
RECURSIVE Sum(_)
Sum(S) == IF S = {} THEN 0 ELSE 1 + Sum(S \\ {CHOOSE x \\in S : TRUE})
fact[n \\in Nat] == IF n = 0 THEN 1 ELSE n * fact[n - 1]
a (+) b == a + b
TC == INSTANCE TCommit WITH state <- rmState
Liveness == Init ~> <>TypeOK

(* --algorithm demo
variables x = 0;
begin
  Add: x := x + 1;
end algorithm; *)
\\* BEGIN TRANSLATION
Gen == 1
\\* END TRANSLATION

THEOREM Safe == Spec => []TypeOK
<1>1. Init => TypeOK
  BY DEF Init
<1> QED
=============================================================================
A tail.
''',
    "smtlib": '''; A buffer that is never too full, ∀ sizes.
(set-info :source |from; a (paper)|)
(set-logic QF_LIA)
; How many it holds.
(declare-const |the size| Int)
(declare-fun limit (Int) Int)
(define-fun half ((n Int)) Int (div n 2)) ; rounds down
(define-funs-rec ((even ((n Int)) Bool) (odd ((n Int)) Bool)) ((= n 0) (= n 1)))
(declare-datatypes ((Tree 0)) (((leaf) (node (left Tree) (right Tree)))))
(push 1)
; It fits.
(assert (! (=> (> |the size| 0) (= "a ""quoted"" ;text" "(")) :named fits))
(check-sat)
(pop 1)
''',
}  # fmt: skip

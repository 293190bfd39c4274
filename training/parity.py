"""What two copies of a model must agree on: token vectors and scores of real texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor

TOLERANCE = 1e-5

QUERIES = (
    "parse a date",
    "where is the retry budget of a failed upload spent",
    "the ring buffer never overwrites what nobody has read yet, ∀ readers r: r.tail ≤ head",
    "panics",
)

DOCUMENTS = (
    # Rust, as search indexes it
    """store/src/ring.rs
Appends `item`, or gives it back where the buffer is full.

pub fn push(&mut self, item: T) -> Result<(), T> {
    if self.head.wrapping_sub(self.tail) == self.slots.len() {
        return Err(item);
    }
    let slot = self.head & (self.slots.len() - 1);
    self.slots[slot] = Some(item);
    self.head = self.head.wrapping_add(1);
    Ok(())
}""",
    # Kani
    """#[kani::proof]
#[kani::unwind(9)]
fn push_never_overwrites() {
    let mut ring: Ring<u8> = Ring::with_capacity(8);
    let before = ring.len();
    let item = kani::any();
    if ring.push(item).is_ok() { assert_eq!(ring.len(), before + 1); }
}""",
    # Lean 4
    """theorem length_filter_le {α : Type u} (p : α → Bool) (l : List α) :
    (l.filter p).length ≤ l.length := by
  induction l with
  | nil => simp
  | cons a l ih => by_cases h : p a <;> simp [h] <;> omega""",
    # TLA+
    """Next == \\E r \\in Readers :
  /\\ tail[r] < head
  /\\ tail' = [tail EXCEPT ![r] = @ + 1]
  /\\ UNCHANGED head""",
    "A snapshot is a listing and a blob store; parts of it are only ever added to.",
    "x",
    # longer than any document length
    "let mut total = 0; for each in &items { total += each.weight() as u64; } " * 60,
)


class Embeds(Protocol):
    """A model in any format: one `(tokens, width)` array or tensor a text."""

    def encode_query(self, inputs: list[str], /) -> Any: ...

    def encode_document(self, inputs: list[str], /) -> Any: ...


Similarity = Callable[[Any, Any], Any]
"""Vectors of q queries and d documents -> scores `(q, d)`."""


@dataclass(frozen=True)
class Measured:
    """The token vectors of every probe, and the scores of every query with every document."""

    vectors: list[Tensor]
    scores: Tensor


def measure(model: Embeds, similarity: Similarity) -> Measured:
    """What `model` makes of the probes."""
    import torch

    queries, documents = (
        [torch.as_tensor(each) for each in vectors]
        for vectors in (model.encode_query(list(QUERIES)), model.encode_document(list(DOCUMENTS)))
    )
    return Measured([*queries, *documents], torch.as_tensor(similarity(queries, documents)))


def distance(one: Measured, other: Measured) -> float:
    """The greatest difference in any coordinate or score; infinite where shapes differ or one is NaN."""
    import torch

    pairs = [(one.scores, other.scores), *zip(one.vectors, other.vectors, strict=True)]
    if any(left.shape != right.shape for left, right in pairs):
        return float("inf")
    worst = torch.stack([(left - right).abs().max() for left, right in pairs]).max()
    return float(worst.nan_to_num(nan=float("inf"), posinf=float("inf")))

"""Verification -> code: queries made of parsed facts, one module a family of verifiers."""

from corpus.pairs.proof.build import VERSION, proof_pairs

__all__ = ["VERSION", "proof_pairs"]

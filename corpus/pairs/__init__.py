"""Training pairs, one module a kind. Builders propose; `corpus.build` drops what is unfit or double."""

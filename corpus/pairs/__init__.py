"""Training pairs, one module a kind. Builders propose; what is too short, too long or double, `corpus.build` drops."""

"""One module a language: bytes in, definitions out. What a definition is, `base.py` says."""

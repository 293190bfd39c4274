"""What every floor needs and no library gives: user-facing errors, typed YAML, atomic writes, hashes.

No domain knowledge belongs here, and nothing heavier than pydantic and pyarrow.
"""

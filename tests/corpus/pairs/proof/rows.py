"""A definition as the row of `schema.UNITS` that it becomes, as far as proof pairs look at it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from corpus.languages.base import Definition


def row(definition: Definition, **changes: object) -> dict[str, Any]:
    return {
        **asdict(definition),
        "unit_id": definition.symbol,
        "path": "src/demo.rs",
        "language": "rust",
        "prose": "",
        **changes,
    }

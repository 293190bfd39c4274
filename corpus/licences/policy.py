"""The licence policy: the tier of every SPDX id, and the tiers that are kept."""

from __future__ import annotations

from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Literal

import license_expression
from license_expression import (
    ExpressionError,
    ExpressionParseError,
    LicenseSymbol,
    get_spdx_licensing,
)
from pydantic import Field, field_validator

from common.config import Settings, load

Tier = Literal["owned", "permissive", "weak_file", "weak_lib", "strong", "none"]
STRICTNESS: dict[Tier, int] = {
    "owned": -1,
    "permissive": 0,
    "weak_file": 1,
    "weak_lib": 2,
    "strong": 3,
    "none": 4,
}
_SPDX = get_spdx_licensing()
_MAX_EXPRESSION = 400


class LicencePolicy(Settings):
    """`config/licenses.yaml`: the tier of each SPDX id, and the tiers that are kept."""

    tiers: dict[Tier, list[str]]
    keep: Annotated[list[Tier], Field(min_length=1)]
    max_test_files: Annotated[int, Field(ge=0)] = Field(
        default=300, description="most test files of one source, proofs not counted"
    )

    @field_validator("tiers")
    @classmethod
    def _each_id_has_one_tier(cls, tiers: dict[Tier, list[str]]) -> dict[Tier, list[str]]:
        tier_of: dict[str, Tier] = {}
        for tier, ids in tiers.items():
            for each in ids:
                spelled = normal(each)
                if spelled is None:
                    raise ValueError(f"{each!r} is no SPDX licence id")
                if tier_of.setdefault(spelled, tier) != tier:
                    raise ValueError(f"{each!r} is in two tiers, {tier_of[spelled]} and {tier}")
        # In the spelling of expressions, which name some ids by their successors.
        return {tier: [each for each in tier_of if tier_of[each] == tier] for tier in tiers}

    def tier(self, expression: str | None) -> Tier:
        """The tier of an SPDX expression.

        OR leaves the choice, AND binds to the strictest. WITH an exception of SPDX's own list, all of
        which only permit more, a licence keeps its tier; with any other it has none.
        """
        if expression is None:
            return "none"
        if expression not in self._known:
            self._known[expression] = self._tier(_SPDX.parse(expression))
        return self._known[expression]

    @cached_property
    def _known(self) -> dict[str, Tier]:
        return {}

    def strictest(self, expressions: list[str]) -> str:
        """The expression of the strictest tier; of equals the first."""
        return max(expressions, key=lambda each: STRICTNESS[self.tier(each)])

    def _tier(self, node: object) -> Tier:
        if isinstance(node, license_expression.LicenseWithExceptionSymbol):
            exception = node.exception_symbol
            if not exception.is_exception or exception.key.startswith("LicenseRef-"):
                return "none"  # such as Apache-2.0 with the Commons Clause
            return self._tier(node.license_symbol)
        if isinstance(node, LicenseSymbol):
            for tier, ids in self.tiers.items():
                if node.key in ids:
                    return tier
            return "none"
        assert isinstance(node, license_expression.OR | license_expression.AND)
        parts: list[Tier] = [self._tier(part) for part in node.args]
        choose = min if isinstance(node, license_expression.OR) else max
        return choose(parts, key=STRICTNESS.__getitem__)


def load_policy(path: Path) -> LicencePolicy:
    """Read the licence policy from `path`."""
    return load(path, LicencePolicy)


@lru_cache(maxsize=4096)
def normal(expression: str | None) -> str | None:
    """`expression` in SPDX's own spelling; null where it is no valid expression of known ids.

    `LicenseRef-…` ids, which SPDX leaves to each project, are valid and have no tier.
    """
    if not expression or len(expression) > _MAX_EXPRESSION:
        return None
    try:
        parsed = _SPDX.parse(expression)
    except (ExpressionError, ExpressionParseError, AttributeError, IndexError):
        return None
    unknown = [
        key for key in _SPDX.unknown_license_keys(parsed) if not key.startswith("LicenseRef-")
    ]
    return None if parsed is None or unknown else str(parsed.simplify())


@lru_cache(maxsize=4096)
def names(expression: str) -> frozenset[str]:
    """The licence ids of an expression, exceptions left out."""
    return frozenset(
        str(getattr(getattr(symbol, "license_symbol", symbol), "key", symbol))
        for symbol in _SPDX.license_symbols(expression, decompose=False)
    )


def binds(expression: str, whole: str) -> bool:
    """True where `expression` is an AND, and all that `whole` demands is among its parts."""
    return _parts(whole) < _parts(expression)


def _parts(expression: str) -> set[str]:
    parsed = _SPDX.parse(expression)
    assert parsed is not None, expression
    parsed = parsed.simplify()
    parts = parsed.args if isinstance(parsed, license_expression.AND) else [parsed]
    return {str(part) for part in parts}


def family(name: str) -> str:
    """A licence id without `-only` and `-or-later`, which no licence's text can tell apart."""
    return name.removesuffix("-only").removesuffix("-or-later")

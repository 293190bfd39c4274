"""The one exception a user may see. Its message says what went wrong, where, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Collection


class ProvenderError(Exception):
    """A mistake or fault that its reader can act on; shown without a traceback.

    Args:
        what: what went wrong, one sentence, with or without its full stop.
        where: the file, source or setting that it concerns.
        remedy: what to do about it.
        passing: whether it may be gone at the next try, as a network's fault.
    """

    def __init__(self, what: str, *, where: str, remedy: str, passing: bool = False) -> None:
        self.what = what if what.endswith((".", "?", "!")) else f"{what}."
        self.where, self.remedy, self.passing = where, remedy, passing
        super().__init__(f"{where}: {self.what} {remedy}")


def hint(value: str, known: Collection[str], what: str = "ones") -> str:
    """What a message about an unknown `value` ends in: the nearest known one, else all of them."""
    nearest = difflib.get_close_matches(value, known, n=1, cutoff=0.5)
    return (
        f"did you mean `{nearest[0]}`?" if nearest else f"known {what}: {', '.join(sorted(known))}"
    )

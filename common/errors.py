"""The one exception a user may see. Its message says what went wrong, where, and what to do."""

from __future__ import annotations


class ProvenderError(Exception):
    """A mistake or fault that its reader can act on; shown without a traceback.

    Args:
        what: what went wrong, one sentence.
        where: the file, source or setting that it concerns.
        remedy: what to do about it.
    """

    def __init__(self, what: str, *, where: str, remedy: str) -> None:
        self.what, self.where, self.remedy = what, where, remedy
        super().__init__(f"{where}: {what} {remedy}")

"""How far a long step is, for the log of who waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable

EVERY_S = 10.0


def silent(done: int, total: int) -> None:
    """Tells nobody."""


class Progress:
    """Says every ten seconds how much is done, and nothing of what is done sooner."""

    def __init__(
        self,
        tell: Callable[[str], object],
        what: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            tell: where it is said.
            what: is counted, as `documents`.
            clock: in seconds.
        """
        self._tell, self._what, self._clock = tell, what, clock
        self._next = clock() + EVERY_S

    def __call__(self, done: int, total: int) -> None:
        if self._clock() >= self._next:
            self._tell(f"{done:,} of {total:,} {self._what}")
            self._next = self._clock() + EVERY_S

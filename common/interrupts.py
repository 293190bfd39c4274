"""Ctrl-C and the processes that we start: which of them is to hear it, and from when on."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held() -> Iterator[None]:
    """Keep SIGINT from this thread, and from the processes that it starts meanwhile.

    Here it is delivered at the end. A child inherits the mask, so that it waits there until the child
    calls `taken`: Python that is just starting dies of it with a traceback.
    """
    came: list[int] = []
    handler = signal.getsignal(signal.SIGINT)
    # The mask is this thread's; any other of the process may take the signal, and this one then handles it.
    ours = threading.current_thread() is threading.main_thread() and callable(handler)
    if ours:
        signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGINT, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if came:
            signal.raise_signal(signal.SIGINT)


def taken() -> None:
    """Take SIGINT from here on, one that has waited at once.

    Below what a script has started in the background it is ignored, where *Terminate* would do nothing.

    Raises:
        KeyboardInterrupt: one has waited.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def break_waits() -> None:
    """Let SIGINT end a wait for a lock: with the handler that Polars has set once it is loaded, it goes on.

    Source: https://github.com/pola-rs/polars/issues/21739.
    """
    signal.siginterrupt(signal.SIGINT, True)

import signal
import threading

import pytest

from common.interrupts import held, taken


def test_an_interrupt_waits_for_the_end_of_the_block() -> None:
    reached = []

    def interrupted() -> None:
        with held():
            with held():
                signal.raise_signal(signal.SIGINT)
            reached.append("the end of the inner block")

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert reached == ["the end of the inner block"]


def test_one_that_another_thread_takes_waits_too() -> None:
    """The system gives it to any thread that does not block it, and Python then to the main one."""
    go, reached = threading.Event(), []

    def take() -> None:
        go.wait()
        signal.raise_signal(signal.SIGINT)

    def interrupted() -> None:
        with held():
            go.set()
            taker.join()
            reached.append("the end of the block")

    taker = threading.Thread(target=take)
    taker.start()
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert reached == ["the end of the block"]


def test_one_that_has_waited_is_taken_even_where_it_was_ignored() -> None:
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            taken()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        taken()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

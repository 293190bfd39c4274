import signal

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


def test_one_that_has_waited_is_taken_even_where_it_was_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with held():
            signal.raise_signal(signal.SIGINT)
            with pytest.raises(KeyboardInterrupt):
                taken()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        taken()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)

"""What the result of a job means to whoever runs it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import dagster as dg
import pytest

from pipeline.running import failures, run


def fail(error: BaseException, cause: BaseException | None = None) -> Callable[[], None]:
    def work() -> None:
        raise error from cause

    return work


def outcome(work: Callable[[], None]) -> list[str]:
    @dg.asset
    def broken() -> None:
        work()

    defs = dg.Definitions([broken], jobs=[dg.define_asset_job("all", "*")])
    with dg.DagsterInstance.ephemeral() as instance:
        return failures(run(defs, "all", instance))


def test_ctrl_c_that_a_library_made_an_error_of_its_own_of_is_ctrl_c() -> None:
    with pytest.raises(KeyboardInterrupt):
        outcome(fail(ImportError("cannot load the library"), KeyboardInterrupt()))


def test_ctrl_c_that_met_a_finalizer_is_ctrl_c() -> None:
    class Finalized:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    def work() -> None:
        Finalized()
        time.sleep(10)

    with pytest.raises(KeyboardInterrupt):  # or the sleep is over, and nothing was raised
        outcome(work)


def test_other_fault_is_a_failure() -> None:
    assert outcome(fail(ImportError("no library"), OSError("no file"))) == [
        "broken: ImportError: no library (a fault of Provender's)"
    ]

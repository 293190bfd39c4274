"""`ingest` for many sources: a few processes, each with the code location loaded once, and a progress bar."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from common.interrupts import break_waits
from pipeline.running import changed, failures, quiet, run, value

_GRACE_S = 30.0
_reading = threading.Lock()
"""Held while this process reads a source."""


@dataclass(frozen=True)
class Outcome:
    """What became of one source. `failure` is null where all went well."""

    name: str
    failure: str | None
    changed: int
    told: str


def default_jobs() -> int:
    """Processes that pay: fetching waits for the network, reading for a core."""
    return max(2, os.cpu_count() or 2)


def ingest_all(names: Sequence[str], jobs: int, told: Callable[[Outcome], None]) -> list[Outcome]:
    """Run `ingest` for each of `names`, at most `jobs` at once; `told` hears of each when it is done.

    One source's failure never stops the others. A single one is read in this process: another would take
    longer to start than to do it.
    """
    if len(names) == 1:
        quiet()
        [name] = names
        try:
            outcome = _ingest(name)
        except Exception as error:  # noqa: BLE001  # told like that of a process of its own
            outcome = Outcome(name, str(error), 0, "")
        told(outcome)
        return [outcome]
    break_waits()
    context = multiprocessing.get_context("spawn")
    outcomes: dict[str, Outcome] = {}
    workers = max(1, min(jobs, len(names)))
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare) as pool:
        try:
            waiting: dict[Future[Outcome], str] = {
                pool.submit(_ingest, each): each for each in names
            }
            for done in as_completed(waiting):
                error = done.exception()
                name = waiting[done]
                outcome = Outcome(name, str(error), 0, "") if error else done.result()
                outcomes[name] = outcome
                told(outcome)
        except BaseException:
            for child in multiprocessing.active_children():
                child.terminate()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return [outcomes[name] for name in names]


def _prepare() -> None:
    quiet()
    # Ctrl-C reaches every process of a terminal: the first one decides, and ends the others cleanly.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process where the first one was killed: it would wait for more to read, for good."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    if _reading.locked():  # the source that is read ends as by Ctrl-C, and its git with it
        os.kill(os.getpid(), signal.SIGTERM)
        _reading.acquire(timeout=_GRACE_S)
    os._exit(1)


def _ingest(name: str) -> Outcome:
    import dagster as dg

    from pipeline.definitions import defs

    with _reading, dg.DagsterInstance.get() as instance:
        result = run(defs, "ingest", instance, partition=name)
    found = failures(result)
    return Outcome(name, found[0] if found else None, changed(result), _told(result))


def _told(result: Any) -> str:
    if not changed(result):
        return "unchanged"
    from assets.pairs import TYPES

    made = result.get_asset_materialization_events()
    rows = {
        event.asset_key.to_user_string(): value(
            event.step_materialization_data.materialization, "dagster/row_count"
        )
        for event in made
    }
    pairs = sum(rows.get(f"{kind}_pairs", 0) for kind in TYPES)
    return f"{rows.get('files', 0)} files, {rows.get('units', 0)} definitions, {pairs} pairs"

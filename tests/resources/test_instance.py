"""What docker/dagster.yaml names, as far as it needs no server; the rest is in tests/integration."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import dagster as dg
import psycopg2
import pytest
import sqlalchemy as db
from dagster._core.launcher.base import WorkerStatus
from dagster._core.storage.dagster_run import DagsterRun
from sqlalchemy.exc import OperationalError

from resources import instance

DOWN = psycopg2.OperationalError("connection refused")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., db.Engine]:
    """An engine as the storage makes it, whose driver gives or raises one of `answers` at a time."""
    monkeypatch.setattr(instance, "_POLL_S", 0.0)

    def make(*answers: Any) -> db.Engine:
        waiting = list(answers)

        def connect(*_: Any, **keywords: Any) -> Any:
            assert "plugin" not in keywords
            answer = waiting.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        made = db.create_engine("postgresql+psycopg2://me:secret@127.0.0.1/x?plugin=patient")
        monkeypatch.setattr(made.dialect, "connect", connect)
        return made

    return make


def connect(engine: db.Engine) -> Any:
    """What the engine's driver gives, before SQLAlchemy asks it anything."""
    found = [None]
    for connecting in engine.dialect.dispatch.do_connect:
        found = [connecting(engine.dialect, None, [], {})]
    return found[0]


def test_a_database_that_is_down_is_waited_for(
    engine: Callable[..., db.Engine], caplog: pytest.LogCaptureFixture
) -> None:
    connection = object()
    with caplog.at_level(logging.WARNING):
        assert connect(engine(DOWN, DOWN, connection)) is connection
    assert [each.getMessage() for each in caplog.records] == [
        "waiting for the database: connection refused"
    ]


def test_waiting_ends(engine: Callable[..., db.Engine], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instance, "_DATABASE_PATIENCE_S", -1)
    with pytest.raises(psycopg2.OperationalError, match="refused"):
        connect(engine(DOWN, object()))


def test_a_wrong_password_is_told_at_once(engine: Callable[..., db.Engine]) -> None:
    wrong = psycopg2.OperationalError('password authentication failed for user "me"')
    with pytest.raises(psycopg2.OperationalError, match="authentication failed"):
        connect(engine(wrong, object()))


def test_connections_are_tried_before_they_are_used_and_other_engines_are_left_alone(
    engine: Callable[..., db.Engine],
) -> None:
    assert engine().pool._pre_ping is True
    assert not list(db.create_engine("sqlite://").dialect.dispatch.do_connect)


class Storage:
    """One whose statements fail with `faults`, one at a time, before they do as asked."""

    def __init__(self, *faults: Exception) -> None:
        self._faults = list(faults)

    def store(self, event: str) -> str:
        return self._execute(event)

    def store_all(self, *, events: list[str]) -> list[str]:
        return [self.store(each) for each in events]

    def _execute(self, event: str) -> str:
        if self._faults:
            raise self._faults.pop(0)
        return event


def cut_off(*, lost: bool = True) -> OperationalError:
    return OperationalError("INSERT", {}, DOWN, connection_invalidated=lost)


def test_a_statement_that_was_cut_off_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    storage = Storage(cut_off())
    instance.ask_again(storage)
    with caplog.at_level(logging.WARNING):
        assert storage.store_all(events=["started", "ended"]) == ["started", "ended"]
    assert [each.getMessage() for each in caplog.records] == [
        "the database cut `store` off: connection refused"
    ]


@pytest.mark.parametrize(
    "faults", [[cut_off(lost=False)], [ValueError("no event")], [cut_off(), cut_off()]]
)
def test_what_asking_again_does_not_mend_is_raised(faults: list[Exception]) -> None:
    storage = Storage(*faults)
    instance.ask_again(storage)
    with pytest.raises(type(faults[0])) as raised:
        storage.store("started")
    assert raised.value is faults[-1]


class Server:
    """A code location's server as the launcher asks it."""

    def __init__(self, answer: bool | Exception) -> None:
        self._answer = answer

    def can_cancel_execution(self, request: Any, timeout: int) -> str:
        from dagster._grpc.types import CanCancelExecutionResult
        from dagster._serdes import serialize_value

        if isinstance(self._answer, Exception):
            raise self._answer
        return serialize_value(CanCancelExecutionResult(can_cancel=self._answer))


@pytest.mark.parametrize(
    ("server", "status"),
    [
        (Server(answer=True), WorkerStatus.RUNNING),
        (Server(answer=False), WorkerStatus.FAILED),
        (None, WorkerStatus.NOT_FOUND),
    ],
)
def test_a_runs_health_is_what_its_server_says(
    server: Server | None, status: WorkerStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = instance.WatchedRunLauncher()
    monkeypatch.setattr(launcher, "_get_grpc_client_for_termination", lambda run_id: server)
    assert launcher.supports_check_run_worker_health
    assert launcher.check_run_worker_health(run()).status is status


def test_a_server_that_does_not_answer_loses_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster._core.errors import DagsterUserCodeUnreachableError

    silent = Server(DagsterUserCodeUnreachableError("no"))
    launcher = instance.WatchedRunLauncher()
    monkeypatch.setattr(launcher, "_get_grpc_client_for_termination", lambda run_id: silent)
    assert launcher.check_run_worker_health(run()).status is WorkerStatus.RUNNING


def run() -> DagsterRun:
    return DagsterRun(job_name="ingest", run_id="0" * 8, status=dg.DagsterRunStatus.STARTED)

"""The Dagster instance of the stack, as docker/dagster.yaml names it: storage and run launcher.

Webserver and daemon load this module, too: it imports nothing but Dagster and SQLAlchemy.
"""

import functools
import inspect
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from dagster import DagsterRun, DefaultRunLauncher
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import ConfigurableClassData, deserialize_value
from dagster_postgres import DagsterPostgresStorage
from sqlalchemy import URL, Dialect, Engine, Pool, event
from sqlalchemy.dialects import plugins
from sqlalchemy.engine import CreateEnginePlugin
from sqlalchemy.exc import DBAPIError

_log = logging.getLogger(__name__)

_PLUGIN = "patient"
_DATABASE_PATIENCE_S = 60
_SERVER_PATIENCE_S = 10
_POLL_S = 0.5
_FINAL = ("authentication failed", "does not exist", "no pg_hba.conf entry")
"""What Postgres says where waiting does not help."""


class PatientPostgresStorage(DagsterPostgresStorage):
    """Dagster's Postgres storage, which waits for a database that is down, and repeats what was cut off.

    Dagster tries for six seconds. After that, the code location's server would lose the thread that looks
    after its runs, a run the events that it had to tell, and the webserver would answer with errors. A
    connection that breaks in a statement would fail the step that logs at that moment.
    """

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> DagsterPostgresStorage:
        database = config_value["postgres_db"]
        params = {**database["params"], "plugin": _PLUGIN}
        patient = {**config_value, "postgres_db": {**database, "params": params}}
        made = super().from_config_value(inst_data, patient)  # pyright: ignore[reportArgumentType]
        for storage in (made.run_storage, made.event_log_storage, made.schedule_storage):
            ask_again(storage)
        return made


def ask_again(storage: object) -> None:
    """Have each public method of `storage` called once more where it lost its connection in a statement.

    The second call gets a new connection, for which it waits. Where the first one's statement was executed
    and only the answer lost, an event is in the log twice.
    """
    for name, _ in inspect.getmembers(type(storage), inspect.isfunction):
        if not name.startswith("_"):
            setattr(storage, name, _twice(getattr(storage, name)))


def _twice(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def called(*arguments: Any, **keywords: Any) -> Any:
        try:
            return method(*arguments, **keywords)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            _log.warning("the database cut `%s` off: %s", method.__name__, error.orig)
            return method(*arguments, **keywords)

    return called


class _Patience(CreateEnginePlugin):
    """Makes an engine wait for its database, and find out where a connection has been cut."""

    def update_url(self, url: URL) -> URL:
        return url.difference_update_query(["plugin"])

    def handle_pool_kwargs(self, pool_cls: type[Pool], pool_args: dict[str, Any]) -> None:
        pool_args["pre_ping"] = True

    def engine_created(self, engine: Engine) -> None:
        event.listen(engine, "do_connect", _connect)


plugins.register(_PLUGIN, __name__, _Patience.__name__)


def _connect(dialect: Dialect, _record: Any, arguments: list[Any], keywords: dict[str, Any]) -> Any:
    """A connection, once there is a database.

    Raises:
        dialect.loaded_dbapi.OperationalError: it refuses, or is not there in time.
    """
    deadline = time.monotonic() + _DATABASE_PATIENCE_S
    told = False
    while True:
        try:
            return dialect.connect(*arguments, **keywords)
        except dialect.loaded_dbapi.OperationalError as error:
            if time.monotonic() > deadline or any(each in str(error) for each in _FINAL):
                raise
            if not told:
                _log.warning("waiting for the database: %s", error)
                told = True
        time.sleep(_POLL_S)


class WatchedRunLauncher(DefaultRunLauncher):
    """`DefaultRunLauncher`, whose runs Dagster's run monitoring can look after.

    The one of Dagster cannot be asked for a run: after its server was killed, the run would be shown as
    running for ever.
    """

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the server that `run` was launched on still has its process.

        A server that does not answer says nothing of its runs: it may be busy. When it is back, it knows
        the runs that it started and no others.
        """
        client = self._get_grpc_client_for_termination(run.run_id)
        if client is None:
            return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "it was launched on no server")
        asked = CanCancelExecutionRequest(run_id=run.run_id)
        try:
            answer = client.can_cancel_execution(asked, timeout=_SERVER_PATIENCE_S)
        except DagsterUserCodeUnreachableError:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "its server does not answer")
        if deserialize_value(answer, CanCancelExecutionResult).can_cancel:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, "its server no longer has its process")

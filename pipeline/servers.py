"""`provender ui`: Dagster's webserver and daemon and MLflow's UI as children of one command."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.errors import ProvenderError
from resources.project import ROOT

HOST = "127.0.0.1"
_PATIENCE_S = 120
_POLL_S = 0.3
_GRACE_S = 15


@dataclass(frozen=True)
class Server:
    """A child process; `port` null where it serves none."""

    name: str
    command: Sequence[str]
    port: int | None

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}"


def servers(dagster_port: int, mlflow_port: int, tracking_uri: str) -> list[Server]:
    """The three processes of the local UI."""
    workspace = str(ROOT / "workspace.yaml")
    python = (sys.executable, "-m")
    return [
        Server(
            "Dagster",
            [*python, "dagster_webserver", "-w", workspace, "-h", HOST, "-p", str(dagster_port)],
            dagster_port,
        ),
        Server("Dagster daemon", [*python, "dagster._daemon", "run", "-w", workspace], None),
        Server(
            "MLflow",
            [
                *(*python, "mlflow", "ui", "--backend-store-uri", tracking_uri),
                *("--host", HOST, "--port", str(mlflow_port), "--workers", "1"),
            ],
            mlflow_port,
        ),
    ]


def serve(children: Sequence[Server], logs: Path) -> None:
    """Start `children`, print their addresses once they answer, and stop all when one ends or on Ctrl-C.

    Raises:
        ProvenderError: a port is taken, or a child ends by itself.
    """
    for each in children:
        if each.port is not None and _answers(each.port):
            raise ProvenderError(
                f"Port {each.port} is in use.",
                where=each.name,
                remedy="Stop what uses it, or choose another with --port / --mlflow-port.",
            )
    logs.mkdir(parents=True, exist_ok=True)
    running: list[tuple[Server, subprocess.Popen]] = []
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for each in children:
            log = (logs / f"{each.name.lower().replace(' ', '-')}.log").open("wb")
            with log:
                # A session of its own: MLflow and Dagster start children, which must end with them.
                process = subprocess.Popen(  # noqa: S603  # our own command lines
                    each.command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
                )
            running.append((each, process))
        _await(running, logs)
        for each in children:
            if each.port is not None:
                print(f"{each.name}: {each.address}", flush=True)
        print("Ctrl-C stops them all.", flush=True)
        while True:
            _all_alive(running, logs)
            time.sleep(_POLL_S)
    except KeyboardInterrupt:
        print("stopped")
    finally:
        _stop([process for _, process in running])


def _await(running: Sequence[tuple[Server, subprocess.Popen]], logs: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    ports = [server.port for server, _ in running if server.port is not None]
    while not all(map(_answers, ports)):
        _all_alive(running, logs)
        if time.monotonic() > deadline:
            raise ProvenderError(
                f"The servers did not answer within {_PATIENCE_S} s.",
                where=str(logs),
                remedy="Read the logs there.",
            )
        time.sleep(_POLL_S)


def _all_alive(running: Sequence[tuple[Server, subprocess.Popen]], logs: Path) -> None:
    for server, process in running:
        if process.poll() is not None:
            raise ProvenderError(
                f"{server.name} ended with code {process.returncode}.",
                where=str(logs),
                remedy="Read its log there.",
            )


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def _stop(processes: Sequence[subprocess.Popen]) -> None:
    """End each process with its children: asked first, then not."""
    for process in processes:
        _signal(process, signal.SIGTERM)
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_GRACE_S)
    for process in processes:
        _signal(process, signal.SIGKILL)
        process.wait()


def _signal(process: subprocess.Popen, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)

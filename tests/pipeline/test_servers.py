"""`provender ui`: real child processes on real ports."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

import pytest

from common.errors import ProvenderError
from pipeline.servers import HOST, Server, serve, servers


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def test_a_taken_port_is_named_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ProvenderError, match=f"Port {port} is in use"):
            serve([Server("Dagster", ["false"], port)], tmp_path / "logs")
    assert not (tmp_path / "logs").exists()


def test_a_child_that_ends_stops_the_others_and_says_where_its_log_is(tmp_path: Path) -> None:
    lasting = Server("lasting", [sys.executable, "-c", "import time; time.sleep(60)"], None)
    ending = Server("ending", [sys.executable, "-c", "print('why'); raise SystemExit(3)"], None)
    with pytest.raises(ProvenderError, match="ending ended with code 3"):
        serve([lasting, ending], tmp_path)
    assert (tmp_path / "ending.log").read_text(encoding="utf-8") == "why\n"


def test_addresses_are_printed_once_the_servers_answer(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    command = (
        "import http.server as h, os, threading\n"
        f"server = h.HTTPServer(('{HOST}', {port}), h.BaseHTTPRequestHandler)\n"
        "threading.Timer(2, os._exit, [4]).start()\n"
        "server.serve_forever()"
    )
    with pytest.raises(ProvenderError, match="web ended with code 4"):
        serve([Server("web", [sys.executable, "-c", command], port)], tmp_path)
    assert f"web: http://{HOST}:{port}" in capfd.readouterr().out


def test_the_ui_is_dagster_with_its_daemon_and_mlflow() -> None:
    found = servers(3000, 5000, "sqlite:///mlflow.db")
    assert [each.name for each in found] == ["Dagster", "Dagster daemon", "MLflow"]
    assert [each.port for each in found] == [3000, None, 5000]


def test_grandchildren_end_too(tmp_path: Path) -> None:
    port = free_port()
    grandchild = (
        "import http.server as h\n"
        f"h.HTTPServer(('{HOST}', {port}), h.BaseHTTPRequestHandler).serve_forever()"
    )
    child = (
        "import subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-c', {grandchild!r}])\n"
        "time.sleep(60)"
    )
    ending = Server("ending", [sys.executable, "-c", "import time; time.sleep(6)"], None)
    with pytest.raises(ProvenderError, match="ending ended with code 0"):
        serve([Server("web", [sys.executable, "-c", child], port), ending], tmp_path)
    for _ in range(100):  # a killed process closes its port in its own time
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) != 0:
                return
        time.sleep(0.1)
    pytest.fail("the grandchild still answers")

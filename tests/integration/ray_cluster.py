"""A Ray cluster on loopback: each node a raylet with an address, ports and a folder of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.integration.compose import answers, free_port, until

_MARK = "PROVENDER_TESTS_NODE"
_HEAD, _OTHER = "127.0.0.1", "127.0.0.2"
_STORE_BYTES = 80 << 20
"""The least that Ray takes."""


class Node:
    """One machine, as far as Ray knows: with one CPU, and all processes that were started on it."""

    def __init__(self, host: str, environment: Mapping[str, str], *arguments: str) -> None:
        # Below /tmp, not pytest's folder: a socket's path has 107 bytes at most.
        self.folder = Path(tempfile.mkdtemp(prefix="ray-"))
        self._mark = f"{_MARK}={uuid.uuid4().hex}"
        own = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_enable_metrics_collection": "0"}
        name, _, value = self._mark.partition("=")
        ports = ("dashboard-agent-listen", "dashboard-agent-grpc", "runtime-env-agent")
        command = [
            *(sys.executable, "-m", "ray.scripts.scripts", "start", "--block"),
            *(f"--node-ip-address={host}", f"--temp-dir={self.folder}", "--num-cpus=1"),
            *(f"--{each}-port={free_port()}" for each in (*ports, "metrics-export")),
            *(f"--object-store-memory={_STORE_BYTES}", *arguments),
        ]
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                command,
                env={**environment, **own, name: value},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def kill(self) -> None:
        """End it as a power cut does: every process, and none is asked."""
        while running := self._processes():
            for each in running:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.1)

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.folder)

    def _processes(self) -> list[int]:
        """What has this node's mark in its environment, wherever it was adopted."""
        found = []
        for each in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has just ended
                if self._mark.encode() in (each / "environ").read_bytes().split(b"\0"):
                    found.append(int(each.name))
        return found


class Cluster:
    """A head and another node; each has the environment that `of_node` gives for its number."""

    def __init__(self, *environments: Mapping[str, str]) -> None:
        self._gcs, dashboard = free_port(), free_port()
        self.address = f"http://{_HEAD}:{dashboard}"
        head = ("--head", f"--port={self._gcs}", f"--dashboard-port={dashboard}")
        self._environments = environments
        self.nodes = [Node(_HEAD, environments[0], *head, "--dashboard-host=127.0.0.1")]
        until("the head answers", lambda: answers(self._gcs) and answers(dashboard), 60)

    def join(self) -> Node:
        """Start the other node."""
        other = Node(_OTHER, self._environments[1], f"--address={_HEAD}:{self._gcs}")
        self.nodes.append(other)
        return other

    def close(self) -> None:
        for each in reversed(self.nodes):
            each.close()

"""A Ray cluster on loopback: each node a raylet with an address and ports of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ray.util.state import list_nodes
from ray.util.state.exception import RayStateApiException

from tests.integration.compose import answers, free_port, until

_MARK = "PROVENDER_TESTS_NODE"
_HEAD, _OTHER = "127.0.0.2", "127.0.0.3"  # Ray takes 127.0.0.1 for the name of another interface
_RESOURCES = '--resources={"other": 1}'
_STORE_BYTES = 80 << 20
"""The least that Ray takes."""


class Node:
    """One machine, as far as Ray knows: with one CPU, and all processes that were started on it."""

    def __init__(
        self, host: str, folder: Path, environment: Mapping[str, str], *arguments: str
    ) -> None:
        self._log = folder / f"{host}.log"
        self._mark = f"{_MARK}={uuid.uuid4().hex}"
        own = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_enable_metrics_collection": "0"}
        name, _, value = self._mark.partition("=")
        ports = ("dashboard-agent-listen", "dashboard-agent-grpc", "runtime-env-agent")
        command = [
            *(sys.executable, "-m", "ray.scripts.scripts", "start", "--block"),
            *(f"--node-ip-address={host}", f"--temp-dir={folder}", "--num-cpus=1"),
            *(f"--{each}-port={free_port()}" for each in (*ports, "metrics-export")),
            *(f"--object-store-memory={_STORE_BYTES}", *arguments),
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                env={**environment, **own, name: value},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def check(self) -> None:
        """
        Raises:
            AssertionError: it has ended; with the end of its log.
        """
        log = self._log.read_text(encoding="utf-8", errors="replace")
        assert self._process.poll() is None, log[-3000:]

    def kill(self) -> None:
        """End it as a power cut does: every process, and none is asked."""
        # Ray's agents name themselves over their environment; they are in its group, runs are in their own.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        while running := self._processes():
            for each in running:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.1)
        self._process.wait()

    def _processes(self) -> list[int]:
        """What has this node's mark in its environment, wherever it was adopted."""
        found = []
        for each in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has just ended
                if self._mark.encode() in (each / "environ").read_bytes().split(b"\0"):
                    found.append(int(each.name))
        return found


class Cluster:
    """A head and another node, each with an environment of its own."""

    def __init__(self, of_head: Mapping[str, str], of_other: Mapping[str, str]) -> None:
        gcs, dashboard = free_port(), free_port()
        self.address = f"http://{_HEAD}:{dashboard}"
        self._gcs, self._of_other = f"{_HEAD}:{gcs}", of_other
        # Below /tmp, not pytest's folder: a socket's path has 107 bytes at most. One for both, as machines
        # have one path: a node looks for a job's log where the head has its own.
        self._folder = Path(tempfile.mkdtemp(prefix="ray-"))
        self.head = Node(
            *(
                _HEAD,
                self._folder,
                of_head,
                "--head",
                f"--port={gcs}",
                f"--ray-client-server-port={free_port()}",
            ),
            *(f"--dashboard-host={_HEAD}", f"--dashboard-port={dashboard}"),
        )
        self.other: Node | None = None
        try:
            self._await("the head answers", lambda: answers(gcs, _HEAD))
            self.make_whole()
        except BaseException:
            self.close()
            raise

    def make_whole(self) -> None:
        """Start the other node unless it runs, and wait until both are alive."""
        if self.other is None:
            self.other = Node(
                _OTHER, self._folder, self._of_other, f"--address={self._gcs}", _RESOURCES
            )
        self._await("both nodes are alive", lambda: self._alive() == {_HEAD, _OTHER})

    def kill_other(self) -> None:
        assert self.other
        self.other.kill()
        self.other = None

    def close(self) -> None:
        for each in self._nodes():
            each.kill()
        shutil.rmtree(self._folder)

    def _nodes(self) -> list[Node]:
        return [each for each in (self.other, self.head) if each]

    def _await(self, what: str, true: Callable[[], bool]) -> None:
        def looked() -> bool:
            for each in self._nodes():
                each.check()
            return true()

        until(what, looked)

    def _alive(self) -> set[str]:
        with contextlib.suppress(RayStateApiException, ConnectionError):
            nodes: list[Any] = list_nodes(self.address)
            return {each.node_ip for each in nodes if each.state == "ALIVE"}
        return set()

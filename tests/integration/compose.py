"""docker/compose.yaml on loopback, without Docker: its commands, environments, mounts and health checks.

A container's path is the same path below a folder, a service's address a free port on 127.0.0.1. Two
services have no image here: Postgres is Debian's, and moto's server stands for the S3 store.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
_CLOCK = Path(__file__).parent / "clock"
HOST = "127.0.0.1"
ANY = "0.0.0.0"  # what containers listen on, to be replaced

_VARIABLE = re.compile(r"\$\{(\w+)(?:(:-|:\?)([^}]*))?\}")
_PATIENCE_S = 120


def load(values: Mapping[str, str]) -> dict[str, Any]:
    """compose.yaml with `values` in the place of its variables.

    Raises:
        KeyError: a variable without a default has no value.
    """

    def value(match: re.Match[str]) -> str:
        name, kind, default = match.groups()
        if kind == ":-":
            return values.get(name) or default
        if not values[name]:
            raise KeyError(name)
        return values[name]

    def filled(found: Any) -> Any:
        if isinstance(found, dict):
            return {key: filled(each) for key, each in found.items()}
        if isinstance(found, list):
            return [filled(each) for each in found]
        return _VARIABLE.sub(value, found) if isinstance(found, str) else found

    return filled(yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8")))


def variables() -> set[str]:
    """The names that compose.yaml asks for."""
    text = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
    return {match[1] for match in _VARIABLE.finditer(text)}


def secrets() -> set[str]:
    """The names without which compose.yaml starts nothing."""
    text = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
    return {match[1] for match in _VARIABLE.finditer(text) if match[2] == ":?"}


def example() -> dict[str, str]:
    """The names and values of docker/.env.example."""
    lines = (DOCKER / ".env.example").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return dict(pairs)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def answers(port: int, host: str = HOST) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def until(what: str, true: Callable[[], Any], patience_s: float = _PATIENCE_S) -> Any:
    """What `true` gives once it is true.

    Raises:
        AssertionError: it is not within `patience_s`.
    """
    deadline = time.monotonic() + patience_s
    while not (found := true()):
        assert time.monotonic() < deadline, f"not within {patience_s:.0f} s: {what}"
        time.sleep(0.2)
    return found


def parent_of(process: int) -> int | None:
    """The process that started `process`; null where that has ended."""
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    return None


def _processes() -> list[tuple[int, list[str]]]:
    """Everything that runs on this machine, with its command line."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            command = (place / "cmdline").read_bytes().decode(errors="replace").split("\0")
            found.append((int(place.name), command))
    return found


class Stack:
    """The services of compose.yaml as processes, with everything that they write below `folder`."""

    def __init__(self, folder: Path, values: Mapping[str, str], bare: Mapping[str, str]) -> None:
        """
        Args:
            values: of docker/.env.
            bare: the environment of every service before its own.
        """
        self.folder = folder
        self._bare = bare
        self._services = load(values)["services"]
        self._ports = {"5432": 0, "8333": 0, "5000": 0, "4000": 0, "3000": 0}
        self._ports = {each: free_port() for each in self._ports}
        self._instead: dict[str, list[str]] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._mount()

    def port(self, inside: int) -> int:
        """The port on loopback of what listens on `inside` in its container."""
        return self._ports[str(inside)]

    def address(self, inside: int) -> str:
        return f"http://{HOST}:{self.port(inside)}"

    def path(self, inside: str) -> Path:
        """Where a path of a container is."""
        return self.folder / inside.lstrip("/")

    def environment(self, service: str) -> dict[str, str]:
        own = self._services[service]["environment"]
        here = {
            # A service's name may be a user's, too.
            name: HOST if name.endswith("_HOST") else self._here(str(value))
            for name, value in own.items()
        }
        return {**self._bare, **here}

    def replace(self, service: str, command: list[str]) -> None:
        """Have `command` stand for a service that has no image here."""
        self._instead[service] = command

    def start(self, service: str, behind_s: int = 0) -> None:
        """Start a service, with a clock that is `behind_s` seconds behind; see `await_healthy`."""
        command = self._instead.get(service) or [
            self._here(each) for each in self._services[service]["command"]
        ]
        environment = self.environment(service)
        if behind_s:
            path = os.pathsep.join([str(_CLOCK), environment["PYTHONPATH"]])
            environment |= {"PYTHONPATH": path, "BEHIND_S": str(behind_s)}
        log = self.log(service)
        log.parent.mkdir(exist_ok=True)
        with log.open("ab") as sink:
            self._running[service] = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )

    def run(self, service: str) -> str:
        """Run a service that ends by itself; what it printed."""
        command = [self._here(each) for each in self._services[service]["command"]]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment(service),
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout

    def await_healthy(self, service: str) -> None:
        """Wait until a service's own health check passes.

        Raises:
            AssertionError: it ended, or is not healthy in time; with the end of its log.
        """
        check = [self._here(each) for each in self._services[service]["healthcheck"]["test"][1:]]

        def healthy() -> bool:
            code = self._running[service].poll()
            assert code is None, f"{service} ended with {code}: {self.tail(service)}"
            done = subprocess.run(
                check, cwd=ROOT, env=self.environment(service), capture_output=True, check=False
            )
            return done.returncode == 0

        try:
            until(f"{service} is healthy", healthy)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.tail(service)}") from None

    def kill(self, service: str) -> None:
        """End a service as the end of its container does: at once, and all of its processes."""
        process = self._running.pop(service)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def restart(self, service: str, behind_s: int = 0) -> None:
        """Start a service that was killed, as compose's `restart` does, and wait until it is healthy."""
        self.start(service, behind_s)
        self.await_healthy(service)

    def runs(self) -> list[int]:
        """The processes of Dagster's runs, which are the code server's children."""
        server = self._running["location"].pid
        return [
            each
            for each, command in _processes()
            if any("spawn_main" in part for part in command) and parent_of(each) == server
        ]

    def trainings(self) -> list[int]:
        """The processes that train for the stack."""
        return [
            each
            for each, command in _processes()
            if "training.run" in command and any(str(self.folder) in part for part in command)
        ]

    def close(self) -> None:
        """End what runs, the last one first."""
        for service in reversed(list(self._running)):
            self.kill(service)
        until("all ports are free", lambda: not any(map(answers, self._ports.values())), 20)

    def log(self, service: str) -> Path:
        return self.folder / "logs" / f"{service}.log"

    def tail(self, service: str) -> str:
        return self.log(service).read_text(encoding="utf-8", errors="replace")[-3000:]

    def _mount(self) -> None:
        for service in self._services.values():
            for volume in service.get("volumes", ()):
                source, target = volume.split(":")[:2]
                place = self.path(target)
                if not source.startswith("."):
                    place.mkdir(parents=True, exist_ok=True)
                elif not place.exists():
                    place.parent.mkdir(parents=True, exist_ok=True)
                    given = (DOCKER / source).resolve()
                    (shutil.copytree if given.is_dir() else shutil.copy)(given, place)
        self.path("/tmp").mkdir()  # a container's

    def _here(self, text: str) -> str:
        """`text` of compose.yaml, as it is said on this machine."""
        if text == ANY:
            return HOST
        if text in self._ports:
            return str(self._ports[text])
        if text == "python":
            return sys.executable
        names = "|".join(map(re.escape, (*self._services, HOST)))
        text = re.sub(
            rf"\b({names}):(\d+)\b", lambda match: f"{HOST}:{self._ports[match[2]]}", text
        )
        mounted = r"(?<![\w/])/(?:lake|opt|app/config|var/lib/dagster|tmp)\b"
        return re.sub(mounted, lambda match: str(self.path(match[0])), text)

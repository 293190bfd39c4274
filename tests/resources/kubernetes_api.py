"""As much of Kubernetes' API as a Pipes pod needs, over HTTP; a pod is a process of this machine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[2]
_PODS = re.compile(
    r"/api/v1/namespaces/(?P<namespace>[^/]+)/pods(?:/(?P<name>[^/]+))?(?P<log>/log)?"
)


def _now() -> str:
    """The time as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Cluster:
    """The server; `asked` keeps the bodies of the pods that were made, `deleted` the names of those gone."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.deleted: list[str] = []
        self.namespaces: list[str] = []
        self.process: subprocess.Popen[bytes] | None = None
        cluster = self

        class Handler(_Handler):
            of = cluster

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def kubeconfig(self) -> dict[str, Any]:
        server = f"http://127.0.0.1:{self._server.server_address[1]}"
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "here", "cluster": {"server": server}}],
            "users": [{"name": "me", "user": {"token": "none"}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
            "current-context": "here",
        }

    def __enter__(self) -> Cluster:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        if self.process is not None:
            self.process.kill()
            self.process.communicate()

    def create(self, namespace: str, pod: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(pod)
        self.namespaces.append(namespace)
        container = pod["spec"]["containers"][0]
        program, *arguments = container["command"]
        assert program == "python"
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=os.environ | {each["name"]: each["value"] for each in container["env"]},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return self.pod()

    def pod(self) -> dict[str, Any]:
        """The one pod, with its container's state."""
        assert self.process is not None
        code = self.process.poll()
        now = _now()
        ended = {"exitCode": code, "startedAt": now, "finishedAt": now}
        state = {"running": {"startedAt": now}} if code is None else {"terminated": ended}
        pod = self.asked[-1]
        container = pod["spec"]["containers"][0]
        status = {
            "name": container["name"],
            "image": container["image"],
            "imageID": "",
            "restartCount": 0,
            "ready": code is None,
            "state": state,
        }
        return {**pod, "status": {"phase": "Running", "containerStatuses": [status]}}


class _Handler(BaseHTTPRequestHandler):
    of: Cluster

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(self.of.create(self._asked()["namespace"], body))

    def do_GET(self) -> None:
        asked = self._asked()
        if not asked["log"]:
            self._answer({"kind": "PodList", "apiVersion": "v1", "items": [self.of.pod()]})
            return
        self.send_response(200)
        self.end_headers()
        process = self.of.process
        assert process is not None
        assert process.stdout is not None
        for line in process.stdout:
            self.wfile.write(f"{_now()} ".encode() + line)
        process.wait()

    def do_DELETE(self) -> None:
        self.of.deleted.append(self._asked()["name"])
        self._answer({"kind": "Status", "apiVersion": "v1", "status": "Success"})

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def _asked(self) -> dict[str, Any]:
        found = _PODS.fullmatch(urlsplit(self.path).path)
        assert found, self.path
        return found.groupdict()

    def _answer(self, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

"""Servers on this machine that a test breaks at will: git's own protocol, git over HTTP, plain files."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import socketserver
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    """Answer in the background until the block ends."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class GitDaemon(socketserver.ThreadingTCPServer):
    """`git daemon` over the repositories in `root`.

    The first `cuts` connections are cut after `cut_after` bytes of the answer.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Relay)
        self.root = root
        self.cuts, self.cut_after = 0, 0
        self.connections = 0
        self.url = f"git://127.0.0.1:{self.server_address[1]}"


class _Relay(socketserver.BaseRequestHandler):
    server: GitDaemon  # type: ignore[assignment]

    def handle(self) -> None:
        daemon = self.server
        daemon.connections += 1
        left = daemon.cut_after if daemon.connections <= daemon.cuts else None
        with subprocess.Popen(
            ["git", "daemon", "--inetd", "--export-all", f"--base-path={daemon.root}"],
            stdin=self.request.fileno(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        ) as process:
            assert process.stdout is not None
            with contextlib.suppress(OSError):  # the client is gone
                while left != 0 and (data := process.stdout.read(min(left or 4096, 4096))):
                    self.request.sendall(data)
                    left = None if left is None else left - len(data)
            # For the daemon too, which has the socket as its standard input.
            with contextlib.suppress(OSError):
                self.request.shutdown(socket.SHUT_RDWR)


class Silent(socketserver.ThreadingTCPServer):
    """A remote that takes what it is asked and never answers.

    Attributes:
        asked, hung_up: a client is there, and it is gone.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Listens)
        self.asked, self.hung_up = threading.Event(), threading.Event()
        self.url = f"git://127.0.0.1:{self.server_address[1]}/origin"


class _Listens(socketserver.BaseRequestHandler):
    server: Silent  # type: ignore[assignment]

    def handle(self) -> None:
        self.server.asked.set()
        self.request.settimeout(60)  # where a client never goes, its test fails, and does not hang
        with contextlib.suppress(OSError):
            while self.request.recv(4096):
                pass
        self.server.hung_up.set()


class _Http(ThreadingHTTPServer):
    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.asked: Counter[str] = Counter()
        self.failures, self.failure = 0, 503
        self.host = f"127.0.0.1:{self.server_address[1]}"
        self.url = f"http://{self.host}"


class _Handler(BaseHTTPRequestHandler):
    def failed(self, server: _Http) -> bool:
        server.asked[self.path] += 1
        if not server.failures:
            return False
        server.failures -= 1
        self.answer(server.failure, b"no")
        return True

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


class Files(_Http):
    """Plain files. `pages` maps a path to status, content type and body.

    The first `failures` requests are answered by `failure`; of the next `truncated`, half is sent.
    """

    def __init__(self) -> None:
        super().__init__(_Page)
        self.pages: dict[str, tuple[int, str, bytes]] = {}
        self.truncated = 0


class _Page(_Handler):
    server: Files  # type: ignore[assignment]

    def do_GET(self) -> None:
        if self.failed(self.server):
            return
        status, kind, body = self.server.pages.get(self.path, (404, "text/plain", b"none"))
        if self.server.truncated:
            self.server.truncated -= 1
            length = str(len(body))
            self.answer(status, body[: len(body) // 2], Content_Type=kind, Content_Length=length)
            return
        self.answer(status, body, Content_Type=kind)


class GitHttp(_Http):
    """`git http-backend` over the repositories in `root`, for those who know `login`, if there is one."""

    def __init__(self, root: Path, login: str = "") -> None:
        super().__init__(_Cgi)
        self.root, self.login = root, login


class _Cgi(_Handler):
    server: GitHttp  # type: ignore[assignment]

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.failed(self.server):
            return
        login = self.server.login
        wanted = f"Basic {base64.b64encode(login.encode()).decode()}"
        if login and self.headers.get("Authorization") != wanted:
            self.answer(401, b"who?", WWW_Authenticate='Basic realm="private"')
            return
        path, _, query = self.path.partition("?")
        told = {
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            env={**os.environ, **told},
            check=True,
            capture_output=True,
        )
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        lines = dict(line.split(": ", 1) for line in head.decode().splitlines())
        status = int(lines.pop("Status", "200").split()[0])
        self.answer(status, answer, **{name.replace("-", "_"): lines[name] for name in lines})

    do_POST = do_GET  # noqa: N815  # as http.server calls it

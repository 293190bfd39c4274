"""A real S3 server (moto's, a process of its own) and a proxy before it that makes what networks make."""

from __future__ import annotations

import http.client
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Literal
from urllib.parse import urlsplit

import boto3

Kind = Literal["unavailable", "slow", "reset", "short", "changed"]
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "a",
    "AWS_SECRET_ACCESS_KEY": "b",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
SLOW = 1.0
"""Seconds that a slow answer takes more."""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def s3_server() -> Iterator[str]:
    """The address of a server without buckets."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def _wait(port: int) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        with socket.socket() as asked:
            if asked.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError("moto's server did not start")


def make_bucket(endpoint: str, name: str) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )
    client.create_bucket(Bucket=name)


@dataclass
class Fault:
    """What befalls the next `times` requests of a `method` to a path that ends in `path`."""

    kind: Kind
    method: str
    path: str = ""
    times: int = 1


@dataclass
class Proxy:
    """Hands all on to `upstream`, but for its `faults`; `asked` is every request's method and path."""

    upstream: str
    faults: list[Fault] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)
    url: str = ""

    def met(self, method: str, path: str) -> Kind | None:
        with self._lock:
            self.asked.append((method, path))
            for fault in self.faults:
                if fault.times and fault.method == method and path.endswith(fault.path):
                    fault.times -= 1
                    return fault.kind
        return None

    @contextmanager
    def running(self) -> Iterator[Proxy]:
        proxy = self

        class Handler(_Handler):
            owner = proxy

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: Proxy

    def _handle(self) -> None:
        kind = self.owner.met(self.command, self.path.partition("?")[0])
        length = int(self.headers.get("Content-Length", 0))
        if kind == "reset" and self.command in ("PUT", "POST"):
            self.rfile.read(length // 2)
            return self._reset()
        body = self.rfile.read(length)
        if kind == "unavailable":
            return self._answer(503, [], b"<Error><Code>SlowDown</Code></Error>")
        if kind == "slow":
            time.sleep(SLOW)
        status, headers, found = self._forwarded(body)
        if kind == "reset":
            self._head(status, headers, len(found))
            self.wfile.write(found[: len(found) // 2])
            self.wfile.flush()
            return self._reset()
        if kind == "short":
            found = found[:-1]
        if kind == "changed":
            found = found[:-1] + bytes([found[-1] ^ 1])
        return self._answer(status, headers, found)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _handle  # noqa: N815

    def _forwarded(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        parts = urlsplit(self.owner.upstream)
        upstream = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        try:
            kept = {k: v for k, v in self.headers.items() if k.lower() != "expect"}
            upstream.request(self.command, self.path, body or None, kept)
            answer = upstream.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            upstream.close()

    def _head(self, status: int, headers: list[tuple[str, str]], length: int) -> None:
        self.send_response_only(status)
        given = {name.lower(): value for name, value in headers}
        for name, value in headers:
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        head = self.command == "HEAD"
        self.send_header(
            "Content-Length", given.get("content-length", "0") if head else str(length)
        )
        self.end_headers()

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self._head(status, headers, len(body))
        if self.command != "HEAD":
            self.wfile.write(body)

    def _reset(self) -> None:
        """Close as a peer that died does: with RST."""
        self.wfile.flush()
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

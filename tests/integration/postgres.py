"""A Postgres of its own, from Debian's package: a folder, a port, and docker/initdb.sh."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from tests.integration.compose import HOST, Stack

_USER = "postgres"
_MISSING = (
    "PostgreSQL's server is not installed. `make test-integration` installs it where apt-get may; "
    "elsewhere install it (Debian: postgresql) or put its programs on PATH."
)


def program(name: str) -> str:
    """The path of one of Postgres's programs.

    Raises:
        AssertionError: it is not installed.
    """
    found = shutil.which(name)
    if found is None:
        versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
        found = str(versions[-1]) if versions else None
    assert found, _MISSING
    return found


def _as_owner() -> list[str]:
    """Before a command line: Postgres refuses to run as root."""
    return ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups"] if _root() else []


def _root() -> bool:
    return os.getuid() == 0


def make(stack: Stack) -> list[str]:
    """Make the databases as the image does, and give the command line that serves them."""
    data = stack.path("/var/lib/postgresql/data")
    if _root():
        owner = pwd.getpwnam(_USER)
        for place in (data, stack.path("/var/lib/postgresql")):
            os.chown(place, owner.pw_uid, owner.pw_gid)
    _run([program("initdb"), "-D", str(data), "-U", _USER, "-A", "trust", "--no-sync"], stack)
    options = [f"-p {stack.port(5432)}", f"-k {data}", "-c fsync=off"]
    control = [program("pg_ctl"), "-D", str(data), "-w", "-o"]
    # As the image does it: only on the socket, until there is something to serve.
    _run(
        [*control, " ".join([*options, "-c listen_addresses=''"]), "-l", os.devnull, "start"], stack
    )
    script = stack.path("/docker-entrypoint-initdb.d/initdb.sh")
    tools = str(Path(program("psql")).parent)
    environment = {
        **stack.environment("postgres"),
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PGHOST": str(data),
        "PGPORT": str(stack.port(5432)),
    }
    subprocess.run(["sh", str(script)], env=environment, check=True, timeout=60)
    _run([program("pg_ctl"), "-D", str(data), "-w", "-m", "fast", "stop"], stack)
    # As in the image, what comes over TCP needs a password.
    (data / "pg_hba.conf").write_text(
        f"local all all trust\nhost all all {HOST}/32 scram-sha-256\n", encoding="utf-8"
    )
    served = [program("postgres"), "-D", str(data), "-p", str(stack.port(5432)), "-k", str(data)]
    return [*_as_owner(), *served, "-c", f"listen_addresses={HOST}", "-c", "fsync=off"]


def _run(command: list[str], stack: Stack) -> None:
    subprocess.run(
        [*_as_owner(), *command],
        cwd=stack.path("/var/lib/postgresql"),
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=60,
    )

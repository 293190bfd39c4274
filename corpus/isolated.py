"""Parsing in a process of its own, which a hostile file may bring down: it costs that file alone.

tree-sitter's recovery from errors can take minutes and gigabytes within one step, where nothing in the
process can stop it. What to find in a file, the language modules know; here it is bounded.
"""

from __future__ import annotations

import atexit
import gc
import marshal
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import IO, Any, TypeVar

from common.interrupts import held
from corpus.languages.base import Contract, Definition, Extraction

LIMIT = "parse_limit"
"""The fault of a file that the parser does not get through within the bounds below, or crashes over."""

CPU_SECONDS = 4.0
"""What one file may take: 1 MiB of real code, the most that is read, takes 0.6 s at most (TLA+)."""

MEMORY_BYTES = 1 << 30
"""What the process may take; 1 MiB of real code adds 52 MB at most."""

_BATCH_FILES, _BATCH_BYTES = 64, 1 << 20
_LENGTH = struct.Struct("<Q")
_OUT_OF_MEMORY = 75
# What a file does; SIGTERM and SIGKILL come from elsewhere.
_BROUGHT_DOWN = {
    _OUT_OF_MEMORY,
    *(-each for each in (signal.SIGPROF, signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS)),
}


Tag = TypeVar("Tag")


def extractions(files: Iterable[tuple[Tag, str, bytes]]) -> Iterator[tuple[Tag, Extraction]]:
    """The definitions of each file in order; it is given as a tag, its language and its bytes.

    A file beyond `CPU_SECONDS` or `MEMORY_BYTES` gives none, and the fault `parse_limit`.

    Raises:
        RuntimeError: the process ended otherwise; a traceback is on standard error.
    """
    for batch in _batches(files):
        done = 0
        try:
            while done < len(batch):
                rest = batch[done:]
                for (tag, *_), extraction in zip(rest, _worker().extractions(rest), strict=False):
                    done += 1
                    yield tag, extraction
                if done < len(batch):
                    stop()
                    done += 1
                    yield batch[done - 1][0], Extraction([], LIMIT)
        finally:
            if done < len(batch):
                stop()  # its answers would be taken for those of the next files


def _batches(files: Iterable[tuple[Tag, str, bytes]]) -> Iterator[list[tuple[Tag, str, bytes]]]:
    batch: list[tuple[Tag, str, bytes]] = []
    size = 0
    for file in files:
        batch.append(file)
        size += len(file[2])
        if len(batch) >= _BATCH_FILES or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


@cache
def _worker() -> _Worker:
    """The process of this one, started once."""
    return _Worker()


def is_running() -> bool:
    """Whether there is a process that waits for files."""
    return _worker.cache_info().currsize > 0


def stop() -> None:
    """End the process; the next files start another."""
    if is_running():
        _worker().close()
        _worker.cache_clear()


atexit.register(stop)


class _Worker:
    """A process that reads batches of files and writes what each one holds."""

    def __init__(self) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[1]),
            # Threads of numpy's reserve more memory than the parser may take.
            "OPENBLAS_NUM_THREADS": "1",
        }
        command = [sys.executable, "-m", "corpus.isolated"]
        pipe = subprocess.PIPE
        with held():  # for good: Ctrl-C is for us, and it ends with its input
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment)  # noqa: S603

    def extractions(self, batch: list[tuple[Any, str, bytes]]) -> Iterator[Extraction]:
        """What the files hold, up to the one that ends the process."""
        source, sink = self._process.stdin, self._process.stdout
        assert source is not None
        assert sink is not None
        try:
            _send(source, [file[1:] for file in batch])
        except BrokenPipeError:  # no file was parsed yet: none is to blame
            raise self._failed() from None
        for _ in batch:
            answer = _receive(sink)
            if answer is None:
                if self._process.wait() not in _BROUGHT_DOWN:
                    raise self._failed()
                return
            yield _unpacked(answer)

    def _failed(self) -> RuntimeError:
        code = self._process.wait()
        return RuntimeError(f"the process that parses files ended with exit code {code}")

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()


def _send(pipe: IO[bytes], value: Any) -> None:
    data = marshal.dumps(value)
    pipe.write(_LENGTH.pack(len(data)) + data)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> Any:
    """The next value in `pipe`; null at its end, which may come in the middle of one."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    data = pipe.read(length)
    return marshal.loads(data) if len(data) == length else None  # noqa: S302 - our own process wrote it


_FIELDS = tuple(field.name for field in fields(Definition))
_CONTRACTS = _FIELDS.index("contracts")


def _packed(extraction: Extraction) -> tuple:
    rows = []
    for each in extraction.definitions:
        row = [getattr(each, name) for name in _FIELDS]
        row[_CONTRACTS] = [(contract.kind, contract.text) for contract in each.contracts]
        rows.append(row)
    return extraction.fault, rows


def _unpacked(answer: tuple) -> Extraction:
    fault, rows = answer
    for row in rows:
        row[_CONTRACTS] = [Contract(*each) for each in row[_CONTRACTS]]
    return Extraction([Definition(*row) for row in rows], fault)


def _serve() -> None:
    """Answer batches until there are no more; what takes too much ends the process."""
    import resource

    from corpus.reading import definitions

    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not get between the answers
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    gc.freeze()
    gc.disable()  # a batch makes many objects and hardly a cycle
    try:
        while batch := _receive(source):
            for language, content in batch:
                signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
                found = definitions(language, content)
                signal.setitimer(signal.ITIMER_PROF, 0)
                _send(sink, _packed(found))
            gc.collect()
    except MemoryError:
        os._exit(_OUT_OF_MEMORY)
    except BrokenPipeError:
        os._exit(0)  # whoever asked is gone


if __name__ == "__main__":
    _serve()

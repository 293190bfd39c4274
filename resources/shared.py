"""A lake on S3: one copy that all machines share, and this machine's working copy of what it has asked for.

What is read is fetched first, where it is not of today; what is written is published, whole or not at all.
A table is one object at its own place, which any tool can read. A folder (a model, the blobs of a source) is
an object a file and a manifest that is put last and names them: readers see the folder before or the folder
after, and never need a listing to be up to date.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from common.atomic import replacing, replacing_folder, write_json
from common.errors import ProvenderError
from common.hashing import digest_file
from resources.objects import Key, MovedError, Objects, Seen

FILES = "_files.json"
"""The manifest of a folder, below its place: name -> sha256, size, and the object that holds it."""
_THREADS = 8
_TURNS = 5
"""How often what others replace meanwhile is asked for, or a folder's manifest put."""


class Shared:
    """`objects` with their working copy in `copy`."""

    def __init__(self, objects: Objects, copy: Path) -> None:
        self.objects, self.copy = objects, copy

    def fetch(self, key: Key) -> Path:
        """The file at `key` of the working copy, as it is on S3 now; absent if it is so there.

        Raises:
            ProvenderError: it cannot be fetched.
        """
        place, note = self.copy.joinpath(*key), self._note(key)
        for _ in range(_TURNS):
            seen, known, mine = self.objects.seen(key), _read(note), _state(place)
            if seen is None:
                if known and known["state"] == mine:
                    place.unlink(missing_ok=True)
                note.unlink(missing_ok=True)
                return place
            if mine and known == {"identity": seen.identity, "state": mine}:
                return place
            try:
                with replacing(place) as temporary:
                    self.objects.download(key, temporary, seen)
                    os.utime(temporary, (seen.modified, seen.modified))
                    state = _state(temporary)
            except MovedError:
                continue
            write_json({"identity": seen.identity, "state": state}, note)
            return place
        raise self._busy(key)

    def fetch_all(self, keys: Iterable[Key]) -> None:
        """`fetch`, several at once."""
        _at_once(self.fetch, keys)

    @contextmanager
    def replacing(self, key: Key) -> Iterator[tuple[Path, dict[str, str]]]:
        """Yield a temporary file, and what is to be noted of it; on success it is the object at `key`.

        The working copy has it after S3 has it: on any error both have what they had before.
        """
        notes: dict[str, str] = {}
        with replacing(self.copy.joinpath(*key)) as temporary:
            yield temporary, notes
            identity = self.objects.put(key, temporary, notes)
            state = _state(temporary)
        # Last: who is killed before this fetches it again.
        write_json({"identity": identity, "state": state}, self._note(key))

    def publish(self, key: Key) -> None:
        """Make the file at `key` of the working copy the shared one, unless it is."""
        place, known = self.copy.joinpath(*key), _read(self._note(key))
        state = _state(place)
        if known is None or known["state"] != state:
            identity = self.objects.put(key, place)
            write_json({"identity": identity, "state": state}, self._note(key))

    def remove(self, key: Key) -> None:
        """Forget the file at `key`, here and on S3; nothing where there is none."""
        self.objects.remove(key)
        self.copy.joinpath(*key).unlink(missing_ok=True)
        self._note(key).unlink(missing_ok=True)

    def fetch_folder(self, key: Key) -> Path:
        """As `fetch`, for a folder.

        What was written here and not published is kept, unless the shared one has moved meanwhile:
        a model took hours.
        """
        place, note = self.copy.joinpath(*key), self._note(key)
        with _locked(note):
            for _ in range(_TURNS):
                (files, _), known, mine = self._manifest(key), _read(note), _states(place)
                if files is None:
                    if known and known["states"] == mine:
                        shutil.rmtree(place, ignore_errors=True)
                    note.unlink(missing_ok=True)
                    return place
                if mine and known and known["files"] == files:
                    return place
                try:
                    with replacing_folder(place) as folder:
                        self._fill(folder, key, files, _unchanged(place, known, mine))
                        states = _states(folder)
                except MovedError:
                    continue
                write_json({"files": files, "states": states}, note)
                return place
        raise self._busy(key)

    def publish_folder(self, key: Key) -> None:
        """Make the folder at `key` of the working copy the shared one: its files, then their manifest."""
        place, note = self.copy.joinpath(*key), self._note(key)
        with _locked(note):
            known, mine = _read(note), _states(place)
            if known and known["states"] == mine:
                return
            mark, put = uuid.uuid4().hex[:12], dict[str, dict[str, Any]]()
            for _ in range(_TURNS):
                there, etag = self._manifest(key)
                files = self._put_files(key, mark, there or {}, put)
                if self.objects.put_text((*key, FILES), _json(files), etag):
                    self._sweep(key, [*(there or {}).values(), *put.values()], files)
                    write_json({"files": files, "states": mine}, note)
                    return
        raise self._busy(key)

    def folders(self, *prefix: str) -> list[Key]:
        """The keys of the folders right below `prefix`."""
        listed = self.objects.list(prefix)
        return sorted(key[:-1] for key in listed if key[len(prefix) + 1 :] == (FILES,))

    def _manifest(self, key: Key) -> tuple[dict[str, Any] | None, str]:
        """The files of the folder at `key`, null where it was never published; and the manifest's ETag."""
        text, etag = self.objects.text((*key, FILES))
        if text is None:
            return None, ""
        files = json.loads(text)
        if any(Path(name).is_absolute() or ".." in Path(name).parts for name in files):
            raise ProvenderError(
                "This manifest names files outside of its folder.",
                where=self.objects.uri((*key, FILES)),
                remedy="Somebody else wrote it: delete it and materialize the asset again.",
            )
        return files, etag

    def _fill(
        self, folder: Path, key: Key, files: Mapping[str, Any], held: Mapping[str, Path]
    ) -> None:
        """Put `files` of the folder at `key` into `folder`, those that are `held` here without S3."""

        def one(name: str) -> None:
            file, target = files[name], folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if file["sha256"] in held:
                shutil.copy2(held[file["sha256"]], target)
            else:
                seen = Seen(file["size"], file["sha256"])
                self.objects.download((*key, *file["object"].split("/")), target, seen)

        _at_once(one, files)

    def _put_files(
        self, key: Key, mark: str, there: Mapping[str, Any], put: dict[str, dict[str, Any]]
    ) -> dict[str, Any]:
        """The manifest of the folder at `key`; what of it is not `there` is put, each file once.

        Names have a `mark` of the publication: what another one sweeps, this one does not rely on.
        """
        place = self.copy.joinpath(*key)
        held = {file["sha256"]: file for file in there.values()}

        def one(name: str) -> dict[str, Any]:
            if name not in put:
                sha = digest_file(place / name)
                if sha in held:
                    return held[sha]
                self.objects.put((*key, mark, *name.split("/")), place / name)
                put[name] = {
                    "sha256": sha,
                    "size": (place / name).stat().st_size,
                    "object": f"{mark}/{name}",
                }
            return put[name]

        names = list(_states(place))
        return dict(zip(names, _at_once(one, names), strict=True))

    def _sweep(self, key: Key, old: Iterable[Mapping[str, Any]], new: Mapping[str, Any]) -> None:
        """Delete the objects of `old` that `new` does not name; who still reads them asks again."""
        gone = {file["object"] for file in old} - {file["object"] for file in new.values()}
        for each in sorted(gone):
            self.objects.remove((*key, *each.split("/")))

    def _busy(self, key: Key) -> ProvenderError:
        return ProvenderError(
            "This was not whole each time that it was asked for: it is damaged, or others keep writing it.",
            where=self.objects.uri(key),
            remedy="Run again when they are done; if it stays, delete it and materialize its asset again.",
            passing=True,
        )

    def _note(self, key: Key) -> Path:
        """Where the working copy keeps what it knows of `key`."""
        return self.copy.joinpath(".s3", *key[:-1], f"{key[-1]}.json")


@lru_cache(maxsize=8)
def shared(uri: str, copy: Path, endpoint: str, region: str) -> Shared:
    """The lake at `uri`, with one client a process: see `Objects`."""
    return Shared(Objects(uri, endpoint, region), copy)


def _at_once(work: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(work, items))


def _unchanged(
    place: Path, known: Mapping[str, Any] | None, mine: Mapping[str, list[int]]
) -> dict[str, Path]:
    """By sha256, the files in `place` that are as they were fetched or published."""
    if known is None:
        return {}
    return {
        file["sha256"]: place / name
        for name, file in known["files"].items()
        if known["states"].get(name) == mine.get(name, [])
    }


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True)


@contextmanager
def _locked(note: Path) -> Iterator[None]:
    """One process of this machine at a time swaps a folder of the working copy."""
    note.parent.mkdir(parents=True, exist_ok=True)
    with note.with_suffix(".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _state(file: Path) -> list[int] | None:
    """What tells whether a file was written since: its size and its clock."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return [found.st_size, found.st_mtime_ns]


def _states(folder: Path) -> dict[str, list[int]]:
    return {
        path.relative_to(folder).as_posix(): state
        for path in sorted(folder.rglob("*"))
        if path.is_file() and (state := _state(path)) is not None
    }


def _read(note: Path) -> dict[str, Any] | None:
    try:
        return json.loads(note.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None

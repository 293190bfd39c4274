"""`make bench`: what a refresh costs against the first time, on a git repository of real files.

The repository is made of the files of the lake's sources, so often that it has 20,000; its first
snapshot, classification and extraction is the full time that the refreshes are compared with.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

from corpus.extract import Extracted, extract_units
from corpus.files import classify
from corpus.pairs import body, doc, path
from corpus.pairs.base import refresh
from corpus.snapshots import BlobStore, current_revision, take_snapshot
from corpus.sources import GitSource
from resources.lake import Lake
from resources.project import Project
from tests.corpus.snapshots.repository import Repository

_FILES = 20_000
_BUILDERS = {
    "doc": (doc.doc_pairs, doc.VERSION),
    "path": (path.path_pairs, path.VERSION),
    "body": (body.body_pairs, body.VERSION),
}


class Pipeline:
    """The per-source stages over one source, with what the refresh before left."""

    def __init__(self, source: GitSource, folder: Path) -> None:
        self._source, self._cache = source, folder / "cache"
        self._store = BlobStore(folder / "blobs")
        self._policy = Project().load_policy()
        self.snapshot: pl.DataFrame | None = None
        self.files: pl.DataFrame | None = None
        self.found: Extracted | None = None
        self.pairs: dict[str, pl.DataFrame] = {}

    def refresh(self) -> dict[str, float]:
        """Bring everything up to date; the seconds of each stage."""
        seconds: dict[str, float] = {}
        started = time.perf_counter()

        def lap(stage: str) -> None:
            nonlocal started
            seconds[stage] = time.perf_counter() - started
            started = time.perf_counter()

        revision = current_revision(self._source, self._cache)
        lap("ask")
        if self.snapshot is not None and self.snapshot["revision"][0] == revision:
            return seconds
        self.snapshot, _ = take_snapshot(
            self._source, self._cache, self._store, previous=self.snapshot
        )
        lap("fetch")
        self.files = classify(
            self.snapshot, self._store.read, self._policy, self._source, self.files
        )
        lap("files")
        units, parsed = (self.found.units, self.found.parsed) if self.found else (None, None)
        self.found = extract_units(self.files, self._store.read, "rust", units, parsed)
        lap("units")
        for name, (build, version) in _BUILDERS.items():
            self.pairs[name] = refresh(build, version, self.found.units, self.pairs.get(name))
        lap("pairs")
        return seconds


def write_files(repository: Repository, contents: list[tuple[str, bytes]]) -> None:
    """`_FILES` real files: each content again and again, with another last line."""
    repository.write("LICENSE-MIT.txt", "MIT License\n")
    repository.write("Cargo.toml", '[package]\nname = "a"\nlicense = "MIT"\n')
    for number in range(_FILES):
        name, content = contents[number % len(contents)]
        suffix = Path(name).suffix
        repository.write(
            f"crate{number % 97}/src/file{number}{suffix}", content + f"\n// {number}\n".encode()
        )


def main() -> int:
    """Print the ratios; 1 where the lake has no sources yet."""
    lake = Lake()
    contents: list[tuple[str, bytes]] = []
    for name in ("deltalake", "pydantic-core", "cryptography", "datafusion"):
        files = lake.read_if_there("files", f"source={name}", "data.parquet")
        if files is not None:
            kept = files.filter("kept").unique("blob_sha", maintain_order=True)
            names = dict(kept.select("blob_sha", "path").iter_rows())
            contents += [(names[blob], data) for blob, data in lake.blobs(name).read(list(names))]
    if not contents:
        print("the lake has no sources yet: run `make demo` first", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        repository = Repository(Path(folder) / "origin")
        write_files(repository, contents)
        repository.commit()
        pipeline = Pipeline(GitSource(name="bench", url=str(repository.folder)), Path(folder))
        first = pipeline.refresh()
        full = sum(first.values())
        nothing = sum(pipeline.refresh().values())
        for number in range(0, _FILES, 100):
            repository.write(
                f"crate{number % 97}/src/file{number}.rs", f"/// New.\nfn f{number}() {{}}\n"
            )
        repository.commit()
        some = pipeline.refresh()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{_FILES} files; peak memory {peak:.2f} GB")
    for stage, seconds in first.items():
        print(f"{stage:8} first {seconds:7.2f} s   1 % changed {some.get(stage, 0):6.2f} s")
    print(f"files per second in `files`      {_FILES / first['files']:8.0f}  (floor: 3000)")
    print(f"nothing changed / first time     {nothing / full:8.4f}  ({nothing:.2f} s, limit: 1 s)")
    print(f"1 % changed / first time         {sum(some.values()) / full:8.4f}  (limit: 0.05)")
    return 0


if __name__ == "__main__":
    sys.exit(main())

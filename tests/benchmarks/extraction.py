"""`make bench`: Rust extraction against parsing alone, over the Rust files of the lake's snapshots."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import polars as pl
from tree_sitter import Parser

from corpus.languages import rust
from resources.lake import Lake
from resources.project import Project

_REPEATS = 3


def best_seconds(work: Callable[[bytes], object], sources: list[bytes]) -> float:
    """The fastest of three passes over all `sources`: the least disturbed one."""
    found = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        for source in sources:
            work(source)
        found.append(time.perf_counter() - started)
    return min(found)


def main() -> int:
    """Print the ratio; 1 where the lake has no Rust yet."""
    lake = Lake()
    sources: list[bytes] = []
    for name in Project().load_manifest().names:
        files = lake.read_if_there("files", f"source={name}", "data.parquet")
        if files is not None:
            kept = files.filter(pl.col("kept"), pl.col("language") == "rust")
            sources += [content for _, content in lake.blobs(name).read(kept["blob_sha"].to_list())]
    if not sources:
        print("the lake has no Rust files yet: run `make demo` first", file=sys.stderr)
        return 1
    parser = Parser(rust.language())
    megabytes = sum(map(len, sources)) / 1e6
    parsing = best_seconds(parser.parse, sources)
    extracting = best_seconds(rust.extract, sources)
    print(f"{len(sources)} Rust files, {megabytes:.1f} MB")
    print(f"parsing alone   {megabytes / parsing:6.1f} MB/s")
    print(f"extraction      {megabytes / extracting:6.1f} MB/s")
    print(f"ratio           {parsing / extracting:6.2f}  (floor: 0.60)")
    return 0


if __name__ == "__main__":
    sys.exit(main())

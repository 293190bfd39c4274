"""`make bench`: each language's extraction against a limit measured in the same run, over the lake's files.

tree-sitter languages: the speed of parsing alone. Scanners: megabytes a second, as they parse nothing.
Without the cycle collector, as in the process that extracts (`corpus.isolated`).
"""

from __future__ import annotations

import gc
import sys
import time
from collections import defaultdict
from collections.abc import Callable

import polars as pl
from tree_sitter import Parser

from corpus.languages import tlaplus_statements
from corpus.reading import SUPPORTED, reader
from resources.lake import Lake
from resources.project import Project

_REPEATS = 3
_MAX_BYTES = 24 << 20
_RATIO, _SCANNED = 0.70, 20.0


def best_seconds(work: Callable[[bytes], object], sources: list[bytes]) -> float:
    """The fastest of three passes over all `sources`: the least disturbed one."""
    found = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        for source in sources:
            work(source)
        found.append(time.perf_counter() - started)
    return min(found)


def sources_of(lake: Lake) -> dict[str, list[bytes]]:
    """The kept files of the lake by language, up to a bound for each."""
    found: dict[str, list[bytes]] = defaultdict(list)
    held: dict[str, int] = defaultdict(int)
    for name in Project().load_manifest().names:
        files = lake.read_if_there("files", f"source={name}", "data.parquet")
        if files is None:
            continue
        kept = files.filter(pl.col("kept"), pl.col("language").is_in(sorted(SUPPORTED)))
        languages = dict(kept.select("blob_sha", "language").iter_rows())
        for blob, content in lake.blobs(name).read(list(languages)):
            if held[languages[blob]] < _MAX_BYTES:
                held[languages[blob]] += len(content)
                found[languages[blob]].append(content.replace(b"\r\n", b"\n"))
    return found


def main() -> int:
    """Print a line for each language; 1 where the lake has no files yet."""
    found = sources_of(Lake())
    gc.freeze()
    gc.disable()
    if not found:
        print("the lake has no files yet: run `make demo` first", file=sys.stderr)
        return 1
    print(f"{'language':12} {'files':>6} {'MB':>6} {'parse MB/s':>11} {'extract MB/s':>13}  ratio")
    for language, sources in sorted(found.items()):
        megabytes = sum(map(len, sources)) / 1e6
        module = reader(language)
        extracting = megabytes / best_seconds(module.extract, sources)
        line = f"{language:12} {len(sources):6} {megabytes:6.1f}"
        grammar = tlaplus_statements.language if language == "tlaplus" else None
        grammar = getattr(module, "language", grammar)
        if grammar is None:
            print(f"{line} {'-':>11} {extracting:13.1f}  floor: {_SCANNED:.0f} MB/s")
            continue
        parsing = megabytes / best_seconds(Parser(grammar()).parse, sources)
        ratio = extracting / parsing
        print(f"{line} {parsing:11.1f} {extracting:13.1f}  {ratio:.2f}  (floor: {_RATIO})")
    return 0


if __name__ == "__main__":
    sys.exit(main())

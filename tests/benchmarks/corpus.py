"""What the corpus costs: `python -m tests.benchmarks.corpus [--million]`.

Puts 130,000 pairs of the lake's into a temporary one and materializes `corpus` and all `datasets` there;
then `corpus` again with 1 % of the pairs changed, whose texts alone are to be signed anew. `--million` shows
how seconds and memory grow up to 2,000,000 pairs. Each run is a process of its own, so that its peak memory
is nobody else's.

What the lake lacks is made of copies with changed words. Of eight copies of a unit, the lake's own among
them, three are near each other where the code is long enough, and the others are far from all; so it is at
every size, so that only the size grows.
"""

from __future__ import annotations

import argparse
import math
import re
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar, cast
from zlib import crc32

import dagster as dg
import numpy as np
import polars as pl

from assets import corpus as corpus_asset
from assets.common import of_source
from assets.datasets import datasets
from assets.pairs import DATASET, TYPES, pairs_of
from corpus import build, schema
from corpus.datasets import out_of_reach
from resources.lake import Lake
from resources.project import Project
from resources.tracking import Tracking
from tests.benchmarks.repeats import matrix, near

_PAIRS, _SECONDS, _GIGABYTES = 130_000, 60, 4
_MILLION, _MILLION_SECONDS, _MILLION_GIGABYTES = 2_000_000, 900, 12
_CHANGED = 0.01
_BORROWED = "tombstones files blobs".split()
"""Folders of the lake that the temporary one shows, too: they are read, never written."""

_WORD = re.compile(r"[^\W\d]\w{2,}")
_KEPT, _RENAMED = 100, 0.5
"""The commonest words, keywords above all, stay; of the others a far copy changes this share."""

_COPIES, _NEAR_EVERY, _MOST_EDITS = 8, 4, 3
"""One copy in four is near its original: up to three words of it are changed. The others are far."""

_VOCABULARY_OF, _COMPARED = 20_000, 300

Result = TypeVar("Result")


def in_child(work: Callable[..., Result], *arguments: Any) -> Result:
    """`work(*arguments)` in a fresh process; this one stays small, for a child inherits its peak."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def peak() -> float:
    """Gigabytes that this process held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def read_pairs(lake: Lake) -> pl.DataFrame:
    """All pairs of the manifest's sources, as `corpus` reads them."""
    names = Project().load_manifest().names
    places = [pairs_of(kind, name) for name in names for kind in (*TYPES, DATASET)]
    return lake.read_all(places, schema.PAIRS)


class Words:
    """Changes words of texts to others that occur in such texts, the same way every time."""

    def __init__(self, texts: pl.Series) -> None:
        sample = texts.sample(min(_VOCABULARY_OF, len(texts)), seed=3)
        counted = Counter(word for text in sample for word in _WORD.findall(text))
        common = [word for word, count in counted.most_common() if count > 1]
        self._kept, self._others = set(common[:_KEPT]), common[_KEPT:] or ["other"]

    def far(self, texts: pl.Series, copy: int) -> pl.Series:
        """Half of the words everywhere changed, the commonest left out."""
        known = {}

        def change(match: re.Match[str]) -> str:
            word = match[0]
            if word not in known:
                drawn = crc32(f"{copy} {word}".encode())
                changes = word not in self._kept and drawn % 1000 < 1000 * _RENAMED
                known[word] = self._others[drawn // 1000 % len(self._others)] if changes else word
            return known[word]

        return pl.Series(texts.name, [_WORD.sub(change, text) for text in texts], pl.String)

    def near(self, texts: pl.Series, copy: int) -> pl.Series:
        """One to three words, each in one place, changed."""
        return pl.Series(texts.name, [self._edited(text, copy) for text in texts], pl.String)

    def _edited(self, text: str, copy: int) -> str:
        spans = [match.span() for match in _WORD.finditer(text)]
        drawn = crc32(text.encode(), copy)
        places = {
            drawn * (edit + 1) % len(spans) for edit in range(1 + drawn % _MOST_EDITS) if spans
        }
        for place in sorted(places, reverse=True):
            start, end = spans[place]
            text = text[:start] + self._others[(drawn + place) % len(self._others)] + text[end:]
        return text


class Copies:
    """Changed copies of pairs."""

    def __init__(self, pairs: pl.DataFrame) -> None:
        self._code, self._prose = Words(pairs["positive"]), Words(pairs["query"])

    def changed(self, pairs: pl.DataFrame, copy: int) -> pl.DataFrame:
        """`pairs` with other texts. A near copy keeps its name, so that it is the same answer again."""
        if copy == 0:
            return pairs
        query = self._prose.far(pairs["query"], copy)
        if copy % _NEAR_EVERY == 1:
            return pairs.with_columns(query, self._code.near(pairs["positive"], copy))
        columns = ("positive", "signature", "symbol")
        return pairs.with_columns(query, *(self._code.far(pairs[name], copy) for name in columns))

    def copied(self, pairs: pl.DataFrame, copy: int) -> pl.DataFrame:
        """`changed`, in files, units and pairs of its own, with the number of the `copy`."""
        found = self.changed(pairs, copy).with_columns(copy=pl.lit(copy))
        if copy == 0:
            return found
        path = pl.format("copy{}/{}", "copy", "path")
        return found.with_columns(
            pl.format("{}-{}", name, "copy").alias(name) for name in ("pair_id", "unit_id")
        ).with_columns(path=path, file_context=pl.format("{}/{}", "source", path))


def size_of(root: str) -> int:
    """How many pairs the lake at `root` has."""
    return read_pairs(Lake(root=root)).height


def copy_all(root: str, folder: Path, shares: Sequence[float]) -> tuple[float, float]:
    """Write that share of the lake at `root` and of each changed copy of it, one file a source.

    Gives the shares of near-duplicates and of equal ones among the pairs of copies of one unit.
    """
    pairs = (
        read_pairs(Lake(root=root)).with_columns(draw=_draw(1)).filter(pl.col("draw") < shares[0])
    )
    make = Copies(pairs)
    folder.mkdir(parents=True)
    for (source,), found in pairs.group_by("source", maintain_order=True):
        made = [
            make.copied(found.filter(pl.col("draw") < share), copy)
            for copy, share in enumerate(shares)
        ]
        pl.concat(made).write_parquet(folder / f"{source}.parquet", compression="lz4")
    some = pairs.unique("unit_id", maintain_order=True).sort("draw").head(_COMPARED)
    texts = pl.concat([make.changed(some, copy)["positive"] for copy in range(len(shares))])
    whole = matrix(texts.to_list(), {})
    alike = [
        share
        for a, b, share in near(whole, whole, Project().load_curriculum().near_duplicate)
        if a < b and a % some.height == b % some.height
    ]
    compared = max(1, some.height * math.comb(len(shares), 2))
    return len(alike) / compared, sum(share == 1 for share in alike) / compared


def fill(root: str, copies: Path, lake: str, share: float) -> int:
    """Make `lake` one with that share of the units of `copies` and of held-out units; its number of pairs."""
    made = Lake(root=lake)
    made.path().mkdir(parents=True)
    for table in _BORROWED:
        if (there := Lake(root=root).path(table)).is_dir():
            made.path(table).symlink_to(there, target_is_directory=True)
    splits = Project().load_splits(Project().load_manifest())
    for name, split in splits.items():
        place = of_source("units", name)
        units = None if split == "train" else Lake(root=root).read_if_there(*place)
        if units is not None:
            units = units.filter(_draw(1) < share)
            made.write(units, schema.UNITS, *place, fingerprint="bench")
    pairs = 0
    for path in sorted(copies.glob("*.parquet")):
        found = pl.scan_parquet(path).filter(pl.col("draw") < share).collect()
        pairs += found.height
        for (kind,), part in found.group_by("pair_type", maintain_order=True):
            place = pairs_of(str(kind), path.stem)
            rows = part.select(schema.PAIRS.names)
            made.write(rows, schema.PAIRS, *place, fingerprint="bench")
    return pairs


def change(lake: str) -> int:
    """Change the texts of 1 % of the units in place; how many pairs those have."""
    made, changed = Lake(root=lake), 0
    make = Copies(read_pairs(made))
    for path in sorted(made.path("pairs").glob("*/*/data.parquet")):
        place = path.relative_to(made.path()).parts
        pairs = made.read(*place)
        drawn = _draw(2) < _CHANGED
        others = make.changed(pairs.filter(drawn), -1)
        changed += others.height
        frame = pl.concat([pairs.filter(~drawn), others])
        made.write(frame, schema.PAIRS, *place, fingerprint="bench, changed")
    return changed


def materialize(lake: str) -> dict[str, Any]:
    """Make the corpus of `lake` and all data sets that it can give: seconds, gigabytes and counts."""
    found: dict[str, Any] = {}
    inner = build.build_corpus

    def timed(*arguments: Any, **options: Any) -> build.Built:
        began = time.perf_counter()
        built = inner(*arguments, **options)
        found.update(build=time.perf_counter() - began, signed=built.signed)
        found.update(texts=built.signatures.height, kept=built.pairs.height)
        return built

    build.build_corpus = timed
    made, project = Lake(root=lake), Project()
    started = time.perf_counter()
    corpus_asset.corpus(lake=made, project=project)
    found.update(corpus=time.perf_counter() - started, corpus_peak=peak())
    manifest, named = project.load_manifest(), project.load_datasets().datasets
    without = [name for name, chosen in named.items() if out_of_reach(chosen, manifest)]
    started = time.perf_counter()
    for name in [each for each in named if each not in without]:
        context = dg.build_asset_context(partition_key=name)
        try:
            tracking = Tracking(lake=made)
            given = datasets(context, lake=made, project=project, tracking=tracking)
            list(cast("Iterator[Any]", given))
        except dg.Failure as failure:
            if "No pair is left" not in str(failure.description):
                raise
            without.append(name)
    found.update(datasets=time.perf_counter() - started, peak=peak(), without=without)
    found["written"] = len(named) - len(without)
    drops = made.read(*corpus_asset.DROPS)
    reasons = drops.group_by("reason").agg(pl.col("pairs").sum()).sort("pairs", descending=True)
    found["drops"] = dict(reasons.iter_rows())
    return found


def _draw(seed: int) -> pl.Expr:
    """A number from 0 to 1 for each unit, evenly spread."""
    return pl.col("unit_id").hash(seed=seed).cast(pl.Float64) / 2.0**64


def measured(cost: dict[str, Any], seconds: float, gigabytes: float) -> str:
    """Seconds and memory beside their limits."""
    whole = cost["corpus"] + cost["datasets"]
    return (
        f"corpus {cost['corpus']:.1f} s (build_corpus alone {cost['build']:.1f} s), "
        f"{cost['written']} data sets {cost['datasets']:.1f} s; {cost['corpus_peak']:.2f} GB, then "
        f"{cost['peak']:.2f} GB\n   together {whole:.1f} s (limit: {seconds:.0f} s), "
        f"{cost['peak']:.2f} GB (limit: {gigabytes:.0f} GB)"
    )


def report(root: str, folder: Path, there: int, wanted: int) -> None:
    """Print what `wanted` pairs cost, and a refresh of 1 % of them."""
    shares = [min(1, wanted / there - copy) for copy in range(math.ceil(wanted / there))]
    in_child(copy_all, root, folder / "copies", shares)
    lake = str(folder / "lake")
    pairs = in_child(fill, root, folder / "copies", lake, shares[0])
    cost = in_child(materialize, lake)
    made_up = f"; {pairs - there} are changed copies, for the lake has {there}"
    print(f"{pairs} pairs{made_up if len(shares) > 1 else ' of the lake'}; {cost['kept']} stay")
    print(f"   {measured(cost, _SECONDS, _GIGABYTES)}")
    if cost["without"]:
        print(f"   not given by these pairs: {', '.join(sorted(cost['without']))}")
    changed = in_child(change, lake)
    again = in_child(materialize, lake)
    print(
        f"{changed} pairs ({changed / pairs:.1%}) changed: {again['signed']} of {again['texts']} texts signed"
        f" anew ({again['signed'] / again['texts']:.1%}; the first time {cost['signed']}); "
        f"build_corpus {again['build']:.1f} s, {again['build'] / cost['build']:.2f} of the first time"
    )


def report_growth(root: str, folder: Path, there: int, largest: int) -> None:
    """Print the costs from a sixteenth of `largest` pairs up to it, and how they grow."""
    copies = max(_COPIES, math.ceil(largest / there))
    most = largest / there / copies
    began = time.perf_counter()
    alike, equal = in_child(copy_all, root, folder / "copies", [most] * copies)
    print(
        f"{most * there:.0f} pairs of the lake and {copies - 1} changed copies of each, made in "
        f"{time.perf_counter() - began:.0f} s; of two copies of a unit {alike:.1%} are near-duplicates "
        f"({equal:.1%} equal)"
    )
    sizes, seconds = [], []
    for part in (16, 8, 4, 2, 1):
        lake = folder / f"lake-{part}"
        pairs = in_child(fill, root, folder / "copies", str(lake), most / part)
        cost = in_child(materialize, str(lake))
        sizes.append(pairs)
        seconds.append(cost["build"])
        print(f"{pairs} pairs, {cost['kept']} stay; {cost['signed']} texts signed")
        print(f"   {measured(cost, _MILLION_SECONDS, _MILLION_GIGABYTES)}")
    reasons = list(cost["drops"].items())[:5]
    print("dropped: " + ", ".join(f"{reason} {count / pairs:.0%}" for reason, count in reasons))
    steps = np.log([size * math.log(size) for size in sizes])
    whole, last = (np.polyfit(steps[-some:], np.log(seconds[-some:]), 1)[0] for some in (5, 2))
    print(
        f"build_corpus grows as (n log n) to the power of {whole:.2f}, in the last doubling of {last:.2f}"
        "  (limit: about 1)"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; 1 where the lake has no pairs yet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--million", action="store_true", help="how costs grow, not one small size")
    parser.add_argument(
        "--pairs", type=int, help="another number of pairs: the largest, if several"
    )
    parser.add_argument("--folder", type=Path, help="where the temporary lakes are to lie")
    given = parser.parse_args(arguments)
    root = str(Lake().path())
    there = in_child(size_of, root)
    if not there:
        print("the lake has no pairs yet: run `make demo` first", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        if given.million:
            report_growth(root, Path(folder), there, given.pairs or _MILLION)
        else:
            report(root, Path(folder), there, given.pairs or _PAIRS)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Near-duplicates beside a peer on the same texts: `PEER_PYTHON=… python -m tests.benchmarks.peers`.

The peer is datatrove's MinHash with as many hashes and bands of as many rows as ours, shingles of three words
and its own normalisation; it verifies nothing. Both read 100,000 texts from files and write those that stay,
on all processors.
Against brute force over 5,000 texts, it is also given the bands that fit the threshold best. It is no
dependency of this project: `PEER_PYTHON` is an interpreter that has it, without which there is no comparison.

    python3 -m venv /tmp/peer && /tmp/peer/bin/pip install 'datatrove[io,processing]' spacy
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl

from corpus import dedup
from resources.lake import Lake
from resources.project import Project
from tests.benchmarks.corpus import Copies, in_child, peak, read_pairs
from tests.benchmarks.repeats import matrix, near

_TEXTS, _SAMPLE, _RATIO = 100_000, 5_000, 5
_ROWS = dedup.PERMUTATIONS // dedup.BANDS
_SAME, _FITTING = (dedup.BANDS, _ROWS), (9, 14)
"""Bands and rows: ours, where a similarity of 0.71 is found as often as not, and where 0.85 is."""

_RUNNER = Path(__file__).with_name("peer_datatrove.py")
_FILES = ("00000.jsonl", "00001.jsonl")

Found = set[tuple[int, int]]


def write_texts(root: str, folder: Path, size: int, of_copies: bool) -> int:
    """Write `size` texts of the lake's, as Parquet and for the peer, half of them near copies on request.

    Gives how many are changed copies; others than those asked for where the lake has too few texts.
    """
    pairs = read_pairs(Lake(root=root)).unique("unit_id", maintain_order=True)
    pairs = pairs.filter(pl.col("positive").str.contains(r"\S"))
    own = pairs.sample(min(size // 2 if of_copies else size, pairs.height), seed=4)
    make, frames = Copies(pairs), [own]
    while sum(each.height for each in frames) < size:
        frames.append(make.changed(own, len(frames)))
    texts = pl.concat(frames)["positive"].head(size).sample(fraction=1, shuffle=True, seed=5)
    frame = texts.to_frame("text").with_row_index("id")
    (folder / "in").mkdir(parents=True)
    frame.write_parquet(folder / "texts.parquet")
    half = -(-size // 2)
    for place, name in enumerate(_FILES):
        part = frame.slice(place * half, half).with_columns(pl.col("id").cast(pl.String))
        part.write_ndjson(folder / "in" / name)
    return size - own.height


def our_seconds(folder: Path, threshold: float) -> tuple[float, float, int]:
    """Seconds and gigabytes from reading the texts to writing those that stay; how many those are."""
    started = time.perf_counter()
    frame = pl.read_parquet(folder / "texts.parquet")
    edges = dedup.compare(frame["text"], threshold).edges.filter("near")
    kept = frame.filter(pl.Series(dedup.survivors(frame.height, edges) < 0))
    kept.write_ndjson(folder / "kept.jsonl")
    return time.perf_counter() - started, peak(), kept.height


def ask_peer(python: str, folder: Path, bands: tuple[int, int], *options: str) -> dict[str, float]:
    """The seconds of each of the peer's stages."""
    numbers = [*map(str, bands), str(dedup.WIDTH)]
    ran = subprocess.run(
        [python, str(_RUNNER), str(folder), *numbers, *options],
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise RuntimeError(f"the peer failed:\n{ran.stderr[-2000:]}")
    return json.loads(ran.stdout.splitlines()[-1])


def peer_clusters(folder: Path, size: int) -> dict[int, list[int]]:
    """Which texts hang together, as the peer says."""
    clusters: dict[int, list[int]] = {}
    for path in sorted((folder / "run" / "removed").glob("*.clusters")):
        start = int(path.stem) * -(-size // len(_FILES))
        for row, cluster in np.fromfile(path, "<u4").reshape(-1, 2).tolist():
            clusters.setdefault(cluster, []).append(start + row)
    return clusters


def scored(truth: Found, found: Found) -> str:
    """Precision and recall of pairs of texts."""
    right = len(truth & found)
    precision, recall = right / max(len(found), 1), right / max(len(truth), 1)
    return f"precision {precision:.4f}, recall {recall:.4f}"


def truth_of(texts: list[str], threshold: float) -> Found:
    """All pairs of texts that are so alike, by brute force."""
    whole = matrix(texts, {})
    return {(a, b) for a, b, _ in near(whole, whole, threshold) if a < b}


def our_scores(folder: Path, threshold: float) -> str:
    """Ours against brute force."""
    texts = pl.read_parquet(folder / "texts.parquet")["text"]
    truth = truth_of(texts.to_list(), threshold)
    edges = dedup.compare(texts, threshold).edges.filter("near")
    found = set(edges.select("a", "b").iter_rows())
    return f"{scored(truth, found)}  ({len(truth)} near-duplicates)"


def peer_scores(folder: Path, threshold: float) -> str:
    """The peer against brute force over the texts, and over what it makes of them."""
    texts = pl.read_parquet(folder / "texts.parquet")["text"].to_list()
    clusters = peer_clusters(folder, len(texts)).values()
    found = {pair for each in clusters for pair in combinations(sorted(each), 2)}
    lines = (folder / "words.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    own = truth_of([" ".join(json.loads(line)) for line in lines], threshold)
    return (
        f"{scored(truth_of(texts, threshold), found)}; "
        f"of its own words {scored(own, found)}  ({len(own)} near-duplicates)"
    )


def compare(python: str, root: str, folder: Path) -> None:
    """Print both times and how right both are."""
    threshold = Project().load_curriculum().near_duplicate
    many, few = folder / "many", folder / "few"
    made = in_child(write_texts, root, many, _TEXTS, False)
    ours, gigabytes, kept = in_child(our_seconds, many, threshold)
    stages = ask_peer(python, many, _SAME)
    peers = sum(stages.values())
    removed = _TEXTS - sum(map(_lines, (many / "run" / "out").iterdir()))
    print(f"{_TEXTS} texts{f', {made} of them changed copies' if made else ' of the lake'}")
    print(f"   ours       {ours:7.1f} s  {gigabytes:.2f} GB; {_TEXTS - kept} repeat others")
    said = ", ".join(f"{name} {seconds:.1f}" for name, seconds in stages.items())
    print(f"   datatrove  {peers:7.1f} s  ({said}); {removed} repeat others")
    print(f"   ours is {peers / ours:.1f} times as fast  (floor: {_RATIO})")
    in_child(write_texts, root, few, _SAMPLE, True)
    print(f"all pairs of {_SAMPLE} texts, half of them copies with some words changed:")
    print(f"   ours                         {in_child(our_scores, few, threshold)}")
    for bands in (_SAME, _FITTING):
        shutil.rmtree(few / "run", ignore_errors=True)
        ask_peer(python, few, bands, "--words")
        print(
            f"   datatrove, {bands[0]:2} x {bands[1]:2} hashes   {in_child(peer_scores, few, threshold)}"
        )


def has_peer(python: str) -> bool:
    """Whether that interpreter is there and has the peer."""
    try:
        asked = subprocess.run([python, "-c", "import datatrove"], capture_output=True, check=False)
    except OSError:
        return False
    return asked.returncode == 0


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)


def main() -> int:
    """Print the figures; 1 where the lake has no pairs yet."""
    python, root = os.environ.get("PEER_PYTHON"), str(Lake().path())
    if not python or not has_peer(python):
        print("no comparison with a peer: PEER_PYTHON names no interpreter that has datatrove")
        return 0
    if not any(Path(root, "pairs").glob("*/*/data.parquet")):
        print("the lake has no pairs yet: run `make demo` first", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        compare(python, root, Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())

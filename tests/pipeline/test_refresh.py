"""`provender refresh` on repositories that the test makes, and what the other commands say of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml

from tests.corpus.snapshots.repository import Repository

KEPT = (
    "/// Adds the two numbers that are given.\n"
    "pub fn add(left: u64, right: u64) -> u64 {\n    left.wrapping_add(right) + 0\n}\n"
)
REGRETTED = (
    "/// Computes the famous constant from scratch.\n"
    "pub fn famous(limit: u64) -> u64 {\n    (0..limit).fold(42, |sum, each| sum ^ each)\n}\n"
)
LICENCE = """MIT License

Copyright (c) 2026 Somebody

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a manifest of a repository and a fork of it, and an empty lake."""
    origin = Repository(tmp_path / "origin")
    origin.write("LICENSE", LICENCE)
    origin.write("src/lib.rs", KEPT)
    origin.write("src/regretted.rs", REGRETTED)
    origin.commit()
    subprocess.run(
        ["git", "clone", "-q", str(origin.folder), str(tmp_path / "the-fork")], check=True
    )
    sources = [
        {"name": name, "kind": "git", "url": f"file://{tmp_path}/{name}", "ref": "main"}
        for name in ("the-fork", "origin")
    ]
    (tmp_path / "sources.yaml").write_text(yaml.safe_dump({"sources": sources}), encoding="utf-8")
    (tmp_path / "optout.yaml").write_text("optout: []\n", encoding="utf-8")
    (tmp_path / "datasets.yaml").write_text(
        "datasets: {rust: {title: R, languages: [rust]}, lean: {title: L, languages: [lean]}}",
        encoding="utf-8",
    )
    for key, value in {
        "PROVENDER_SOURCES": "sources.yaml",
        "PROVENDER_OPTOUT": "optout.yaml",
        "PROVENDER_DATASETS": "datasets.yaml",
        "PROVENDER_LAKE": "lake",
        "DAGSTER_HOME": "home",
    }.items():
        monkeypatch.setenv(key, str(tmp_path / value))
    return tmp_path


def provender(*arguments: str) -> tuple[int, str]:
    """A command in a process of its own, as partitions are read when it is loaded."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env=os.environ | {"COLUMNS": "160"},
    )
    return done.returncode, done.stdout + done.stderr


def symbols(folder: Path, table: str) -> set[str]:
    return set(pl.read_parquet(folder / "lake" / table / "**" / "*.parquet")["symbol"])


def test_a_wish_to_be_left_out_reaches_forks_the_corpus_and_the_checkpoints(folder: Path) -> None:
    code, told = provender("refresh")
    assert code == 0, told
    assert "✓ origin 3 files, 2 definitions, " in told
    assert symbols(folder, "units") == symbols(folder, "corpus") == {"add", "famous"}
    assert re.search(r"^rust +\d+ +datasets/rust\.\* +made *$", told, re.MULTILINE)
    assert "empty lean: config/datasets.yaml: lean: No pair is left" in told
    assert symbols(folder, "datasets") == {"add", "famous"}
    _, told = provender("sources")
    [line] = [line for line in told.splitlines() if line.startswith("origin")]
    assert " MIT " in line
    assert " permissive " in line
    assert "no_code 1" in line
    code, told = provender("datasets")
    assert code == 1  # asked for, what has no pairs is a failure
    assert re.search(r"^rust +\d+ +datasets/rust\.\* +unchanged *$", told, re.MULTILINE)
    assert "failed datasets/lean: config/datasets.yaml: lean: No pair is left" in told
    assert provender("datasets", "rust")[0] == 0
    _, told = provender("attribution", "--dataset", "corpus")
    assert f"| file://{folder}/origin | `swh:1:rev:" in told
    assert "    Copyright (c) 2026 Somebody" in told

    # A checkpoint of before, as training leaves it.
    trained = folder / "lake" / "models" / "old"
    trained.mkdir(parents=True)
    corpus = pl.read_parquet(folder / "lake" / "corpus" / "split=train" / "*.parquet")
    corpus.select("blob_sha").unique().write_parquet(trained / "provenance.parquet")
    (folder / "optout.yaml").write_text(
        f"optout:\n  - repository: {str(folder)[1:]}/origin\n    path: src/regretted.rs\n",
        encoding="utf-8",
    )
    code, told = provender("refresh")
    assert code == 1
    assert "failed models/old: was trained on 1 files that are to be left out" in told
    assert symbols(folder, "corpus") == symbols(folder, "datasets") == {"add"}
    (trained / "provenance.parquet").unlink()
    assert provender("refresh")[0] == 0  # whoever was read before the wish was known is read again
    assert symbols(folder, "units") == {"add"}
    stored = pl.read_parquet(folder / "lake" / "blobs" / "**" / "*.parquet")["content"]
    assert not any(b"famous" in content for content in stored)
    corpus.select("blob_sha").unique().write_parquet(trained / "provenance.parquet")
    code, told = provender("optout")
    assert code == 1
    assert "origin: 1 files left out" in told
    assert "models/old was trained on 1 of them: train it again" in told
    (trained / "provenance.parquet").unlink()

    # Withdrawing the wish does not bring the file back: its tombstone stays.
    (folder / "optout.yaml").write_text("optout: []\n", encoding="utf-8")
    assert provender("refresh")[0] == 0
    assert symbols(folder, "units") == {"add"}

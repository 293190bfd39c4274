"""A disk that is full, or is made read-only, while a refresh runs: a file system of the test's own."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.corpus.snapshots.repository import Repository
from tests.pipeline.test_refresh import LICENCE

REFRESH = f"{sys.executable} -m pipeline.cli refresh"
TABLES = (
    "cd $LAKE; find . -name '*.parquet' ! -path './cache/*' ! -path './blobs/*' | sort"
    f" | xargs -r sha256sum; cd {Path(__file__).parents[2]}"
)


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """A folder on which file systems can be mounted, in a name space of the commands' own."""
    tried = subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", str(tmp_path)],
        capture_output=True,
        check=False,
    )
    if tried.returncode:
        pytest.skip("this system mounts nothing for an ordinary user")
    origin = Repository(tmp_path / "origin")
    origin.write("LICENSE", LICENCE)
    drawn = random.Random(7)
    for number in range(60):
        words = [drawn.choice("abcdefghijklmnop") * drawn.randint(3, 9) for _ in range(40)]
        body = "\n".join(f"    let {word}_{at} = {at} * left;" for at, word in enumerate(words))
        code = f"/// Adds {words[0]} to {words[1]} for {words[2]}.\npub fn add_{number}(left: u64) {{\n"
        origin.write(f"src/part_{number}.rs", f"{code}{body}\n}}\n")
    origin.commit()
    source = {"name": "origin", "kind": "git", "url": f"file://{tmp_path}/origin", "ref": "main"}
    (tmp_path / "sources.yaml").write_text(yaml.safe_dump({"sources": [source]}), encoding="utf-8")
    (tmp_path / "lake").mkdir()
    return tmp_path


def shell(folder: Path, home: str, *commands: str) -> list[str]:
    """What each command prints, run one after the other with one lake on a file system of its own."""
    lake = folder / "lake"
    script = "\n".join(
        [
            "mount -t tmpfs -o size=40m tmpfs $LAKE",
            *(f"{command} 2>&1; echo \"rc $?\"; echo '=====';" for command in commands),
        ]
    )
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script],
        capture_output=True,
        text=True,
        timeout=250,
        check=True,
        env=os.environ
        | {
            "LAKE": str(lake),
            "PROVENDER_LAKE": str(lake),
            "PROVENDER_SOURCES": str(folder / "sources.yaml"),
            "DAGSTER_HOME": str(folder / home),
            "COLUMNS": "200",
        },
    )
    return done.stdout.split("=====\n")[:-1]


def leaving(kilobytes: int) -> str:
    return f"head -c $((40 * 1048576 - {kilobytes} * 1024)) /dev/zero > $LAKE/filler"


def test_a_full_disk_costs_what_does_not_fit_and_nothing_else(mounted: Path) -> None:
    _, wanted = shell(mounted, "home-a", REFRESH, TABLES)
    temporary = "find $LAKE -name '*.tmp'"
    _, first, _, _, second, left, again, found = shell(
        *(mounted, "home-b", leaving(30), REFRESH, temporary),  # not even the clone
        *(leaving(300), REFRESH, temporary),
        *(f"rm $LAKE/filler; {REFRESH}", TABLES),
    )
    for full in (first, second):
        assert "rc 1" in full
        assert "The disk is full" in full
        assert "Traceback" not in full
    assert left == "rc 0\n"
    assert "rc 0" in again, again
    assert found == wanted


def test_a_lake_that_was_made_read_only_is_told_before_any_work(mounted: Path) -> None:
    first, before, told, after = shell(
        *(mounted, "home", REFRESH, TABLES),
        *(f"mount -o remount,ro $LAKE; {REFRESH}", TABLES),
    )
    assert "rc 0" in first
    assert told.splitlines()[-2].startswith(
        f"error: {mounted / 'lake'}: The lake cannot be written: Read-only file system."
    )
    assert told.endswith("rc 1\n")
    assert after == before

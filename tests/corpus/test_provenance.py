import polars as pl
import pytest

from common.hashing import git_object
from corpus.provenance import swhid, swhids, with_lines
from tests.corpus.frames import COMMIT, snapshot

BLOB = "9abb771b10cc63f83fd8933f28add4282680c634"
ORIGIN = "https://example.org/me/demo.git"
ANCHOR = f"swh:1:rev:{COMMIT}"


def test_file_is_named_by_bytes_origin_anchor_and_path() -> None:
    assert swhid(BLOB, ORIGIN, ANCHOR, "src/lib.rs") == (
        f"swh:1:cnt:{BLOB};origin={ORIGIN};anchor={ANCHOR};path=/src/lib.rs"
    )


def test_part_of_a_file_is_named_by_its_lines() -> None:
    whole = swhid(BLOB, ORIGIN, ANCHOR, "a.rs")

    assert swhid(BLOB, ORIGIN, ANCHOR, "a.rs", (3, 9)) == f"{whole};lines=3-9"
    assert with_lines(whole, 3, 9) == f"{whole};lines=3-9"


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("a;b.rs", "a%3Bb.rs"),
        ("100%.rs", "100%25.rs"),
        ("%3B;.rs", "%253B%3B.rs"),
        ("a b=c.rs", "a b=c.rs"),
        ("été;.rs", "été%3B.rs"),
        ("été.rs", "été.rs"),
    ],
)
def test_only_what_means_something_in_a_swhid_is_escaped(path: str, written: str) -> None:
    found = swhid(BLOB, "https://example.org/a;b%20c", ANCHOR, path)

    assert found == (
        f"swh:1:cnt:{BLOB};origin=https://example.org/a%3Bb%2520c;anchor={ANCHOR};path=/{written}"
    )


def test_every_row_of_a_snapshot_gets_its_swhid() -> None:
    files = {"a;b.rs": "fn a() {}\n", "src/b.rs": "fn b() {}\n", "c.png": b"\0"}
    taken = snapshot(files)

    expected = [
        swhid(git_object("blob", b"fn a() {}\n"), ORIGIN, ANCHOR, "a;b.rs"),
        swhid(git_object("blob", b"\0"), ORIGIN, ANCHOR, "c.png"),
        swhid(git_object("blob", b"fn b() {}\n"), ORIGIN, ANCHOR, "src/b.rs"),
    ]
    assert swhids(taken) == expected
    assert swhids(pl.DataFrame(schema=taken.schema)) == []

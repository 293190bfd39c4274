import gzip
import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from common.errors import ProvenderError
from corpus.snapshots import archive
from corpus.snapshots.archive import read_sdist
from corpus.snapshots.snapshot import Entry

WHERE = "source demo"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "demo-1.0.tar.gz"


def member(name: str, data: bytes = b"", **changes: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in changes.items():
        setattr(info, key, value)
    return info, data


def link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, type=tarfile.SYMTYPE, linkname=target)


def hard_link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, type=tarfile.LNKTYPE, linkname=target)


def pack(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ProvenderError) as caught:
        list(read_sdist(path, WHERE))
    assert caught.value.where == WHERE
    return caught.value.what


def test_files_lose_their_top_folder(path: Path) -> None:
    pack(
        path,
        member("demo-1.0", type=tarfile.DIRTYPE),
        member("demo-1.0/PKG-INFO", b"Name: demo"),
        member("demo-1.0/src/lib.rs", b"fn f() {}"),
        member("demo-1.0/run.sh", b"", mode=0o755),
    )

    assert list(read_sdist(path, WHERE)) == [
        Entry("PKG-INFO", "100644", b"Name: demo"),
        Entry("src/lib.rs", "100644", b"fn f() {}"),
        Entry("run.sh", "100755", b""),
    ]


def test_leading_dot_folder_is_ignored(path: Path) -> None:
    pack(path, member("./demo-1.0/a", b"1"))

    assert list(read_sdist(path, WHERE)) == [Entry("a", "100644", b"1")]


def test_empty_archive_has_no_files(path: Path) -> None:
    assert list(read_sdist(pack(path), WHERE)) == []


def test_link_is_recorded_and_not_followed(path: Path) -> None:
    pack(path, member("demo/src/a", b"1"), link("demo/src/b", "../src/a"))

    assert list(read_sdist(path, WHERE))[1] == Entry("src/b", "120000", b"../src/a")


def test_hard_link_is_recorded_and_not_followed(path: Path) -> None:
    pack(path, member("demo/a", b"1"), hard_link("demo/b", "demo/a"))

    found = list(read_sdist(path, WHERE))
    assert (found[1].path, found[1].mode) == ("b", "120000")


@pytest.mark.parametrize("name", ["../a", "demo/../../a", "demo/../a", "demo/src/../a"])
def test_member_that_climbs_is_refused(path: Path, name: str) -> None:
    what = refusal(pack(path, member(name, b"1")))

    assert (
        what
        == f"The release archive has the path {name!r}, which leaves it; nothing of it was used."
    )


@pytest.mark.parametrize("name", ["/etc/passwd", "//a", "demo\\..\\a"])
def test_absolute_or_malformed_member_is_refused(path: Path, name: str) -> None:
    assert f"has the absolute or malformed path {name!r}" in refusal(pack(path, member(name, b"1")))


@pytest.mark.parametrize("target", ["../../a", "../..", "x/../../../a"])
def test_link_that_leaves_the_archive_is_refused(path: Path, target: str) -> None:
    assert f"has the path {target!r}, which leaves it" in refusal(
        pack(path, link("demo/l", target))
    )


@pytest.mark.parametrize("make", [link, hard_link])
def test_absolute_link_is_refused(path: Path, make: Any) -> None:
    packed = pack(path, make("demo/l", "/etc/passwd"))

    assert "has the absolute or malformed path '/etc/passwd'" in refusal(packed)


def test_hard_link_that_leaves_the_archive_is_refused(path: Path) -> None:
    what = refusal(pack(path, hard_link("demo/l", "demo/../../a")))

    assert "has the path 'demo/../../a', which leaves it" in what


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_device_is_refused(path: Path, kind: bytes) -> None:
    what = refusal(pack(path, member("demo/null", type=kind)))

    assert "has 'demo/null', which is neither file, folder nor link" in what


def test_name_that_comes_twice_is_refused(path: Path) -> None:
    what = refusal(pack(path, member("demo/a", b"1"), member("./demo/a", b"2")))

    assert "names 'a' twice" in what


def test_file_outside_the_top_folder_is_refused(path: Path) -> None:
    what = refusal(pack(path, member("setup.py", b"1")))

    assert "has the file 'setup.py' outside its top folder" in what


def test_too_many_members_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_ENTRIES", 2)
    packed = pack(path, *(member(f"demo/{each}") for each in "abc"))

    assert "is larger than any source release should be" in refusal(packed)


def test_members_at_the_bounds_are_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_ENTRIES", 2)
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 10)
    pack(path, member("demo/a", b"12345"), member("demo/b", b"12345"))

    assert len(list(read_sdist(path, WHERE))) == 2


def test_sizes_are_summed_and_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 10)
    packed = pack(path, member("demo/a", b"123456"), member("demo/b", b"12345"))

    assert "is larger than any source release should be" in refusal(packed)


def test_bomb_is_refused_by_its_header_alone(path: Path) -> None:
    info, _ = member("demo/zeros")
    info.size = archive.MAX_TOTAL_BYTES + 1
    path.write_bytes(gzip.compress(info.tobuf()))

    assert "is larger than any source release should be" in refusal(path)


def test_truncated_archive_is_refused(path: Path) -> None:
    whole = pack(path, member("demo/a", bytes(range(256)) * 200)).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])

    assert refusal(path).startswith("The release archive is damaged: ")


def test_truncated_tar_in_a_whole_gzip_is_refused(path: Path) -> None:
    plain = gzip.decompress(pack(path, member("demo/a", b"x" * 5000)).read_bytes())
    path.write_bytes(gzip.compress(plain[:3000]))

    assert refusal(path).startswith("The release archive is damaged: ")


def test_flipped_bytes_are_refused(path: Path) -> None:
    whole = bytearray(pack(path, member("demo/a", bytes(range(256)) * 200)).read_bytes())
    whole[20:200] = b"\xff" * 180
    path.write_bytes(whole)

    assert refusal(path).startswith("The release archive is damaged: ")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 a zip", gzip.compress(b"no tar" * 200)])
def test_file_that_is_no_archive_is_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)

    assert refusal(path).startswith("The release archive is damaged: ")


def test_nothing_is_unpacked(path: Path) -> None:
    pack(path, member("demo/a", b"1"))
    list(read_sdist(path, WHERE))

    assert list(path.parent.iterdir()) == [path]

import gzip
import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from common.errors import ProvenderError
from common.hashing import git_object
from corpus.snapshots import archive
from corpus.snapshots.archive import ArchiveTree
from corpus.snapshots.tree import LINK, Entry
from tests.corpus.snapshots.repository import Repository

WHERE = "source demo"
BLOCK = 512


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


def extended(kind: bytes, body: bytes) -> bytes:
    """The blocks of an extended header, however senseless."""
    info, _ = member("header", body, type=kind)
    return info.tobuf(tarfile.USTAR_FORMAT) + body.ljust(-(-len(body) // BLOCK) * BLOCK, b"\0")


def pack_raw(path: Path, *blocks: bytes) -> Path:
    path.write_bytes(gzip.compress(b"".join(blocks) + bytes(2 * BLOCK), compresslevel=1))
    return path


def opened(path: Path) -> ArchiveTree:
    return ArchiveTree(path, "r1", "pkg:pypi/demo@1.0", WHERE)


def files(path: Path) -> dict[str, bytes | None]:
    """What of an archive is no link, by path."""
    found = opened(path)
    contents = dict(found.contents({entry.blob for entry in found.entries}))
    return {entry.path: contents[entry.blob] for entry in found.entries if entry.mode != LINK}


def refusal(path: Path) -> str:
    with pytest.raises(ProvenderError) as caught:
        opened(path)
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

    assert opened(path).entries == [
        Entry("PKG-INFO", "100644", git_object("blob", b"Name: demo")),
        Entry("src/lib.rs", "100644", git_object("blob", b"fn f() {}")),
        Entry("run.sh", "100755", git_object("blob", b"")),
    ]
    assert files(path) == {"PKG-INFO": b"Name: demo", "src/lib.rs": b"fn f() {}", "run.sh": b""}


def test_anchor_is_the_tree_as_git_would_write_it(path: Path, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    repository.write("src/lib.rs", "fn f() {}")
    (repository.folder / "link").symlink_to("src/lib.rs")
    repository.commit()
    pack(path, member("demo/src/lib.rs", b"fn f() {}"), link("demo/link", "src/lib.rs"))

    found = opened(path)
    assert found.tree == repository.tree()
    assert (found.revision, found.origin) == ("r1", "pkg:pypi/demo@1.0")
    assert found.anchor == f"swh:1:dir:{repository.tree()}"


def test_only_what_is_asked_for_is_read(path: Path) -> None:
    pack(path, member("demo/a", b"1"), member("demo/b", b"2"), member("demo/c", b"2"))
    wanted = git_object("blob", b"2")

    assert list(opened(path).contents({wanted})) == [(wanted, b"2")]
    assert list(opened(path).contents(set())) == []


def test_file_over_the_bound_is_listed_without_its_bytes(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_FILE_BYTES", 10)
    monkeypatch.setattr(archive, "_CHUNK", 4)
    pack(path, member("demo/large", b"x" * 11), member("demo/bound", b"y" * 10))

    found = opened(path)
    large, bound = git_object("blob", b"x" * 11), git_object("blob", b"y" * 10)
    assert [entry.blob for entry in found.entries] == [large, bound]
    assert dict(found.contents({large, bound})) == {large: None, bound: b"y" * 10}


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_format_is_read(path: Path, form: int) -> None:
    with tarfile.open(path, "w:gz", format=form) as tar:
        info, data = member("demo/" + "d" * 90 + "/" + "n" * 60, b"1")
        tar.addfile(info, io.BytesIO(data))

    assert files(path) == {"d" * 90 + "/" + "n" * 60: b"1"}


@pytest.mark.parametrize("name", ["caf\udce9.rs", "a\nb.rs", "a\tb.rs", "∀.rs"])
def test_odd_name_is_listed_as_it_is(path: Path, name: str) -> None:
    assert files(pack(path, member(f"demo/{name}", b"1"))) == {name: b"1"}


def test_names_that_differ_by_case_are_two(path: Path) -> None:
    pack(path, member("demo/a.rs", b"1"), member("demo/A.rs", b"2"))

    assert files(path) == {"a.rs": b"1", "A.rs": b"2"}


def test_leading_dot_folder_is_ignored(path: Path) -> None:
    assert files(pack(path, member("./demo-1.0/a", b"1"))) == {"a": b"1"}


def test_empty_archive_has_no_files(path: Path) -> None:
    assert opened(pack(path)).entries == []


def test_link_is_recorded_and_not_followed(path: Path) -> None:
    pack(path, member("demo/src/a", b"1"), link("demo/src/b", "../src/a"))

    assert opened(path).entries[1] == Entry("src/b", LINK, git_object("blob", b"../src/a"))


def test_hard_link_is_recorded_and_not_followed(path: Path) -> None:
    pack(path, member("demo/a", b"1"), hard_link("demo/b", "demo/a"))

    assert opened(path).entries[1] == Entry("b", LINK, git_object("blob", b"demo/a"))


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
    monkeypatch.setattr(archive, "MAX_FILES", 2)
    packed = pack(path, *(member(f"demo/{each}") for each in "abc"))

    assert "is larger than any source release should be" in refusal(packed)


def test_members_at_the_bounds_are_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_FILES", 2)
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 10)
    pack(path, member("demo/a", b"12345"), member("demo/b", b"12345"))

    assert files(path) == {"a": b"12345", "b": b"12345"}


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


@pytest.mark.parametrize(
    "data",
    [b"", b"PK\x03\x04 a zip", gzip.compress(b"no tar" * 200, mtime=0)],
    ids=["empty", "zip", "gzip"],  # bytes as a name would hold gzip's clock
)
def test_file_that_is_no_archive_is_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)

    assert refusal(path).startswith("The release archive is damaged: ")


def test_nothing_is_unpacked(path: Path) -> None:
    pack(path, member("demo/a", b"1"))
    files(path)

    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("names", [("a", "a/b"), ("a/b", "a")])
def test_name_that_is_file_and_folder_is_refused(path: Path, names: tuple[str, ...]) -> None:
    packed = pack(path, *(member(f"demo/{name}", b"1") for name in names))

    assert "is both a file and a folder" in refusal(packed)


def test_file_that_lies_too_deep_is_refused(path: Path) -> None:
    packed = pack(path, member("demo/" + "d/" * 5000 + "f", b"1"))

    assert refusal(packed) == "A file lies 5000 folders deep."


def test_stream_that_outgrows_the_bound_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 1 << 20)
    monkeypatch.setattr(archive, "_SLACK_BYTES", 0)
    pack_raw(path, *[extended(tarfile.XHDTYPE, b"11 comment=" + bytes(1 << 19))] * 3)

    assert "unpacks to more than any source release should" in refusal(path)


@pytest.mark.parametrize(
    "kind",
    [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK],
)
def test_extended_header_is_bounded_before_it_is_read(path: Path, kind: bytes) -> None:
    info, _ = member("header", type=kind)
    info.size = archive._MAX_HEADER_BYTES + 1
    pack_raw(path, info.tobuf())

    assert refusal(path) == (
        "The release archive is damaged: a header says that it is of no sensible size."
    )


def test_negative_size_is_refused(path: Path) -> None:
    info, _ = member("demo/a")
    info.size = -BLOCK
    pack_raw(path, info.tobuf(tarfile.GNU_FORMAT))

    assert "no sensible size" in refusal(path)


@pytest.mark.parametrize(
    "blocks",
    [
        pytest.param(extended(tarfile.XHDTYPE, b"12 path=d/a\n") * 2000, id="chain of PAX headers"),
        pytest.param(extended(tarfile.GNUTYPE_LONGNAME, b"d/a\0") * 2000, id="chain of GNU names"),
        pytest.param(extended(tarfile.XHDTYPE, b"23 GNU.sparse.size=abc\n"), id="no number"),
        pytest.param(extended(tarfile.XHDTYPE, b"0 a=b\n"), id="record without length"),
        pytest.param(extended(tarfile.XHDTYPE, b"14 size=-1000\n"), id="negative PAX size"),
    ],
)
def test_senseless_extended_header_is_refused(path: Path, blocks: bytes) -> None:
    info, _ = member("demo/a")
    pack_raw(path, blocks, info.tobuf())

    assert refusal(path).startswith("The release archive is damaged: ")


def test_archive_that_changed_after_it_was_listed_is_refused(path: Path) -> None:
    found = opened(pack(path, member("demo/a", b"x" * 5000)))
    path.write_bytes(path.read_bytes()[:-60])

    with pytest.raises(ProvenderError, match="archive is damaged"):
        list(found.contents({found.entries[0].blob}))

import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from common.errors import ProvenderError
from corpus.snapshots import store as storing
from corpus.snapshots.store import BlobStore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
def store(folder: Path) -> BlobStore:
    return BlobStore(folder)


def blob(number: int) -> str:
    return f"{number:040x}"


def parts(folder: Path) -> list[list[str]]:
    found = sorted(folder.iterdir()) if folder.exists() else []
    return [pq.read_table(part)["blob_sha"].to_pylist() for part in found]


def test_store_that_is_not_there_is_empty(store: BlobStore, folder: Path) -> None:
    assert store.sizes() == {}
    assert list(store.read([blob(1)])) == []
    store.sweep([])
    assert not folder.exists()


def test_bytes_come_back_as_they_were(store: BlobStore) -> None:
    kept = {blob(1): b"", blob(2): b"\0\xff\r\n", blob(3): "∀".encode() * 1000}
    store.add(kept.items())

    assert dict(store.read(kept)) == kept
    assert store.sizes() == {blob(1): 0, blob(2): 4, blob(3): 3000}


def test_only_what_is_asked_for_comes_back(store: BlobStore) -> None:
    store.add((blob(number), b"%d" % number) for number in range(5))

    assert list(store.read([blob(3), blob(9), blob(1)])) == [(blob(1), b"1"), (blob(3), b"3")]


def test_each_addition_is_one_part(store: BlobStore, folder: Path) -> None:
    store.add([(blob(1), b"1")])
    store.add([(blob(2), b"2"), (blob(3), b"3")])

    assert parts(folder) == [[blob(1)], [blob(2), blob(3)]]
    assert [path.name for path in sorted(folder.iterdir())] == [
        "part-00000.parquet",
        "part-00001.parquet",
    ]


def test_adding_nothing_makes_no_part(store: BlobStore, folder: Path) -> None:
    store.add([])

    assert not folder.exists()


def test_large_additions_are_written_a_few_megabytes_at_a_time(
    store: BlobStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "_GROUP_BYTES", 10)
    kept = {blob(number): bytes([number]) * 6 for number in range(5)}
    store.add(kept.items())

    (part,) = folder.iterdir()
    with pq.ParquetFile(part) as file:
        assert [file.metadata.row_group(group).num_rows for group in range(3)] == [2, 2, 1]
    assert dict(store.read(kept)) == kept
    assert list(store.read([blob(4)])) == [(blob(4), b"\4" * 6)]


def test_addition_that_breaks_off_leaves_nothing(store: BlobStore, folder: Path) -> None:
    def broken() -> Iterator[tuple[str, bytes]]:
        yield blob(2), b"2"
        raise ProvenderError("It broke.", where="here", remedy="None.")

    store.add([(blob(1), b"1")])
    with pytest.raises(ProvenderError, match="It broke"):
        store.add(broken())

    assert [path.name for path in folder.iterdir()] == ["part-00000.parquet"]
    assert store.sizes() == {blob(1): 1}


def test_blob_in_two_parts_comes_once(store: BlobStore) -> None:
    # As after a sweep that was killed between its new part and the old ones.
    store.add([(blob(1), b"1"), (blob(2), b"2")])
    store.add([(blob(1), b"1")])

    assert list(store.read([blob(1), blob(2)])) == [(blob(1), b"1"), (blob(2), b"2")]
    store.sweep([blob(1)], force=True)
    assert store.sizes() == {blob(1): 1}


def test_half_of_the_store_may_be_dead(store: BlobStore, folder: Path) -> None:
    store.add((blob(number), b"x") for number in range(4))

    store.sweep([blob(0), blob(1)])
    assert len(store.sizes()) == 4
    store.sweep([blob(1)])
    assert parts(folder) == [[blob(1)]]


def test_forced_sweep_forgets_the_smallest_part(store: BlobStore, folder: Path) -> None:
    store.add((blob(number), b"x") for number in range(9))
    store.sweep([blob(number) for number in range(8)], force=True)

    assert parts(folder) == [[blob(number) for number in range(8)]]


def test_forced_sweep_of_what_lives_writes_nothing(store: BlobStore, folder: Path) -> None:
    store.add([(blob(1), b"1")])
    before = next(folder.iterdir()).stat()
    store.sweep([blob(1), blob(2)], force=True)

    after = next(folder.iterdir()).stat()
    assert (after.st_ino, after.st_mtime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
    )  # read it may be


def test_sweep_of_everything_leaves_no_part(store: BlobStore, folder: Path) -> None:
    store.add([(blob(1), b"1")])
    store.sweep([])

    assert parts(folder) == []
    assert store.sizes() == {}


def test_many_parts_become_one(store: BlobStore, folder: Path) -> None:
    for number in range(17):
        store.add([(blob(number), b"%d" % number)])
        store.sweep([blob(each) for each in range(number + 1)])

    assert parts(folder) == [[blob(number) for number in range(17)]]


def test_part_after_a_sweep_has_a_name_of_its_own(store: BlobStore, folder: Path) -> None:
    store.add([(blob(1), b"1"), (blob(2), b"2"), (blob(3), b"3")])
    store.sweep([blob(1)])
    store.add([(blob(4), b"4")])

    assert parts(folder) == [[blob(1)], [blob(4)]]


@pytest.mark.parametrize("damage", ["emptied", "cut", "no Parquet", "head", "middle", "foot"])
def test_damaged_part_is_told(store: BlobStore, folder: Path, damage: str) -> None:
    wanted = [blob(number) for number in range(50)]
    noise = random.Random(1)  # so that the middle lies in the bytes, not in what describes them
    store.add((each, noise.randbytes(2000)) for each in wanted)
    (part,) = folder.iterdir()
    data = part.read_bytes()
    places = {"head": 10, "middle": len(data) // 2, "foot": len(data) - 300}
    if damage in places:
        place = places[damage]
        torn = bytes(byte ^ 0xFF for byte in data[place : place + 40])
        data = data[:place] + torn + data[place + 40 :]
    part.write_bytes(
        {"emptied": b"", "cut": data[:-100], "no Parquet": b"x" * 500}.get(damage, data)
    )

    def use() -> None:
        store.sizes()
        list(store.read(wanted))

    with pytest.raises(ProvenderError, match="This part of the blob store is damaged") as caught:
        use()
    assert caught.value.where == str(part)
    assert caught.value.remedy == "Delete the folder around it and materialize `repos` again."


def test_store_is_opened_by_plain_parquet(store: BlobStore, folder: Path) -> None:
    store.add([(blob(1), b"fn f() {}")])

    assert pq.read_table(next(folder.iterdir())).to_pylist() == [
        {"blob_sha": blob(1), "size": 9, "content": b"fn f() {}"}
    ]

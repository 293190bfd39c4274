"""A lake on S3 as several machines use it, over a real server, and over a network that fails."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import polars as pl
import pyarrow as pa
import pytest

from common.errors import ProvenderError
from resources import objects
from resources.lake import Lake
from tests.s3 import Fault, Kind, Proxy

SCHEMA = pa.schema([pa.field("name", pa.string(), nullable=False)])
TABLE = ("things", "source=a", "data.parquet")
MODEL = ("models", "model")

Machine = Callable[[str], Lake]


@pytest.fixture
def machine(s3_bucket: str, tmp_path: Path) -> Machine:
    """Lakes that share one place and nothing else."""
    return lambda name: Lake(root=f"{s3_bucket}/lake", copy_root=str(tmp_path / name))


@pytest.fixture
def proxy(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """What stands between the lakes of a test and their server; they try a request three times."""
    monkeypatch.setattr(objects, "_ATTEMPTS", 3)
    with Proxy(s3_endpoint).running() as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", running.url)
        yield running


def rows(*names: str) -> pl.DataFrame:
    return pl.DataFrame({"name": list(names)}, schema={"name": pl.String})


def names(lake: Lake) -> list[str]:
    return lake.read(*TABLE)["name"].to_list()


def write(lake: Lake, *of: str) -> None:
    lake.write(rows(*of), SCHEMA, *TABLE, fingerprint="-".join(of))


def fill(lake: Lake, **files: bytes) -> Path:
    """A model of these files, not published yet."""
    folder = lake.path(*MODEL)
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in files.items():
        place = folder / name.replace("__", "/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return folder


def held(lake: Lake) -> dict[str, bytes]:
    folder = lake.path(*MODEL)
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def stored_names(bucket: str) -> list[str]:
    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"])
    found = client.list_objects_v2(Bucket=urlsplit(bucket).netloc)
    return sorted(each["Key"] for each in found.get("Contents", ()))


def test_what_one_machine_writes_another_reads(machine: Machine) -> None:
    write(machine("a"), "one")
    assert names(machine("b")) == ["one"]
    write(machine("b"), "two")
    assert names(machine("a")) == ["two"]


def test_a_table_is_one_object_at_its_own_place(machine: Machine, s3_bucket: str) -> None:
    lake = machine("a")
    write(lake, "one")
    assert stored_names(s3_bucket) == ["lake/things/source=a/data.parquet"]
    assert lake.uri(*TABLE) == f"{s3_bucket}/lake/things/source=a/data.parquet"


def test_what_is_known_of_a_table_is_asked_without_fetching_it(
    machine: Machine, proxy: Proxy
) -> None:
    write(machine("a"), "one", "two")
    proxy.asked.clear()
    stored = machine("b").stored(*TABLE)
    assert stored is not None
    assert (stored.fingerprint, stored.rows) == ("one-two", 2)
    assert [method for method, _ in proxy.asked] == ["HEAD"]
    assert not machine("b").path().exists()


def test_a_table_is_fetched_once_and_again_when_it_has_changed(
    machine: Machine, proxy: Proxy
) -> None:
    a, b = machine("a"), machine("b")
    write(a, "one")
    assert names(b) == ["one"]
    proxy.asked.clear()
    assert names(b) == ["one"]
    assert {method for method, _ in proxy.asked} == {"HEAD"}
    write(a, "two")
    assert names(b) == ["two"]


def test_a_table_that_others_deleted_is_gone(machine: Machine) -> None:
    a, b = machine("a"), machine("b")
    write(a, "one")
    assert names(b) == ["one"]
    a.remove(*TABLE)
    assert not a.exists(*TABLE)
    with pytest.raises(ProvenderError, match="does not exist yet"):
        b.read(*TABLE)


def test_a_copy_that_was_changed_by_hand_is_fetched_again(machine: Machine) -> None:
    lake = machine("a")
    write(lake, "one")
    lake.path(*TABLE).write_bytes(b"half of it")
    assert names(lake) == ["one"]


def test_every_table_of_a_kind_is_found(machine: Machine) -> None:
    a = machine("a")
    for source in ("x", "y"):
        place = ("things", f"source={source}", "data.parquet")
        a.write(rows(source), SCHEMA, *place, fingerprint="")
    a.write(rows("other"), SCHEMA, "things", "beside.parquet", fingerprint="")
    assert machine("b").read_every("things", SCHEMA)["name"].to_list() == ["x", "y"]


def test_touching_makes_a_table_of_now_and_leaves_its_rows(machine: Machine) -> None:
    a = machine("a")
    write(a, "one")
    stored, before = a.stored(*TABLE), a.changed(*TABLE)
    a.touch(*TABLE)
    assert a.changed(*TABLE) >= before
    assert (a.stored(*TABLE), names(machine("b"))) == (stored, ["one"])


def test_a_folder_comes_over_whole(machine: Machine) -> None:
    fill(machine("a"), config=b"1", sub__weights=bytes(range(256)) * 50_000)
    machine("a").publish(*MODEL)
    assert held(machine("b")) == {"config": b"1", "sub/weights": bytes(range(256)) * 50_000}
    assert [path.name for path in machine("c").every("models", "*/config")] == ["config"]


def test_of_a_folder_only_what_changed_goes_over(machine: Machine, proxy: Proxy) -> None:
    a, b = machine("a"), machine("b")
    fill(a, config=b"1", weights=b"many")
    a.publish(*MODEL)
    held(b)
    fill(a, config=b"2", weights=b"many")
    proxy.asked.clear()
    a.publish(*MODEL)
    assert held(b) == {"config": b"2", "weights": b"many"}
    assert not [path for _, path in proxy.asked if path.endswith("/weights")]


def test_what_a_folder_no_longer_has_is_gone_everywhere(machine: Machine, s3_bucket: str) -> None:
    a, b = machine("a"), machine("b")
    fill(a, config=b"1", weights=b"many")
    a.publish(*MODEL)
    held(b)
    fill(a, config=b"1")
    a.publish(*MODEL)
    assert held(b) == {"config": b"1"}
    left = {name.rpartition("/")[2] for name in stored_names(s3_bucket)}
    assert (left, len(stored_names(s3_bucket))) == ({"config", "_files.json"}, 2)


def test_publishing_twice_asks_nothing(machine: Machine, proxy: Proxy) -> None:
    lake = machine("a")
    fill(lake, config=b"1")
    lake.publish(*MODEL)
    proxy.asked.clear()
    lake.publish(*MODEL)
    assert proxy.asked == []


def test_a_model_that_could_not_be_published_is_kept_until_it_is(
    machine: Machine, proxy: Proxy
) -> None:
    a = machine("a")
    fill(a, weights=b"before")
    a.publish(*MODEL)
    fill(a, weights=b"hours of work")
    proxy.faults.append(Fault("unavailable", "PUT", "/weights", times=99))
    with pytest.raises(ProvenderError, match="run again"):
        a.publish(*MODEL)
    assert held(machine("b")) == {"weights": b"before"}
    assert held(a) == {"weights": b"hours of work"}
    proxy.faults.clear()
    a.publish(*MODEL)
    assert held(machine("b")) == {"weights": b"hours of work"}


def test_of_two_publishers_the_last_one_wins_whole(machine: Machine, s3_bucket: str) -> None:
    a, b = machine("a"), machine("b")
    fill(a, config=b"1", weights=b"first")
    a.publish(*MODEL)
    held(b)
    fill(a, config=b"2", weights=b"of a")
    fill(b, config=b"1", weights=b"of b")
    a.publish(*MODEL)
    b.publish(*MODEL)
    assert held(machine("c")) == {"config": b"1", "weights": b"of b"}
    assert len(stored_names(s3_bucket)) == 3


def test_a_manifest_put_at_the_same_time_is_not_overwritten(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = machine("a"), machine("b")
    fill(a, config=b"1", weights=b"first")
    a.publish(*MODEL)
    held(b)
    fill(b, config=b"1", weights=b"of b")
    put, met = objects.Objects.put_text, []

    def late(self: objects.Objects, key: objects.Key, text: str, etag: str) -> bool:
        if not met:
            met.append(True)
            fill(a, config=b"other", weights=b"of a")
            a.publish(*MODEL)
        return put(self, key, text, etag)

    monkeypatch.setattr(objects.Objects, "put_text", late)
    b.publish(*MODEL)
    # The file that both manifests named was swept by the one in between, and put again.
    assert held(machine("c")) == {"config": b"1", "weights": b"of b"}


@pytest.mark.parametrize("name", ["../out", "/etc/out"])
def test_a_manifest_that_leaves_its_folder_is_refused(
    machine: Machine, s3_bucket: str, name: str
) -> None:
    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"])
    client.put_object(
        Bucket=urlsplit(s3_bucket).netloc,
        Key="lake/models/model/_files.json",
        Body=f'{{"{name}": {{"sha256": "a", "size": 1, "object": "b/c"}}}}'.encode(),
    )
    with pytest.raises(ProvenderError, match="outside of its folder"):
        machine("a").path(*MODEL)


@pytest.mark.parametrize("kind", ["unavailable", "slow", "reset", "short", "changed"])
def test_a_table_is_fetched_whole_over_a_bad_network(
    machine: Machine, proxy: Proxy, kind: Kind
) -> None:
    write(machine("a"), *map(str, range(10_000)))
    proxy.faults.append(Fault(kind, "GET", "data.parquet"))
    assert names(machine("b")) == list(map(str, range(10_000)))
    assert proxy.faults[0].times == 0


@pytest.mark.parametrize("kind", ["unavailable", "slow", "reset"])
def test_a_table_is_written_whole_over_a_bad_network(
    machine: Machine, proxy: Proxy, kind: Kind
) -> None:
    proxy.faults.append(Fault(kind, "PUT", "data.parquet"))
    write(machine("a"), *map(str, range(10_000)))
    assert names(machine("b")) == list(map(str, range(10_000)))
    assert proxy.faults[0].times == 0


@pytest.mark.parametrize("kind", ["unavailable", "reset"])
def test_a_network_that_stays_bad_leaves_the_table_as_it_was(
    machine: Machine, proxy: Proxy, kind: Kind
) -> None:
    a = machine("a")
    write(a, "before")
    proxy.faults.append(Fault(kind, "PUT", "data.parquet", times=99))
    with pytest.raises(ProvenderError, match="Nothing was half written") as told:
        write(a, "after")
    assert told.value.passing
    proxy.faults.clear()
    assert (names(a), names(machine("b"))) == (["before"], ["before"])
    assert not list(a.path("things").rglob("*.tmp"))


def test_an_object_that_never_comes_whole_is_named(machine: Machine, proxy: Proxy) -> None:
    write(machine("a"), "one")
    proxy.faults.append(Fault("changed", "GET", "data.parquet", times=99))
    with pytest.raises(ProvenderError, match=r"s3://.*data\.parquet: This was not whole each time"):
        machine("b").read(*TABLE)
    assert not machine("b").path("things", "source=a").joinpath("data.parquet").exists()


def test_a_large_file_goes_in_parts_and_a_lost_part_again(
    machine: Machine, proxy: Proxy, s3_bucket: str
) -> None:
    content = os.urandom(20 << 20)
    fill(machine("a"), weights=content)
    proxy.faults += [Fault("reset", "PUT", "/weights"), Fault("reset", "GET", "/weights")]
    machine("a").publish(*MODEL)
    assert held(machine("b")) == {"weights": content}
    assert [fault.times for fault in proxy.faults] == [0, 0]
    assert [m for m, path in proxy.asked if path.endswith("/weights")].count("POST") == 2
    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"])
    assert "Uploads" not in client.list_multipart_uploads(Bucket=urlsplit(s3_bucket).netloc)


def test_what_others_put_without_a_hash_is_read_by_its_etag(
    machine: Machine, s3_bucket: str
) -> None:
    write(machine("a"), "one")
    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"])
    bucket = urlsplit(s3_bucket).netloc
    source = {"Bucket": bucket, "Key": "lake/things/source=a/data.parquet"}
    copied = "lake/things/source=b/data.parquet"
    client.copy_object(
        Bucket=bucket, Key=copied, CopySource=source, MetadataDirective="REPLACE", Metadata={}
    )
    place = ("things", "source=b", "data.parquet")
    stored = machine("b").stored(*place)
    assert stored is not None
    assert (stored.fingerprint, stored.rows) == ("one", 1)
    assert machine("b").read(*place)["name"].to_list() == ["one"]


def test_each_machine_has_its_own_downloads_and_database(machine: Machine, proxy: Proxy) -> None:
    lake = machine("a")
    assert lake.uri("mlflow", "mlflow.db") == str(lake.path("mlflow", "mlflow.db"))
    assert lake.path("cache") == lake.path() / "cache"
    assert proxy.asked == []


def test_a_bucket_that_is_not_there_is_named(
    machine: Machine, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(root=f"{s3_bucket}-not/lake", copy_root=machine("a").copy_root)
    with pytest.raises(ProvenderError, match="There is no bucket"):
        lake.check_writable()
    machine("a").check_writable()
    assert stored_names(s3_bucket) == []
    with pytest.raises(ProvenderError, match="names no bucket"):
        Lake(root="s3://", copy_root=machine("a").copy_root).stored("a")


def test_a_server_that_is_not_there_is_told_in_one_message(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "_ATTEMPTS", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with pytest.raises(ProvenderError, match="does not answer as it should") as told:
        machine("a").stored(*TABLE)
    assert told.value.passing


def test_missing_credentials_are_told(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    from resources.shared import shared

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    shared.cache_clear()
    with pytest.raises(ProvenderError, match="No credentials") as told:
        machine("a").stored(*TABLE)
    assert not told.value.passing
    shared.cache_clear()

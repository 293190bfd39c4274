"""The lake: whole tables with their fingerprints, and clear words about what is not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from common.errors import ProvenderError
from resources.lake import Lake

SCHEMA = pa.schema([pa.field("name", pa.string(), nullable=False), pa.field("size", pa.int64())])
ROWS = pl.DataFrame(
    {"name": ["a", "b"], "size": [1, None]}, schema={"name": pl.String, "size": pl.Int64}
)


@pytest.fixture(params=["folder", "s3"])
def lake(tmp_path: Path, request: pytest.FixtureRequest) -> Lake:
    if request.param == "s3":
        bucket = request.getfixturevalue("s3_bucket")
        return Lake(root=f"{bucket}/some/lake", copy_root=str(tmp_path / "copy"))
    return Lake(root=str(tmp_path / "lake"))


def test_a_table_is_read_as_it_was_written(lake: Lake) -> None:
    stored = lake.write(ROWS, SCHEMA, "things", "data.parquet", fingerprint="made from this")
    assert lake.read("things", "data.parquet").equals(ROWS)
    assert lake.stored("things", "data.parquet") == stored
    assert (stored.fingerprint, stored.rows) == ("made from this", 2)


def test_the_data_version_depends_on_the_rows_and_not_on_the_fingerprint(lake: Lake) -> None:
    first = lake.write(ROWS, SCHEMA, "a.parquet", fingerprint="one")
    same = lake.write(
        pl.concat([ROWS.head(1), ROWS.tail(1)]), SCHEMA, "b.parquet", fingerprint="two"
    )
    other = lake.write(ROWS.head(1), SCHEMA, "c.parquet", fingerprint="one")
    assert first.data_version == same.data_version
    assert first.data_version != other.data_version


def test_rows_that_break_the_schema_leave_the_old_table(lake: Lake) -> None:
    lake.write(ROWS, SCHEMA, "a.parquet", fingerprint="one")
    with pytest.raises(ProvenderError, match="columns missing"):
        lake.write(ROWS.drop("size"), SCHEMA, "a.parquet", fingerprint="two")
    stored = lake.stored("a.parquet")
    assert stored is not None
    assert stored.fingerprint == "one"


def test_a_table_that_is_not_there_says_what_to_do(lake: Lake) -> None:
    assert lake.stored("none.parquet") is None
    with pytest.raises(ProvenderError, match="Materialize the asset that writes it first"):
        lake.read("none.parquet")


def test_a_damaged_table_is_named(lake: Lake) -> None:
    path = lake.path("a.parquet")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PAR1 this is none")
    lake.publish("a.parquet")
    with pytest.raises(ProvenderError, match="This table is damaged"):
        lake.stored("a.parquet")


def test_absent_tables_are_left_out_of_a_union(lake: Lake) -> None:
    lake.write(ROWS, SCHEMA, "a.parquet", fingerprint="one")
    assert lake.read_all([("a.parquet",), ("none.parquet",)], SCHEMA).equals(ROWS)
    assert lake.read_all([("none.parquet",)], SCHEMA).schema == ROWS.schema


def test_the_environment_names_the_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVENDER_LAKE", str(tmp_path))
    assert Lake().path("a", "b") == tmp_path / "a" / "b"


def test_equal_tables_are_equal_files(lake: Lake) -> None:
    lake.write(ROWS, SCHEMA, "a.parquet", fingerprint="one")
    lake.write(pl.concat([ROWS.head(1), ROWS.tail(1)]), SCHEMA, "b.parquet", fingerprint="one")
    assert lake.path("a.parquet").read_bytes() == lake.path("b.parquet").read_bytes()


def test_a_table_that_may_be_absent_is_read_where_it_is_there(lake: Lake) -> None:
    assert lake.read_if_there("a.parquet") is None
    lake.write(ROWS, SCHEMA, "a.parquet", fingerprint="one")
    found = lake.read_if_there("a.parquet")
    assert found is not None
    assert found.equals(ROWS)


def test_a_table_that_an_older_version_wrote_counts_as_absent(lake: Lake) -> None:
    lake.write(ROWS, SCHEMA, "a.parquet", fingerprint="one")
    newer = SCHEMA.append(pa.field("weight", pa.float32()))
    described = pa.schema([field.with_metadata({"description": "new"}) for field in SCHEMA])
    assert lake.read_if_there("a.parquet", schema=newer) is None
    assert lake.read_if_there("a.parquet", schema=described) is not None


def test_a_damaged_table_is_not_taken_for_an_absent_one(lake: Lake) -> None:
    path = lake.path("a.parquet")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PAR1 this is none")
    lake.publish("a.parquet")
    with pytest.raises(ProvenderError, match="This table is damaged"):
        lake.read_if_there("a.parquet")


def test_rows_of_every_source_are_read_in_the_order_of_their_names(lake: Lake) -> None:
    for name in ("two", "one"):
        rows = ROWS.with_columns(name=pl.lit(name))
        lake.write(rows, SCHEMA, "things", f"source={name}", "data.parquet", fingerprint=name)
    lake.write(ROWS, SCHEMA, "other", "source=three", "data.parquet", fingerprint="three")
    found = lake.read_every("things", SCHEMA)
    assert found["name"].to_list() == ["one", "one", "two", "two"]
    assert found.schema == ROWS.schema


def test_a_table_without_sources_is_empty(lake: Lake) -> None:
    found = lake.read_every("things", SCHEMA)
    assert found.height == 0
    assert found.schema == ROWS.schema


def test_each_source_has_bytes_of_its_own(lake: Lake) -> None:
    lake.blobs("one").add([("a" * 40, b"bytes")])
    assert list(lake.blobs("one").read(["a" * 40])) == [("a" * 40, b"bytes")]
    assert lake.blobs("two").sizes() == {}
    assert [each.parent for each in lake.path().rglob("*.parquet")] == [
        lake.path("blobs", "source=one")
    ]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda rows: rows.drop_columns("size"), "`size` is missing"),
        (
            lambda rows: rows.cast(SCHEMA.set(1, pa.field("size", pa.int32()))),
            "`size` is int32, not int64",
        ),
        (lambda rows: rows.append_column("more", [[1, 2]]), "`more` is unknown"),
        (lambda rows: rows.select(["size", "name"]), "their order differs"),
    ],
    ids=["missing", "retyped", "unknown", "order"],
)
def test_a_table_of_other_columns_is_named_before_any_is_read(
    lake: Lake, change: Callable[[pa.Table], pa.Table], fault: str
) -> None:
    lake.write(ROWS, SCHEMA, "good.parquet", fingerprint="one")
    pq.write_table(change(ROWS.to_arrow().cast(SCHEMA)), lake.path("bad.parquet"))
    with pytest.raises(ProvenderError, match=fault) as caught:
        lake.read_all([("good.parquet",), ("bad.parquet",)], SCHEMA)
    assert caught.value.where == str(lake.path("bad.parquet"))

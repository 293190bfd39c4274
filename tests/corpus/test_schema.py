import polars as pl
import pyarrow as pa
import pytest

from common.errors import ProvenderError
from corpus import schema
from tests.corpus import frames

TABLES = [
    pytest.param(getattr(schema, name), id=name)
    for name in dir(schema)
    if isinstance(getattr(schema, name), pa.Schema)
]


def drops(**columns: list) -> pl.DataFrame:
    frame = {"source": ["a"], "language": ["rust"], "pair_type": ["doc"], "reason": ["why"]}
    return pl.DataFrame({**frame, "pairs": [1], **columns})


@pytest.mark.parametrize("table", TABLES)
def test_every_column_is_described(table: pa.Schema) -> None:
    assert all((field.metadata or {}).get(b"description") for field in table)


@pytest.mark.parametrize("table", TABLES)
def test_empty_table_conforms(table: pa.Schema) -> None:
    found = schema.conform(schema.empty(table), table)

    assert found.num_rows == 0
    assert found.schema.equals(table, check_metadata=True)


def test_conform_puts_columns_into_order() -> None:
    shuffled = drops().select("pairs", "reason", "source", "language", "pair_type")

    assert schema.conform(shuffled, schema.DROPS).schema.names == schema.DROPS.names


def test_conform_casts_to_the_column_types() -> None:
    found = schema.conform(drops().cast({"pairs": pl.Int8}), schema.DROPS)

    assert found.schema.equals(schema.DROPS)
    assert found.to_pylist() == [
        {"source": "a", "language": "rust", "pair_type": "doc", "reason": "why", "pairs": 1}
    ]


def test_conform_keeps_allowed_nulls() -> None:
    found = schema.conform(frames.units({"license": None}), schema.UNITS)

    assert found["license"].to_pylist() == [None]


def test_missing_column_is_named() -> None:
    with pytest.raises(ProvenderError, match=r"columns missing: \['reason'\], unknown: \[\]"):
        schema.conform(drops().drop("reason"), schema.DROPS)


def test_unknown_column_is_named() -> None:
    with pytest.raises(ProvenderError, match=r"columns missing: \[\], unknown: \['extra'\]"):
        schema.conform(drops(extra=[1]), schema.DROPS)


def test_null_in_a_required_column_is_named() -> None:
    with pytest.raises(ProvenderError, match=r"columns hold nulls that may not: \['reason'\]"):
        schema.conform(drops(reason=[None]), schema.DROPS)

"""Pairs -> checkpoints. Pure: no Dagster, no Polars; reads Parquet with pyarrow, may use `evaluation`."""

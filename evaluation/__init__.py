"""Models + queries -> metrics and a report. Pure: no Dagster, no Polars; reads Parquet with pyarrow."""

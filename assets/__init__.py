"""Thin Dagster assets, one module a stage: read from the lake, call one function, write, report."""

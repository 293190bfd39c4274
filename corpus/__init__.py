"""Repositories -> snapshots -> files -> units -> pairs -> corpus.

Pure data work: no Dagster, no torch. Stages meet in the tables that `corpus.schema` describes.
"""

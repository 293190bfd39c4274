"""`datasets`: each named data set as Parquet and JSONL, with its card, Croissant metadata and notice."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import polars as pl

from assets.common import OWNERS, counts, describe, notice_of, of_source, told, versions
from assets.corpus import place_of
from common.atomic import write_json, write_text
from common.hashing import digest
from corpus import cards, schema
from corpus.datasets import VERSION, DataSet, out_of_reach, select, write_jsonl
from resources.lake import Lake, Stored
from resources.project import Project

names = dg.StaticPartitionsDefinition(list(Project().load_datasets().datasets))
"""One partition a named data set."""

_ENDINGS = ("jsonl", "md", "croissant.json", "NOTICE.md")
"""Of the files beside the Parquet file of a data set."""


@dg.asset(
    partitions_def=names,
    deps=["corpus"],
    group_name="datasets",
    kinds={"polars", "parquet"},
    owners=OWNERS,
    code_version=VERSION,
    output_required=False,
)
def datasets(
    context: dg.AssetExecutionContext, lake: Lake, project: Project
) -> Iterator[dg.MaterializeResult]:
    """The pairs of the corpus that one entry of `config/datasets.yaml` asks for."""
    name = context.partition_key
    with told():
        chosen, manifest = project.load_datasets().named(name), project.load_manifest()
        skipped = out_of_reach(chosen, manifest)
        made = None if skipped else _made(lake, name, chosen, manifest.names)
    if made is None:
        for path in (lake.path(*_place(name)), *_beside(lake, name).values()):
            path.unlink(missing_ok=True)
        context.log.warning(f"`{name}` is skipped: {skipped}.")
        context.log_event(dg.AssetObservation("datasets", partition=name, description=skipped))
        return
    stored, frame, unchanged = made
    yield dg.MaterializeResult(
        data_version=dg.DataVersion(stored.data_version),
        metadata={
            **describe(stored, frame, schema.CORPUS, unchanged=unchanged),
            "languages": counts(frame, "language", "dialect", "pair_type"),
            "mean_query_chars": cards.mean_chars(frame, "query"),
            "mean_code_chars": cards.mean_chars(frame, "positive"),
            **{end: dg.MetadataValue.path(path) for end, path in _beside(lake, name).items()},
        },
    )


def _made(
    lake: Lake, name: str, chosen: DataSet, sources: list[str]
) -> tuple[Stored, pl.DataFrame, bool]:
    """The data set's table, its rows, and whether it lay there already with all that is beside it."""
    splits = [place_of(split) for split in chosen.splits]
    listed = [of_source("files", source) for source in sources]
    fingerprint = digest(
        *(VERSION, schema.CORPUS.to_string(), chosen.model_dump()),
        *(versions(lake, *splits), versions(lake, *listed)),
    )
    beside = _beside(lake, name)
    stored = lake.stored(*_place(name))
    whole = all(path.is_file() for path in beside.values())
    if stored is not None and stored.fingerprint == fingerprint and whole:
        return stored, lake.read(*_place(name)), True
    frame = select(pl.concat([lake.read(*split) for split in splits]), chosen, name=name)
    write_jsonl(frame, beside["jsonl"])
    write_text(cards.card(name, chosen, frame), beside["md"])
    write_json(cards.croissant(name, chosen, frame, beside["jsonl"]), beside["croissant.json"])
    write_text(notice_of(lake, name, frame), beside["NOTICE.md"])
    # Last: its fingerprint says that the others are there, too.
    stored = lake.write(frame, schema.CORPUS, *_place(name), fingerprint=fingerprint)
    return stored, frame, False


def _place(name: str) -> tuple[str, ...]:
    return ("datasets", f"{name}.parquet")


def _beside(lake: Lake, name: str) -> dict[str, Path]:
    return {ending: lake.path("datasets", f"{name}.{ending}") for ending in _ENDINGS}

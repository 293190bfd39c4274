"""`datasets`: each named data set as Parquet and JSONL, with its card, Croissant metadata and notice."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import polars as pl

from assets.common import OWNERS, counts, describe, notice_of, of_source, told, versions
from assets.corpus import place_of
from common.atomic import write_json, write_text
from common.errors import ProvenderError
from common.hashing import digest
from corpus import cards, schema
from corpus.datasets import VERSION, DataSet, copies, out_of_reach, select, write_jsonl
from resources.lake import Lake, Stored
from resources.project import Project
from resources.tracking import Tracking

names = dg.StaticPartitionsDefinition(list(Project().load_datasets().datasets))
"""One partition a named data set."""

_ENDINGS = ("jsonl", "md", "croissant.json", "NOTICE.md")
"""Of the files beside the Parquet file of a data set."""


@dg.asset(
    partitions_def=names,
    deps=["corpus"],
    group_name="datasets",
    kinds={"polars", "parquet", "mlflow"},
    owners=OWNERS,
    code_version=VERSION,
    output_required=False,
)
def datasets(
    context: dg.AssetExecutionContext, lake: Lake, project: Project, tracking: Tracking
) -> Iterator[dg.MaterializeResult]:
    """The pairs of the corpus that one entry of `config/datasets.yaml` asks for."""
    name = context.partition_key
    with told():
        chosen, manifest = project.load_datasets().named(name), project.load_manifest()
        skipped = out_of_reach(chosen, manifest)
        made = None if skipped else _made(lake, name, chosen, manifest.names)
    if made is None:
        for place in places_of(name):
            lake.remove(*place)
        context.log.warning(f"`{name}` is skipped: {skipped}.")
        context.log_event(dg.AssetObservation("datasets", partition=name, description=skipped))
        return
    stored, frame, unchanged = made
    with told():
        link = tracking.registered(name, stored.data_version) or tracking.register(
            name, stored.data_version, stored.uri, schema.CORPUS, _profile(frame, chosen)
        )
    yield dg.MaterializeResult(
        data_version=dg.DataVersion(stored.data_version),
        metadata={
            **describe(stored, frame, schema.CORPUS, asset="datasets", unchanged=unchanged),
            "languages": counts(frame, "language", "dialect", "pair_type"),
            "mean_query_chars": cards.mean_chars(frame, "query"),
            "mean_code_chars": cards.mean_chars(frame, "positive"),
            **{
                end: dg.MetadataValue.path(lake.uri(*place)) for end, place in _beside(name).items()
            },
            "mlflow_run": dg.MetadataValue.url(link),
        },
    )


def current(lake: Lake, name: str, chosen: DataSet, sources: list[str]) -> Stored | None:
    """The table of the data set `name` if the corpus and `chosen` would give the same today, else null."""
    stored = lake.stored(*place_of_set(name))
    whole = all(lake.exists(*place) for place in places_of(name))
    fresh = stored is not None and stored.fingerprint == _fingerprint(lake, chosen, sources)
    return stored if whole and fresh else None


def to_train(lake: Lake, project: Project, name: str) -> Path:
    """The table of the data set `name`, of which a recipe wants to train.

    Raises:
        ProvenderError: there is none, it is held out, or it was not made from the corpus of today.
    """
    chosen, manifest = project.load_datasets().to_train(name), project.load_manifest()
    stored = current(lake, name, chosen, manifest.names)
    if stored is None:
        there = lake.exists(*place_of_set(name))
        raise ProvenderError(
            f"The data set `{name}` {'is older than the corpus' if there else 'was not made yet'}.",
            where=f"{project.curriculum_path()}: stages",
            remedy=f"Run `provender datasets {name}`, or its partition of the job `datasets`.",
        )
    return lake.path(*place_of_set(name))


def place_of_set(name: str) -> tuple[str, ...]:
    """Where the table of the data set `name` lies."""
    return ("datasets", f"{name}.parquet")


def places_of(name: str) -> list[tuple[str, ...]]:
    """Every file of the data set `name`."""
    return [place_of_set(name), *_beside(name).values()]


def _made(
    lake: Lake, name: str, chosen: DataSet, sources: list[str]
) -> tuple[Stored, pl.DataFrame, bool]:
    """The data set's table, its rows, and whether it lay there already with all that is beside it."""
    if stored := current(lake, name, chosen, sources):
        return stored, lake.read(*place_of_set(name)), True
    fingerprint = _fingerprint(lake, chosen, sources)
    corpus = pl.concat([lake.read(*place_of(split)) for split in dict.fromkeys(chosen.splits)])
    frame = select(corpus, chosen, name=name)
    beside = {ending: lake.path(*place) for ending, place in _beside(name).items()}
    write_jsonl(frame, beside["jsonl"], repeat=chosen.repeat_by_weight)
    write_text(cards.card(name, chosen, frame), beside["md"])
    write_json(cards.croissant(name, chosen, frame, beside["jsonl"]), beside["croissant.json"])
    write_text(notice_of(lake, name, frame), beside["NOTICE.md"])
    for place in _beside(name).values():
        lake.publish(*place)
    # Last: its fingerprint says that the others are there, too.
    stored = lake.write(frame, schema.CORPUS, *place_of_set(name), fingerprint=fingerprint)
    return stored, frame, False


def _fingerprint(lake: Lake, chosen: DataSet, sources: list[str]) -> str:
    """What a data set is made from: its settings, its splits, and the licences of all files."""
    splits = [place_of(split) for split in chosen.splits]
    listed = [of_source("files", source) for source in sources]
    return digest(
        *(VERSION, schema.CORPUS.to_string(), chosen.model_dump(mode="json")),
        *(versions(lake, *splits), versions(lake, *listed)),
    )


def _profile(frame: pl.DataFrame, chosen: DataSet) -> dict[str, int | dict[str, int]]:
    """The counts that MLflow shows of a data set."""
    lines = int(copies(frame).sum()) if chosen.repeat_by_weight else frame.height
    counted = {
        column: dict(frame.group_by(column).len().drop_nulls().sort(column).rows())
        for column in ("language", "dialect", "pair_type", "license_tier", "split")
    }
    return {"pairs": frame.height, "jsonl_lines": lines, **counted}


def _beside(name: str) -> dict[str, tuple[str, ...]]:
    return {ending: ("datasets", f"{name}.{ending}") for ending in _ENDINGS}

"""What every asset does alike: skip what is current, write a table, describe it to Dagster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg
import polars as pl
import pyarrow as pa

from assets.lineage import column_lineage
from common.errors import ProvenderError
from common.hashing import digest
from corpus.attribution import notice
from corpus.sources import Repository
from resources.lake import Lake, Stored
from resources.project import manifest_paths

OWNERS = ["team:provender"]
GIT, GPU = "git", "gpu"
"""Pools: what asks remote hosts, and what wants the accelerator for itself."""

sources = dg.DynamicPartitionsDefinition(name="+".join(path.stem for path in manifest_paths()))
"""One partition a source of the manifest that has files; `pipeline.partitions` keeps them in step.

Called by its manifests: who works with another one on the same Dagster instance has other partitions.
"""

_PREVIEW_ROWS, _PREVIEW_CHARS = 5, 70
_NOT_SHOWN = frozenset(
    """
    source revision blob_sha swhid unit_id pair_id cluster_id extractor builder rules domain category
    license license_tier file_context redacted states prose name start_line end_line
    """.split()
)
"""Columns that a preview leaves out where there are others: a person reads the rest."""


def of_source(table: str, source: str) -> tuple[str, ...]:
    """Where the rows of `source` lie in `table`."""
    return (*table.split("/"), f"source={source}", "data.parquet")


def produce(
    lake: Lake,
    place: tuple[str, ...],
    schema: pa.Schema,
    *,
    asset: str,
    fingerprint: str,
    make: Callable[[], pl.DataFrame],
    metadata: Callable[[pl.DataFrame], Mapping[str, Any]] = lambda _: {},
) -> dg.MaterializeResult:
    """Make the table at `place`, unless it was made from the same `fingerprint` before.

    Errors that a user can act on end the step with their message alone.
    """
    with told():
        fingerprint = with_columns(fingerprint, schema)
        stored = lake.stored(*place)
        unchanged = stored is not None and stored.fingerprint == fingerprint
        frame = lake.read(*place) if unchanged else make()
        if stored is None or not unchanged:
            stored = lake.write(frame, schema, *place, fingerprint=fingerprint)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(stored.data_version),
        # In the order in which its page shows them.
        metadata={
            **metadata(frame),
            **describe(stored, frame, schema, asset=asset, unchanged=unchanged),
        },
    )


def about(source: Repository) -> dict[str, str]:
    """What the manifest says of a source, for the pages of its partition."""
    return {
        "source": source.why or source.name,
        "kind": source.kind,
        "domain": source.domain,
        "expected_license": source.license or "none stated",
    }


def with_columns(fingerprint: str, schema: pa.Schema) -> str:
    """The fingerprint that `produce` stores: with other columns a table is another one."""
    return digest(fingerprint, schema.to_string())


def describe(
    stored: Stored, frame: pl.DataFrame, schema: pa.Schema, *, asset: str, unchanged: bool
) -> dict[str, Any]:
    """The metadata that Dagster's UI shows of the table of `asset`."""
    columns = [
        dg.TableColumn(
            name=field.name,
            type=str(field.type),
            description=(field.metadata or {}).get(b"description", b"").decode(),
            constraints=dg.TableColumnConstraints(nullable=field.nullable),
        )
        for field in schema
    ]
    return {
        "dagster/row_count": stored.rows,
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "dagster/column_lineage": column_lineage(asset),
        "dagster/uri": stored.uri,
        "unchanged": unchanged,
        "preview": dg.MetadataValue.md(preview(frame)),
    }


def preview(frame: pl.DataFrame) -> str:
    """Some rows as a Markdown table: the columns that a person reads and that differ, long values cut."""
    rows = frame.gather_every(max(1, frame.height // _PREVIEW_ROWS)).head(_PREVIEW_ROWS)
    flat = [name for name, kind in frame.schema.items() if not kind.is_nested()]
    read = [name for name in flat if name not in _NOT_SHOWN]
    telling = [name for name in read if rows.height < 2 or rows[name].n_unique() > 1]
    shown = telling or read or flat
    return markdown_table(shown, rows.select(shown).iter_rows())


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table; `no rows` where there is none."""
    lines = ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    if not lines:
        return "no rows"
    return "\n".join(["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns), *lines])


def _cell(value: Any) -> str:
    text = (
        f"{len(value)} bytes" if isinstance(value, bytes) else str("" if value is None else value)
    )
    text = " ".join(text.replace("|", "¦").split())
    return text if len(text) <= _PREVIEW_CHARS else text[:_PREVIEW_CHARS] + "…"


def counts(frame: pl.DataFrame, *columns: str) -> dg.MetadataValue:
    """How many rows each value of `columns` has, as a Markdown table."""
    found = frame.group_by(columns).len("rows").sort("rows", *columns, descending=True)
    return dg.MetadataValue.md(markdown_table(found.columns, found.iter_rows()))


def notice_of(lake: Lake, name: str, rows: pl.DataFrame) -> str:
    """The notice file of what was made from the files of `rows`, by the texts that the lake holds."""
    return notice(
        name,
        rows.unique(["source", "path", "blob_sha"], keep="first", maintain_order=True),
        lambda source: lake.read_if_there(*of_source("files", source)),
        lambda source, blobs: dict(lake.blobs(source).read(blobs)),
    )


def versions(lake: Lake, *places: tuple[str, ...]) -> str:
    """One hash over the data versions of the tables at `places`; absent ones count as absent."""
    found = lake.stored_all(places)
    return digest([each.data_version if each else None for each in found])


AGAIN = dg.RetryPolicy(
    max_retries=2, delay=60, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)
"""After the few tries that whatever failed has made itself: for a host that is down for minutes."""


@contextmanager
def told(*, again: dg.AssetExecutionContext | None = None) -> Iterator[None]:
    """Turns a ProvenderError into a Dagster failure that shows its message, without a traceback.

    What may be gone by then is tried again in the step `again`, as AGAIN says; a user's mistake never is. The
    asset has no policy of its own: with one, Dagster begins a step anew that somebody stops.
    """
    try:
        yield
    except ProvenderError as error:
        failure = dg.Failure(
            description=str(error),
            metadata={"what": error.what, "where": error.where, "remedy": error.remedy},
        )
        if again is not None and error.passing:
            pause_s = AGAIN.calculate_delay(again.retry_number + 1)
            raise dg.RetryRequested(AGAIN.max_retries, pause_s) from failure
        raise failure from None

"""Which columns of which assets each column comes from: what Dagster draws as column lineage."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import dagster as dg
import pyarrow as pa

from corpus import schema

_PAIRS = tuple(f"{kind}_pairs" for kind in ("doc", "path", "body", "readme", "proof"))

SCHEMAS: Mapping[str, pa.Schema] = MappingProxyType(
    {
        "repos": schema.SNAPSHOT,
        "files": schema.FILES,
        "units": schema.UNITS,
        "sections": schema.SECTIONS,
        **dict.fromkeys(_PAIRS, schema.PAIRS),
        "codesearchnet_pairs": schema.PAIRS,
        "corpus": schema.CORPUS,
        "datasets": schema.CORPUS,
    }
)
"""The columns of each asset that is a table of files, units or pairs."""

_UPSTREAM: Mapping[str, tuple[str, ...]] = {
    "files": ("repos",),
    "units": ("files",),
    "sections": ("files",),
    **dict.fromkeys(_PAIRS, ("units",)),
    "readme_pairs": ("units", "sections"),
    "corpus": (*_PAIRS, "codesearchnet_pairs"),
    "datasets": ("corpus",),
}
_BYTES = ("blob_sha",)
_FROM_UNITS = {
    "positive": ("code",),
    "doc_rest": ("doc", "prose"),
    "pair_id": ("code", "prose", "symbol"),
    "builder": ("extractor",),
}
_FROM: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "files": {"swhid": ("origin", "anchor", "path", "blob_sha")},
    "doc_pairs": {**_FROM_UNITS, "query": ("prose",), "query_kind": ("prose",)},
    "path_pairs": {**_FROM_UNITS, "query": ("path", "module", "symbol", "category")},
    "body_pairs": {**_FROM_UNITS, "query": ("code",)},
    "readme_pairs": {**_FROM_UNITS, "query": ("prose", "names", "links", "symbol")},
    "proof_pairs": {**_FROM_UNITS, "query": ("contracts", "attributes", "code", "signature")},
    "corpus": {
        "cluster_id": ("positive", "query"),
        "split": ("source",),
        "weight": ("source", "category", "domain"),
    },
}
"""Columns that are made of others. What is not here has its name from upstream, or is read from the bytes."""


def column_lineage(asset: str) -> dg.TableColumnLineage:
    """What each column of `asset` is made of, in the assets that it is made from."""
    made = _FROM.get(asset, {})
    return dg.TableColumnLineage(
        {
            column: _dependencies(asset, made.get(column, (column,)))
            or _dependencies(asset, _BYTES)
            for column in SCHEMAS[asset].names
        }
    )


def _dependencies(asset: str, columns: tuple[str, ...]) -> list[dg.TableColumnDep]:
    return [
        dg.TableColumnDep(asset_key=dg.AssetKey(each), column_name=column)
        for each in _UPSTREAM.get(asset, ())
        for column in columns
        if column in SCHEMAS[each].names
    ]

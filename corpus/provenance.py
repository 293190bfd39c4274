"""Where a row comes from, as a SWHID that anybody can resolve (SWHID 1.2, ISO/IEC 18670)."""

from __future__ import annotations

import polars as pl


def swhid(
    blob: str, origin: str, anchor: str, path: str, lines: tuple[int, int] | None = None
) -> str:
    """The SWHID of a file's bytes, qualified by origin, anchor, path and, if given, lines from 1."""
    text = f"swh:1:cnt:{blob};origin={_escaped(origin)};anchor={anchor};path=/{_escaped(path)}"
    return text if lines is None else with_lines(text, *lines)


def with_lines(swhid: str, first: int, last: int) -> str:
    """`swhid` of a file as the one of a part of it."""
    return f"{swhid};lines={first}-{last}"


def swhids(snapshot: pl.DataFrame) -> list[str]:
    """The SWHID of each row of `schema.SNAPSHOT`."""
    if snapshot.is_empty():
        return []
    origin, anchor = _escaped(snapshot["origin"][0]), snapshot["anchor"][0]
    middle = f";origin={origin};anchor={anchor};path=/"
    return [
        f"swh:1:cnt:{blob}{middle}{_escaped(path)}"
        for blob, path in snapshot.select("blob_sha", "path").iter_rows()
    ]


def _escaped(value: str) -> str:
    """`;` and `%` mean something in a SWHID; the rest is kept as it is, spaces and all non-ASCII too."""
    return value.replace("%", "%25").replace(";", "%3B")

"""A snapshot: every file of a source at one revision, and the bytes of those that the pipeline reads."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

import polars as pl

from corpus import optout, paths, schema
from corpus.optout import OptOuts
from corpus.snapshots.store import BlobStore
from corpus.snapshots.tree import GITLINK, LINK, Entry, State, Tree
from corpus.sources import AnySource, Repository

VERSION = f"3/paths-{paths.VERSION}"


class _Kind(Protocol):
    """What the module of a kind of source offers."""

    def current_revision(self, source: AnySource, cache: Path) -> str: ...

    def open_tree(self, source: AnySource, cache: Path) -> AbstractContextManager[Tree]: ...

    def forget(self, source: AnySource, cache: Path) -> None: ...


_MODULES = {
    "git": "corpus.snapshots.git",
    "pypi": "corpus.snapshots.pypi",
    "path": "corpus.snapshots.local",
}


def _kind(source: Repository) -> _Kind:
    return cast("_Kind", import_module(_MODULES[source.kind]))


def current_revision(source: Repository, cache: Path) -> str:
    """The revision that `source` names now; no file is read or fetched for it.

    Raises:
        ProvenderError: the source cannot be asked.
    """
    return _kind(source).current_revision(source, cache)


def open_tree(source: Repository, cache: Path) -> AbstractContextManager[Tree]:
    """List the files of `source`, without their bytes.

    Raises:
        ProvenderError: the source cannot be had, or is not what the manifest pins.
    """
    return _kind(source).open_tree(source, cache)


def take_snapshot(
    source: Repository,
    cache: Path,
    store: BlobStore,
    *,
    previous: pl.DataFrame | None = None,
    wishes: OptOuts = OptOuts(),  # noqa: B008  # immutable
    tombstones: Collection[str] = frozenset(),
) -> tuple[pl.DataFrame, set[str]]:
    """List `source` as it is now, and put the bytes that are new into `store`.

    Args:
        source: what to open.
        cache: a folder that makes the next time cheaper, and may be lost.
        store: where the source's bytes are.
        previous: the source's snapshot before, whose binary files are known.
        wishes: what is to be left out: its bytes are neither asked for nor kept.
        tombstones: blobs that were to be left out before, here or elsewhere.

    Returns:
        Rows of `schema.SNAPSHOT` in the order of their paths, and the blobs that `wishes` name.

    Raises:
        ProvenderError: the source cannot be had, or is not what the manifest pins.
    """
    with open_tree(source, cache) as tree:
        listing = _listing(source, tree)
        out = optout.wanted_out(listing, wishes)
        opted_out = (pl.col("state") == "stored") & pl.col("blob_sha").is_in(
            sorted(out.union(tombstones))
        )
        listing = listing.with_columns(
            state=pl.when(opted_out).then(pl.lit("opted_out")).otherwise("state")
        )
        unfit = _known_unfit(previous)
        wanted = set(listing.filter(state="stored")["blob_sha"])
        store.add(_fit(tree.contents(wanted - unfit.keys() - store.sizes().keys()), unfit))
    held = wanted - unfit.keys()
    unwanted = not out.union(tombstones).isdisjoint(store.sizes())
    store.sweep(held, force=unwanted)
    if unwanted:
        _kind(source).forget(source, cache)
    sizes = store.sizes()
    stored = (pl.col("state") == "stored") & ~pl.col("blob_sha").is_in(sorted(unfit))
    listing = listing.with_columns(
        state=pl.when(pl.col("state") == "stored")
        .then(pl.col("blob_sha").replace_strict(unfit, default="stored", return_dtype=pl.String))
        .otherwise("state"),
        size=pl.when(stored).then(
            pl.col("blob_sha").replace_strict(sizes, default=None, return_dtype=pl.Int64)
        ),
    )
    return listing.select(schema.SNAPSHOT.names), out


def _listing(source: Repository, tree: Tree) -> pl.DataFrame:
    """Every file of `tree` with what may be held of it, before any is read."""
    sorter = _Sorter(source)
    rows = [
        (paths.shown(entry.path), entry.mode, entry.blob, sorter.state(entry))
        for entry in tree.entries
    ]
    kinds = schema.empty(schema.SNAPSHOT).schema
    columns = {name: kinds[name] for name in ("path", "mode", "blob_sha", "state")}
    place = {
        "source": source.name,
        "origin": tree.origin,
        "revision": tree.revision,
        "anchor": tree.anchor,
        "tree": tree.tree,
    }
    return (
        pl.DataFrame(rows, schema=columns, orient="row")
        .with_columns(**{name: pl.lit(value) for name, value in place.items()})
        .sort("path", "blob_sha")
    )


class _Sorter:
    """Says what a snapshot holds of each file of a source."""

    def __init__(self, source: Repository) -> None:
        self._include = paths.Patterns(source.include, default=True)
        self._exclude = paths.Patterns(source.exclude, default=False)

    def state(self, entry: Entry) -> State:
        if entry.mode in (LINK, GITLINK):
            return "link" if entry.mode == LINK else "submodule"
        if not paths.is_nameable(entry.path):
            return "odd_path"
        if not paths.is_read(entry.path):
            return "no_code"
        # A licence text counts for the files that are read, wherever it lies.
        if paths.role(entry.path) is None and (
            not self._include.match(entry.path) or self._exclude.match(entry.path)
        ):
            return "excluded"
        return "stored"


def _known_unfit(previous: pl.DataFrame | None) -> dict[str, State]:
    """The blobs that were found to be binary or too large before, which are not asked for again."""
    if previous is None:
        return {}
    unfit = previous.filter(pl.col("state").is_in(["binary", "too_large"]))
    return dict(unfit.select("blob_sha", "state").iter_rows())


def _fit(
    blobs: Iterator[tuple[str, bytes | None]], unfit: dict[str, State]
) -> Iterator[tuple[str, bytes]]:
    """`blobs` without the large and the binary ones, which are noted in `unfit`."""
    for blob, content in blobs:
        if content is None:
            unfit[blob] = "too_large"
        # UTF-16 is text, though no file of ours is read in it: it is dropped by that name.
        elif b"\0" in content and not content.startswith((b"\xff\xfe", b"\xfe\xff")):
            unfit[blob] = "binary"
        else:
            yield blob, content

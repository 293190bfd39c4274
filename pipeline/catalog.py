"""Commands about the sources: their table, the check of a manifest, adding one, attribution, opt-out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from common.atomic import replacing, write_text
from common.errors import ProvenderError
from corpus.sources import (
    AnySource,
    DatasetSource,
    GitSource,
    Manifest,
    PathSource,
    Repository,
    load_manifest,
)
from resources.project import ROOT, Project

if TYPE_CHECKING:
    import polars as pl

    from resources.lake import Lake

PERSONAL = ROOT / "config" / "sources_personal.yaml"
_WIDTH = 140
_ADDRESS = re.compile(r"^-|^[\w+.-]*:|^[\w.-]+@")
_HEAD_ONLY = " HEAD is read: what is not committed is not."
_FILES_A_SECOND = 300
"""Files that two cores take from git to pairs in a second (docs/sources.md)."""


def print_sources() -> int:
    """The table of the manifest's sources, as the lake knows them."""
    from rich.table import Table

    from resources.lake import Lake

    lake, policy = Lake(), Project().load_policy()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("source", "revision", "licence", "tier", "kept", "dropped", "last refresh"):
        table.add_column(column, no_wrap=column not in ("licence", "tier", "dropped"))
    manifest = Project().load_manifest()
    for source in manifest.repositories:
        table.add_row(*_row(source, lake, policy))
    for source in manifest.datasets:
        table.add_row(source.name, "", source.license or "by row", policy.tier(source.license))
    _console().print(table)
    return 0


def _row(source: Repository, lake: Lake, policy: Any) -> list[str]:
    import polars as pl

    from assets.common import of_source

    stored = lake.stored(*of_source("repos", source.name))
    files = lake.read_if_there(*of_source("files", source.name))
    if stored is None or files is None:
        return [source.name, "not fetched yet", source.license or "", "", "", "", ""]
    kept = files.filter("kept")
    licences = kept["license"].value_counts(sort=True) if kept.height else None
    found = "" if licences is None else str(licences["license"][0] or "none found")
    if kept["license"].n_unique() > 1:
        found += f" (+{kept['license'].n_unique() - 1})"
    if source.license and policy.tier(source.license) != _main_tier(kept):
        found += f" [red]expected {source.license}[/]"
    reasons = files.drop_nulls("drop_reason")["drop_reason"].value_counts(sort=True)
    dropped = ", ".join(f"{reason} {count}" for reason, count in reasons.iter_rows())
    when = datetime.fromtimestamp(lake.changed(*of_source("repos", source.name))).astimezone()
    revision = files["revision"][0] if files.height else ""
    tiers = kept["license_tier"].value_counts(sort=True)["license_tier"].to_list()
    assert isinstance(files, pl.DataFrame)
    short = revision if len(revision) < 12 else revision.removeprefix("worktree:")[:12]
    return [
        *(source.name, short, found, ", ".join(tiers), str(kept.height)),
        *(dropped, f"{when:%Y-%m-%d %H:%M}"),
    ]


def _main_tier(kept: pl.DataFrame) -> str:
    counted = kept["license_tier"].value_counts(sort=True)
    return str(counted["license_tier"][0]) if counted.height else "none"


def print_check() -> int:
    """Check the manifest without a network; the exit code is 1 where something is wrong."""
    console = _console()
    manifest, policy = Project().load_manifest(), Project().load_policy()
    problems = list(_problems(manifest, policy))
    for name, what in problems:
        console.print(f"[red]✗[/] {name}: {what}", highlight=False, soft_wrap=True)
    for title, values in (
        ("kind", [source.kind for source in manifest.sources]),
        ("domain", [source.domain for source in manifest.sources]),
        ("split", list(Project().load_splits(manifest).values())),
        ("licence tier", [_expected_tier(source, policy) for source in manifest.sources]),
    ):
        told = ", ".join(f"{value} {count}" for value, count in Counter(values).most_common())
        console.print(f"{title}: {told}", highlight=False, soft_wrap=True)
    mark = "[red]✗[/]" if problems else "[green]✓[/]"
    console.print(f"{mark} {len(manifest.sources)} sources, {len(problems)} problems")
    return 1 if problems else 0


def _expected_tier(source: AnySource, policy: Any) -> str:
    return "owned" if source.domain == "personal" else policy.tier(source.license)


def _problems(manifest: Manifest, policy: Any) -> Iterator[tuple[str, str]]:
    from corpus.licences.policy import normal

    places: dict[tuple, str] = {}
    for source in manifest.sources:
        if source.license is not None and normal(source.license) is None:
            yield source.name, f"`license: {source.license}` is no SPDX expression."
        elif (
            source.license
            and source.nested_licences == "drop"  # else its files speak for themselves
            and _expected_tier(source, policy) not in policy.keep
        ):
            tier = policy.tier(source.license)
            yield source.name, f"its licence {source.license} is of tier {tier}, which is not kept."
        if not source.why and source.domain != "personal":
            yield source.name, "`why` is empty: say what it is there for."
        place = _place(source)
        if place in places:
            yield source.name, f"the same files as {places[place]}."
        places.setdefault(place, source.name)
        if isinstance(source, PathSource) and not source.path.is_dir():
            yield source.name, f"there is no folder {source.path}."
        if isinstance(source, GitSource) and urlsplit(source.url).password:
            yield source.name, "the address holds credentials: give them to git instead."
        if isinstance(source, DatasetSource):
            yield from (
                (source.name, f"there is no file {p}.") for p in source.paths if not p.is_file()
            )


def _place(source: AnySource) -> tuple:
    if isinstance(source, GitSource):
        return (source.url.removesuffix(".git"), source.ref, *source.include)
    if isinstance(source, PathSource):
        return (str(source.path.resolve()), *source.include)
    if isinstance(source, DatasetSource):
        return (*source.urls, *map(str, source.paths), source.partition)
    return (source.project_name, source.version)


@dataclass(frozen=True)
class Wanted:
    """A source that is to be added."""

    place: str
    domain: str
    name: str
    ref: str
    why: str = "added by hand"


def add(wanted: Wanted, path: Path | None) -> int:
    """Add a source to a manifest after opening it, and say what the next refresh will cost."""
    import pydantic

    from resources.lake import Lake

    path = (path or PERSONAL).resolve()
    entry = _entry(wanted, path)
    try:
        candidate = Manifest.model_validate({"sources": [entry]})
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise ProvenderError(
            f"`{first['loc'][-1]}`: {first['msg'].removeprefix('Value error, ')}",
            where=wanted.place,
            remedy="Correct the argument.",
        ) from None
    known = load_manifest(path) if path.is_file() else None
    if known is not None and entry["name"] in known.names:
        raise ProvenderError(
            f"The manifest has a source {entry['name']!r} already.",
            where=str(path),
            remedy="Give another --name.",
        )
    source = candidate.repositories[0]
    if isinstance(source, PathSource):
        source = source.model_copy(update={"path": path.parent / source.path})
    same = [each.name for each in known.sources if _place(each) == _place(source)] if known else []
    if same:
        raise ProvenderError(
            f"The manifest has these files already, as {same[0]!r}.",
            where=str(path),
            remedy="Nothing needs to be done.",
        )
    Lake().check_writable()
    told = _cost(source)
    _append(path, entry)
    console = _console()
    console.print(f"[green]✓[/] {entry['name']} added to {path}", highlight=False, soft_wrap=True)
    console.print(told, highlight=False, soft_wrap=True)
    return 0


def _entry(wanted: Wanted, manifest: Path) -> dict[str, Any]:
    folder = Path(wanted.place).expanduser()
    stem = (
        folder.resolve().name
        if folder.is_dir()
        else re.split(r"[/:]", wanted.place.rstrip("/"))[-1]
    )
    name = wanted.name or re.sub(r"[^a-z0-9_.-]+", "-", stem.removesuffix(".git").lower()).strip(
        "-."
    )
    entry: dict[str, Any] = {"name": name}
    if folder.is_dir():
        resolved = folder.resolve()
        inside = manifest.parent
        # A path that moves with the checkout, where there is one.
        shown = resolved if not resolved.is_relative_to(inside) else resolved.relative_to(inside)
        entry |= {"kind": "path", "path": str(shown)}
        if not (resolved / ".git").exists():
            entry["worktree"] = True
        if wanted.ref != "HEAD":
            raise ProvenderError(
                "A folder is read at its HEAD, or as it lies there: it has no --ref.",
                where=wanted.place,
                remedy=f"Leave it out, or give the address file://{resolved}.",
            )
    elif not _ADDRESS.match(wanted.place):
        raise ProvenderError(
            "There is no such folder, and this is no git address.",
            where=wanted.place,
            remedy="Correct the path, or give an address as https://… or git@host:….",
        )
    else:
        entry |= {"kind": "git", "url": wanted.place}
        if wanted.ref != "HEAD":
            entry["ref"] = wanted.ref
    return entry | {"domain": wanted.domain, "why": wanted.why}


def _cost(source: Repository) -> str:
    """Open `source`, and say what a refresh will have to read."""
    from corpus import paths
    from corpus.snapshots import open_tree
    from resources.lake import Lake

    with open_tree(source, Lake().path("cache")) as tree:
        read = [entry.path for entry in tree.entries if paths.is_read(entry.path)]
        languages = Counter(language for path in read if (language := paths.language(path)))
    most = sorted(languages.items(), key=lambda each: (-each[1], each[0]))[:4]
    told = ", ".join(f"{language} {count}" for language, count in most)
    seconds = max(1, round(len(read) / _FILES_A_SECOND))
    return (
        f"{len(tree.entries)} files at {tree.revision[:12]}; the next refresh reads {len(read)} of"
        f" them ({told or 'none in a language that Provender reads'}): about {seconds} s on two cores,"
        " and their download where it is a remote. After that it costs what has changed."
        f"{_HEAD_ONLY if isinstance(source, PathSource) and not source.worktree else ''}"
    )


def _append(path: Path, entry: dict[str, Any]) -> None:
    """Add an entry at the end of a manifest, whose comments and order stay."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 110
    yaml.indent(mapping=2, sequence=4, offset=2)
    data = yaml.load(path.read_text(encoding="utf-8")) if path.is_file() else {"sources": []}
    data["sources"].append(entry)
    with replacing(path) as temporary:
        with temporary.open("w", encoding="utf-8") as file:
            yaml.dump(data, file)
        load_manifest(temporary)


def attribution(dataset: str, model: str, output: Path | None) -> int:
    """Write the notice file of a data set or a model."""
    import polars as pl

    from assets.common import notice_of
    from resources.lake import Lake

    if bool(dataset) == bool(model):
        raise ProvenderError(
            "Name one data set or one model.",
            where="provender attribution",
            remedy="As `--dataset corpus` or `--model model`.",
        )
    lake = Lake()
    places = [("models", model, "provenance.parquet")] if model else _tables(dataset)
    found = [lake.path(*place) for place in places]
    if not all(place.is_file() for place in found):
        raise ProvenderError(
            f"There is no {'model' if model else 'data set'} {model or dataset!r}.",
            where=lake.uri(*places[0]),
            remedy="Materialize it first, or correct the name.",
        )
    columns = ["source", "revision", "path", "blob_sha", "swhid", "license", "license_tier"]
    text = notice_of(lake, model or dataset, pl.read_parquet(found, columns=columns))
    if output is None:
        print(text)
    else:
        write_text(text, output)
        _console().print(f"[green]✓[/] {output}", highlight=False)
    return 0


def _tables(dataset: str) -> list[tuple[str, ...]]:
    from assets.corpus import place_of
    from assets.datasets import place_of_set

    return [place_of("train") if dataset == "corpus" else place_of_set(dataset)]


def print_optouts() -> int:
    """The wishes, what they leave out, and the checkpoints that were trained on it."""
    from assets.corpus import trained_on
    from corpus import schema
    from resources.lake import Lake

    console, lake = _console(), Lake()
    wishes = Project().load_optouts()
    tombstones = lake.read_every("tombstones", schema.TOMBSTONES)
    console.print(
        f"{len(wishes.optout)} wishes in {Project().optout_path()}", highlight=False, soft_wrap=True
    )
    for source, count in tombstones.group_by("source").len().sort("source").iter_rows():
        console.print(f"{source}: {count} files left out", highlight=False)
    found = trained_on(lake)
    for name, count in found.items():
        console.print(
            f"[red]✗[/] models/{name} was trained on {count} of them: train it again",
            highlight=False,
        )
    if not found:
        console.print("[green]✓[/] no checkpoint was trained on any of them")
    return 1 if found else 0


def _console() -> Any:
    from rich.console import Console

    return Console(width=max(Console().width, _WIDTH))

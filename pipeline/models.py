"""`provender models`: the versions in MLflow's registry, and the champion before restored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.options import LakeFolder, told

if TYPE_CHECKING:
    from resources.registry import Registry

app = typer.Typer(help="The registered models: champion, candidate, and those before.")


@app.callback(invoke_without_command=True)
def models(context: typer.Context, lake: LakeFolder = None) -> None:
    """The registered models, the newest first; `restore` brings an earlier champion back."""
    if context.invoked_subcommand is None:
        told(_print, None, lake)


@app.command()
def restore(
    version: Annotated[str, typer.Argument(help="A number; the champion before by default.")] = "",
    lake: LakeFolder = None,
) -> None:
    """Make an earlier champion the champion again. A second `restore` takes it back."""
    told(lambda: _restore(version), None, lake)


def registry() -> Registry:
    """The registry of the lake that is named in the environment."""
    from resources.lake import Lake
    from resources.registry import Registry
    from resources.tracking import Tracking

    lake = Lake()
    return Registry(lake=lake, tracking=Tracking(lake=lake))


def _print() -> int:
    from rich.console import Console
    from rich.table import Table

    from pipeline.running import quiet

    quiet()
    known = registry().versions()
    console = Console()
    if not known:
        console.print("No model is registered yet: `make demo` makes the first.")
        return 0
    table = Table(box=None, pad_edge=False)
    for name in ("version", "is", "checkpoint", "registered"):
        table.add_column(name, no_wrap=True)
    for each in known:
        state = ", ".join(each.aliases) or ("was champion" if each.was_champion else "")
        table.add_row(each.number, state, each.fingerprint[:12], f"{each.made:%Y-%m-%d %H:%M}")
    console.print(table, highlight=False)
    return 0


def _restore(version: str) -> int:
    from rich.console import Console

    from pipeline.running import quiet
    from resources.registry import PREVIOUS

    quiet()
    now, before = registry().restore(version or PREVIOUS)
    text = (
        f"Version {now.number} ({now.fingerprint[:12]}) is the champion already."
        if now.number == before.number
        else f"Version {now.number} ({now.fingerprint[:12]}) is the champion, in place of {before.number}."
    )
    Console().print(text, highlight=False)
    return 0

"""What the commands have in common: the options for manifest and lake, and how a fault is told.

The modules of the commands load nothing heavy: `--help` would wait for it, and Ctrl-C is told only in `told`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from common.errors import ProvenderError

Sources = Annotated[
    list[Path] | None,
    typer.Option(
        "--sources",
        "--manifest",
        help="A source manifest; may be given more than once. The quickstart's by default.",
        show_default=False,
    ),
]
LakeFolder = Annotated[
    str | None,
    typer.Option("--lake", help="The lake: a folder, ./lake by default, or s3://bucket/prefix."),
]


def told(work: Callable[[], int], sources: list[Path] | None, lake: str | None) -> None:
    """Run `work` for the given manifest and lake; end with its exit code, or with one line of fault."""
    if sources:
        os.environ["PROVENDER_SOURCES"] = os.pathsep.join(str(each.resolve()) for each in sources)
    try:
        if lake is not None:
            from resources.lake import SCHEME

            shared = lake.startswith(SCHEME)
            os.environ["PROVENDER_LAKE"] = lake if shared else str(Path(lake).resolve())
        code = work()
    except ProvenderError as error:
        print(f"error: {error}", file=sys.stderr)
        code = 1
    except (PermissionError, NotADirectoryError, IsADirectoryError) as error:
        # Of a place that the user chose. Any other fault of the system is shown whole.
        print(
            f"error: {error.filename}: {error.strerror}. Choose another place, or its permissions.",
            file=sys.stderr,
        )
        code = 1
    except KeyboardInterrupt:
        print("\nstopped; the same command continues where it was", file=sys.stderr)
        code = 130
    raise typer.Exit(code)

"""`provender`: the commands. They run the same jobs as the Dagster UI."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from common.errors import ProvenderError
from pipeline import models, queries
from pipeline.options import LakeFolder, Sources, told

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.ingest import Outcome
    from resources.project import Project

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
app.add_typer(models.app, name="models")
app.add_typer(queries.app, name="queries")

Jobs = Annotated[
    int, typer.Option("--jobs", "-j", min=0, help="Sources at once; 0: one a core, at least two.")
]


def _version(asked: bool) -> None:  # noqa: FBT001  # as Typer calls it
    if asked:
        from importlib.metadata import version

        print(f"provender {version('provender')}")
        raise typer.Exit


@app.callback()
def _main(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="The version.")
    ] = False,
) -> None:
    """Code search models from your repositories."""


@app.command()
def demo(sources: Sources = None, lake: LakeFolder = None, jobs: Jobs = 0) -> None:
    """Build corpus, model and report from a manifest, and print the table."""
    told(lambda: _refresh("everything", jobs), sources, lake)


@app.command()
def refresh(sources: Sources = None, lake: LakeFolder = None, jobs: Jobs = 0) -> None:
    """Bring every source of a manifest up to date, the corpus and the data sets; train nothing."""
    told(lambda: _refresh("refresh_corpus", jobs), sources, lake)


@app.command()
def datasets(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Of config/datasets.yaml; all by default."),
    ] = None,
    sources: Sources = None,
    lake: LakeFolder = None,
) -> None:
    """Make the named data sets from the corpus, with their cards and notices."""
    told(lambda: _datasets(names or []), sources, lake)


@app.command()
def report(
    lake: LakeFolder = None,
    *,
    diff: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="A B", help="base, tuned, bm25, or a checkpoint's fingerprint."),
    ] = None,
    mode: Annotated[str, typer.Option(help="Of --diff: semantic or hybrid.")] = "semantic",
    everything: Annotated[
        bool, typer.Option("--all", help="Of --diff: every query, not the largest changes.")
    ] = False,
) -> None:
    """The table of the last evaluation; with --diff, the queries won and lost from A to B."""
    told(lambda: _report(diff, mode, everything=everything), None, lake)


@app.command(name="sources")
def list_sources(
    sources: Sources = None,
    lake: LakeFolder = None,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Only check the manifest; asks no network.")
    ] = False,
) -> None:
    """A table of the sources: revision, licence, files kept and dropped, last refresh."""
    from pipeline import catalog

    work = catalog.print_check if check else catalog.print_sources
    told(work, sources, lake)


@app.command()
def add(
    place: Annotated[str, typer.Argument(metavar="PATH|URL", help="A folder or a git address.")],
    *,
    domain: Annotated[str, typer.Option(help="general, rust, formal or personal.")] = "personal",
    name: Annotated[
        str, typer.Option(help="Its name; the last part of the place by default.")
    ] = "",
    ref: Annotated[str, typer.Option(help="Branch, tag or commit of a git address.")] = "HEAD",
    why: Annotated[str, typer.Option(help="Why it is there.")] = "added by hand",
    manifest: Annotated[
        Path | None, typer.Option(help="Where to add it; config/sources_personal.yaml by default.")
    ] = None,
    lake: LakeFolder = None,
) -> None:
    """Add a source to your manifest, once it is known that it can be read."""
    from pipeline import catalog

    entry = catalog.Wanted(place, domain, name, ref, why)
    told(lambda: catalog.add(entry, manifest), None, lake)


@app.command()
def attribution(
    dataset: Annotated[str, typer.Option(help="Name of a data set, as `corpus`.")] = "",
    model: Annotated[str, typer.Option(help="Name of a model, as `model`.")] = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; standard output if none.")
    ] = None,
    lake: LakeFolder = None,
) -> None:
    """Write the notice file: every repository, commit, licence, and the texts to carry."""
    from pipeline import catalog

    told(lambda: catalog.attribution(dataset, model, output), None, lake)


@app.command()
def optout(sources: Sources = None, lake: LakeFolder = None) -> None:
    """What is left out at its authors' wish, and which checkpoints were trained on it before."""
    from pipeline import catalog

    told(catalog.print_optouts, sources, lake)


@app.command()
def pairs(
    reason: Annotated[
        str, typer.Argument(metavar="REASON", help="With --dropped: only this one, by source.")
    ] = "",
    *,
    source: Annotated[str, typer.Option(help="Name of a source.")] = "",
    pair_type: Annotated[
        str, typer.Option("--type", help="doc, path, body, readme, proof or dataset.")
    ] = "",
    kind: Annotated[str, typer.Option(help="Kind of query, as keywords or property.")] = "",
    language: Annotated[str, typer.Option(help="As rust or lean.")] = "",
    dialect: Annotated[str, typer.Option(help="kani, verus, prusti or creusot.")] = "",
    tier: Annotated[str, typer.Option(help="Licence tier, as permissive.")] = "",
    split: Annotated[str, typer.Option(help="train, valid or test.")] = "",
    domain: Annotated[str, typer.Option(help="general, rust, formal or personal.")] = "",
    count: Annotated[int, typer.Option("-n", min=1, help="How many to draw.")] = 10,
    seed: Annotated[int, typer.Option(help="Another seed draws other pairs.")] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line, with all columns.")
    ] = False,
    show: Annotated[
        str | None,
        typer.Option(metavar="PAIR_ID", help="All of one pair; six characters of its id may do."),
    ] = None,
    dropped: Annotated[
        bool, typer.Option("--dropped", help="Count what was dropped, by reason.")
    ] = False,
    targets: Annotated[
        bool,
        typer.Option(
            "--targets", help="The plan's figures, met or not. Reports only: the exit code is 0."
        ),
    ] = False,
    profile: Annotated[
        str, typer.Option(help="With --targets: plan (the default), quickstart or personal.")
    ] = "",
    lake: LakeFolder = None,
) -> None:
    """Look at the corpus: a random sample of the pairs that fit, with their code."""
    from pipeline import explore

    filters = explore.Filters(source, pair_type, kind, language, dialect, tier, split, domain)
    shown = explore.Asked(filters, count, seed, as_json, show, dropped, reason, targets, profile)
    told(lambda: explore.explore(shown), None, lake)


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="What the code does, or a property of it.")],
    *,
    place: Annotated[
        str, typer.Option("--in", metavar="PATH|SOURCE", help="All sources of the lake by default.")
    ] = "",
    model: Annotated[
        str,
        typer.Option(
            metavar="NAME|PATH",
            help="The lake's by default; champion, candidate or a version: registered; base: untouched; "
            "experts: routed.",
        ),
    ] = "",
    mode: Annotated[str, typer.Option(help="hybrid, semantic or lexical.")] = "hybrid",
    count: Annotated[int, typer.Option("-n", min=1, help="How many to show.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
    sources: Sources = None,
    lake: LakeFolder = None,
) -> None:
    """Find definitions by what they do. Each is encoded once; later searches take seconds."""
    from pipeline import search as searching

    asked = searching.Asked(query, place, model, mode, count, as_json)
    told(lambda: searching.search(asked), sources, lake)


@app.command()
def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
    sources: Sources = None,
    lake: LakeFolder = None,
) -> None:
    """Check the installation, a line each: ok, or what to fix (then the exit code is 1)."""
    from pipeline import doctor as checks

    told(lambda: checks.doctor(as_json=as_json), sources, lake)


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Dagster's port.")] = 3000,
    mlflow_port: Annotated[int, typer.Option(help="MLflow's port.")] = 5000,
) -> None:
    """Start Dagster (webserver and daemon) and MLflow's UI on this machine."""
    told(lambda: _ui(port, mlflow_port), None, None)


def _ui(port: int, mlflow_port: int) -> int:
    from pipeline.running import home, quiet
    from pipeline.servers import serve, servers
    from resources.lake import Lake
    from resources.project import Project
    from resources.tracking import Tracking

    project = Project()
    manifest = project.load_manifest()
    quiet()
    logs = home() / "logs"
    import dagster as dg

    from pipeline.partitions import keep_in_step

    with (
        dg.DagsterInstance.get() as instance
    ):  # or the page shows no source until the daemon has looked
        keep_in_step(instance, manifest)
    serve(servers(port, mlflow_port, Tracking(lake=Lake()).uri), logs)
    return 0


def _report(diff: tuple[str, str] | None, mode: str, *, everything: bool) -> int:
    from rich.console import Console

    from pipeline.results import print_results
    from pipeline.won_lost import print_diff

    if mode not in ("semantic", "hybrid"):
        raise ProvenderError(
            f"There is no mode `{mode}`.", where="--mode", remedy="Choose semantic or hybrid."
        )
    console = Console()
    if diff is None:
        print_results(console)
    else:
        print_diff(console, *diff, mode, everything=everything)
    return 0


def _datasets(wanted: list[str]) -> int:
    from rich.console import Console

    from pipeline.datasets import chosen_names, make, print_made

    names = chosen_names(wanted)  # a mistake in them is told before anything is loaded
    from pipeline.running import home, quiet
    from resources.lake import Lake

    Lake().check_writable()
    quiet()
    home()
    console = Console()
    with console.status("data sets") as status:
        made = make(names, lambda each: status.update(f"data sets: {each.name} {each.state}"))
    return _end(console, print_made(console, made, asked_for=True))


def _refresh(job: str, jobs: int) -> int:
    """Every source, then `job`, and the data sets that are to follow the corpus."""
    from rich.console import Console

    from resources.project import Project

    project = Project()
    manifest = project.load_manifest()  # a mistake in it is told before anything is loaded
    wanted = _sets_wanted(project, job)
    from pipeline.running import home, quiet
    from resources.lake import Lake

    Lake().check_writable()
    project.load_optouts()
    project.load_targets()
    quiet()
    home()
    console = Console()
    started = time.monotonic()
    import dagster as dg

    import pipeline.definitions  # noqa: F401  # what is wrong there is told before anything is fetched
    from pipeline.partitions import keep_in_step

    with (
        dg.DagsterInstance.get() as instance
    ):  # one process makes its database, before many want it
        keep_in_step(instance, manifest)
    outcomes = _sources(console, [source.name for source in manifest.repositories], jobs)
    failed = {each.name: each.failure for each in outcomes if each.failure is not None}
    work = sum(each.changed for each in outcomes)
    if job == "everything":
        console.print("building corpus, training, evaluating: about ten minutes the first time")
    done, told, success = _after_sources(console, job, wanted)
    work += done
    failed = {**told, **failed}
    if success and job == "everything":
        from pipeline.results import print_results

        print_results(console)
    from assets.corpus import trained_on

    for name, count in trained_on(Lake()).items():
        failed[f"models/{name}"] = (
            f"was trained on {count} files that are to be left out: train it again"
        )
    if success and not work:
        console.print("Nothing had changed: nothing was parsed, trained or evaluated again.")
    code = _end(console, failed)
    elapsed = time.monotonic() - started
    console.print(f"{elapsed:.0f} s. `make ui` shows every step, its data and its lineage.")
    return code


def _sets_wanted(project: Project, job: str) -> list[str]:
    """The data sets that are to follow the corpus: all, or those that are to be trained on."""
    known = project.load_datasets()
    if job != "everything":
        return list(known.datasets)
    recipes = project.load_stages().values()
    wanted = list(dict.fromkeys(recipe.dataset for recipe in recipes if recipe.dataset))
    for name in wanted:
        known.to_train(name)
    return wanted


def _after_sources(
    console: Console, job: str, wanted: list[str]
) -> tuple[int, dict[str, str], bool]:
    """The corpus, the data sets `wanted` from it, and what else `job` makes.

    Returns:
        How much was made anew, what failed and why, and whether all of `job` was made.
    """
    import dagster as dg

    from pipeline import datasets as sets
    from pipeline.definitions import defs
    from pipeline.running import changed, failures, run

    work, failed, success = 0, {}, True
    # A recipe's data set stands between the corpus and the training on it.
    for step in dict.fromkeys(["refresh_corpus", "datasets", job] if wanted else [job]):
        if step == "datasets":
            made = sets.make(wanted)
            work += sum(each.changed for each in made)
            told = sets.print_made(console, made, asked_for=job == "everything")
            success = not told or job != "everything"
        else:
            with dg.DagsterInstance.get() as instance:
                result = run(defs, step, instance)
            work += changed(result)
            found = failures(result)
            told = {job: found[0]} if found else {}
            success = result.success
        failed |= told
        if not success:
            break
    return work, failed, success


def _end(console: Console, failed: dict[str, str]) -> int:
    """Name what failed, and why; the exit code."""
    for name, text in failed.items():
        console.print(f"[red]failed[/] {name}: {text}", highlight=False, soft_wrap=True)
    return 1 if failed else 0


def _sources(console: Console, names: list[str], jobs: int) -> list[Outcome]:
    """Ingest `names` under a progress bar."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from pipeline.ingest import default_jobs, ingest_all

    columns = (TextColumn("sources"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=len(names))

        def told(outcome: Outcome) -> None:
            mark = "[green]✓[/]" if outcome.failure is None else "[red]✗[/]"
            text = outcome.told if outcome.failure is None else outcome.failure
            console.print(f"{mark} {outcome.name} {text}", highlight=False)
            bar.advance(task)

        return ingest_all(names, jobs or default_jobs(), told)


if __name__ == "__main__":
    app()

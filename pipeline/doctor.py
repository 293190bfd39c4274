"""`provender doctor`: what of an installation works, a line each, and what to do about the rest.

Each check looks and mends nothing. What takes seconds to load is loaded by the check that wants it.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Literal

from common.atomic import leftovers
from common.errors import ProvenderError, hint
from resources.automation import load_automation
from resources.lake import Lake
from resources.project import ROOT, Project
from resources.tracking import Tracking

VARIABLES = frozenset(
    f"PROVENDER_{name}"
    for name in (
        "AUTOMATION BENCHMARKS CURRICULUM DATASETS EVALUATION EXECUTOR LAKE LAKE_COPY LOCATION_HOST"
        " LOCATION_PORT OPTOUT PROFILE QUERIES SOURCES STAGES TRAINING_POD TRAINING_RAY"
    ).split()
)
"""Every variable of the environment that something here or in docker/ reads."""

_GIT = (2, 29)
"""`git fetch --stdin` came with it."""
_SHORT_BYTES, _LOW_BYTES = 1 << 30, 3 << 30
_INSTALL = "pip install -c constraints.txt -e '.[pipeline]'"

State = Literal["ok", "note", "fix"]


@dataclass(frozen=True)
class Finding:
    """One line: a `note` deserves a look, a `fix` keeps something from working."""

    check: str
    state: State
    said: str


Said = Iterator[tuple[State, str]]


def python() -> Said:
    """The interpreter."""
    from packaging.specifiers import SpecifierSet

    wanted, found = metadata.metadata("provender")["Requires-Python"], platform.python_version()
    if not SpecifierSet(wanted).contains(found, prereleases=True):
        yield "fix", f"{found} is not {wanted}: install such a Python, then `make clean test`"
    else:
        yield "ok", f"{found} at {sys.executable}"


def packages() -> Said:
    """What is installed, against what is needed and what was tested together."""
    from packaging.requirements import Requirement

    missing = []
    for requirement in map(Requirement, metadata.requires("provender") or []):
        if requirement.marker and not requirement.marker.evaluate({"extra": "pipeline"}):
            continue
        version = _installed(requirement.name)
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            missing.append(f"{requirement} ({version or 'missing'})")
    if missing:
        yield "fix", f"{', '.join(missing)}: {_INSTALL}"
    tested = ROOT / "constraints.txt"
    if not tested.is_file():
        yield "note", "no constraints.txt beside the packages: versions were not compared"
        return
    pins = re.findall(r"^([\w.-]+)==(\S+)", tested.read_text(encoding="utf-8"), re.MULTILINE)
    other = [
        f"{name} {version} (tested with {pin})"
        for name, pin in pins
        if (version := _installed(name)) and version.partition("+")[0] != pin
    ]
    if other:
        yield "note", f"not as tested: {', '.join(other)}; if something fails: {_INSTALL}"
    elif not missing:
        yield "ok", f"as in constraints.txt ({len(pins)} pins)"


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def git() -> Said:
    """The program that sources are fetched with."""
    place = shutil.which("git")
    if place is None:
        yield "fix", "git is not installed: install it, 2.29 or newer"
        return
    told = subprocess.run([place, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
    found = re.search(r"(\d+)\.(\d+)\S*", told)
    if found is None:
        yield "fix", f"{place} does not say its version: repair or install git"
    elif (int(found[1]), int(found[2])) < _GIT:
        yield "fix", f"git {found[0]} is too old: install 2.29 or newer"
    else:
        yield "ok", f"{found[0]} at {place}"


def config() -> Said:
    """Every file that a user edits."""
    project = Project()
    files: list[Callable[[], object]] = [
        lambda: project.load_splits(project.load_manifest()),
        *(project.load_policy, project.load_optouts, project.load_quality, project.load_stages),
        *(project.load_datasets, project.load_targets, project.load_evaluation, load_automation),
        project.queries_path,
    ]
    wrong = 0
    for load in files:
        try:
            load()
        except ProvenderError as error:
            wrong += 1
            yield "fix", str(error)
    if not wrong:
        yield "ok", f"{len(project.load_manifest().sources)} sources; every file can be read"


def variables() -> Said:
    """The variables of the environment that are meant for us."""
    given = sorted(name for name in os.environ if name.startswith("PROVENDER_"))
    for name in given:
        if name not in VARIABLES:
            yield "fix", f"{name} is read by nothing; {hint(name, VARIABLES)}"
    known = [_public(f"{name}={os.environ[name]}") for name in given if name in VARIABLES]
    benchmarks = Project().benchmarks_path()
    if benchmarks is not None and not benchmarks.is_dir():
        yield (
            "fix",
            f"PROVENDER_BENCHMARKS: there is no folder {benchmarks}: correct it or unset it",
        )
    yield "ok", " ".join(known) or "none is set: everything is as it ships"


def lake() -> Said:
    """Where all tables and models lie."""
    from assets.corpus import SPLITS, place_of

    found = Lake()
    root = found.path()
    if found.uri() == str(root) and not root.exists():
        above = _existing(root)
        if not os.access(above, os.W_OK):
            yield (
                "fix",
                f"{root} cannot be made: give another folder with --lake (or PROVENDER_LAKE)",
            )
        else:
            yield "ok", f"{root} is not there yet: the first run makes it"
        return
    found.check_writable()
    stored = found.stored_all(place_of(split) for split in SPLITS)
    pairs = sum(each.rows for each in stored if each)
    yield (
        "ok",
        f"{found.uri()}, " + (f"a corpus of {pairs:,} pairs" if any(stored) else "no corpus yet"),
    )


def disk() -> Said:
    """Room where something is written."""
    places = {"lake": Lake().path(), "DAGSTER_HOME": _home()}
    for name, place in places.items():
        free = shutil.disk_usage(_existing(place)).free
        said = f"{free / (1 << 30):.1f} GB free for {name} ({place})"
        if free < _SHORT_BYTES:
            yield "fix", f"{said}: make room, a full disk stops every run"
        elif free < _LOW_BYTES:
            yield "note", f"{said}: the quickstart needs 3 GB, more sources more"
        else:
            yield "ok", said
    left = leftovers(places["lake"])
    if left:
        every = (each for top in left for each in (top, *top.rglob("*")))
        size = sum(each.stat().st_size for each in every if each.is_file())
        said = f"{size / (1 << 20):.1f} MB below {places['lake']} are of killed writes, as {left[0].name}"
        yield "note", f"{said}: delete them while nothing runs"


def dagster() -> Said:
    """The instance, and whether it has our settings."""
    home = _home()
    settings = home / "dagster.yaml"
    if not settings.is_file():
        yield "ok", f"no instance in {home} yet: the first run makes it"
        return
    os.environ.setdefault("DAGSTER_HOME", str(home))
    import dagster as dg

    try:
        with dg.DagsterInstance.get() as instance:
            runs = instance.get_runs_count()
    except Exception as error:  # noqa: BLE001  # whatever its storage says
        first = str(error).splitlines()[0]
        yield (
            "fix",
            f"{home} cannot be used: {_public(first)}; if it is older: `dagster instance migrate`",
        )
        return
    yield "ok", f"{runs} runs in {home}"
    if settings.read_bytes() != (ROOT / "config" / "dagster.yaml").read_bytes():
        yield (
            "note",
            f"{settings} is not as config/dagster.yaml ships: compare; if deleted, it is made anew",
        )


def mlflow() -> Said:
    """The tracking store: whether it answers, and whether its tables are those of this MLflow."""
    given = os.environ.get("MLFLOW_TRACKING_URI")
    database = Lake().path("mlflow", "mlflow.db")
    if not given and not database.is_file():
        yield "ok", f"no runs in {database} yet"
        return
    uri = given or Tracking(lake=Lake()).uri
    if uri.startswith(("http://", "https://")):
        yield _served(uri)
    elif "://" in uri and not uri.startswith("file:"):
        yield _migrated(uri)
    else:
        yield "note", f"{_public(uri)}: a folder; a database or a server keeps a registry, too"


def _served(uri: str) -> tuple[State, str]:
    import requests

    try:
        answer = requests.get(f"{uri.rstrip('/')}/version", timeout=5)
        answer.raise_for_status()
    except requests.RequestException as error:
        what = f"{_public(uri)} does not answer ({type(error).__name__})"
        return "fix", f"{what}: start the server, or correct MLFLOW_TRACKING_URI"
    here, there = metadata.version("mlflow"), answer.text.strip()[:20]
    if there.split(".")[0] != here.split(".")[0]:
        return "note", f"{_public(uri)} is MLflow {there}, here is {here}: use one major version"
    return "ok", f"{_public(uri)}, MLflow {there}"


def _migrated(uri: str) -> tuple[State, str]:
    import sqlalchemy
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError
    from sqlalchemy.exc import SQLAlchemyError

    engine = sqlalchemy.create_engine(uri)
    try:
        with engine.connect() as connection:
            at = MigrationContext.configure(connection).get_current_revision()
    except SQLAlchemyError as error:
        first = _public(str(error).splitlines()[0])
        return (
            "fix",
            f"{_public(uri)} cannot be read: {first}; start its server, or correct its address",
        )
    finally:
        engine.dispose()
    found = util.find_spec("mlflow")
    assert found is not None
    assert found.submodule_search_locations is not None
    place = Path(found.submodule_search_locations[0]) / "store" / "db_migrations"
    scripts = ScriptDirectory(str(place))
    head = scripts.get_current_head()
    if at == head:
        return "ok", f"{_public(uri)}, tables of this version"
    if at is None:
        return "note", f"{_public(uri)} has no tables yet: the first run makes them"
    try:
        scripts.get_revision(at)
    except CommandError:
        return "fix", f"{_public(uri)} was written by a newer MLflow: install that ({_INSTALL})"
    return "fix", f"{_public(uri)} is older: copy it, then `mlflow db upgrade {_public(uri)}`"


def device() -> Said:
    """What is computed on."""
    import torch

    from common.device import pick

    chosen = pick()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    said = f"{chosen.accelerator}, {chosen.precision}, {torch.get_num_threads()} threads on {cores} cores"
    if chosen.accelerator == "cuda":
        card = torch.cuda.get_device_properties(0)
        said = f"{card.name}, {card.total_memory / (1 << 30):.0f} GB; {said}"
    yield "ok", said
    if torch.get_num_threads() > (cores or 1):
        yield "note", "more threads than cores wait for each other: set OMP_NUM_THREADS"


CHECKS = (python, packages, git, config, variables, lake, disk, dagster, mlflow, device)


def examine() -> Iterator[Finding]:
    """Every check, in order; what one finds never keeps another from looking."""
    for check in CHECKS:
        try:
            for state, said in check():
                yield Finding(check.__name__, state, said)
        except ProvenderError as error:
            yield Finding(check.__name__, "fix", str(error))
        except Exception as error:  # noqa: BLE001  # the fault that somebody runs the doctor for
            said = f"cannot be checked: {type(error).__name__}: {error}; reinstall: {_INSTALL}"
            yield Finding(check.__name__, "fix", said)


def doctor(*, as_json: bool) -> int:
    """Print what was found; the exit code is 1 where something must be fixed."""
    from pipeline.render import console, text
    from pipeline.running import quiet

    quiet()
    colours = {"ok": "green", "note": "yellow", "fix": "red"}
    found = []
    out = console()
    for each in examine():
        found.append(each)
        if not as_json:
            line = text(f"{each.state:<5}{each.check:<10} ", colours[each.state])
            out.print(line.append_text(text(each.said, "")), soft_wrap=True)
    if as_json:
        print(json.dumps([asdict(each) for each in found], indent=2, ensure_ascii=False))
    return int(any(each.state == "fix" for each in found))


def _home() -> Path:
    return Path(os.environ.get("DAGSTER_HOME", Path.cwd() / ".dagster"))


def _existing(place: Path) -> Path:
    """`place`, or the nearest folder above it that is there."""
    return next(each for each in (place, *place.parents) if each.exists())


def _public(uri: str) -> str:
    return re.sub("//[^/@ ]*@", "//", uri)  # no credentials

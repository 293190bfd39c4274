"""MLflow's model registry as a Dagster resource: candidate, champion, the one before, and their files.

Every version keeps a copy of its model among the artifacts of the run that trained it, so that the next
training does not overwrite a champion.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import dagster as dg

from common.atomic import replacing_folder
from common.errors import ProvenderError
from common.hashing import digest_file
from resources.lake import Lake
from resources.tracking import Tracking, few_retries
from training.checkpoint import MANIFEST, read_manifest
from training.tracking import EXPERIMENT, artifacts

if TYPE_CHECKING:
    from mlflow import MlflowClient

NAME = "provender"
CHAMPION, PREVIOUS, CANDIDATE = "champion", "previous", "candidate"
ALIASES = (CHAMPION, PREVIOUS, CANDIDATE)

_FOLDER = "model"
"""Among the artifacts of a run."""
_WAS_CHAMPION = "was_champion"


@dataclass(frozen=True)
class Version:
    """A registered model.

    Attributes:
        number: MLflow's.
        fingerprint: of the checkpoint that it was exported from.
        aliases: those of `ALIASES` that mean it.
        decision: what was said when it was registered, as Markdown.
        made: when it was registered.
        was_champion: whether it has ever been the champion.
    """

    number: str
    fingerprint: str
    aliases: tuple[str, ...]
    decision: str
    made: datetime
    was_champion: bool
    source: str


class Registry(dg.ConfigurableResource):
    """The versions of the model `provender` in the tracking store."""

    lake: dg.ResourceDependency[Lake]
    tracking: dg.ResourceDependency[Tracking]

    def versions(self) -> list[Version]:
        """All versions, the newest first."""
        with self._asking() as client:
            return self._versions(client)

    def version(self, name: str) -> Version | None:
        """The version that an alias or a number means; null where there is none."""
        known = self.versions()
        return next((each for each in known if name in (each.number, *each.aliases)), None)

    def register(self, folder: Path, decision: str) -> Version:
        """The version of the exported model in `folder`, made where it is new; a candidate or the champion.

        Args:
            folder: of `training.merge`, with its manifest.
            decision: what the gates said, as Markdown.

        Raises:
            ProvenderError: MLflow does not answer, or `folder` is no exported model.
        """
        manifest = read_manifest(folder)
        fingerprint = str(manifest["fingerprint"])
        with self._asking() as client:
            known = self._versions(client)
            found = next((each for each in known if each.fingerprint == fingerprint), None)
            number = found.number if found else _create(client, self.tracking.uri, manifest, folder)
            client.update_model_version(NAME, number, description=decision)
            if found is None or CHAMPION not in found.aliases:
                client.set_registered_model_alias(NAME, CANDIDATE, number)
            return _named(self._versions(client), number)

    def promote(self, version: Version) -> None:
        """Make `version` the champion; the champion until now can be restored.

        A champion is no candidate. Twice is once.
        """
        with self._asking() as client:
            before = next((e for e in self._versions(client) if CHAMPION in e.aliases), None)
            if before is None or before.number != version.number:
                # First, so that a kill in between loses none.
                if before is not None:
                    client.set_registered_model_alias(NAME, PREVIOUS, before.number)
                client.set_model_version_tag(NAME, version.number, _WAS_CHAMPION, "true")
                client.set_registered_model_alias(NAME, CHAMPION, version.number)
            if CANDIDATE in _named(self._versions(client), version.number).aliases:
                client.delete_registered_model_alias(NAME, CANDIDATE)

    def restore(self, name: str = PREVIOUS) -> tuple[Version, Version]:
        """Make an earlier champion the champion again.

        Args:
            name: an alias or a number.

        Returns:
            The champion from now on, and the one until now; a second `restore` takes it back.

        Raises:
            ProvenderError: there is no such version, or it has never passed its gates.
        """
        known = self.versions()
        now = next((each for each in known if CHAMPION in each.aliases), None)
        wanted = next((each for each in known if name in (each.number, *each.aliases)), None)
        if now is None or wanted is None:
            there = ", ".join(each.number for each in known if each.was_champion) or "none"
            raise ProvenderError(
                "There is no champion yet."
                if now is None
                else "There is no champion before this one."
                if name == PREVIOUS
                else f"There is no version `{name}`; champions were: {there}.",
                where=f"MLflow, model `{NAME}`",
                remedy="`provender models` lists what there is.",
            )
        if not wanted.was_champion:
            raise ProvenderError(
                f"Version {wanted.number} has never passed its gates, and is not made champion.",
                where=f"MLflow, model `{NAME}`",
                remedy="Choose one that was champion; MLflow's UI can set the alias in spite of them.",
            )
        self.promote(wanted)
        return wanted, now

    def folder(self, version: Version) -> Path:
        """Where the files of `version` are on this machine; fetched into the lake if they are elsewhere.

        Raises:
            ProvenderError: they are gone, or are not what was registered.
        """
        with self._asking() as client:
            place = _local(client, version)
            if place is None:
                place = self.lake.path("models", "registered", version.fingerprint[:12])
                if not (place / MANIFEST).is_file():
                    _fetch(version, self.tracking.uri, place)
        _check(version, place)
        return place

    def _versions(self, client: "MlflowClient") -> list[Version]:
        from mlflow.exceptions import MlflowException

        try:
            model = client.get_registered_model(NAME)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return []
        names: dict[str, list[str]] = {}
        for alias, number in model.aliases.items():
            names.setdefault(str(number), []).append(alias)
        found = client.search_model_versions(f"name = '{NAME}'")
        return [
            Version(
                number=str(each.version),
                fingerprint=each.tags.get("fingerprint", ""),
                aliases=tuple(a for a in ALIASES if a in names.get(str(each.version), ())),
                decision=each.description or "",
                made=datetime.fromtimestamp(each.creation_timestamp / 1000, UTC),
                was_champion=_WAS_CHAMPION in each.tags,
                source=each.source or "",
            )
            for each in sorted(found, key=lambda each: -int(each.version))
        ]

    @contextmanager
    def _asking(self) -> Iterator["MlflowClient"]:
        """A client; what MLflow raises is one message."""
        from mlflow.exceptions import MlflowException

        try:
            with few_retries():
                yield self.tracking.client()
        except MlflowException as error:
            raise self.tracking.explained(error, f"the model `{NAME}`") from None


def _create(client: "MlflowClient", uri: str, manifest: Mapping[str, Any], folder: Path) -> str:
    """The number of a new version, whose files lie among the artifacts of its run."""
    from mlflow.exceptions import MlflowException

    run = manifest["tracking"].get("run_id")
    try:
        run = run and client.get_run(run).info.run_id
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        run = None  # it was trained with another store
    if not run:
        found = client.get_experiment_by_name(EXPERIMENT)
        experiment = (
            found.experiment_id if found else client.create_experiment(EXPERIMENT, artifacts(uri))
        )
        run = client.create_run(experiment, run_name=f"stage_{manifest['stage']}").info.run_id
        client.set_terminated(run)
    client.log_artifacts(run, str(folder), _FOLDER)
    try:
        client.create_registered_model(NAME)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    tags = {"fingerprint": manifest["fingerprint"], "stage": manifest["stage"]}
    made = client.create_model_version(NAME, f"runs:/{run}/{_FOLDER}", run_id=run, tags=tags)
    return str(made.version)


def _named(known: list[Version], number: str) -> Version:
    return next(each for each in known if each.number == number)


def _local(client: "MlflowClient", version: Version) -> Path | None:
    """The folder of its files, where the artifacts lie on this machine."""
    run, _, folder = version.source.removeprefix("runs:/").partition("/")
    root = client.get_run(run).info.artifact_uri or ""
    parts = urlsplit(root)
    if parts.scheme not in ("", "file"):
        return None
    return Path(unquote(parts.path)) / folder


def _fetch(version: Version, uri: str, place: Path) -> None:
    from mlflow.artifacts import download_artifacts

    with replacing_folder(place) as folder:
        got = download_artifacts(
            artifact_uri=version.source, dst_path=str(folder), tracking_uri=uri
        )
        for each in Path(got).iterdir():
            each.rename(folder / each.name)
        Path(got).rmdir()


def _check(version: Version, place: Path) -> None:
    weights = place / "model.safetensors"
    if not (place / MANIFEST).is_file() or not weights.is_file():
        raise ProvenderError(
            f"The files of version {version.number} are gone.",
            where=str(place),
            remedy="Restore them from a backup, or materialize `promotion` again for a new version.",
        )
    manifest = read_manifest(place)
    known = manifest.get("export", {}).get("sha256", {})
    if manifest["fingerprint"] != version.fingerprint or digest_file(weights) != known.get(
        weights.name
    ):
        raise ProvenderError(
            f"The files of version {version.number} are not those that were registered.",
            where=str(place),
            remedy="Restore another champion: `provender models restore`.",
        )

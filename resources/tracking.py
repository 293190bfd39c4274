"""MLflow as a Dagster resource: where runs go, the links to them, and data sets as runs of their own."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pyarrow as pa

from common.atomic import write_json
from common.errors import ProvenderError
from common.hashing import digest
from resources.lake import Lake
from training.tracking import EXPERIMENT, artifacts

if TYPE_CHECKING:
    from mlflow import MlflowClient

_TYPES = {
    "string": "string",
    "bool": "boolean",
    "int32": "integer",
    "int64": "long",
    "float": "float",
    "double": "double",
}
"""MLflow's names of the types of columns."""


class Tracking(dg.ConfigurableResource):
    """The tracking store (MLFLOW_TRACKING_URI, else a sqlite database in the lake)."""

    lake: dg.ResourceDependency[Lake]
    ui: str = "http://127.0.0.1:5000"

    @property
    def uri(self) -> str:
        given = os.environ.get("MLFLOW_TRACKING_URI")
        if given:
            return given
        folder = self.lake.path("mlflow")
        folder.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{folder / 'mlflow.db'}"

    def client(self) -> "MlflowClient":
        """A client of the store. Importing MLflow takes seconds: call this inside a step only."""
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self.uri)

    def run_link(self, run_id: str, experiment: str = "") -> str | None:
        """The address of a run in the MLflow UI that `make ui` starts; null for an unknown run.

        MLflow itself, which may be gone, is asked only where the `experiment` is not known.
        """
        if not run_id:
            return None
        return self._link(experiment or self.client().get_run(run_id).info.experiment_id, run_id)

    def registered(self, name: str, version: str) -> str | None:
        """The address of the run of the data set `name` in this `version`; null if none is known.

        Asks the lake, not MLflow, which is loaded only to register.
        """
        place = self._note(name)
        note = json.loads(place.read_text(encoding="utf-8")) if place.is_file() else {}
        if note.get("of") != digest(self.uri, version):
            return None
        return self._link(note["experiment"], note["run"])

    def register(
        self, name: str, version: str, source: str, schema: pa.Schema, profile: Mapping[str, Any]
    ) -> str:
        """Log the data set `name` as the input of a run of its own, unless this `version` is there.

        Args:
            name: its name.
            version: its data version; MLflow calls it digest.
            source: the address of its table.
            schema: the columns of the table.
            profile: counts that describe it.

        Returns:
            The address of the run.

        Raises:
            ProvenderError: MLflow cannot be reached, or refuses.
        """
        from mlflow.exceptions import MlflowException

        try:
            with few_retries():
                experiment, run = self._run(name, version, source, schema, profile)
        except MlflowException as error:
            raise self.explained(error, f"the data set `{name}`") from None
        of = digest(self.uri, version)
        write_json({"of": of, "experiment": experiment, "run": run}, self._note(name))
        return self._link(experiment, run)

    def explained(self, error: Exception, what: str) -> ProvenderError:
        """What MLflow raised over `what`, as one message."""
        first = next(iter(str(error).splitlines()), type(error).__name__)
        said = re.sub("//[^/@ ]*@", "//", first)  # no credentials
        return ProvenderError(
            f"MLflow does not take {what}: {said}.",
            where="MLFLOW_TRACKING_URI" if "MLFLOW_TRACKING_URI" in os.environ else self.uri,
            remedy="Start its server or correct the address, and run again; the files are made.",
        )

    def _run(
        self, name: str, version: str, source: str, schema: pa.Schema, profile: Mapping[str, Any]
    ) -> tuple[str, str]:
        """The experiment and the run that has the data set in this version as its input."""
        from mlflow.entities import Dataset, DatasetInput

        client = self.client()
        found = client.get_experiment_by_name(EXPERIMENT)
        experiment = (
            found.experiment_id
            if found
            else client.create_experiment(EXPERIMENT, artifacts(self.uri))
        )
        known = client.search_runs(
            [experiment], f"tags.dataset = '{name}' and tags.data_version = '{version}'"
        )
        done = [run.info.run_id for run in known if run.info.status == "FINISHED"]
        if done:
            return experiment, done[0]
        tags = {"dataset": name, "data_version": version}
        run = client.create_run(experiment, run_name=f"dataset {name}", tags=tags).info.run_id
        logged = Dataset(
            name=name,
            digest=version,
            source_type="local",
            source=json.dumps({"uri": source}),
            schema=json.dumps({"mlflow_colspec": [_column(field) for field in schema]}),
            profile=json.dumps(profile),
        )
        client.log_inputs(run, [DatasetInput(logged)])
        client.set_terminated(run)
        return experiment, run

    def _note(self, name: str) -> Path:
        """Where the lake keeps which run has the data set `name`."""
        return self.lake.path("mlflow", "datasets", f"{name}.json")

    def _link(self, experiment: str, run: str) -> str:
        return f"{self.ui}/#/experiments/{experiment}/runs/{run}"


@contextmanager
def few_retries() -> Iterator[None]:
    """MLflow asks a server that is not there for four minutes, and there may be ten data sets."""
    setting = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
    given = setting in os.environ
    os.environ.setdefault(setting, "2")
    try:
        yield
    finally:
        if not given:
            os.environ.pop(setting)


def _column(field: pa.Field) -> dict[str, Any]:
    """A column in MLflow's terms."""
    kind = _TYPES.get(str(field.type), "string")
    return {"name": field.name, "type": kind, "required": not field.nullable}

"""MLflow as a Dagster resource: where runs go, and the links to them."""

import os
from typing import TYPE_CHECKING

import dagster as dg

from resources.lake import Lake

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "provender"


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

    def run_link(self, run_id: str) -> str | None:
        """The address of a run in the MLflow UI that `make ui` starts; null for an unknown run."""
        if not run_id:
            return None
        experiment = self.client().get_run(run_id).info.experiment_id
        return f"{self.ui}/#/experiments/{experiment}/runs/{run_id}"

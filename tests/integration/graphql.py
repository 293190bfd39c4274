"""What Dagster's UI asks of its webserver, as far as the tests need it."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from tests.integration.compose import until

REPOSITORY = {"repositoryLocationName": "provender", "repositoryName": "__repository__"}

_LAUNCH = """
mutation ($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename
  ... on LaunchRunSuccess { run { runId } }
  ... on PythonError { message }
  ... on RunConfigValidationInvalid { errors { message } }
} }"""
_BACKFILL = """
mutation ($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename
  ... on LaunchBackfillSuccess { backfillId }
  ... on PythonError { message }
} }"""
_BACKFILL_STATUS = """
query ($id: String!) { partitionBackfillOrError(backfillId: $id) {
  ... on PartitionBackfill { status error { message } }
} }"""
_RUN = """
query ($id: ID!) { runOrError(runId: $id) { ... on Run { status tags { key value } } } }"""
_RUNS = """
query ($filter: RunsFilter!) { runsOrError(filter: $filter) {
  ... on Runs { results { runId status jobName tags { key value } } } } }"""
_TERMINATE = """
mutation ($id: String!) { terminateRun(runId: $id) {
  __typename
  ... on TerminateRunFailure { message }
} }"""
_LOGS = """
query ($id: ID!) { logsForRun(runId: $id) {
  ... on EventConnection { events {
    __typename
    ... on MessageEvent { message stepKey }
    ... on ExecutionStepFailureEvent { error { message causes { message } } }
  } } } }"""
_ASSETS = """
query { assetsOrError { ... on AssetConnection { nodes {
  key { path } assetMaterializations { partition runId } } } } }"""
_PARTITIONS = """
query ($asset: AssetKeyInput!) { assetNodeOrError(assetKey: $asset) {
  ... on AssetNode { partitionKeys } } }"""
_LOCATIONS = """
query { workspaceOrError { ... on Workspace { locationEntries {
  name loadStatus locationOrLoadError { __typename ... on PythonError { message } } } } } }"""

ENDED = {"SUCCESS", "FAILURE", "CANCELED"}


class Dagster:
    """The webserver at `address`."""

    def __init__(self, address: str) -> None:
        self._address = address

    def ask(self, query: str, **variables: Any) -> Any:
        """The one answer to `query`."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(
            f"{self._address}/graphql", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as reply:
            answer = json.load(reply)
        assert "errors" not in answer, answer["errors"]
        [found] = answer["data"].values()
        return found

    def launch(self, job: str, *assets: str, tags: dict[str, str] | None = None) -> str:
        """The id of a new run of `job`, of all its assets or of these."""
        selector: dict[str, Any] = {**REPOSITORY, "jobName": job}
        if assets:
            selector["assetSelection"] = [{"path": each.split("/")} for each in assets]
        told = [{"key": key, "value": value} for key, value in (tags or {}).items()]
        params = {"selector": selector, "mode": "default", "executionMetadata": {"tags": told}}
        launched = self.ask(_LAUNCH, params=params)
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return launched["run"]["runId"]

    def backfill(self, assets: list[str], partitions: list[str]) -> str:
        """The id of a new backfill."""
        selection = [{"path": [each]} for each in assets]
        params = {"assetSelection": selection, "partitionNames": partitions}
        launched = self.ask(_BACKFILL, params=params)
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        return launched["backfillId"]

    def backfill_status(self, backfill: str) -> str:
        return self.ask(_BACKFILL_STATUS, id=backfill)["status"]

    def cancel(self, run: str) -> None:
        """What the button *Terminate* asks for."""
        told = self.ask(_TERMINATE, id=run)
        assert told["__typename"] == "TerminateRunSuccess", told

    def status(self, run: str) -> str:
        return self.ask(_RUN, id=run)["status"]

    def runs(self, **tags: str) -> list[dict[str, Any]]:
        """The runs with all of `tags`, the newest first."""
        wanted = [{"key": key, "value": value} for key, value in tags.items()]
        return self.ask(_RUNS, filter={"tags": wanted})["results"]

    def await_status(self, run: str, *wanted: str, patience_s: float = 120) -> str:
        """Wait until `run` has one of the statuses `wanted`; any end, if none is named."""
        expected = set(wanted) or ENDED

        def reached() -> str | None:
            status = self.status(run)
            if status in ENDED and status not in expected:
                raise AssertionError(f"{run} is {status}: {self.messages(run)[-12:]}")
            return status if status in expected else None

        return until(f"{run} is {' or '.join(sorted(expected))}", reached, patience_s)

    def await_rerun(self, run: str) -> None:
        """Wait until the daemon has had `run` run again, with success."""
        again = until("it is run again", lambda: self.runs(**{"dagster/parent_run_id": run}))
        self.await_status(again[0]["runId"], "SUCCESS", patience_s=240)

    def await_step(self, run: str, step: str) -> None:
        """Wait until `step` of `run` has begun."""

        def begun() -> bool:
            events = self.ask(_LOGS, id=run)["events"]
            return any(
                each["__typename"] == "ExecutionStepStartEvent" and each["stepKey"] == step
                for each in events
            )

        until(f"{step} of {run} has begun", begun)

    def messages(self, run: str) -> list[str]:
        """The messages of the run's log, oldest first, with the reasons of steps that failed."""
        found = []
        for event in self.ask(_LOGS, id=run)["events"]:
            error = event.get("error") or {}
            reasons = [error, *error.get("causes", ())]
            found += [each["message"] for each in (event, *reasons) if each.get("message")]
        return found

    def newest(self, asset: str, partition: str) -> str:
        """The run that made `partition` of an asset last, as its page has it."""
        [node] = [each for each in self.ask(_ASSETS)["nodes"] if each["key"]["path"] == [asset]]
        made = (each for each in node["assetMaterializations"] if each["partition"] == partition)
        return next(made)["runId"]

    def materialized(self) -> dict[str, list[str | None]]:
        """The partitions of each asset's materializations, null for one without."""
        return {
            "/".join(node["key"]["path"]): [
                each["partition"] for each in node["assetMaterializations"]
            ]
            for node in self.ask(_ASSETS)["nodes"]
            if node["assetMaterializations"]
        }

    def partitions(self, asset: str) -> list[str]:
        return self.ask(_PARTITIONS, asset={"path": [asset]})["partitionKeys"]

    def locations(self) -> dict[str, str]:
        """What became of loading each code location."""
        entries = self.ask(_LOCATIONS)["locationEntries"]
        return {each["name"]: each["locationOrLoadError"]["__typename"] for each in entries}

"""MLflow's API, as far as the tests need it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from tests.integration.compose import Stack


def ask(stack: Stack, path: str, **body: Any) -> dict[str, Any]:
    """What MLflow says; with a body it is posted."""
    place = f"{stack.address(5000)}/api/2.0/mlflow/{path}"
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(place, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.load(reply)


def runs(stack: Stack) -> list[dict[str, Any]]:
    """The runs of the stages and data sets."""
    found = ask(stack, "experiments/get-by-name?experiment_name=provender")
    experiment = found["experiment"]["experiment_id"]
    return ask(stack, "runs/search", experiment_ids=[experiment]).get("runs", [])


def status_for_host(stack: Stack, host: str) -> int:
    """The status of MLflow's answer to who asks for `host`."""
    place = f"{stack.address(5000)}/api/2.0/mlflow/experiments/get-by-name?experiment_name=Default"
    request = urllib.request.Request(place, headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code

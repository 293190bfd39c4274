from __future__ import annotations

import sys

import dagster as dg
import pytest

from common.errors import ProvenderError
from resources.executor import chosen


def test_steps_run_in_their_runs_process_unless_pods_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PROVENDER_EXECUTOR", raising=False)
    assert chosen() is dg.in_process_executor
    monkeypatch.setenv("PROVENDER_EXECUTOR", "k8s_job")
    assert chosen().name == "k8s"


def test_an_unknown_executor_and_a_missing_extra_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVENDER_EXECUTOR", "ray")
    with pytest.raises(ProvenderError, match="Choose in_process or k8s_job"):
        chosen()
    monkeypatch.setenv("PROVENDER_EXECUTOR", "k8s_job")
    monkeypatch.setitem(sys.modules, "dagster_k8s", None)
    with pytest.raises(ProvenderError, match=r"Install provender\[k8s\]"):
        chosen()

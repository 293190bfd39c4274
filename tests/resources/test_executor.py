from __future__ import annotations

import sys

import dagster as dg
import pytest

from common.errors import ProvenderError
from resources.executor import chosen


def test_steps_run_in_their_runs_process_unless_something_else_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PROVENDER_EXECUTOR", raising=False)
    assert chosen() is dg.in_process_executor
    monkeypatch.setenv("PROVENDER_EXECUTOR", "k8s_job")
    assert chosen().name == "k8s"
    monkeypatch.setenv("PROVENDER_EXECUTOR", "ray")
    assert chosen().name == "ray"


def test_an_unknown_executor_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVENDER_EXECUTOR", "celery")
    with pytest.raises(ProvenderError, match=r"Choose in_process, k8s_job or ray\."):
        chosen()


@pytest.mark.parametrize(
    ("executor", "module", "name"),
    [("k8s_job", "dagster_k8s", "k8s"), ("ray", "dagster_ray", "ray")],
)
def test_a_missing_extra_is_told(
    executor: str, module: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVENDER_EXECUTOR", executor)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ProvenderError, match=rf"Install provender\[{name}\]"):
        chosen()

import signal

import dagster as dg
import polars as pl
import pytest

from assets.common import AGAIN, about, preview, told
from common.errors import ProvenderError
from corpus.sources import PypiSource
from pipeline.running import fault, run


def test_a_preview_has_the_columns_that_a_person_reads_and_that_differ() -> None:
    frame = pl.DataFrame(
        {
            "path": ["a.rs", "b.rs"],
            "origin": ["pkg:pypi/a@1", "pkg:pypi/a@1"],
            "source": ["a", "b"],
            "license_evidence": [[{"by": "text"}], []],
            "size": [1, None],
        }
    )
    assert preview(frame) == "| path | size |\n|---|---|\n| a.rs | 1 |\n| b.rs |  |"


def test_a_preview_of_one_row_and_of_none_has_what_there_is() -> None:
    frame = pl.DataFrame({"path": ["a.rs"], "source": ["a"]})
    assert preview(frame) == "| path |\n|---|\n| a.rs |"
    assert preview(frame.clear()) == "no rows"
    assert preview(pl.DataFrame({"source": ["a", "b"]})) == "| source |\n|---|\n| a |\n| b |"


def test_a_preview_draws_its_rows_from_all_of_the_table() -> None:
    shown = preview(pl.DataFrame({"path": [f"{n}.rs" for n in range(50)]}))
    assert [line.strip("| ") for line in shown.splitlines()[2:]] == [
        f"{n}.rs" for n in range(0, 50, 10)
    ]


def test_the_page_of_a_source_says_what_the_manifest_says() -> None:
    source = PypiSource(name="a", version="1", sha256="0" * 64, why="A parser.", license="MIT")
    assert about(source) == {
        "source": "A parser.",
        "kind": "pypi",
        "domain": "rust",
        "expected_license": "MIT",
    }


def steps(work, instance: dg.DagsterInstance, *, attended: bool = False) -> list[str]:
    """What became of each try of a step that does `work`, and what is told of the last."""

    @dg.asset
    def tried(context: dg.AssetExecutionContext) -> None:
        with told(again=None if attended else context):
            work()

    result = run(dg.Definitions([tried], jobs=[dg.define_asset_job("all", "*")]), "all", instance)
    kinds = {
        dg.DagsterEventType.STEP_UP_FOR_RETRY: "again",
        dg.DagsterEventType.STEP_SUCCESS: "success",
        dg.DagsterEventType.STEP_FAILURE: "failure",
    }
    found = [kinds[each.event_type] for each in result.all_events if each.event_type in kinds]
    return found + [fault(each) for each in result.get_step_failure_events()]


@pytest.mark.parametrize(
    ("attended", "passing", "faults", "expected"),
    [
        (False, True, 1, ["again", "success"]),
        (False, True, 9, ["again", "again", "failure", "source a: It is down. Wait."]),
        (False, False, 9, ["failure", "source a: It is down. Wait."]),
        (True, True, 9, ["failure", "source a: It is down. Wait."]),
    ],
)
def test_what_may_pass_is_tried_again_and_told_in_the_end(
    monkeypatch: pytest.MonkeyPatch, attended: bool, passing: bool, faults: int, expected: list[str]
) -> None:
    tries = iter(range(9))

    def work() -> None:
        if next(tries) < faults:
            raise ProvenderError("It is down.", where="source a", remedy="Wait.", passing=passing)

    monkeypatch.setattr("assets.common.AGAIN", dg.RetryPolicy(AGAIN.max_retries, delay=0))
    with dg.DagsterInstance.ephemeral() as instance:
        assert steps(work, instance, attended=attended) == expected


def test_a_step_that_somebody_stops_is_not_tried_again() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        with pytest.raises(KeyboardInterrupt):
            steps(lambda: signal.raise_signal(signal.SIGINT), instance)
        [stopped] = instance.get_runs()
        again = dg.DagsterEventType.STEP_UP_FOR_RETRY
        assert not instance.all_logs(stopped.run_id, of_type=again)

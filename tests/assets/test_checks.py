"""The asset checks of `corpus`: what each says; in the job `everything` a blocking one stops training."""

from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from assets import checks
from assets.corpus import EDGES, LOSSES, SPLITS, place_of
from corpus import schema
from corpus.targets import FIGURES
from pipeline.definitions import build_definitions
from pipeline.jobs import EVERYTHING
from resources.lake import Lake
from resources.project import Project
from tests.corpus.frames import corpus

MANIFEST = """
sources:
  - {name: demo, kind: git, url: https://example.org/demo.git, split: train}
  - {name: held, kind: git, url: https://example.org/held.git, split: test}
"""
HELD_OUT = {"pair_id": "h1", "unit_id": "u9", "source": "held", "split": "test", "positive": "held"}
BLOCKING = {"not_empty", "no_leak", "all_licensed"}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake with one pair in training and one held out, and their manifest."""
    made = Lake(root=str(tmp_path / "lake"))
    fill(made, {}, HELD_OUT)
    (tmp_path / "sources.yaml").write_text(MANIFEST, encoding="utf-8")
    return made


def fill(lake: Lake, *rows: dict[str, Any]) -> None:
    frame = corpus(*rows)
    for split in SPLITS:
        lake.write(frame.filter(split=split), schema.CORPUS, *place_of(split), fingerprint="f")
    lake.write(schema.empty(schema.EDGES), schema.EDGES, *EDGES, fingerprint="f")
    lake.write(schema.empty(schema.LOSSES), schema.LOSSES, *LOSSES, fingerprint="f")


@cache
def fakes() -> list[dg.AssetsDefinition]:
    """The assets of the graph, with their dependencies and without their work."""
    graph = build_definitions().resolve_asset_graph()

    def fake(key: dg.AssetKey) -> dg.AssetsDefinition:
        @dg.asset(key=key, deps=graph.get(key).parent_keys)
        def made() -> None: ...

        return made

    return [fake(key) for key in graph.get_all_asset_keys()]


def built(lake: Lake, **files: str) -> dg.ExecuteInProcessResult:
    """A run of the job `everything` in which nothing but the checks does its work."""
    manifest = str(lake.path().parent / "sources.yaml")
    definitions = dg.Definitions(
        assets=fakes(),
        asset_checks=dg.load_asset_checks_from_modules([checks]),
        jobs=[EVERYTHING],
        resources={"lake": lake, "project": Project(sources=manifest, **files)},
    )
    with dg.DagsterInstance.ephemeral() as instance:
        return definitions.resolve_job_def("everything").execute_in_process(
            instance=instance, raise_on_error=False
        )


def made(result: dg.ExecuteInProcessResult) -> set[str]:
    events = result.get_asset_materialization_events()
    return {each.asset_key.to_user_string() for each in events if each.asset_key is not None}


def said(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {each.check_name: each for each in result.get_asset_check_evaluations()}


def metadata(evaluation: dg.AssetCheckEvaluation) -> dict[str, Any]:
    return {key: each.value for key, each in evaluation.metadata.items()}


def failed(result: dg.ExecuteInProcessResult) -> set[str]:
    return {name for name, each in said(result).items() if not each.passed}


# --- What stops training --------------------------------------------------------------------------


def test_warnings_let_training_go_on(lake: Lake) -> None:
    result = built(lake)

    assert result.success
    assert {"corpus", "stage_rust", "model", "report"} <= made(result)
    assert "target_pairs" in failed(result)
    assert not failed(result) & BLOCKING


@pytest.mark.parametrize(
    ("check", "rows"),
    [
        ("not_empty", [HELD_OUT]),
        ("no_leak", [{"positive": "HELD"}, HELD_OUT]),
        ("all_licensed", [{"license": None}, HELD_OUT]),
    ],
)
def test_a_blocking_check_that_fails_stops_training(
    lake: Lake, check: str, rows: list[dict[str, Any]]
) -> None:
    fill(lake, *rows)

    result = built(lake)

    assert not result.success
    assert failed(result) & BLOCKING == {check}
    assert "corpus" in made(result)
    assert not made(result) & {"stage_rust", "model", "metrics", "report"}


def test_a_corpus_that_cannot_be_read_stops_training(lake: Lake) -> None:
    lake.path(*EDGES).unlink()

    result = built(lake)

    assert "stage_rust" not in made(result)
    [failure] = result.get_step_failure_events()
    assert failure.step_key == "corpus_no_leak"


# --- What they say --------------------------------------------------------------------------------


def test_a_leak_is_counted_by_kind_and_shown(lake: Lake) -> None:
    fill(lake, {"positive": "HELD", "cluster_id": "h1"}, {"pair_id": "p2"}, HELD_OUT)

    found = said(built(lake))["no_leak"]

    told = metadata(found)
    assert (found.description, told["pairs"]) == ("1 leaking pairs: cluster, code", 1)
    assert told["by_kind"].splitlines()[2:] == ["| code | demo | 1 |", "| cluster | demo | 1 |"]
    assert "| code | p1 | demo | train | src/lib.rs | long_enough |" in told["examples"]


def test_every_figure_is_a_check_with_its_target_beside_it(lake: Lake) -> None:
    found = said(built(lake))

    assert {name for name in found if name.startswith("target_")} == {
        f"target_{name}" for name in FIGURES
    }
    assert metadata(found["target_pairs"]) == {
        "measured": 1,
        "target": "30,000 – 100,000",
        "unit": "pairs",
        "profile": "quickstart",
    }
    assert found["target_pairs"].severity is dg.AssetCheckSeverity.WARN
    assert metadata(found["target_tlaplus_tooling"])["target"] == "none"
    assert found["target_tlaplus_tooling"].passed
    assert metadata(found["target_mean_query"])["measured"] == 16.0


def test_another_profile_has_other_targets(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVENDER_PROFILE", "plan")

    told = metadata(said(built(lake))["target_rust"])

    assert (told["target"], told["profile"]) == ("≥ 50,000", "plan")


def test_one_figure_can_be_checked_alone(lake: Lake) -> None:
    definitions = dg.Definitions(
        asset_checks=[checks.targets],
        resources={"lake": lake, "project": Project()},
        jobs=[
            dg.define_asset_job(
                "one",
                dg.AssetSelection.checks(
                    dg.AssetCheckKey(dg.AssetKey("corpus"), "target_languages")
                ),
            )
        ],
    )
    with dg.DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_job_def("one").execute_in_process(instance=instance)

    assert list(said(result)) == ["target_languages"]


def test_an_unknown_profile_fails_the_targets_alone(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVENDER_PROFILE", "quickstrat")

    result = built(lake)

    [failure] = result.get_step_failure_events()
    assert "did you mean `quickstart`" in str(failure.step_failure_data.user_failure_data)
    assert "stage_rust" in made(result)


@pytest.mark.parametrize(
    ("lost", "passed", "severity"),
    [
        (60, True, dg.AssetCheckSeverity.WARN),
        (61, False, dg.AssetCheckSeverity.WARN),
        (91, False, dg.AssetCheckSeverity.ERROR),
    ],
)
def test_a_source_that_is_a_copy_of_others_is_told_and_stops_nothing(
    lake: Lake, lost: int, passed: bool, severity: dg.AssetCheckSeverity
) -> None:
    rows = pl.DataFrame(
        [{"source": "demo", "units": 100, "lost": lost}], schema.empty(schema.LOSSES).schema
    )
    lake.write(rows, schema.LOSSES, *LOSSES, fingerprint="f")

    result = built(lake)

    found = said(result)["no_source_is_a_copy"]
    assert (found.passed, found.severity) == (passed, severity)
    assert "stage_rust" in made(result)


def test_sources_without_a_snapshot_are_named(lake: Lake) -> None:
    found = said(built(lake))["all_sources_present"]

    assert (found.passed, metadata(found)) == (False, {"missing": "demo, held"})


def test_checkpoints_that_learned_what_is_left_out_by_now_are_named(lake: Lake) -> None:
    gone = pl.DataFrame({"source": ["demo"], "blob_sha": ["b1"]})
    lake.write(
        gone, schema.TOMBSTONES, "tombstones", "source=demo", "data.parquet", fingerprint="f"
    )
    place = lake.path("models", "model", "provenance.parquet")
    place.parent.mkdir(parents=True)
    pl.DataFrame({"blob_sha": ["b1", "b2"]}).write_parquet(place)

    found = said(built(lake))["no_opted_out_in_checkpoints"]

    assert (found.passed, metadata(found)) == (False, {"checkpoints": "model: 1 files"})

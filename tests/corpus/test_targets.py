"""The figures of a corpus: what is counted as what, and where the bounds of each profile lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from common.errors import ProvenderError
from corpus.targets import FIGURES, Bounds, Profile, Target, load_targets, measure
from resources.project import Project
from tests.corpus.frames import corpus

CONFIG = Path(__file__).parents[2] / "config" / "targets.yaml"


def measured(*rows: dict[str, Any]) -> dict[str, float]:
    """The figures of a corpus of `rows`, which are of the train split unless they say otherwise."""
    return {each.name: each.measured for each in measure(corpus(*rows).lazy(), Profile())}


def fault(tmp_path: Path, text: str) -> str:
    """What is said of a file that holds `text`."""
    place = tmp_path / "targets.yaml"
    place.write_text(text, encoding="utf-8")
    with pytest.raises(ProvenderError) as caught:
        load_targets(place)
    return caught.value.what


# --- Figures --------------------------------------------------------------------------------------


def test_each_figure_counts_its_own_pairs() -> None:
    figures = measured(
        {"language": "rust", "query": "q" * 10, "positive": "c" * 100},
        {"language": "rust", "dialect": "kani", "query": "q" * 20, "positive": "c" * 100},
        {"language": "lean", "query": "q" * 30, "positive": "c" * 100},
        {"language": "java", "source": "tlaplus-java", "query": "é" * 60, "positive": "c" * 100},
        {"language": "java", "source": "other", "query": "q" * 30, "positive": "c" * 200},
        {"language": "tlaplus", "source": "tlaplus-specs", "query": "q" * 30, "positive": ""},
    )
    assert figures == {
        "pairs": 6,
        "rust": 2,
        "formal": 3,
        "tlaplus_tooling": 1,
        "verification": 1,
        "languages": 4,
        "mean_query": 30.0,
        "mean_code": 100.0,
    }


def test_an_unknown_dialect_is_no_verification() -> None:
    figures = measured({"dialect": "jml"}, {"dialect": "creusot"}, {"dialect": None})
    assert (figures["verification"], figures["formal"]) == (1, 1)


def test_only_the_train_split_is_measured() -> None:
    held_out = {"language": "lean", "query": "q" * 500}
    figures = measured(
        {"query": "q" * 40}, held_out | {"split": "valid"}, held_out | {"split": "test"}
    )
    assert (figures["pairs"], figures["formal"], figures["mean_query"]) == (1, 0, 40.0)


def test_an_empty_corpus_measures_nothing_and_meets_nothing_of_the_plan() -> None:
    assert measured() == dict.fromkeys(FIGURES, 0)
    plan = load_targets(CONFIG).named("plan")
    assert not any(target.passed for target in measure(corpus().lazy(), plan))


@pytest.mark.parametrize(
    ("value", "high", "passed"),
    [(3, 9, False), (4, 9, True), (9, 9, True), (9.5, 9, False), (1_000, None, True)],
)
def test_bounds_are_inclusive_and_may_be_open_above(
    value: float, high: float | None, passed: bool
) -> None:
    assert Target("x", value, Bounds(at_least=4, at_most=high)).passed is passed


def test_a_figure_without_bounds_may_be_anything() -> None:
    assert Target("x", 0, None).passed
    assert Target("x", -5, Bounds(at_most=9)).passed


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        (Bounds(at_least=50_000), "≥ 50,000"),
        (Bounds(at_most=2.5), "≤ 2.5"),
        (Bounds(at_least=100_000, at_most=1_200_000), "100,000 – 1,200,000"),
    ],
)
def test_bounds_are_written_as_numbers_are_read(bounds: Bounds, text: str) -> None:
    assert str(bounds) == text


# --- Profiles -------------------------------------------------------------------------------------


def test_every_figure_is_a_setting_of_a_profile() -> None:
    assert list(Profile.model_fields) == list(FIGURES)


def test_the_bounds_of_the_plan_are_the_plans() -> None:
    plan = load_targets(CONFIG).named("plan")
    assert {name: str(bounds) for name, bounds in plan} == {
        "pairs": "100,000 – 200,000",
        "rust": "≥ 50,000",
        "formal": "≥ 5,000",
        "tlaplus_tooling": "≥ 1,000",
        "verification": "≥ 2,000",
        "languages": "≥ 4",
        "mean_query": "20 – 100",
        "mean_code": "100 – 2,000",
    }


def test_the_quickstart_is_meant_by_default_as_it_is_built_by_default() -> None:
    targets = load_targets(CONFIG)
    assert targets.profile == "quickstart"
    assert list(targets.profiles) == ["plan", "quickstart", "personal"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "profile: a\nprofiles:\n  a:\n    pears: {at_least: 1}",
            "line 4: unknown key `profiles.a.pears`; did you mean `pairs`?",
        ),
        (
            "profile: a\nprofiles:\n  a:\n    rust: {at_lest: 1}",
            "line 4: unknown key `profiles.a.rust.at_lest`; did you mean `at_least`?",
        ),
        (
            "profile: plam\nprofiles: {plan: {}}",
            "line 1: `profile`: unknown profile `plam`; did you mean `plan`?",
        ),
        (
            "profile: a\nprofiles: {a: {rust: {}}}",
            "line 2: `profiles.a.rust`: give at_least or at_most.",
        ),
        (
            "profile: a\nprofiles: {a: {rust: {at_least: 3, at_most: 2}}}",
            "line 2: `profiles.a.rust`: at_least is more than at_most.",
        ),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_line(tmp_path: Path, text: str, what: str) -> None:
    assert fault(tmp_path, text) == what


def test_an_unknown_profile_is_named_with_the_nearest_one() -> None:
    with pytest.raises(ProvenderError) as caught:
        load_targets(CONFIG).named("personel")
    assert str(caught.value) == (
        "config/targets.yaml: unknown profile `personel`; did you mean `personal`?"
        " Correct the name (PROVENDER_PROFILE, --profile), or write the profile."
    )


def test_the_environment_chooses_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVENDER_PROFILE", "plan")
    assert Project().load_targets().profile == "plan"
    monkeypatch.setenv("PROVENDER_PROFILE", "")
    assert Project().load_targets().profile == "quickstart"
    monkeypatch.setenv("PROVENDER_PROFILE", "plum")
    with pytest.raises(ProvenderError, match="did you mean `plan`"):
        Project().load_targets()

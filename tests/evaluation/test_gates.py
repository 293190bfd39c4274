from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from evaluation.gates import Evidence, Gate, decide, on_queries, promoted
from evaluation.settings import Gates, Held, Priority

SOUND = Evidence(parity=1e-7)
GATES = Gates(priority=Priority(sets=["judged_test", "judged_formal_test"]))
PRIORITY = "judged priority queries: better than the base model, and not by chance"


def _ranks(eval_set: str, system: str, *ranks: int, mode: str = "semantic") -> list[dict[str, Any]]:
    return [
        {
            "eval_set": eval_set,
            "system": system,
            "mode": mode,
            "query_id": f"q{number}",
            "rank": rank,
        }
        for number, rank in enumerate(ranks)
    ]


def _good(judged: tuple[int, ...] = (1,) * 12) -> list[dict[str, Any]]:
    """A model that answers `judged` where its base has rank 2, and is as good elsewhere."""
    return [
        *_ranks("judged_test", "tuned", *judged),
        *_ranks("judged_test", "base", *(2 for _ in judged)),
        *_ranks("doc_test", "tuned", 1, 2),
        *_ranks("doc_test", "base", 1, 2),
        *_ranks("doc_test", "tuned", 1, 2, mode="hybrid"),
        *_ranks("doc_test", "bm25", 2, 2, mode="lexical"),
    ]


def _found(
    ranks: list[dict[str, Any]], gates: Gates = GATES, evidence: Evidence = SOUND
) -> dict[str, Gate]:
    return {gate.name: gate for gate in decide(ranks, gates, evidence)}


def _failed(ranks: list[dict[str, Any]], **given: Any) -> list[str]:
    return [name for name, gate in _found(ranks, **given).items() if not gate.passed]


def test_a_better_model_passes_every_gate() -> None:
    found = decide(_good(), GATES, SOUND)
    assert promoted(found)
    assert [gate.name for gate in found] == [
        PRIORITY,
        "judged_test: not worse than the base model beyond doubt",
        "doc_test: loses no more than 0 to the base model",
        "documentation queries: hybrid search beats BM25",
        "parity of export and adapter",
        "leakage",
        "licences",
    ]


def test_a_rival_is_judged_by_its_own_ranks() -> None:
    rival = [row | {"system": "merged"} for row in _good((1, 1, 1)) if row["system"] == "tuned"]
    ranks = [*_good(), *rival]
    assert [gate.name for gate in on_queries(ranks, GATES, "merged") if not gate.passed] == [
        PRIORITY
    ]
    assert on_queries(ranks, GATES) == decide(ranks, GATES, SOUND)[:4]


def test_gates_say_what_they_measured() -> None:
    found = _found(_good((1,) * 8))
    assert found[PRIORITY].detail == (
        "MRR +0.500, 95 % interval +0.500 to +0.500, 8 queries; p = 0.008, at most 0.05 is asked"
    )
    assert (
        found["documentation queries: hybrid search beats BM25"].detail == "MRR 0.750 against 0.500"
    )
    assert found["parity of export and adapter"].detail == "1.0e-07 apart at most, 1e-05 is allowed"


def test_a_gain_that_chance_may_give_does_not_promote() -> None:
    assert _failed(_good((1, 1, 1))) == [PRIORITY]  # p = 0.25


def test_a_significant_loss_is_no_gain() -> None:
    assert _failed(_good((4,) * 12)) == [
        PRIORITY,
        "judged_test: not worse than the base model beyond doubt",
    ]


def test_priority_sets_are_tested_together() -> None:
    """Neither set has the queries to show it alone."""
    half = _good((1, 1, 1))
    other = [
        *_ranks("judged_formal_test", "tuned", 1, 1, 1),
        *_ranks("judged_formal_test", "base", 2, 2, 2),
    ]
    assert _failed(half) == [PRIORITY]
    assert _failed([*half, *other]) == []  # p = 2 / 64


def test_one_priority_set_may_not_pay_for_another() -> None:
    other = [
        *_ranks("judged_formal_test", "tuned", 3, 3, 3),
        *_ranks("judged_formal_test", "base", 2, 2, 2),
    ]
    assert _failed([*_good((1,) * 40), *other]) == [
        "judged_formal_test: not worse than the base model beyond doubt"
    ]


@pytest.mark.parametrize(("rank", "failed"), [(2, []), (3, ["doc_test: loses no more than 0.1"])])
def test_documentation_may_lose_what_config_allows(rank: int, failed: list[str]) -> None:
    gates = Gates(priority=GATES.priority, documentation=Held(sets=["doc_test"], may_lose=0.1))
    ranks = [
        *_ranks("doc_test", "tuned", rank),
        *_ranks("doc_test", "base", 2),
        *[row for row in _good() if row["eval_set"] != "doc_test" or row["mode"] != "semantic"],
    ]
    assert _failed(ranks, gates=gates) == [f"{name} to the base model" for name in failed]


@pytest.mark.parametrize(("rank", "passed"), [(9, True), (99, False)])
def test_general_queries_may_lose_what_config_allows(rank: int, passed: bool) -> None:
    # 1/8 - 1/9 = 0.014, 1/8 - 1/99 = 0.115
    ranks = [
        *_good(),
        *_ranks("judged_general_test", "tuned", rank),
        *_ranks("judged_general_test", "base", 8),
    ]
    name = "judged_general_test: loses no more than 0.02 to the base model"
    assert _found(ranks)[name].passed is passed


CHAMPION = "judged priority queries: not below the champion"
RIVAL = Evidence(parity=1e-7, champion=True)


def test_a_champion_is_to_be_matched() -> None:
    asked = _ranks("judged_test", "champion", *(1,) * 12)
    assert _failed([*_good(), *asked], evidence=RIVAL) == []
    assert _failed([*_good((1,) * 11 + (2,)), *asked], evidence=RIVAL) == [CHAMPION]


def test_a_champion_that_was_asked_nothing_in_common_is_not_matched() -> None:
    other = _ranks("doc_test", "champion", 1, 1)
    assert _failed([*_good(), *other], evidence=RIVAL) == [CHAMPION]
    assert _failed(_good(), evidence=RIVAL) == [CHAMPION]


def test_without_another_champion_there_is_none_to_match() -> None:
    assert CHAMPION not in _found(_good())


def test_only_queries_that_both_were_asked_count() -> None:
    ranks = [*_good(), *_ranks("judged_test", "tuned", *(1,) * 12, 99)]
    assert _found(ranks)[PRIORITY].detail.startswith("MRR +0.500")


@pytest.mark.parametrize(("hybrid", "passed"), [(1, True), (2, False), (3, False)])
def test_hybrid_must_beat_bm25(hybrid: int, passed: bool) -> None:
    ranks = [row for row in _good() if row["mode"] != "hybrid"]
    ranks += _ranks("doc_test", "tuned", hybrid, 2, mode="hybrid")
    assert _found(ranks)["documentation queries: hybrid search beats BM25"].passed is passed


def test_the_mode_of_the_comparison_is_a_setting() -> None:
    gates = GATES.model_copy(update={"mode": "hybrid"})
    found = _found(_good(), gates=gates)[PRIORITY]
    assert (found.passed, found.detail[:9]) == (False, "not asked")


@pytest.mark.parametrize(
    ("evidence", "failed"),
    [
        (Evidence(parity=None), "parity of export and adapter"),
        (Evidence(parity=1.1e-5), "parity of export and adapter"),
        (Evidence(parity=float("nan")), "parity of export and adapter"),
        (Evidence(parity=0.0, leaking="2 pairs"), "leakage"),
        (Evidence(parity=0.0, unlicensed="2 files"), "licences"),
    ],
)
def test_a_model_that_is_not_sound_is_not_promoted(evidence: Evidence, failed: str) -> None:
    assert _failed(_good(), evidence=evidence) == [failed]


def test_a_gate_without_its_queries_fails_and_says_so() -> None:
    found = decide([], GATES, SOUND)
    missing = [gate.name for gate in found if gate.detail.startswith("not asked")]
    assert missing == [
        PRIORITY,
        "doc_test: loses no more than 0 to the base model",
        "documentation queries: hybrid search beats BM25",
    ]
    assert not any(gate.passed for gate in found if gate.name in missing)


@pytest.mark.parametrize(
    "wrong", [{"priority": {"p": 0}}, {"general": {"sets": []}}, {"parity": 0}, {"mode": "rrf"}]
)
def test_settings_that_could_never_fail_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Gates.model_validate(wrong)

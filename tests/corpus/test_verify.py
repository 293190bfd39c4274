"""What must hold of a finished corpus: each way in which it may leak or be unlicensed, by itself."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from corpus import schema
from corpus.verify import leaks, unlicensed
from tests.corpus.frames import corpus

SPLITS = {"demo": "train", "dev": "valid", "held": "test"}


def pair(pair_id: str, split: str = "train", **changes: Any) -> dict[str, Any]:
    """A pair of its own unit, code and cluster, in the source of its split."""
    source = next(name for name, of in SPLITS.items() if of == split)
    own = {"unit_id": f"u-{pair_id}", "positive": f"fn {pair_id}() {{}}", "source": source}
    return {"pair_id": pair_id, "split": split, **own, **changes}


def edges(*rows: dict[str, Any]) -> pl.DataFrame:
    """Evidence that two units, of `demo` and `held` unless it says otherwise, are near."""
    full = {
        "what": "code",
        "source_a": "held",
        "source_b": "demo",
        "jaccard": 0.9,
        "near": True,
        "repeats": True,
    }
    return pl.DataFrame([{**full, **row} for row in rows], schema.empty(schema.EDGES).schema)


def leaking(
    *rows: dict[str, Any], near: pl.DataFrame | None = None, splits: dict[str, str] = SPLITS
) -> list[tuple[str, str]]:
    """What is found, and in which pair."""
    found = leaks(corpus(*rows), edges() if near is None else near, splits)
    return found.select("found", "pair_id").rows()


def refused(**changes: Any) -> list[str]:
    rows = corpus(pair("a", **changes), pair("b"))
    found = unlicensed(rows, ["owned", "permissive"])
    assert found["pair_id"].unique().to_list() in ([], ["a"])
    return found["found"].to_list()


# --- Leaks ----------------------------------------------------------------------------------------


def test_splits_with_nothing_in_common_do_not_leak() -> None:
    twice = pair("b", unit_id="u-a", positive="fn a() {}", cluster_id="a")
    assert leaking(pair("a"), twice, pair("c", "valid"), pair("d", "test")) == []
    assert leaking() == []


def test_a_source_in_two_splits_leaks() -> None:
    assert leaking(pair("a", source="held"), pair("b", "test")) == [("source", "a")]


def test_a_source_that_is_held_out_by_now_leaks() -> None:
    moved = SPLITS | {"demo": "valid"}
    assert leaking(pair("a"), pair("b", "test"), splits=moved) == [("source", "a")]
    # The other way round nothing was learned, and a source may leave the manifest.
    assert leaking(pair("b", "test"), splits={"held": "train"}) == []
    assert leaking(pair("a"), pair("b", "test"), splits={}) == []


def test_a_cluster_in_two_splits_leaks() -> None:
    assert leaking(pair("a", cluster_id="k"), pair("b", "test", cluster_id="k")) == [
        ("cluster", "a")
    ]


def test_the_same_code_leaks_but_for_case_and_white_space() -> None:
    rows = pair("a", positive="FN x()\n  {}"), pair("b", "test", positive="fn x() {}")
    assert leaking(*rows) == [("code", "a")]


def test_the_valid_split_must_not_have_the_code_of_the_test_split() -> None:
    rows = pair("a", "valid", positive="fn x() {}"), pair("b", "test", positive="fn x() {}")
    assert leaking(*rows) == [("code", "a")]


@pytest.mark.parametrize("ends", [("u-a", "x"), ("x", "u-a")])
def test_what_is_near_to_a_held_out_unit_without_a_pair_leaks(ends: tuple[str, str]) -> None:
    one, other = ("demo", "held") if ends[0] == "u-a" else ("held", "demo")
    near = edges({"unit_id_a": ends[0], "unit_id_b": ends[1], "source_a": one, "source_b": other})
    assert leaking(pair("a"), pair("b"), near=near) == [("near", "a")]


@pytest.mark.parametrize(
    "changes", [{"what": "query"}, {"near": False}, {"source_a": "demo"}, {"unit_id_b": "u-c"}]
)
def test_other_evidence_is_no_leak(changes: dict[str, Any]) -> None:
    near = edges({"unit_id_a": "x", "unit_id_b": "u-a"} | changes)
    assert leaking(pair("a"), near=near) == []


# --- Licences -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"license": "MIT OR Apache-2.0"}, []),
        ({"license_tier": "strong", "license": "GPL-3.0-only"}, ["tier"]),
        ({"license": None}, ["licence"]),
        ({"license": "Sometimes"}, ["licence"]),
        ({"license": None, "license_tier": "none"}, ["licence", "tier"]),
        ({"license": None, "license_tier": "owned"}, []),
        ({"license": None, "split": "test"}, ["licence"]),
    ],
)
def test_a_pair_needs_an_admitted_tier_and_a_licence_or_its_owner(
    changes: dict[str, Any], found: list[str]
) -> None:
    assert refused(**changes) == found


def test_nothing_is_unlicensed_where_there_is_nothing() -> None:
    assert unlicensed(corpus(), ["permissive"]).is_empty()

"""Near-duplicates in the corpus: which stay, which share a cluster, and what the tables say of them."""

from __future__ import annotations

from typing import Any

import pytest

from corpus.build import Drop, build_corpus
from tests.corpus.frames import pairs
from tests.corpus.test_build import CURRICULUM, QUALITY, SPLITS, built, code, pair

LONG = "\n".join(f"    let step_{n} = left.step_{n}(right);" for n in range(20))


def long(name: str, *, sign: str = "+") -> str:
    return f"fn {name}(left: u64, right: u64) -> u64 {{\n{LONG}\n    left {sign} right\n}}"


def test_near_copy_of_one_name_trains_once() -> None:
    corpus, drops = built(
        pair(1, symbol="A::add", positive=long("add")),
        pair(2, symbol="b.add", positive=long("add", sign="-")),
    )

    assert corpus["unit_id"].to_list() == ["u1"]
    assert drops == [("demo", Drop.NEAR_CODE.value, 1)]


def test_near_duplicate_of_another_name_is_another_answer_of_the_same_cluster() -> None:
    corpus, drops = built(
        pair(1, symbol="add", positive=long("add")),
        pair(2, symbol="sub", positive=long("sub", sign="-")),
        pair(3, symbol="other"),
    )

    assert corpus.select("unit_id", "cluster_id").rows() == [
        *(("u1", "u1"), ("u2", "u1"), ("u3", "u3")),
    ]
    assert drops == []


@pytest.mark.parametrize("source", ["held", "tuning"])
def test_near_copy_of_held_out_code_never_trains_whatever_its_name(source: str) -> None:
    corpus, drops = built(
        pair(1, symbol="sub", positive=long("sub", sign="-")),
        pair(2, symbol="add", positive=long("add"), source=source),
    )

    assert corpus["unit_id"].to_list() == ["u2"]
    assert drops == [("demo", Drop.NEAR_HELD_OUT.value, 1)]


def test_near_copy_of_held_out_code_never_trains_even_where_that_has_no_fit_pair() -> None:
    corpus, drops = built(
        pair(1, symbol="sub", positive=long("sub", sign="-")),
        pair(2, symbol="add", positive=long("add"), source="held", query="Short"),
    )

    assert corpus.height == 0
    assert ("demo", Drop.NEAR_HELD_OUT.value, 1) in drops


def test_near_copies_among_held_out_code_stay() -> None:
    corpus, _ = built(
        pair(1, symbol="add", positive=long("add"), source="held"),
        pair(2, symbol="add", positive=long("add", sign="-"), source="held"),
    )

    assert corpus.height == 2


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"license_tier": "permissive"}, {"license_tier": "weak_lib"}),
        ({"domain": "formal"}, {"domain": "rust"}),
        ({"pair_type": "doc"}, {"pair_type": "path", "query_kind": "keywords"}),
    ],
    ids=["licence", "weight", "doc"],
)
@pytest.mark.parametrize("sign", ["+", "-"], ids=["equal", "near"])
def test_of_copies_the_better_one_stays(
    better: dict[str, Any], worse: dict[str, Any], sign: str
) -> None:
    for first, second in ((better, worse), (worse, better)):
        corpus, _ = built(
            pair(1, symbol="add", positive=long("add"), **first),
            pair(2, symbol="add", positive=long("add", sign=sign), **second),
        )

        assert corpus["unit_id"].to_list() == ["u1" if first is better else "u2"]


def test_losses_count_what_stands_in_other_sources_too() -> None:
    made = build_corpus(
        pairs(
            *(pair(1, symbol="a"), pair(2, symbol="b", positive=long("b"))),
            pair(3, symbol="a", positive=code("thing_1"), source="fork"),
            pair(4, symbol="b", positive=long("b", sign="-"), source="fork"),
            pair(5, symbol="c", source="fork"),
        ),
        {**SPLITS, "fork": "train"},
        CURRICULUM,
        QUALITY,
    )

    assert made.losses.rows() == [("demo", 2, 0), ("fork", 3, 2)]


def test_evidence_says_what_was_compared_and_what_followed() -> None:
    made = build_corpus(
        pairs(
            pair(1, symbol="add", positive=long("add")),
            pair(2, symbol="add", positive=long("add", sign="-")),
        ),
        *(SPLITS, CURRICULUM, QUALITY),
    )

    (edge,) = made.edges.rows(named=True)
    assert (edge["unit_id_a"], edge["unit_id_b"], edge["near"], edge["repeats"]) == (
        *("u1", "u2", True, True),
    )
    assert 0.9 < edge["jaccard"] < 1


def test_clusters_never_cross_the_splits() -> None:
    corpus, drops = built(
        pair(1, symbol="add", positive=long("add"), source="held"),
        pair(2, symbol="add", positive=long("add", sign="-"), source="tuning"),
        pair(3, symbol="sub", positive=long("sub", sign="*")),
    )

    assert corpus["unit_id"].to_list() == ["u1"]
    assert drops == [
        ("demo", Drop.NEAR_HELD_OUT.value, 1),
        ("tuning", Drop.NEAR_HELD_OUT.value, 1),
    ]


def test_nearly_the_same_query_of_one_unit_is_asked_once() -> None:
    one = "read all of the lines of a file"
    corpus, drops = built(
        pair(1, query=one),
        pair(2, unit_id="u1", query="Read all the lines of a file", positive=code("thing_1")),
        pair(3, query="write one line to a file"),
    )

    assert corpus["pair_id"].sort().to_list() == ["p1", "p3"]
    assert drops == [("demo", Drop.NEAR_QUERY.value, 1)]


def test_units_with_nearly_the_same_query_share_a_cluster() -> None:
    corpus, drops = built(
        pair(1, query="read all of the lines of a file"),
        pair(2, query="Read all the lines of a file"),
        pair(3, query="write one line to a file"),
    )

    assert corpus.select("unit_id", "cluster_id").rows() == [
        *(("u1", "u1"), ("u2", "u1"), ("u3", "u3")),
    ]
    assert drops == []


def test_second_build_signs_what_changed() -> None:
    rows = [pair(number) for number in range(50)]
    first = build_corpus(pairs(*rows), SPLITS, CURRICULUM, QUALITY)
    rows[7] = pair(7, query="Looks up an entry", positive=code("look_up"))

    second = build_corpus(pairs(*rows), SPLITS, CURRICULUM, QUALITY, signatures=first.signatures)

    assert (first.signed, second.signed) == (100, 2)
    anew = build_corpus(pairs(*rows), SPLITS, CURRICULUM, QUALITY)
    assert second.pairs.equals(anew.pairs)
    assert second.signatures.equals(anew.signatures)


def test_removed_pairs_say_what_they_repeat() -> None:
    made = build_corpus(
        pairs(
            pair(1, symbol="add", positive=long("add")),
            pair(2, symbol="add", positive=long("add", sign="-")),
            pair(3, positive=long("add")),
            pair(4, query="does  THING number 1"),
            pair(5, query="Short"),
        ),
        *(SPLITS, CURRICULUM, QUALITY),
    )

    removed = {row["pair_id"]: row for row in made.removed.iter_rows(named=True)}
    assert {key: (row["reason"], row["kept"]) for key, row in removed.items()} == {
        "p2": (Drop.NEAR_CODE.value, "u1"),
        "p3": (Drop.SAME_CODE.value, "u1"),
        "p4": (Drop.SAME_QUERY.value, "p1"),
        "p5": ("query_too_short", ""),
    }
    assert removed["p2"]["share"] == pytest.approx(made.edges.filter("near")["jaccard"][0])
    assert removed["p3"]["share"] is None
    assert removed["p2"]["source"] == "demo"

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from common.errors import ProvenderError
from corpus import schema
from corpus.build import Drop, build_corpus
from corpus.curriculum import Curriculum, load_curriculum
from corpus.quality import Fault, Quality, Rules
from tests.corpus.frames import LONG_CODE, pairs

CONFIG = Path(__file__).parents[2] / "config"
CURRICULUM = Curriculum(domain_weights={"rust": 1, "formal": 5})
SPLITS = {"demo": "train", "held": "test", "tuning": "valid"}


def code(name: str) -> str:
    return LONG_CODE.replace("long_enough", name)


def pair(number: int, **changes: Any) -> dict[str, Any]:
    """A pair of a unit of its own, unlike every other."""
    return {
        "pair_id": f"p{number}",
        "unit_id": f"u{number}",
        "query": f"Does thing number {number}",
        "positive": code(f"thing_{number}"),
        "start_line": number * 10,
        **changes,
    }


QUALITY = Quality()


def build(*rows: dict[str, Any], **rules: int) -> tuple[pl.DataFrame, list[tuple]]:
    quality = Quality(default=Rules.model_validate({"max_repetition": 1, **rules}))
    made = build_corpus(pairs(*rows), SPLITS, CURRICULUM, quality)
    return made.pairs, made.drops.select("source", "reason", "pairs").rows()


def built(*rows: dict[str, Any], **options: Any) -> tuple[pl.DataFrame, list[tuple]]:
    made = build_corpus(pairs(*rows), SPLITS, CURRICULUM, QUALITY, **options)
    return made.pairs, made.drops.select("source", "reason", "pairs").rows()


def test_fit_pairs_are_kept_whole() -> None:
    corpus, drops = build(pair(1), pair(2))

    assert schema.conform(corpus, schema.CORPUS).num_rows == 2
    assert corpus.select(schema.PAIRS.names).equals(pairs(pair(1), pair(2)))
    assert drops == []


def test_no_pairs_make_an_empty_corpus() -> None:
    made = build_corpus(pairs(), SPLITS, CURRICULUM, QUALITY)

    assert schema.conform(made.pairs, schema.CORPUS).num_rows == 0
    assert schema.conform(made.drops, schema.DROPS).num_rows == 0
    assert schema.conform(made.losses, schema.LOSSES).num_rows == 0
    assert schema.conform(made.edges, schema.EDGES).num_rows == 0
    assert schema.conform(made.removed, schema.REMOVED).num_rows == 0
    assert schema.conform(made.signatures, schema.SIGNATURES).num_rows == 0
    assert made.signed == 0


def test_split_is_that_of_the_source() -> None:
    corpus, _ = build(pair(1), pair(2, source="held"), pair(3, source="tuning"))

    assert dict(corpus.select("source", "split").iter_rows()) == SPLITS


def test_weight_is_that_of_the_domain_and_one_by_default() -> None:
    corpus, _ = build(pair(1), pair(2, domain="formal"), pair(3, domain="personal"))

    assert corpus["weight"].to_list() == [1.0, 5.0, 1.0]
    assert corpus["weight"].dtype == pl.Float32


def test_weight_of_a_category_goes_before_that_of_its_domain() -> None:
    curriculum = Curriculum(
        domain_weights={"rust": 1, "formal": 5}, category_weights={"verification": 2.5}
    )
    rows = pairs(
        *(pair(1, domain="formal"), pair(2, domain="formal", category="verification")),
        pair(3, source="held", category="verification"),
    )
    made = build_corpus(rows, SPLITS, curriculum, QUALITY, weights={"held": 7})

    assert dict(made.pairs.select("unit_id", "weight").iter_rows()) == {
        "u1": 5.0,
        "u2": 2.5,
        "u3": 7.0,
    }


def test_weight_of_a_source_goes_before_that_of_its_domain() -> None:
    corpus, _ = built(
        *(pair(1), pair(2, domain="formal"), pair(3, source="held", domain="formal")),
        weights={"demo": 0.5},
    )

    assert corpus.select("unit_id", "weight").rows() == [("u1", 0.5), ("u2", 0.5), ("u3", 5.0)]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"is_test": True}, Drop.PLAIN_TEST),
        ({"query": "Adds"}, Fault.QUERY_SHORT),
        ({"query": ""}, Fault.QUERY_SHORT),
        ({"query": "word " * 40 + "word"}, Fault.QUERY_LONG),
        ({"positive": "x" * 59}, Fault.CODE_SHORT),
        ({"positive": "x" * 8001}, Fault.CODE_LONG),
    ],
)
def test_pair_out_of_bounds_is_dropped(change: dict[str, Any], reason: Drop) -> None:
    corpus, drops = build(pair(1, **change))

    assert corpus.height == 0
    assert drops == [("demo", reason.value, 1)]


@pytest.mark.parametrize(
    "change",
    [
        {"query": "Adds two"},
        {"query": " ".join(["word"] * 40)},
        {"positive": "x" * 60},
        {"positive": "x" * 8000},
        {"positive": "∀" * 60},
    ],
)
def test_pair_at_a_bound_is_kept(change: dict[str, Any]) -> None:
    corpus, drops = build(pair(1, **change))

    assert (corpus.height, drops) == (1, [])


def test_code_length_is_counted_in_characters() -> None:
    _, drops = build(pair(1, positive="∀" * 59))

    assert drops == [("demo", Fault.CODE_SHORT.value, 1)]


def test_proof_harness_is_no_plain_test() -> None:
    kept, _ = build(pair(1, is_test=True, dialect="kani"))
    assert kept.height == 1


@pytest.mark.parametrize("language", ["lean", "tlaplus", "smtlib"])
def test_proof_in_a_formal_language_is_no_plain_test(language: str) -> None:
    assert build(pair(1, is_test=True, language=language))[0].height == 1


@pytest.mark.parametrize("tier", ["owned", "permissive", "weak_file", "weak_lib"])
def test_tier_that_is_admitted_by_default_is_kept(tier: str) -> None:
    assert build(pair(1, license_tier=tier))[0].height == 1


@pytest.mark.parametrize("tier", ["strong", "none"])
def test_tier_that_is_not_admitted_is_dropped(tier: str) -> None:
    corpus, drops = build(pair(1, license_tier=tier), pair(2))

    assert corpus["unit_id"].to_list() == ["u2"]
    assert drops == [("demo", Drop.LICENCE.value, 1)]


def test_tiers_that_are_admitted_can_be_set() -> None:
    curriculum = Curriculum(admit=["strong"], domain_weights={})
    made = build_corpus(pairs(pair(1, license_tier="strong"), pair(2)), SPLITS, curriculum, QUALITY)

    assert made.pairs["unit_id"].to_list() == ["u1"]


def test_code_of_a_dropped_licence_does_not_keep_a_copy_out() -> None:
    corpus, _ = build(pair(1, license_tier="strong"), pair(2, positive=code("thing_1")), pair(3))

    assert corpus["unit_id"].to_list() == ["u2", "u3"]


def test_file_with_a_tombstone_is_dropped_wherever_it_turns_up() -> None:
    out = "1" * 40
    corpus, drops = built(
        *(pair(1, blob_sha=out), pair(2, blob_sha=out, source="held", path="fork.rs"), pair(3)),
        tombstones={out, "2" * 40},
    )

    assert corpus["unit_id"].to_list() == ["u3"]
    assert drops == [("demo", Drop.OPTED_OUT.value, 1), ("held", Drop.OPTED_OUT.value, 1)]


def test_opt_out_goes_before_every_other_reason() -> None:
    _, drops = built(pair(1, license_tier="none", query="Adds"), tombstones={"0" * 40})

    assert drops == [("demo", Drop.OPTED_OUT.value, 1)]


def test_limits_can_be_set() -> None:
    corpus, _ = build(pair(1, query="Adds"), min_query_words=1)

    assert corpus.height == 1


def test_reason_is_the_first_that_holds() -> None:
    _, drops = build(pair(1, query="Adds", positive="x"))

    assert drops == [("demo", Fault.QUERY_SHORT.value, 1)]


@pytest.mark.parametrize("source", ["held", "tuning"])
def test_held_out_code_never_trains(source: str) -> None:
    copied = code("thing_1").upper().replace("    ", "\t")
    corpus, drops = build(pair(1, source=source), pair(2, positive=copied), pair(3))

    assert corpus["unit_id"].to_list() == ["u3", "u1"]
    assert drops == [("demo", Drop.HELD_OUT.value, 1)]


def test_held_out_code_never_trains_even_where_its_own_pair_is_dropped() -> None:
    corpus, drops = build(pair(1, source="held", query="Short"), pair(2, positive=code("thing_1")))

    assert corpus.height == 0
    assert drops == [("demo", Drop.HELD_OUT.value, 1), ("held", Fault.QUERY_SHORT.value, 1)]


def test_same_code_in_two_units_trains_once() -> None:
    corpus, drops = build(pair(1), pair(2, positive=code("thing_1") + "\n"), pair(3))

    assert corpus["unit_id"].to_list() == ["u1", "u3"]
    assert drops == [("demo", Drop.SAME_CODE.value, 1)]


def test_several_queries_may_share_a_unit() -> None:
    again = pair(2, unit_id="u1", positive=code("thing_1"), start_line=10)
    corpus, drops = build(pair(1), again)

    assert corpus["pair_id"].to_list() == ["p1", "p2"]
    assert drops == []


def test_unfit_pair_does_not_take_the_place_of_a_fit_copy() -> None:
    corpus, drops = build(pair(1, query="Short"), pair(2, positive=code("thing_1")))

    assert corpus["unit_id"].to_list() == ["u2"]
    assert drops == [("demo", Fault.QUERY_SHORT.value, 1)]


def test_same_query_is_asked_once() -> None:
    corpus, drops = build(pair(1), pair(2, query="does  THING number 1"), pair(3))

    assert corpus["unit_id"].to_list() == ["u1", "u3"]
    assert drops == [("demo", Drop.SAME_QUERY.value, 1)]


def test_query_of_a_held_out_source_is_not_trained_on() -> None:
    corpus, drops = build(pair(1), pair(2, query="Number 1 does thing", source="held"))

    assert corpus["unit_id"].to_list() == ["u2"]
    assert drops == [("demo", Drop.ASKED.value, 1)]


def test_query_of_one_or_two_words_may_be_asked_on_both_sides() -> None:
    corpus, drops = build(
        pair(1, query="to string"), pair(2, query="to string", source="held"), min_query_words=1
    )

    assert (corpus.height, drops) == (2, [])
    assert corpus["cluster_id"].n_unique() == 2


def test_drops_are_counted_by_source_language_kind_and_reason() -> None:
    drops = build_corpus(
        pairs(
            pair(1, query="One"),
            pair(2, query="Two"),
            pair(3, query="Three", pair_type="path"),
            pair(4, query="Four", source="held"),
            pair(5, positive="x"),
        ),
        SPLITS,
        CURRICULUM,
        QUALITY,
    ).drops

    assert drops.rows() == [
        ("demo", "rust", "doc", "code_too_short", 1),
        ("demo", "rust", "doc", "query_too_short", 2),
        ("demo", "rust", "path", "query_too_short", 1),
        ("held", "rust", "doc", "query_too_short", 1),
    ]


def test_every_pair_is_kept_or_counted() -> None:
    rows = [pair(each % 5, pair_id=f"p{each}", query=f"Query {each % 7}") for each in range(40)]
    corpus, drops = build(*rows)

    assert corpus.height + sum(count for *_, count in drops) == 40


def test_corpus_does_not_depend_on_the_order_of_the_pairs() -> None:
    rows = pairs(
        *(
            pair(
                number,
                source=["demo", "held", "tuning"][number % 3],
                query=f"Does thing number {number % 11}",
                positive=code(f"thing_{number % 13}"),
            )
            for number in range(60)
        )
    )
    expected = build_corpus(rows, SPLITS, CURRICULUM, QUALITY)

    for seed in range(5):
        made = build_corpus(
            rows.sample(fraction=1, shuffle=True, seed=seed), SPLITS, CURRICULUM, QUALITY
        )
        assert made.pairs.equals(expected.pairs)
        assert made.drops.equals(expected.drops)
        assert made.losses.equals(expected.losses)
        assert made.edges.equals(expected.edges)
        assert made.removed.equals(expected.removed)
        assert made.signatures.equals(expected.signatures)


def test_shipped_curriculum_draws_formal_pairs_more_often() -> None:
    found = load_curriculum(CONFIG / "curriculum.yaml")

    assert found.domain_weights["formal"] > found.domain_weights["rust"] > 0


def test_shipped_curriculum_admits_no_strong_licence() -> None:
    found = load_curriculum(CONFIG / "curriculum.yaml")

    assert found.admit == ["owned", "permissive", "weak_file", "weak_lib"]


def test_unknown_tier_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "curriculum.yaml"
    path.write_text("domain_weights: {rust: 1}\nadmit: [permissive, free]\n")

    with pytest.raises(ProvenderError, match=r"line 2: `admit\.1`"):
        load_curriculum(path)


def test_weight_must_be_positive(tmp_path: Path) -> None:
    path = tmp_path / "curriculum.yaml"
    path.write_text("domain_weights: {rust: 0}\n")

    with pytest.raises(ProvenderError, match=r"`domain_weights\.rust`"):
        load_curriculum(path)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("category_weights: {code: -1}", r"`category_weights\.code`"),
        ("category_weights: {proofs: 2}", r"`category_weights\.proofs"),
        ("benchmark_share: 0", "`benchmark_share`"),
    ],
)
def test_setting_out_of_bounds_is_refused(tmp_path: Path, line: str, fault: str) -> None:
    path = tmp_path / "curriculum.yaml"
    path.write_text(f"domain_weights: {{rust: 1}}\n{line}\n")

    with pytest.raises(ProvenderError, match=fault):
        load_curriculum(path)

from __future__ import annotations

import random
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sentence_transformers import MultiVectorEncoder

from common.errors import ProvenderError
from evaluation.bm25 import bm25_scores
from evaluation.documents import render
from evaluation.retrieve import encode, maxsim_scores
from tests.tiny import pair, tiny_recipe
from training import negatives
from training.model import load_encoder
from training.negatives import COLUMNS, CONSISTENCY, NEGATIVES, Mined, Negatives, mine

_LOOSE = {"threshold": None, "lexical_threshold": None, "mutations": 0}


@pytest.fixture(scope="module")
def encoder(tiny_model: Path) -> MultiVectorEncoder:
    return load_encoder(tiny_recipe(tiny_model, document_length=96))


def _row(number: int, **changes: Any) -> dict[str, Any]:
    """A pair whose unit, file and code are its own."""
    row = pair(number) | {
        "file_context": f"alpha/file{number}.rs",
        "symbol": f"symbol{number}",
        "language": "rust",
        "dialect": None,
        "domain": "rust",
    }
    row |= changes
    return {name: row[name] for name in COLUMNS}


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in COLUMNS]))


def _mine(rows: list[dict[str, Any]], encoder: MultiVectorEncoder, **settings: Any) -> Mined:
    chosen = Negatives.model_validate(_LOOSE | settings)
    return mine(_table(rows), encoder, chosen, nullcontext())


def _of(mined: Mined, pair_id: str) -> list[dict[str, Any]]:
    return [row for row in mined.negatives.to_pylist() if row["pair_id"] == pair_id]


def _text(row: dict[str, Any], code: str | None = None) -> str:
    parts = {"prose": row["doc_rest"], "code": code or row["positive"]}
    return render({"file_context": row["file_context"], **parts}, "indexed")


def _scores(query: str, texts: list[str], encoder: MultiVectorEncoder) -> np.ndarray:
    vectors = encode(encoder, texts, "document", autocast=nullcontext())
    asked = encode(encoder, [query], "query", autocast=nullcontext())
    return maxsim_scores(asked, vectors)[0]


def test_negatives_are_the_fused_tops_below_the_positive(encoder: MultiVectorEncoder) -> None:
    rows = [_row(number) for number in range(24)]
    mined = _mine(rows, encoder, per_pair=5, threshold=0.99, lexical_threshold=0.9)
    for row in rows:
        texts = [_text(each) for each in rows]
        model, lexical = (
            _scores(row["query"], texts, encoder),
            bm25_scores([row["query"]], texts)[0],
        )
        own = rows.index(row)
        others = [at for at in range(len(rows)) if at != own]
        order = {
            "model": sorted(others, key=lambda at: (-model[at], rows[at]["pair_id"])),
            "bm25": sorted(
                (at for at in others if lexical[at] > 0),
                key=lambda at: (-lexical[at], rows[at]["pair_id"]),
            ),
        }
        fused = {
            at: sum(1 / (61 + ranking.index(at)) for ranking in order.values() if at in ranking)
            for at in others
        }
        kept = [
            rows[at]["pair_id"]
            for at in sorted(fused, key=lambda at: (-fused[at], rows[at]["pair_id"]))
            if model[at] <= 0.99 * model[own] and lexical[at] <= 0.9 * lexical[own]
        ]
        found = _of(mined, row["pair_id"])
        assert [each["negative_id"] for each in found] == kept[:5]
        assert [each["rank"] for each in found] == list(range(len(found)))
        for each in found:
            at = next(at for at in others if rows[at]["pair_id"] == each["negative_id"])
            assert each["kind"] == ("both" if at in order["bm25"] else "model")
            assert each["score"] == pytest.approx(model[at], abs=2e-3)
            assert each["positive_score"] == pytest.approx(model[own], abs=2e-3)


def test_tables_have_their_schemas_and_order(encoder: MultiVectorEncoder) -> None:
    mined = _mine([_row(number) for number in range(12)], encoder)
    assert mined.negatives.schema.equals(NEGATIVES, check_metadata=True)
    assert mined.consistency.schema.equals(CONSISTENCY, check_metadata=True)
    keys = [(row["pair_id"], row["rank"]) for row in mined.negatives.to_pylist()]
    assert keys == sorted(keys)


def test_the_order_of_rows_and_the_chunks_change_nothing(
    encoder: MultiVectorEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [_row(number) for number in range(20)]
    expected = _mine(rows, encoder)
    shuffled = random.Random(1).sample(rows, len(rows))
    assert _mine(shuffled, encoder) == expected
    monkeypatch.setattr("training.negatives._ELEMENTS", 50)
    monkeypatch.setitem(negatives._QUERIES, "cpu", 3)
    again = _mine(shuffled, encoder)
    assert again.negatives.drop_columns(["score"]) == expected.negatives.drop_columns(["score"])
    np.testing.assert_allclose(again.negatives["score"], expected.negatives["score"], atol=1e-5)


_HARD = {
    "query": "parse the date",
    "positive": "fn parse_date(text) { self.date.parse() }",
    "symbol": "Owner::Inner::symbol0",
}


@pytest.mark.parametrize(
    "changes",
    [
        {"cluster_id": "unit0"},
        {"file_context": "alpha/file0.rs", "symbol": "Owner::Inner::symbol0"},
        {"file_context": "alpha/file0.rs", "symbol": "Owner"},
        {"file_context": "alpha/file0.rs", "symbol": "Owner::Inner"},
        {"positive": "fn parse_date(text) {\n    self.date.parse()\n}"},
        {"query": "Parse the date"},
        {"language": "python"},
    ],
    ids=[
        "near-duplicate",
        "same symbol",
        "its module",
        "its type",
        "equal code",
        "equal query",
        "another language",
    ],
)
def test_other_right_answers_are_no_negatives(
    encoder: MultiVectorEncoder, changes: dict[str, str]
) -> None:
    rows = [_row(0, **_HARD), *(_row(number) for number in range(2, 10))]
    near = _row(1, query="read the date", positive="fn parse_date(x) { self.date.parse() }")
    assert "pair1" in [each["negative_id"] for each in _of(_mine([*rows, near], encoder), "pair0")]
    found = _of(_mine([*rows, near | changes], encoder), "pair0")
    assert "pair1" not in [each["negative_id"] for each in found]
    assert len(found) == 7


def test_of_a_cluster_only_the_best_is_a_negative(encoder: MultiVectorEncoder) -> None:
    rows = [_row(number, cluster_id="same" if number else "own") for number in range(8)]
    assert len(_of(_mine(rows, encoder), "pair0")) == 1


def test_a_unit_with_several_pairs_is_one_document(encoder: MultiVectorEncoder) -> None:
    rows = [_row(number) for number in range(6)]
    twin = rows[1] | {"pair_id": "pair1b", "query": "read date", "doc_rest": "other words"}
    mined = _mine([*rows, twin], encoder)
    [found] = [each for each in _of(mined, "pair0") if each["code"] == twin["positive"]]
    assert (found["negative_id"], found["prose"]) == ("pair1", rows[1]["doc_rest"])
    assert {row["pool"] for row in mined.consistency.to_pylist()} == {6}


def test_threshold_and_floor_bound_the_scores(encoder: MultiVectorEncoder) -> None:
    rows = [_row(number) for number in range(24)]
    bounded = _mine(rows, encoder, threshold=0.97, floor=0.9, per_pair=20).negatives.to_pylist()
    every = _mine(rows, encoder, per_pair=20).negatives.to_pylist()
    shares = [row["score"] / row["positive_score"] for row in bounded]
    assert 0.9 <= min(shares) <= max(shares) <= 0.97
    inside = [row for row in every if 0.9 <= row["score"] / row["positive_score"] <= 0.97]
    assert 0 < len(inside) <= len(bounded) < len(every)


def test_consistency_ranks_the_pairs_own_document(encoder: MultiVectorEncoder) -> None:
    rows = [_row(number) for number in range(12)]
    rows.append(_row(12, cluster_id="unit0"))  # another right answer of pair0: it does not count
    found = {row["pair_id"]: row for row in _mine(rows, encoder).consistency.to_pylist()}
    assert list(found) == sorted(row["pair_id"] for row in rows)
    scores = _scores(rows[0]["query"], [_text(row) for row in rows[:12]], encoder)
    assert found["pair0"]["rank"] == 1 + int((scores[1:] >= scores[0]).sum())
    assert found["pair0"]["score"] == pytest.approx(scores[0], abs=2e-3)
    assert (found["pair0"]["pool"], found["pair1"]["pool"]) == (12, 13)


def test_a_pair_whose_own_document_is_not_found_has_no_mined_negatives(
    encoder: MultiVectorEncoder,
) -> None:
    rows = [_row(number) for number in range(24)]
    mined = _mine(rows, encoder, top_k=1)
    first = {row["pair_id"] for row in mined.consistency.to_pylist() if row["rank"] == 1}
    assert 0 < len(first) < len(rows)
    assert set(mined.negatives["pair_id"].to_pylist()) <= first


def test_a_large_language_is_cut_into_shards_of_whole_files(encoder: MultiVectorEncoder) -> None:
    rows = [_row(number, file_context=f"alpha/file{number // 2}.rs") for number in range(20)]
    mined = _mine(rows, encoder, pool_size=8, per_pair=20)
    pools = [row["pool"] for row in mined.consistency.to_pylist()]
    assert max(pools) <= 8
    assert {len(_of(mined, row["pair_id"])) for row in rows} <= {5, 6, 7}
    partners = [
        f"pair{number ^ 1}" in [each["negative_id"] for each in _of(mined, f"pair{number}")]
        for number in range(20)
    ]
    assert sum(partners) >= 14  # a shard's border cuts through a file at most twice


def test_lemmas_with_the_same_conclusion_are_siblings(encoder: MultiVectorEncoder) -> None:
    signs = {number: "=" if number % 2 else "≤" for number in range(16)}
    rows = [
        _row(
            number,
            language="lean",
            positive=f"theorem t{number} : {pair(number)['file_context'][6:-3]}.f {sign} n := by simp",
        )
        for number, sign in signs.items()
    ]
    kinds = {
        (
            each["kind"] == "sibling",
            signs[int(row["pair_id"][4:])] == signs[int(each["negative_id"][4:])],
        )
        for row in rows
        for each in _of(_mine(rows, encoder, per_pair=15), row["pair_id"])
    }
    assert kinds == {(True, True), (False, False)}


_CONTRACT = (
    "#[requires(date < file)]\n#[ensures(parse(date) == read(file))]\nfn f(date: Int, file: Int);"
)
_FORMAL = {
    "positive": _CONTRACT,
    "query": "parse date equals read file",
    "dialect": "creusot",
    "query_kind": "property",
}


def test_mutants_come_last_and_count_among_the_negatives(encoder: MultiVectorEncoder) -> None:
    rows = [_row(0, **_FORMAL), *(_row(number) for number in range(1, 12))]
    found = _of(_mine(rows, encoder, mutations=2, per_pair=5), "pair0")
    assert len(found) == 5
    assert [each["negative_id"] is None for each in found] == [False] * 3 + [True] * 2
    names = {each["kind"] for each in found[3:]}
    assert len(names) == 2
    assert names <= {"dropped_ensures", "flipped_equality", "swapped_contract"}
    for each in found[3:]:
        assert each["cluster_id"] is None
        assert each["file_context"] == rows[0]["file_context"]
        [score] = _scores(rows[0]["query"], [_text(rows[0], each["code"])], encoder)
        assert each["score"] == pytest.approx(score, abs=2e-3)


@pytest.mark.parametrize(
    "changes",
    [
        {"query_kind": "keywords"},
        {"query": "open the token"},
        {"dialect": None, "positive": "fn f() { date == file }"},
        {"doc_rest": "words " * 96},  # the code is behind the last token
    ],
    ids=["keywords", "not spoken of", "no contract", "not seen"],
)
def test_no_mutant_that_answers_the_query_or_is_not_seen(
    encoder: MultiVectorEncoder, changes: dict[str, Any]
) -> None:
    rows = [_row(0, **_FORMAL | changes), *(_row(number) for number in range(1, 12))]
    found = _of(_mine(rows, encoder, mutations=2), "pair0")
    assert [each for each in found if each["negative_id"] is None] == []


def test_a_missing_column_is_named(encoder: MultiVectorEncoder) -> None:
    table = _table([_row(0)]).drop_columns(["symbol", "domain"])
    with pytest.raises(ProvenderError, match="no column symbol, domain"):
        mine(table, encoder, Negatives(), nullcontext())


def test_a_pair_given_twice_is_refused(encoder: MultiVectorEncoder) -> None:
    with pytest.raises(ProvenderError, match="1 pairs are there twice, pair0 first"):
        mine(_table([_row(0), _row(0)]), encoder, Negatives(), nullcontext())


def test_no_pairs_give_empty_tables(encoder: MultiVectorEncoder) -> None:
    mined = _mine([], encoder)
    assert (mined.negatives.num_rows, mined.consistency.num_rows) == (0, 0)
    assert mined.negatives.schema.equals(NEGATIVES)

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sentence_transformers import MultiVectorEncoder

from common.device import Device
from common.errors import ProvenderError
from evaluation.bm25 import bm25_scores
from evaluation.bm25f import bm25f_scores
from evaluation.compare import (
    ALPHAS,
    EvalSet,
    Run,
    best_documents,
    choose_alpha,
    compare,
    differences,
    per_query_rows,
    read_set,
    scores_of,
    summary,
)
from evaluation.documents import fields
from evaluation.metrics import NAMES, corrected, estimate, paired_difference, per_query, ranks
from evaluation.retrieve import (
    encode,
    min_max_fusion,
    pooled_scores,
    reciprocal_rank_fusion,
    xtr_scores,
)
from tests.tiny import pair, tiny_recipe
from training.model import load_encoder

CPU = Device("cpu", "fp32")


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> MultiVectorEncoder:
    return load_encoder(tiny_recipe(tiny_model))


def _set(name: str, start: int) -> EvalSet:
    """Eight definitions, each with the query that `tests.tiny` gives it."""
    rows = [pair(number) for number in range(start, start + 8)]
    return EvalSet(
        name=name,
        form="code",
        query_ids=[f"q{number}" for number in range(8)],
        queries=[row["query"] for row in rows],
        styles=["what", "keywords"] * 4,
        dialects=[None] * 8,
        documents=[row["positive"] for row in rows],
        answers=[[number] for number in range(8)],
        fields=[],
    )


def _indexed(asked: EvalSet) -> EvalSet:
    """The same, with fields, as if it were searched as search indexes it."""
    units = [
        {"file_context": "a.rs", "symbol": text.split("(")[0], "prose": "", "code": text}
        for text in asked.documents
    ]
    return replace(asked, form="indexed", fields=[fields(unit) for unit in units])


def _semantic(model: MultiVectorEncoder, asked: EvalSet) -> np.ndarray:
    return scores_of(model, [asked], CPU)[asked.name]["semantic"]


VALID, TEST = _set("valid", 0), _set("test", 20)


# Reading


def _tables(folder: Path, queries: list[dict[str, Any]]) -> tuple[Path, Path]:
    units = [
        {
            "unit_id": f"u{n}",
            "domain": "rust",
            "file_context": f"a/{n}.rs",
            "symbol": f"f{n}",
            "prose": f"Does {n}.",
            "code": f"fn f{n}()",
        }
        for n in range(3)
    ]
    schema = pa.schema(
        [
            *((name, pa.string()) for name in ("query_id", "query", "style", "dialect")),
            ("unit_ids", pa.list_(pa.string())),
        ]
    )
    pq.write_table(pa.Table.from_pylist(queries, schema=schema), folder / "queries.parquet")
    pq.write_table(pa.Table.from_pylist(units), folder / "units.parquet")
    return folder / "queries.parquet", folder / "units.parquet"


def _query(number: int, *units: str) -> dict[str, Any]:
    return {
        "query_id": f"q{number}",
        "query": f"what {number}",
        "style": "what",
        "dialect": "kani" if number else None,
        "unit_ids": list(units),
    }


def test_a_set_is_read_from_its_two_tables(tmp_path: Path) -> None:
    tables = _tables(tmp_path, [_query(0, "u2"), _query(1, "u0", "u1")])
    found = read_set("judged_test", "indexed", *tables)
    assert found == EvalSet(
        name="judged_test",
        form="indexed",
        query_ids=["q0", "q1"],
        queries=["what 0", "what 1"],
        styles=["what", "what"],
        dialects=[None, "kani"],
        documents=[f"a/{n}.rs\nDoes {n}.\nfn f{n}()" for n in range(3)],
        answers=[[2], [0, 1]],
        fields=[
            {"path": f"a/{n}.rs", "symbol": f"f{n}", "doc": f"Does {n}.", "code": f"fn f{n}()"}
            for n in range(3)
        ],
        unit_ids=["u0", "u1", "u2"],
        domains=["rust"] * 3,
    )


def test_the_form_decides_what_the_documents_hold(tmp_path: Path) -> None:
    tables = _tables(tmp_path, [_query(0, "u2")])
    found = read_set("doc_test", "code", *tables)
    assert found.documents == ["fn f0()", "fn f1()", "fn f2()"]
    assert found.fields == []  # a path and a doc are not shown, in whatever part


def test_a_set_without_queries_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ProvenderError, match="The set has no query") as caught:
        read_set("judged_test", "code", *_tables(tmp_path, []))
    assert caught.value.where == "judged_test"


@pytest.mark.parametrize("units", [(), ("gone",), ("u0", "gone")])
def test_an_answer_that_is_not_searched_is_refused(tmp_path: Path, units: tuple[str, ...]) -> None:
    tables = _tables(tmp_path, [_query(0, "u2"), _query(1, *units)])
    with pytest.raises(
        ProvenderError, match="1 queries have no answer, or one that is not in"
    ) as caught:
        read_set("judged_test", "indexed", *tables)
    assert "q1" in caught.value.what
    assert caught.value.remedy == "Materialize `eval_queries` again."


def test_an_empty_pool_has_no_answers(tmp_path: Path) -> None:
    queries, units = _tables(tmp_path, [_query(0, "u2")])
    pq.write_table(pq.read_table(units).slice(0, 0), units)
    with pytest.raises(ProvenderError, match="not in the pool: q0"):
        read_set("judged_test", "indexed", queries, units)


# Fusion weights


def test_alpha_is_the_weight_with_the_best_mrr() -> None:
    generator = np.random.default_rng(0)
    semantic, lexical = generator.random((2, 30, 10))
    answers = [[int(generator.integers(10))] for _ in range(30)]
    for row, (column,) in enumerate(answers):
        semantic[row, column] += 0.3
        lexical[row, column] += 0.2
    found = choose_alpha(semantic, lexical, answers)
    quality = {
        alpha: per_query(ranks(min_max_fusion(semantic, lexical, alpha), answers))["MRR"].mean()
        for alpha in ALPHAS
    }
    assert quality[found] == max(quality.values())
    assert all(quality[alpha] < quality[found] for alpha in ALPHAS if alpha < found)


def test_alpha_leans_to_the_side_that_knows() -> None:
    right, wrong = np.eye(6), np.roll(np.eye(6), 1, axis=1)
    answers = [[n] for n in range(6)]
    assert choose_alpha(right, wrong, answers) > 0.5
    assert choose_alpha(wrong, right, answers) < 0.5


def test_the_smallest_of_equal_alphas_is_chosen() -> None:
    assert choose_alpha(np.eye(4), np.eye(4), [[n] for n in range(4)]) == ALPHAS[0] == 0.05


# Comparing


def test_every_system_is_run_in_every_mode(model: MultiVectorEncoder) -> None:
    runs = compare([(VALID, TEST)], {"base": lambda: model, "tuned": lambda: model}, CPU)
    assert [(run.eval_set, run.system, run.mode) for run in runs] == [
        ("test", "bm25", "lexical"),
        *(("test", "base", mode) for mode in ("semantic", "hybrid", "rrf", "pooled")),
        *(("test", "tuned", mode) for mode in ("semantic", "hybrid", "rrf", "pooled")),
    ]
    assert [run.mode for run in runs if run.alpha is not None] == ["hybrid", "hybrid"]


def test_who_waits_is_told_which_system_is_how_far(
    model: MultiVectorEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.progress.EVERY_S", 0)
    told: list[str] = []
    compare([(VALID, TEST)], {"base": lambda: model}, CPU, tell=told.append)
    count = len(set(VALID.documents))
    assert told[0] == f"base: {count} of {count} documents of valid encoded"


def test_runs_hold_the_ranks_of_their_scores(model: MultiVectorEncoder) -> None:
    lexical_run, semantic_run, hybrid_run, *others = compare(
        [(VALID, TEST)], {"base": lambda: model}, CPU
    )
    lexical = bm25_scores(TEST.queries, TEST.documents)
    semantic = _semantic(model, TEST)
    alpha = choose_alpha(
        _semantic(model, VALID),
        bm25_scores(VALID.queries, VALID.documents),
        VALID.answers,
    )
    assert hybrid_run.alpha == alpha
    queries, documents = (
        encode(model, texts, task, autocast=CPU.autocast())
        for texts, task in ((TEST.queries, "query"), (TEST.documents, "document"))
    )
    rrf_run, pooled_run = others
    for run, scores in (
        (lexical_run, lexical),
        (semantic_run, semantic),
        (hybrid_run, min_max_fusion(semantic, lexical, alpha)),
        (rrf_run, reciprocal_rank_fusion(semantic, lexical)),
        (pooled_run, pooled_scores(queries, documents)),
    ):
        expected = ranks(scores, TEST.answers)
        assert [own.tolist() for own in run.ranks] == [own.tolist() for own in expected]
        assert run.best is not None
        assert run.best.tolist() == best_documents(scores, TEST.answers).tolist()


def test_semantic_scores_are_the_similarities_of_the_model(model: MultiVectorEncoder) -> None:
    expected = model.similarity(
        model.encode_query(TEST.queries), model.encode_document(TEST.documents)
    )
    found = _semantic(model, TEST)
    assert np.allclose(found, np.asarray(expected), atol=1e-5)


def test_xtr_is_run_where_it_is_asked_for(model: MultiVectorEncoder) -> None:
    runs = compare([(VALID, TEST)], {"base": lambda: model}, CPU, retrieved=20)
    assert [run.mode for run in runs] == ["lexical", "semantic", "hybrid", "rrf", "pooled", "xtr"]
    queries, documents = (
        encode(model, texts, task, autocast=CPU.autocast())
        for texts, task in ((TEST.queries, "query"), (TEST.documents, "document"))
    )
    expected = ranks(xtr_scores(queries, documents, 20), TEST.answers)
    assert [own.tolist() for own in runs[-1].ranks] == [own.tolist() for own in expected]


def test_fields_are_scored_where_the_documents_show_them(model: MultiVectorEncoder) -> None:
    runs = compare([(VALID, _indexed(TEST))], {"base": lambda: model}, CPU)
    assert [(run.system, run.mode) for run in runs[:3]] == [
        ("bm25", "lexical"),
        ("bm25", "fields"),
        ("base", "semantic"),
    ]
    expected = ranks(bm25f_scores(TEST.queries, _indexed(TEST).fields), TEST.answers)
    assert [own.tolist() for own in runs[1].ranks] == [own.tolist() for own in expected]


def test_a_model_is_let_go_before_the_next_is_loaded(model: MultiVectorEncoder) -> None:
    import gc
    import weakref
    from copy import deepcopy

    alive: list[weakref.ref[MultiVectorEncoder]] = []

    def load() -> MultiVectorEncoder:
        gc.collect()
        assert all(each() is None for each in alive)
        loaded = deepcopy(model)
        alive.append(weakref.ref(loaded))
        return loaded

    compare([(VALID, TEST)], {"one": load, "two": load}, CPU)
    assert len(alive) == 2


def test_a_query_without_a_known_word_ranks_last() -> None:
    asked = replace(TEST, queries=["quantum banana"] * 8)
    [lexical, *_] = compare([(VALID, asked)], {}, CPU)
    assert [own.tolist() for own in lexical.ranks] == [[8]] * 8


def test_alpha_does_not_see_the_test_answers(model: MultiVectorEncoder) -> None:
    other = replace(TEST, answers=[[7 - n] for n in range(8)])
    alphas = [
        compare([(VALID, test)], {"base": lambda: model}, CPU)[2].alpha for test in (TEST, other)
    ]
    assert alphas[0] == alphas[1]


def test_alpha_follows_the_validation_answers(
    model: MultiVectorEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evaluation import compare as module

    # Scores that know the answers on the semantic side only, then on the lexical side only.
    right, wrong = np.eye(8), np.roll(np.eye(8), 1, axis=1)
    scores = dict.fromkeys(("semantic", "pooled"), right)
    monkeypatch.setattr(
        module, "scores_of", lambda _, sets, *__, **___: {s.name: scores for s in sets}
    )
    monkeypatch.setattr(module, "bm25_scores", lambda *_: wrong)
    turned = replace(VALID, answers=[[(n + 1) % 8] for n in range(8)])
    semantic = compare([(VALID, TEST)], {"base": lambda: model}, CPU)[2].alpha
    lexical = compare([(turned, TEST)], {"base": lambda: model}, CPU)[2].alpha
    assert semantic is not None
    assert lexical is not None
    assert semantic > 0.5 > lexical


# What came first


def test_what_comes_first_and_the_best_answer() -> None:
    scores = np.array([[0.1, 0.9, 0.5, 0.4], [0.1, 0.2, 0.8, 0.7]])
    assert best_documents(scores, [[3, 2], [2]]).tolist() == [[1, 2], [2, 2]]


def test_a_tie_counts_against_the_system() -> None:
    scores = np.array([[0.9, 0.2, 0.9, 0.9]])
    assert best_documents(scores, [[0]]).tolist() == [[2, 0]]
    assert best_documents(scores, [[3, 2, 0]]).tolist() == [[0, 0]]  # nothing but answers


def test_what_comes_first_is_an_answer_exactly_where_its_rank_is_one() -> None:
    generator = np.random.default_rng(3)
    scores = generator.integers(0, 4, (200, 6)).astype(float)
    answers = [list(generator.permutation(6)[: 1 + n % 3]) for n in range(200)]
    best = best_documents(scores, answers)
    first = [own[0] == 1 for own in ranks(scores, answers)]
    assert [top in columns for (top, _), columns in zip(best, answers, strict=True)] == first
    assert [top == gold for top, gold in best] == first
    assert 20 < sum(first) < 180


# Rows


ASKED = EvalSet(
    name="test",
    form="code",
    query_ids=["a", "b", "c"],
    queries=["qa", "qb", "qc"],
    styles=["what", "what", "symptom"],
    dialects=[None, "kani", "kani"],
    documents=[],
    answers=[],
    fields=[],
)


def _runs() -> list[Run]:
    good = [np.array([1]), np.array([1]), np.array([2, 3])]
    bad = [np.array([4]), np.array([1]), np.array([12, 20])]
    return [
        Run("test", "tuned", "hybrid", 0.65, good),
        Run("test", "base", "semantic", None, bad),
    ]


def test_summary_has_a_row_for_each_run_and_metric() -> None:
    rows = summary(_runs())
    assert [(row["system"], row["metric"]) for row in rows] == [
        (system, metric) for system in ("tuned", "base") for metric in NAMES
    ]
    found = estimate(np.array([1.0, 1.0, 0.5]))
    assert rows[1] == {
        "eval_set": "test",
        "system": "tuned",
        "mode": "hybrid",
        "alpha": 0.65,
        "metric": "MRR",
        "mean": pytest.approx(2.5 / 3),
        "low": found.low,
        "high": found.high,
        "queries": 3,
    }
    assert rows[len(NAMES)]["alpha"] is None


def test_differences_are_paired_by_query() -> None:
    rows = differences(_runs(), [(("tuned", "hybrid"), ("base", "semantic"))])
    assert [row["metric"] for row in rows] == list(NAMES)
    found = paired_difference(np.array([1, 1, 1 / 2]), np.array([1 / 4, 1, 1 / 12]))
    assert rows[1] == {
        "eval_set": "test",
        "system": "tuned hybrid",
        "against": "base semantic",
        "metric": "MRR",
        "difference": pytest.approx((3 / 4 + 5 / 12) / 3),
        "low": found.low,
        "high": found.high,
        "p": pytest.approx(0.5),  # two of three queries differ: one in two draws of signs
        "q": 1.0,  # other metrics differ in one query or none, and correct this one up
    }


def test_differences_are_corrected_for_all_that_were_compared() -> None:
    generator = np.random.default_rng(2)
    better = [np.array([1]) for _ in range(30)]
    worse = [np.array([int(rank)]) for rank in generator.integers(1, 9, 30)]
    runs = [
        Run("test", name, "semantic", None, found)
        for name, found in (("a", better), ("b", worse), ("c", worse))
    ]
    pairs: list[Any] = [
        (("a", "semantic"), ("b", "semantic")),
        (("b", "semantic"), ("c", "semantic")),
    ]
    rows = differences(runs, pairs)
    assert [row["p"] for row in rows[len(NAMES) :]] == [1.0] * len(NAMES)
    first = [row for row in rows[: len(NAMES)] if not row["metric"].startswith("recall")]
    assert all(row["p"] < 0.01 for row in first)
    assert [row["q"] for row in rows] == corrected([row["p"] for row in rows])
    assert all(row["q"] >= row["p"] for row in rows)


def test_differences_are_of_the_sets_that_have_both() -> None:
    pairs: list[Any] = [(("tuned", "hybrid"), ("base", "semantic"))]
    other = [Run("formal", "tuned", "hybrid", 0.5, [np.array([1])])]
    assert {row["eval_set"] for row in differences(_runs() + other, pairs)} == {"test"}
    assert differences(other, pairs) == []


def test_per_query_rows_hold_the_rank_of_the_best_answer() -> None:
    rows = per_query_rows(_runs(), [ASKED])
    assert [(row["system"], row["query_id"], row["rank"]) for row in rows] == [
        *(("tuned", "a", 1), ("tuned", "b", 1), ("tuned", "c", 2)),
        *(("base", "a", 4), ("base", "b", 1), ("base", "c", 12)),
    ]
    assert rows[5] == {
        "eval_set": "test",
        "system": "base",
        "mode": "semantic",
        "query_id": "c",
        "query": "qc",
        "style": "symptom",
        "dialect": "kani",
        "rank": 12,
        "top": None,
        "gold": None,
    }


def test_per_query_rows_name_what_came_first_where_the_units_are_known() -> None:
    asked = replace(
        TEST, queries=["qa", "qb"], query_ids=["a", "b"], styles=["what"] * 2, dialects=[None] * 2
    )
    found = [np.array([2]), np.array([1])]
    run = Run("test", "tuned", "semantic", None, found, np.array([[3, 1], [0, 0]]))
    unknown = [(row["top"], row["gold"]) for row in per_query_rows([run], [asked])]
    assert unknown == [(None, None)] * 2
    asked = replace(asked, unit_ids=["u0", "u1", "u2", "u3"])
    rows = per_query_rows([run], [asked])
    assert [(row["top"], row["gold"]) for row in rows] == [("u3", "u1"), ("u0", "u0")]

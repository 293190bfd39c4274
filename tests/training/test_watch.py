from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from sentence_transformers import MultiVectorEncoder

from common.errors import ProvenderError
from evaluation.documents import render
from evaluation.retrieve import encode, maxsim_scores
from tests.tiny import pair, tiny_recipe, write_corpus
from training.looks import Looks
from training.model import add_adapter, load_encoder
from training.module import LateInteraction
from training.recipe import Recipe
from training.retention import best_scale, choose_scale
from training.watch import Watch, mrr, overall


@pytest.fixture(scope="module")
def encoder(tiny_model: Path) -> MultiVectorEncoder:
    return load_encoder(tiny_recipe(tiny_model)).eval()


def _recipe(model: Path, **watch: Any) -> Recipe:
    return tiny_recipe(model, watch=watch)


def _rows() -> list[dict[str, Any]]:
    """Pairs of two domains, of which every third is typed, and some of a verifier's."""
    rows = []
    for number in range(40):
        kind = "keywords" if number % 3 == 0 else "doc"
        domain, dialect = ("formal", None) if number >= 30 else ("rust", None)
        if number % 10 == 7:
            dialect = "kani"
        rows.append(
            pair(number, query_kind=kind, domain=domain, dialect=dialect, pair_id=f"{number:03}")
        )
    return rows


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("valid") / "v.parquet", _rows())


def _document(row: dict[str, Any]) -> str:
    return render({**row, "code": row["positive"], "prose": row["doc_rest"]}, "indexed")


def test_sets_are_by_domain_and_kind(valid: Path, tiny_model: Path) -> None:
    watch = Watch(_recipe(tiny_model), valid)
    # What is written for a verifier is formal, whatever domain its source has.
    formal = [row for row in _rows() if row["domain"] == "formal" or row["dialect"]]
    rust = [row for row in _rows() if row not in formal]
    sizes = {(each.domain, each.kind): len(each.queries) for each in watch.sets}
    assert sizes == {
        ("formal", "documentation"): sum(row["query_kind"] == "doc" for row in formal),
        ("formal", "typed"): sum(row["query_kind"] == "keywords" for row in formal),
        ("rust", "documentation"): sum(row["query_kind"] == "doc" for row in rust),
        ("rust", "typed"): sum(row["query_kind"] == "keywords" for row in rust),
    }
    assert sorted(watch.pools["rust"]) == sorted(map(_document, rust))


def test_queries_and_documents_are_capped_and_the_sample_is_stable(
    valid: Path, tiny_model: Path, tmp_path: Path
) -> None:
    recipe = _recipe(tiny_model, queries=3, documents=10)
    one = Watch(recipe, valid)
    shuffled = [_rows()[place] for place in np.random.default_rng(0).permutation(40)]
    two = Watch(recipe, write_corpus(tmp_path / "v.parquet", shuffled))
    assert one.pools == two.pools
    assert one.sets == two.sets
    assert {len(each.queries) for each in one.sets} == {3}
    assert {len(pool) for pool in one.pools.values()} == {10}


def test_an_answer_is_every_document_of_the_pairs_cluster(tiny_model: Path, tmp_path: Path) -> None:
    rows = [pair(0, cluster_id="same"), pair(1, cluster_id="same"), pair(2), pair(3)]
    watch = Watch(_recipe(tiny_model), write_corpus(tmp_path / "v.parquet", rows))
    [found] = watch.sets
    place = {text: number for number, text in enumerate(watch.pools["rust"])}
    both = sorted([place[_document(rows[0])], place[_document(rows[1])]])
    answers = dict(zip(found.queries, found.answers, strict=True))
    assert answers[rows[0]["query"]] == answers[rows[1]["query"]] == both
    assert answers[rows[2]["query"]] == [place[_document(rows[2])]]


def test_figures_are_those_of_exact_maxsim(
    valid: Path, tiny_model: Path, encoder: MultiVectorEncoder
) -> None:
    recipe = _recipe(tiny_model)
    watch = Watch(recipe, valid)
    found = watch.measure(encoder, nullcontext())
    [asked] = [each for each in watch.sets if (each.domain, each.kind) == ("rust", "typed")]
    queries = encode(encoder, asked.queries, "query", autocast=nullcontext())
    documents = encode(encoder, watch.pools["rust"], "document", autocast=nullcontext())
    scores = maxsim_scores(queries, documents)
    own = [row[answer].max() for row, answer in zip(scores, asked.answers, strict=True)]
    above = [
        1 + int((np.delete(row, answer) >= best).sum())
        for row, answer, best in zip(scores, asked.answers, own, strict=True)
    ]
    assert found["MRR/rust/typed"] == pytest.approx(np.mean([1 / rank for rank in above]))
    assert found["P@1/rust/typed"] == pytest.approx(np.mean([rank == 1 for rank in above]))
    assert found["MRR"] == pytest.approx(np.mean(list(mrr(found).values())))
    assert len(mrr(found)) == 4
    assert found["loss/rust"] > 0


def test_judged_queries_are_a_kind_of_their_own(
    valid: Path, tiny_model: Path, tmp_path: Path
) -> None:
    units = [
        {
            "unit_id": f"u{n}",
            "domain": "rust",
            "file_context": "a/b.rs",
            "symbol": f"f{n}",
            "prose": "",
            "code": f"fn f{n}() {{}}",
        }
        for n in range(50)
    ]
    queries = [
        {
            "query_id": query_id,
            "query": query,
            "style": "what",
            "dialect": None,
            "unit_ids": answers,
        }
        for query_id, query, answers in (("q0", "f seven", ["u7", "u40"]), ("q1", "f nine", ["u9"]))
    ]
    pq.write_table(pa.Table.from_pylist(units), tmp_path / "pool_valid.parquet")
    pq.write_table(pa.Table.from_pylist(queries), tmp_path / "judged_valid.parquet")
    watch = Watch(_recipe(tiny_model, documents=12), valid, tmp_path)
    [judged] = [each for each in watch.sets if each.kind == "judged"]
    pool = watch.pools[judged.pool]
    assert (judged.domain, len(pool)) == ("rust", 12)
    found = [[pool[place].splitlines()[-1] for place in each] for each in judged.answers]
    assert found == [["fn f7() {}", "fn f40() {}"], ["fn f9() {}"]]


@pytest.mark.parametrize("split", ["train", "test"])
def test_other_splits_are_not_watched_by(split: str, tiny_model: Path, tmp_path: Path) -> None:
    rows = [pair(number, split=split) for number in range(4)]
    with pytest.raises(ProvenderError, match=f"of split {split}"):
        Watch(_recipe(tiny_model), write_corpus(tmp_path / "v.parquet", rows))


def test_nothing_to_watch_by_is_told(tiny_model: Path, tmp_path: Path) -> None:
    rows = [pair(0)]
    with pytest.raises(ProvenderError, match="No validation pair"):
        Watch(_recipe(tiny_model), write_corpus(tmp_path / "v.parquet", rows))


# The scale


def _found(**scales: tuple[float, float, float]) -> dict[float, dict[tuple[str, str], float]]:
    """MRR of rust documentation, rust typed and general documentation by scale."""
    keys = [("rust", "documentation"), ("rust", "typed"), ("general", "documentation")]
    return {
        float(name[1:]) / 10: dict(zip(keys, each, strict=True)) for name, each in scales.items()
    }


def test_the_best_scale_is_the_best_of_those_that_forget_little() -> None:
    found = _found(s0=(0.4, 0.4, 0.5), s5=(0.5, 0.42, 0.495), s10=(0.6, 0.5, 0.45))
    assert best_scale(found, [0.5, 1.0], allowed_loss=0.01) == (0.5, True)
    assert best_scale(found, [0.5, 1.0], allowed_loss=0.1) == (1.0, True)


def test_where_all_forget_too_much_the_least_forgetful_is_taken_and_told() -> None:
    found = _found(s0=(0.4, 0.4, 0.5), s5=(0.5, 0.42, 0.4), s10=(0.6, 0.5, 0.3))
    assert best_scale(found, [1.0, 0.5], allowed_loss=0.01) == (0.5, False)


def test_what_a_domain_gains_in_one_kind_makes_up_for_another() -> None:
    found = _found(s0=(0.4, 0.4, 0.5), s10=(0.5, 0.35, 0.5))
    assert best_scale(found, [1.0], allowed_loss=0.01) == (1.0, True)


def test_documentation_does_not_make_up_for_what_people_type() -> None:
    keys = [("rust", "documentation"), ("rust", "typed"), ("rust", "judged")]
    found = {
        scale: dict(zip(keys, each, strict=True))
        for scale, each in ((0.0, (0.4, 0.4, 0.5)), (0.5, (0.5, 0.5, 0.5)), (1.0, (0.9, 0.9, 0.4)))
    }
    assert best_scale(found, [0.5, 1.0], allowed_loss=0.05) == (0.5, True)
    assert best_scale(found, [1.0], allowed_loss=0.05) == (1.0, False)
    assert best_scale(found, [0.5, 1.0], allowed_loss=0.2) == (1.0, True)


def test_judged_queries_are_half_of_what_decides() -> None:
    others = {("rust", "documentation"): 0.2, ("general", "documentation"): 0.4}
    assert overall(others) == pytest.approx(0.3)
    judged = {("rust", "judged"): 0.5, ("formal", "judged"): 0.7}
    assert overall(others | judged) == pytest.approx(0.45)


def test_an_experts_own_domain_decides_where_it_has_queries(
    valid: Path, tiny_model: Path, encoder: MultiVectorEncoder
) -> None:
    whole = Watch(_recipe(tiny_model), valid).measure(encoder, nullcontext())
    own = Watch(_recipe(tiny_model, domains=["formal"]), valid).measure(encoder, nullcontext())
    formal = {key: value for key, value in mrr(whole).items() if key[0] == "formal"}
    assert own["MRR"] == overall(formal) != whole["MRR"]
    assert mrr(own) == mrr(whole)  # what does not decide is told all the same
    none = Watch(_recipe(tiny_model, domains=["personal"]), valid).measure(encoder, nullcontext())
    assert none["MRR"] == whole["MRR"]


def test_of_equal_scales_the_smallest_is_taken() -> None:
    found = _found(s0=(0.4, 0.4, 0.5), s5=(0.5, 0.5, 0.5), s10=(0.5, 0.5, 0.5))
    assert best_scale(found, [1.0, 0.5], allowed_loss=0.01) == (0.5, True)


def _adapted(recipe: Recipe) -> LateInteraction:
    torch.manual_seed(3)
    encoder = load_encoder(recipe)
    add_adapter(encoder, recipe.adapter)
    module = LateInteraction(encoder, recipe, total_steps=1)
    for name, weight in module.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3)
    module.eval()
    return module


def test_choosing_measures_the_parent_and_each_scale_and_leaves_the_encoder_at_it(
    valid: Path, tiny_model: Path, encoder: MultiVectorEncoder
) -> None:
    recipe = tiny_recipe(tiny_model, adapter_scale=[0.5, 1.0], watch={"allowed_loss": 1})
    watch = Watch(recipe, valid)
    module = _adapted(recipe)
    found = choose_scale(module.encoder, recipe, watch, nullcontext())
    assert found.retained
    rows = {(row["scale"], row["domain"], row["kind"]): row["MRR"] for row in found.rows}
    assert {key[0] for key in rows} == {0.0, 0.5, 1.0}
    base = load_encoder(recipe, recipe.index_length).eval()
    for (domain, kind), value in mrr(watch.measure(base, nullcontext())).items():
        assert rows[0.0, domain, kind] == pytest.approx(value)
    longer = recipe.model_copy(update={"document_length": recipe.index_length})
    assert [row["queries"] for row in found.rows[:4]] == [len(each.queries) for each in watch.sets]
    module.encoder[0].document_length = longer.document_length  # type: ignore[union-attr]
    now = mrr(watch.measure(module.encoder, nullcontext()))
    for (domain, kind), value in now.items():
        assert rows[found.scale, domain, kind] == pytest.approx(value)


# Looks


class _Alone:
    """One process."""

    def reduce_boolean_decision(self, decision: bool, *, all: bool) -> bool:  # noqa: A002
        assert not all
        return decision


class _Trainer:
    def __init__(self) -> None:
        self.global_step, self.should_stop, self.strategy = 0, False, _Alone()


def _look(looks: Looks, module: LateInteraction, step: int) -> _Trainer:
    trainer = _Trainer()
    trainer.global_step = step
    module.log_dict = lambda *_, **__: None
    looks.on_train_batch_end(trainer, module, None, None, 0)
    return trainer


class _Given(Watch):
    """Figures that are given."""

    def __init__(self, values: list[float]) -> None:
        self.values = iter(values)

    def measure(self, encoder: Any, autocast: Any) -> dict[str, float]:
        assert not encoder.training
        return {"MRR": next(self.values)}


def _weight(module: LateInteraction) -> torch.nn.Parameter:
    return next(each for name, each in module.named_parameters() if "lora_A" in name)


def test_the_best_state_is_kept_and_put_back(tiny_model: Path) -> None:
    recipe = _recipe(tiny_model, every_steps=2)
    module = _adapted(recipe)
    looks = Looks(_Given([0.1, 0.3, 0.2]), recipe, 6, nullcontext)
    for step, value in enumerate([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 1):
        with torch.no_grad():
            _weight(module).fill_(value)
        _look(looks, module, step)
    assert looks.found == [
        {"step": 2, "MRR": 0.1},
        {"step": 4, "MRR": 0.3},
        {"step": 6, "MRR": 0.2},
    ]
    resumed = Looks(_Given([]), recipe, 6, nullcontext)
    resumed.load_state_dict(looks.state_dict())
    resumed.restore(module)
    assert set(_weight(module).flatten().tolist()) == {4.0}


def test_the_last_state_is_kept_where_the_recipe_says_so(tiny_model: Path) -> None:
    recipe = _recipe(tiny_model, every_steps=1, keep="last")
    module = _adapted(recipe)
    looks = Looks(_Given([0.3, 0.1]), recipe, 2, nullcontext)
    for step in (1, 2):
        with torch.no_grad():
            _weight(module).fill_(float(step))
        _look(looks, module, step)
    looks.restore(module)
    assert set(_weight(module).flatten().tolist()) == {2.0}


def test_a_run_that_gets_no_better_stops(tiny_model: Path) -> None:
    recipe = _recipe(tiny_model, every_steps=1, patience=2)
    module = _adapted(recipe)
    looks = Looks(_Given([0.3, 0.2, 0.3, 0.4]), recipe, 9, nullcontext)
    stopped = [_look(looks, module, step).should_stop for step in (1, 2, 3)]
    assert stopped == [False, False, True]


def test_a_run_killed_when_it_had_stopped_stops_again(tiny_model: Path) -> None:
    recipe = _recipe(tiny_model, every_steps=1, patience=1)
    module = _adapted(recipe)
    looks = Looks(_Given([0.3, 0.2]), recipe, 9, nullcontext)
    for step in (1, 2):
        _look(looks, module, step)
    resumed, trainer = Looks(_Given([]), recipe, 9, nullcontext), _Trainer()
    resumed.load_state_dict(looks.state_dict())
    resumed.on_train_start(trainer, module)
    assert trainer.should_stop


def test_the_last_step_is_looked_at_and_the_step_before_the_first_is_not(tiny_model: Path) -> None:
    recipe = _recipe(tiny_model, every_steps=4)
    looks = Looks(_Given([0.3, 0.4]), recipe, 6, nullcontext)
    module = _adapted(recipe)
    for step in range(7):
        _look(looks, module, step)
    assert [each["step"] for each in looks.found] == [4, 6]


def test_a_step_of_several_batches_is_looked_at_once(tiny_model: Path) -> None:
    recipe = _recipe(tiny_model, every_steps=1)
    looks = Looks(_Given([0.3]), recipe, 9, nullcontext)
    module = _adapted(recipe)
    for _ in range(3):
        _look(looks, module, 1)
    assert len(looks.found) == 1


def test_a_look_changes_no_mode(tiny_model: Path) -> None:
    recipe = _recipe(tiny_model, every_steps=1)
    module = _adapted(recipe)
    module.train()
    module.encoder[0].model.eval()  # type: ignore[union-attr]  # as Lightning finds the frozen base
    before = [each.training for each in module.modules()]
    _look(Looks(_Given([0.3]), recipe, 1, nullcontext), module, 1)
    assert [each.training for each in module.modules()] == before

"""The loss beyond its scores: GradCache, distillation, hard negatives, several processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from tests.tiny import pair, tiny_recipe, write_corpus, write_curriculum, write_recipe
from tests.training.reading import token_batches
from training.data import Batches, EpochLoader, TokenBatch
from training.hard import Mined
from training.model import add_adapter, load_encoder
from training.module import LateInteraction, Tokens, mean_scores
from training.recipe import Recipe
from training.run import main

ROOT = Path(__file__).parents[2]


def _module(recipe: Recipe, **options: Any) -> LateInteraction:
    """A module whose adapter already does something."""
    torch.manual_seed(1)
    encoder = load_encoder(recipe)
    add_adapter(encoder, recipe.adapter)
    module = LateInteraction(encoder, recipe, total_steps=1, **options)
    for name, weight in module.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.2)
    module.log_dict = lambda *_, **__: None
    return module


def _gradients(recipe: Recipe, batches: list[TokenBatch]) -> dict[str, torch.Tensor]:
    """Of the sum of the losses of `batches`, by parameter."""
    module = _module(recipe)
    for batch in batches:
        module.training_step(batch, 0).backward()
    return {n: p.grad.clone() for n, p in module.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("scoring", ["xtr", "maxsim"])
@pytest.mark.parametrize("count", [1, 3])
def test_cached_gradients_are_those_of_the_whole_batch(
    scoring: str, count: int, corpus: Path, tiny_model: Path
) -> None:
    objective = {"scoring": scoring, "feature_weight": 1.0, "distillation": {"weight": 0.5}}
    recipe = tiny_recipe(tiny_model, objective=objective, batch_size=16)
    cached = tiny_recipe(tiny_model, objective={**objective, "cached": True}, batch_size=16)
    batches = token_batches(corpus, recipe)[:count]
    plain, other = _gradients(recipe, batches), _gradients(cached, batches)
    assert plain.keys() == other.keys()
    assert any(each.abs().max() > 1e-3 for each in plain.values())
    for name, gradient in plain.items():
        torch.testing.assert_close(other[name], gradient, atol=1e-6, rtol=1e-4)


def test_a_cached_step_holds_the_activations_of_one_chunk(corpus: Path, tiny_model: Path) -> None:
    # What a forward pass keeps for its backward pass, in bytes, counted by autograd itself.
    def kept(cached: bool) -> int:
        recipe = tiny_recipe(tiny_model, objective={"cached": cached}, batch_size=32)
        module, [batch] = _module(recipe), token_batches(corpus, recipe)[:1]
        sizes: dict[int, int] = {}

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            module.training_step(batch, 0)
        return sum(sizes.values())

    assert kept(True) < kept(False) / 3


# Distillation


def test_a_teacher_that_is_the_student_costs_nothing(corpus: Path, tiny_model: Path) -> None:
    recipe = tiny_recipe(tiny_model, objective={"distillation": {"weight": 1.0}})
    encoder = load_encoder(recipe)
    add_adapter(encoder, recipe.adapter)  # its B is zero: it is the base model still
    module = LateInteraction(encoder, recipe, total_steps=1)
    module.log_dict = lambda *_, **__: None
    module.training_step(token_batches(corpus, recipe)[0], 0)
    assert module.history[0]["distillation"] == pytest.approx(0, abs=1e-6)


def test_distillation_is_the_divergence_from_the_base_models_order(
    corpus: Path, tiny_model: Path
) -> None:
    distillation = {"weight": 2.0, "temperature": 0.1}
    recipe = tiny_recipe(tiny_model, objective={"distillation": distillation})
    module, batch = _module(recipe), token_batches(corpus, recipe)[0]
    module.training_step(batch, 0)
    with torch.no_grad():
        ours = mean_scores(
            module._embed(batch.queries, "query"), module._embed(batch.documents, "document")
        )
        theirs = mean_scores(*module._base(batch))
    p, q = (theirs / 0.1).softmax(dim=1).numpy(), (ours / 0.1).softmax(dim=1).numpy()
    expected = float((p * np.log(p / q)).sum(axis=1).mean())
    step = module.history[0]
    assert expected > 1e-3
    assert step["distillation"] == pytest.approx(expected, rel=1e-3)
    assert step["loss"] == pytest.approx(step["contrastive"] + 2 * step["distillation"], abs=1e-5)


def test_another_teacher_reads_with_its_own_tokenizer(
    corpus: Path, tiny_model: Path, tmp_path: Path
) -> None:
    recipe = tiny_recipe(tiny_model, objective={"distillation": {"weight": 1.0}})
    teacher = load_encoder(recipe, 16)  # it reads half of what the student reads
    batches = Batches(corpus, recipe, tmp_path)
    batch = next(iter(EpochLoader(batches, recipe, load_encoder(recipe), teacher=teacher)))
    module = _module(recipe, teacher=teacher)
    queries, documents = module._taught(batch)
    assert documents.mask.shape[1] <= 16 < module._embed(batch.documents, "document").mask.shape[1]
    assert len(queries.mask) == len(documents.mask) == 4
    module.training_step(batch, 0)
    assert module.history[0]["distillation"] > 0
    assert not any("teacher" in name for name in module.state_dict())


# Hard negatives


def _mined(folder: Path, rows: list[dict[str, Any]], ranks: dict[str, int] | None = None) -> Path:
    folder.mkdir()
    pq.write_table(pa.Table.from_pylist(rows), folder / "negatives.parquet")
    found = [{"pair_id": name, "rank": rank} for name, rank in (ranks or {"pair0": 1}).items()]
    pq.write_table(pa.Table.from_pylist(found), folder / "consistency.parquet")
    return folder


def _negative(of: int, rank: int, cluster: str | None, code: str) -> dict[str, Any]:
    return {
        "pair_id": f"pair{of}",
        "rank": rank,
        "cluster_id": cluster,
        "code": code,
        "prose": f"about {code}",
        "file_context": "alpha/x.rs",
    }


def _batch(recipe: Recipe, corpus: Path, folder: Path, negatives: Mined) -> TokenBatch:
    batches = Batches(corpus, recipe, folder, negatives)
    return next(iter(EpochLoader(batches, recipe, load_encoder(recipe))))


@pytest.fixture
def four(tmp_path: Path) -> Path:
    """One batch of four pairs."""
    rows = [pair(number, doc_rest="") for number in range(4)]
    return write_corpus(tmp_path / "c.parquet", rows)


def test_a_negative_counts_for_all_queries_but_those_that_it_answers(
    four: Path, tiny_model: Path, tmp_path: Path
) -> None:
    rows = [
        _negative(0, 0, "unit1", "fn near_zero() {}"),
        _negative(1, 0, None, "fn mutant_of_one() {}"),
        _negative(2, 0, "elsewhere", "fn near_two() {}"),
    ]
    mined = Mined(_mined(tmp_path / "m", rows), tmp_path, None)
    recipe = tiny_recipe(tiny_model, hard_negatives={"per_pair": 2})
    batches = Batches(four, recipe, tmp_path, mined)
    [examples] = batches.epoch(0)
    batch = next(iter(EpochLoader(batches, recipe, load_encoder(recipe))))
    assert batch.counts == [7]
    assert batch.targets.tolist() == [0, 1, 2, 3]
    refused = [(q, d) for q in range(4) for d in range(7) if not batch.allowed[q, d]]
    # The one negative of a cluster in the batch does not count for that cluster's own query.
    [(query, document)] = refused
    assert examples[query].cluster == "unit1"
    assert document >= 4


def test_negatives_are_written_as_their_positive_is(
    four: Path, tiny_model: Path, tmp_path: Path
) -> None:
    rows = [_negative(number, 0, None, f"fn wrong{number}() {{}}") for number in range(4)]
    mined = Mined(_mined(tmp_path / "m", rows), tmp_path, None)
    for share in (0.0, 1.0):
        settings = {"hard_negatives": {"per_pair": 1}, "mixture": {"indexed_share": share}}
        recipe = tiny_recipe(tiny_model, **settings)
        [examples] = Batches(four, recipe, tmp_path, mined).epoch(0)
        documents = [each.negatives[0].document for each in examples]
        assert all(
            each.startswith("alpha/x.rs\nabout fn wrong") is bool(share) for each in documents
        )


def test_no_more_negatives_than_asked_for_and_not_always_the_same(
    four: Path, tiny_model: Path, tmp_path: Path
) -> None:
    rows = [_negative(0, rank, None, f"fn wrong{rank}() {{}}") for rank in range(6)]
    mined = Mined(_mined(tmp_path / "m", rows), tmp_path, None)
    recipe = tiny_recipe(tiny_model, hard_negatives={"per_pair": 2}, epochs=4)
    batches = Batches(four, recipe, tmp_path, mined)
    drawn = set()
    for epoch in range(4):
        [examples] = batches.epoch(epoch)
        [some] = [each.negatives for each in examples if each.negatives]
        assert len(some) == 2
        drawn.add(some)
    assert len(drawn) > 1


def test_inconsistent_pairs_are_left_out(four: Path, tiny_model: Path, tmp_path: Path) -> None:
    ranks = {"pair0": 1, "pair1": 5, "pair2": 6, "pair3": 2}
    folder = _mined(tmp_path / "m", [_negative(0, 0, None, "fn x() {}")], ranks)
    recipe = tiny_recipe(tiny_model, batch_size=2, hard_negatives={"per_pair": 1})
    kept = {
        top: sorted(
            example.query
            for batch in Batches(four, recipe, tmp_path, Mined(folder, tmp_path, top)).epoch(0)
            for example in batch
        )
        for top in (5, 2)
    }
    queries = [pair(number)["query"] for number in range(4)]
    assert kept[2] == sorted([queries[0], queries[3]])
    assert set(kept[5]) < {queries[0], queries[1], queries[3]}


def test_negatives_make_the_loss_larger(four: Path, tiny_model: Path, tmp_path: Path) -> None:
    rows = [_negative(number, 0, None, pair(number)["positive"] + " ") for number in range(4)]
    mined = Mined(_mined(tmp_path / "m", rows), tmp_path, None)
    losses = []
    for per_pair in (0, 1):
        recipe = tiny_recipe(tiny_model, hard_negatives={"per_pair": per_pair})
        module = _module(recipe)
        module.training_step(_batch(recipe, four, tmp_path, mined), 0)
        losses.append(module.history[0]["contrastive"])
    assert (
        losses[1] > losses[0] + 0.3
    )  # each query has a second document that is as good as its own


# Several processes


def test_documents_without_gradients_are_gathered_as_they_are(recipe: Recipe) -> None:
    tokens = Tokens(torch.ones(2, 3, 4), torch.ones(2, 3, dtype=torch.bool))
    assert _module(recipe)._gather(tokens, [2]) is tokens


def _trained(arguments: list[str]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "training.run", *arguments],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    output = Path(arguments[arguments.index("--output") + 1])
    manifest = json.loads((output / "manifest.json").read_text(encoding="utf-8"))
    weights = load_file(output / "adapter" / "adapter_model.safetensors")
    return {"history": manifest["history"], "weights": weights}


def test_two_processes_train_as_one(corpus: Path, tiny_model: Path, tmp_path: Path) -> None:
    rows = [_negative(n, 0, f"unit{n + 1}", f"fn near_{n}() {{}}") for n in range(0, 48, 3)]
    mined = _mined(tmp_path / "m", rows, {"pair0": 1})
    recipe = tiny_recipe(
        tiny_model,
        batch_size=8,
        hard_negatives={"per_pair": 1},
        objective={"feature_weight": 1.0, "distillation": {"weight": 0.5}, "top_k": 20},
    )
    config = write_recipe(tmp_path / "recipe.yaml", recipe)
    common = ["--config", str(config), "--corpus", str(corpus), "--negatives", str(mined)]
    one = _trained([*common, "--output", str(tmp_path / "one")])
    two = _trained([*common, "--output", str(tmp_path / "two"), "--devices", "2"])
    assert len(one["history"]) == 6
    for ours, theirs in zip(one["history"], two["history"], strict=True):
        assert ours == pytest.approx(theirs, abs=2e-4)
    for name, weight in one["weights"].items():
        torch.testing.assert_close(two["weights"][name], weight, atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize(
    ("options", "variables"),
    [(["--devices", "2"], {}), (["--nodes", "2"], {}), ([], {"TORCHELASTIC_RUN_ID": "a run"})],
)
def test_several_processes_are_given_one_stage(
    options: list[str],
    variables: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "train.yaml").write_text("seed: 1\n", encoding="utf-8")
    config = write_curriculum(tmp_path, "general", "rust")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert main(["--config", str(config), "--corpus", str(tmp_path), *options]) == 1
    assert "one stage at a time, not 2" in capsys.readouterr().err

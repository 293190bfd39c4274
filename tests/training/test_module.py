from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from tests.tiny import tiny_recipe
from tests.training.reading import token_batches as _batches
from training.data import TokenBatch
from training.model import add_adapter, load_encoder
from training.module import LateInteraction
from training.recipe import Recipe

# The frozen base runs without dropout, and a batch comes from memory: Lightning warns of both.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Found .* in eval mode at the start of training"),
    pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers"),
]


def _module(recipe: Recipe, total_steps: int = 1) -> LateInteraction:
    lightning.seed_everything(recipe.seed, verbose=False)
    encoder = load_encoder(recipe)
    add_adapter(encoder, recipe.adapter)
    return LateInteraction(encoder, recipe, total_steps=total_steps)


def _fit(module: LateInteraction, batches: list[TokenBatch], **options: Any) -> None:
    lightning.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **{"max_epochs": 1, **options},
    ).fit(module, DataLoader(batches, batch_size=None))  # type: ignore[arg-type]


def _vectors(recipe: Recipe, chunks: list[dict[str, Any]], task: str) -> list[np.ndarray]:
    """The base model's token vectors of each text by itself, without padding."""
    encoder = load_encoder(recipe).eval()
    found = []
    for chunk in chunks:
        for ids, mask in zip(chunk["input_ids"], chunk["attention_mask"], strict=True):
            alone = {**chunk, "input_ids": ids[mask.bool()][None]}
            alone["attention_mask"] = torch.ones_like(alone["input_ids"])
            if "token_type_ids" in alone:
                alone["token_type_ids"] = torch.zeros_like(alone["input_ids"])
            with torch.no_grad():
                found.append(encoder(alone, task=task)["token_embeddings"][0].numpy())
    return found


def _cross_entropy(scores: np.ndarray, temperature: float) -> float:
    logits = scores / temperature
    losses = [np.log(np.exp(row - row[i]).sum()) for i, row in enumerate(logits)]
    return float(np.mean(losses))


def _mean_maxsim(queries: list[np.ndarray], documents: list[np.ndarray]) -> np.ndarray:
    return np.array(
        [
            [np.mean([max(d @ token for d in doc) for token in q]) for doc in documents]
            for q in queries
        ]
    )


def _xtr(queries: list[np.ndarray], documents: list[np.ndarray], top_k: int) -> np.ndarray:
    """Lee et al. 2023, equation 5: only the top k tokens of the batch count, Z is how many did."""
    scores = np.zeros((len(queries), len(documents)))
    for i, query in enumerate(queries):
        best: list[list[float]] = [[] for _ in documents]
        for token in query:
            similar = sorted(
                ((float(d @ token), j) for j, doc in enumerate(documents) for d in doc),
                reverse=True,
            )[:top_k]
            for j in range(len(documents)):
                retrieved = [value for value, owner in similar if owner == j]
                if retrieved:
                    best[j].append(max(retrieved))
        for j, values in enumerate(best):
            scores[i, j] = sum(values) / len(values) if values else 0.0
    return scores


@pytest.mark.parametrize("top_k", [3, 20, 10_000])
def test_xtr_loss_is_the_cross_entropy_of_xtr_scores(
    top_k: int, corpus: Path, tiny_model: Path
) -> None:
    objective = {"scoring": "xtr", "top_k": top_k, "temperature": 0.1}
    recipe = tiny_recipe(tiny_model, objective=objective)
    batch = _batches(corpus, recipe)[0]
    module = _module(recipe)
    _fit(module, [batch])
    scores = _xtr(
        _vectors(recipe, batch.queries, "query"),
        _vectors(recipe, batch.documents, "document"),
        top_k,
    )
    assert module.history[0]["contrastive"] == pytest.approx(_cross_entropy(scores, 0.1), abs=2e-5)


def test_maxsim_loss_is_the_cross_entropy_of_mean_maxsim(corpus: Path, tiny_model: Path) -> None:
    recipe = tiny_recipe(tiny_model, objective={"scoring": "maxsim", "temperature": 0.07})
    batch = _batches(corpus, recipe)[0]
    module = _module(recipe)
    _fit(module, [batch])
    scores = _mean_maxsim(
        _vectors(recipe, batch.queries, "query"), _vectors(recipe, batch.documents, "document")
    )
    assert module.history[0]["contrastive"] == pytest.approx(_cross_entropy(scores, 0.07), abs=2e-5)
    share = float(np.mean(scores.argmax(axis=1) == np.arange(4)))
    assert module.history[0]["in_batch_P@1"] == pytest.approx(share)


def test_chunks_give_the_vectors_of_one_piece(corpus: Path, recipe: Recipe) -> None:
    recipe = recipe.model_copy(update={"batch_size": 16})
    module = _module(recipe)
    encoder = load_encoder(recipe)
    texts = [f"fn parse{'_date' * n}(text)" for n in range(16)]
    whole = encoder.preprocess(texts, task="document")
    chunks = [
        encoder.preprocess(texts[start : start + 5], task="document") for start in (0, 5, 10, 15)
    ]
    with torch.no_grad():
        one, one_mask = module._embed([whole], "document")
        several, several_mask = module._embed(chunks, "document")
    assert torch.equal(one_mask, several_mask)
    assert torch.allclose(one[one_mask], several[several_mask], atol=1e-5)
    assert several.shape == one.shape


def test_drift_is_0_at_the_start_and_grows(corpus: Path, tiny_model: Path) -> None:
    recipe = tiny_recipe(tiny_model, objective={"feature_weight": 1.0}, warmup_share=0.0)
    module = _module(recipe, 3)
    _fit(module, _batches(corpus, recipe)[:3])
    drifts = [row["drift"] for row in module.history]
    assert drifts[0] == 0.0
    assert drifts[1] > 0.0


def test_drift_is_the_mean_squared_distance_to_the_base_vectors(
    corpus: Path, recipe: Recipe
) -> None:
    queries = _batches(corpus, recipe)[0].queries
    module = _module(recipe)
    torch.manual_seed(1)
    for name, weight in module.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.2)
    with torch.no_grad():
        tokens = module._embed(queries, "query")
        base_tokens = module._base(_batches(corpus, recipe)[0])[0]
        found = float(module._drift(tokens, base_tokens))
    base = np.concatenate(_vectors(recipe, queries, "query"))
    expected = ((tokens.vectors[tokens.mask].numpy() - base) ** 2).sum(axis=1).mean()
    assert expected > 0.01
    assert found == pytest.approx(expected, rel=1e-4)


def test_drift_counts_by_its_weight(corpus: Path, tiny_model: Path) -> None:
    recipe = tiny_recipe(tiny_model, objective={"feature_weight": 3.0}, warmup_share=0.0)
    module = _module(recipe, 3)
    _fit(module, _batches(corpus, recipe)[:3])
    for row in module.history:
        assert row["loss"] == pytest.approx(row["contrastive"] + 3 * row["drift"], abs=1e-5)


def test_a_feature_weight_holds_the_model_near_its_base(corpus: Path, tiny_model: Path) -> None:
    drifts = []
    for weight in (0.001, 10.0):
        recipe = tiny_recipe(tiny_model, objective={"feature_weight": weight})
        module = _module(recipe, len(_batches(corpus, recipe)))
        _fit(module, _batches(corpus, recipe))
        drifts.append(module.history[-1]["drift"])
    assert drifts[1] < drifts[0] / 2


@pytest.mark.parametrize("scoring", ["xtr", "maxsim"])
def test_loss_falls(scoring: str, corpus: Path, tiny_model: Path) -> None:
    recipe = tiny_recipe(tiny_model, objective={"scoring": scoring}, batch_size=16)
    module = _module(recipe, 12)
    _fit(module, [_batches(corpus, recipe)[0]] * 12)
    losses = [row["loss"] for row in module.history]
    assert len(losses) == 12
    assert losses[-1] < 0.8 * losses[0]


def test_base_weights_stay_as_they_are(corpus: Path, recipe: Recipe) -> None:
    module = _module(recipe, 3)
    before = {n: p.clone() for n, p in module.named_parameters() if "lora_" not in n}
    _fit(module, _batches(corpus, recipe)[:3])
    after = dict(module.named_parameters())
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_history_numbers_the_steps(corpus: Path, recipe: Recipe) -> None:
    module = _module(recipe, len(_batches(corpus, recipe)))
    _fit(module, _batches(corpus, recipe))
    assert [row["step"] for row in module.history] == list(range(12))


class _Rates(lightning.Callback):
    def __init__(self) -> None:
        self.rates: list[float] = []

    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])


def test_learning_rate_warms_up_and_falls_to_zero_in_lines(corpus: Path, tiny_model: Path) -> None:
    recipe = tiny_recipe(tiny_model, learning_rate=0.1, warmup_share=0.2)
    watch = _Rates()
    _fit(_module(recipe, 10), _batches(corpus, recipe)[:10], callbacks=[watch])
    expected = [0.05, 0.1, 0.1, 0.0875, 0.075, 0.0625, 0.05, 0.0375, 0.025, 0.0125]
    assert watch.rates == pytest.approx(expected)


def test_resume_state_holds_the_adapter_and_the_history_only(corpus: Path, recipe: Recipe) -> None:
    module = _module(recipe, 2)
    _fit(module, _batches(corpus, recipe)[:2])
    state = {"state_dict": module.state_dict()}
    module.on_save_checkpoint(state)
    assert state["history"] == module.history
    assert set(state["state_dict"]) == {n for n, _ in module.named_parameters() if "lora_" in n}

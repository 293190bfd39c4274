"""Several adapters on one base: the same vectors as each alone, and what cannot be used together."""

from __future__ import annotations

import json
import shutil
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import MultiVectorEncoder

from common.errors import ProvenderError
from common.hashing import digest
from evaluation.retrieve import encode
from evaluation.routing import BASE, Router
from tests.tiny import tiny_recipe, write_checkpoint
from tests.training.layouts import DOCUMENTS, write_roberta, write_stage
from training.checkpoint import MANIFEST
from training.experts import Experts, found, identified
from training.model import adapter_of, load_encoder
from training.recipe import Recipe
from training.router import write_router


def write_experts(models: Path, base: Path, **ranks: int) -> dict[str, Path]:
    """Experts of the domains in `ranks`, with adapters of these ranks, drawn at random."""
    made = {}
    for seed, (domain, rank) in enumerate(ranks.items(), 1):
        recipe = tiny_recipe(
            base, stage=f"expert_{domain}", adapter={"rank": rank, "alpha": 2 * rank}
        )
        made[domain] = write_stage(models / f"expert_{domain}", recipe, seed)
    return made


def write_route(models: Path, threshold: float = 0.0, **scores: float) -> None:
    """A router that gives every query these scores, made with the experts in `models`."""
    intercepts = np.array(list(scores.values()), dtype=np.float32)
    router = Router(
        tuple(scores), "embeddings", np.zeros((len(scores), 32), np.float32), intercepts
    )
    manifest = {
        "domains": list(scores),
        "reads": "embeddings",
        "threshold": threshold,
        "fingerprints": identified(found(models))[1],
        "fingerprint": digest(threshold, scores),
        "held_out": {"queries": 4, "accuracy": 0.75, "calibration_error": 0.05, "confusion": []},
        "validation": {},
    }
    write_router(router, manifest, models / "router")


@pytest.fixture(scope="module")
def places(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_experts(
        tmp_path_factory.mktemp("experts"), tiny_model, general=4, rust=4, formal=2
    )


@pytest.fixture(scope="module")
def experts(places: dict[str, Path]) -> Experts:
    return Experts.load(places)


def _vectors(encoder: MultiVectorEncoder) -> torch.Tensor:
    return torch.cat(encode(encoder, DOCUMENTS, "document", autocast=nullcontext()))


def _alone(base_model: Path) -> torch.Tensor:
    recipe = tiny_recipe(base_model)
    return _vectors(load_encoder(recipe, recipe.index_length))


def test_each_adapter_reads_as_its_checkpoint_alone_in_any_order(
    experts: Experts, places: dict[str, Path], tiny_model: Path
) -> None:
    alone = {name: _alone(place) for name, place in places.items()} | {BASE: _alone(tiny_model)}
    assert not torch.allclose(alone["rust"], alone["general"], atol=1e-2)
    for name in ("rust", BASE, "formal", "general", "rust"):
        assert torch.allclose(_vectors(experts.use(name)), alone[name], atol=1e-5)
        with experts.merged(name) as encoder:
            assert torch.allclose(_vectors(encoder), alone[name], atol=1e-5)
    assert torch.allclose(_vectors(experts.use(BASE)), alone[BASE], atol=1e-6)


def test_one_base_is_held_and_nothing_is_trainable(experts: Experts, tiny_model: Path) -> None:
    recipe = tiny_recipe(tiny_model)
    one = sum(each.numel() for each in load_encoder(recipe).parameters())
    named = dict(experts.use("rust").named_parameters())
    assert sum(each.numel() for name, each in named.items() if "lora_" not in name) == one
    assert not [name for name, each in named.items() if "lora_" in name and each.requires_grad]
    assert set(adapter_of(experts.use("rust")).peft_config) == {"general", "rust", "formal"}


def test_fingerprints_say_what_is_computed(places: dict[str, Path], tmp_path: Path) -> None:
    _, prints = identified(places)
    assert list(prints) == [BASE, "general", "rust", "formal"]
    assert len(set(prints.values())) == 4
    again = {name: shutil.copytree(place, tmp_path / place.name) for name, place in places.items()}
    assert identified(again)[1] == prints
    shutil.copytree(places["general"] / "adapter", again["rust"] / "adapter", dirs_exist_ok=True)
    other = identified(again)[1]
    assert [name for name in prints if prints[name] != other[name]] == ["rust"]
    assert other["rust"] == prints["general"]


def _refused(places: dict[str, Path]) -> ProvenderError:
    with pytest.raises(ProvenderError) as caught:
        Experts.load(places)
    return caught.value


def test_a_missing_expert_is_named_with_what_trains_it(
    places: dict[str, Path], tmp_path: Path
) -> None:
    error = _refused({**places, "personal": tmp_path / "expert_personal"})
    assert error.what == "There is no expert for `personal`."
    assert error.remedy.endswith("--experts --stage personal")
    assert "There are no experts." in str(_refused({}))


def test_experts_on_different_bases_are_refused(places: dict[str, Path], tmp_path: Path) -> None:
    other = write_checkpoint(tmp_path / "other")
    config = json.loads((other / "config.json").read_text(encoding="utf-8"))
    (other / "config.json").write_text(json.dumps({**config, "layer_norm_eps": 1e-6}), "utf-8")
    [personal] = write_experts(tmp_path, other, personal=4).values()
    error = _refused({**places, "personal": personal})
    assert "`general` was trained on" in error.what
    assert f"`personal` on `{other}`" in error.what


def test_an_adapter_of_another_architecture_is_refused(
    places: dict[str, Path], tmp_path: Path
) -> None:
    [alien] = write_experts(tmp_path, write_roberta(tmp_path / "roberta"), rust=4).values()
    mixed = shutil.copytree(places["rust"], tmp_path / "mixed")
    shutil.copytree(alien / "adapter", mixed / "adapter", dirs_exist_ok=True)
    weights = mixed / "adapter" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    assert "The adapter cannot be loaded" in _refused({**places, "rust": mixed}).what


def test_experts_of_other_lengths_are_refused(
    places: dict[str, Path], tiny_model: Path, tmp_path: Path
) -> None:
    recipe: Recipe = tiny_recipe(tiny_model, stage="expert_personal", index_length=36)
    longer = write_stage(tmp_path / "expert_personal", recipe)
    assert "for 12 and 40 tokens" in _refused({**places, "personal": longer}).what


def test_the_experts_of_a_folder_are_found_in_order(places: dict[str, Path]) -> None:
    models = places["rust"].parent
    assert list(found(models)) == ["general", "rust", "formal"]
    assert (found(models)["rust"] / MANIFEST).is_file()

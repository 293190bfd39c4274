from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import MultiVectorEncoder
from torch.nn.functional import normalize
from transformers import AutoModel, AutoTokenizer, T5EncoderModel

from common.errors import ProvenderError
from tests.tiny import tiny_recipe
from tests.training.layouts import (
    ARCHITECTURES,
    DENSE,
    POOLING,
    TRANSFORMER,
    WIDTH,
    random_weight,
    write_dense,
    write_modernbert,
    write_modules,
    write_pooling,
    write_pylate,
    write_roberta,
    write_t5,
)
from training.model import load_encoder, tokenize, transformer_of

TEXTS = ["parse the date", "fn open(path) { self.file.open() }", "x"]


@pytest.fixture(params=ARCHITECTURES)
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return ARCHITECTURES[request.param](tmp_path / request.param)


def _hidden(folder: Path, text: str, prefix: int | None = None) -> torch.Tensor:
    """What transformers alone makes of `text`, `prefix` being put after the first token."""
    ids = AutoTokenizer.from_pretrained(folder)(text)["input_ids"]
    if prefix is not None:
        ids.insert(1, prefix)
    kind = T5EncoderModel if "T5" in (folder / "config.json").read_text() else AutoModel
    model = kind.from_pretrained(folder).eval()
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids])).last_hidden_state[0]


def _documents(folder: Path, **changes: Any) -> list[torch.Tensor]:
    encoder = load_encoder(tiny_recipe(folder, **changes))
    return [torch.as_tensor(each) for each in encoder.encode_document(TEXTS)]


def _equal(found: list[torch.Tensor], expected: list[torch.Tensor]) -> None:
    assert [each.shape for each in found] == [each.shape for each in expected]
    for left, right in zip(found, expected, strict=True):
        assert torch.allclose(left, normalize(right, dim=-1), atol=1e-5)


# Plain encoders


def test_an_encoder_gives_its_hidden_states_at_unit_length(base: Path) -> None:
    _equal(_documents(base, document_length=48), [_hidden(base, text) for text in TEXTS])


def test_queries_and_documents_are_cut_where_the_recipe_says(base: Path) -> None:
    encoder = load_encoder(tiny_recipe(base))
    assert len(encoder.encode_query(["date " * 100])[0]) == 12
    assert len(encoder.encode_document(["date " * 100])[0]) == 32


def test_of_a_t5_only_the_encoder_is_loaded(tmp_path: Path) -> None:
    encoder = load_encoder(tiny_recipe(write_t5(tmp_path / "t5")))
    assert not [name for name, _ in encoder.named_parameters() if "decoder" in name]


def test_half_precision_is_loaded_as_single(tmp_path: Path) -> None:
    folder = write_modernbert(tmp_path / "model")
    AutoModel.from_pretrained(folder).half().save_pretrained(folder)
    encoder = load_encoder(tiny_recipe(folder))
    assert {each.dtype for each in encoder.parameters()} == {torch.float32}


def test_nothing_is_drawn_at_random_where_a_base_is_loaded(base: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    load_encoder(tiny_recipe(base))
    assert torch.equal(torch.rand(1), expected)


# sentence-transformers' single-vector layouts


@pytest.mark.parametrize("place", ["", "0_Transformer"])
def test_a_pooled_model_gives_its_token_vectors(place: str, base: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pooled"
    shutil.copytree(base, folder / place)
    write_pooling(folder / "1_Pooling")
    write_modules(folder, [(place, TRANSFORMER), ("1_Pooling", POOLING)])
    _equal(_documents(folder, document_length=48), [_hidden(base, text) for text in TEXTS])


def test_a_pooled_model_keeps_its_prompts(tmp_path: Path) -> None:
    folder = write_modernbert(tmp_path / "model")
    write_pooling(folder / "1_Pooling")
    modules = [("", TRANSFORMER), ("1_Pooling", POOLING)]
    write_modules(folder, modules, prompts={"query": "find: ", "document": ""})
    encoder = load_encoder(tiny_recipe(folder, query_length=40))
    (found,) = map(torch.as_tensor, encoder.encode_query(["date"]))
    _equal([found], [_hidden(folder, "find: date")])


@pytest.mark.parametrize("pooled", [False, True])
def test_xtr_projects_the_tokens_of_a_t5_encoder(pooled: bool, tmp_path: Path) -> None:
    folder = write_t5(tmp_path / "xtr")
    weight = random_weight(16, WIDTH)
    modules = [("", TRANSFORMER), ("2_Dense", DENSE)]
    if pooled:
        write_pooling(folder / "1_Pooling")
        modules.insert(1, ("1_Pooling", POOLING))
    write_dense(folder / "2_Dense", weight)
    write_modules(folder, modules)
    expected = [_hidden(folder, text) @ weight.T for text in TEXTS]
    _equal(_documents(folder, document_length=48), expected)


def test_scores_of_what_had_none_are_means_over_query_tokens(tmp_path: Path) -> None:
    folder = write_t5(tmp_path / "xtr")
    write_dense(folder / "1_Dense", random_weight(16, WIDTH))
    write_modules(folder, [("", TRANSFORMER), ("1_Dense", DENSE)])
    encoder = load_encoder(tiny_recipe(folder))
    same = encoder.similarity(encoder.encode_query(["date"]), encoder.encode_document(["date"]))
    assert float(same[0][0]) == pytest.approx(1.0, abs=1e-6)


# Multi-vector layouts


def test_pylate_projections_are_a_chain(tmp_path: Path) -> None:
    first, second = random_weight(24, WIDTH), random_weight(8, 24, seed=6)
    folder = write_pylate(tmp_path / "model", [first, second])
    expected = [_hidden(folder, text) @ first.T @ second.T for text in TEXTS]
    _equal(_documents(folder, document_length=48), expected)


def _prefixed(folder: Path, **config: Any) -> Path:
    """With `[Q] ` and `[D] ` among the tokens, as PyLate leaves them."""
    weight = random_weight(8, WIDTH)
    write_pylate(folder, [weight], query_prefix="[Q] ", document_prefix="[D] ", **config)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["[Q] ", "[D] "])
    tokenizer.save_pretrained(folder)
    model = AutoModel.from_pretrained(folder)
    model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(folder)
    return folder


def test_pylate_prefixes_are_one_token_after_the_first(tmp_path: Path) -> None:
    folder = _prefixed(tmp_path / "model")
    weight = random_weight(8, WIDTH)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    encoder = load_encoder(tiny_recipe(folder, query_length=40, document_length=40))
    for prefix, found in (
        ("[Q] ", encoder.encode_query(["date"])),
        ("[D] ", encoder.encode_document(["date"])),
    ):
        token = tokenizer.convert_tokens_to_ids(prefix)
        _equal(list(map(torch.as_tensor, found)), [_hidden(folder, "date", token) @ weight.T])


def test_training_reads_the_prefix_that_search_reads(tmp_path: Path) -> None:
    encoder = load_encoder(tiny_recipe(_prefixed(tmp_path / "model")))
    assert len(tokenize(encoder, ["date"], "query")["input_ids"][0]) == 7  # [CLS] [Q] d a t e [SEP]
    assert len(encoder.encode_query(["date"])[0]) == 7
    assert len(tokenize(encoder, ["date"], "document")["input_ids"][0]) == 7


def test_pylate_skiplist_holds_for_documents_only(tmp_path: Path) -> None:
    folder = write_pylate(tmp_path / "model", [random_weight(8, WIDTH)], skiplist_words=["."])
    encoder = load_encoder(tiny_recipe(folder))
    assert len(encoder.encode_document(["a.b."])[0]) == 4
    assert len(encoder.encode_query(["a.b."])[0]) == 6


def test_pylate_queries_are_expanded_to_the_length_of_the_recipe(tmp_path: Path) -> None:
    folder = write_pylate(tmp_path / "model", [random_weight(8, WIDTH)], do_query_expansion=True)
    encoder = load_encoder(tiny_recipe(folder, query_length=20))
    assert [len(each) for each in encoder.encode_query(["a", "date " * 30])] == [20, 20]
    assert len(encoder.encode_document(["a"])[0]) == 3


def test_a_stanford_checkpoint_is_projected(tmp_path: Path) -> None:
    folder = write_modernbert(tmp_path / "model")
    weight = random_weight(8, WIDTH)
    weights = load_file(folder / "model.safetensors")
    save_file({**weights, "linear.weight": weight}, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    text = json.dumps({**config, "architectures": ["HF_ColBERT"]})
    (folder / "config.json").write_text(text, encoding="utf-8")
    (folder / "artifact.metadata").write_text('{"mask_punctuation": false}', encoding="utf-8")
    encoder = load_encoder(tiny_recipe(folder))
    assert encoder.encode_document(["date"])[0].shape[1] == 8


def test_a_saved_encoder_is_loaded_with_its_scoring(tmp_path: Path) -> None:
    folder = write_pylate(tmp_path / "model", [random_weight(8, WIDTH)])
    encoder = MultiVectorEncoder(str(folder), device="cpu", similarity_fn_name="maxsim")
    encoder.save_pretrained(str(tmp_path / "saved"), create_model_card=False)
    loaded = load_encoder(tiny_recipe(tmp_path / "saved", document_length=48))
    assert loaded.similarity_fn_name == "maxsim"
    _equal(
        list(map(torch.as_tensor, loaded.encode_document(TEXTS))),
        [_hidden(folder, text) @ random_weight(8, WIDTH).T for text in TEXTS],
    )


# What cannot be used


def _refused(folder: Path, **changes: Any) -> str:
    with pytest.raises(ProvenderError) as caught:
        load_encoder(tiny_recipe(folder, **changes))
    assert caught.value.where == str(folder)
    assert "\n" not in str(caught.value)
    return caught.value.what


def _rewrite(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def _projection(weights: dict[str, torch.Tensor]) -> str:
    """A layer of attention."""
    names = [name for name in weights if "decoder" not in name]
    return next(each for each in names if "query.weight" in each or "Wqkv" in each or ".q." in each)


def test_a_tensor_that_is_missing_is_named(base: Path) -> None:
    layer = _projection(load_file(base / "model.safetensors"))
    _rewrite(base, lambda weights: weights.__delitem__(layer))
    what = _refused(base)
    assert "lack 1 tensors" in what
    assert layer.removeprefix("model.") in what


def test_a_tensor_of_another_shape_is_refused(base: Path) -> None:
    def cut(weights: dict[str, torch.Tensor]) -> None:
        name = _projection(weights)
        weights[name] = weights[name][:-1].clone()

    _rewrite(base, cut)
    assert "other shapes than its config.json says" in _refused(base)


def test_a_pooler_may_be_missing(tmp_path: Path) -> None:
    folder = write_roberta(tmp_path / "model")
    expected = _hidden(folder, "date")

    def cut(weights: dict[str, torch.Tensor]) -> None:
        for name in [each for each in weights if "pooler" in each]:
            del weights[name]

    _rewrite(folder, cut)
    encoder = load_encoder(tiny_recipe(folder))
    _equal(list(map(torch.as_tensor, encoder.encode_document(["date"]))), [expected])


@pytest.mark.parametrize("keep", [0, 7, 100, -1])
def test_truncated_weights_are_refused(keep: int, base: Path) -> None:
    weights = base / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    assert "cannot be loaded" in _refused(base)


def test_a_header_that_promises_more_than_there_is_is_refused(base: Path) -> None:
    weights = base / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes((2**40).to_bytes(8, "little") + content[8:])
    assert "cannot be loaded" in _refused(base)


def test_pickled_weights_are_refused_by_their_name(base: Path) -> None:
    torch.save(load_file(base / "model.safetensors"), base / "pytorch_model.bin")
    (base / "model.safetensors").unlink()
    assert "pytorch_model.bin has no safetensors beside it" in _refused(base)


def test_a_pickled_projection_is_refused_by_its_name(tmp_path: Path) -> None:
    folder = write_pylate(tmp_path / "model", [random_weight(8, WIDTH)])
    weights = load_file(folder / "1_Dense/model.safetensors")
    torch.save(weights, folder / "1_Dense/pytorch_model.bin")
    (folder / "1_Dense/model.safetensors").unlink()
    assert "1_Dense/pytorch_model.bin has no safetensors beside it" in _refused(folder)


@pytest.mark.parametrize("width", [WIDTH - 1, 8])
def test_a_projection_of_another_width_is_refused(width: int, tmp_path: Path) -> None:
    folder = write_pylate(tmp_path / "model", [random_weight(8, WIDTH)])
    save_file({"linear.weight": random_weight(9, width)}, folder / "1_Dense/model.safetensors")
    assert "cannot be loaded" in _refused(folder)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no model", encoding="utf-8")
    assert "neither a config.json nor a modules.json" in _refused(tmp_path)


@pytest.mark.parametrize("content", ["{", "{}", "[]", '[{"path": ""}]', '["Transformer"]'])
def test_a_modules_file_that_lists_no_modules_is_refused(content: str, tmp_path: Path) -> None:
    folder = write_modernbert(tmp_path / "model")
    (folder / "modules.json").write_text(content, encoding="utf-8")
    assert "cannot be loaded" in _refused(folder)


@pytest.mark.parametrize(
    "content", ["[]", "3", '{"model_type": ["bert"]}', '{"model_type": "none"}']
)
def test_a_config_that_is_anything_is_refused(content: str, tmp_path: Path) -> None:
    folder = write_modernbert(tmp_path / "model")
    (folder / "config.json").write_text(content, encoding="utf-8")
    assert "cannot be loaded" in _refused(folder)


def test_a_module_that_is_not_known_is_refused_by_its_name(tmp_path: Path) -> None:
    folder = write_modernbert(tmp_path / "model")
    modules = [("", TRANSFORMER), ("1_LSTM", "sentence_transformers.models.LSTM")]
    write_modules(folder, modules)
    assert "its module LSTM" in _refused(folder)


def test_a_module_of_code_in_the_folder_is_not_run(tmp_path: Path) -> None:
    folder = write_pylate(tmp_path / "model", [random_weight(8, WIDTH)])
    (folder / "custom.py").write_text("raise SystemExit('was run')", encoding="utf-8")
    write_modules(folder, [("", "custom.Transformer")], model_type="MultiVectorEncoder")
    assert "cannot be loaded" in _refused(folder)


def test_lengths_beyond_the_positions_of_a_model_are_refused(tmp_path: Path) -> None:
    folder = write_roberta(tmp_path / "model")
    what = _refused(folder, document_length=49)
    assert "reads 48 tokens, and the recipe asks for 49" in what
    encoder = load_encoder(tiny_recipe(folder, document_length=48))
    assert len(encoder.encode_document(["date " * 30])[0]) == 48


def test_models_without_learned_positions_read_any_length(tmp_path: Path) -> None:
    encoder = load_encoder(tiny_recipe(write_t5(tmp_path / "t5"), document_length=700))
    assert len(encoder.encode_document(["date " * 300])[0]) == 700
    assert transformer_of(encoder).document_length == 700

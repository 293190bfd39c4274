from __future__ import annotations

import importlib.util
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import MultiVectorEncoder

from common.errors import ProvenderError
from common.hashing import digest_file
from tests.tiny import tiny_recipe
from tests.training.layouts import write_stage
from training import formats, parity
from training.merge import export, load_adapted, main
from training.model import load_encoder, merge, set_scale

QUERIES = ["parse the date", "open a file"]
DOCUMENTS = ["fn parse_date(text)", "fn open(path) { file }", "∀ x: x ≤ x"]


@pytest.fixture(scope="module")
def checkpoint(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stage(tmp_path_factory.mktemp("merge") / "stage", tiny_recipe(tiny_model))


def _scores(encoder: MultiVectorEncoder) -> torch.Tensor:
    queries, documents = encoder.encode_query(QUERIES), encoder.encode_document(DOCUMENTS)
    return torch.as_tensor(encoder.similarity(queries, documents))


def test_a_merged_model_loads_plainly_and_scores_as_its_adapter(
    checkpoint: Path, tiny_model: Path, tmp_path: Path
) -> None:
    export(checkpoint, tmp_path / "model")
    merged = _scores(MultiVectorEncoder(str(tmp_path / "model"), device="cpu"))
    assert torch.allclose(merged, _scores(load_adapted(checkpoint)), atol=1e-5)
    base = _scores(load_encoder(tiny_recipe(tiny_model)))
    assert not torch.allclose(merged, base, atol=1e-3)


def test_a_merged_model_reads_documents_at_index_length(checkpoint: Path, tmp_path: Path) -> None:
    export(checkpoint, tmp_path / "model")
    merged = MultiVectorEncoder(str(tmp_path / "model"), device="cpu")
    assert len(merged.encode_query(["date " * 100])[0]) == 12
    assert len(merged.encode_document(["date " * 100])[0]) == 40


def test_a_merged_model_is_safetensors_only(checkpoint: Path, tmp_path: Path) -> None:
    export(checkpoint, tmp_path / "model")
    files = [each for each in (tmp_path / "model").rglob("*") if each.is_file()]
    assert [each.name for each in files if each.suffix == ".safetensors"] == ["model.safetensors"]
    assert not {".bin", ".pt", ".pth", ".ckpt", ".pkl"} & {each.suffix for each in files}


def test_a_merged_model_carries_the_manifest(checkpoint: Path, tmp_path: Path) -> None:
    manifest = export(checkpoint, tmp_path / "model").manifest
    assert manifest == json.loads((checkpoint / "manifest.json").read_text(encoding="utf-8"))
    carried = json.loads((tmp_path / "model/manifest.json").read_text(encoding="utf-8"))
    stated = carried.pop("export")
    assert carried == manifest
    weights = tmp_path / "model" / "model.safetensors"
    assert stated["sha256"] == {weights.name: digest_file(weights)}
    assert (stated["format"], 0 <= stated["parity"] <= 1e-5) == ("sentence-transformers", True)


def test_a_merged_model_carries_the_list_of_its_files(checkpoint: Path, tmp_path: Path) -> None:
    export(checkpoint, tmp_path / "model")
    merged = tmp_path / "model" / "provenance.parquet"
    assert merged.read_bytes() == (checkpoint / "provenance.parquet").read_bytes()


def test_a_checkpoint_without_the_list_of_its_files_is_refused_in_one_line(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older = tmp_path / "stage"
    shutil.copytree(checkpoint, older)
    (older / "provenance.parquet").unlink()
    line = _refused([older, "-o", tmp_path / "model"], capsys)
    assert f"{older}: The checkpoint does not say which files it was made of" in line
    assert not (tmp_path / "model").exists()


def test_a_merged_model_is_a_base_model_for_the_next_stage(
    checkpoint: Path, tmp_path: Path
) -> None:
    export(checkpoint, tmp_path / "model")
    encoder = load_encoder(tiny_recipe(tmp_path / "model"))
    assert torch.allclose(_scores(encoder), _scores(load_adapted(checkpoint)), atol=1e-5)


def test_an_older_model_is_replaced(checkpoint: Path, tmp_path: Path) -> None:
    output = tmp_path / "model"
    output.mkdir()
    (output / "old.txt").write_text("old", encoding="utf-8")
    export(checkpoint, output)
    assert not (output / "old.txt").exists()
    assert [each.name for each in tmp_path.iterdir()] == ["model"]


def test_parity_is_measured_on_every_token_and_score(checkpoint: Path, tmp_path: Path) -> None:
    exported = export(checkpoint, tmp_path / "model")
    assert exported.parity.keys() == {"sentence-transformers"}
    assert 0 < exported.parity["sentence-transformers"] <= 1e-5


def _damage_one_weight(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["encoder.layer.1.output.dense.bias"][3] += 1e-3
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def _damage_with_nan(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["encoder.layer.1.output.dense.bias"][3] = float("nan")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def _edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes), encoding="utf-8")


def _damage_scoring(folder: Path) -> None:
    _edit(folder / "config_sentence_transformers.json", similarity_fn_name="maxsim")


def _damage_length(folder: Path) -> None:
    _edit(folder / "sentence_bert_config.json", document_length=39)


@pytest.mark.parametrize(
    "damage", [_damage_one_weight, _damage_with_nan, _damage_scoring, _damage_length]
)
def test_an_export_that_differs_from_its_adapter_is_not_kept(
    damage: Callable[[Path], None],
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write = formats.write

    def write_badly(name: str, encoder: MultiVectorEncoder, folder: Path) -> None:
        write(name, encoder, folder)
        damage(folder)

    monkeypatch.setattr(formats, "write", write_badly)
    output = tmp_path / "model"
    output.mkdir()
    (output / "old.txt").write_text("old", encoding="utf-8")
    with pytest.raises(
        ProvenderError, match="sentence-transformers export differs from its adapter"
    ):
        export(checkpoint, output)
    assert [each.name for each in output.iterdir()] == ["old.txt"]
    assert [each.name for each in tmp_path.iterdir()] == ["model"]


def test_a_merge_that_changes_the_model_is_not_kept(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forget(encoder: MultiVectorEncoder) -> None:
        set_scale(encoder, 0.5)
        merge(encoder)

    monkeypatch.setattr("training.model.merge", forget)
    with pytest.raises(ProvenderError, match="merged model differs from its adapter"):
        export(checkpoint, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def _measured(*vectors: list[list[float]], scores: float = 0.5) -> parity.Measured:
    return parity.Measured([torch.tensor(each) for each in vectors], torch.tensor([[scores]]))


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (_measured([[1.0, 0.0]], [[0.0, 1.0]]), 0.0),
        (_measured([[1.0, 0.0]], [[0.25, 1.0]]), 0.25),
        (_measured([[1.0, 0.0]], [[0.0, 1.0]], scores=0.75), 0.25),
        (_measured([[1.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]]), float("inf")),
        (_measured([[1.0, 0.0]], [[0.0, float("nan")]]), float("inf")),
        (_measured([[float("nan"), 0.0]], [[0.5, 1.0]]), float("inf")),
    ],
)
def test_distance_is_the_greatest_difference(other: parity.Measured, expected: float) -> None:
    assert parity.distance(_measured([[1.0, 0.0]], [[0.0, 1.0]]), other) == expected


def test_probes_go_past_the_length_of_documents(checkpoint: Path) -> None:
    encoder = load_adapted(checkpoint)
    lengths = [len(each) for each in encoder.encode_document(list(parity.DOCUMENTS))]
    assert max(lengths) == 40
    assert min(lengths) < 10
    assert len(set(lengths)) > 2 or lengths.count(40) < len(lengths)


def test_several_formats_get_a_folder_each(checkpoint: Path, tmp_path: Path) -> None:
    output = tmp_path / "model"
    arguments = [str(checkpoint), "-o", str(output), "--format", "pylate,sentence-transformers"]
    assert main(arguments) == 0
    assert sorted(each.name for each in output.iterdir()) == ["pylate", "sentence-transformers"]
    for each in output.iterdir():
        assert {"README.md", "manifest.json", "provenance.parquet"} <= {
            file.name for file in each.iterdir()
        }


def test_a_format_named_twice_is_written_once(checkpoint: Path, tmp_path: Path) -> None:
    output = tmp_path / "model"
    assert (
        main([str(checkpoint), "-o", str(output), "--format", "pylate", "--format", "pylate"]) == 0
    )
    assert (output / "modules.json").is_file()


def test_an_unknown_format_is_refused_with_those_that_there_are(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([str(checkpoint), "-o", str(tmp_path / "model"), "--format", "pylat"])
    assert "there is no format `pylat`; did you mean `pylate`?" in capsys.readouterr().err


def test_a_format_whose_packages_are_missing_says_so_before_anything_is_loaded(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "onnxscript" else real(name)
    )
    with pytest.raises(ProvenderError, match=r"An ONNX export needs onnxscript\..*\[onnx\]"):
        export(tmp_path / "nothing", tmp_path / "model", ["onnx"])


def test_command_line_names_what_it_merged(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(checkpoint), "-o", str(tmp_path / "model")]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"merged {checkpoint} into {tmp_path / 'model'}"
    assert re.fullmatch(r"  sentence-transformers: \d\.\de-\d\d from its adapter at most", second)


def _refused(arguments: list[Any], capsys: pytest.CaptureFixture[str]) -> str:
    assert main([str(each) for each in arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    return line


def test_what_is_no_checkpoint_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = _refused([tmp_path / "absent", "-o", tmp_path / "model"], capsys)
    assert f"{tmp_path / 'absent'}: This is no checkpoint" in line
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_without_its_adapter_is_refused_in_one_line(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "stage"
    shutil.copytree(checkpoint, broken)
    shutil.rmtree(broken / "adapter")
    assert str(broken) in _refused([broken, "-o", tmp_path / "model"], capsys)
    assert not (tmp_path / "model").exists()


def test_a_manifest_with_an_unknown_setting_is_refused_in_one_line(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "stage"
    shutil.copytree(checkpoint, broken)
    manifest = json.loads((broken / "manifest.json").read_text(encoding="utf-8"))
    manifest["config"]["of_a_later_version"] = 1
    (broken / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert str(broken) in _refused([broken, "-o", tmp_path / "model"], capsys)


def test_an_adapter_that_was_changed_in_length_is_refused_in_one_line(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "stage"
    shutil.copytree(checkpoint, broken)
    weights = broken / "adapter" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert "The adapter cannot be loaded" in _refused([broken, "-o", tmp_path / "model"], capsys)
    assert not (tmp_path / "model").exists()

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import MultiVectorEncoder

from common.errors import ProvenderError
from tests.tiny import tiny_recipe
from training import merge
from training.merge import export, load_adapted, main
from training.model import load_encoder
from training.run import Stage, train

QUERIES = ["parse the date", "open a file"]
DOCUMENTS = ["fn parse_date(text)", "fn open(path) { file }", "∀ x: x ≤ x"]


@pytest.fixture(scope="module")
def checkpoint(tiny_model: Path, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("merge") / "stage"
    with pytest.MonkeyPatch.context() as context:
        context.setenv("PL_GLOBAL_SEED", "0")
        train(tiny_recipe(tiny_model, adapter_scale=0.8), Stage(corpus, output))
    return output


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
    manifest = export(checkpoint, tmp_path / "model")
    assert manifest == json.loads((checkpoint / "manifest.json").read_text(encoding="utf-8"))
    assert manifest == json.loads((tmp_path / "model/manifest.json").read_text(encoding="utf-8"))


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


def test_an_export_that_scores_otherwise_is_not_kept(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.5, 0.6])
    monkeypatch.setattr(merge, "_probe", lambda _: next(scores))
    output = tmp_path / "model"
    output.mkdir()
    (output / "old.txt").write_text("old", encoding="utf-8")
    with pytest.raises(
        ProvenderError, match=r"scores 0\.600000 where its adapter scores 0\.500000"
    ):
        export(checkpoint, output)
    assert [each.name for each in output.iterdir()] == ["old.txt"]
    assert [each.name for each in tmp_path.iterdir()] == ["model"]


def test_command_line_names_what_it_merged(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(checkpoint), "-o", str(tmp_path / "model")]) == 0
    assert capsys.readouterr().out == f"merged {checkpoint} into {tmp_path / 'model'}\n"


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

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
import venv
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard
from safetensors.torch import load_file
from sentence_transformers import MultiVectorEncoder

from common.errors import ProvenderError
from tests.tiny import tiny_recipe
from tests.training.layouts import (
    ARCHITECTURES,
    DENSE,
    TRANSFORMER,
    WIDTH,
    random_weight,
    write_dense,
    write_modernbert,
    write_modules,
    write_pooling,
    write_pylate,
    write_stage,
    write_t5,
)
from training.formats import read, write
from training.merge import export, load_adapted
from training.model import load_encoder
from training.parity import DOCUMENTS, QUERIES, distance, measure

FORMATS = ["sentence-transformers", "pylate", "onnx"]


@pytest.fixture(scope="module")
def checkpoint(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stage(tmp_path_factory.mktemp("export") / "stage", tiny_recipe(tiny_model))


@pytest.fixture(scope="module")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint in every format. Do not write into it."""
    output = tmp_path_factory.mktemp("exported") / "model"
    export(checkpoint, output, FORMATS)
    return output


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _round_trip(name: str, encoder: MultiVectorEncoder, folder: Path) -> float:
    folder.mkdir()
    write(name, encoder, folder)
    found = measure(read(name, folder), encoder.similarity)
    return distance(measure(encoder, encoder.similarity), found)


def _xtr(folder: Path) -> Path:
    write_t5(folder)
    write_dense(folder / "1_Dense", random_weight(16, WIDTH))
    write_modules(folder, [("", TRANSFORMER), ("1_Dense", DENSE)])
    return folder


LAYOUTS = {
    **ARCHITECTURES,
    "xtr": _xtr,
    "lateon": lambda folder: write_pylate(
        folder,
        [random_weight(24, WIDTH), random_weight(8, 24)],
        query_prefix="q",
        document_prefix="d",
        skiplist_words=[".", "("],
    ),
}


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        *((name, layout) for name in ("sentence-transformers", "pylate") for layout in LAYOUTS),
        *(("onnx", layout) for layout in ("xtr", "lateon")),  # seconds each
    ],
)
def test_every_format_gives_the_vectors_that_it_was_written_from(
    name: str, layout: str, tmp_path: Path
) -> None:
    folder = LAYOUTS[layout](tmp_path / layout)
    encoder = load_encoder(tiny_recipe(folder, document_length=48))
    assert _round_trip(name, encoder, tmp_path / "export") <= 1e-5


def test_no_format_has_a_pickle(exported: Path) -> None:
    suffixes = {each.suffix for each in exported.rglob("*") if each.is_file()}
    assert suffixes <= {".json", ".safetensors", ".txt", ".md", ".parquet", ".onnx"}


# PyLate


def test_pylate_reads_its_modules_by_its_own_names(exported: Path) -> None:
    kinds = [(each["path"], each["type"]) for each in _json(exported / "pylate/modules.json")]
    assert kinds == [
        ("", "sentence_transformers.models.Transformer"),
        ("1_Dense", "pylate.models.Dense.Dense"),
    ]


def test_pylate_gets_an_identity_where_there_is_no_projection(exported: Path) -> None:
    weights = load_file(exported / "pylate/1_Dense/model.safetensors")
    assert weights.keys() == {"linear.weight"}
    assert torch.equal(weights["linear.weight"], torch.eye(WIDTH))


def test_pylate_is_told_what_the_encoder_does(exported: Path) -> None:
    assert _json(exported / "pylate/config_sentence_transformers.json") == {
        "model_type": "ColBERT",
        "similarity_fn_name": "MaxSim",
        "prompts": {},
        "default_prompt_name": None,
        "query_prefix": "",
        "document_prefix": "",
        "query_length": 12,
        "document_length": 40,
        "skiplist_words": [],
        "do_query_expansion": False,
        "attend_to_expansion_tokens": False,
    }


def test_pylate_keeps_prefixes_skiplist_expansion_and_chain(tmp_path: Path) -> None:
    weights = [random_weight(24, WIDTH), random_weight(8, 24)]
    config = {
        "query_prefix": "q",
        "document_prefix": "d",
        "skiplist_words": ["."],
        "do_query_expansion": True,
        "attend_to_expansion_tokens": True,
    }
    folder = write_pylate(tmp_path / "model", weights, **config)
    encoder = load_encoder(tiny_recipe(folder, query_length=20, document_length=48))
    assert _round_trip("pylate", encoder, tmp_path / "export") <= 1e-5
    written = _json(tmp_path / "export/config_sentence_transformers.json")
    assert written == written | config | {"query_length": 20, "document_length": 48}
    for place, weight in enumerate(weights, start=1):
        found = load_file(tmp_path / f"export/{place}_Dense/model.safetensors")
        assert torch.equal(found["linear.weight"], weight)


def test_a_prefix_of_several_tokens_is_not_lost_silently(tmp_path: Path) -> None:
    folder = write_modernbert(tmp_path / "model")
    write_pooling(folder / "1_Pooling")
    modules = [("", TRANSFORMER), ("1_Pooling", "sentence_transformers.models.Pooling")]
    write_modules(folder, modules, prompts={"query": "find: "})
    encoder = load_encoder(tiny_recipe(folder))
    with pytest.raises(ProvenderError, match="the prefix `find: ` is several tokens"):
        _round_trip("pylate", encoder, tmp_path / "export")


def test_onnx_refuses_queries_that_are_expanded(tmp_path: Path) -> None:
    folder = write_pylate(tmp_path / "model", [random_weight(8, WIDTH)], do_query_expansion=True)
    with pytest.raises(ProvenderError, match="its queries are expanded by mask tokens"):
        _round_trip("onnx", load_encoder(tiny_recipe(folder)), tmp_path / "export")


# ONNX


def test_an_onnx_graph_takes_any_batch_and_length(exported: Path, checkpoint: Path) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(exported / "onnx/model.onnx")
    assert [each.name for each in session.get_inputs()] == ["input_ids", "attention_mask"]
    encoder = load_adapted(checkpoint)
    for texts in (["x"], ["parse the date", "x", "fn open(path) { file }"], ["date " * 90] * 2):
        features = encoder.preprocess(texts, task="document")
        inputs = {name: features[name].numpy() for name in ("input_ids", "attention_mask")}
        (vectors,) = session.run(["token_embeddings"], inputs)
        expected = encoder.encode_document(texts)
        for row, mask, each in zip(
            np.asarray(vectors), inputs["attention_mask"], expected, strict=True
        ):
            assert np.allclose(row[mask.astype(bool)], torch.as_tensor(each), atol=1e-5)


def test_an_onnx_export_says_what_no_tensor_says(exported: Path) -> None:
    assert _json(exported / "onnx/onnx_config.json") == {
        "query_length": 12,
        "document_length": 40,
        "query_prefix": "",
        "document_prefix": "",
        "skiplist_words": [],
        "embedding_dim": WIDTH,
    }


# The model card


@pytest.mark.parametrize("name", FORMATS)
def test_a_card_is_read_by_hugging_face(name: str, exported: Path) -> None:
    data = ModelCard.load(exported / name / "README.md").data.to_dict()
    assert data["library_name"] == {"pylate": "PyLate"}.get(name, name)
    assert data["pipeline_tag"] == "feature-extraction"
    assert data["language"] == "en"
    assert "base_model" not in data  # a folder of this machine is no name on a hub


@pytest.mark.parametrize("name", FORMATS)
def test_a_card_names_data_licences_metrics_and_configuration(name: str, exported: Path) -> None:
    text = (exported / name / "README.md").read_text(encoding="utf-8")
    assert "| tiny | alpha | 1.0 | MIT | 2 |" in text
    assert "| tiny | beta | 1.0 | MIT | 1 |" in text
    assert "from 3 pairs of a query and code, data version `data`" in text
    assert "| loss | 0.25 |" in text
    assert '"index_length": 40' in text


@pytest.mark.parametrize("name", FORMATS)
def test_a_card_shows_no_path_of_the_machine(name: str, exported: Path, tiny_model: Path) -> None:
    text = (exported / name / "README.md").read_text(encoding="utf-8")
    assert str(tiny_model) not in text
    assert str(tiny_model.parent) not in text
    assert '"base_model": "tiny"' in text


def test_the_lines_of_a_card_load_the_model(exported: Path) -> None:
    text = (exported / "sentence-transformers/README.md").read_text(encoding="utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    assert len(code.splitlines()) == 3
    code = code.replace("path/to/this/folder", str(exported / "sentence-transformers"))
    found: dict[str, Any] = {"documents": ["fn parse_date(text)"]}
    exec(code, found)
    assert found["scores"].shape == (1, 1)


@pytest.mark.parametrize("front", ["---\nlicense: apache-2.0\n---\n", "---\nlicense: [\n---\n", ""])
def test_a_card_has_the_licence_of_the_base_model_where_it_says_one(
    front: str, tmp_path: Path
) -> None:
    base = ARCHITECTURES["bert"](tmp_path / "base")
    (base / "README.md").write_text(f"{front}\n# A base\n", encoding="utf-8")
    stage = write_stage(tmp_path / "stage_tiny", tiny_recipe(base))
    export(stage, tmp_path / "model")
    data = ModelCard.load(tmp_path / "model/README.md").data.to_dict()
    assert data.get("license") == ("apache-2.0" if "apache" in front else None)


def test_a_card_shows_what_was_gained_and_lost(checkpoint: Path, tmp_path: Path) -> None:
    later = shutil.copytree(checkpoint, tmp_path / "stage")
    manifest = _json(later / "manifest.json")
    row = {"domain": "rust", "kind": "judged", "queries": 70}
    rows = [
        {**row, "scale": scale, "MRR": mrr} for scale, mrr in ((0.0, 0.5), (0.5, 0.75), (1, 0.25))
    ]
    manifest["retention"] = {"scale": 0.5, "retained": True, "rows": rows}
    (later / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    export(later, tmp_path / "model")
    text = (tmp_path / "model/README.md").read_text(encoding="utf-8")
    assert "| rust | judged | 70 | 0.500 | 0.750 |" in text
    assert "the 0.5 of the adapter that is merged" in text


def test_a_card_names_the_sources_of_the_stages_before(checkpoint: Path, tmp_path: Path) -> None:
    later = shutil.copytree(checkpoint, tmp_path / "stage")
    manifest = _json(later / "manifest.json")
    source = {"source": "first", "revision": "9", "license": "BSL-1.0", "pairs": 4}
    manifest["lineage"] = [{"stage": "general", "sources": [source]}]
    (later / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    export(later, tmp_path / "model")
    text = (tmp_path / "model/README.md").read_text(encoding="utf-8")
    assert "| general | first | 9 | BSL-1.0 | 4 |" in text


# PyLate itself, which cannot be installed beside sentence-transformers 6

_PYLATE = "1.6.0"
_ITS_OWN = ("sentence-transformers==5.3.0", "transformers==5.3.0", "ujson==5.12.0", "datasets<6")
"""What that release of PyLate pins, and what importing it needs."""

_ENCODE = """
import json, sys, warnings
warnings.filterwarnings("ignore")
import numpy, sentence_transformers, pylate
from pylate import models, scores
folder, texts, output = sys.argv[1:]
texts = json.loads(texts)
model = models.ColBERT(folder, device="cpu")
queries = model.encode(texts["queries"], is_query=True, show_progress_bar=False)
documents = model.encode(texts["documents"], is_query=False, show_progress_bar=False)
vectors = {f"query{i}": each for i, each in enumerate(queries)}
vectors |= {f"document{i}": each for i, each in enumerate(documents)}
vectors["scores"] = [
    [float(scores.colbert_scores(q[None], d[None])[0, 0]) for d in documents] for q in queries
]
numpy.savez(output, **vectors)
code = open(f"{folder}/README.md").read().partition("```python\\n")[2].partition("```")[0]
found = {"documents": texts["documents"], "ids": list(range(len(texts["documents"])))}
exec(code.replace("path/to/this/folder", folder), found)
assert len(found["found"][0]) == len(texts["documents"])
print(pylate.__version__, sentence_transformers.__version__)
"""


@pytest.fixture(scope="module")
def pylate_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with PyLate, and with the heavy packages of this one (torch, numpy, …) behind its own.

    It costs half a minute and 40 MB. PyLate's index, which bounds torch, stays out: models need none.
    """
    folder = tmp_path_factory.mktemp("pylate") / "venv"
    venv.create(folder, with_pip=True)
    python = folder / "bin/python"
    its = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    (its / "behind.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", f"pylate=={_PYLATE}"], check=True)
    torch_here = f"torch=={version('torch').partition('+')[0]}"
    subprocess.run([*pip, *_ITS_OWN, torch_here], check=True)
    return python


@pytest.mark.network
@pytest.mark.parametrize("layout", ["bert", "lateon"])
def test_pylate_itself_gives_the_same_vectors_and_scores(
    layout: str, pylate_python: Path, tmp_path: Path
) -> None:
    base = LAYOUTS[layout](tmp_path / layout)
    stage = write_stage(tmp_path / "stage_tiny", tiny_recipe(base))
    export(stage, tmp_path / "model", ["pylate"])
    texts = json.dumps({"queries": QUERIES, "documents": DOCUMENTS})
    output = tmp_path / "vectors.npz"
    done = subprocess.run(
        [str(pylate_python), "-c", _ENCODE, str(tmp_path / "model"), texts, str(output)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [_PYLATE, "5.3.0"]
    adapted = load_adapted(stage)
    found = np.load(output)
    queries, documents = (
        adapted.encode_query(list(QUERIES)),
        adapted.encode_document(list(DOCUMENTS)),
    )
    for kind, vectors in (("query", queries), ("document", documents)):
        for place, expected in enumerate(vectors):
            assert np.allclose(found[f"{kind}{place}"], torch.as_tensor(expected), atol=1e-5)
    # PyLate's score is the sum over query tokens, ours the mean unless the base model says otherwise.
    sums = adapted.similarity(queries, documents, length_normalize=False)
    assert np.allclose(found["scores"], np.asarray(sums), atol=1e-4)

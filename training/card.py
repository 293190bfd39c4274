"""The model card of an export: what it is, what it was made of under which licences, how to load it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.formats import ONNX, PYLATE, SENTENCE_TRANSFORMERS

_TITLE = "Provender code search, stage `{stage}`"

_LOADING = {
    SENTENCE_TRANSFORMERS: """from sentence_transformers import MultiVectorEncoder  # 6.2 or newer
model = MultiVectorEncoder("path/to/this/folder")
scores = model.similarity(model.encode_query(["parse a date"]), model.encode_document(documents))""",
    PYLATE: """from pylate import models, rank  # 1.6 or newer
model = models.ColBERT("path/to/this/folder")
queries = model.encode(["parse a date"], is_query=True)  # PyLate sums over them where this model means
found = rank.rerank([ids], queries, [model.encode(documents, is_query=False)])""",
    ONNX: """import onnxruntime, tokenizers
tokenizer = tokenizers.Tokenizer.from_file("tokenizer.json")  # cut at the lengths of onnx_config.json
session = onnxruntime.InferenceSession("model.onnx")  # input_ids, attention_mask -> token_embeddings""",
}

_LIBRARIES = {SENTENCE_TRANSFORMERS: "sentence-transformers", PYLATE: "PyLate", ONNX: "onnx"}

_COLUMNS = ("source", "revision", "license", "pairs")

_HUB_NAMES = {"embedded:minilm": "sentence-transformers/all-MiniLM-L6-v2"}


@dataclass(frozen=True)
class Card:
    """What a card says beside the manifest.

    Args:
        format: of the export.
        parity: the greatest difference between the export and its adapter.
        base_model: the name of what the first stage was trained from.
        base: the folder or hub name of that, whose own card says what its licence is.
    """

    format: str
    parity: float
    base_model: str
    base: str


def write_card(manifest: Mapping[str, Any], card: Card, folder: Path) -> None:
    """Write `README.md`, with the front matter that Hugging Face reads, to `folder`."""
    from huggingface_hub import ModelCard, ModelCardData

    base_model = _public_name(card.base_model)
    data = ModelCardData(
        language="en",
        license=_licence_of(card.base),
        library_name=_LIBRARIES[card.format],
        pipeline_tag="feature-extraction",
        tags=["code-search", "late-interaction", "multi-vector", "rust", "formal-verification"],
        base_model=base_model if "/" in base_model else None,
    )
    text = f"---\n{data.to_yaml()}\n---\n\n{_body(manifest, card, base_model)}"
    ModelCard(text).save(folder / "README.md")


def _body(manifest: Mapping[str, Any], card: Card, base_model: str) -> str:
    config = {
        **manifest["config"],
        "base_model": _public_name(manifest["config"]["base_model"]),
    }
    queries, documents = config["query_length"], config["index_length"]
    stages = [manifest, *manifest.get("lineage", [])]
    sources = [
        [stage["stage"], *(source[key] for key in _COLUMNS)]
        for stage in stages
        for source in stage["sources"]
    ]
    pairs = sum(source["pairs"] for source in manifest["sources"])
    return f"""# {_TITLE.format(stage=manifest["stage"])}

A late-interaction (multi-vector) encoder: every token of a query or document gets a unit vector, and a
document's score is the mean, over the query's tokens, of each one's best match in the document (MaxSim).
Trained for code search in Rust and formal verification from `{base_model}`,
with a LoRA adapter that is merged into these weights.

## Loading

```python
{_LOADING[card.format]}
```

A document is best written as path, doc comment and code, one after the other. Queries are read up to
{queries} tokens, documents up to {documents}.

This export ({card.format}) differs from the adapter that it was made of by {card.parity:.1e} at most, in any
coordinate of a token vector and in any score of the release check.

## Data

Drawn from {pairs:,} pairs of a query and code, data version `{manifest["data_version"]}`.
`provenance.parquet` beside this file names every file that they came from, with its SWHID and licence. Where
the table has other stages, this one was trained on top of them.

{_table(["stage", "source", "revision", "licence", "pairs"], sources)}

The licences are those of the sources. Whether they bind a model trained on them is not settled; this card
claims nothing about it. The licence in its head, where there is one, is the base model's.

## Training

{_table(["metric", "value"], manifest["metrics"].items())}
{_validation(manifest.get("retention"))}
```json
{json.dumps(config, indent=2, ensure_ascii=False)}
```

Code version: {json.dumps(manifest["code_version"])}.

## Limits

- The metrics above were taken in training, from which no user's query came. What the model finds has to be
  measured on queries of the kind that it will be asked; documentation queries flatter every model.
- Queries are English. Code in languages without a source above was not trained on.
- What stands past {documents} tokens of a document is not seen.
- Scores order documents for one query; they are no probabilities and do not compare between queries.
"""


def _validation(retention: Mapping[str, Any] | None) -> str:
    """What the stage did to each kind of validation query; nothing where it was not measured."""
    if retention is None:
        return ""
    found = {(row["scale"], row["domain"], row["kind"]): row for row in retention["rows"]}
    rows = [
        [domain, kind, row["queries"], f"{row['MRR']:.3f}", f"{after['MRR']:.3f}"]
        for (scale, domain, kind), row in found.items()
        if scale == 0 and (after := found.get((retention["scale"], domain, kind)))
    ]
    return f"""
MRR on validation queries, before and with the {retention["scale"]:g} of the adapter that is merged:

{_table(["domain", "kind of query", "queries", "before", "after"], rows)}
"""


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    cells = ([str(cell).replace("|", "\\|") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _public_name(base_model: str) -> str:
    """A name that means something elsewhere: a folder's path on the training machine does not."""
    if Path(base_model).is_dir():
        return Path(base_model).name
    return _HUB_NAMES.get(base_model, base_model)


def _licence_of(base: str) -> str | None:
    import yaml
    from huggingface_hub import ModelCard
    from sentence_transformers.util import load_file_path

    readme = load_file_path(base, "README.md", local_files_only=True)
    if readme is None:
        return None
    try:
        licence = ModelCard.load(readme).data.to_dict().get("license")
    except (ValueError, yaml.YAMLError):  # a card that nobody can read states nothing
        return None
    return licence if isinstance(licence, str) else None

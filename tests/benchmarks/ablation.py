"""What each ingredient of training does to each kind of query: `python -m tests.benchmarks.ablation OUTPUT`.

Trains one stage again and again, each time with one thing changed and with some seeds, and measures it on
validation queries of both kinds, documentation (code alone) and judged (as search indexes them): paired
differences in MRR to the untouched base, of each query's mean over the seeds. Test queries are never read.
Takes PROVENDER_LAKE's corpus and `eval_queries`; results are appended to OUTPUT (JSON lines), and what is
there already is not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from common.device import pick
from evaluation.compare import EvalSet, read_set, scores_of
from evaluation.metrics import paired_difference, per_query, ranks
from training.model import load_encoder, transformer_of
from training.recipe import Recipe

DOC_ONLY = {"query_kinds": {"doc": 1.0}, "pair_types": {"doc": 1.0, "dataset": 1.0}}
NO_INDEX = {"indexed_share": 0.0}

VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    # Ingredients, one after the other.
    "doc queries, code alone, no regularizer": {
        "mixture": {**DOC_ONLY, **NO_INDEX},
        "objective": {"feature_weight": 0},
    },
    "+ every query kind": {"mixture": NO_INDEX, "objective": {"feature_weight": 0}},
    "+ documents as indexed, masked": {"objective": {"feature_weight": 0}},
    "+ own sentence in 30 %": {"mixture": {"own_sentence_share": 0.3}},
    "scores distilled instead": {
        "objective": {"feature_weight": 0, "distillation": {"weight": 1.0}},
    },
    "scores distilled, too": {"objective": {"distillation": {"weight": 1.0}}},
    # Negatives.
    "batches of any language": {"batches": {"within": "anything"}},
    "batches of one source": {"batches": {"within": "source"}},
    "BM25 negatives": {"negatives": "bm25"},
    "mined negatives": {"negatives": "mined"},
    "mined and mutations": {"negatives": "all"},
    "mined and mutations, consistent in 20": {
        "negatives": "all",
        "hard_negatives": {"consistency": 20},
    },
    # Scoring, weights, context.
    "MaxSim": {"objective": {"scoring": "maxsim"}},
    "without weights": {"mixture": {"weighted": False}},
    "without file context": {"mixture": {"file_context": False}},
    "with 20 % replay of general pairs": {
        "mixture": {"domains": {"rust": 0.6, "formal": 0.2, "general": 0.2}}
    },
    "formal pairs alone": {"mixture": {"domains": {"formal": 1.0}}},
    "formal pairs alone, mined negatives": {
        "mixture": {"domains": {"formal": 1.0}},
        "negatives": "mined",
    },
    "formal pairs alone, mined and mutations": {
        "mixture": {"domains": {"formal": 1.0}},
        "negatives": "all",
    },
    "feature weight 1": {"objective": {"feature_weight": 1}},
    "feature weight 10": {"objective": {"feature_weight": 10}},
    "batches of 64": {"batch_size": 64},
    "batches of 128": {"batch_size": 128},
    "batches of 128, rate 2e-3": {"batch_size": 128, "learning_rate": 2e-3},
    "batches of 128, longer documents": {
        "batch_size": 128,
        "document_length": 224,
        "index_length": 320,
    },
    "rate 3e-4": {"learning_rate": 3e-4},
    "rank 64": {"adapter": {"rank": 64, "alpha": 128}},
    "half of the adapter": {"adapter_scale": 0.5},
}


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--pairs", type=int, default=1280)
    parser.add_argument("--seeds", type=int, nargs="*", default=[7])
    parser.add_argument("--chunk", type=int, default=8, help="documents embedded together")
    parser.add_argument("--only", nargs="*", default=list(VARIANTS))
    options = parser.parse_args()
    done = _read(options.output)
    for name in options.only:
        if name not in done:
            done[name] = _run(name, options)
            with options.output.open("a", encoding="utf-8") as file:
                file.write(json.dumps(done[name]) + "\n")
            print(_row(done[name]), flush=True)
    print(*map(_row, done.values()), sep="\n")


def _read(path: Path) -> dict[str, dict[str, Any]]:
    if not path.is_file():
        return {}
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {row["variant"]: row for row in rows}


def _run(name: str, options: argparse.Namespace) -> dict[str, Any]:
    from training.fit import fit

    corpus = Path(os.environ["PROVENDER_LAKE"]) / "corpus" / "split=train"
    began = time.perf_counter()
    values: list[dict[str, np.ndarray]] = []
    for seed in options.seeds:
        recipe = _recipe(VARIANTS[name], options, seed)
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            mined = _mine(recipe, corpus, work, VARIANTS[name].get("negatives"))
            fitted = fit(recipe, corpus, work, negatives=mined)
        transformer_of(fitted.encoder).document_length = recipe.index_length
        values.append(_values(fitted.encoder.eval()))
    took = time.perf_counter() - began
    means = {key: np.mean([each[key] for each in values], axis=0) for key in values[0]}
    base = _base(_recipe({}, options, options.seeds[0]))
    found: dict[str, Any] = {"variant": name, "seconds": round(took)}
    for key, ours in means.items():
        gain = paired_difference(ours, base[key])
        found[key] = [round(each, 4) for each in (ours.mean(), gain.mean, gain.low, gain.high)]
    return found


def _recipe(changes: dict[str, Any], options: argparse.Namespace, seed: int) -> Recipe:
    settings: dict[str, Any] = {
        "seed": seed,
        "learning_rate": 1e-3,
        "mixture": {"max_pairs": options.pairs},
        "objective": {"feature_weight": 3},
        "batches": {"chunk": options.chunk},
    }
    if changes.get("negatives"):
        settings["hard_negatives"] = {"per_pair": 2}
    for key, value in changes.items():
        if key != "negatives":
            nested = isinstance(value, dict)
            settings[key] = {**settings.get(key, {}), **value} if nested else value
    return Recipe.model_validate(settings)


def _mine(recipe: Recipe, corpus: Path, work: Path, kinds: str | None) -> Path | None:
    """The negatives of `recipe`, of the kinds that the variant has."""
    from training.mine import mine_stage

    if kinds is None:
        return None
    folder = work / "negatives"
    mine_stage(recipe, corpus, work / "stage", folder)
    table = pq.read_table(folder / "negatives.parquet")
    wanted = {
        "bm25": {"bm25", "both"},
        "mined": {"model", "bm25", "both", "sibling"},
    }.get(kinds)
    if wanted is not None:
        kept = [each in wanted for each in table["kind"].to_pylist()]
        pq.write_table(table.filter(pa.array(kept)), folder / "negatives.parquet")
    return folder


def _sets() -> dict[str, EvalSet]:
    lake = Path(os.environ["PROVENDER_LAKE"]) / "eval"
    pool = lake / "pool_valid.parquet"
    formal = lake / "judged_formal_valid.parquet"
    sets = {
        "doc": read_set("doc", "code", lake / "doc_valid.parquet", pool),
        "judged": read_set("judged", "indexed", lake / "judged_valid.parquet", pool),
    }
    if pq.read_metadata(formal).num_rows:  # the quickstart's sources have no answers to these
        pool = lake / "pool_formal_valid.parquet"
        sets["formal"] = read_set("formal", "indexed", formal, pool)
    return sets


_BASE: dict[str, np.ndarray] = {}


def _base(recipe: Recipe) -> dict[str, np.ndarray]:
    if not _BASE:
        _BASE.update(_values(load_encoder(recipe, recipe.index_length).eval()))
    return _BASE


def _values(encoder: Any) -> dict[str, np.ndarray]:
    """Reciprocal ranks by set: documentation, judged, and the judged ones that share few words."""
    device = pick()
    found: dict[str, np.ndarray] = {}
    for name, asked in _sets().items():
        scores = scores_of(encoder, [asked], device)[asked.name]["semantic"]
        values = per_query(ranks(scores, asked.answers))["MRR"]
        found[name] = values
        if name == "judged":
            hard = np.array([each.startswith("hard") for each in asked.query_ids])
            found["judged, plain"], found["judged, hard"] = values[~hard], values[hard]
    encoder.to("cpu")
    return found


def _row(found: dict[str, Any]) -> str:
    cells = [
        f"{found[name][1]:+.3f} [{found[name][2]:+.3f}, {found[name][3]:+.3f}]"
        for name in ("doc", "judged", "judged, plain", "judged, hard", "formal")
        if name in found
    ]
    return f"| {found['variant']} | " + " | ".join(cells) + f" | {found['seconds']} s |"


if __name__ == "__main__":
    main()

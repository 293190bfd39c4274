"""`metrics`: base against tuned model on held-out queries, and what else is asked beside them."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl
import pyarrow as pa

from assets.checkpoints import MODEL
from assets.common import GPU, OWNERS, markdown_table, told, versions
from assets.eval_queries import pool_of, queries_of, set_names
from assets.experts import MERGED, Routed
from assets.systems import BASE, TUNED, champion, experts, loaders, others
from common.atomic import write_json
from common.errors import ProvenderError
from common.hashing import digest
from corpus import schema
from resources.lake import Lake
from resources.project import Project
from resources.registry import Registry
from resources.tracking import Tracking

if TYPE_CHECKING:
    from sentence_transformers import MultiVectorEncoder

    from evaluation.compare import EvalSet, Mode
    from evaluation.routing import Asked

Rows = dict[tuple[str, ...], tuple[list[dict[str, Any]], pa.Schema]]
"""What is written: by place, the rows and their columns."""

METRICS, DIFFERENCES, RANKS, SLICES = (
    ("metrics", f"{name}.parquet") for name in ("metrics", "differences", "ranks", "slices")
)
RUNS = ("metrics", "runs")
"""The ranks of each checkpoint that was evaluated, by the beginning of its fingerprint."""
ROUTING = ("metrics", "experts.json")
"""What is known of the experts beside their ranks: the router's confusion, and what they cost."""
REPORT = ("reports", "report.html")
VERSION = "3"

_TIMED, _TIMED_QUERIES = 512, 20
"""Documents and queries that the experts' costs are measured with, at most."""


@dg.asset(
    deps=["model", "eval_queries"],
    group_name="evaluation",
    kinds={"pytorch", "parquet", "mlflow"},
    owners=OWNERS,
    pool=GPU,
    code_version=VERSION,
)
def metrics(
    context: dg.AssetExecutionContext,
    lake: Lake,
    project: Project,
    tracking: Tracking,
    registry: Registry,
) -> dg.MaterializeResult:
    """P@1, MRR, recall and nDCG@10 of BM25, base and tuned model, and others, on held-out queries."""
    from evaluation.compare import VERSION as COMPARE
    from training.checkpoint import read_manifest

    with told():
        manifest = read_manifest(lake.path(*MODEL))
        settings = project.load_evaluation()
        found, missing = others(lake, manifest, settings)
        for part, more in zip(
            (found, missing), champion(registry, manifest["fingerprint"]), strict=True
        ):
            part.update(more)
        routed = None
        if settings.experts:
            routed, merged, faults = experts(lake, manifest)
            found |= merged
            missing |= faults
        for name, why in missing.items():
            context.log.warning(f"`{name}` is not evaluated: {why}")
        inputs = [
            place(name, split)
            for name in set_names()
            for split in ("valid", "test")
            for place in (queries_of, pool_of)
        ]
        fingerprint = digest(
            *(VERSION, COMPARE, manifest["fingerprint"], versions(lake, *inputs)),
            *(_identities(found), settings.xtr_retrieved),
            *([routed.fingerprint] if routed else []),
        )
        places = (METRICS, DIFFERENCES, RANKS, SLICES)
        stored = lake.stored_all(places)
        unchanged = all(each is not None and each.fingerprint == fingerprint for each in stored)
        if not unchanged:
            models = loaders(lake, manifest, found)
            rows, known = evaluate(
                lake, models, found, settings.xtr_retrieved, routed, tell=context.log.info
            )
            if known:
                write_json({"of": fingerprint, **known}, lake.path(*ROUTING))
                lake.publish(*ROUTING)
            _write(lake, rows, manifest, fingerprint)
            _track(lake, tracking, manifest)
    table = lake.read(*METRICS)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(versions(lake, *places)),
        metadata={
            "unchanged": unchanged,
            "dagster/row_count": table.height,
            "table": dg.MetadataValue.md(markdown(table)),
            "not_loaded": dg.MetadataValue.json(missing),
            **{
                f"{row['eval_set']}_{row['system']}_{row['mode']}_MRR": row["mean"]
                for row in table.filter(metric="MRR").iter_rows(named=True)
                # What only the experts' own section is about would push everything else off the page.
                if not row["system"].startswith("fixed:")
            },
        },
    )


def _identities(found: Mapping[str, str]) -> dict[str, str]:
    """What identifies the models beside base and tuned one."""
    if not found:
        return {}  # PyTorch need not be loaded to know that
    from training.model import identity

    return {name: digest(*identity(each)) for name, each in found.items()}


def evaluate(
    lake: Lake,
    models: "Mapping[str, Callable[[], MultiVectorEncoder]]",
    beside: Iterable[str],
    retrieved: int,
    routed: Routed | None = None,
    *,
    tell: Callable[[str], object] = lambda _: None,
) -> tuple[Rows, dict[str, Any]]:
    """The rows of each table, and what is known of the experts.

    The tuned model is compared with each one that is `beside` it, too.
    """
    from common.device import pick
    from evaluation import compare
    from evaluation.slices import slices

    sets = [_read_sets(lake, name) for name in set_names() if _is_asked(lake, name)]
    if not sets:
        raise ProvenderError(
            "No held-out source has queries.",
            where="config: splits of the manifest",
            remedy="Give one documented source the split `valid` and another the split `test`.",
        )
    asked, known = _routed(routed, sets, tell) if routed else (None, {})
    beside_scores = asked.scores if asked else None
    runs = compare.compare(
        sets, models, pick(), retrieved=retrieved, beside=beside_scores, tell=tell
    )
    compared: list[tuple[tuple[str, Mode], tuple[str, Mode]]] = [
        ((TUNED, "semantic"), (BASE, "semantic")),
        ((TUNED, "hybrid"), (compare.BM25, "lexical")),
        ((TUNED, "hybrid"), (BASE, "hybrid")),
        *(((TUNED, "semantic"), (name, "semantic")) for name in beside),
        *([((TUNED, "xtr"), (TUNED, "semantic"))] if retrieved else []),
        *(_of_experts() if asked else []),
    ]
    tests = [test for _, test in sets]
    rows = {
        METRICS: (compare.summary(runs), schema.METRICS),
        DIFFERENCES: (compare.differences(runs, compared), schema.DIFFERENCES),
        RANKS: (compare.per_query_rows(runs, tests), schema.RANKS),
        SLICES: (slices(runs, tests), schema.SLICES),
    }
    return rows, known


def _of_experts() -> "list[tuple[tuple[str, Mode], tuple[str, Mode]]]":
    """What the experts are compared with, and their merged model."""
    from evaluation.routing import ORACLE, ROUTED

    return [
        ((TUNED, "semantic"), (ROUTED, "semantic")),
        ((ROUTED, "semantic"), (BASE, "semantic")),
        ((ROUTED, "semantic"), (MERGED[-1], "semantic")),
        ((MERGED[-1], "semantic"), (BASE, "semantic")),
        ((ORACLE, "semantic"), (ROUTED, "semantic")),
        ((TUNED, "hybrid"), (ROUTED, "hybrid")),
    ]


def _routed(
    routed: Routed, sets: "list[tuple[EvalSet, EvalSet]]", tell: Callable[[str], object]
) -> "tuple[Asked, dict[str, Any]]":
    """The scores of the experts, and what is known of them beside."""
    from common.device import pick
    from evaluation.costs import costs
    from evaluation.routing import ask, confusion
    from training.experts import Experts
    from training.model import load_encoder

    device = pick()
    loaded = Experts.load(routed.places)
    known = {each.name: each for pair in sets for each in pair}
    asked = ask(loaded, routed.router, known.values(), device, tell=tell)
    some = max((test for _, test in sets), key=lambda each: len(each.documents))
    step = -(-len(some.documents) // _TIMED)
    measured = costs(
        load_encoder(loaded.recipe, loaded.recipe.index_length),
        loaded,
        routed.router,
        queries=some.queries[:_TIMED_QUERIES],
        documents=list(zip(some.documents, some.domains, strict=True))[::step],
        device=device,
    )
    return asked, {
        "router": dict(routed.router.manifest),
        "confusion": {
            test.name: confusion(
                asked.routes[test.name], asked.own[test.name], routed.router.domains
            )
            for _, test in sets
        },
        "unknown": asked.unknown,
        "costs": measured,
    }


def _write(lake: Lake, rows: Rows, manifest: dict, fingerprint: str) -> None:
    for place, (found, columns) in rows.items():
        frame = pl.DataFrame(found, schema=schema.empty(columns).schema)
        lake.write(frame, columns, *place, fingerprint=fingerprint)
        if place == RANKS:
            run = (*RUNS, f"{manifest['fingerprint'][:12]}.parquet")
            lake.write(frame, columns, *run, fingerprint=fingerprint)


def _is_asked(lake: Lake, name: str) -> bool:
    """A set counts where its test queries can be asked, and valid ones to choose alpha by."""
    return _has(lake, name, "test") and _has(lake, _chosen_by(lake, name), "valid")


def _has(lake: Lake, name: str, split: str) -> bool:
    stored = lake.stored(*queries_of(name, split))
    return stored is not None and stored.rows > 0


def _chosen_by(lake: Lake, name: str) -> str:
    """The set whose validation queries choose the fusion's weight: those about Rust where it has none."""
    return name if name == "doc" or _has(lake, name, "valid") else "judged"


def _read_sets(lake: Lake, name: str) -> "tuple[EvalSet, EvalSet]":
    """The validation and the test set."""
    from evaluation.compare import read_set

    valid, test = (
        read_set(
            f"{each}_{split}",
            "code" if each == "doc" else "indexed",
            lake.path(*queries_of(each, split)),
            lake.path(*pool_of(each, split)),
        )
        for each, split in ((_chosen_by(lake, name), "valid"), (name, "test"))
    )
    return valid, test


def _track(lake: Lake, tracking: Tracking, manifest: dict) -> None:
    """Log the means to the MLflow run that trained the model."""
    run_id = manifest["tracking"].get("run_id")
    if not run_id:
        return
    client = tracking.client()
    for row in lake.read(*METRICS).iter_rows(named=True):
        name = f"eval/{row['eval_set']}/{row['system']}_{row['mode']}/{row['metric']}"
        client.log_metric(run_id, name.replace("@", "_at_"), row["mean"])


def markdown(table: pl.DataFrame) -> str:
    """The metrics as a Markdown table, one line for each set, system and mode."""
    wide = table.pivot("metric", index=["eval_set", "system", "mode", "alpha"], values="mean")
    rounded = wide.with_columns(pl.selectors.float().round(3))
    return markdown_table(rounded.columns, rounded.iter_rows())

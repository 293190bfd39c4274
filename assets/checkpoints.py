"""`stage_rust`, `model`: training through Pipes, and the merged model that people load."""

import dagster as dg

from assets.common import OWNERS, markdown_table, told
from assets.corpus import place_of
from assets.datasets import names, to_train
from common.hashing import digest, digest_file
from resources.lake import Lake
from resources.project import Project
from resources.tracking import Tracking
from resources.trainer import Trainer
from training.recipe import load_recipe

STAGE = ("models", "stage_rust")
MODEL = ("models", "model")
VERSION = "1"

_DATASET = load_recipe(Project().recipe_path()).dataset
_PAIRS = (
    dg.AssetDep("datasets", partition_mapping=dg.SpecificPartitionsPartitionMapping([_DATASET]))
    if _DATASET and names.has_partition_key(_DATASET)
    else dg.AssetDep("corpus")
)
"""What the recipe trains on, as it was when this was loaded; an unknown one is told when it is trained on."""


@dg.asset(
    deps=[_PAIRS],
    group_name="training",
    kinds={"pytorch", "mlflow"},
    owners=OWNERS,
    code_version=VERSION,
)
def stage_rust(
    context: dg.AssetExecutionContext,
    lake: Lake,
    project: Project,
    tracking: Tracking,
    trainer: Trainer,
) -> dg.MaterializeResult:
    """A LoRA adapter trained on the recipe's pairs: safetensors and a manifest of what it is made from."""
    output = lake.path(*STAGE)
    before = _version(lake, STAGE)
    with told():
        recipe = project.recipe_path()
        dataset = load_recipe(recipe).dataset
        pairs = to_train(lake, project, dataset) if dataset else lake.path(*place_of("train"))
        trainer.run(
            context,
            recipe=recipe,
            corpus=pairs,
            output=output,
            tracking_uri=tracking.uri,
        )
    manifest = _manifest(lake, STAGE)
    after = _version(lake, STAGE)
    link = tracking.run_link(manifest["tracking"].get("run_id", ""))
    return dg.MaterializeResult(
        data_version=dg.DataVersion(after),
        metadata={
            "unchanged": before == after,
            "dagster/uri": str(output),
            "base_model": manifest["parent"],
            "trained_on": dataset or "corpus",
            "steps": len(manifest["history"]),
            **{f"train_{name}": value for name, value in manifest["metrics"].items()},
            "made_from": dg.MetadataValue.md(lineage(manifest)),
            "config": dg.MetadataValue.json(manifest["config"]),
            **({"mlflow_run": dg.MetadataValue.url(link)} if link else {}),
        },
    )


@dg.asset(
    deps=["stage_rust"],
    group_name="training",
    kinds={"pytorch", "huggingface"},
    owners=OWNERS,
    code_version=VERSION,
)
def model(lake: Lake) -> dg.MaterializeResult:
    """The merged model: a folder that plain `MultiVectorEncoder(path)` loads."""
    stage = _version(lake, STAGE)
    unchanged = _version(lake, MODEL) == stage
    with told():
        if not unchanged:
            from training.merge import export

            export(lake.path(*STAGE), lake.path(*MODEL))
    weights = lake.path(*MODEL, "model.safetensors")
    return dg.MaterializeResult(
        data_version=dg.DataVersion(digest(stage, VERSION)),
        metadata={
            "unchanged": unchanged,
            "dagster/uri": str(lake.path(*MODEL)),
            "sha256": digest_file(weights),
            "bytes": weights.stat().st_size,
            "made_from": dg.MetadataValue.md(lineage(_manifest(lake, MODEL))),
        },
    )


def lineage(manifest: dict) -> str:
    """The sources of a checkpoint as a Markdown table: revision, licence, pairs."""
    columns = ["source", "revision", "license", "pairs"]
    return markdown_table(columns, ([row[name] for name in columns] for row in manifest["sources"]))


def _manifest(lake: Lake, place: tuple[str, ...]) -> dict:
    from training.checkpoint import read_manifest

    with told():
        return read_manifest(lake.path(*place))


def _version(lake: Lake, place: tuple[str, ...]) -> str:
    """What the checkpoint at `place` was made from; empty where there is none."""
    if not lake.path(*place, "manifest.json").is_file():
        return ""
    return _manifest(lake, place)["fingerprint"]

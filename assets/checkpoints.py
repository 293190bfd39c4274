"""`stage_general` … `stage_personal`, `model`: training through Pipes, and the model that people load.

What trains a stage trains an expert, too (`assets.experts`).
"""

from pathlib import Path

import dagster as dg

from assets.common import GPU, OWNERS, markdown_table, told
from assets.corpus import place_of
from assets.datasets import names, to_train
from assets.eval_queries import PLACE as JUDGED
from assets.eval_queries import PLACES
from common.hashing import digest, digest_file
from common.stages import EXPERT, ORDER, StageName
from resources.lake import Lake
from resources.project import Project
from resources.tracking import Tracking
from resources.trainer import Trainer
from training.recipe import Recipe

MODEL = ("models", "model")
VERSION = "2"

CONFIGURED = Project().load_stages()
"""The stages of the profile with their recipes, as they were when this was loaded."""

EXPERTS = Project().load_experts()
"""The experts of the profile, likewise; there may be none."""

MERGED = ("models", "merged")
"""All experts in one (`assets.experts`)."""

OF_EXPERTS = Project().load_curriculum().model == "merged"
"""Whether that becomes the model, and not the last stage."""


def place_of_stage(name: str) -> tuple[str, ...]:
    """Where the checkpoint of a stage lies."""
    return ("models", f"stage_{name}")


def place_of_expert(name: str) -> tuple[str, ...]:
    """Where the expert of a domain lies."""
    return ("models", f"{EXPERT}{name}")


def place_of_negatives(checkpoint: str) -> tuple[str, ...]:
    """The folder of the negatives of a checkpoint, as `stage_rust`."""
    return ("negatives", checkpoint)


def key_of_negatives(name: str, *, expert: bool = False) -> dg.AssetKey:
    """The asset of the negatives of a stage or expert."""
    return dg.AssetKey(["hard_negatives", f"{EXPERT}{name}" if expert else name])


def pairs_of_recipe(recipe: Recipe | None) -> dg.AssetDep:
    """What a recipe trains on; an unknown data set is told when it is trained on."""
    if recipe and recipe.dataset and names.has_partition_key(recipe.dataset):
        mapping = dg.SpecificPartitionsPartitionMapping([recipe.dataset])
        return dg.AssetDep("datasets", partition_mapping=mapping)
    return dg.AssetDep("corpus")


def to_train_on(lake: Lake, project: Project, recipe: Recipe) -> Path:
    """The table that `recipe` trains on.

    Raises:
        ProvenderError: it names a data set that was not made from the corpus of today.
    """
    if recipe.dataset:
        return to_train(lake, project, recipe.dataset)
    return lake.path(*place_of("train"))


def stages_before(name: StageName) -> list[str]:
    """The asset of the stage that `name` starts from, where the profile has one."""
    before = [each for each in CONFIGURED if ORDER.index(each) < ORDER.index(name)]
    return [f"stage_{each}" for each in before[-1:]]


def checkpoint_asset(name: StageName, *, expert: bool = False) -> dg.AssetsDefinition:
    """What trains the stage `name`, or the expert of the domain `name`."""
    place = place_of_expert(name) if expert else place_of_stage(name)
    asset = place[-1]
    configured = EXPERTS if expert else CONFIGURED
    retained = dg.AssetCheckSpec(
        "no_forgetting",
        asset=asset,
        blocking=True,
        description="Its own queries lost no more validation MRR to the base model than its recipe allows."
        if expert
        else "No domain lost more validation MRR to the stage before than its recipe allows.",
    )

    @dg.asset(
        name=asset,
        deps=[
            *(pairs_of_recipe(configured.get(name)), key_of_negatives(name, expert=expert)),
            *("eval_queries", *([] if expert else stages_before(name))),
        ],
        group_name="experts" if expert else "training",
        kinds={"pytorch", "mlflow"},
        owners=OWNERS,
        code_version=VERSION,
        pool=GPU,
        check_specs=[retained],
        description=f"A LoRA adapter for the domain `{name}`, on the "
        f"{'base model itself' if expert else 'stage before'}: safetensors, and a manifest of what it is "
        "made from.",
    )
    def checkpoint(
        context: dg.AssetExecutionContext,
        lake: Lake,
        project: Project,
        tracking: Tracking,
        trainer: Trainer,
    ) -> dg.MaterializeResult:
        before = _version(lake, place)
        with told():
            recipe = project.load_stage(name, expert=expert)
            # On S3: what training looks for below its folders.
            for each in (*PLACES, *map(place_of_stage, ORDER), place, place_of_negatives(asset)):
                lake.path(*each)
            trainer.run(
                context,
                curriculum=project.curriculum_path(),
                stage=name,
                expert=expert,
                corpus=to_train_on(lake, project, recipe),
                valid=lake.path(*place_of("valid")),
                judged=lake.path(*JUDGED),
                models=lake.path("models"),
                tracking_uri=tracking.uri,
            )
            lake.publish(*place)
        manifest = _manifest(lake, place)
        after = _version(lake, place)
        tracked = manifest["tracking"]
        link = tracking.run_link(tracked.get("run_id", ""), tracked.get("experiment_id", ""))
        missing = tracked.get("missing", 0)
        kept = manifest["retention"]
        return dg.MaterializeResult(
            data_version=dg.DataVersion(after),
            metadata={
                "unchanged": before == after,
                "dagster/uri": lake.uri(*place),
                "base_model": manifest["parent"],
                "trained_on": recipe.dataset or "corpus",
                "steps": len(manifest["history"]),
                **{f"train_{key}": value for key, value in manifest["metrics"].items()},
                **manifest["speed"],
                **({"retention": dg.MetadataValue.md(retention(manifest))} if kept else {}),
                **watched(manifest),
                "made_from": dg.MetadataValue.md(lineage(manifest)),
                "config": dg.MetadataValue.json(manifest["config"]),
                **({"mlflow_run": dg.MetadataValue.url(link)} if link else {}),
                **({"not_in_mlflow": missing} if missing else {}),
            },
            check_results=[
                dg.AssetCheckResult(
                    check_name="no_forgetting",
                    passed=kept is None or kept["retained"],
                    severity=dg.AssetCheckSeverity.ERROR,
                    metadata={"scale": kept["scale"]} if kept else {"watched": False},
                )
            ],
        )

    return checkpoint


MADE_OF = MERGED if OF_EXPERTS else place_of_stage(list(CONFIGURED)[-1])
"""The checkpoint that becomes the model."""

STAGES = [checkpoint_asset(name) for name in ORDER]
stage_general, stage_rust, stage_formal, stage_personal = STAGES


@dg.asset(
    deps=[MADE_OF[-1]],
    group_name="training",
    kinds={"pytorch", "huggingface"},
    owners=OWNERS,
    code_version=VERSION,
)
def model(lake: Lake) -> dg.MaterializeResult:
    """The last stage, or the merged experts, in the weights: what plain `MultiVectorEncoder(path)` loads."""
    made_of = _version(lake, MADE_OF)
    unchanged = _version(lake, MODEL) == made_of and "export" in _manifest(lake, MODEL)
    with told():
        if not unchanged:
            from training.merge import export

            export(lake.path(*MADE_OF), lake.path(*MODEL))
        lake.publish(*MODEL)
    weights = lake.path(*MODEL, "model.safetensors")
    manifest = _manifest(lake, MODEL)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(digest(made_of, VERSION)),
        metadata={
            "unchanged": unchanged,
            "dagster/uri": lake.uri(*MODEL),
            "made_of": MADE_OF[-1],
            "sha256": digest_file(weights),
            "parity": manifest["export"]["parity"],
            "bytes": weights.stat().st_size,
            "retention": dg.MetadataValue.md(matrix(manifest)),
            "made_from": dg.MetadataValue.md(lineage(manifest)),
        },
    )


def watched(manifest: dict) -> dict[str, dg.MetadataValue]:
    """How the run went, as plots: its losses and, where it was looked at, what each look saw."""
    from evaluation.plots import looks, losses

    plots = {"losses": losses(manifest["history"])}
    if manifest["looks"]:
        plots["validation_MRR"] = looks(manifest["looks"])
        plots["validation_recall_at_5"] = looks(manifest["looks"], "recall@5")
        plots["validation_loss"] = looks(manifest["looks"], "loss")
    return {name: dg.MetadataValue.md(f"![{name}]({png})") for name, png in plots.items()}


def lineage(manifest: dict) -> str:
    """The sources of a checkpoint, stage by stage, as a Markdown table: revision, licence, pairs."""
    from evaluation.stages import stages_of

    columns = ["source", "revision", "license", "pairs"]
    rows = (
        [stage["stage"], *(row[name] for name in columns)]
        for stage in stages_of(manifest)
        for row in stage["sources"]
    )
    return markdown_table(["stage", *columns], rows)


def retention(manifest: dict) -> str:
    """Validation MRR of each scale of a stage's adapter, 0 being the stage before, as a Markdown table."""
    kept = manifest["retention"]
    scales = list(dict.fromkeys(row["scale"] for row in kept["rows"]))
    found = {(row["domain"], row["kind"], row["scale"]): row["MRR"] for row in kept["rows"]}
    sizes = {(row["domain"], row["kind"]): row["queries"] for row in kept["rows"]}
    heads = [f"**{each}**" if each == kept["scale"] else f"{each}" for each in scales]
    return markdown_table(
        ["domain", "kind", "queries", *heads],
        (
            [*key, size, *(round(found[*key, scale], 3) for scale in scales)]
            for key, size in sizes.items()
        ),
    )


def matrix(manifest: dict) -> str:
    """Validation MRR after each stage, by domain and kind of query, as a Markdown table."""
    from evaluation.stages import retention_matrix

    found = retention_matrix(manifest)
    if found is None:
        return "no validation pairs"
    return markdown_table(
        ["domain", "kind", *found["columns"]],
        (
            [
                row["domain"],
                row["kind"],
                *(None if v is None else round(v, 3) for v in row["cells"]),
            ]
            for row in found["rows"]
        ),
    )


def _manifest(lake: Lake, place: tuple[str, ...]) -> dict:
    from training.checkpoint import read_manifest

    with told():
        return read_manifest(lake.path(*place))


def _version(lake: Lake, place: tuple[str, ...]) -> str:
    """What the checkpoint at `place` was made from; empty where there is none."""
    if not lake.path(*place, "manifest.json").is_file():
        return ""
    return _manifest(lake, place)["fingerprint"]

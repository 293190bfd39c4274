"""`hard_negatives/…`: for each stage and expert, documents near a query's own and wrong, by its base."""

import dagster as dg
import polars as pl

from assets.checkpoints import (
    CONFIGURED,
    EXPERTS,
    key_of_negatives,
    pairs_of_recipe,
    place_of_negatives,
    place_of_stage,
    stages_before,
    to_train_on,
)
from assets.common import GPU, OWNERS, markdown_table, told
from common.hashing import digest
from common.stages import EXPERT, ORDER, StageName
from resources.lake import Lake
from resources.project import Project
from resources.trainer import Trainer

VERSION = "1"
_SHOWN = ["pair_id", "kind", "score", "positive_score", "file_context", "code"]


def _negatives(name: StageName, *, expert: bool = False) -> dg.AssetsDefinition:
    configured = EXPERTS if expert else CONFIGURED
    place = place_of_negatives(f"{EXPERT}{name}" if expert else f"stage_{name}")

    @dg.asset(
        key=key_of_negatives(name, expert=expert),
        deps=[pairs_of_recipe(configured.get(name)), *([] if expert else stages_before(name))],
        group_name="experts" if expert else "training",
        kinds={"pytorch", "parquet"},
        owners=OWNERS,
        code_version=VERSION,
        pool=GPU,
        description=f"Hard negatives of the pairs that the {'expert' if expert else 'stage'} `{name}` "
        "draws, mined by the model that it starts from and by BM25, and mutants of formal code; with each "
        "pair's consistency rank.",
    )
    def negatives(
        context: dg.AssetExecutionContext, lake: Lake, project: Project, trainer: Trainer
    ) -> dg.MaterializeResult:
        with told():
            recipe = project.load_stage(name, expert=expert)
            if not recipe.hard_negatives.per_pair:
                return dg.MaterializeResult(
                    data_version=dg.DataVersion("none"),
                    metadata={"asked_for": False, "unchanged": True},
                )
            before = _version(lake, place)
            for each in map(place_of_stage, ORDER):
                lake.path(*each)
            trainer.mine(
                context,
                curriculum=project.curriculum_path(),
                stage=name,
                expert=expert,
                corpus=to_train_on(lake, project, recipe),
                models=lake.path("models"),
                output=lake.path(*place),
            )
            lake.publish(*place)
            from training.checkpoint import read_manifest

            manifest = read_manifest(lake.path(*place))
        table = pl.read_parquet(lake.path(*place, "negatives.parquet"))
        some = table.select(_SHOWN).gather_every(max(1, table.height // 8)).head(8)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(digest(manifest["fingerprint"])),
            metadata={
                "asked_for": True,
                "unchanged": before == manifest["fingerprint"],
                "dagster/uri": lake.uri(*place),
                "dagster/row_count": manifest["negatives"],
                "pairs": manifest["pairs"],
                "kinds": dg.MetadataValue.md(
                    markdown_table(["kind", "negatives"], sorted(manifest["kinds"].items()))
                ),
                "consistency": dg.MetadataValue.md(
                    markdown_table(
                        ["own document among the", "pairs"], manifest["consistent"].items()
                    )
                ),
                "preview": dg.MetadataValue.md(markdown_table(some.columns, some.iter_rows())),
            },
        )

    return negatives


NEGATIVES = [_negatives(name) for name in ORDER]
OF_EXPERTS = [_negatives(name, expert=True) for name in ORDER]


def _version(lake: Lake, place: tuple[str, ...]) -> str:
    from training.checkpoint import read_manifest

    folder = lake.path(*place)
    return read_manifest(folder)["fingerprint"] if (folder / "manifest.json").is_file() else ""

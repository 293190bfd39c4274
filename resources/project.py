"""The files that a user edits, as one Dagster resource: manifest, licences, quality, curriculum …"""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg

from common.errors import ProvenderError
from common.stages import StageName
from corpus.curriculum import Curriculum, load_curriculum
from corpus.datasets import DataSets, load_datasets
from corpus.licences import LicencePolicy, load_policy
from corpus.optout import OptOuts, load_optouts
from corpus.quality import Quality, load_quality
from corpus.sources import Manifest, Split, load_manifest
from corpus.splits import assign
from corpus.targets import Targets, load_targets
from evaluation.settings import Evaluation, load_evaluation
from training.curriculum import load_experts, load_recipes, load_stages
from training.recipe import Recipe

ROOT = Path(__file__).resolve().parent.parent
"""The checkout: config/ lies below it."""


def manifest_paths() -> list[Path]:
    """The source manifests that PROVENDER_SOURCES names (as PATH names folders), else the quickstart's."""
    named = os.environ.get("PROVENDER_SOURCES")
    if not named:
        return [ROOT / "config" / "sources_quickstart.yaml"]
    return [Path(each) for each in named.split(os.pathsep) if each]


class Project(dg.ConfigurableResource):
    """Paths of the configuration files. Empty: the ones that ship."""

    sources: str = ""
    licences: str = str(ROOT / "config" / "licenses.yaml")
    optout: str = str(ROOT / "config" / "optout.yaml")
    curriculum: str = str(ROOT / "config" / "curriculum.yaml")
    quality: str = str(ROOT / "config" / "quality.yaml")
    datasets: str = str(ROOT / "config" / "datasets.yaml")
    targets: str = str(ROOT / "config" / "targets.yaml")
    evaluation: str = str(ROOT / "config" / "evaluation.yaml")
    queries: str = str(ROOT / "config")

    def load_manifest(self) -> Manifest:
        return load_manifest(*([Path(self.sources)] if self.sources else manifest_paths()))

    def load_policy(self) -> LicencePolicy:
        return load_policy(Path(self.licences))

    def load_optouts(self) -> OptOuts:
        path = self.optout_path()
        if "PROVENDER_OPTOUT" in os.environ and not path.is_file():
            raise ProvenderError(
                "There is no such file, and without it nobody's wish would be kept.",
                where=str(path),
                remedy="Correct PROVENDER_OPTOUT, or unset it.",
            )
        return load_optouts(path)

    def optout_path(self) -> Path:
        """The wishes to be left out: PROVENDER_OPTOUT, else the file that ships."""
        return Path(os.environ.get("PROVENDER_OPTOUT", self.optout))

    def load_curriculum(self) -> Curriculum:
        return load_curriculum(self.curriculum_path())

    def load_splits(self, manifest: Manifest) -> dict[str, Split]:
        """The split of each source of `manifest`."""
        return assign(manifest.sources, self.load_curriculum().splits)

    def load_quality(self) -> Quality:
        return load_quality(Path(self.quality))

    def load_datasets(self) -> DataSets:
        """PROVENDER_DATASETS, else the file that ships."""
        return load_datasets(Path(os.environ.get("PROVENDER_DATASETS", self.datasets)))

    def load_targets(self) -> Targets:
        """The targets; their `profile` is the one that PROVENDER_PROFILE names, where it does."""
        targets = load_targets(Path(self.targets))
        profile = os.environ.get("PROVENDER_PROFILE") or targets.profile
        targets.named(profile)
        return targets.model_copy(update={"profile": profile})

    def load_evaluation(self) -> Evaluation:
        """PROVENDER_EVALUATION, else the file that ships."""
        return load_evaluation(Path(os.environ.get("PROVENDER_EVALUATION", self.evaluation)))

    def benchmarks_path(self) -> Path | None:
        """The folder that PROVENDER_BENCHMARKS names: published benchmarks, not to be learned."""
        named = os.environ.get("PROVENDER_BENCHMARKS")
        return Path(named) if named else None

    def queries_path(self) -> Path:
        """The folder of the owner's judged queries: PROVENDER_QUERIES, else config/."""
        path = Path(os.environ.get("PROVENDER_QUERIES") or self.queries)
        if path.is_file():
            raise ProvenderError(
                "This is a file, where a folder is wanted.",
                where=str(path),
                remedy="Give PROVENDER_QUERIES the folder of personal_queries.json.",
            )
        return path

    def curriculum_path(self) -> Path:
        """PROVENDER_CURRICULUM, else the file that ships."""
        return Path(os.environ.get("PROVENDER_CURRICULUM", self.curriculum))

    def load_stages(self) -> dict[StageName, Recipe]:
        """The recipe of each stage of the profile that PROVENDER_STAGES names, in order."""
        return load_stages(self.curriculum_path())

    def load_experts(self) -> dict[StageName, Recipe]:
        """The recipe of each expert of that profile, which may have none."""
        return load_experts(self.curriculum_path())

    def load_stage(self, name: StageName, *, expert: bool = False) -> Recipe:
        """The recipe of one stage, or of the expert of one domain.

        Raises:
            ProvenderError: the profile has no such stage or expert.
        """
        [recipe] = load_recipes(self.curriculum_path(), stage=name, experts=expert)
        return recipe

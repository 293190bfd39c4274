"""A training recipe: what `config/train_*.yaml` may say, with every default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from common.config import Settings, load
from common.stages import EXPERT, StageName

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, le=1)]


class Adapter(Settings):
    """The LoRA adapter (Hu et al. 2021)."""

    rank: Positive = 16
    alpha: Annotated[float, Field(gt=0)] = 32
    dropout: Fraction = 0.0
    targets: Annotated[list[str], Field(min_length=1)] | None = Field(
        default=None,
        description="names of the linear layers that are adapted; by default of attention and feed-forward",
    )


class Distillation(Settings):
    """What the order of a batch's documents should stay near to: a teacher's scores (KL divergence)."""

    weight: Annotated[float, Field(ge=0)] = 0.0
    teacher: str = Field(
        default="base",
        description="`base`: this stage's base model; else a stronger scorer, named as a base_model is",
    )
    temperature: Annotated[float, Field(gt=0)] = 0.05


class Objective(Settings):
    """The in-batch contrastive loss and what holds the model near its base."""

    scoring: Literal["xtr", "maxsim"] = "xtr"
    top_k: Positive = Field(
        default=256, description="XTR: document tokens that each query token retrieves in a batch"
    )
    temperature: Annotated[float, Field(gt=0)] = 0.05
    feature_weight: Annotated[float, Field(ge=0)] = Field(
        default=0.0, description="weight of the distance of every token vector to the base model's"
    )
    distillation: Distillation = Distillation()
    cached: bool = Field(
        default=False,
        description="GradCache (Gao et al. 2021): embed twice, hold the activations of one chunk only; "
        "for batches that would not fit",
    )


class Batching(Settings):
    """Which pairs meet in a batch, and so what is a negative of what."""

    within: Literal["anything", "language", "source"] = Field(
        default="language",
        description="what a batch's pairs share, so that its negatives are hard; what is left over of "
        "each is batched together at the end",
    )
    window: Positive = Field(
        default=8,
        description="batches whose pairs are sorted by length together, for less padding; 1 does not",
    )
    chunk: Positive = Field(default=8, description="documents that are embedded together")
    accumulate: Positive = Field(default=1, description="batches whose gradients make one step")


class Negatives(Settings):
    """How hard negatives are found, and which are kept."""

    per_pair: Positive = Field(default=7, description="negatives of a pair, at most")
    mutations: Annotated[int, Field(ge=0)] = Field(
        default=2, description="of those, mutants of the positive; formal code only"
    )
    mutated_kinds: list[str] = Field(
        default=["property", "specification"],
        description="kinds of query that a mutant can answer wrongly: keywords it still answers",
    )
    spoken_share: Share = Field(
        default=0.7,
        description="share of a changed clause's words that the query must say: a query that does not "
        "speak of the clause is still answered by the mutant",
    )
    pool_size: Positive = Field(
        default=20_000,
        description="documents of a language that are searched together at most; exact search costs "
        "their number times that of the queries",
    )
    candidates: Positive = Field(
        default=50, description="documents taken from each ranking, the model's and BM25's"
    )
    threshold: Share | None = Field(
        default=0.95,
        description="a candidate that scores above this share of the positive's score is taken for "
        "another answer, and dropped",
    )
    lexical_threshold: Share | None = Field(
        default=0.95, description="the same for BM25 scores; null keeps every candidate, as above"
    )
    floor: Share | None = Field(
        default=None,
        description="a candidate below this share of the score is too easy, and dropped",
    )
    top_k: Positive | None = Field(
        default=None, description="a pair whose own document ranks below has no mined negatives"
    )
    seed: int = 7


class HardNegatives(Settings):
    """Documents beside a query's own that are near to it and wrong."""

    per_pair: Annotated[int, Field(ge=0)] = Field(
        default=0, description="at most so many for each query; 0 mines none"
    )
    consistency: Positive | None = Field(
        default=None,
        description="leave out a pair whose own document is not among so many first for its query",
    )
    mining: Negatives = Negatives()

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.per_pair > self.mining.per_pair:
            raise ValueError(
                f"per_pair is {self.per_pair}, and only {self.mining.per_pair} are mined"
            )
        return self


class Mixture(Settings):
    """Which pairs are drawn, and how their documents are written."""

    max_pairs: Positive = 4096
    domains: dict[StageName, Fraction] = Field(
        default={},
        description="share of each domain of what is drawn (replay of earlier stages is such a share); "
        "by default the corpus's own",
    )
    weighted: bool = Field(
        default=True, description="whether the weights of the corpus count, or every pair alike"
    )
    query_kinds: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default={
            "doc": 1.0,
            "keywords": 1.0,
            "prose": 1.0,
            "symptom": 1.0,
            "implementation": 1.0,
            "property": 1.0,
            "specification": 1.0,
        },
        description="how often each kind of query is drawn, times the corpus weight",
    )
    pair_types: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default={
            "doc": 1.0,
            "path": 1.0,
            "body": 1.0,
            "readme": 1.0,
            "proof": 1.0,
            "dataset": 1.0,
        },
        description="the same for each type of pair",
    )
    indexed_share: Fraction = Field(
        default=0.5, description="share of documents written with path, doc and signature"
    )
    own_sentence_share: Fraction = Field(
        default=0.0, description="share of the indexed documents that keep the query's own sentence"
    )
    file_context: bool = Field(default=True, description="whether an indexed document has its path")

    @model_validator(mode="after")
    def _shares(self) -> Self:
        total = sum(self.domains.values())
        if self.domains and abs(total - 1) > 1e-6:
            raise ValueError(f"the shares of domains add up to {total:g}, not to 1")
        return self


class Watch(Settings):
    """How a run is watched on the validation split, and which of its states is kept."""

    every_steps: Positive | None = Field(
        default=None, description="steps between two looks; by default four looks in a run"
    )
    queries: Positive = Field(
        default=100,
        description="validation queries of each domain and kind, at most; twice as many of judged ones",
    )
    documents: Positive = Field(
        default=500, description="documents of each domain that they search, at least"
    )
    domains: list[StageName] = Field(
        default=[],
        description="whose queries decide of those that are watched: all, or, of these, as many as there are",
    )
    patience: Positive | None = Field(
        default=None, description="stop after so many looks without a better one"
    )
    keep: Literal["best", "last"] = Field(
        default="best",
        description="the state with the best MRR (half judged queries, half the others), or the last one",
    )
    allowed_loss: Annotated[float, Field(ge=0)] = Field(
        default=0.01,
        description="MRR that any domain may lose to the stage before, of judged queries and in the mean of "
        "the other kinds; a stage that loses more is not built upon",
    )


class Recipe(Settings):
    """One training stage, start to end."""

    stage: str = "general"
    dataset: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$")] | None = Field(
        default=None,
        description="a named data set of config/datasets.yaml; the whole corpus by default",
    )
    base_model: str = Field(
        default="embedded:minilm",
        description="`embedded:minilm`, a folder, a name on a model hub, or `stage:NAME`, the checkpoint "
        "`stage_NAME` beside this one",
    )
    seed: int = 7
    query_length: Positive = 48
    document_length: Positive = Field(
        default=160, description="tokens of a document in training; the rest is cut"
    )
    index_length: Positive = Field(
        default=224, description="the same in the finished model, where more costs little"
    )
    batch_size: Annotated[int, Field(ge=2)] = 32
    epochs: Positive = 1
    learning_rate: Annotated[float, Field(gt=0)] = 2e-4
    warmup_share: Fraction = 0.1
    accelerator: Literal["auto", "cuda", "mps", "cpu"] = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    gradient_checkpointing: bool = Field(
        default=False,
        description="recompute activations layer by layer: less memory, a third slower",
    )
    save_every_steps: Positive = 25
    adapter: Adapter = Adapter()
    objective: Objective = Objective()
    batches: Batching = Batching()
    hard_negatives: HardNegatives = HardNegatives()
    mixture: Mixture = Mixture()
    watch: Watch = Watch()
    adapter_scale: Fraction | Annotated[list[Fraction], Field(min_length=1)] = Field(
        default=1.0,
        description="share of the adapter in the finished model (WiSE-FT, Wortsman et al. 2022); of several, "
        "the one that is best on validation queries",
    )

    @property
    def checkpoint(self) -> str:
        """What the folder of its checkpoint is called: `stage_rust`; of an expert, `expert_rust`."""
        return self.stage if self.stage.startswith(EXPERT) else f"stage_{self.stage}"


def load_recipe(path: Path) -> Recipe:
    """Read a recipe from `path`."""
    return load(path, Recipe)

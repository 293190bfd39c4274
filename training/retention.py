"""What a stage kept and what it forgot: adapter scales between parent and child (WiSE-FT, Wortsman et al.
2022), measured on validation queries of every domain and kind, and the one that is chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from training.model import set_scale, transformer_of
from training.recipe import Recipe
from training.watch import Watch, mrr, overall

if TYPE_CHECKING:
    from sentence_transformers import MultiVectorEncoder


@dataclass(frozen=True)
class Retention:
    """The choice of a scale.

    Attributes:
        scale: the chosen one.
        retained: whether no domain lost more than the recipe allows, of judged queries or others.
        rows: `scale`, `domain`, `kind`, `MRR`, `queries` for scale 0 (the parent) and each scale tried.
    """

    scale: float
    retained: bool
    rows: list[dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return asdict(self)

    def metrics(self) -> dict[str, float]:
        """For MLflow: the MRR of each domain and kind at the chosen scale, and its gain on the parent's."""
        rows = {(row["scale"], row["domain"], row["kind"]): row["MRR"] for row in self.rows}
        kept = {"retention/scale": self.scale, "retention/passed": float(self.retained)}
        for (scale, domain, kind), value in rows.items():
            if scale == self.scale:
                kept[f"retention/MRR/{domain}/{kind}"] = value
                kept[f"retention/gain/{domain}/{kind}"] = value - rows[0.0, domain, kind]
        return kept


def choose_scale(
    encoder: MultiVectorEncoder, recipe: Recipe, watch: Watch, autocast: AbstractContextManager
) -> Retention:
    """Measure each scale of `recipe.adapter_scale` and leave `encoder` at the best one.

    The best has the highest `overall` MRR among those that lose no more than `watch.allowed_loss` of any
    domain's judged queries, nor of the mean of its others; where all lose more, the one that loses least.
    Of the domains that the recipe lets decide (`Watch.deciding`); all are in the rows.
    """
    tried = recipe.adapter_scale
    scales = tried if isinstance(tried, list) else [tried]
    transformer = transformer_of(encoder)
    before, transformer.document_length = transformer.document_length, recipe.index_length
    found: dict[float, dict[tuple[str, str], float]] = {}
    for scale in dict.fromkeys([0.0, *scales]):
        set_scale(encoder, scale)
        found[scale] = mrr(watch.measure(encoder, autocast))
    transformer.document_length = before
    decisive = {scale: watch.deciding(values) for scale, values in found.items()}
    scale, retained = best_scale(decisive, scales, recipe.watch.allowed_loss)
    set_scale(encoder, scale)
    sizes = {(each.domain, each.kind): len(each.queries) for each in watch.sets}
    rows = [
        {
            "scale": each,
            "domain": domain,
            "kind": kind,
            "MRR": value,
            "queries": sizes[domain, kind],
        }
        for each, values in found.items()
        for (domain, kind), value in values.items()
    ]
    return Retention(scale, retained, rows)


def best_scale(
    found: Mapping[float, Mapping[tuple[str, str], float]],
    scales: Sequence[float],
    allowed_loss: float,
) -> tuple[float, bool]:
    """The scale to take, and whether it forgets no more than `allowed_loss` of the parent's (scale 0) MRR."""
    groups: dict[tuple[str, bool], list[tuple[str, str]]] = {}
    for domain, kind in found[0.0]:
        groups.setdefault((domain, kind == "judged"), []).append((domain, kind))

    def loss(scale: float) -> float:
        lost = ([found[0.0][key] - found[scale][key] for key in keys] for keys in groups.values())
        return max(sum(each) / len(each) for each in lost)

    kept = [scale for scale in scales if loss(scale) <= allowed_loss]
    if kept:
        return max(kept, key=lambda scale: (overall(found[scale]), -scale)), True
    return min(scales, key=lambda scale: (loss(scale), scale)), False

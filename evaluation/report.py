"""One HTML page that stands alone: the decision, tables, plots, errors, and where each number is from.

What is on it is made in `tables`, `gallery` and `plots`; how it looks is in `templates/`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from evaluation import tables
from evaluation.gallery import shown, visible, worst
from evaluation.gates import Gate, promoted
from evaluation.links import commit_page
from evaluation.metrics import NAMES
from evaluation.plots import bars, losses, pairs_by_source
from evaluation.settings import Targets
from evaluation.stages import FULL_SCALE, heat_map, stages_of

Row = dict[str, Any]

_TITLES = {
    "doc_test": "Documentation queries: first doc sentences, over code without docs",
    "judged_test": "Judged queries: as engineers type them, over Rust functions as search indexes them",
    "judged_formal_test": "Judged queries about formal code: contracts, proofs, specifications, harnesses",
    "judged_general_test": "Judged queries about other languages",
    "judged_personal_test": "Judged queries about your own code",
}


@dataclass(frozen=True)
class Facts:
    """What the page shows.

    Attributes:
        metrics, differences, ranks: rows of the lake's tables of these names.
        gates: the conditions of promotion, as they were judged; none where nobody has decided.
        manifest: the checkpoint's.
        pairs: pairs by split, language, source, license_tier, pair_type and query_kind.
        kept_out: pairs by source and reason that were not trained on because they are evaluated.
        pool: number of units that the documentation queries search.
        units: units by id, at least those that `gallery.worst` names: source, path, start_line, symbol,
            language, prose, code, license, license_tier.
        targets: what is expected.
        origins: the address of each source that has one.
        earlier: ranks of stages that were evaluated as models of their own, by stage (`tables.comparable`).
        experts: where they were asked, `router` (its manifest), `confusion` by set, `unknown` and `costs`.
        rivals: by system, what of the conditions of promotion its ranks meet; of the experts and the model.
    """

    metrics: list[Row]
    differences: list[Row]
    ranks: list[Row]
    gates: list[Gate]
    manifest: dict[str, Any]
    pairs: list[Row]
    kept_out: list[Row]
    pool: int
    units: Mapping[str, Row] = field(default_factory=dict)
    targets: Targets = field(default_factory=Targets)
    origins: Mapping[str, str] = field(default_factory=dict)
    earlier: Mapping[str, list[Row]] = field(default_factory=dict)
    experts: Mapping[str, Any] = field(default_factory=dict)
    rivals: Mapping[str, list[Gate]] = field(default_factory=dict)

    @property
    def promoted(self) -> bool:
        """Whether there is a decision, and every gate was passed."""
        return bool(self.gates) and promoted(self.gates)


def render_report(facts: Facts) -> str:
    """The page. The same facts give the same bytes."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "share": lambda value: "not measured" if value is None else f"{value:.3f}",
        "signed": lambda value: f"{value:+.3f}",
        "count": lambda value: f"{value:,}",
        "visible": visible,
        "set_name": tables.named,
        "verdict": tables.verdict,
    }
    sets = tables.asked(facts.metrics)
    judged = [row for row in facts.ranks if row["style"] != "doc"]
    results = tables.results(facts.metrics, facts.manifest, facts.earlier)
    return environment.get_template("report.html").render(
        facts=facts,
        manifest=facts.manifest,
        stages=_with_pages(facts),
        headline=tables.headline(facts.metrics, facts.differences),
        sets=[
            {
                "name": each,
                "title": _TITLES.get(each, each),
                "rows": tables.full(facts.metrics, each),
                "plot": bars(facts.metrics, each, "svg"),
            }
            for each in sets
        ],
        metric_names=[name for name in NAMES if any(r["metric"] == name for r in facts.metrics)],
        results=results,
        best=_best(results, len(sets)),
        expected=tables.expected(
            facts.targets.expected, results, {"sets": sets, "manifest": facts.manifest}
        ),
        targets=tables.targets(facts.targets.figures, facts.metrics),
        differences=[row for row in facts.differences if row["metric"] in ("P@1", "MRR")],
        slices=[
            ("style", tables.slices(judged, "style")),
            ("dialect", tables.slices(facts.ranks, "dialect")),
        ],
        experts=tables.experts(facts.metrics),
        conditions=_conditions(facts.rivals),
        retention=heat_map(facts.manifest),
        full_scale=FULL_SCALE,
        cases=_by_set(shown(worst(facts.ranks), facts.units)),
        corpus=_corpus(facts.pairs),
        plots={
            "losses": losses(facts.manifest["history"], "svg"),
            "pairs": pairs_by_source(facts.pairs, "svg"),
        },
    )


def _best(results: Sequence[Row], sets: int) -> list[dict[str, float]]:
    """The best P@1 and MRR on each set."""
    cells = [[row["cells"][place] for row in results] for place in range(sets)]
    return [
        {name: max(cell[name] for cell in column if cell) for name in ("P@1", "MRR")}
        for column in cells
    ]


def _conditions(rivals: Mapping[str, list[Gate]]) -> list[Row]:
    """Each condition of promotion, by system what came of it."""
    found: dict[str, Row] = {}
    for system, gates in rivals.items():
        for gate in gates:
            found.setdefault(gate.name, {"name": gate.name, "gates": {}})["gates"][system] = gate
    return list(found.values())


def _by_set(cases: Sequence[Row]) -> list[Row]:
    """The cases of each set, in order."""
    names = dict.fromkeys(case["eval_set"] for case in cases)
    return [
        {"name": name, "cases": [case for case in cases if case["eval_set"] == name]}
        for name in names
    ]


def _with_pages(facts: Facts) -> list[Row]:
    """The stages with, for each source, its address and the page of its commit, where it has one."""
    return [
        {
            "stage": stage["stage"],
            "pairs": sum(row["pairs"] for row in stage["sources"]),
            "sources": [
                {
                    **row,
                    "origin": facts.origins.get(row["source"], ""),
                    "page": commit_page(facts.origins.get(row["source"], ""), row["revision"]),
                }
                for row in stage["sources"]
            ],
        }
        for stage in stages_of(facts.manifest)
    ]


def _corpus(pairs: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Pairs by split, along each of what a reader asks for."""
    return [
        (title, _counted(pairs, by))
        for title, by in (
            ("language", ["language"]),
            ("licence tier", ["license_tier"]),
            ("type of pair", ["pair_type"]),
            ("source", ["source", "license_tier"]),
        )
    ]


def _counted(pairs: Sequence[Row], by: Sequence[str]) -> list[Row]:
    """`name`, and how many pairs of it each split has; those with most first."""
    found: dict[str, dict[str, int]] = {}
    for row in pairs:
        name = ", ".join(row[each] for each in by)
        counts = found.setdefault(name, {"train": 0, "valid": 0, "test": 0})
        counts[row["split"]] += row["pairs"]
    rows = [{"name": name, **counts} for name, counts in found.items()]
    return sorted(
        rows, key=lambda row: (-sum(row[s] for s in ("train", "valid", "test")), row["name"])
    )

from __future__ import annotations

import base64
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from evaluation.gates import Gate
from evaluation.metrics import NAMES
from evaluation.report import Facts, render_report

SYSTEMS = {
    ("bm25", "lexical"): 0.40,
    ("base", "semantic"): 0.45,
    ("base", "hybrid"): 0.50,
    ("tuned", "semantic"): 0.55,
    ("tuned", "hybrid"): 0.60,
}


def _metrics(**hybrid: float) -> list[dict[str, Any]]:
    """The metrics table; `doc_test=0.4` sets the MRR of tuned hybrid there."""
    rows = []
    for eval_set in ("doc_test", "judged_test"):
        for (system, mode), mean in SYSTEMS.items():
            value = hybrid.get(eval_set, mean) if (system, mode) == ("tuned", "hybrid") else mean
            rows += [
                {
                    "eval_set": eval_set,
                    "system": system,
                    "mode": mode,
                    "alpha": 0.65 if mode == "hybrid" else None,
                    "metric": metric,
                    "mean": value,
                    "low": value - 0.1,
                    "high": value + 0.1,
                    "queries": 120,
                }
                for metric in NAMES
            ]
    return rows


def _differences(*, judged: float = 0.02) -> list[dict[str, Any]]:
    return [
        {
            "eval_set": eval_set,
            "system": "tuned semantic",
            "against": "base semantic",
            "metric": metric,
            "difference": difference,
            "low": low,
            "high": difference + 0.1,
            "p": 0.01,
            "q": 0.04,
        }
        for eval_set, difference, low in (
            ("doc_test", 0.05, 0.01),
            ("judged_test", judged, judged - 0.1),
        )
        for metric in NAMES
    ]


def _rank(query: str, system: str, rank: int, **changes: Any) -> dict[str, Any]:
    row = {
        "eval_set": "judged_test",
        "system": system,
        "mode": "semantic",
        "query_id": query,
        "query": f"text of {query}",
        "style": "what",
        "rank": rank,
    }
    return row | changes


def _kept(scale: float, mrr: dict[float, float]) -> dict[str, Any]:
    rows = [
        {"scale": each, "domain": "rust", "kind": "typed", "MRR": value}
        for each, value in mrr.items()
    ]
    return {"scale": scale, "retained": True, "rows": rows}


def _facts(**changes: Any) -> Facts:
    facts = Facts(
        metrics=_metrics(),
        differences=_differences(),
        ranks=[
            *(_rank("q1", "tuned", 1), _rank("q1", "base", 4)),
            *(_rank("q2", "tuned", 8), _rank("q2", "base", 2)),
            *(_rank("q3", "tuned", 2, style="symptom"), _rank("q3", "base", 2, style="symptom")),
            _rank("q4", "tuned", 99, eval_set="doc_test"),
            _rank("q1", "tuned", 77, mode="hybrid"),
        ],
        manifest={
            "stage": "rust",
            "parent": "stage:general",
            "root": "embedded:minilm",
            "retention": _kept(1.0, {0.0: 0.25, 1.0: 0.5}),
            "lineage": [
                {
                    "stage": "general",
                    "retention": _kept(0.5, {0.0: 0.125, 0.5: 0.25}),
                    "sources": [
                        {"source": "boltons", "revision": "26.2", "license": "BSD", "pairs": 7}
                    ],
                }
            ],
            "fingerprint": "f" * 32,
            "data_version": "d" * 32,
            "config": {"stage": "rust", "epochs": 1},
            "code_version": {"training": "1", "provender": "0.1.0"},
            "metrics": {"loss": 0.5},
            "history": [
                {"step": step, "loss": 1 / (step + 1), "contrastive": 0.5, "drift": 0.1}
                for step in range(5)
            ],
            "sources": [{"source": "uv", "revision": "0.9.9", "license": "MIT", "pairs": 1234}],
            "tracking": {},
        },
        pairs=[
            {
                "split": split,
                "language": "rust",
                "source": source,
                "pair_type": kind,
                "query_kind": kind,
                "pairs": 10,
            }
            for split in ("train", "test")
            for source in ("uv", "ruff")
            for kind in ("doc", "path")
        ],
        kept_out=[{"source": "ruff", "reason": "query_of_an_evaluation", "pairs": 17}],
        pool=4321,
        gates=[Gate("judged", passed=True, detail="MRR +0.1")],
    )
    return replace(facts, **changes)


class _Page(HTMLParser):
    """The links, the tables and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self._in_cell = False
        self.feed(html)
        self.rows = [[" ".join(cell.split()) for cell in row] for row in self.rows]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._in_cell:
            self.rows[-1][-1] += data


# The page


@pytest.fixture(scope="module")
def html() -> str:
    return render_report(_facts())


@pytest.fixture(scope="module")
def page(html: str) -> _Page:
    return _Page(html)


def test_the_page_stands_alone(page: _Page) -> None:
    assert len(page.links) == 3
    assert all(link.startswith("data:image/png;base64,") for link in page.links)
    assert not {"script", "link", "iframe"} & set(page.tags)


def test_plots_are_png_images(page: _Page) -> None:
    for link in page.links:
        assert base64.b64decode(link.split(",")[1]).startswith(b"\x89PNG\r\n")


def test_the_same_facts_give_the_same_bytes(html: str) -> None:
    assert render_report(_facts()) == html


def test_other_facts_give_another_page(html: str) -> None:
    assert render_report(_facts(pool=1)) != html


def test_a_model_that_passes_is_promoted(page: _Page) -> None:
    assert "Promoted." in page.text
    assert "Not promoted" not in page.text
    assert page.text.count("✓") == 1


def test_a_model_that_fails_a_gate_is_not_promoted() -> None:
    gates = [
        Gate("judged", passed=True, detail="MRR +0.1"),
        Gate("parity", passed=False, detail="1"),
    ]
    page = _Page(render_report(_facts(gates=gates)))
    assert "Not promoted." in page.text
    assert (page.text.count("✓"), page.text.count("✗")) == (1, 1)


def test_each_system_has_a_row_with_interval_and_fusion_weight(page: _Page) -> None:
    assert page.rows.count(["tuned", "hybrid", *["0.600 0.50–0.70"] * 4, "0.65"]) == 2
    assert page.rows.count(["bm25", "lexical", *["0.400 0.30–0.50"] * 4, ""]) == 2


def test_differences_are_shown_for_p1_and_mrr(page: _Page) -> None:
    shown = [row for row in page.rows if row[1:3] == ["tuned semantic", "base semantic"]]
    assert [(row[0], row[3]) for row in shown] == [
        *(("doc_test", "P@1"), ("doc_test", "MRR")),
        *(("judged_test", "P@1"), ("judged_test", "MRR")),
    ]
    assert shown[1][4:] == ["+0.050", "+0.010 to +0.150", "0.040"]


def test_styles_are_means_over_judged_semantic_ranks(page: _Page) -> None:
    for row in (
        ["judged_test", "what", "tuned", "2", "0.500", "0.562"],  # ranks 1 and 8
        ["judged_test", "what", "base", "2", "0.000", "0.375"],  # ranks 4 and 2
        ["judged_test", "symptom", "tuned", "1", "0.000", "0.500"],
    ):
        assert row in page.rows


def test_misses_come_worst_first(page: _Page) -> None:
    shown = [row for row in page.rows if row[0].startswith("text of")]
    assert shown == [
        ["text of q2", "judged_test", "what", "8", "2"],
        ["text of q3", "judged_test", "symptom", "2", "2"],
        ["text of q1", "judged_test", "what", "1", "4"],
    ]


def test_misses_are_at_most_twelve() -> None:
    ranks = [_rank(f"q{n}", system, n + 1) for n in range(20) for system in ("tuned", "base")]
    page = _Page(render_report(_facts(ranks=ranks)))
    shown = [row[0] for row in page.rows if row[0].startswith("text of")]
    assert shown == [f"text of q{n}" for n in range(19, 7, -1)]


def test_sources_are_listed_with_revision_licence_and_pairs(page: _Page) -> None:
    assert ["rust", "uv", "0.9.9", "MIT", "1234"] in page.rows
    assert ["general", "boltons", "26.2", "BSD", "7"] in page.rows


def test_what_each_stage_kept_is_a_matrix(page: _Page) -> None:
    assert ["domain", "kind of query", "base", "general", "rust"] in page.rows
    assert ["rust", "typed", "0.125", "0.250", "0.500"] in page.rows
    manifest = {**_facts().manifest, "retention": None, "lineage": []}
    assert "What each stage kept" not in render_report(_facts(manifest=manifest))


def test_what_was_kept_out_of_training_is_listed_with_its_reason(page: _Page) -> None:
    assert ["ruff", "query of an evaluation", "17"] in page.rows
    assert "nothing had to be" in render_report(_facts(kept_out=[]))


def test_the_page_says_what_the_model_came_from(page: _Page) -> None:
    for text in ("embedded:minilm", "d" * 32, "f" * 32, "0.1.0", "4321", '"epochs": 1'):
        assert text in page.text


def test_a_history_without_drift_is_plotted_too() -> None:
    manifest = _facts().manifest
    history = [{"step": step, "loss": 1.0, "contrastive": 1.0} for step in range(3)]
    assert "Loss of the last stage" in render_report(
        _facts(manifest={**manifest, "history": history})
    )


def test_markup_in_the_data_is_only_text() -> None:
    ranks = [
        {**_rank("q", system, 1), "query": "<script>alert(1)</script> Vec<u8>"}
        for system in ("tuned", "base")
    ]
    page = _Page(render_report(_facts(ranks=ranks)))
    assert "script" not in page.tags
    assert "<script>alert(1)</script> Vec<u8>" in page.text

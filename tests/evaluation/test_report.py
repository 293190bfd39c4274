from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from evaluation.gates import Gate
from evaluation.metrics import NAMES
from evaluation.report import Facts, render_report
from evaluation.settings import Expected, Target, Targets
from tests.evaluation.pages import Page

SYSTEMS = {
    ("bm25", "lexical"): 0.40,
    ("base", "semantic"): 0.45,
    ("base", "hybrid"): 0.50,
    ("tuned", "semantic"): 0.55,
    ("tuned", "hybrid"): 0.60,
}


def _metrics() -> list[dict[str, Any]]:
    """The metrics table."""
    rows = []
    for eval_set in ("doc_test", "judged_test"):
        for (system, mode), value in SYSTEMS.items():
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


def _differences() -> list[dict[str, Any]]:
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
            ("judged_test", 0.02, -0.08),
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
        "dialect": None,
        "rank": rank,
        "top": f"top of {query}",
        "gold": f"gold of {query}",
    }
    return row | changes


def unit(name: str, **changes: Any) -> dict[str, Any]:
    """A unit of a pool."""
    row = {
        "unit_id": name,
        "source": "tokenizers",
        "path": f"src/{name.replace(' ', '_')}.rs",
        "start_line": 12,
        "symbol": f"symbol of {name}",
        "language": "rust",
        "prose": f"Prose of {name}.",
        "code": f"fn f() {{ /* {name} */ }}",
        "license": "Apache-2.0",
        "license_tier": "permissive",
    }
    return row | changes


UNITS = {name: unit(name) for name in ("top of q2", "gold of q2", "top of q3", "gold of q3")}
COMMIT = "ab" * 20


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
            _rank("q2", "bm25", 31, mode="lexical"),
            _rank("q4", "tuned", 99, eval_set="doc_test", style="doc"),
            _rank("q1", "tuned", 77, mode="hybrid"),
        ],
        gates=[
            Gate("better", passed=True, detail="MRR +0.050"),
            Gate("licensed", passed=True, detail="all"),
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
                        {"source": "boltons", "revision": COMMIT, "license": "BSD", "pairs": 7}
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
                "license_tier": "permissive",
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
        units=UNITS,
        targets=Targets(
            figures=[
                Target(name="Rust P@1", eval_sets=["judged_test"], metric="P@1", at_least=0.6),
                Target(name="Personal P@1", eval_sets=["mine"], metric="P@1", at_least=0.98),
            ],
            expected=[
                Expected(
                    name="Rust",
                    domain="rust",
                    eval_set="judged_test",
                    phases=[0.75, 0.85, 0.92, 0.9],
                )
            ],
        ),
        origins={"boltons": "https://example.org/me/boltons.git", "uv": "pkg:pypi/uv@0.9.9"},
    )
    return replace(facts, **changes)


# The page


@pytest.fixture(scope="module")
def html() -> str:
    return render_report(_facts())


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_the_page_asks_nothing_of_the_network(page: Page, html: str) -> None:
    assert len(page.images) == 4
    assert all(source.startswith("data:image/svg+xml;base64,") for source, _ in page.images)
    assert not {"script", "link", "iframe", "object", "embed", "form", "base"} & set(page.tags)
    assert "@import" not in html
    assert "url(" not in html
    outside = [link for link in page.links if not link.startswith("#")]
    assert outside == [f"https://example.org/me/boltons/commit/{COMMIT}"]


def test_plots_have_words_for_those_who_do_not_see_them(page: Page) -> None:
    assert all(len(words) > 20 for _, words in page.images)


def test_headings_are_in_order(page: Page) -> None:
    levels = [level for level, _ in page.headings]
    assert levels[:2] == [1, 2]
    assert levels.count(1) == 1
    assert all(below - above <= 1 for above, below in itertools.pairwise(levels))


def test_every_head_of_a_table_has_a_scope_and_every_table_a_box(page: Page) -> None:
    assert page.scopes
    assert None not in page.scopes
    assert page.unboxed == 0


def test_the_contents_lead_to_every_section_once(page: Page) -> None:
    inside = [link[1:] for link in page.links if link.startswith("#")]
    assert inside == [
        *("results", "expected", "measures", "differences", "slices", "retention", "errors"),
        *("corpus", "lineage"),
    ]
    assert len(page.ids) == len(set(page.ids))
    assert set(inside) < set(page.ids)


def test_the_page_has_a_light_and_a_dark_side_a_narrow_and_a_printed_one(html: str) -> None:
    assert "color-scheme: light dark" in html
    for media in ("(prefers-color-scheme: dark)", "(max-width: 40rem)", "print"):
        assert f"@media {media}" in html


def test_every_colour_of_the_light_side_that_is_no_accent_has_a_dark_one(html: str) -> None:
    light, dark = (part.split("}")[0] for part in html.split(":root {")[1:3])
    named = {line.split(":")[0].strip() for line in light.split(";") if "--" in line}
    darker = {line.split(":")[0].strip() for line in dark.split(";") if "--" in line}
    assert named - darker == {"--gain", "--loss"}


@pytest.mark.parametrize("side", [0, 1])
def test_text_has_contrast(html: str, side: int) -> None:
    declared = html.split(":root {")[side + 1].split("}", maxsplit=1)[0]
    colours = {
        name.strip(): colour.strip()
        for name, _, colour in (line.partition(":") for line in declared.split(";"))
        if "#" in colour
    }
    for name in ("--text", "--muted", "--link", "--pass", "--fail", "--keyword", "--string"):
        for ground in ("--page", "--soft"):
            assert _contrast(colours[name], colours[ground]) >= 4.5, (name, ground)


def _contrast(one: str, other: str) -> float:
    """The contrast of two colours by WCAG 2."""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(each * 2 for each in colour[1:])
        parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_the_same_facts_give_the_same_bytes(html: str) -> None:
    assert render_report(_facts()) == html


def test_other_facts_give_another_page(html: str) -> None:
    assert render_report(_facts(pool=1)) != html


# The decision


def test_a_model_that_passes_is_promoted(page: Page) -> None:
    assert page.headings[1] == (2, "✓ Promoted")
    assert ["better", "MRR +0.050", "✓ pass"] in page.rows


def test_a_model_that_fails_one_gate_is_not_promoted_and_the_page_says_which() -> None:
    gates = [Gate("better", passed=False, detail="MRR -0.010"), Gate("b", passed=True, detail="")]
    page = Page(render_report(_facts(gates=gates)))
    assert page.headings[1] == (2, "✗ Not promoted")
    assert ["better", "MRR -0.010", "✗ fail"] in page.rows


def test_a_model_that_nobody_has_judged_is_not_promoted() -> None:
    page = Page(render_report(_facts(gates=[])))
    assert page.headings[1] == (2, "– Not decided")
    assert "Promoted" not in page.text


def test_the_headline_has_every_set_with_its_difference(page: Page) -> None:
    figures = ["120", "0.400", "0.450", "0.550", "0.600"]
    assert ["Documentation", *figures, "+0.050 +0.01 to +0.15", "better"] in page.rows
    assert [
        *("Judged: Rust", *figures, "+0.020 -0.08 to +0.12", "no difference shown")
    ] in page.rows


def test_targets_are_met_missed_or_not_measured(page: Page) -> None:
    assert [
        *("Rust P@1", "0.60", "0.600 0.50–0.70", "✓ met", "Judged: Rust: 120 queries, hybrid")
    ] in page.rows
    unasked = ["Personal P@1", "0.98", "not measured", "– not measured"]
    assert [*unasked, "no such queries were asked"] in page.rows


# Tables


def test_results_have_the_pairs_that_each_model_was_trained_on(page: Page) -> None:
    assert ["base", "none", "hybrid", *["0.500"] * 4] in page.rows
    assert ["tuned", "1,241 pairs", "hybrid", *["0.600"] * 4] in page.rows


def test_a_stage_that_was_evaluated_once_is_among_the_results() -> None:
    ranks = [_rank("q1", "tuned", 2), _rank("q2", "tuned", 4)]
    page = Page(render_report(_facts(earlier={"general": ranks})))
    cells = ["not measured", "not measured", "0.000", "0.375"]
    assert ["stage_general", "7 pairs", "semantic", *cells] in page.rows
    assert ["judged test queries", "0.450", "0.375", "0.550", "not measured", ""] in page.rows


def test_expected_results_stand_beside_what_was_measured(page: Page) -> None:
    assert ["Rust", "the plan", "0.75", "0.85", "0.92", "0.90", "– not measured"] in page.rows
    assert ["judged test queries", "0.450", *["not measured"] * 1, "0.550"] in [
        row[:4] for row in page.rows
    ]
    assert ["validation pairs", "0.125", "0.250", "0.500", "not measured", ""] in page.rows


def test_each_system_has_a_row_with_interval_and_fusion_weight(page: Page) -> None:
    assert page.rows.count(["tuned", "hybrid", *["0.600 0.50–0.70"] * len(NAMES), "0.65"]) == 2
    assert page.rows.count(["bm25", "lexical", *["0.400 0.30–0.50"] * len(NAMES), ""]) == 2


def test_differences_are_shown_for_p1_and_mrr(page: Page) -> None:
    shown = [row for row in page.rows if row[1:3] == ["tuned semantic", "base semantic"]]
    assert [(row[0], row[3]) for row in shown] == [
        *(("Documentation", "P@1"), ("Documentation", "MRR")),
        *(("Judged: Rust", "P@1"), ("Judged: Rust", "MRR")),
    ]
    assert shown[1][4:] == ["+0.050", "+0.010 to +0.150", "0.040", "better"]


def test_styles_are_of_judged_queries_that_both_were_asked(page: Page) -> None:
    what = ["Judged: Rust", "what", "2", "0.000", "0.375", "0.500", "0.562"]
    assert what in [row[:7] for row in page.rows]  # ranks 4 and 2, and 1 and 8
    assert "No query has a dialect" in page.text


def test_dialects_are_shown_where_the_ranks_have_them() -> None:
    ranks = [_rank("q1", system, 2, dialect="kani") for system in ("base", "tuned")]
    page = Page(render_report(_facts(ranks=ranks)))
    row = ["Judged: Rust", "kani", "1", "0.000", "0.500", "0.000", "0.500"]
    assert [*row, "+0.000 +0.00 to +0.00"] in page.rows


def test_what_each_stage_kept_is_a_heat_map(page: Page, html: str) -> None:
    assert ["domain", "kind of query", "base", "general", "rust"] in page.rows
    assert ["rust", "typed", "0.125", "0.250 +0.125", "0.500 +0.375"] in page.rows
    assert '<td class="gain" style="--depth:1.0">' in html
    manifest = {**_facts().manifest, "retention": None, "lineage": []}
    assert "No stage was watched" in render_report(_facts(manifest=manifest))


# Errors


def test_errors_come_worst_first_with_both_texts_and_all_ranks(page: Page) -> None:
    cases = page.text.split("Errors")[-1]
    assert cases.index("text of q2") < cases.index("text of q3") < cases.index("text of q4")
    assert "text of q1" not in cases  # it is answered right
    assert "what · rank: tuned 8, base 2, BM25 31" in page.words
    assert "symptom · rank: tuned 2, base 2, BM25 not asked" in page.words
    for name in ("top of q2", "gold of q2"):
        path = f"src/{name.replace(' ', '_')}.rs:12"
        assert f"symbol of {name} tokenizers {path} · Apache-2.0 (permissive)" in page.words
        assert f"fn f() {{ /* {name} */ }}" in page.text
    assert page.words.count("Not kept: the ranks are from an evaluation") == 2  # both of q4


def test_code_of_a_repository_does_not_act() -> None:
    hostile = unit(
        "top of q2",
        path='a"><img src=x onerror=alert(1)>.rs',
        symbol="<script>alert(2)</script>",
        prose="</p><style>*{display:none}</style>{{ facts }}",
        code='let x = "</code></pre><script>alert(3)</script>"; // \u202e\x1b[2J\x00',
        license="</td><iframe src=//evil>",
    )
    query = "<svg onload=alert(4)> {% raw %}"
    ranks = [
        {**_rank("q2", system, rank), "query": query}
        for system, rank in (("tuned", 8), ("base", 2))
    ]
    html = render_report(_facts(ranks=ranks, units={"top of q2": hostile}))
    page = Page(html)
    assert not {"script", "iframe", "svg"} & set(page.tags)
    assert page.tags.count("style") == 1
    assert len(page.images) == 4
    assert not [name for name in page.attributes if name.startswith("on")]
    for text in ("</code></pre><script>alert(3)</script>", "<svg onload=alert(4)> {% raw %}"):
        assert text in page.text
    assert "\\u{202e}\\u{1b}[2J\\u{0}" in page.text
    assert not {"\u202e", "\x1b", "\x00"} & set(html)


# Where it is from


def test_sources_are_listed_with_address_revision_licence_and_pairs(page: Page) -> None:
    assert ["uv", "pkg:pypi/uv@0.9.9", "0.9.9", "MIT", "1,234"] in page.rows
    assert [
        *("boltons", "https://example.org/me/boltons.git", COMMIT[:12], "BSD", "7")
    ] in page.rows


def test_the_corpus_is_counted_by_split(page: Page) -> None:
    assert ["rust", "40", "0", "40"] in page.rows
    assert ["permissive", "40", "0", "40"] in page.rows
    assert ["doc", "20", "0", "20"] in page.rows
    assert ["ruff, permissive", "20", "0", "20"] in page.rows


def test_what_was_kept_out_of_training_is_listed_with_its_reason(page: Page) -> None:
    assert ["ruff", "query of an evaluation", "17"] in page.rows
    assert "nothing had to be" in render_report(_facts(kept_out=[]))


def test_the_page_says_what_the_model_came_from(page: Page) -> None:
    for text in ("embedded:minilm", "d" * 32, "f" * 32, "0.1.0", "4,321", '"epochs": 1'):
        assert text in page.text


def test_a_history_without_drift_is_plotted_too() -> None:
    manifest = _facts().manifest
    history = [{"step": step, "loss": 1.0, "contrastive": 1.0} for step in range(3)]
    assert "Loss of the last stage" in render_report(
        _facts(manifest={**manifest, "history": history})
    )


def _of_experts() -> dict[str, Any]:
    """What an evaluation that asked two experts knows of them."""
    figures = {"queries": 9, "accuracy": 0.75, "calibration_error": 0.125, "confusion": []}
    sent = {"rust": 7, "formal": 2}
    return {
        "router": {
            "domains": ["rust", "formal"],
            "reads": "embeddings",
            "threshold": 0.6,
            "held_out": figures,
            "validation": {"judged queries": {**figures, "accuracy": 0.625}},
        },
        "confusion": {"judged_test": [{"domain": "rust", "queries": 9, "sent": sent}]},
        "unknown": 1234,
        "costs": {
            name: {"one": 10.0, "experts": 11.75}
            for name in ("weights_mb", "query_ms", "routing_ms", "document_ms", "index_mb_1000")
        },
    }


def test_experts_stand_beside_base_and_tuned_model_with_router_and_costs() -> None:
    of_routed = [row | {"system": "routed"} for row in _metrics() if row["system"] == "tuned"]
    rivals = {
        "tuned": [Gate("better", passed=True, detail="+0.1")],
        "routed": [
            Gate("better", passed=False, detail="-0.1"),
            Gate("held", passed=True, detail="0"),
        ],
    }
    facts = _facts(metrics=[*_metrics(), *of_routed], experts=_of_experts(), rivals=rivals)
    page = Page(render_report(facts))
    assert ["better", "✓ tuned", "+0.1"] in page.rows
    assert ["", "✗ routed", "-0.1"] in page.rows
    assert ["held", "✓ routed", "0"] in page.rows
    assert ["routed", "semantic", *["0.550 0.45–0.65"] * 2] in page.rows
    assert ["tuned", "hybrid", *["0.600 0.50–0.70"] * 2] in page.rows
    assert ["Judged: Rust", "rust", "9", "7", "2"] in page.rows
    assert ["weights, MB", "10.0", "11.8"] in page.rows
    assert "of validation judged queries 0.625 (0.125)" in page.words
    assert "Below a probability of 0.6 a query goes to the two best" in page.words
    assert "1,234 documents are of a domain without an adapter" in page.words
    assert page.ids.count("experts") == page.links.count("#experts") == 1
    assert page.unboxed == 0


def test_where_no_query_goes_to_two_experts_the_page_says_so() -> None:
    known = _of_experts()
    page = Page(
        render_report(_facts(experts={**known, "router": {**known["router"], "threshold": 0.0}}))
    )
    assert "Every query goes to one" in page.words
    assert "Below a probability" not in page.words


def test_without_experts_the_page_does_not_speak_of_them(page: Page) -> None:
    assert "experts" not in page.ids
    assert "#experts" not in page.links

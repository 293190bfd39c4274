from __future__ import annotations

import base64
from typing import Any

import pytest
from matplotlib.axes import Axes

from evaluation.plots import bars, looks, losses, pairs_by_source

FOUND = [
    {"step": 2, "MRR": 0.5, "MRR/rust/judged": 0.4, "MRR/formal/judged": 0.6, "loss/rust": 2.0},
    {"step": 4, "MRR": 0.6, "MRR/rust/judged": 0.5, "MRR/formal/judged": 0.7, "loss/rust": 1.0},
]
HISTORY = [{"step": 0, "loss": 3.0, "drift": 0.1}, {"step": 1, "loss": 2.0, "drift": 0.2}]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[list[float], list[float]]]:
    """What is drawn, by label."""
    drawn: dict[str, tuple[list[float], list[float]]] = {}
    plot = Axes.plot

    def noted(axis: Axes, steps: list[float], values: list[float], **options: Any) -> Any:
        drawn[options["label"]] = (steps, values)
        return plot(axis, steps, values, **options)

    monkeypatch.setattr(Axes, "plot", noted)
    return drawn


def test_every_set_is_a_line_beside_their_mean(lines: dict[str, Any]) -> None:
    looks(FOUND)
    assert lines == {
        "rust/judged": ([2, 4], [0.4, 0.5]),
        "formal/judged": ([2, 4], [0.6, 0.7]),
        "mean": ([2, 4], [0.5, 0.6]),
    }


def test_a_metric_without_a_mean_is_drawn_by_set(lines: dict[str, Any]) -> None:
    looks(FOUND, "loss")
    assert lines == {"rust": ([2, 4], [2.0, 1.0])}


def test_a_loss_that_was_not_asked_for_is_not_drawn(lines: dict[str, Any]) -> None:
    losses(HISTORY)
    assert lines == {"loss": ([0, 1], [3.0, 2.0]), "drift": ([0, 1], [0.1, 0.2])}


def test_a_plot_is_a_png_as_a_data_address_and_always_the_same() -> None:
    kind, _, data = losses(HISTORY).partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(data).startswith(b"\x89PNG")
    assert losses(HISTORY) == losses(HISTORY)


def _metric(system: str, mode: str, mean: float, metric: str = "MRR") -> dict[str, Any]:
    row = {"eval_set": "judged_test", "system": system, "mode": mode, "metric": metric}
    return {**row, "mean": mean, "low": mean - 0.1, "high": mean + 0.2}


METRICS = [
    *(_metric("bm25", "lexical", 0.3), _metric("tuned", "hybrid", 0.5)),
    *(_metric("tuned", "hybrid", 0.4, "P@1"), _metric("tuned", "rrf", 0.9)),
    {**_metric("tuned", "hybrid", 0.7), "eval_set": "doc_test"},
]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any, dict[str, Any]]]:
    """The bars: where, how long, and the rest."""
    found: list[tuple[Any, Any, dict[str, Any]]] = []
    barh = Axes.barh

    def noted(axis: Axes, at: Any, long: Any, *rest: Any, **options: Any) -> Any:
        found.append((at, long, options))
        return barh(axis, at, long, *rest, **options)

    monkeypatch.setattr(Axes, "barh", noted)
    return found


def test_a_bar_is_a_mean_with_its_interval_in_the_modes_of_search(drawn: list[Any]) -> None:
    bars(METRICS, "judged_test")
    assert [(at, long) for at, long, _ in drawn] == [(1, 0.4), (0, 0.3), (1, 0.5)]
    for *_, options in drawn:
        assert options["xerr"] == [[pytest.approx(0.1)], [pytest.approx(0.2)]]


def test_sources_with_few_pairs_are_one_bar(drawn: list[Any]) -> None:
    rows = [
        {"split": "train", "source": f"s{n:02}", "pair_type": kind, "pairs": 100 - n}
        for n in range(30)
        for kind in ("doc", "path")
    ]
    pairs_by_source([*rows, {**rows[0], "split": "test"}])
    names, widths, options = drawn[1]
    assert names == [*(f"s{n:02}" for n in range(24)), "6 others"]
    assert widths == [*(100 - n for n in range(24)), sum(100 - n for n in range(24, 30))]
    assert options["label"] == "path"
    assert options["left"] == widths  # on top of as many of the other type


def test_a_corpus_without_training_pairs_is_drawn_empty(drawn: list[Any]) -> None:
    pairs_by_source([])
    assert drawn == []


def svg(address: str) -> str:
    kind, _, data = address.partition(",")
    assert kind == "data:image/svg+xml;base64"
    return base64.b64decode(data).decode()


@pytest.mark.parametrize(
    "draw",
    [
        lambda: bars(METRICS, "judged_test", "svg"),
        lambda: losses(HISTORY, "svg"),
        lambda: pairs_by_source([], "svg"),
    ],
)
def test_an_svg_has_the_ink_of_its_reader_and_always_the_same_bytes(draw: Any) -> None:
    text = svg(draw())
    assert text.startswith("<svg")
    assert "@media (prefers-color-scheme:dark){svg{color:#d5d9de}}" in text
    assert "stroke: currentColor" in text
    assert text.count("#34383d") == 1  # in the style alone
    assert "#000" not in text
    assert "#fff" not in text  # no ground
    assert "<script" not in text
    assert draw() == draw()


def test_a_name_with_markup_is_only_text_in_an_svg() -> None:
    row = {"split": "train", "source": "</text><script>x</script>", "pair_type": "d", "pairs": 1}
    assert "<script" not in svg(pairs_by_source([row], "svg"))

from __future__ import annotations

import base64
from typing import Any

import pytest
from matplotlib.axes import Axes

from evaluation.plots import looks, losses

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

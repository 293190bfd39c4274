"""Shares before and after weighting, their table, and a plot that Markdown can hold."""

from __future__ import annotations

import base64

import pytest

from corpus.distribution import distribution, image, markdown, plot
from tests.corpus.frames import corpus

FORMAL = {"language": "lean", "domain": "formal", "category": "verification", "weight": 5.0}
ROWS = (
    *({"pair_id": name} for name in "abc"),
    FORMAL,
    FORMAL | {"split": "test"},
    {"language": "cpp", "split": "valid"},
)
COUNTED = distribution(corpus(*ROWS))


def test_training_pairs_are_counted_before_and_after_weighting_most_first() -> None:
    assert COUNTED.columns == ["kind", "value", "pairs", "share", "weighted_share"]
    assert COUNTED.rows() == [
        ("language", "rust", 3, 0.75, 0.375),
        ("language", "lean", 1, 0.25, 0.625),
        ("domain", "rust", 3, 0.75, 0.375),
        ("domain", "formal", 1, 0.25, 0.625),
        ("category", "code", 3, 0.75, 0.375),
        ("category", "verification", 1, 0.25, 0.625),
    ]


def test_of_equally_many_the_first_by_name_comes_first() -> None:
    counted = distribution(corpus({"language": "rust"}, {"language": "java"}))
    assert counted["value"].to_list()[:2] == ["java", "rust"]


def test_the_table_says_shares_in_percent() -> None:
    assert markdown(COUNTED).splitlines()[:4] == [
        "| | | pairs | share | weighted |",
        "|---|---|--:|--:|--:|",
        "| language | rust | 3 | 75.0% | 37.5% |",
        "| language | lean | 1 | 25.0% | 62.5% |",
    ]


def test_the_image_holds_the_plot_and_the_same_rows_give_the_same_bytes() -> None:
    before, bytes_and_end = image(COUNTED).split("data:image/png;base64,")
    assert before == "![Shares of the pairs before and after weighting]("
    png = base64.b64decode(bytes_and_end.removesuffix(")"), validate=True)
    assert png == plot(COUNTED)
    assert png.startswith(b"\x89PNG")


@pytest.mark.parametrize("splits", [(), ("test",)])
def test_a_corpus_without_training_pairs_has_an_empty_table_and_plot(
    splits: tuple[str, ...],
) -> None:
    counted = distribution(corpus(*({"split": split} for split in splits)))
    assert counted.is_empty()
    assert markdown(counted).count("\n") == 1
    assert plot(counted).startswith(b"\x89PNG")

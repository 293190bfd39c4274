from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from common.errors import ProvenderError
from tests.tiny import pair, write_corpus
from training.pairs import TEXTS, Texts, draw, read_index
from training.recipe import Mixture, Recipe


def _recipe(**mixture: Any) -> Recipe:
    return Recipe.model_validate({"mixture": mixture})


def _domains(folder: Path) -> Path:
    """60 pairs: 30 of Rust, 20 formal, 10 general."""
    names = ["rust"] * 30 + ["formal"] * 20 + ["general"] * 10
    rows = [pair(number, domain=name) for number, name in enumerate(names)]
    return write_corpus(folder / "c.parquet", rows)


def _counts(folder: Path, **mixture: Any) -> dict[str, int]:
    """How many pairs of each domain are drawn."""
    index = read_index(_domains(folder), _recipe())
    drawn = draw(index, Mixture.model_validate(mixture), 7)
    assert len(drawn) == len(set(drawn.tolist()))
    names = [index.domains[code] for code in index.domain[drawn]]
    return {name: names.count(name) for name in index.domains}


def test_each_domain_has_its_share(tmp_path: Path) -> None:
    shares = {"formal": 0.6, "rust": 0.3, "general": 0.1}
    found = _counts(tmp_path, max_pairs=20, domains=shares)
    assert found == {"rust": 6, "formal": 12, "general": 2}


def test_a_domain_without_enough_pairs_gives_what_it_has(tmp_path: Path) -> None:
    found = _counts(tmp_path, max_pairs=40, domains={"general": 0.5, "rust": 0.5})
    assert found == {"rust": 20, "formal": 0, "general": 10}


def test_a_domain_that_the_corpus_lacks_gives_nothing(tmp_path: Path) -> None:
    found = _counts(tmp_path, max_pairs=20, domains={"personal": 0.5, "rust": 0.5})
    assert found == {"rust": 10, "formal": 0, "general": 0}


def test_weights_may_be_left_out_of_account_but_for_zero(tmp_path: Path) -> None:
    rows = [pair(0, weight=8.0), pair(1, weight=0.5), pair(2, weight=0.0)]
    index = read_index(write_corpus(tmp_path / "c.parquet", rows), _recipe(weighted=False))
    assert index.weight.tolist() == [1.0, 1.0, 0.0]


def test_pairs_that_are_left_out_are_drawn_as_if_they_were_not(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "c.parquet", [pair(number) for number in range(4)])
    index = read_index(corpus, _recipe(), {"pair1", "pair3"})
    assert index.weight.tolist() == [1.0] * 4
    assert index.doubtful.tolist() == [False, True, False, True]


def test_the_same_query_in_another_case_has_the_same_code(tmp_path: Path) -> None:
    rows = [pair(0, query="Parse a Date"), pair(1, query="parse a date"), pair(2)]
    index = read_index(write_corpus(tmp_path / "c.parquet", rows), _recipe())
    assert index.query[0] == index.query[1] != index.query[2]


def test_texts_are_those_of_the_positions_in_the_order_asked_for(tmp_path: Path) -> None:
    rows = [pair(number) for number in range(40)]
    write_corpus(tmp_path / "c" / "part-0.parquet", rows[:25])
    write_corpus(tmp_path / "c" / "part-1.parquet", rows[25:])
    texts = Texts.write(tmp_path / "c", np.array([0, 3, 24, 25, 39]), tmp_path / "t.arrow")
    found = texts.rows(np.array([39, 0, 25]))
    expected = [{name: rows[place][name] for name in TEXTS} for place in (39, 0, 25)]
    assert found == expected
    assert texts.table.num_rows == 5


def test_texts_of_many_batches_of_the_corpus_are_found(tmp_path: Path) -> None:
    rows = [pair(number) for number in range(20_000)]  # more than are read at once
    corpus = write_corpus(tmp_path / "c.parquet", rows)
    positions = np.array([1, 16_383, 16_384, 19_999])
    texts = Texts.write(corpus, positions, tmp_path / "t.arrow")
    assert [row["pair_id"] for row in texts.rows(positions)] == [f"pair{n}" for n in positions]


def test_held_out_pairs_are_refused(tmp_path: Path) -> None:
    rows = [pair(0, split="train"), pair(1, split="valid")]
    corpus = write_corpus(tmp_path / "c.parquet", rows)
    with pytest.raises(ProvenderError, match="held out"):
        read_index(corpus, _recipe())


def test_a_corpus_without_a_pair_is_named(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "c.parquet", [pair(0)])
    pq.write_table(pq.read_table(corpus).slice(0, 0), corpus)
    with pytest.raises(ProvenderError, match="no pair") as caught:
        read_index(corpus, _recipe())
    assert caught.value.where == str(corpus)

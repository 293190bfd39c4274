"""A source's split is its own for good: whatever is added, removed, copied or reordered around it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from common.errors import ProvenderError
from corpus.build import build_corpus
from corpus.curriculum import Curriculum, load_curriculum
from corpus.quality import Quality, Rules
from corpus.sources import DatasetSource, GitSource, load_manifest
from corpus.splits import Splits, assign
from tests.corpus.frames import pairs

CONFIG = Path(__file__).parents[2] / "config"
HALVES = Splits(valid=0.3, test=0.3)


def source(name: str, **changes: Any) -> GitSource:
    return GitSource(name=name, url=f"/srv/{name}", **changes)


def test_pin_goes_before_the_hash_and_the_manifest_says_the_same_or_nothing() -> None:
    sources = [source("one"), source("two", split="test"), source("three", split="valid")]

    found = assign(sources, Splits(pins={"one": "valid", "two": "test"}))

    assert found == {"one": "valid", "two": "test", "three": "valid"}


def test_hash_of_a_name_decides_the_same_on_every_machine() -> None:
    found = assign([source(f"s{number}") for number in range(8)], HALVES)

    assert list(found.values()) == [
        *("train", "valid", "train", "valid", "train", "train", "test", "valid"),
    ]


def test_shares_are_those_asked_for() -> None:
    found = list(assign([source(f"s{number}") for number in range(5000)], Splits()).values())

    assert 60 < found.count("valid") < 140
    assert 60 < found.count("test") < 140


def test_greater_share_takes_from_train_alone() -> None:
    names = [source(f"s{number}") for number in range(500)]
    before = assign(names, Splits(valid=0.1, test=0.1))
    after = assign(names, Splits(valid=0.2, test=0.3))

    assert all(after[name] == split for name, split in before.items() if split != "train")


def test_personal_sources_and_data_sets_are_held_out_by_a_pin_only() -> None:
    everything = Splits(valid=0.4, test=0.5)
    own = [source(f"own{number}", domain="personal") for number in range(20)]
    published = DatasetSource(name="csn", paths=[Path("a.jsonl")])

    found = assign([*own, published], everything.model_copy(update={"pins": {"own3": "test"}}))

    assert {name for name, split in found.items() if split != "train"} == {"own3"}


@pytest.mark.parametrize(
    ("pins", "fault"),
    [
        ({"gone": "test"}, "`gone` is pinned, but is no source of the manifest"),
        ({"ruf": "test"}, "did you mean `ruff`"),
        ({"held": "train"}, "pinned to `train`, but its manifest says `test`"),
    ],
)
def test_pin_that_cannot_hold_is_refused(pins: dict[str, Any], fault: str) -> None:
    with pytest.raises(ProvenderError, match=fault):
        assign([source("ruff"), source("held", split="test")], Splits(pins=pins))


def test_shares_must_leave_something_to_train_on() -> None:
    with pytest.raises(ValidationError, match="leave nothing to train on"):
        Splits(valid=0.5, test=0.5)


HELD_OUT = {
    "sources_quickstart.yaml": {
        "valid": {"anise", "cryptography", "datafusion", "more-itertools", "pydantic-core",
                  "pysmt"},
        "test": {"hifitime", "httpx", "safetensors", "tokenizers"},
    },
    "sources_registry.yaml": {
        "valid": {"anise", "cryptography", "datafusion", "pydantic-core"},
        "test": {"hifitime", "httpx", "ipydatagrid", "jpype1", "rich", "safetensors",
                 "tokenizers"},
    },
    "sources_full.yaml": {
        "valid": {"aesop", "anise", "cryptography", "datafusion", "datafusion-python",
                  "pydantic-core", "verified-storage"},
        "test": {"anvil", "creusat", "domino", "elasticsearch-formal-models", "etcd-raft",
                 "hickory-dns", "hifitime", "safetensors", "silicon-preamble", "tokenizers",
                 "veil"},
    },
}  # fmt: skip


@pytest.mark.parametrize("manifest", HELD_OUT)
def test_shipped_sources_stay_where_they_are(manifest: str) -> None:
    splits = load_curriculum(CONFIG / "curriculum.yaml").splits
    found = assign(load_manifest(CONFIG / manifest).sources, splits)

    for split, names in HELD_OUT[manifest].items():
        assert {name for name, each in found.items() if each == split} == names


# Histories of refreshes: at each, some of eight sources, in some order, each with some of twelve texts that
# are near-duplicates in threes, under queries of which some are the same.
LINES = "\n".join(f"    let step_{n} = left.step_{n}(right);" for n in range(20))
UNITS = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 5)), max_size=4, unique=True)
REFRESH = st.lists(
    st.tuples(st.integers(0, 7), UNITS), min_size=1, max_size=6, unique_by=lambda s: s[0]
)


def row(name: str, text: int, query: int) -> dict[str, Any]:
    body = LINES.replace("left", f"word_{text // 3}")
    code = f"fn go_{text}(right: u64) -> u64 {{\n{body}\n    right + {text}\n}}"
    return {
        "source": name,
        "pair_id": f"{text}-{query}",
        "unit_id": f"{name}-{text}",
        "symbol": f"go_{text}",
        "positive": code,
        "query": f"computes the answer number {query} in {query} steps",
        "start_line": text,
    }


@settings(max_examples=60, deadline=None)
@given(history=st.lists(REFRESH, min_size=2, max_size=4))
def test_refreshes_add_and_delete_but_never_move(history: list) -> None:
    curriculum = Curriculum(domain_weights={}, splits=HALVES)
    quality = Quality(default=Rules(max_repetition=1))
    seen: dict[tuple[str, ...], str] = {}
    for refresh in history:
        sources = [source(f"s{number}") for number, _ in refresh]
        splits = assign(sources, curriculum.splits)
        rows = pairs(*(row(f"s{n}", *unit) for n, units in refresh for unit in units))
        made = build_corpus(rows, splits, curriculum, quality).pairs

        for *pair, split in made.select("source", "unit_id", "query", "split").iter_rows():
            assert seen.setdefault(tuple(pair), split) == split
        for column in ("source", "cluster_id", "positive", "query"):
            sides = made.group_by(column).agg(pl.col("split").n_unique())
            assert (sides["split"] == 1).all(), column
        again = build_corpus(rows.reverse(), dict(reversed(splits.items())), curriculum, quality)
        assert again.pairs.equals(made)

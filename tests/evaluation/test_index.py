"""The index keeps token vectors: exact answers, each document encoded once, whole after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from common.errors import ProvenderError
from evaluation import index as module
from evaluation.index import Updated, VectorIndex, key_of
from evaluation.retrieve import maxsim_scores

DIM = 16


def vectors(text: str) -> torch.Tensor:
    """Token vectors of a text, the same each time, of three to twelve tokens."""
    seed = int(key_of("", text)[:8], 16)
    generator = torch.Generator().manual_seed(seed)
    found = torch.randn(3 + seed % 10, DIM, generator=generator)
    return torch.nn.functional.normalize(found, dim=1)


class Encoder:
    """Encodes texts, and remembers which."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, texts: list[str]) -> list[torch.Tensor]:
        self.asked += texts
        return [vectors(text) for text in texts]


def documents(**texts: Sequence[str]) -> dict[str, dict[str, str]]:
    return {source: {key_of("m", text): text for text in of} for source, of in texts.items()}


def exact(query: torch.Tensor, wanted: Mapping[str, Mapping[str, str]]) -> dict[str, float]:
    """MaxSim over the vectors as they are stored, without an index."""
    texts = {key: text for of in wanted.values() for key, text in of.items()}
    stored = [vectors(text).half().float() for text in texts.values()]
    return dict(zip(texts, maxsim_scores([query], stored)[0].tolist(), strict=True))


QUERY = vectors("the query")
WANTED = documents(
    alpha=[f"alpha {number}" for number in range(40)], beta=["beta 1", "it's beta 2"]
)


@pytest.fixture
def index(tmp_path: Path) -> VectorIndex:
    return VectorIndex(tmp_path / "index")


def test_answers_are_exact_maxsim(index: VectorIndex) -> None:
    index.update(WANTED, Encoder())
    found = index.scores(QUERY, ["alpha", "beta"])
    truth = exact(QUERY, WANTED)
    assert found.keys() == truth.keys()
    assert [found[key] for key in truth] == pytest.approx(list(truth.values()), abs=1e-6)


def test_answers_are_those_of_the_sources_and_keys_asked_for(index: VectorIndex) -> None:
    index.update(WANTED, Encoder())
    assert index.scores(QUERY, ["beta"]).keys() == WANTED["beta"].keys()
    some = set(list(WANTED["alpha"])[3:6])
    assert index.scores(QUERY, ["alpha", "beta"], some).keys() == some
    assert index.scores(QUERY, ["beta"], some) == {}
    assert index.scores(QUERY, ["gamma"]) == {}


def test_only_what_is_new_is_encoded(index: VectorIndex) -> None:
    encoder = Encoder()
    assert index.update(WANTED, encoder) == Updated(42, 0, 0)
    assert sorted(encoder.asked) == sorted(text for of in WANTED.values() for text in of.values())
    encoder.asked.clear()
    assert index.update(WANTED, encoder) == Updated(0, 0, 42)
    assert encoder.asked == []

    changed = documents(alpha=[f"alpha {number}" for number in range(1, 40)] + ["alpha 0, changed"])
    assert index.update(changed, encoder) == Updated(1, 1, 39)
    assert encoder.asked == ["alpha 0, changed"]
    assert index.scores(QUERY, ["alpha"]).keys() == changed["alpha"].keys()
    # What was not asked about stays.
    assert index.scores(QUERY, ["beta"]).keys() == WANTED["beta"].keys()


def test_a_source_that_has_nothing_any_more_is_deleted(index: VectorIndex) -> None:
    index.update(WANTED, Encoder())
    assert index.update({"alpha": {}, "beta": WANTED["beta"]}, Encoder()) == Updated(0, 40, 2)
    assert index.scores(QUERY, ["alpha", "beta"]).keys() == WANTED["beta"].keys()


def test_a_name_cannot_end_a_filter(index: VectorIndex) -> None:
    wanted = documents(**{"o'neil') OR ('1'='1": ["one"]}, other=["two"])
    index.update(wanted, Encoder())
    [odd, _] = wanted
    assert index.scores(QUERY, [odd]).keys() == wanted[odd].keys()


def test_an_empty_index_has_no_answer(index: VectorIndex) -> None:
    assert index.update({"alpha": {}}, Encoder()) == Updated(0, 0, 0)
    assert index.scores(QUERY, ["alpha"]) == {}
    assert index.candidates(QUERY, ["alpha"], 5) == []


def test_what_was_encoded_before_a_failure_is_kept(
    index: VectorIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 10)
    encoder = Encoder()
    done: list[tuple[int, int]] = []

    def fails(texts: list[str]) -> list[torch.Tensor]:
        if len(encoder.asked) == 30:
            raise RuntimeError("out of memory")
        return encoder(texts)

    with pytest.raises(RuntimeError, match="out of memory"):
        index.update(WANTED, fails, lambda *told: done.append(told))
    assert done == [(0, 42), (10, 42), (20, 42), (30, 42)]
    assert index.update(WANTED, encoder) == Updated(12, 0, 30)
    assert len(encoder.asked) == len(set(encoder.asked)) == 42


KILLED = """
import os, signal, sys
from pathlib import Path
from evaluation import index as module
from tests.evaluation.test_index import WANTED, Encoder
module.BATCH = 10
def told(done, total):
    if done == 20:
        os.kill(os.getpid(), signal.SIGKILL)
module.VectorIndex(Path(sys.argv[1])).update(WANTED, Encoder(), told)
"""


def test_a_killed_run_loses_a_batch_at_most(tmp_path: Path) -> None:
    root = Path(module.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "index")],
        env={**os.environ, "PYTHONPATH": str(root)},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    index, encoder = VectorIndex(tmp_path / "index"), Encoder()
    assert index.update(WANTED, encoder) == Updated(22, 0, 20)
    assert len(encoder.asked) == 22
    assert index.scores(QUERY, WANTED).keys() == exact(QUERY, WANTED).keys()


def test_a_run_killed_before_its_first_batch_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "index" / "documents.lance" / "_versions").mkdir(parents=True)
    assert VectorIndex(tmp_path / "index").update(WANTED, Encoder()) == Updated(42, 0, 0)


def test_large_pools_have_candidates_of_an_ivf_index(
    index: VectorIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = documents(alpha=[f"alpha {number}" for number in range(400)], beta=["beta"])
    index.update(wanted, Encoder())
    assert not index._table().list_indices()
    monkeypatch.setattr(module, "EXACT_DOCUMENTS", 100)
    index.update(wanted, Encoder())  # nothing is new, and the index was not made yet
    [made] = index._table().list_indices()
    assert made.index_type == "IvfRq"
    truth = exact(QUERY, {"alpha": wanted["alpha"]})
    best = sorted(truth, key=lambda key: -truth[key])[:10]
    found = index.candidates(QUERY, ["alpha"], 100)
    assert set(found) <= wanted["alpha"].keys()
    assert len(found) == len(set(found)) == 100
    # The index draws its centroids: nine or ten are usual here, and chance alone finds two or three.
    assert len(set(best) & set(found)) >= 6
    assert index.candidates(QUERY, ["beta"], 100) == list(wanted["beta"])
    # What came later is found before it is indexed.
    later = {"alpha": {**wanted["alpha"], key_of("m", "the query"): "the query"}}
    index.update(later, Encoder())
    assert index.candidates(QUERY, ["alpha"], 20)[0] == key_of("m", "the query")


def test_many_small_changes_are_rewritten_as_one(
    index: VectorIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_FRAGMENTS", 4)
    texts: list[str] = []
    for number in range(6):
        texts.append(f"text {number}")
        index.update(documents(alpha=texts), Encoder())
    assert index._table().stats()["fragment_stats"]["num_fragments"] <= 2
    wanted = documents(alpha=texts)
    assert index.scores(QUERY, ["alpha"]) == pytest.approx(exact(QUERY, wanted), abs=1e-6)


@pytest.mark.parametrize("part", ["data", "_versions"])
def test_a_damaged_index_is_told(index: VectorIndex, part: str) -> None:
    index.update(WANTED, Encoder())
    for file in (index._folder / "documents.lance" / part).iterdir():
        file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(ProvenderError, match=r"is damaged .* Delete this folder") as told:
        index.scores(QUERY, ["alpha"])
    assert told.value.where == str(index._folder)
    assert "\n" not in str(told.value)


def test_two_cannot_encode_at_once_but_both_can_search(index: VectorIndex) -> None:
    index.update(WANTED, Encoder())
    with index._locked("update"):
        other = VectorIndex(index._folder)
        assert other.update(WANTED, Encoder()) == Updated(0, 0, 42)
        assert len(other.scores(QUERY, WANTED)) == 42
        with pytest.raises(ProvenderError, match="Another search is encoding"):
            other.update(documents(alpha=["new"]), Encoder())


def test_a_key_is_of_the_model_and_the_text() -> None:
    assert len({key_of("a", "text"), key_of("b", "text"), key_of("a", "other")}) == 3
    assert key_of("a", "text") == key_of("a", "text")


def test_vectors_are_stored_in_half_precision(index: VectorIndex) -> None:
    index.update(documents(alpha=["text"]), Encoder())
    [stored] = index._table().to_arrow()["vectors"].to_pylist()
    assert np.array_equal(np.array(stored, np.float16), vectors("text").half().numpy())

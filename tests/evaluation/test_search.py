"""Which documents are best: exact over small pools, over candidates in large ones, fused as evaluated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from evaluation import index as vectors
from evaluation import search
from evaluation.bm25 import Bm25
from evaluation.index import VectorIndex, key_of
from evaluation.retrieve import maxsim_scores, min_max_fusion
from evaluation.search import Hit, Semantic, best


def encoded(text: str) -> torch.Tensor:
    seed = int(key_of("", text)[:8], 16)
    found = torch.randn(4 + seed % 5, 16, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(found, dim=1).half().float()


TEXTS = [f"definition {number} of the pool" for number in range(300)]
QUERY = encoded("what is asked")
SEMANTIC = maxsim_scores([QUERY], [encoded(text) for text in TEXTS])[0]
LEXICAL = np.array([(number * 37) % 101 for number in range(300)], dtype=np.float32)


@pytest.fixture
def pool(tmp_path: Path) -> Semantic:
    index = VectorIndex(tmp_path / "index")
    keys = [key_of("m", text) for text in TEXTS]
    index.update(
        {"a": dict(zip(keys, TEXTS, strict=True))}, lambda texts: [encoded(each) for each in texts]
    )
    return Semantic([(QUERY, 1.0)], index, ["a"], keys)


def ordered(scores: np.ndarray) -> list[int]:
    return np.argsort(-scores, kind="stable").tolist()


def test_semantic_hits_are_those_of_exact_maxsim(pool: Semantic) -> None:
    hits = best(10, semantic=pool)
    assert [hit.position for hit in hits] == ordered(SEMANTIC)[:10]
    assert [hit.score for hit in hits] == pytest.approx(sorted(SEMANTIC, reverse=True)[:10])


def test_hybrid_hits_are_those_of_min_max_fusion(pool: Semantic) -> None:
    for alpha in (0.2, 0.5):
        fused = min_max_fusion(SEMANTIC[None], LEXICAL[None], alpha)[0]
        hits = best(10, semantic=pool, lexical=LEXICAL, alpha=alpha)
        assert [hit.position for hit in hits] == ordered(fused)[:10]
        assert [hit.score for hit in hits] == pytest.approx(sorted(fused, reverse=True)[:10])


def test_lexical_hits_have_a_word_of_the_query() -> None:
    lexical = np.array([0.0, 2.0, 0.0, 3.0, 2.0], dtype=np.float32)
    assert best(4, lexical=lexical) == [Hit(3, 3.0), Hit(1, 2.0), Hit(4, 2.0)]


def test_large_pools_are_scored_exactly_over_candidates(
    pool: Semantic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "EXACT_DOCUMENTS", 100)
    monkeypatch.setattr(search, "_CANDIDATES", 100)
    monkeypatch.setattr(search, "_SAMPLE", 50)
    # Those of the index itself depend on centroids that it draws: tests/evaluation/test_index.py.
    near = [pool.keys[position] for position in ordered(SEMANTIC)]
    monkeypatch.setattr(pool.index, "candidates", lambda query, sources, count: near[:count])
    scored: list[int] = []
    exact = pool.index.scores

    def scores(*arguments: object) -> dict[str, float]:
        found = exact(*arguments)  # type: ignore[arg-type]
        scored.append(len(found))
        return found

    monkeypatch.setattr(pool.index, "scores", scores)
    hits = best(5, semantic=pool)
    assert scored == [100]
    assert [hit.position for hit in hits] == ordered(SEMANTIC)[:5]
    assert [hit.score for hit in hits] == pytest.approx(sorted(SEMANTIC, reverse=True)[:5])
    # The scale of the fusion is that of the pool, not of its best documents alone.
    alike = SEMANTIC.argsort().argsort().astype(np.float32)
    fused = min_max_fusion(SEMANTIC[None], alike[None], 0.5)[0]
    hits = best(5, semantic=pool, lexical=alike)
    assert scored[1] < 250
    assert {hit.position for hit in hits} == set(ordered(fused)[:5])
    assert [hit.score for hit in hits] == pytest.approx(sorted(fused, reverse=True)[:5], abs=0.02)


def test_what_was_deleted_meanwhile_is_no_hit(pool: Semantic) -> None:
    first = ordered(SEMANTIC)[0]
    rest = {
        key: text for key, text in zip(pool.keys, TEXTS, strict=True) if key != pool.keys[first]
    }
    pool.index.update({"a": rest}, lambda texts: [])
    assert [hit.position for hit in best(3, semantic=pool)] == ordered(SEMANTIC)[1:4]


def test_kept_bm25_scores_as_it_did(tmp_path: Path) -> None:
    made = Bm25.of(TEXTS)
    made.save(tmp_path / "kept")
    kept = Bm25.load(tmp_path / "kept")
    assert np.array_equal(kept.scores("definition 7"), made.scores("definition 7"))
    assert made.scores("definition 7").argmax() == 7
    assert kept.scores("unheard").tolist() == [0.0] * 300

"""The asset `eval_queries`: which judged queries are asked of which sources."""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets import eval_queries as asset
from assets.common import of_source
from assets.pairs import pairs_of
from corpus import schema
from resources.lake import Lake
from resources.project import Project
from tests.corpus.frames import LONG_CODE, pairs, units

COMMIT = "a" * 40
MANIFEST = f"""
sources:
  - {{name: proven, kind: git, url: https://example.org/proven.git, ref: {COMMIT}, split: test}}
  - {{name: released, kind: pypi, version: 1.2.3, sha256: {"b" * 64}, split: test}}
  - {{name: choosing, kind: git, url: https://example.org/choosing.git, split: valid}}
"""
UNITS: dict[str, list[dict[str, Any]]] = {
    "proven": [
        {"unit_id": "p1", "symbol": "keeps", "language": "lean", "code": "theorem keeps : p := h"},
        {"unit_id": "p2", "symbol": "other", "code": LONG_CODE},
    ],
    "released": [{"unit_id": "r1", "symbol": "reads", "code": LONG_CODE}],
    "choosing": [{"unit_id": "c1", "symbol": "chosen", "code": LONG_CODE}],
}
REVISIONS = {"proven": COMMIT, "released": "b" * 64, "choosing": "c" * 40}


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake with units of three sources, and judged queries about two of them."""
    made = Lake(root=str(tmp_path / "lake"))
    for source, rows in UNITS.items():
        place = {"source": source, "revision": REVISIONS[source]}
        frame = units(*({**row, **place} for row in rows))
        made.write(frame, schema.UNITS, *of_source("units", source), fingerprint="f")
        documented = pairs({**place, "unit_id": rows[-1]["unit_id"], "query": "Adds two numbers"})
        made.write(documented, schema.PAIRS, *pairs_of("doc", source), fingerprint="f")
    (tmp_path / "sources.yaml").write_text(MANIFEST, encoding="utf-8")
    judge(tmp_path, "rust_queries", {"released": "1.2.3"}, ("released", "reads"))
    judge(tmp_path, "rust_valid", {"choosing": "c" * 40}, ("choosing", "chosen"))
    judge(tmp_path, "formal_queries", {"proven": COMMIT}, ("proven", "keeps"))
    monkeypatch.setattr(asset, "FOLDER", tmp_path)
    names = ("rust_queries", "rust_valid", "formal_queries")
    monkeypatch.setattr(asset, "JUDGED", [tmp_path / f"{name}.json" for name in names])
    return made


def judge(folder: Path, name: str, revisions: dict[str, str], answer: tuple[str, str]) -> None:
    source, symbol = answer
    query = {
        "id": f"{source}-1",
        "query": f"what of {source}",
        "style": "what",
        "answers": [{"source": source, "path": "src/lib.rs", "symbol": symbol}],
    }
    split = "valid" if name.endswith("valid") else "test"
    judged = {"name": name, "split": split, "revisions": revisions, "queries": [query]}
    (folder / f"{name}.json").write_text(json.dumps(judged), encoding="utf-8")


def made(lake: Lake) -> dg.MaterializeResult:
    project = Project(sources=str(lake.path().parent / "sources.yaml"))
    result = asset.eval_queries(lake=lake, project=project)
    assert isinstance(result, dg.MaterializeResult)
    return result


def asked(lake: Lake, name: str, split: str) -> dict[str, list[str]]:
    frame = lake.read(*asset.queries_of(name, split))
    return dict(frame.select("query", "unit_ids").iter_rows())


def test_each_domain_is_asked_over_a_pool_of_its_own(lake: Lake) -> None:
    made(lake)
    assert asked(lake, "judged", "test") == {"what of released": ["r1"]}
    assert asked(lake, "judged_formal", "test") == {"what of proven": ["p1"]}
    assert asked(lake, "judged_general", "test") == {}
    pools = {
        name: set(lake.read(*asset.pool_of(name, "test"))["unit_id"]) for name in asset.set_names()
    }
    assert pools["doc"] == pools["judged"] == {"p2", "r1"}
    assert pools["judged_formal"] == {"p1", "p2"}
    assert pools["judged_general"] == set()


def test_queries_judged_at_another_revision_are_not_asked_and_told(
    lake: Lake, tmp_path: Path
) -> None:
    judge(tmp_path, "rust_queries", {"released": "1.2.2"}, ("released", "gone"))
    judge(tmp_path, "formal_queries", {"proven": "d" * 40}, ("proven", "gone"))
    metadata = made(lake).metadata
    assert asked(lake, "judged", "test") == {}
    assert asked(lake, "judged_formal", "test") == {}
    assert metadata is not None
    told = metadata["not_asked"]
    assert isinstance(told, dg.JsonMetadataValue)
    assert told.value == {
        "released": "is at 1.2.3, was judged at 1.2.2",
        "proven": f"is at {COMMIT}, was judged at {'d' * 40}",
    }


def test_a_query_that_repeats_the_doc_of_its_answer_fails_the_check(lake: Lake) -> None:
    [check] = made(lake).check_results or []
    assert check.passed
    place = {"source": "released", "revision": REVISIONS["released"]}
    row = {**UNITS["released"][0], **place, "doc": "What a released thing is."}
    lake.write(units(row), schema.UNITS, *of_source("units", "released"), fingerprint="g")
    [check] = made(lake).check_results or []
    assert not check.passed
    assert check.metadata["copied"].value == {"released-1": 1.0}


def test_a_second_time_nothing_is_written(lake: Lake) -> None:
    made(lake)
    metadata = made(lake).metadata
    assert metadata is not None
    assert metadata["unchanged"] is True


# The owner's own


OWN = f"""
sources:
  - {{name: mine, kind: git, url: https://example.org/mine.git, domain: personal, split: test}}
  - {{name: learned, kind: git, url: https://example.org/learned.git, domain: personal}}
  - {{name: proven, kind: git, url: https://example.org/proven.git, ref: {COMMIT}, split: test}}
"""


@pytest.fixture
def own(lake: Lake, tmp_path: Path) -> Lake:
    """The lake with a source of the owner's that is held out, and one that is learned from."""
    rows: list[dict[str, Any]] = [
        {"unit_id": "m1", "symbol": "Ring", "kind": "struct", "code": "struct Ring { at: u8 }"},
        {"unit_id": "m2", "symbol": "push", "code": LONG_CODE},
        {"unit_id": "m3", "symbol": "test_push", "code": LONG_CODE, "is_test": True},
    ]
    for source in ("mine", "learned"):
        frame = units(*({**row, "source": source, "domain": "personal"} for row in rows))
        lake.write(frame, schema.UNITS, *of_source("units", source), fingerprint="f")
    (tmp_path / "sources.yaml").write_text(OWN, encoding="utf-8")
    return lake


def keep(folder: Path, *queries: dict[str, Any], split: str = "test") -> None:
    name = "personal_queries" if split == "test" else "personal_valid"
    judged = {
        "name": name,
        "split": split,
        "revisions": {"mine": "of some time ago", "learned": "r1"},
        "queries": [
            {"id": query["query"], "style": "what", **query, "answers": query["answers"]}
            for query in queries
        ],
    }
    (folder / f"{name}.json").write_text(json.dumps(judged), encoding="utf-8")


def about(query: str, *symbols: str, source: str = "mine", **more: str) -> dict[str, Any]:
    answers = [{"source": source, "path": "src/lib.rs", "symbol": each} for each in symbols]
    return {"query": query, "answers": answers, **more}


def made_of(lake: Lake, folder: Path) -> dg.MaterializeResult:
    project = Project(sources=str(folder / "sources.yaml"), queries=str(folder))
    result = asset.eval_queries(lake=lake, project=project)
    assert isinstance(result, dg.MaterializeResult)
    return result


def test_own_queries_search_all_own_held_out_definitions_at_any_revision(
    own: Lake, tmp_path: Path
) -> None:
    keep(tmp_path, about("a cyclic queue", "Ring"), about("append to it", "push", "gone"))
    made_of(own, tmp_path)
    assert asked(own, "judged_personal", "test") == {
        "a cyclic queue": ["m1"],
        "append to it": ["m2"],
    }
    pool = own.read(*asset.pool_of("judged_personal", "test"))
    assert set(pool["unit_id"]) == {"m1", "m2"}
    assert set(pool["source"]) == {"mine"}
    assert asked(own, "judged_personal", "valid") == {}


def test_drafts_and_what_was_rejected_are_not_asked(own: Lake, tmp_path: Path) -> None:
    keep(
        tmp_path,
        about("a cyclic queue", "Ring", status="draft"),
        about("append to it", "push", status="rejected"),
    )
    made_of(own, tmp_path)
    assert asked(own, "judged_personal", "test") == {}


def test_own_queries_without_a_held_out_answer_are_not_asked_and_told(
    own: Lake, tmp_path: Path
) -> None:
    keep(
        tmp_path,
        about("where did it go", "gone"),
        about("a test of it", "test_push"),
        about("it is learned", "push", source="learned"),
    )
    metadata = made_of(own, tmp_path).metadata
    assert asked(own, "judged_personal", "test") == {}
    assert metadata is not None
    told = metadata["not_asked"]
    assert isinstance(told, dg.JsonMetadataValue)
    assert isinstance(told.value, dict)
    assert {"where did it go", "a test of it", "it is learned"} <= set(told.value)


def test_a_query_that_is_accepted_later_is_asked_then(own: Lake, tmp_path: Path) -> None:
    made_of(own, tmp_path)
    keep(tmp_path, about("a cyclic queue", "Ring"))
    made_of(own, tmp_path)
    assert asked(own, "judged_personal", "test") == {"a cyclic queue": ["m1"]}
    keep(tmp_path, about("a cyclic queue", "Ring"), about("append", "push", status="draft"))
    metadata = made_of(own, tmp_path).metadata
    assert metadata is not None
    assert metadata["unchanged"] is True


def test_own_queries_that_cannot_be_read_are_a_failure_with_its_remedy(
    own: Lake, tmp_path: Path
) -> None:
    (tmp_path / "personal_queries.json").write_text("{", encoding="utf-8")
    with pytest.raises(
        dg.Failure, match=r"personal_queries.json: The judged queries cannot be read"
    ):
        made_of(own, tmp_path)

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common.errors import ProvenderError
from evaluation.queries import FOLDER, JudgedSet, load_judged, read_judged, resolve

SHIPPED = sorted(FOLDER.glob("*.json"))


def _answer(symbol: str, source: str = "uv", path: str = "src/a.rs") -> dict[str, str]:
    return {"source": source, "path": path, "symbol": symbol}


def _query(identifier: str, *answers: dict[str, str], **changes: Any) -> dict[str, Any]:
    query = {"id": identifier, "query": f"find {identifier}", "style": "what"}
    return {**query, "answers": list(answers), **changes}


def _judged(*queries: dict[str, Any]) -> dict[str, Any]:
    return {"name": "mine", "split": "test", "revisions": {"uv": "1"}, "queries": list(queries)}


def _written(folder: Path, judged: dict[str, Any]) -> Path:
    path = folder / "mine.json"
    path.write_text(json.dumps(judged), encoding="utf-8")
    return path


def _unit(symbol: str, unit_id: str, source: str = "uv", path: str = "src/a.rs") -> dict[str, str]:
    return {**_answer(symbol, source, path), "unit_id": unit_id}


# What is shipped


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_set_loads_under_its_own_name(path: Path) -> None:
    judged = load_judged(path)
    assert judged.name == path.stem
    assert path.stem.endswith({"valid": "_valid", "test": "_queries"}[judged.split])


def test_both_splits_are_shipped() -> None:
    assert {load_judged(path).split for path in SHIPPED} == {"valid", "test"}


def test_ids_and_queries_are_unique_over_all_sets() -> None:
    queries = [query for path in SHIPPED for query in load_judged(path).queries]
    assert len({query.id for query in queries}) == len(queries)
    assert len({query.query.casefold() for query in queries}) == len(queries)


@pytest.mark.parametrize(("domain", "least"), [("rust", 120), ("formal", 150), ("general", 80)])
def test_each_domain_has_enough_test_queries(domain: str, least: int) -> None:
    assert len(load_judged(FOLDER / f"{domain}_queries.json").queries) >= least


def test_styles_are_about_equally_often() -> None:
    for path in SHIPPED:
        styles = Counter(query.style for query in load_judged(path).queries)
        assert min(styles.values()) * 2 >= max(styles.values())


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_answer_lies_in_a_pinned_source(path: Path) -> None:
    judged = load_judged(path)
    assert all(query.answers for query in judged.queries)
    sources = {answer.source for query in judged.queries for answer in query.answers}
    assert sources == set(judged.revisions)


def test_splits_share_no_source() -> None:
    valid, test = (
        {source for path in SHIPPED if path.stem.endswith(end) for source in _revisions(path)}
        for end in ("_valid", "_queries")
    )
    assert not valid & test


def test_revisions_are_pinned_in_the_manifests_that_ship() -> None:
    import yaml

    versions: dict[str, set[tuple[str, str]]] = {}
    for name in ("sources_quickstart.yaml", "sources_registry.yaml", "sources_full.yaml"):
        manifest = FOLDER.parents[1] / "config" / name
        for source in yaml.safe_load(manifest.read_text(encoding="utf-8"))["sources"]:
            pin = source.get("version") or source.get("ref")
            versions.setdefault(source["name"], set()).add((pin, source.get("split")))
    for path in SHIPPED:
        for source, revision in _revisions(path).items():
            assert (revision, load_judged(path).split) in versions[source]


def _revisions(path: Path) -> dict[str, str]:
    return load_judged(path).revisions


# Loading


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (_query("one", _answer("b"), query="another"), "id given twice: one"),
        (_query("ONE", _answer("b"), query="another"), "id given twice: one"),
        (_query("two", _answer("b"), query="Find ONE"), "query given twice: find one"),
    ],
)
def test_duplicates_are_refused_by_name(
    second: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = _written(tmp_path, _judged(_query("one", _answer("a")), second))
    with pytest.raises(ProvenderError, match=message) as caught:
        load_judged(path)
    assert caught.value.where == str(path)


def _unknown_style(judged: dict[str, Any]) -> None:
    judged["queries"][0]["style"] = "essay"


def _unknown_key(judged: dict[str, Any]) -> None:
    judged["queries"][0]["answer"] = []


def _unknown_split(judged: dict[str, Any]) -> None:
    judged["split"] = "train"


def _blank_query(judged: dict[str, Any]) -> None:
    judged["queries"][0]["query"] = " \n"


def _no_id(judged: dict[str, Any]) -> None:
    judged["queries"][0]["id"] = ""


def _no_answer(judged: dict[str, Any]) -> None:
    judged["queries"][0]["answers"] = []


@pytest.mark.parametrize(
    "damage",
    [_unknown_style, _unknown_key, _unknown_split, _blank_query, _no_id, _no_answer],
)
def test_what_breaks_the_schema_is_refused(
    damage: Callable[[dict[str, Any]], None], tmp_path: Path
) -> None:
    judged = _judged(_query("one", _answer("a")))
    damage(judged)
    with pytest.raises(ProvenderError, match="cannot be read"):
        load_judged(_written(tmp_path, judged))


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ProvenderError, match="cannot be read") as caught:
        load_judged(tmp_path / "absent.json")
    assert caught.value.where == str(tmp_path / "absent.json")


def test_every_fault_of_a_file_is_told_by_its_query(tmp_path: Path) -> None:
    judged = _judged(
        _query("one", _answer("a"), style="essay"),
        _query("two", _answer("a"), dialect="coq"),
        _query("three"),
    )
    path = _written(tmp_path, judged)
    found, faults = read_judged(path)
    assert found is None
    assert [(fault.where, fault.what.split(":")[0]) for fault in faults] == [
        (f"{path}: one", "`style`"),
        (f"{path}: two", "`dialect`"),
        (f"{path}: three", "`answers`"),
    ]
    with pytest.raises(ProvenderError, match=r"`style`: .* 2 more faults"):
        load_judged(path)


def test_a_query_of_several_lines_and_an_unpinned_source_are_faults(tmp_path: Path) -> None:
    judged = _judged(
        _query("one", _answer("a"), query="find \x1b[2J it"),
        _query("two", _answer("a", source="ruff")),
    )
    path = _written(tmp_path, judged)
    assert [(fault.where, fault.what) for fault in read_judged(path)[1]] == [
        (f"{path}: one", "The query is blank, or holds a line's end or another control character."),
        (f"{path}: two", "`revisions` lacks the source ruff of its answers."),
    ]


@pytest.mark.parametrize("text", ["{", "[]", "null", '{"queries": 3}', "[" * 100_000, "\xff"])
def test_what_is_no_judged_set_is_a_fault_of_its_file(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(text.encode("latin-1"))
    found, faults = read_judged(path)
    assert found is None
    assert all(fault.where == str(path) for fault in faults)
    assert faults


def test_only_what_was_accepted_is_asked() -> None:
    judged = JudgedSet.model_validate(
        _judged(
            _query("one", _answer("a")),
            _query("two", _answer("a"), status="draft"),
            _query("three", _answer("a"), status="rejected"),
        )
    )
    assert [query.id for query in judged.asked().queries] == ["one"]


def test_what_was_rejected_may_be_said_again(tmp_path: Path) -> None:
    judged = _judged(
        _query("one", _answer("a"), status="rejected"),
        _query("two", _answer("b"), query="find one"),
    )
    assert read_judged(_written(tmp_path, judged))[1] == []


# Resolving


def _resolved(
    queries: list[dict[str, Any]], units: list[dict[str, str]], pool: set[str] | None = None
) -> dict[str, list[str]]:
    judged = JudgedSet.model_validate(_judged(*queries))
    if pool is None:
        pool = {unit["unit_id"] for unit in units}
    return {row["query_id"]: row["unit_ids"] for row in resolve(judged, units, pool)}


def test_answers_become_ids_of_units() -> None:
    units = [_unit("a", "u1"), _unit("b", "u2"), _unit("a", "u3", path="src/other.rs")]
    queries = [_query("one", _answer("b"), _answer("a")), _query("two", _answer("b"))]
    assert _resolved(queries, units) == {"one": ["u1", "u2"], "two": ["u2"]}


def test_every_unit_of_a_symbol_in_a_file_is_an_answer() -> None:
    units = [_unit("a", "u2"), _unit("a", "u1")]
    assert _resolved([_query("one", _answer("a"), _answer("a"))], units) == {"one": ["u1", "u2"]}


def test_rows_carry_query_style_and_dialect() -> None:
    query = _query("one", _answer("a"), dialect="kani", style="symptom")
    judged = JudgedSet.model_validate(_judged(query))
    assert resolve(judged, [_unit("a", "u1")], {"u1"}) == [
        {
            "query_id": "one",
            "query": "find one",
            "style": "symptom",
            "dialect": "kani",
            "unit_ids": ["u1"],
        }
    ]


def test_queries_of_absent_sources_are_left_out() -> None:
    queries = [_query("one", _answer("a")), _query("two", _answer("z", source="ruff"))]
    assert _resolved(queries, [_unit("a", "u1")]) == {"one": ["u1"]}


def test_answers_of_absent_sources_are_left_out_of_a_query() -> None:
    query = _query("one", _answer("z", source="ruff"), _answer("a"))
    assert _resolved([query], [_unit("a", "u1")]) == {"one": ["u1"]}


@pytest.mark.parametrize("answer", [_answer("gone"), _answer("a", path="src/gone.rs")])
def test_an_answer_that_does_not_exist_is_refused_by_name(answer: dict[str, str]) -> None:
    place = f"one: uv/{answer['path']} {answer['symbol']}"
    with pytest.raises(ProvenderError, match=f"1 answers do not exist: {place}") as caught:
        _resolved([_query("one", answer)], [_unit("a", "u1")])
    assert caught.value.where == "mine"


def test_answers_outside_the_pool_are_left_out() -> None:
    units = [_unit("a", "u1"), _unit("b", "u2")]
    found = _resolved([_query("one", _answer("a"), _answer("b"))], units, pool={"u2"})
    assert found == {"one": ["u2"]}


def test_a_query_whose_answers_are_not_searched_is_refused_by_name() -> None:
    with pytest.raises(ProvenderError, match="one: no answer is searched"):
        _resolved([_query("one", _answer("a"))], [_unit("a", "u1")], pool=set())

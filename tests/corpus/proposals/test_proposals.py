"""Drafts of judged queries: where their words come from, and what is no draft."""

from __future__ import annotations

from typing import Any

import polars as pl

from corpus import schema
from corpus.heldout import MOST_COPIED, share_of_doc
from corpus.proposals import Draft, Wording, drafts
from tests.corpus.frames import pairs, units

NO_PAIRS = schema.empty(schema.PAIRS)


def unit(identifier: str, name: str, code: str, **more: Any) -> dict[str, Any]:
    return {
        "unit_id": identifier,
        "name": name,
        "symbol": name,
        "signature": f"fn {name}()",
        "code": code,
        "end_line": 20,
        **more,
    }


def worded(found: list[Draft], identifier: str) -> list[Wording]:
    return [w for each in found if each.unit["unit_id"] == identifier for w in each.wordings]


def proposed(*rows: dict[str, Any], of: pl.DataFrame = NO_PAIRS, **asked: Any) -> list[Draft]:
    return drafts(units(*rows), of, **{"count": 20, **asked})


READS = unit(
    "u1",
    "read_header",
    'fn read_header() {\n  bail!("the input ends before the header");\n'
    "  // Skip the padding between chunks of a header\n  skip();\n}",
)


def body(query: str, kind: str, identifier: str = "u1") -> pl.DataFrame:
    return pairs(
        {"unit_id": identifier, "pair_type": "body", "query_kind": kind, "query": query},
    )


# Where the words come from


def test_a_message_of_what_fails_is_a_symptom() -> None:
    found = proposed(READS, of=body("the input ends before the header", "symptom"))
    assert Wording("symptom", "the input ends before the header") in worded(found, "u1")


def test_a_message_of_what_does_not_fail_is_none() -> None:
    printing = {**READS, "code": READS["code"].replace("bail!", "println!")}
    assert (
        worded(proposed(printing, of=body("the input ends before the header", "symptom")), "u1")
        == []
    )


def test_a_remark_is_what_it_does() -> None:
    remark = "Skip the padding between chunks of a header"
    found = proposed(READS, of=body(remark, "implementation"))
    assert worded(found, "u1") == [Wording("what", remark)]


def test_a_remark_on_an_argument_is_of_the_line_below_it() -> None:
    remark = "Skip the padding between chunks of a header"
    within = {**READS, "code": READS["code"].replace("skip();", "padding,")}
    assert worded(proposed(within, of=body(remark, "implementation")), "u1") == []


def test_what_python_raises_is_a_symptom_without_its_values() -> None:
    code = 'def load(path):\n    raise ValueError(f"the archive at {path} lacks its index for {x}")'
    found = proposed(unit("u1", "load", code, language="python"))
    assert worded(found, "u1")[0] == Wording("symptom", "the archive at lacks its index")


def test_a_promise_is_a_property_of_what_it_is_a_method_of() -> None:
    other = unit("u2", "other", "fn other() {}", prose="Centuries may be negative or not.")
    contract = {"kind": "ensures", "text": "|result: &Self| !result.centuries.is_negative()"}
    method = unit("u1", "abs", "fn abs() {}", symbol="Duration::abs", contracts=[contract])
    owner = unit("u3", "third", "fn third() {}", prose="A duration.")
    found = proposed(method, other, owner)
    assert Wording("property", "duration centuries is not negative") in worded(found, "u1")


def test_the_name_of_a_test_tells_what_it_tests_does() -> None:
    test = unit(
        "t1",
        "test_header_of_an_older_version_never_loses_fields",
        "fn t() { read_header(); assert_eq!(1, 1) }",
        is_test=True,
        end_line=9,
    )
    said = "header of an older version never loses fields"
    assert Wording("property", said) in worded(proposed(READS, test), "u1")
    elsewhere = {**test, "name": "test_completely_different_things_stay_apart"}
    assert worded(proposed(READS, elsewhere), "u1") == []


def test_keywords_are_words_of_the_code_and_never_all_of_the_name() -> None:
    prose = "Checksum of a stream of records that a journal holds."
    code = "fn verify_journal_records(stream: Stream) { checksum(stream); checksum(stream) }"
    one = unit("u1", "merge_journal", code.replace("verify_journal_records", "merge_journal"))
    others = [unit(f"o{n}", f"o{n}x", code, prose=prose) for n in range(3)]
    [keyed] = [w for w in worded(proposed(one, *others), "u1") if w.style == "keywords"]
    words = keyed.query.split()
    assert 3 <= len(words) <= 4
    assert "checksum" in words
    assert not {"merge", "journal"} <= set(words)


# What is no draft


def test_what_stands_in_the_doc_is_no_draft() -> None:
    said = "Skip the padding between chunks of a header"
    documented = {
        **READS,
        "doc": "Skips padding between chunks.",
        "prose": "Skips padding between chunks.",
    }
    assert share_of_doc(said, documented["doc"]) > MOST_COPIED
    assert proposed(documented, of=body(said, "implementation")) == []


def test_what_spells_out_the_name_is_no_draft() -> None:
    said = "First read header bytes from the input"
    code = READS["code"].replace("Skip the padding between chunks of a header", said)
    assert proposed({**READS, "code": code}, of=body(said, "implementation")) == []


def test_a_text_for_two_definitions_and_one_that_is_known_are_no_drafts() -> None:
    said = "the input ends before the header"
    both = pl.concat([body(said, "symptom"), body(said, "symptom", "u2")])
    assert proposed(READS, {**READS, "unit_id": "u2", "path": "src/b.rs"}, of=both) == []
    assert proposed(READS, of=body(said, "symptom"), known=[said.upper()]) == []


def test_control_characters_are_no_draft() -> None:
    said = "the input ends \x1b[2J before the header"
    code = READS["code"].replace("the input ends before the header", said)
    assert proposed({**READS, "code": code}, of=body(said, "symptom")) == []


def test_plain_tests_are_nobodys_answer() -> None:
    said = "the input ends before the header"
    assert proposed({**READS, "is_test": True}, of=body(said, "symptom")) == []


# How they are drawn


def many(count: int) -> tuple[list[dict[str, Any]], pl.DataFrame]:
    rows, queries = [], []
    for n in range(count):
        said = f"stream number {n} ended before its header"
        code = f'fn a() {{ bail!("{said}") }}'
        rows.append(unit(f"u{n:02}", f"a{n}", code, path=f"src/{n % 4}.rs"))
        queries.append(body(said, "symptom", f"u{n:02}"))
    return rows, pl.concat(queries)


def test_the_same_seed_draws_the_same_in_any_order_and_another_draws_others() -> None:
    rows, queries = many(12)

    def drawn(rows: list[dict[str, Any]], seed: int) -> list[str]:
        return [each.unit["unit_id"] for each in proposed(*rows, of=queries, count=4, seed=seed)]

    assert drawn(rows, 1) == drawn(rows[::-1], 1)
    assert drawn(rows, 1) != drawn(rows, 2)


def test_they_are_spread_over_files() -> None:
    rows, queries = many(12)
    found = proposed(*rows, of=queries, count=4)
    assert {each.unit["path"] for each in found} == {f"src/{n}.rs" for n in range(4)}


def test_no_definition_gives_no_draft() -> None:
    assert drafts(schema.empty(schema.UNITS), NO_PAIRS, count=3) == []

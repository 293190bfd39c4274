from typing import Any

import polars as pl
import pytest

from corpus import schema
from corpus.markup import parse
from corpus.pairs.readme import readme_pairs
from tests.corpus.frames import LONG_CODE, units

MERGE = {
    "unit_id": "u1",
    "symbol": "merge_sorted",
    "name": "merge_sorted",
    "signature": "pub fn merge_sorted()",
}
MERGES = "`merge_sorted` merges two sorted lists of entries."
QUERY = "merges two sorted lists of entries"


def sections(text: str, path: str = "README.md", **columns: Any) -> pl.DataFrame:
    rows = [
        {
            "source": "demo",
            "path": path,
            "start_line": each.start_line,
            "end_line": each.end_line,
            "license_tier": "permissive",
            "titles": each.titles,
            "prose": each.paragraphs,
            "names": [
                {"name": n.name, "kind": n.kind, "paragraph": n.paragraph} for n in each.names
            ],
            "links": [
                {"path": n.path, "fragment": "", "paragraph": n.paragraph} for n in each.links
            ],
            **columns,
        }
        for each in parse("markdown", text.encode())
    ]
    return pl.DataFrame(rows, schema=schema.empty(schema.SECTIONS).schema)


def pairs(text: str, *rows: dict[str, Any], **columns: Any) -> list[tuple[str, str]]:
    found = readme_pairs(units(*(rows or [MERGE])), sections(text, **columns))
    return found.select("query", "unit_id").rows()


def test_a_pair_says_all() -> None:
    unit = {**MERGE, "prose": f"It {QUERY}. Stable."}

    found = readme_pairs(units(unit), sections(MERGES))

    row = schema.conform(found, schema.PAIRS).to_pylist()[0]
    assert found.height == 1
    assert (row["query"], row["positive"]) == (QUERY, LONG_CODE)
    assert (row["query_kind"], row["pair_type"], row["builder"]) == ("prose", "readme", "rust-1/2")
    assert row["doc_rest"] == "Stable."


def test_without_sections_there_are_no_pairs() -> None:
    assert readme_pairs(units(MERGE), schema.empty(schema.SECTIONS)).height == 0
    assert readme_pairs(schema.empty(schema.UNITS), sections(MERGES)).height == 0


@pytest.mark.parametrize(
    "title", ["Installation", "License", "Contributing", "Building", "Running tests", "Change log"]
)
def test_boilerplate_gives_nothing(title: str) -> None:
    assert pairs(f"# Demo\n\n## {title}\n\n{MERGES}\n\n### Deeper\n\n{MERGES}") == []


def test_a_title_that_names_is_described_by_what_follows() -> None:
    text = "# Demo\n\n## `merge_sorted`\n\nMerges two sorted lists. And more.\n"

    assert pairs(text) == [("Merges two sorted lists", "u1")]


def test_a_title_of_several_names_describes_none() -> None:
    assert pairs("## `merge_sorted` and `split_all`\n\nMerges two sorted lists.\n") == []


def test_code_answers_the_aim_before_it_where_the_words_agree() -> None:
    block = "\n\n```rust\nlet all = merge_sorted(left, right);\n```\n"

    assert pairs("To merge lists that are sorted, write:" + block) == [
        ("merge lists that are sorted", "u1")
    ]
    assert pairs("To get started with lists, write:" + block) == []


def test_a_link_to_the_file_makes_a_plain_word_a_name() -> None:
    run = {"unit_id": "u1", "symbol": "run", "name": "run", "path": "docs/src/run.rs"}
    says = "`run` executes all scheduled jobs in order"

    assert pairs(f"{says}.", run, path="docs/README.md") == []
    assert pairs(f"{says} ([source](src/run.rs)).", run, path="docs/README.md") != []
    assert pairs(f"{says} ([source](/docs/src/run.rs)).", run, path="docs/README.md") != []
    assert pairs(f"{says} ([source](../src/run.rs)).", run, path="docs/README.md") == []


def test_at_most_three_units_a_section() -> None:
    rows = [
        {**MERGE, "unit_id": f"u{n}", "symbol": f"merge_{n}_all", "name": f"merge_{n}_all"}
        for n in range(5)
    ]
    text = "\n".join(f"- `merge_{n}_all`: Merges {n} sorted lists of entries" for n in range(5))

    assert [unit for _, unit in pairs(text, *rows)] == ["u0", "u1", "u2"]


def test_the_best_sentence_of_a_unit_counts() -> None:
    text = f"{MERGES}\n\n`merge_sorted` returns a list without duplicates."

    assert pairs(text) == [(QUERY, "u1")]


def test_a_name_of_several_units_is_too_general() -> None:
    rows = [{**MERGE, "unit_id": f"u{n}", "path": f"src/{n}.rs"} for n in range(3)]

    assert [unit for _, unit in pairs(MERGES, *rows[:2])] == ["u0", "u1"]
    assert pairs(MERGES, *rows) == []


def test_a_query_for_more_than_three_units_is_dropped() -> None:
    rows = [
        {**MERGE, "unit_id": f"u{n}", "symbol": f"merge_{n}_all", "name": f"merge_{n}_all"}
        for n in range(4)
    ]
    text = "\n\n".join(f"# Part {n}\n\n`merge_{n}_all` {QUERY}." for n in range(4))

    assert pairs(text, *rows) == []
    assert len(pairs(text, *rows[:3])) == 3


def test_the_same_pair_is_given_once() -> None:
    assert pairs(f"# A\n\n{MERGES}\n\n# B\n\n{MERGES}") == [(QUERY, "u1")]


def test_plain_tests_are_no_answers() -> None:
    assert pairs(MERGES, {**MERGE, "is_test": True}) == []


def test_other_languages_are_left_out() -> None:
    assert pairs("`merge_sorted`: Объединяет два отсортированных списка записей") == []


def test_text_under_a_stricter_licence_than_the_code_is_left_out() -> None:
    assert pairs(MERGES, license_tier="strong") == []
    assert pairs(MERGES, {**MERGE, "license_tier": "strong"}, license_tier="strong") != []
    assert pairs(MERGES, {**MERGE, "license_tier": "strong"}) != []


def test_pairs_do_not_depend_on_the_order_of_rows() -> None:
    table = pl.concat([sections(f"# A\n\n{MERGES}"), sections("# A\n\nOther.", path="a.md")])

    assert readme_pairs(units(MERGE), table).equals(readme_pairs(units(MERGE), table.reverse()))

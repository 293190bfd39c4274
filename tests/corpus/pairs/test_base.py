from typing import Any

import polars as pl
import pytest

from corpus import schema
from corpus.pairs.base import Proposal, names_of, normal, refresh, to_pairs
from tests.corpus.frames import LONG_CODE, SWHID, units


def test_normal_text_has_neither_case_nor_white_space() -> None:
    assert normal("  Straße\n\tOF  Ä ") == "strasse of ä"


def test_names_are_the_beginnings_of_the_words_of_a_header() -> None:
    assert names_of("RingBuffer::push_back", "fn push_back(&mut self, item: HashMap)") == {
        *("ring", "buff", "push", "back", "item", "hash", "map"),
    }


def test_names_leave_out_single_letters_and_words_without_meaning() -> None:
    assert names_of("is_in_the_map", "is_in_the_map(x, y)") == {"map"}


def test_pair_holds_what_the_unit_knows() -> None:
    found = to_pairs(
        [Proposal("u1", "Adds two", "doc", "The rest.")],
        units({"dialect": "kani", "domain": "formal", "extractor": "rust-1"}),
        "doc",
        "1",
    )

    assert schema.conform(found, schema.PAIRS).num_rows == 1
    row = found.row(0, named=True)
    assert row["query"] == "Adds two"
    assert row["positive"] == LONG_CODE
    assert (row["query_kind"], row["pair_type"], row["doc_rest"]) == ("doc", "doc", "The rest.")
    assert (row["dialect"], row["domain"]) == ("kani", "formal")
    assert row["file_context"] == "demo/src/lib.rs"
    assert row["swhid"] == f"{SWHID};lines=1-3"
    assert row["builder"] == "rust-1/1"


def test_pair_holds_what_of_the_code_its_query_leaves() -> None:
    found = to_pairs([Proposal("u1", "Adds two", "doc", "", "fn left() {}")], units({}), "doc", "1")

    assert found["positive"].to_list() == ["fn left() {}"]


def test_proposal_for_an_unknown_unit_makes_no_pair() -> None:
    assert to_pairs([Proposal("u9", "Adds two", "doc", "")], units({}), "doc", "1").height == 0


def test_no_proposals_make_an_empty_table() -> None:
    found = to_pairs([], units({}), "doc", "1")

    assert schema.conform(found, schema.PAIRS).num_rows == 0


def test_pairs_come_in_the_order_of_the_proposals() -> None:
    pool = units({"unit_id": "u1"}, {"unit_id": "u2"})
    proposals = [Proposal(unit, f"Query {unit}", "doc", "") for unit in ("u2", "u1", "u2")]

    assert to_pairs(proposals, pool, "doc", "1")["unit_id"].to_list() == ["u2", "u1", "u2"]


def test_pair_id_does_not_depend_on_case_and_white_space() -> None:
    pool = units({"unit_id": "u1"}, {"unit_id": "u2", "code": LONG_CODE.replace("\n", "\n\t")})
    found = to_pairs(
        [Proposal("u1", "Adds two", "doc", ""), Proposal("u2", "adds  Two", "doc", "")],
        pool,
        "doc",
        "1",
    )

    assert found["pair_id"].n_unique() == 1


def test_pair_id_depends_on_query_and_code() -> None:
    pool = units({"unit_id": "u1"}, {"unit_id": "u2", "code": "fn other() {}"})
    found = to_pairs(
        [
            Proposal("u1", "Adds two", "doc", ""),
            Proposal("u1", "Adds three", "doc", ""),
            Proposal("u2", "Adds two", "doc", ""),
        ],
        pool,
        "doc",
        "1",
    )

    assert found["pair_id"].n_unique() == 3


def build(units: pl.DataFrame) -> pl.DataFrame:
    """Two pairs of each unit that has a doc."""
    proposals = [
        Proposal(unit, f"{kind} {doc}", kind, "")
        for unit, doc in units.select("unit_id", "doc").iter_rows()
        for kind in ("doc", "keywords")
        if doc
    ]
    return to_pairs(proposals, units, "doc", "1")


def unit(name: str, path: str, line: int, **changes: Any) -> dict[str, Any]:
    row = {"unit_id": name, "path": path, "start_line": line, "doc": f"Does {name}"}
    return {**row, "code": f"fn {name}() {{}}", **changes}


UNITS = [
    unit("a", "a.rs", 1),
    unit("b", "a.rs", 9),
    unit("c", "b.rs", 1, doc=""),
    unit("d", "c.rs", 1),
]


def marked(*rows: dict[str, Any]) -> pl.DataFrame:
    """The pairs of `rows`, with a mark that only carried ones can have."""
    return build(units(*rows)).with_columns(doc_rest=pl.lit("carried"))


def carried(found: pl.DataFrame) -> list[str]:
    return found.filter(doc_rest="carried")["unit_id"].unique(maintain_order=True).to_list()


def test_pairs_of_unchanged_files_are_carried_over() -> None:
    built: list[str] = []

    def counted(fresh: pl.DataFrame) -> pl.DataFrame:
        built.extend(fresh["unit_id"])
        return build(fresh)

    found = refresh(counted, "1", units(*UNITS), marked(*UNITS))

    assert carried(found) == ["a", "b", "d"]
    assert built == ["c"]  # a file without pairs leaves no trace
    assert schema.conform(found, schema.PAIRS)["unit_id"].to_pylist() == list("aabbdd")


def test_pairs_of_a_changed_file_are_made_again_and_stand_in_their_place() -> None:
    now = [unit("a", "a.rs", 1, blob_sha="1" * 40, doc="Does more"), *UNITS[2:]]
    found = refresh(build, "1", units(*now), marked(*UNITS))

    assert carried(found) == ["d"]
    assert found["query"].to_list() == [
        "doc Does more",
        "keywords Does more",
        "doc Does d",
        "keywords Does d",
    ]


@pytest.mark.parametrize(
    "version", [pytest.param("2", id="builder"), pytest.param("1", id="extractor")]
)
def test_pairs_of_another_version_are_made_again(version: str) -> None:
    now = [{**each, "extractor": "rust-2" if version == "1" else "rust-1"} for each in UNITS]

    assert carried(refresh(build, version, units(*now), marked(*UNITS))) == []


def test_pairs_of_deleted_units_vanish() -> None:
    found = refresh(build, "1", units(*UNITS[:1]), marked(*UNITS))

    assert found["unit_id"].unique().to_list() == ["a"]


def test_carried_pairs_take_what_the_revision_says_of_today() -> None:
    today = {
        "revision": "r2",
        "license": "MPL-2.0",
        "license_tier": "weak_file",
        "domain": "formal",
        "swhid": "swh:1:cnt:1;lines=1-3",
    }
    now = units(*({**each, **today} for each in UNITS))
    found = refresh(build, "1", now, marked(*UNITS))

    assert carried(found) == ["a", "b", "d"]
    assert found.select(*today).unique().rows(named=True) == [today]
    assert found.drop("doc_rest").equals(build(now).drop("doc_rest"))


def test_without_a_previous_table_everything_is_built() -> None:
    assert refresh(build, "1", units(*UNITS), None).equals(build(units(*UNITS)))

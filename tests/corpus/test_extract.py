from collections import Counter
from typing import Any

import polars as pl
import pytest

from corpus import schema
from corpus.extract import SUPPORTED, extract_units, versions
from corpus.files import classify
from tests.corpus.frames import POLICY, snapshot

CARGO = '[package]\nlicense = "MIT"\n'
A = "/// Adds **one**.\nfn add_one(x: u8) -> u8 { x + 1 }\nfn other() {}\n"
B = "impl Foo {\n    fn method(&self) {}\n}\n"
FILES = {"Cargo.toml": CARGO, "src/a.rs": A, "src/b.rs": B}


def extracted(
    files: dict[str, str],
    previous: pl.DataFrame | None = None,
    *,
    revision: str = "r1",
    domain: str = "rust",
) -> tuple[pl.DataFrame, Counter[str]]:
    taken = snapshot(files, revision=revision)
    return extract_units(classify(taken, POLICY), taken, domain, previous)


def only(text: str, path: str = "src/a.rs", **options: Any) -> dict[str, Any]:
    units, _ = extracted({"Cargo.toml": CARGO, path: text}, **options)
    assert units.height == 1
    return units.row(0, named=True)


def test_unit_knows_where_it_comes_from() -> None:
    row = only("/// Adds **one**.\nfn add_one(x: u8) -> u8 { x + 1 }\n")

    unit_id = row.pop("unit_id")
    assert len(unit_id) == 32
    assert row == {
        "source": "demo",
        "revision": "r1",
        "path": "src/a.rs",
        "blob_sha": "9abb771b10cc63f83fd8933f28add4282680c634",
        "start_line": 2,
        "end_line": 2,
        "language": "rust",
        "dialect": None,
        "category": "code",
        "is_test": False,
        "license": "MIT",
        "license_tier": "permissive",
        "domain": "rust",
        "kind": "function",
        "symbol": "add_one",
        "name": "add_one",
        "module": "",
        "signature": "fn add_one(x: u8) -> u8",
        "doc": "Adds **one**.",
        "prose": "Adds one.",
        "attributes": [],
        "code": "fn add_one(x: u8) -> u8 { x + 1 }",
        "file_context": "demo/src/a.rs",
        "extractor": versions()["rust"],
    }


def test_units_conform_and_come_in_order() -> None:
    units, _ = extracted(FILES)

    assert schema.conform(units, schema.UNITS)["symbol"].to_pylist() == [
        "add_one",
        "other",
        "Foo::method",
    ]


def test_source_without_units_gives_an_empty_table() -> None:
    units, counts = extracted({"Cargo.toml": CARGO})

    assert schema.conform(units, schema.UNITS).num_rows == 0
    assert counts == {}


def test_unit_with_a_proof_attribute_is_formal_in_any_source() -> None:
    row = only("#[kani::proof]\nfn check() {}\n", domain="personal")

    assert (row["domain"], row["category"], row["dialect"]) == ("formal", "verification", "kani")


def test_other_unit_of_a_file_with_proofs_is_plain_code() -> None:
    units, _ = extracted(
        {"Cargo.toml": CARGO, "a.rs": "#[kani::proof]\nfn check() {}\nfn real() {}\n"},
        domain="personal",
    )

    assert units.select("symbol", "domain", "category").rows() == [
        ("check", "formal", "verification"),
        ("real", "personal", "code"),
    ]


def test_unit_of_a_test_file_is_a_test() -> None:
    assert only("fn helper() {}\n", path="tests/it.rs")["is_test"] is True


def test_unit_of_a_test_module_is_a_test() -> None:
    assert only("#[cfg(test)]\nmod tests { fn helper() {} }\n")["is_test"] is True


def test_dropped_file_gives_no_units() -> None:
    units, counts = extracted({"Cargo.toml": CARGO, "vendor/a.rs": A})

    assert (units.height, counts) == (0, {})


def test_file_in_a_language_without_extractor_is_counted() -> None:
    assert "smtlib" not in SUPPORTED
    units, counts = extracted({"Cargo.toml": CARGO, "a.smt2": "(check-sat)\n"})

    assert (units.height, counts) == (0, {"no_extractor": 1})


def test_first_extraction_parses_every_file() -> None:
    assert extracted(FILES)[1] == {"parsed": 2}


def test_unchanged_file_is_not_parsed_again() -> None:
    before, _ = extracted(FILES)
    # A mark that only a carried row can have: parsing would write the true signature again.
    marked = before.with_columns(signature=pl.lit("carried"))

    units, counts = extracted(FILES, marked)

    assert counts == {"carried": 2}
    assert set(units["signature"]) == {"carried"}


def test_changed_file_is_parsed_again() -> None:
    before, _ = extracted(FILES)
    units, counts = extracted({**FILES, "src/b.rs": "fn fresh() {}\n"}, before, revision="r2")

    assert counts == {"carried": 1, "parsed": 1}
    assert units["symbol"].to_list() == ["add_one", "other", "fresh"]


def test_units_of_a_deleted_file_vanish() -> None:
    before, _ = extracted(FILES)
    units, counts = extracted({"Cargo.toml": CARGO, "src/b.rs": B}, before)

    assert units["path"].unique().to_list() == ["src/b.rs"]
    assert counts == {"carried": 1}


def test_moved_file_is_parsed_at_its_new_place() -> None:
    before, _ = extracted(FILES)
    units, counts = extracted({"Cargo.toml": CARGO, "src/c.rs": A, "src/b.rs": B}, before)

    assert units["path"].unique(maintain_order=True).to_list() == ["src/b.rs", "src/c.rs"]
    assert counts == {"carried": 1, "parsed": 1}


def test_rows_of_another_extractor_version_are_made_again() -> None:
    before, _ = extracted(FILES)
    old = before.with_columns(extractor=pl.lit("rust-0"), signature=pl.lit("old"))

    units, counts = extracted(FILES, old)

    assert counts == {"parsed": 2}
    assert units.equals(before)


def test_file_that_is_dropped_now_loses_its_units() -> None:
    before, _ = extracted(FILES)
    units, _ = extracted({**FILES, "Cargo.toml": '[package]\nlicense = "GPL-3.0-only"\n'}, before)

    assert units.height == 0


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(FILES, id="unchanged"),
        pytest.param({**FILES, "src/a.rs": "// Moved down.\n" + A}, id="changed"),
        pytest.param({"Cargo.toml": CARGO, "src/b.rs": B}, id="deleted"),
        pytest.param({**FILES, "src/aa.rs": A, "z.rs": B}, id="added"),
        pytest.param({**FILES, "Cargo.toml": '[package]\nlicense = "MPL-2.0"\n'}, id="relicensed"),
        pytest.param({"Cargo.toml": CARGO}, id="emptied"),
    ],
)
def test_refresh_equals_a_full_rebuild(after: dict[str, str]) -> None:
    before, _ = extracted(FILES)
    refreshed, _ = extracted(after, before, revision="r2")
    rebuilt, _ = extracted(after, revision="r2")

    assert schema.conform(refreshed, schema.UNITS).equals(schema.conform(rebuilt, schema.UNITS))


def test_unit_id_stays_while_place_and_symbol_do() -> None:
    before = only("fn f() { 1 }\n")
    after = only("fn f() { 2 }\n")

    assert before["unit_id"] == after["unit_id"]
    assert before["blob_sha"] != after["blob_sha"]


def test_carried_units_take_the_domain_of_today() -> None:
    before, _ = extracted(FILES)
    after, counts = extracted(FILES, before, domain="personal")

    assert counts == {"carried": 2}
    assert set(after["domain"]) == {"personal"}

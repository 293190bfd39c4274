from collections import Counter
from typing import Any

import polars as pl
import pytest

from common.errors import ProvenderError
from common.hashing import git_object
from corpus import schema
from corpus.extract import Extracted, extract_units, versions
from corpus.files import classify
from corpus.languages.base import Extraction
from corpus.reading import SUPPORTED, definitions
from corpus.sources import GitSource, Repository
from tests.corpus.frames import COMMIT, ORIGIN, POLICY, SOURCE, contents, snapshot

CARGO = '[package]\nlicense = "MIT"\n'
A = "/// Adds **one**.\nfn add_one(x: u8) -> u8 { x + 1 }\nfn other() {}\n"
B = "impl Foo {\n    fn method(&self) {}\n}\n"
FILES = {"Cargo.toml": CARGO, "src/a.rs": A, "src/b.rs": B}


def extract(
    files: dict[str, str],
    before: Extracted | None = None,
    *,
    revision: str = "r1",
    source: Repository = SOURCE,
    asked: list[str] | None = None,
) -> Extracted:
    listed = classify(snapshot(files, revision=revision), contents(files), POLICY, source)
    return extract_units(
        listed,
        contents(files, asked),
        source.domain,
        None if before is None else before.units,
        None if before is None else before.parsed,
    )


def extracted(
    files: dict[str, str], before: Extracted | None = None, **options: Any
) -> tuple[pl.DataFrame, Counter[str]]:
    found = extract(files, before, **options)
    return found.units, found.counts


def of_domain(domain: Any) -> GitSource:
    return SOURCE.model_copy(update={"domain": domain})


def blob(text: str) -> str:
    return git_object("blob", text.encode())


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
        "contracts": [],
        "heading": "",
        "code": "fn add_one(x: u8) -> u8 { x + 1 }",
        "file_context": "demo/src/a.rs",
        "swhid": f"swh:1:cnt:9abb771b10cc63f83fd8933f28add4282680c634;origin={ORIGIN}"
        f";anchor=swh:1:rev:{COMMIT};path=/src/a.rs;lines=2-2",
        "redacted": [],
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
    row = only("#[kani::proof]\nfn check() {}\n", source=of_domain("personal"))

    assert (row["domain"], row["category"], row["dialect"]) == ("formal", "verification", "kani")


def test_other_unit_of_a_file_with_proofs_is_plain_code() -> None:
    units, _ = extracted(
        {"Cargo.toml": CARGO, "a.rs": "#[kani::proof]\nfn check() {}\nfn real() {}\n"},
        source=of_domain("personal"),
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
    assert "markdown" not in SUPPORTED
    units, counts = extracted({"Cargo.toml": CARGO, "a.md": "# Title\n"})

    assert (units.height, counts) == (0, {"no_extractor": 1})


def test_first_extraction_parses_every_file() -> None:
    assert extracted(FILES)[1] == {"parsed": 2}


def test_unchanged_file_is_not_parsed_again() -> None:
    before = extract(FILES)
    # A mark that only a carried row can have: parsing would write the true signature again.
    marked = before.units.with_columns(signature=pl.lit("carried"))
    asked: list[str] = []

    units, counts = extracted(FILES, Extracted(marked, before.parsed, Counter()), asked=asked)

    assert counts == {"carried": 2}
    assert set(units["signature"]) == {"carried"}
    assert asked == []


def test_changed_file_is_parsed_again() -> None:
    before = extract(FILES)
    asked: list[str] = []
    fresh = "fn fresh() {}\n"
    units, counts = extracted({**FILES, "src/b.rs": fresh}, before, revision="r2", asked=asked)

    assert counts == {"carried": 1, "parsed": 1}
    assert asked == [blob(fresh)]
    assert units["symbol"].to_list() == ["add_one", "other", "fresh"]


def test_units_of_a_deleted_file_vanish() -> None:
    before = extract(FILES)
    units, counts = extracted({"Cargo.toml": CARGO, "src/b.rs": B}, before)

    assert units["path"].unique().to_list() == ["src/b.rs"]
    assert counts == {"carried": 1}


def test_moved_file_is_parsed_at_its_new_place() -> None:
    before = extract(FILES)
    units, counts = extracted({"Cargo.toml": CARGO, "src/c.rs": A, "src/b.rs": B}, before)

    assert units["path"].unique(maintain_order=True).to_list() == ["src/b.rs", "src/c.rs"]
    assert counts == {"carried": 1, "parsed": 1}


def test_rows_of_another_extractor_version_are_made_again() -> None:
    before = extract(FILES)
    old = before.units.with_columns(extractor=pl.lit("rust-0"), signature=pl.lit("old"))

    units, counts = extracted(FILES, Extracted(old, before.parsed, Counter()))

    assert counts == {"parsed": 2}
    assert units.equals(before.units)


def test_file_that_is_dropped_now_loses_its_units() -> None:
    before = extract(FILES)
    units, _ = extracted({**FILES, "Cargo.toml": '[package]\nlicense = "GPL-3.0-only"\n'}, before)

    assert units.height == 0


def test_functions_of_one_name_on_one_line_are_two_units() -> None:
    units, _ = extracted(
        {"Cargo.toml": CARGO, "a.rs": "impl A { fn f() { 1 } } impl A { fn f() { 2 } }\n"}
    )

    assert units["symbol"].to_list() == ["A::f", "A::f"]
    assert units["unit_id"].n_unique() == 2


def test_unit_id_stays_while_place_and_symbol_do() -> None:
    one = only("fn f() { 1 }\n")
    two = only("fn f() { 2 }\n")

    assert one["unit_id"] == two["unit_id"]
    assert one["blob_sha"] != two["blob_sha"]


def test_carried_units_take_the_domain_of_today() -> None:
    before = extract(FILES)
    after, counts = extracted(FILES, before, source=of_domain("personal"))

    assert counts == {"carried": 2}
    assert set(after["domain"]) == {"personal"}


# Files that were searched


EMPTY = "// nothing\n"
BROKEN = "fn half( {\n" + B
HALF = {**FILES, "src/c.rs": EMPTY}


def test_searched_file_is_known_by_its_bytes_and_the_extractor() -> None:
    found = extract({**HALF, "src/d.rs": BROKEN})

    version = versions()["rust"]
    assert schema.conform(found.parsed, schema.PARSED).drop(["language"]).to_pylist() == [
        {"path": path, "blob_sha": blob(text), "extractor": version, "fault": fault, "units": units}
        for path, text, fault, units in (
            ("src/a.rs", A, None, 2),
            ("src/b.rs", B, None, 1),
            ("src/c.rs", EMPTY, None, 0),
            ("src/d.rs", BROKEN, "syntax_error", 1),
        )
    ]


def test_file_without_units_is_not_parsed_again() -> None:
    asked: list[str] = []
    found = extract(HALF, extract(HALF), asked=asked, revision="r2")

    assert found.counts == {"carried": 3}
    assert found.parsed.height == 3
    assert asked == []


def test_file_that_was_searched_by_another_extractor_is_parsed_again() -> None:
    before = extract(HALF)
    old = before.parsed.with_columns(
        extractor=pl.when(path="src/c.rs").then(pl.lit("rust-0")).otherwise("extractor")
    )
    found = extract(HALF, Extracted(before.units, old, Counter()))

    assert found.counts == {"carried": 2, "parsed": 1}
    assert found.parsed.equals(before.parsed)


def test_searched_file_that_is_gone_is_forgotten() -> None:
    assert extract(FILES, extract(HALF)).parsed.height == 2


def test_file_whose_units_were_lost_on_the_way_is_parsed_again() -> None:
    before = extract(FILES)
    torn = before.units.filter(pl.col("symbol") != "other")
    found = extract(FILES, Extracted(torn, before.parsed, Counter()))

    assert found.counts == {"carried": 1, "parsed": 1}
    assert found.units.equals(before.units)


# The front door


def test_carriage_returns_change_no_text_and_no_line() -> None:
    unix = definitions("rust", A.encode())

    assert definitions("rust", A.replace("\n", "\r\n").encode()) == unix


@pytest.mark.parametrize("brackets", [b"(", b"[{", b"{(x)"])
def test_file_nested_beyond_reason_is_refused_by_name(brackets: bytes) -> None:
    assert definitions("rust", b"}}))" * 500 + brackets * 1001) == Extraction([], "nested_too_deep")


def test_brackets_that_close_again_are_no_nesting() -> None:
    assert definitions("rust", b"// " + b"([{}])" * 5000 + b"\n" + B.encode()).fault is None


# Bytes


def test_same_bytes_at_two_places_are_read_once_and_are_two_units() -> None:
    asked: list[str] = []
    found = extract({"Cargo.toml": CARGO, "src/a.rs": A, "tests/a.rs": A}, asked=asked)

    assert asked == [blob(A)]
    assert found.counts == {"parsed": 2}
    assert found.units.select("path", "is_test").unique(maintain_order=True).rows() == [
        ("src/a.rs", False),
        ("tests/a.rs", True),
    ]
    assert found.units["unit_id"].n_unique() == 4


def test_example_is_parsed_again_where_the_domain_makes_it_a_test_or_none() -> None:
    files = {"Cargo.toml": CARGO, "examples/a.rs": A}
    before = extract(files)
    found = extract(files, before, source=of_domain("formal"))

    assert set(before.units["is_test"]) == {True}
    assert set(found.units["is_test"]) == {False}
    assert found.counts == {"parsed": 1}


def test_who_waits_is_told_of_each_file_that_is_parsed() -> None:
    listed = classify(snapshot(FILES), contents(FILES), POLICY, SOURCE)
    told: list[tuple[int, int]] = []
    before = extract_units(listed, contents(FILES), "rust", progress=lambda *at: told.append(at))
    assert told == [(1, 2), (2, 2)]
    again = (before.units, before.parsed)
    extract_units(listed, contents(FILES), "rust", *again, progress=lambda *at: told.append(at))
    assert len(told) == 2, "what is carried over is not parsed"


def test_bytes_that_are_missing_say_what_to_do() -> None:
    listed = classify(snapshot(FILES), contents(FILES), POLICY, SOURCE)

    with pytest.raises(ProvenderError, match="The bytes of 1 files are not in the lake") as caught:
        extract_units(listed, contents({"src/b.rs": B}), "rust")
    assert caught.value.where == "source demo"


def test_mark_of_utf8_is_no_part_of_the_code() -> None:
    assert only("\ufefffn f() {}\n")["code"] == "fn f() {}"


# Redaction


TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


def test_secrets_and_addresses_are_in_no_column() -> None:
    row = only(f'/// Ask a.person@company.com.\nfn f() -> &str {{ "{TOKEN}" }}\n')

    assert row["doc"] == "Ask somebody@example.org."
    assert row["prose"] == "Ask somebody@example.org."
    assert row["code"] == 'fn f() -> &str { "REDACTED" }'
    assert TOKEN not in str(row)
    assert row["redacted"] == ["betterleaks.github-pat", "email"]


def test_unit_names_only_what_was_found_in_its_own_lines() -> None:
    text = (
        f'const KEY: &str = "{TOKEN}";\n'
        "/// Ask a.person@company.com,\n/// or somebody else.\n#[inline]\nfn one() {\n}\n"
        f'fn two() -> &str {{\n    "{TOKEN}"\n}}\n'
        "fn three() {}\n"
    )
    units, _ = extracted({"Cargo.toml": CARGO, "a.rs": text})

    assert units.select("symbol", "redacted").rows() == [
        ("one", ["email"]),
        ("two", ["betterleaks.github-pat"]),
        ("three", []),
    ]


def test_lines_stay_where_they_are_after_redaction() -> None:
    row = only(f'const KEY: &str = "{TOKEN}";\n\nfn f() {{\n}}\n')

    assert (row["start_line"], row["end_line"]) == (3, 4)
    assert row["swhid"].endswith(";path=/src/a.rs;lines=3-4")


# What the revision says


def test_carried_units_take_licence_and_place_of_today() -> None:
    before = extract(FILES)
    files = {**FILES, "Cargo.toml": '[package]\nlicense = "MPL-2.0"\n'}
    after = extract(files, before, revision="r2")

    assert after.counts == {"carried": 2}
    assert set(after.units.select("revision", "license", "license_tier").rows()) == {
        ("r2", "MPL-2.0", "weak_file")
    }
    assert after.units.equals(extract(files, revision="r2").units)


def test_carried_units_are_anchored_in_the_revision_of_today() -> None:
    before = extract(FILES)
    taken = snapshot(FILES).with_columns(anchor=pl.lit("swh:1:rev:" + "d" * 40))
    listed = classify(taken, contents(FILES), POLICY, SOURCE)
    after = extract_units(listed, contents({}), "rust", before.units, before.parsed)

    assert after.units["swhid"].str.extract(r"anchor=([^;]*)").unique().to_list() == [
        "swh:1:rev:" + "d" * 40
    ]
    assert after.units["swhid"].str.extract(r"lines=(.*)").to_list() == ["2-2", "3-3", "2-2"]

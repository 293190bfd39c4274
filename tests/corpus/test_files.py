from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest

from common.errors import ProvenderError
from common.hashing import git_object
from corpus import facts, schema
from corpus.files import Drop, classify
from corpus.licences import LicencePolicy
from corpus.sources import GitSource
from tests.corpus.frames import COMMIT, ORIGIN, POLICY, SOURCE, contents, snapshot
from tests.corpus.licences.texts import text

CODE = "pub fn add(a: u8, b: u8) -> u8 { a.wrapping_add(b) }\n"
CARGO = {"Cargo.toml": '[package]\nname = "demo"\nlicense = "MIT"\n'}
GPL_CARGO = {"Cargo.toml": '[package]\nname = "demo"\nlicense = "GPL-3.0-only"\n'}
PROOF = f"#[kani::proof]\n{CODE}"
LICENCES_OF_REUSE = (
    f"SPDX-License-{'Identifier'} = {[f'LicenseRef-{each:09}' for each in range(50)]}\n"
)
Files = Mapping[str, str | bytes]


def classified(
    files: Files,
    source: GitSource = SOURCE,
    *,
    policy: LicencePolicy = POLICY,
    states: Mapping[str, str] | None = None,
) -> pl.DataFrame:
    return classify(snapshot(files, states=states), contents(files), policy, source)


def row(
    path: str, content: str | bytes = CODE, others: Files = CARGO, **options: Any
) -> dict[str, Any]:
    """The classified row of one file in a small package."""
    found = classified({**others, path: content}, **options)
    return found.row(by_predicate=pl.col("path") == path, named=True)


def reason(
    path: str, content: str | bytes = CODE, others: Files = CARGO, **options: Any
) -> str | None:
    found = row(path, content, others, **options)
    assert found["kept"] is (found["drop_reason"] is None)
    return found["drop_reason"]


def kept(files: Files, source: GitSource = SOURCE, **options: Any) -> list[str]:
    return classified({**CARGO, **files}, source, **options).filter("kept")["path"].to_list()


def source(**settings: Any) -> GitSource:
    return SOURCE.model_copy(update=settings)


def test_source_file_is_kept_with_all_that_is_known_of_it() -> None:
    blob = git_object("blob", CODE.encode())

    assert row("src/lib.rs") == {
        "source": "demo",
        "revision": "r1",
        "path": "src/lib.rs",
        "blob_sha": blob,
        "swhid": f"swh:1:cnt:{blob};origin={ORIGIN};anchor=swh:1:rev:{COMMIT};path=/src/lib.rs",
        "size": len(CODE),
        "language": "rust",
        "dialect": None,
        "category": "code",
        "is_test": False,
        "license": "MIT",
        "license_tier": "permissive",
        "license_evidence": [{"by": "cargo", "place": "Cargo.toml", "expression": "MIT"}],
        "kept": True,
        "drop_reason": None,
        "states": [],
        "content_drop": None,
        "rules": facts.VERSION,
    }


def test_every_file_gets_a_row_of_the_table() -> None:
    found = classified({**CARGO, "a.rs": CODE, "b.pdf": b"%PDF-1.7\0"})

    assert schema.conform(found, schema.FILES)["path"].to_pylist() == [
        "Cargo.toml",
        "a.rs",
        "b.pdf",
    ]


def test_hostile_files_give_rows_like_any_other() -> None:
    files: dict[str, str | bytes] = {
        "Cargo.toml": "x = " + "1" * 5000,
        "REUSE.toml": '[[annotations]]\npath = "**"\nprecedence = "override"\n' + LICENCES_OF_REUSE,
        ".gitattributes": "[z-a linguist-vendored\n!x linguist-vendored\n* linguist-vendored=\n\0\n",
        "LICENSE": b"\xff\xfe\0",
        "a/pom.xml": '<?xml version="1.0" encoding="rot13"?><project/>',
        "a/package.json": "[" * 200_000,
        "a/PKG-INFO": "Content-Type: message/rfc822\n\n" * 3000,
        "a.rs": "(" * 10_000,
    }
    found = classified(files)

    assert schema.conform(found, schema.FILES).num_rows == len(files)
    assert found.filter("kept").is_empty()


def test_empty_snapshot_gives_an_empty_table() -> None:
    assert schema.conform(classified({}), schema.FILES).num_rows == 0


def test_lost_bytes_are_reported() -> None:
    with pytest.raises(ProvenderError, match="bytes of 1 files are not in the lake"):
        classify(snapshot({"a.rs": CODE}), contents({}), POLICY, SOURCE)


# What is never kept


@pytest.mark.parametrize("path", ["Cargo.toml", "README", "a.png", "paper.pdf", ".rs", "LICENSE"])
def test_file_in_no_known_language_is_no_code(path: str) -> None:
    assert reason(path, CARGO["Cargo.toml"]) == Drop.NO_CODE


@pytest.mark.parametrize(
    ("state", "drop"),
    [
        ("link", Drop.LINK),
        ("submodule", Drop.SUBMODULE),
        ("odd_path", Drop.ODD_PATH),
        ("no_code", Drop.NO_CODE),
        ("excluded", Drop.EXCLUDED),
        ("opted_out", Drop.OPT_OUT),
        ("too_large", Drop.TOO_LARGE),
        ("binary", Drop.BINARY),
    ],
)
def test_file_whose_bytes_are_not_stored_says_why(state: str, drop: Drop) -> None:
    found = row("a.rs", states={"a.rs": state})

    assert (found["kept"], found["drop_reason"]) == (False, drop)
    assert (found["states"], found["rules"], found["size"]) == ([], "", None)


@pytest.mark.parametrize(
    "content", [b"// caf\xe9\n", "fn f() {}\n".encode("utf-16"), b"\xfe\xff\0f"]
)
def test_file_that_is_not_utf8_is_dropped(content: bytes) -> None:
    assert reason("a.rs", content) == Drop.NOT_UTF8


def test_vendored_folder_is_dropped() -> None:
    assert reason("vendor/x/lib.rs") == Drop.VENDORED
    assert reason("src/vendor.rs") is None


@pytest.mark.parametrize("path", ["src/generated/a.rs", "a.pb.cc"])
def test_generated_name_is_dropped(path: str) -> None:
    assert reason(path) == Drop.GENERATED


@pytest.mark.parametrize("path", ["a.coma", "proof.json", "why3session.xml", "lake-manifest.json"])
def test_files_of_verifiers_are_never_kept(path: str) -> None:
    assert reason(path) == Drop.NO_CODE


def test_file_that_says_it_is_generated_is_dropped() -> None:
    assert reason("a.rs", f"// @generated\n{CODE}") == Drop.GENERATED


def test_minified_file_is_dropped() -> None:
    assert reason("a.js", "x" * 20_001) == Drop.MINIFIED


def test_empty_file_is_dropped() -> None:
    assert reason("a.rs", "\n") == Drop.EMPTY


def test_licence_text_in_markdown_is_no_document() -> None:
    assert reason("LICENSE.md", text("MIT")) == Drop.NO_CODE


# .gitattributes


@pytest.mark.parametrize(
    ("lines", "vendored"),
    [
        ("lib/** linguist-vendored", ["lib/a.rs", "lib/deep/b.rs"]),
        ("lib linguist-vendored", ["lib/a.rs", "lib/deep/b.rs"]),
        ("lib/* linguist-vendored=true", ["lib/a.rs", "lib/deep/b.rs"]),
        ("*.rs linguist-vendored", ["lib/a.rs", "lib/deep/b.rs", "src/a.rs"]),
        ("/a.rs linguist-vendored", []),
        ("*.rs text linguist-vendored eol=lf", ["lib/a.rs", "lib/deep/b.rs", "src/a.rs"]),
        ("*.rs -linguist-vendored", []),
        ("*.rs !linguist-vendored", []),
        ("*.rs linguist-vendored=false", []),
        ("*.rs linguist-generated", []),
        ("# *.rs linguist-vendored", []),
        ("*.rs linguist-vendored\nsrc/* -linguist-vendored", ["lib/a.rs", "lib/deep/b.rs"]),
        ("*.rs linguist-vendored\nsrc/* !linguist-vendored", ["lib/a.rs", "lib/deep/b.rs"]),
        (
            "src/* -linguist-vendored\n*.rs linguist-vendored",
            ["lib/a.rs", "lib/deep/b.rs", "src/a.rs"],
        ),
        ("*.rs linguist-vendored\nlib/* -linguist-vendored", ["lib/deep/b.rs", "src/a.rs"]),
    ],
)
def test_last_line_that_matches_says_what_is_vendored(lines: str, vendored: list[str]) -> None:
    files = {".gitattributes": lines + "\n", "lib/a.rs": "", "lib/deep/b.rs": "", "src/a.rs": ""}

    found = classified({**CARGO, **files})

    assert found.filter(drop_reason=Drop.VENDORED)["path"].to_list() == vendored


def test_attributes_of_a_deeper_folder_go_before() -> None:
    files = {
        "lib/.gitattributes": "*.rs -linguist-vendored\n",
        ".gitattributes": "*.rs linguist-vendored\n",
        "lib/a.rs": CODE,
        "b.rs": CODE,
    }

    assert kept(files) == ["lib/a.rs"]


def test_deeper_folder_goes_before_whatever_its_name() -> None:
    files = {
        "(group)/.gitattributes": "*.ts -linguist-vendored\n",
        ".gitattributes": "*.ts linguist-vendored\n",
        "(group)/a.ts": "a();\n",
    }

    assert min(files) == "(group)/.gitattributes"
    assert kept(files) == ["(group)/a.ts"]


def test_attributes_say_nothing_of_other_folders() -> None:
    assert kept(
        {"lib/.gitattributes": "*.rs linguist-vendored\n", "lib/a.rs": CODE, "b.rs": CODE}
    ) == ["b.rs"]


def test_attributes_say_what_is_generated() -> None:
    assert reason("a.rs", others={**CARGO, ".gitattributes": "a.* linguist-generated=true\n"}) == (
        Drop.GENERATED
    )


def test_attributes_do_not_take_back_what_a_name_says() -> None:
    files = {**CARGO, ".gitattributes": "vendor/** -linguist-vendored\n"}

    assert reason("vendor/a.rs", others=files) == Drop.VENDORED


# Licences


def test_file_under_a_strong_licence_is_dropped() -> None:
    found = row("a.rs", others=GPL_CARGO)

    assert (found["kept"], found["drop_reason"]) == (False, Drop.LICENCE)
    assert (found["license"], found["license_tier"]) == ("GPL-3.0-only", "strong")


def test_file_without_a_proven_licence_is_dropped() -> None:
    found = row("a.rs", others={})

    assert found["drop_reason"] == Drop.LICENCE
    assert (found["license"], found["license_tier"]) == (None, "none")
    assert found["license_evidence"] == []


def test_earlier_reason_stays_under_a_strong_licence() -> None:
    assert reason("vendor/a.rs", others=GPL_CARGO) == Drop.VENDORED


def test_header_decides_over_the_package() -> None:
    tag = "// SPDX-License-" + "Identifier: "

    found = row("a.rs", f"{tag}GPL-2.0-only\n{CODE}")
    assert (found["license"], found["drop_reason"]) == ("GPL-2.0-only", Drop.LICENCE)
    assert found["states"] == [{"by": "spdx", "place": "a.rs", "expression": "GPL-2.0-only"}]
    assert [each["by"] for each in found["license_evidence"]] == ["spdx", "cargo"]
    assert reason("a.rs", f"{tag}MIT\n{CODE}", others=GPL_CARGO) is None


NESTED = {**CARGO, "LICENSE": text("MIT"), "dep/LICENSE": text("Apache-2.0")}


def test_folder_of_another_licence_is_dropped() -> None:
    assert reason("dep/a.rs", others=NESTED) == Drop.BOUNDARY
    assert reason("src/a.rs", others=NESTED) is None


def test_folder_of_another_licence_is_kept_where_the_source_says_so() -> None:
    found = row("dep/a.rs", others=NESTED, source=source(nested_licences="keep"))

    assert (found["kept"], found["license"]) == (True, "Apache-2.0")


def test_folder_of_a_strong_licence_is_never_kept() -> None:
    files = {**NESTED, "dep/LICENSE": text("GPL-3.0")}

    assert reason("dep/a.rs", others=files, source=source(nested_licences="keep")) == Drop.LICENCE


def test_personal_source_is_owned() -> None:
    found = row("a.rs", others=GPL_CARGO, source=source(domain="personal"))

    assert (found["kept"], found["license"], found["license_tier"]) == (
        True,
        "GPL-3.0-only",
        "owned",
    )


def test_personal_source_without_a_licence_is_owned() -> None:
    found = row("a.rs", others={}, source=source(domain="personal"))

    assert (found["kept"], found["license"], found["license_tier"]) == (True, None, "owned")


@pytest.mark.parametrize(
    ("root", "inside", "tier", "drop"),
    [
        ("MIT", "Apache-2.0", "permissive", None),
        ("MIT", "GPL-3.0", "strong", Drop.LICENCE),
        (None, "Apache-2.0", "permissive", None),
        (None, "GPL-3.0", "strong", Drop.LICENCE),
        ("MIT", "MIT", "owned", None),
        ("GPL-3.0", "GPL-3.0", "owned", None),
    ],
)
def test_what_lies_behind_another_licence_is_not_owned(
    root: str | None, inside: str, tier: str, drop: Drop | None
) -> None:
    files = {"dep/LICENSE": text(inside)} | ({"LICENSE": text(root)} if root else {})
    mine = source(domain="personal", nested_licences="keep")

    found = row("dep/a.rs", others=files, source=mine)
    assert (found["license_tier"], found["drop_reason"]) == (tier, drop)
    assert row("a.rs", others=files, source=mine)["license_tier"] == "owned"


def test_owned_files_are_dropped_where_the_policy_does_not_keep_them() -> None:
    policy = POLICY.model_copy(update={"keep": ["permissive"]})

    assert reason("a.rs", source=source(domain="personal"), policy=policy) == Drop.LICENCE


# Language, category, tests


@pytest.mark.parametrize(
    ("path", "language", "category"),
    [
        ("a.rs", "rust", "code"),
        ("a.py", "python", "code"),
        ("A.lean", "lean", "verification"),
        ("A.tla", "tlaplus", "spec"),
        ("a.smt2", "smtlib", "spec"),
        ("README.md", "markdown", "documentation"),
        ("Makefile", None, "code"),
    ],
)
def test_language_and_category_come_from_the_name(
    path: str, language: str | None, category: str
) -> None:
    found = row(path, "text\n")

    assert (found["language"], found["category"]) == (language, category)


def test_dialect_makes_code_verification() -> None:
    found = row("a.rs", PROOF)

    assert (found["dialect"], found["category"]) == ("kani", "verification")


@pytest.mark.parametrize(
    ("path", "domain", "is_test"),
    [
        ("tests/it.rs", "rust", True),
        ("examples/e.rs", "rust", True),
        ("examples/e.rs", "formal", False),
        ("tests/it.rs", "formal", True),
        ("examples/tests/e.rs", "formal", True),
        ("src/lib.rs", "rust", False),
    ],
)
def test_test_and_example_are_marked(path: str, domain: str, is_test: bool) -> None:
    assert row(path, source=source(domain=domain))["is_test"] is is_test


TESTS = {f"tests/t{number}.rs": f"fn t{number}() {{}}\n" for number in range(6)}
PROOFS = {
    "tests/p.rs": PROOF,
    "tests/P.lean": "theorem p : True := trivial\n",
    "tests/P.tla": "---- MODULE P ----\n====\n",
    "tests/p.smt2": "(check-sat)\n",
}
FEW = POLICY.model_copy(update={"max_test_files": 2})


def test_tests_are_capped_by_the_policy_and_proofs_and_code_are_not() -> None:
    found = classified({**CARGO, **TESTS, **PROOFS, "src/lib.rs": CODE}, policy=FEW)

    assert found.filter(drop_reason=Drop.TEST_CAP).height == 4
    assert set(PROOFS) | {"src/lib.rs"} < set(found.filter("kept")["path"])
    assert found.filter("kept").height == len(PROOFS) + 1 + 2


@pytest.mark.parametrize(("most", "expected"), [(0, 0), (1, 1), (5, 5), (6, 6), (7, 6)])
def test_source_may_set_its_own_cap(most: int, expected: int) -> None:
    assert len(kept(TESTS, source(max_test_files=most), policy=FEW)) == expected


def test_cap_draws_the_same_tests_whatever_else_is_there() -> None:
    first = kept(TESTS, policy=FEW)
    more = kept({"a.rs": CODE, **dict(reversed(TESTS.items()))}, policy=FEW)

    assert first == ["tests/t0.rs", "tests/t4.rs"]
    assert [path for path in more if path in TESTS] == first
    assert (
        classified({**CARGO, **TESTS}, policy=FEW)
        .filter(drop_reason=Drop.TEST_CAP)["is_test"]
        .all()
    )


def test_tests_that_are_dropped_anyway_do_not_count() -> None:
    files = {**TESTS, **{f"tests/vendor/v{number}.rs": f"// {number}\n" for number in range(50)}}

    assert len(kept(files, source(max_test_files=6))) == 6


# What is carried over

BEFORE = {
    **CARGO,
    "LICENSE": text("MIT"),
    ".gitattributes": "lib/** linguist-vendored\n",
    "src/a.rs": PROOF,
    "src/b.rs": f"// @generated\n{CODE}",
    "src/c.rs": CODE,
    "lib/d.rs": CODE,
}


def again(after: Files, before: pl.DataFrame, policy: LicencePolicy = POLICY) -> list[str]:
    """The paths whose bytes are read when `after` follows `before`; the rows are checked."""
    asked: list[str] = []
    taken = snapshot(after, revision="r2")
    carried = classify(taken, contents(after, asked), policy, SOURCE, before)

    assert carried.equals(classify(taken, contents(after), policy, SOURCE))
    return sorted(
        path for path, blob in taken.select("path", "blob_sha").iter_rows() if blob in asked
    )


def test_second_time_reads_nothing() -> None:
    assert again(BEFORE, classified(BEFORE)) == []


def test_changed_and_new_files_are_read() -> None:
    after = {**BEFORE, "src/a.rs": CODE + CODE, "src/new.rs": "fn new() {}\n"}
    del after["src/b.rs"]

    assert again(after, classified(BEFORE)) == ["src/a.rs", "src/new.rs"]


def test_changed_licence_reaches_files_that_are_not_read_again() -> None:
    assert again({**BEFORE, "LICENSE": text("GPL-3.0")}, classified(BEFORE)) == ["LICENSE"]


def test_changed_policy_reads_nothing() -> None:
    assert again(BEFORE, classified(BEFORE), FEW) == []


def test_moved_file_is_read_as_what_it_now_is() -> None:
    after = {**BEFORE, "COPYING": BEFORE["LICENSE"]}
    del after["LICENSE"]

    assert again(after, classified(BEFORE)) == ["COPYING"]


def test_other_rules_read_everything() -> None:
    older = classified(BEFORE).with_columns(rules=pl.lit("0"))

    assert again(BEFORE, older) == sorted(BEFORE)


def test_file_that_was_left_out_is_read_when_it_comes_back() -> None:
    before = classified(BEFORE, states={"src/a.rs": "opted_out"})

    assert again(BEFORE, before) == ["src/a.rs"]


def test_one_blob_at_two_places_is_read_once_and_inspected_twice() -> None:
    files = {**CARGO, "LICENSE": text("MIT"), "a/LICENSE.md": text("MIT"), "a.rs": "", "b.py": ""}
    asked: list[str] = []

    found = classify(snapshot(files), contents(files, asked), POLICY, SOURCE)

    assert len(asked) == len(set(asked)) == 3
    assert [each[0]["place"] for each in found["states"] if len(each)] == [
        "Cargo.toml",
        "LICENSE",
        "a/LICENSE.md",
    ]

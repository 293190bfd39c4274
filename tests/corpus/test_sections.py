from typing import Any

import polars as pl
import pytest

from common.errors import ProvenderError
from common.hashing import git_object
from corpus import schema
from corpus.files import classify
from corpus.sections import Sections, extract_sections, unwanted, versions
from tests.corpus.frames import COMMIT, ORIGIN, POLICY, SOURCE, contents, snapshot

LICENCE = {"Cargo.toml": '[package]\nlicense = "MIT"\n'}
README = (
    "# Demo\n\nCalls `parse_all` of [it](src/a.rs#L2).\n\n## More\n\n```rust\nFoo::new();\n```\n"
)
FILES = {
    **LICENCE,
    "README.md": README,
    "docs/use.rst": "Use\n===\n\nText.\n",
    "docs/empty.adoc": ":toc:\n",
}


def extract(
    files: dict[str, str],
    previous: Sections | None = None,
    *,
    revision: str = "r1",
    asked: list[str] | None = None,
) -> Sections:
    listed = classify(snapshot(files, revision=revision), contents(files), POLICY, SOURCE)
    before = None if previous is None else previous.sections
    return extract_sections(listed, contents(files, asked), before)


def row(files: dict[str, str], path: str = "README.md") -> dict[str, Any]:
    return extract({**LICENCE, **files}).sections.filter(path=path).row(0, named=True)


def test_a_row_says_all() -> None:
    blob = git_object("blob", README.encode())

    assert row(FILES) == {
        "source": "demo",
        "revision": "r1",
        "path": "README.md",
        "blob_sha": blob,
        "start_line": 1,
        "end_line": 4,
        "language": "markdown",
        "license": "MIT",
        "license_tier": "permissive",
        "titles": ["Demo"],
        "prose": ["Calls parse_all of it."],
        "names": [{"name": "parse_all", "kind": "prose", "paragraph": 0}],
        "links": [{"path": "src/a.rs", "fragment": "L2", "paragraph": 0}],
        "file_context": "demo/README.md",
        "swhid": f"swh:1:cnt:{blob};origin={ORIGIN};anchor=swh:1:rev:{COMMIT};path=/README.md;lines=1-4",
        "extractor": versions()["markdown"],
    }


def test_the_table_conforms() -> None:
    found = extract(FILES)

    assert schema.conform(found.sections, schema.SECTIONS).num_rows == 4
    assert found.counts == {"parsed": 3}


def test_rows_are_in_the_order_of_path_and_line() -> None:
    found = extract(FILES).sections.select("path", "start_line").rows()

    assert found == sorted(found)


def test_every_markup_language_is_read_and_no_other() -> None:
    found = extract({**FILES, "src/a.rs": "/// Doc.\nfn a() {}\n", "notes.txt": "text"}).sections

    assert found["language"].unique().sort().to_list() == [
        "asciidoc",
        "markdown",
        "restructuredtext",
    ]


def test_a_file_that_says_nothing_has_one_row() -> None:
    found = row(FILES, "docs/empty.adoc")

    assert (found["titles"], found["prose"], found["names"], found["end_line"]) == ([], [], [], 1)


def test_unchanged_files_are_not_read_again() -> None:
    before = extract(FILES)
    asked: list[str] = []

    after = extract(FILES, before, asked=asked)

    assert asked == []
    assert after.counts == {"carried": 3}
    assert after.sections.equals(before.sections)


def test_what_changed_is_read_and_the_rest_is_of_the_new_revision() -> None:
    files = {**FILES, "README.md": "# Demo\n\nOther.\n"}
    asked: list[str] = []

    after = extract(files, extract(FILES), revision="r2", asked=asked)

    assert asked == [git_object("blob", b"# Demo\n\nOther.\n")]
    assert after.counts == {"carried": 2, "parsed": 1}
    assert after.sections.equals(extract(files, revision="r2").sections)


def test_a_deleted_file_leaves_nothing() -> None:
    files = {path: text for path, text in FILES.items() if path != "docs/use.rst"}

    assert extract(files, extract(FILES)).sections.equals(extract(files).sections)


def test_rows_of_another_version_are_made_again() -> None:
    before = extract(FILES)
    old = Sections(before.sections.with_columns(extractor=pl.lit("old")), before.counts)

    assert extract(FILES, old).counts == {"parsed": 3}


def test_a_licence_that_changed_is_carried_with_the_rest() -> None:
    files = {**FILES, "Cargo.toml": '[package]\nlicense = "MPL-2.0"\n'}

    found = extract(files, extract(FILES))

    assert found.counts == {"carried": 3}
    assert found.sections["license_tier"].unique().to_list() == ["weak_file"]


def test_the_same_bytes_at_two_places_are_read_once() -> None:
    asked: list[str] = []

    found = extract({**LICENCE, "a/README.md": README, "b/README.md": README}, asked=asked)

    assert len(asked) == 1
    assert found.sections["path"].to_list() == ["a/README.md"] * 2 + ["b/README.md"] * 2


def test_addresses_are_taken_out_before_parsing() -> None:
    found = row({"README.md": "Write to jane.doe@corp-mail.io for more.\n"})

    assert found["prose"] == ["Write to somebody@example.org for more."]


def test_lost_bytes_are_named() -> None:
    listed = classify(snapshot(FILES), contents(FILES), POLICY, SOURCE)

    with pytest.raises(ProvenderError, match="bytes of 3 files are not in the lake"):
        extract_sections(listed, contents({}))


def test_what_is_not_about_the_code_is_counted_by_reason() -> None:
    files = {
        **FILES,
        "CHANGELOG.md": "# 1.0\n",
        "CONTRIBUTING.md": "Do.\n",
        "tests/README.md": "Tests.\n",
    }

    found = extract(files)

    assert found.counts == {"parsed": 3, "changelog": 1, "community": 1, "test": 1}
    assert not found.sections["path"].str.contains("CHANGELOG|CONTRIBUTING|tests").any()


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("CHANGELOG.md", "changelog"),
        ("crates/a/changelog-0.9.rst", "changelog"),
        ("RELEASE_NOTES.md", "changelog"),
        ("docs/upgrading.md", "changelog"),
        ("docs/migration-guide.adoc", "changelog"),
        ("release-content/notes/a.md", "changelog"),
        (".changeset/big.md", "changelog"),
        ("LICENSE.md", "legal"),
        ("LICENSE-MIT.md", "legal"),
        ("third-party-licenses.md", "legal"),
        ("AUTHORS.rst", "legal"),
        ("CODE_OF_CONDUCT.md", "community"),
        ("SECURITY.md", "community"),
        (".github/ISSUE_TEMPLATE/bug.md", "community"),
        ("resources/mdtest/loops.md", "test"),
        ("README.md", None),
        ("docs/history/README.md", None),
        ("docs/newsletter.md", None),
        ("docs/changes-detection.md", None),
        ("docs/security-model.md", "community"),
        ("src/releases.md", "changelog"),
    ],
)
def test_unwanted_files_by_name(path: str, reason: str | None) -> None:
    assert unwanted(path) == reason

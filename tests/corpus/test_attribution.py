from collections.abc import Mapping

import polars as pl

from common.hashing import git_object
from corpus.attribution import notice
from corpus.files import classify
from tests.corpus.frames import COMMIT, ORIGIN, POLICY, SOURCE, contents, snapshot
from tests.corpus.licences.texts import text

TAG = "// SPDX-License-" + "Identifier: "
FILES = {
    "LICENSE": text("MIT"),
    "other/LICENSE": text("Apache-2.0"),
    "src/a.rs": "fn a() {}\n",
    "src/b.rs": "fn b() {}\n",
    "src/c.rs": f"// Copyright 2020 Ann\n{TAG}MPL-2.0\n\nfn c() {{}}\n",
}


def listed(files: Mapping[str, str]) -> pl.DataFrame:
    return classify(snapshot(files), contents(files), POLICY, SOURCE)


def noticed(rows: pl.DataFrame, known: Mapping[str, pl.DataFrame], files: Mapping[str, str]) -> str:
    held = {git_object("blob", each.encode()): each.encode() for each in files.values()}

    def given(_: str, blobs: list[str]) -> dict[str, bytes]:
        return {blob: held[blob] for blob in blobs if blob in held}

    return notice("demo model", rows, known.get, given)


def of(files: Mapping[str, str]) -> str:
    table = listed(files)
    return noticed(table.filter("kept"), {"demo": table}, files)


def headings(found: str) -> list[str]:
    return [line for line in found.splitlines() if line.startswith("#")]


def rows_of(found: str) -> list[str]:
    return [line for line in found.splitlines() if line.startswith("| ")][1:]


def test_notice_names_source_origin_commit_and_licences_with_counts() -> None:
    found = of(FILES)

    assert "Made from 3 files of 1 sources." in found
    assert (
        "Licences that occur: [MIT](https://spdx.org/licenses/MIT.html),"
        " [MPL-2.0](https://spdx.org/licenses/MPL-2.0.html)." in found
    )
    assert rows_of(found) == [
        f"| demo | {ORIGIN} | `swh:1:rev:{COMMIT}` | MIT | 2 |",
        f"| demo | {ORIGIN} | `swh:1:rev:{COMMIT}` | MPL-2.0 | 1 |",
    ]


def test_text_that_speaks_for_the_files_is_there_once_and_whole() -> None:
    found = of(FILES)

    assert headings(found) == [
        "# Attribution: demo model",
        "## demo",
        "### LICENSE",
        "### src/c.rs",
    ]
    for line in text("MIT").strip().splitlines():
        assert found.count(f"    {line}\n") >= 1
    assert found.count("Permission is hereby granted") == 1
    assert "Apache License" not in found


def test_header_stands_for_the_licence_that_only_it_states() -> None:
    assert f"    Copyright 2020 Ann\n    {TAG[3:]}MPL-2.0\n" in of(FILES)


def test_equal_headers_are_there_once_and_each_author_is_named() -> None:
    files = {
        "a.rs": f"// Copyright 2020 Ann\n{TAG}MIT\n\nfn a() {{}}\n",
        "b.rs": f"// Copyright 2020 Ann\n{TAG}MIT\n\nfn b() {{}}\n",
        "c.rs": f"// Copyright 2021 Bob\n{TAG}MIT\n\nfn c() {{}}\n",
    }

    found = of(files)
    assert headings(found)[2:] == ["### a.rs", "### c.rs"]
    assert found.count("Copyright 2020 Ann") == found.count("Copyright 2021 Bob") == 1


def test_equal_texts_are_there_once() -> None:
    files = {"LICENSE": text("MIT"), "a/LICENSE": text("MIT"), "a/a.rs": "fn a() {}\n"}

    assert headings(of(files))[2:] == ["### LICENSE"]


def test_sidecar_is_carried() -> None:
    files = {"a.rs": "fn a() {}\n", "a.rs.license": f"Copyright 2020 Ann\n{TAG[3:]}MIT\n"}

    found = of(files)
    assert headings(found)[2:] == ["### a.rs.license"]
    assert "    Copyright 2020 Ann\n" in found


def test_every_source_has_its_rows_and_its_texts() -> None:
    table = listed(FILES)
    other = table.with_columns(
        source=pl.lit("other"),
        swhid=pl.col("swhid").str.replace("example.org", "example.net", literal=True),
    )
    rows = pl.concat([other, table]).filter(pl.col("path") == "src/a.rs")

    found = noticed(rows, {"demo": table, "other": other}, FILES)
    assert "Made from 2 files of 2 sources." in found
    assert [row.split(" | ")[:2] for row in rows_of(found)] == [
        ["| demo", ORIGIN],
        ["| other", ORIGIN.replace("example.org", "example.net")],
    ]
    assert headings(found)[1:] == ["## demo", "### LICENSE", "## other", "### LICENSE"]


def test_source_whose_files_are_gone_is_still_named() -> None:
    found = noticed(listed(FILES).filter("kept"), {}, FILES)

    assert len(rows_of(found)) == 2
    assert headings(found) == ["# Attribution: demo model"]


def test_bytes_that_are_gone_leave_out_their_text() -> None:
    table = listed(FILES)

    found = noticed(table.filter("kept"), {"demo": table}, {"src/c.rs": FILES["src/c.rs"]})
    assert headings(found)[2:] == ["### src/c.rs"]


def test_row_without_a_licence_says_so() -> None:
    rows = listed(FILES).filter(path="src/a.rs").with_columns(license=pl.lit(None, pl.String))

    found = noticed(rows, {}, {})
    assert "Licences that occur" not in found
    assert rows_of(found) == [f"| demo | {ORIGIN} | `swh:1:rev:{COMMIT}` | none found | 1 |"]


def test_origin_is_shown_as_it_is() -> None:
    rows = listed(FILES).filter(path="src/a.rs")
    rows = rows.with_columns(
        swhid=pl.col("swhid").str.replace(ORIGIN, "https://example.org/a%3Bb%2520c", literal=True)
    )

    assert "| https://example.org/a;b%20c |" in noticed(rows, {}, {})


def test_nothing_made_gives_a_notice_of_nothing() -> None:
    assert "Made from 0 files of 0 sources." in noticed(listed(FILES).clear(), {}, {})

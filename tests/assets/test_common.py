import polars as pl

from assets.common import about, preview
from corpus.sources import PypiSource


def test_a_preview_has_the_columns_that_a_person_reads_and_that_differ() -> None:
    frame = pl.DataFrame(
        {
            "path": ["a.rs", "b.rs"],
            "origin": ["pkg:pypi/a@1", "pkg:pypi/a@1"],
            "source": ["a", "b"],
            "license_evidence": [[{"by": "text"}], []],
            "size": [1, None],
        }
    )
    assert preview(frame) == "| path | size |\n|---|---|\n| a.rs | 1 |\n| b.rs |  |"


def test_a_preview_of_one_row_and_of_none_has_what_there_is() -> None:
    frame = pl.DataFrame({"path": ["a.rs"], "source": ["a"]})
    assert preview(frame) == "| path |\n|---|\n| a.rs |"
    assert preview(frame.clear()) == "no rows"
    assert preview(pl.DataFrame({"source": ["a", "b"]})) == "| source |\n|---|\n| a |\n| b |"


def test_a_preview_draws_its_rows_from_all_of_the_table() -> None:
    shown = preview(pl.DataFrame({"path": [f"{n}.rs" for n in range(50)]}))
    assert [line.strip("| ") for line in shown.splitlines()[2:]] == [
        f"{n}.rs" for n in range(0, 50, 10)
    ]


def test_the_page_of_a_source_says_what_the_manifest_says() -> None:
    source = PypiSource(name="a", version="1", sha256="0" * 64, why="A parser.", license="MIT")
    assert about(source) == {
        "source": "A parser.",
        "kind": "pypi",
        "domain": "rust",
        "expected_license": "MIT",
    }

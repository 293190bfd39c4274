"""Column lineage names columns that exist, and the ones that a column really is made of."""

import pytest

from assets.lineage import SCHEMAS, column_lineage


def made_of(asset: str, column: str) -> list[str]:
    deps = column_lineage(asset).deps_by_column[column]
    return sorted(f"{dep.asset_key.to_user_string()}.{dep.column_name}" for dep in deps)


@pytest.mark.parametrize("asset", [each for each in SCHEMAS if each != "repos"])
def test_every_column_comes_from_columns_that_exist(asset: str) -> None:
    lineage = column_lineage(asset).deps_by_column

    assert list(lineage) == SCHEMAS[asset].names
    if asset == "codesearchnet_pairs":  # read from files that are no asset
        assert not any(lineage.values())
        return
    for column, deps in lineage.items():
        assert deps, column
        assert all(dep.column_name in SCHEMAS[dep.asset_key.to_user_string()].names for dep in deps)


@pytest.mark.parametrize(
    ("asset", "column", "expected"),
    [
        ("units", "license", ["files.license"]),
        ("units", "code", ["files.blob_sha"]),
        ("doc_pairs", "query", ["units.prose"]),
        ("doc_pairs", "positive", ["units.code"]),
        ("readme_pairs", "path", ["units.path", "sections.path"]),
        ("corpus", "split", [f"{kind}_pairs.source" for kind in
                             ("doc", "path", "body", "readme", "proof", "codesearchnet")]),
        ("datasets", "license", ["corpus.license"]),
    ],
)  # fmt: skip
def test_column_is_made_of(asset: str, column: str, expected: list[str]) -> None:
    assert made_of(asset, column) == sorted(expected)

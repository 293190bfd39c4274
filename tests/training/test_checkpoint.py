from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from common.errors import ProvenderError
from common.hashing import digest
from tests.tiny import pair, write_corpus
from training.checkpoint import (
    MANIFEST,
    VERSION,
    data_version,
    fingerprint,
    is_current,
    read_manifest,
    sources_of,
    write_provenance,
)
from training.recipe import Recipe


def test_data_version_follows_the_bytes_of_the_corpus(tmp_path: Path) -> None:
    one = write_corpus(tmp_path / "one.parquet", [pair(0)])
    same = write_corpus(tmp_path / "same.parquet", [pair(0)])
    other = write_corpus(tmp_path / "other.parquet", [pair(1)])
    assert data_version(one) == data_version(same) != data_version(other)


def test_data_version_of_a_folder_counts_every_part(tmp_path: Path) -> None:
    write_corpus(tmp_path / "part-0.parquet", [pair(0)])
    one = data_version(tmp_path)
    write_corpus(tmp_path / "sub" / "part-1.parquet", [pair(1)])
    two = data_version(tmp_path)
    (tmp_path / "notes.txt").write_text("not data", encoding="utf-8")
    assert one != two
    assert data_version(tmp_path) == two


def test_fingerprint_follows_recipe_data_and_parent() -> None:
    found = {
        fingerprint(Recipe(), "data", "base"),
        fingerprint(Recipe(seed=8), "data", "base"),
        fingerprint(Recipe(), "other", "base"),
        fingerprint(Recipe(), "data", "other base"),
    }
    assert len(found) == 4
    assert fingerprint(Recipe(), "data", "base") in found


def test_a_fingerprint_from_before_domains_decided_still_stands() -> None:
    recipe = Recipe()
    settings = recipe.model_dump(mode="json", exclude={"dataset": True, "watch": {"domains"}})
    assert fingerprint(recipe, "data", "base") == digest(VERSION, settings, "data", "base")
    of_one = Recipe.model_validate({"watch": {"domains": ["rust"]}})
    assert fingerprint(of_one, "data", "base") != fingerprint(recipe, "data", "base")


def test_sources_are_counted_by_revision_and_licence(tmp_path: Path) -> None:
    rows = [
        pair(0, source="b", revision="2", license="MIT"),
        pair(1, source="a", revision="1", license="Apache-2.0"),
        pair(2, source="b", revision="2", license="MIT"),
    ]
    assert sources_of(write_corpus(tmp_path / "c.parquet", rows)) == [
        {"source": "a", "revision": "1", "license": "Apache-2.0", "pairs": 1},
        {"source": "b", "revision": "2", "license": "MIT", "pairs": 2},
    ]


A = "swh:1:cnt:" + "a" * 40 + ";origin=https://example.org/a;path=/src/a.rs"
B = "swh:1:cnt:" + "b" * 40 + ";origin=https://example.org/b;path=/src/b.rs"
OF_A = {
    "source": "a",
    "revision": "1",
    "path": "src/a.rs",
    "blob_sha": "a" * 40,
    "license": "MIT",
    "license_tier": "permissive",
}
OF_B = {**OF_A, "source": "b", "path": "src/b.rs", "blob_sha": "b" * 40, "license": None}


def test_provenance_names_each_file_once_without_lines_and_counts_its_pairs(
    tmp_path: Path,
) -> None:
    rows = [
        pair(0, **OF_B, swhid=f"{B};lines=1-9"),
        pair(1, **OF_A, swhid=f"{A};lines=1-3"),
        pair(2, **OF_A, swhid=f"{A};lines=1-3"),
        pair(3, **OF_A, swhid=f"{A};lines=5-6"),
    ]
    corpus = write_corpus(tmp_path / "c.parquet", rows)
    write_provenance(corpus, tmp_path / "provenance.parquet")
    table = pq.read_table(tmp_path / "provenance.parquet")
    assert table.column_names == [
        *("source", "revision", "path", "blob_sha", "swhid", "license", "license_tier", "pairs")
    ]
    assert table.to_pylist() == [
        {**OF_A, "swhid": A, "pairs": 3},
        {**OF_B, "swhid": B, "pairs": 1},
    ]


def test_provenance_tells_the_same_bytes_at_two_places_apart(tmp_path: Path) -> None:
    rows = [
        pair(0, **{**OF_A, "path": "z.rs"}, swhid=f"{A};lines=1-3"),
        pair(1, **OF_A, swhid=f"{A};lines=1-3"),
    ]
    write_provenance(write_corpus(tmp_path / "c.parquet", rows), tmp_path / "p.parquet")
    found = pq.read_table(tmp_path / "p.parquet")
    assert found["path"].to_pylist() == ["src/a.rs", "z.rs"]


def test_provenance_does_not_depend_on_the_order_of_the_pairs(tmp_path: Path) -> None:
    # Rows of a data set: the same path in many repositories, no blob ids.
    rows = [
        pair(number, **{**OF_A, "blob_sha": "", "swhid": f"swh:1:rev:{number % 50};lines=1-2"})
        for number in range(200)
    ]
    made = []
    for name, listed in (("one", rows), ("two", rows[::-1])):
        corpus = write_corpus(tmp_path / f"{name}.parquet", listed)
        write_provenance(corpus, tmp_path / f"{name}-provenance.parquet")
        made.append(pq.read_table(tmp_path / f"{name}-provenance.parquet"))
    assert made[0].num_rows == 50
    assert made[0]["pairs"].to_pylist() == [4] * 50
    assert made[0].equals(made[1])


def test_provenance_of_a_folder_counts_every_part(tmp_path: Path) -> None:
    for part in (0, 1):
        row = pair(part, **OF_A, swhid=f"{A};lines=1-3")
        write_corpus(tmp_path / "corpus" / f"part-{part}.parquet", [row])
    write_provenance(tmp_path / "corpus", tmp_path / "p.parquet")
    assert pq.read_table(tmp_path / "p.parquet")["pairs"].to_pylist() == [2]


@pytest.mark.parametrize("text", [None, "{", ""])
def test_a_folder_without_a_readable_manifest_is_no_checkpoint(
    text: str | None, tmp_path: Path
) -> None:
    if text is not None:
        (tmp_path / MANIFEST).write_text(text, encoding="utf-8")
    with pytest.raises(ProvenderError, match="no checkpoint") as caught:
        read_manifest(tmp_path)
    assert caught.value.where == str(tmp_path)


def test_a_checkpoint_is_current_for_its_own_fingerprint_only(tmp_path: Path) -> None:
    assert not is_current(tmp_path, "abc")
    (tmp_path / MANIFEST).write_text(json.dumps({"fingerprint": "abc"}), encoding="utf-8")
    assert is_current(tmp_path, "abc")
    assert not is_current(tmp_path, "abd")


def test_provender_need_not_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import PackageNotFoundError

    from training import checkpoint

    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(checkpoint, "version", absent)
    assert checkpoint._package_version() == "not installed"

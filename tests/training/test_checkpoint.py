from __future__ import annotations

import json
from pathlib import Path

import pytest

from common.errors import ProvenderError
from tests.tiny import pair, write_corpus
from training.checkpoint import (
    MANIFEST,
    data_version,
    fingerprint,
    is_current,
    read_manifest,
    sources_of,
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

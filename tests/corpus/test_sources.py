from pathlib import Path

import pytest
from pydantic import ValidationError

from common.errors import ProvenderError
from corpus.sources import GitSource, Manifest, PypiSource, load_manifest

SHA = "a" * 64
CONFIG = Path(__file__).parents[2] / "config"


def manifest(tmp_path: Path, text: str) -> Manifest:
    path = tmp_path / "sources.yaml"
    path.write_text(text, encoding="utf-8")
    return load_manifest(path)


def test_manifest_holds_both_kinds_of_source(tmp_path: Path) -> None:
    found = manifest(
        tmp_path,
        "sources:\n"
        f"  - {{name: one, kind: pypi, version: '1.0', sha256: {SHA}}}\n"
        "  - {name: two, kind: git, url: /srv/two, ref: v1, domain: formal, split: test}\n",
    )

    assert found.sources == [
        PypiSource(name="one", version="1.0", sha256=SHA),
        GitSource(name="two", url="/srv/two", ref="v1", domain="formal", split="test"),
    ]


def test_source_is_found_by_name() -> None:
    two = GitSource(name="two", url="/srv/two")
    found = Manifest(sources=[PypiSource(name="one", version="1", sha256=SHA), two])

    assert found["two"] == two
    assert found.names == ["one", "two"]


def test_unknown_name_lists_the_known_ones() -> None:
    found = Manifest(sources=[GitSource(name="b", url="u"), GitSource(name="a", url="u")])

    with pytest.raises(ProvenderError, match="no source of this name") as caught:
        found["c"]
    assert caught.value.where == "c"
    assert caught.value.remedy == "Use one of: b, a."


def test_duplicate_names_are_refused(tmp_path: Path) -> None:
    text = "sources:\n  - {name: one, kind: git, url: a}\n  - {name: one, kind: git, url: b}\n"

    with pytest.raises(ProvenderError, match="source names appear twice: one") as caught:
        manifest(tmp_path, text)
    assert caught.value.where == str(tmp_path / "sources.yaml")


def test_empty_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProvenderError, match="`sources`: List should have at least 1 item"):
        manifest(tmp_path, "sources: []\n")


def test_misspelt_key_of_a_source_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ProvenderError, match="did you mean `version`"):
        manifest(tmp_path, f"sources: [{{name: a, kind: pypi, versoin: '1', sha256: {SHA}}}]\n")


def test_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProvenderError, match="'pypi', 'git'"):
        manifest(tmp_path, "sources: [{name: a, kind: svn, url: u}]\n")


@pytest.mark.parametrize("name", ["", "../up", "a/b", "-a", "A", ".a", "a" * 81])
def test_name_must_be_a_plain_file_name(name: str) -> None:
    with pytest.raises(ValidationError):
        GitSource(name=name, url="u")


@pytest.mark.parametrize("sha", ["", "a" * 63, "A" * 64, "g" * 64])
def test_digest_must_be_64_hex_digits(sha: str) -> None:
    with pytest.raises(ValidationError):
        PypiSource(name="a", version="1", sha256=sha)


@pytest.mark.parametrize("ref", ["", "--upload-pack=x", "a b", "a:b", "*"])
def test_ref_must_not_look_like_an_option_or_a_refspec(ref: str) -> None:
    with pytest.raises(ValidationError):
        GitSource(name="a", url="u", ref=ref)


def test_project_is_the_name_unless_stated() -> None:
    assert PypiSource(name="a", version="1", sha256=SHA).project_name == "a"
    assert PypiSource(name="a", project="b", version="1", sha256=SHA).project_name == "b"


def test_shipped_manifest_keeps_a_source_for_each_split() -> None:
    found = load_manifest(CONFIG / "sources_quickstart.yaml")

    assert {source.split for source in found.sources} == {"train", "valid", "test"}

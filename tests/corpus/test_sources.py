from pathlib import Path

import pytest
from pydantic import ValidationError

from common.errors import ProvenderError
from corpus.sources import DatasetSource, GitSource, Manifest, PathSource, PypiSource, load_manifest

SHA = "a" * 64
CONFIG = Path(__file__).parents[2] / "config"


def manifest(tmp_path: Path, text: str) -> Manifest:
    path = tmp_path / "sources.yaml"
    path.write_text(text, encoding="utf-8")
    return load_manifest(path)


def test_manifest_holds_every_kind_of_source(tmp_path: Path) -> None:
    found = manifest(
        tmp_path,
        "sources:\n"
        f"  - {{name: one, kind: pypi, version: '1.0', sha256: {SHA}}}\n"
        "  - {name: two, kind: git, url: /srv/two, ref: v1, domain: formal, split: test}\n"
        "  - {name: three, kind: path, path: /srv/three, worktree: true, domain: personal}\n"
        "  - {name: four, kind: dataset, urls: ['https://example.org/a.zip'], sample: 9}\n",
    )

    assert found.sources == [
        PypiSource(name="one", version="1.0", sha256=SHA),
        GitSource(name="two", url="/srv/two", ref="v1", domain="formal", split="test"),
        PathSource(name="three", path=Path("/srv/three"), worktree=True, domain="personal"),
        DatasetSource(name="four", urls=["https://example.org/a.zip"], sample=9),
    ]
    assert [each.name for each in found.repositories] == ["one", "two", "three"]
    assert [each.name for each in found.datasets] == ["four"]


def test_relative_paths_are_taken_from_the_manifests_folder(tmp_path: Path) -> None:
    found = manifest(
        tmp_path,
        "sources:\n"
        "  - {name: one, kind: path, path: ../one}\n"
        "  - {name: two, kind: path, path: /srv/two}\n"
        "  - {name: three, kind: dataset, paths: [a.jsonl, /srv/b.jsonl]}\n",
    )

    assert [each.path for each in found.repositories if isinstance(each, PathSource)] == [
        tmp_path / "../one",
        Path("/srv/two"),
    ]
    assert found.datasets[0].paths == [tmp_path / "a.jsonl", Path("/srv/b.jsonl")]


def test_relative_paths_do_not_depend_on_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").mkdir()
    manifest(tmp_path / "config", "sources: [{name: one, kind: path, path: one}]\n")
    monkeypatch.chdir(tmp_path)

    [source] = load_manifest(Path("config/sources.yaml")).sources

    assert isinstance(source, PathSource)
    assert source.path == tmp_path / "config/one"


def test_home_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    found = manifest(
        tmp_path,
        "sources:\n"
        "  - {name: one, kind: path, path: ~/one}\n"
        "  - {name: two, kind: dataset, paths: [~/two.zip]}\n",
    )

    [one, two] = found.sources
    assert isinstance(one, PathSource)
    assert isinstance(two, DatasetSource)
    assert one.path == Path("/home/me/one")
    assert two.paths == [Path("/home/me/two.zip")]


def test_home_of_nobody_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ProvenderError, match="~nobody-of-this-name/a begins with the home"
    ) as caught:
        manifest(tmp_path, "sources: [{name: one, kind: path, path: ~nobody-of-this-name/a}]\n")
    assert caught.value.where == "source one"


def test_manifests_are_read_into_one_and_each_has_its_own_folder(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        manifest(tmp_path / name, f"sources: [{{name: {name}, kind: path, path: here}}]\n")

    found = load_manifest(tmp_path / "a/sources.yaml", tmp_path / "b/sources.yaml")

    assert [each.path for each in found.repositories if isinstance(each, PathSource)] == [
        tmp_path / "a/here",
        tmp_path / "b/here",
    ]


def test_same_name_in_two_manifests_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        manifest(tmp_path / name, "sources: [{name: one, kind: path, path: here}]\n")

    with pytest.raises(ProvenderError, match="source names appear twice: one"):
        load_manifest(tmp_path / "a/sources.yaml", tmp_path / "b/sources.yaml")


def test_data_set_is_no_repository() -> None:
    found = Manifest(
        sources=[DatasetSource(name="csn", paths=[Path("a")]), GitSource(name="two", url="u")]
    )

    assert found.repository("two") == found["two"]
    with pytest.raises(ProvenderError, match="This source is a data set") as caught:
        found.repository("csn")
    assert caught.value.where == "csn"


@pytest.mark.parametrize("files", ["", ", urls: [a], paths: [b]", ", urls: [], paths: []"])
def test_data_set_has_either_addresses_or_paths(tmp_path: Path, files: str) -> None:
    with pytest.raises(ProvenderError, match="give either `urls` or `paths`"):
        manifest(tmp_path, f"sources: [{{name: a, kind: dataset{files}}}]\n")


@pytest.mark.parametrize("url", ["", "-uhelp", "ext::sh -c true", "a\nb", "fd::1"])
def test_address_that_could_run_a_command_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        GitSource(name="a", url=url)
    with pytest.raises(ValidationError):
        DatasetSource(name="a", urls=[url])


@pytest.mark.parametrize(
    "url",
    ["https://example.org/a.git", "git@example.org:me/a.git", "ssh://example.org/a", "/srv/a"],
)
def test_plain_address_is_taken(url: str) -> None:
    assert GitSource(name="a", url=url).url == url


def test_misspelt_key_is_told_with_its_line(tmp_path: Path) -> None:
    text = "sources:\n  - name: a\n    kind: path\n    path: here\n    worktre: true\n"

    with pytest.raises(ProvenderError, match=r"line 5: unknown key .*did you mean `worktree`"):
        manifest(tmp_path, text)


def test_option_beyond_its_bounds_is_told_with_its_line(tmp_path: Path) -> None:
    text = "sources:\n  - {name: a, kind: git, url: u}\n  - name: b\n    url: u\n    kind: git\n"

    with pytest.raises(ProvenderError, match=r"line 6: `sources\.1\.git\.weight`"):
        manifest(tmp_path, text + "    weight: 0\n")
    with pytest.raises(ProvenderError, match=r"line 6: `sources\.1\.git\.max_test_files`"):
        manifest(tmp_path, text + "    max_test_files: -1\n")


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
    with pytest.raises(ProvenderError, match="'pypi', 'git', 'path', 'dataset'"):
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


@pytest.mark.parametrize(
    "path", [pytest.param(each, id=each.name) for each in sorted(CONFIG.glob("sources_*.yaml"))]
)
def test_every_shipped_manifest_can_be_read(path: Path) -> None:
    assert load_manifest(path).sources


def test_shipped_manifest_keeps_a_source_for_each_split() -> None:
    found = load_manifest(CONFIG / "sources_quickstart.yaml")

    assert {source.split for source in found.sources} == {None, "valid", "test"}

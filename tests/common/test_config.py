from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError

from common.config import Settings, load
from common.errors import ProvenderError


class Inner(Settings):
    depth: int = 1


class Outer(Settings):
    name: str
    rate: float = 0.5
    inner: Inner = Inner()
    many: tuple[Inner, ...] = ()
    renamed: int = Field(default=0, alias="other_name")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "settings.yaml"


def refusal(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ProvenderError) as caught:
        load(path, Outer)
    assert caught.value.where == str(path)
    return caught.value.what


def test_yaml_becomes_the_model(path: Path) -> None:
    path.write_text("name: ∀\ninner:\n  depth: 3\nother_name: 4\n", encoding="utf-8")

    assert load(path, Outer) == Outer(name="∀", inner=Inner(depth=3), other_name=4)


def test_settings_are_immutable() -> None:
    with pytest.raises(ValidationError):
        Inner().depth = 2


def test_missing_file_is_named(path: Path) -> None:
    with pytest.raises(ProvenderError, match="There is no such file") as caught:
        load(path, Outer)
    assert caught.value.where == str(path)


def test_broken_yaml_is_refused(path: Path) -> None:
    assert refusal(path, "name: [1\n").startswith("This is not valid YAML:")


def test_file_that_is_not_utf8_is_refused(path: Path) -> None:
    path.write_bytes(b"name: \xff\n")

    with pytest.raises(ProvenderError, match="not valid YAML"):
        load(path, Outer)


@pytest.mark.parametrize("text", ["", "- name\n", "name\n"])
def test_file_without_a_mapping_is_refused(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ProvenderError, match="holds no mapping") as caught:
        load(path, Outer)
    assert caught.value.remedy == "Write at least one of: name, rate, inner, many, renamed."


def test_yaml_tags_make_no_objects(path: Path) -> None:
    assert "not valid YAML" in refusal(path, "name: !!python/object/apply:os.getcwd []\n")


def test_unknown_key_names_the_nearest_known_key(path: Path) -> None:
    assert refusal(path, "name: a\nratte: 1\n") == (
        "line 2: unknown key `ratte`; did you mean `rate`?"
    )


def test_unknown_nested_key_is_named_with_its_place(path: Path) -> None:
    what = refusal(path, "name: a\nmany: [{depht: 1}]\n")

    assert what == "line 2: unknown key `many.0.depht`; did you mean `depth`?"


def test_key_like_no_other_lists_the_known_keys(path: Path) -> None:
    what = refusal(path, "name: a\nzzzzzzz: 1\n")

    assert what.startswith("line 2: unknown key `zzzzzzz`; known keys: ")
    assert "depth, inner, many, name, other_name, rate" in what


def test_wrong_value_is_named_with_its_place(path: Path) -> None:
    what = refusal(path, "name: a\ninner: {depth: deep}\n")

    assert what.startswith("line 2: `inner.depth`: Input should be a valid integer")


def test_every_mistake_is_told_at_once(path: Path) -> None:
    what = refusal(path, "rat: 1\n")

    assert "line 1: `name`: Field required" in what
    assert "line 1: unknown key `rat`; did you mean `rate`?" in what


class Place(Settings):
    kind: Literal["path"] = "path"
    path: str
    deep: Inner = Inner()


class Address(Settings):
    kind: Literal["url"] = "url"
    url: str


class Places(Settings):
    places: list[Annotated[Place | Address, Field(discriminator="kind")]]
    weights: dict[str, float] = Field(default={})


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("places:\n  - kind: url\n    url: 1\n", 3),
        ("places:\n  - {kind: url, url: a}\n\n  # two\n  - kind: url\n    ulr: b\n    url: a\n", 6),
        ("places:\n  - kind: url\n\n  - kind: url\n    url: a\n", 2),
        ("places:\n  - kind: path\n    path: a\n    pth: b\n", 4),
        ("places:\n  - kind: path\n    path: 1\n", 3),
        ("places:\n  - kind: path\n    path: a\n    deep:\n      depth: x\n", 5),
        ("places:\n  - kind: none\n    url: a\n", 2),
        ("places: []\nweights:\n  rust: 1\n  formal: many\n", 4),
        ("# first\n\nplaces: none\n", 3),
        ("weights: {}\n", 1),
    ],
)
def test_mistake_is_told_with_its_line(path: Path, text: str, line: int) -> None:
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ProvenderError) as caught:
        load(path, Places)
    assert caught.value.what.startswith(f"line {line}: ")


def test_every_mistake_has_its_own_line(path: Path) -> None:
    path.write_text("weights:\n  a: x\n  b: y\nplaces: []\n", encoding="utf-8")

    with pytest.raises(ProvenderError) as caught:
        load(path, Places)
    assert [part[:7] for part in caught.value.what.split("; ")] == ["line 2:", "line 3:"]


def test_setting_from_a_merged_mapping_is_told_with_the_line_of_the_mapping(path: Path) -> None:
    path.write_text("name: &n a\ninner:\n  <<: {depth: deep}\n", encoding="utf-8")

    with pytest.raises(ProvenderError, match=r"^.*line 2: `inner\.depth`"):
        load(path, Outer)

import pytest

from corpus.markup.base import Link, Name, Section
from corpus.markup.markdown import parse


def only(text: str) -> Section:
    (section,) = parse(text.encode())
    return section


@pytest.mark.parametrize(
    ("text", "paragraphs"),
    [
        ("One *two*\n**three** ~~four~~.", ["One two three four."]),
        ("[![Build](b.svg)](https://example.org) ![x](y.png)", []),
        ("<p align='center'>gone</p>\n\nkept <b>bold</b>", ["kept bold"]),
        ("A [link](x.md), [ref][r] and <https://example.org>.\n\n[r]: y.md", ["A link, ref and ."]),
        ("Uses `a_b` and [`Foo`] but not [this].", ["Uses a_b and Foo but not [this]."]),
        ("text[^1]\n\n[^1]: a note of some words", ["text"]),
        ("> [!NOTE]\n> Quoted words.", ["Quoted words."]),
        ("| a | b |\n|---|---|\n| in | table |\n\nafter", ["after"]),
        ("- one\n- two\n  more\n\n  own", ["one", "two more", "own"]),
        ("{{#include x.md}}\n\ntext", ["text"]),
        ("a &lt; b \\* c", ["a < b * c"]),
    ],
)
def test_prose(text: str, paragraphs: list[str]) -> None:
    assert [each for section in parse(text.encode()) for each in section.paragraphs] == paragraphs


def test_sections_of_both_kinds_of_headings() -> None:
    text = "above\n\nTitle\n=====\n\ntext\n\n### `Foo::bar`\ndeep\n\nNext\n----\nlast"

    assert [
        (each.titles, each.level, each.start_line, each.end_line) for each in parse(text.encode())
    ] == [
        ((), 0, 1, 2),
        (("Title",), 1, 3, 7),
        (("Title", "Foo::bar"), 3, 8, 10),
        (("Title", "Next"), 2, 11, 13),
    ]


def test_headings_within_quotes_and_blocks_begin_nothing() -> None:
    section = only("# A\n> # B\n\n- # C\n\n```\n# D\n```\n")

    assert section.titles == ("A",)
    assert section.paragraphs == ("B", "C")


def test_names_and_where_they_stand() -> None:
    section = only(
        "# `Foo`\nfirst\n\nCall `bar_baz(1)`.\n\n```rust,no_run\nqux_all();\n```\n\n```sh\nnot_this()\n```\n"
    )

    assert section.names == (
        Name("Foo", "title"),
        Name("bar_baz", "prose", 1),
        Name("qux_all", "code", 1),
    )


def test_links() -> None:
    section = only("a\n\n[x](../src/a.rs#L3-L9) [y](https://example.org/b.rs)\n")

    assert section.links == (Link("../src/a.rs", "L3-L9", 1),)


def test_front_matter_is_no_heading() -> None:
    assert only("---\ntitle: x\n---\ntext") == Section((), 0, 1, 4, ("text",))


def test_nothing_gives_nothing() -> None:
    assert parse(b"") == parse(b"# Title only\n") == parse(b"\n\n---\n") == []

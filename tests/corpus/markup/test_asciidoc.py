import pytest

from corpus.markup.asciidoc import parse
from corpus.markup.base import Link, Name, Section


def only(text: str) -> Section:
    (section,) = parse(text.encode())
    return section


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Uses `a_b`, ``c_d`` and `+e_f+`", "Uses a_b, c_d and e_f"),
        ("*bold `x_y`* _soft_ #mark# 2*3*4 a_b_c", "bold x_y soft mark 2*3*4 a_b_c"),
        ("link:src/x.rs[the file] xref:y.adoc#z[there] <<id,here>>", "the file there here"),
        ("https://example.org[Site] https://example.org end", "Site end"),
        ("image:x.png[alt] text footnote:[gone] kbd:[Ctrl] {attr}", "text Ctrl"),
        ("NOTE: Take\ncare.", "Take care."),
        ("one +\ntwo", "one two"),
    ],
)
def test_inline(text: str, shown: str) -> None:
    assert only(text).paragraphs == (shown,)


@pytest.mark.parametrize(
    ("text", "paragraphs"),
    [
        (
            "* one\n** two\n- three\n. four\n1. five\n* [x] six",
            ["one", "two", "three", "four", "five", "six"],
        ),
        ("term:: meaning\nother::\n  its meaning", ["term: meaning", "other: its meaning"]),
        ("|===\n|a |b\n|===\n\nkept", ["kept"]),
        ("////\ngone\n////\n// gone\nkept", ["kept"]),
        ("++++\n<b>\n++++\nkept", ["kept"]),
        (":attr: value\ninclude::x.adoc[]\nifdef::x[]\nkept", ["kept"]),
        (".Title\n====\nInside.\n====\n", ["Inside."]),
        ("[NOTE]\n====\nInside.\n====\n", ["Inside."]),
        ("one\n+\ntwo", ["one", "two"]),
        ("----\nopen for ever", []),
    ],
)
def test_blocks(text: str, paragraphs: list[str]) -> None:
    assert [each for section in parse(text.encode()) for each in section.paragraphs] == paragraphs


def test_sections() -> None:
    text = "= Title\nThe Author\n:toc:\n\nabove\n\n== One\na\n\n=== Two\nb\n\n== Three\nc\n"

    assert [
        (each.titles, each.level, each.start_line, each.end_line) for each in parse(text.encode())
    ] == [
        (("Title",), 1, 1, 6),
        (("Title", "One"), 2, 7, 9),
        (("Title", "One", "Two"), 3, 10, 12),
        (("Title", "Three"), 2, 13, 14),
    ]
    assert parse(text.encode())[0].paragraphs == ("above",)


def test_names_and_links() -> None:
    section = only(
        "== `Foo`\nCall `bar_all()` of link:src/bar.rs#L3[it].\n\n"
        "[source,rust]\n----\nfirst_call();\n----\n\n"
        "[source,sh]\n----\nnot_this()\n----\n\n```java\nsecondCall();\n```\n\n[source,rust]\nthird_call();\n\n"
        " fourth_call()\n"
    )

    assert section.names == (
        Name("Foo", "title"),
        Name("bar_all", "prose", 0),
        Name("first_call", "code", 0),
        Name("secondCall", "code", 0),
        Name("third_call", "code", 0),
        Name("fourth_call", "code", 0),
    )
    assert section.links == (Link("src/bar.rs", "L3", 0),)

import pytest

from corpus.markup.base import (
    MAX_LINES,
    MAX_PARAGRAPH,
    Inline,
    Link,
    Name,
    Outline,
    Section,
    block_names,
    decoded,
    is_compound,
    line_count,
    span_names,
)


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("parse_duration", ["parse_duration"]),
        ("parse_duration()", ["parse_duration"]),
        ("parse_duration(text, 10)", ["parse_duration"]),
        ("Epoch::from_utc", ["Epoch::from_utc"]),
        ("Vec::<T>::push(x)", ["Vec::push"]),
        ("Map<Vec<u8>, String>", ["Map"]),
        ("fn scan(x: u8) -> bool", ["scan"]),
        ("pub async fn scan", ["scan"]),
        ("select!", ["select!"]),
        ("select! { }", ["select!"]),
        ("&Config", ["Config"]),
        ("~module.Type", ["module.Type"]),
        ("RBMap.find?", ["RBMap.find?"]),
        ("Config", ["Config"]),
        ("Type#method", ["Type#method"]),
        ("let x = load_all(path)", ["load_all"]),
        ("cargo test --all", []),
        ("--verbose", []),
        ("x", []),
        ("", []),
        ("∀ x", []),
    ],
)
def test_names_of_a_code_span(code: str, names: list[str]) -> None:
    assert list(span_names(code)) == names


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("use a::b::Thing;", ["a::b::Thing"]),
        ("let run_time = Runtime::new();", ["run_time", "Runtime::new"]),
        ("go(1); go(2)", ["go"]),
        ("plain words and Names", []),
        ("// calls other_thing\nreal_thing(); # see third_thing", ["real_thing"]),
        ('print("not_this", or_this)', ["print", "or_this"]),
        ("#[derive(Debug)] struct A;", ["derive"]),
    ],
)
def test_names_of_a_block_are_told_from_words(code: str, names: list[str]) -> None:
    assert list(block_names(code)) == names


@pytest.mark.parametrize(
    ("name", "compound"),
    [("parse", False), ("HTTP", False), ("Config", False), ("HttpClient", True), ("a_b", True)],
)
def test_names_of_several_words(name: str, *, compound: bool) -> None:
    assert is_compound(name) is compound


def test_titles_are_those_above() -> None:
    outline = Outline()
    for level, title, line in [(1, "A", 1), (2, "B", 3), (3, "C", 5), (2, "D", 7)]:
        outline.heading(level, Inline(title), line)
        outline.paragraph(Inline(f"in {title}"))

    sections = outline.finish(8)

    assert [(each.titles, each.level) for each in sections] == [
        (("A",), 1),
        (("A", "B"), 2),
        (("A", "B", "C"), 3),
        (("A", "D"), 2),
    ]
    assert [(each.start_line, each.end_line) for each in sections] == [
        (1, 2),
        (3, 4),
        (5, 6),
        (7, 8),
    ]


def test_a_section_without_anything_is_none() -> None:
    outline = Outline()
    outline.heading(1, Inline("A"), 1)
    outline.heading(2, Inline("B"), 2)
    outline.paragraph(Inline("text"))

    assert outline.finish(3) == [Section(("A", "B"), 2, 2, 3, ("text",))]


@pytest.mark.parametrize(
    ("title", "names"),
    [
        (Inline("parse_all"), ["parse_all"]),
        (Inline("scan(text)"), ["scan"]),
        (Inline("Usage"), []),
        (Inline("README.md"), []),
        (Inline("How parse_all works"), []),
        (Inline("The Foo type", ["Foo"]), ["Foo"]),
    ],
)
def test_a_title_may_name(title: Inline, names: list[str]) -> None:
    outline = Outline()
    outline.heading(1, title, 1)
    outline.paragraph(Inline("text"))

    assert [each.name for each in outline.finish(1)[0].names] == names


def test_code_names_say_after_which_paragraph() -> None:
    outline = Outline()
    outline.code("first_call()")
    outline.paragraph(Inline("text"))
    outline.code("second_call()", "rust")
    outline.code("third_call()", "Bash")

    assert outline.finish(9)[0].names == (
        Name("first_call", "code", -1),
        Name("second_call", "code", 0),
    )


@pytest.mark.parametrize(
    ("target", "link"),
    [
        ("src/lib.rs#L10", Link("src/lib.rs", "L10", 0)),
        ("../a%20b.md", Link("../a b.md", "", 0)),
        ("/docs/x.md?raw=1", Link("/docs/x.md", "", 0)),
        ("https://example.org/x.rs", None),
        ("mailto:x", None),
        ("//example.org/x", None),
        ("#anchor", None),
        ("a%00b", None),
        ("", None),
    ],
)
def test_links_stay_in_the_repository(target: str, link: Link | None) -> None:
    outline = Outline()
    outline.paragraph(Inline("text", targets=[target]))

    assert outline.finish(1)[0].links == ((link,) if link else ())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see https://example.org/a_(b). More", "see . More"),
        ("two\n  lines", "two lines"),
        ("noted[^1] {#anchor}", "noted"),
        ("∀ x ≤ y", "∀ x ≤ y"),
    ],
)
def test_addresses_and_marks_go(text: str, shown: str) -> None:
    outline = Outline()
    outline.paragraph(Inline(text))

    assert outline.finish(1)[0].paragraphs == (shown,)


def test_what_says_nothing_is_no_paragraph() -> None:
    outline = Outline()
    for text in ("", "1 2 3", "https://example.org", "x" * (MAX_PARAGRAPH + 1)):
        outline.paragraph(Inline(text))

    assert outline.finish(1) == []


def test_front_matter_keeps_its_lines() -> None:
    assert decoded(b"---\na: b\n---\n# T\n") == "\n\n\n# T\n"
    assert decoded(b"+++\na = 1\n+++\ntext") == "\n\n\ntext"
    assert decoded(b"---\nno end\n") == "---\nno end\n"


def test_bytes_of_any_kind_are_decoded() -> None:
    assert decoded(b"\xef\xbb\xbfa\r\nb\rc\x00\xff") == "a\nb\nc\ufffd\ufffd"


def test_no_more_lines_are_read_than_a_person_writes() -> None:
    assert line_count(decoded(b"a\n" * (MAX_LINES + 10))) == MAX_LINES
    assert line_count("a\nb") == line_count("a\nb\n") == 2

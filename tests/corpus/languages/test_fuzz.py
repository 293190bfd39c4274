"""Whatever happens to a file, its definitions are what its lines say, and no extractor fails or hangs."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.extract import SUPPORTED, definitions
from corpus.languages.base import Definition
from tests.corpus.languages.samples import SAMPLES

NOISE = [
    *("{", "}", "(", ")", "[", "]", '"', "'", "`", "\\", "/*", "*/", "//", "--", "/-", "-/", "(*", "*)"),
    *("\n", "\r\n", "\r", "\t", "\0", "∀", "𝔘", "\u2028", "\ufeff", "r#\"", "#", ";", "|", "==", ":=", "@"),
    *("fn ", "def ", "class ", "theorem ", "namespace ", "verus! {", "requires", "ensures", "==== "),
]  # fmt: skip

POSITION = st.integers(0, 4000)
CHANGE = st.one_of(
    st.tuples(st.just("insert"), POSITION, st.sampled_from(NOISE)),
    st.tuples(st.just("delete"), POSITION, st.integers(1, 200)),
    st.tuples(st.just("repeat"), POSITION, st.integers(1, 200)),
    st.tuples(st.just("cut"), POSITION, st.none()),
    st.tuples(st.just("bytes"), POSITION, st.binary(min_size=1, max_size=4)),
)
EXAMPLES = settings(
    max_examples=120,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def mutated(text: str, changes: list[tuple]) -> bytes:
    content = text.encode()
    for kind, position, what in changes:
        at = position % (len(content) + 1)
        if kind == "insert":
            content = content[:at] + what.encode() + content[at:]
        elif kind == "delete":
            content = content[:at] + content[at + what :]
        elif kind == "repeat":
            content = content[:at] + content[at : at + what] * 3 + content[at:]
        elif kind == "cut":
            content = content[:at]
        else:
            content = content[:at] + what + content[at + len(what) :]
    return content


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def check(found: Definition, lines: list[str]) -> None:
    """`found` lies inside the file, and its code is made of what stands in its lines, in order."""
    assert 1 <= found.start_line <= found.end_line <= len(lines)
    assert found.symbol
    assert found.name
    assert "\n" not in found.signature
    rest = squeezed("\n".join(lines[found.start_line - 1 : found.end_line]))
    for line in found.code.split("\n"):
        for piece in line.split("…"):
            text = squeezed(piece)
            at = rest.find(text)
            assert at >= 0, (found, piece)
            rest = rest[at + len(text) :]


def lines_of(content: bytes) -> list[str]:
    text = content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").decode("utf-8", "replace")
    return text.split("\n")


def test_every_language_has_a_sample_with_definitions() -> None:
    assert set(SAMPLES) == SUPPORTED
    for language, text in SAMPLES.items():
        found = definitions(language, text.encode())
        assert len(found.definitions) >= 4, language
        assert found.fault is None, language


@pytest.mark.parametrize("language", sorted(SAMPLES))
def test_mutated_files_give_what_their_lines_say(language: str) -> None:
    @given(st.lists(CHANGE, max_size=6))
    @EXAMPLES
    def holds(changes: list[tuple]) -> None:
        content = mutated(SAMPLES[language], changes)
        lines = lines_of(content)
        for each in definitions(language, content).definitions:
            check(each, lines)

    holds()


@pytest.mark.parametrize("language", sorted(SAMPLES))
@pytest.mark.parametrize(
    "turn",
    [lambda text: text.replace("\n", "\r\n"), lambda text: "\ufeff" + text],
    ids=["crlf", "bom"],
)
def test_line_ends_and_marks_change_nothing(language: str, turn: Callable[[str], str]) -> None:
    plain = definitions(language, SAMPLES[language].encode())

    assert definitions(language, turn(SAMPLES[language]).encode()) == plain


@pytest.mark.parametrize("language", sorted(SAMPLES))
def test_definitions_further_down_are_the_same_further_down(language: str) -> None:
    comment = {"python": "# ∀\n", "lean": "-- ∀\n", "tlaplus": "∀\n", "smtlib": "; ∀\n"}
    moved = comment.get(language, "// ∀\n") + "\n" * 4 + SAMPLES[language]
    before = definitions(language, SAMPLES[language].encode()).definitions
    after = definitions(language, moved.encode()).definitions

    assert [each.start_line - 5 for each in after] == [each.start_line for each in before]
    assert [each.code for each in after] == [each.code for each in before]


@pytest.mark.parametrize("language", sorted(SAMPLES))
@pytest.mark.parametrize(
    "piece", ["(", "{", "a(", '"', "/*", "/-", "(*", "<", "x = ", "- ", "@", "\\", "∀"]
)
def test_a_million_bytes_of_anything_end(language: str, piece: str) -> None:
    definitions(language, piece.encode() * (200_000 // len(piece.encode())))

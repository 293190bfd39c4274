"""Whatever happens to a file, its definitions are what its lines say, and no extractor fails or hangs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.languages.base import Definition
from corpus.reading import SUPPORTED, definitions
from tests.corpus.languages.samples import SAMPLES

# A hang is in a parser written in C, which no signal gets out of.
pytestmark = pytest.mark.timeout(120, method="thread")

LANGUAGES = sorted(SAMPLES)

NOISE = [
    *("{", "}", "(", ")", "[", "]", '"', "'", "`", "\\", "/*", "*/", "//", "--", "/-", "-/", "(*", "*)"),
    *("/**", "///", "//@", "/*@", '"""', "'''", 'r#"', "R\"(", "#", ";", "|", "==", ":=", "@", "=>", "<"),
    *("\n", "\r\n", "\r", "\t", "\f", "\0", "∀", "𝔘", "\u0301", "\u2028", "\x85", "\ufeff", "…"),
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
    max_examples=100,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

_SLASHES = ("//", "/*")
REMARKS = {
    **dict.fromkeys(("java", "typescript", "javascript", "cpp"), _SLASHES),
    "rust": (*_SLASHES, "doc"),
    "python": ('"', "'", "#"),
    "lean": ("--", "/-"),
    "tlaplus": ("\\*", "(*"),
    "smtlib": (";",),
}
"""With what docs and comments begin that the code of a definition may leave out."""

OUTLINES = frozenset({"module", "script"})
"""Whole files: what they say of themselves is left out, wherever it stands."""


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


TOKEN = re.compile(r"\w+|[^\w\s\ufffd]")


def squeezed(text: str) -> str:
    """Without white space, and without what stands for bytes that are no text: one or more of it."""
    return re.sub(r"[ \t-\r\ufffd]+", "", text)


def lines_of(content: bytes) -> list[str]:
    text = content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").decode("utf-8", "replace")
    return text.split("\n")


def pieces(code: str) -> Iterator[str]:
    """What of each line of `code` is verbatim: all but the elisions."""
    for line in code.split("\n"):
        yield from filter(squeezed, line.split("…"))


def check_code(found: Definition, span: list[str], remarks: tuple[str, ...]) -> None:
    """Each line of the code is in one line of `span`, in order; only docs and bodies may be left out."""
    lines = [squeezed(line) for line in span]
    has_remarks = any(mark in line for line in span for mark in remarks)
    row = column = 0
    words: list[str] = []
    for part in pieces(found.code):
        # A doc in the middle of a line leaves what stands before and behind it.
        whole = squeezed(part)
        is_split = has_remarks and not any(whole in line for line in lines[row:])
        texts = TOKEN.findall(part) if is_split else [whole]
        words += texts
        for text in texts:
            while (at := lines[row].find(text, column)) < 0:
                row, column = row + 1, 0
                assert row < len(lines), (found, part)
            column = at + len(text)
    if found.kind in OUTLINES:
        return
    assert words[0] in lines[0], found
    ends_otherwise = any(mark in line for line in span[row:] for mark in (*remarks, "\ufffd"))
    if not found.code.endswith("…") and not ends_otherwise:
        assert words[-1] in lines[-1], found
    if "…" not in found.code and not has_remarks:
        assert squeezed(found.code) in "".join(lines), found


def check(language: str, content: bytes) -> None:
    """Every definition lies inside the file, after the one before, and says what stands there."""
    lines = lines_of(content)
    everything = squeezed("".join(lines))
    last = 1
    for found in definitions(language, content).definitions:
        assert last <= found.start_line <= found.end_line <= len(lines), found
        last = found.start_line
        assert found.name, found
        assert found.name in found.symbol, found
        assert "\n" not in found.signature, found
        if found.kind not in OUTLINES:
            for word in found.signature.removesuffix("…").split():
                assert squeezed(word) in everything, (found, word)
        check_code(found, lines[found.start_line - 1 : found.end_line], REMARKS[language])


def test_every_language_has_a_sample_with_definitions() -> None:
    assert set(SAMPLES) == set(REMARKS) == SUPPORTED
    for language, text in SAMPLES.items():
        found = definitions(language, text.encode())
        assert len(found.definitions) >= 4, language
        assert found.fault is None, language


@pytest.mark.parametrize("language", LANGUAGES)
def test_mutated_files_give_what_their_lines_say(language: str) -> None:
    @given(st.lists(CHANGE, max_size=6))
    @EXAMPLES
    def holds(changes: list[tuple]) -> None:
        check(language, mutated(SAMPLES[language], changes))

    holds()


@pytest.mark.parametrize("language", LANGUAGES)
def test_line_ends_of_mutated_files_change_nothing(language: str) -> None:
    @given(st.lists(CHANGE, max_size=6))
    @EXAMPLES
    def holds(changes: list[tuple]) -> None:
        content = mutated(SAMPLES[language], changes).replace(b"\r", b"")
        expected = definitions(language, content)

        assert definitions(language, content.replace(b"\n", b"\r\n")) == expected

    holds()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "turn",
    [lambda text: text.replace("\n", "\r\n"), lambda text: "\ufeff" + text],
    ids=["crlf", "bom"],
)
def test_line_ends_and_marks_change_nothing(language: str, turn: Callable[[str], str]) -> None:
    plain = definitions(language, SAMPLES[language].encode())

    assert definitions(language, turn(SAMPLES[language]).encode()) == plain


@pytest.mark.parametrize("language", LANGUAGES)
def test_definitions_further_down_are_the_same_further_down(language: str) -> None:
    comment = {"python": "# ∀\n", "lean": "-- ∀\n", "tlaplus": "∀\n", "smtlib": "; ∀\n"}
    moved = comment.get(language, "// ∀\n") + "\n" * 4 + SAMPLES[language]
    before = definitions(language, SAMPLES[language].encode()).definitions
    after = definitions(language, moved.encode()).definitions

    assert [each.start_line - 5 for each in after] == [each.start_line for each in before]
    assert [each.code for each in after] == [each.code for each in before]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "piece",
    [
        *("(", "{", "[", "a(", "{\n", '"', "'", "`", "/*", "/-", "(*", "<", "<a", "x = ", "- ", "@"),
        *("\\", "∀", "\0", "\n", " ", "\r", "#", "/*\n", "/** a */\n", "a: b ", "a.b", "!", "x\n"),
    ],
    ids=ascii,
)  # fmt: skip
def test_any_number_of_anything_ends(language: str, piece: str) -> None:
    check(language, f"{SAMPLES[language]}{piece * 400}{SAMPLES[language]}".encode())

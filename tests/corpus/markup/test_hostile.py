"""Whatever a file holds, its sections come in time and without an exception."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus import markup
from corpus.paths import DOCUMENTATION

_BYTES = 100_000
_SECONDS = 15
"""Of the processor, with coverage on. Without it a tenth of a second is enough; what takes quadratic
time takes minutes."""

_PIECES = [
    *(
        "[",
        "![",
        "[a](",
        "*a ",
        "**a",
        "`",
        "`` ` ",
        "<a ",
        "<!-- ",
        "> ",
        "* + - ",
        "- a\n\n",
        "a\n",
    ),
    *(
        "a\n=\n",
        "[a]: b\n",
        "```\n",
        "<div>\n",
        ".. a::\n",
        "a::\n\n b\n",
        ":a:`",
        "`a <",
        "|a ",
        "a_ ",
    ),
    *(
        "link:a[",
        "<<a",
        "https://a[b ",
        "a:: ",
        "----\n",
        "[source]\n",
        "a::b<",
        "Vec<",
        "# a_b\n",
        "\0",
    ),
]


def test_every_language_of_prose_has_a_parser() -> None:
    assert markup.VERSIONS.keys() == DOCUMENTATION


@pytest.mark.parametrize("language", sorted(DOCUMENTATION))
@pytest.mark.parametrize("piece", _PIECES)
def test_repeated_pieces_end_in_time(language: str, piece: str) -> None:
    source = (piece * (_BYTES // len(piece)))[:_BYTES].encode()
    start = time.process_time()

    markup.parse(language, source)

    assert time.process_time() - start < _SECONDS


@pytest.mark.parametrize("language", sorted(DOCUMENTATION))
def test_deep_nesting_ends_in_time(language: str) -> None:
    start = time.process_time()
    for source in (
        "".join("> " * (n % 60) + "a\n" for n in range(1_000)),
        "> " * 15 + "a\n" + "b\n" * 30_000,
        ("> - " * 8 + "a\n") * 1_000,
        "".join(" " * n + "a\n\n" for n in range(600)),
        "".join(" " * n + ".. class:: a\n\n" for n in range(600)),
    ):
        markup.parse(language, source.encode())

    assert time.process_time() - start < _SECONDS


@given(st.sampled_from(sorted(DOCUMENTATION)), st.binary(max_size=400))
def test_bytes_of_any_kind_raise_nothing(language: str, source: bytes) -> None:
    markup.parse(language, source)


@given(
    st.sampled_from(sorted(DOCUMENTATION)),
    st.text(alphabet="a_B:`*[]()<>#-=|.\\ \n!~^{}+\"'1/", max_size=200),
)
def test_lines_lie_within_the_file(language: str, text: str) -> None:
    end = 0
    for section in markup.parse(language, text.encode()):
        assert end < section.start_line <= section.end_line <= text.count("\n") + 1
        end = section.end_line
        indices = [each.paragraph for each in (*section.names, *section.links)]
        assert all(-1 <= index < len(section.paragraphs) for index in indices)
        assert not any("\n" in each for each in section.paragraphs)

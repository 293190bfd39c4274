"""A file that brings the parser down costs itself alone; nothing else of the process is hidden."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from corpus import isolated
from corpus.isolated import LIMIT, extractions
from corpus.languages.base import Extraction
from corpus.reading import definitions

RUST = b"""\
/// Adds one.
#[requires(x < 10)]
#[ensures(result == x + 1)]
fn add_one(x: u32) -> u32 { x + 1 }
"""
LEAN = "/-- Nothing is below zero. -/\ntheorem le (n : ℕ) : 0 ≤ n := by simp\n".encode()
# One step of tree-sitter's recovery takes a minute over the first and 9 GB over the second.
SLOW = b"/*\n" * 17_000
LARGE = b"A<" * 25_000


@pytest.fixture(autouse=True)
def _own_process() -> Iterator[None]:
    isolated.stop()
    yield
    isolated.stop()


def test_definitions_are_those_of_the_front_door() -> None:
    files = [("a", "rust", RUST), ("b", "lean", LEAN)]

    assert list(extractions(files)) == [
        ("a", definitions("rust", RUST)),
        ("b", definitions("lean", LEAN)),
    ]


def test_files_of_many_batches_come_in_their_order() -> None:
    files = [(number, "rust", b"fn f%d() { 1 }\n" % number) for number in range(200)]

    found = list(extractions(iter(files)))

    assert [tag for tag, _ in found] == list(range(200))
    assert [each.definitions[0].name for _, each in found] == [f"f{n}" for n in range(200)]


@pytest.mark.parametrize(
    ("language", "hostile"), [("python", SLOW), ("java", LARGE)], ids=["slow", "large"]
)
def test_hostile_file_is_dropped_by_name_and_its_neighbours_are_read(
    language: str, hostile: bytes
) -> None:
    files = [("a", "rust", RUST), ("b", language, hostile), ("c", "rust", RUST)]

    assert list(extractions(files)) == [
        ("a", definitions("rust", RUST)),
        ("b", Extraction([], LIMIT)),
        ("c", definitions("rust", RUST)),
    ]


def test_fault_of_ours_is_no_fault_of_the_file(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="exit code 1"):
        list(extractions([("a", "no language", RUST)]))

    assert "KeyError: 'no language'" in capfd.readouterr().err


def test_no_files_start_no_process() -> None:
    assert list(extractions([])) == []
    assert isolated.is_running() is False


def test_answers_that_nobody_took_are_not_those_of_the_next_files() -> None:
    files = [(number, "rust", b"fn f%d() { 1 }\n" % number) for number in range(5)]
    found = extractions(files)
    assert isinstance(found, Generator)
    next(found)
    found.close()

    assert list(extractions([("a", "rust", RUST)])) == [("a", definitions("rust", RUST))]


def test_process_that_others_ended_is_no_fault_of_a_file() -> None:
    list(extractions([("a", "rust", RUST)]))
    worker = isolated._worker()._process
    worker.kill()
    worker.wait()

    with pytest.raises(RuntimeError, match="exit code -9"):
        list(extractions([("a", "rust", RUST)]))

    assert list(extractions([("a", "rust", RUST)])) == [("a", definitions("rust", RUST))]

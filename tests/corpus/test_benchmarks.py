"""Benchmarks are read whatever their fields are called, and what stands in them is found exactly."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import ProvenderError
from corpus import dedup
from corpus.benchmarks import asked, contained, contamination, load_benchmarks

FUNCTION = (
    "fn add(left: u64, right: u64) -> u64 { let sum = left + right; assert!(sum >= left); sum }"
)
PROGRAM = f'use std::fmt;\n\n{FUNCTION}\n\nfn main() {{ println!("{{}}", add(1, 2)); }}'


def benchmark(*texts: str) -> pl.DataFrame:
    rows = [("set", row, text) for row, text in enumerate(texts, 1)]
    schema = {"benchmark": pl.String, "row": pl.Int64, "text": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def write(path: Path, *rows: object) -> Path:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def test_texts_of_every_field_and_depth_are_read(tmp_path: Path) -> None:
    write(
        tmp_path / "verina.jsonl",
        {"id": "verina_1", "spec": {"post": ["∀ i, 0 ≤ i → a[i] = b"]}, "level": 3},
        {"prompt": "Add two numbers, please", "again": "Add two numbers, please", "empty": None},
    )
    write(tmp_path / "csn" / "test.jsonl.gz", ["one two three four"])

    assert load_benchmarks(tmp_path).rows() == [
        ("csn/test", 1, "one two three four"),
        ("verina", 1, "∀ i, 0 ≤ i → a[i] = b"),
        ("verina", 2, "Add two numbers, please"),
    ]


def test_texts_that_are_nested_deeply_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("[" * 900 + '"one two three four"' + "]" * 900 + "\n")

    assert load_benchmarks(tmp_path)["text"].to_list() == ["one two three four"]


def test_empty_lines_count_and_say_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('\n\n["one two three four"]\n')

    assert load_benchmarks(tmp_path)["row"].to_list() == [3]


def test_half_a_character_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('["one two three \\ud800"]\n')

    assert load_benchmarks(tmp_path)["text"].to_list() == ["one two three ?"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b'{"a": 1}\n{"a": \n', r"a\.jsonl:2: This line is no JSON"),
        (b"\xff\xfe\n", r"a\.jsonl:1: This line is no JSON"),
        (b"[" * 100_000 + b"\n", r"a\.jsonl:1: This line is no JSON"),
        (b'"' + b"x" * (5 << 20) + b'"\n', r"a\.jsonl:1: This line is longer"),
    ],
    ids=["cut", "binary", "nested", "long"],
)
def test_broken_line_is_named(tmp_path: Path, content: bytes, fault: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)

    with pytest.raises(ProvenderError, match=fault):
        load_benchmarks(tmp_path)


def test_damaged_archive_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl.gz", ["one two three four"] * 100)
    path.write_bytes(path.read_bytes()[:-12])

    with pytest.raises(ProvenderError, match=r"a\.jsonl\.gz: The benchmark is damaged"):
        load_benchmarks(tmp_path)


def test_folder_without_benchmarks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProvenderError, match="There is no"):
        load_benchmarks(tmp_path)
    with pytest.raises(ProvenderError, match="This is no folder"):
        load_benchmarks(tmp_path / "elsewhere")


def test_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside.jsonl", ["one two three four"])
    folder = tmp_path / "benchmarks"
    write(folder / "a.jsonl", ["five six seven eight"])
    (folder / "b.jsonl").symlink_to(outside)

    with pytest.raises(ProvenderError, match=r"b\.jsonl: This link is not followed"):
        load_benchmarks(folder)


def test_function_of_a_program_is_found() -> None:
    units = pl.DataFrame(
        {"unit_id": ["u1", "u2"], "positive": [FUNCTION, FUNCTION.replace("left", "first")]}
    )

    (hit,) = contamination(units, benchmark("another text of four", PROGRAM), 0.8).rows()

    assert hit[:3] == ("u1", "set", 2)
    assert 0.9 < hit[3] < 1  # the shingles at its end differ


def test_getter_that_stands_in_a_program_by_chance_is_not_meant() -> None:
    getter = "fn len(&self) -> usize"
    units = pl.DataFrame({"unit_id": ["u1"], "positive": [getter]})

    assert contamination(units, benchmark(f"impl A {{ {getter} }}"), 0.5).height == 0
    assert contamination(units, benchmark(getter), 0.5).height == 1


def test_questions_are_short_texts_and_first_sentences() -> None:
    long = "Sum the squares of a list. " + "It says so much more. " * 20
    texts = benchmark("Prove that addition commutes.", long, "Too few words")

    assert asked(texts) == [
        "Prove that addition commutes.",
        "Prove that addition commutes",
        "Sum the squares of a list",
    ]


def brute_force(texts: list[str], others: list[str], share: float) -> list[tuple]:
    def sets(each: str) -> set[int]:
        hashes, _ = dedup.shingles(pl.Series([each]))
        return set(hashes.tolist())

    found = []
    for place, text in enumerate(texts):
        mine = sets(text)
        best = None
        for other, each in enumerate(others):
            theirs = sets(each)
            part = len(mine & theirs) / len(mine)
            hit = part >= share - 1e-12 if len(mine) >= 12 else mine == theirs
            if hit and (best is None or part > best[2]):
                best = (place, other, part)
        if best:
            found.append(best)
    return found


WORDS = st.lists(st.sampled_from("a b c d e".split()), min_size=1, max_size=40).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(
    texts=st.lists(WORDS, min_size=1, max_size=6),
    others=st.lists(WORDS, min_size=1, max_size=6),
    share=st.sampled_from([0.3, 0.5, 0.8, 1.0]),
)
def test_containment_is_that_of_brute_force(
    texts: list[str], others: list[str], share: float
) -> None:
    others = [*others, " ".join([*others[0].split(), *texts[0].split(), "z"])]

    found = contained(pl.Series(texts), pl.Series(others), share)

    assert found.rows() == brute_force(texts, others, share)


def test_nothing_is_contained_in_nothing() -> None:
    none = pl.Series([], dtype=pl.String)

    assert contained(none, pl.Series([PROGRAM]), 0.8).height == 0
    assert contained(pl.Series([FUNCTION]), none, 0.8).height == 0

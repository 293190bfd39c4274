"""Near-duplicates are those that exact similarity finds, and signs count as much as words."""

from __future__ import annotations

import random

import numpy as np
import polars as pl
import pytest

from corpus import dedup

WORDS = "open close read write seek flush lock wait send take push pop map fold zip".split()


def text(generator: random.Random, length: int) -> str:
    signs = ["+", "-", "≤", "∀", "(", ")", "=="]
    return " ".join(generator.choice([*WORDS, *signs]) for _ in range(length))


def changed(generator: random.Random, base: str, changes: int) -> str:
    tokens = base.split()
    for _ in range(changes):
        tokens[generator.randrange(len(tokens))] = generator.choice(WORDS)
    return " ".join(tokens)


def shingles(tokens: list[str]) -> set[tuple[str, ...]]:
    padded = [*tokens, "", ""]
    return {tuple(padded[at : at + 3]) for at in range(len(padded) - 2)}


def all_pairs(texts: list[list[str]], threshold: float) -> set[tuple[int, int]]:
    sets = [shingles(each) for each in texts]
    return {
        (a, b)
        for b in range(len(sets))
        for a in range(b)
        if len(sets[a] & sets[b]) / len(sets[a] | sets[b]) >= threshold
    }


def test_edges_are_those_of_brute_force() -> None:
    generator = random.Random(7)
    bases = [text(generator, generator.randrange(30, 120)) for _ in range(60)]
    texts = bases + [changed(generator, each, generator.randrange(6)) for each in bases * 4]
    # `==` is two signs.
    expected = all_pairs([each.replace("==", "= =").split() for each in texts], 0.85)

    near = dedup.compare(pl.Series(texts), 0.85).edges.filter("near")
    found = set(near.select("a", "b").rows())

    assert found <= expected
    assert len(found) >= 0.99 * len(expected) > 100


@pytest.mark.parametrize(
    ("one", "other", "jaccard"),
    [
        ("a <= b", "a <= b", 1.0),
        ("a  <=\n b", "a <= b", 1.0),
        # a < =, < = b, = b _, b _ _ against a > =, > = b, = b _, b _ _
        ("a <= b", "a >= b", 2 / 6),
        ("∀ x", "∃ x", 1 / 3),
        ("snake_case", "snake case", 0.0),
        ("one", "one", 1.0),
    ],
)
def test_signs_count_and_white_space_does_not(one: str, other: str, jaccard: float) -> None:
    a, b = np.array([0]), np.array([1])

    assert dedup._jaccard(pl.Series([one, other]), a, b, 3).tolist() == [pytest.approx(jaccard)]


def test_signature_of_a_text_does_not_depend_on_the_others() -> None:
    generator = random.Random(1)
    texts = [text(generator, length) for length in (0, 1, 2, 3, 50)]

    together = dedup.signatures(pl.Series(texts))

    assert together.shape == (5, dedup.PERMUTATIONS)
    for row, each in enumerate(texts):
        assert (dedup.signatures(pl.Series([each]))[0] == together[row]).all()


def test_no_texts_have_no_edges() -> None:
    for texts in ([], ["alone"]):
        compared = dedup.compare(pl.Series(texts, dtype=pl.String), 0.85)

        assert compared.edges.height == 0
        assert compared.signatures.height == compared.signed == len(texts)


def test_only_texts_without_a_signature_are_signed() -> None:
    generator = random.Random(3)
    texts = pl.Series([text(generator, 40) for _ in range(100)])
    first = dedup.compare(texts, 0.85)
    later = texts.scatter(7, "another text of its own")

    changed = dedup.compare(later, 0.85, known=first.signatures)

    assert (first.signed, changed.signed) == (100, 1)
    assert changed.signatures.equals(dedup.compare(later, 0.85).signatures)


def test_signatures_of_texts_that_are_gone_are_forgotten() -> None:
    both = dedup.compare(pl.Series(["one text", "other text"]), 0.85).signatures

    assert dedup.compare(pl.Series(["one text"]), 0.85, known=both).signatures.height == 1


def test_equal_texts_are_signed_once_and_near_each_other() -> None:
    compared = dedup.compare(pl.Series(["fn same ( ) { 1 }"] * 5), 0.85)

    assert compared.signed == 1
    assert compared.edges.filter("near").height == 10


def test_width_of_shingles_is_part_of_a_signature() -> None:
    words = dedup.compare(pl.Series(["open the file now"]), 0.85, width=1).signatures

    assert dedup.compare(pl.Series(["open the file now"]), 0.85, known=words).signed == 1


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("open the file", "file the open", True),
        ("open the file", "open a file", False),
        ("read all of the lines of a file", "read all the lines of a file", True),
    ],
)
def test_shingles_of_one_token_compare_sets_of_words(one: str, other: str, near: bool) -> None:
    edges = dedup.compare(pl.Series([one, other]), 0.85, width=1).edges

    assert edges.filter("near").height == near


def edges(*pairs: tuple[int, int]) -> pl.DataFrame:
    return pl.DataFrame(pairs, schema={"a": pl.Int64, "b": pl.Int64}, orient="row")


def test_what_only_hangs_together_through_another_stays() -> None:
    # 0 ~ 1 ~ 2, but not 0 ~ 2: dropping 1 leaves nothing that 2 repeats.
    chain = edges((0, 1), (1, 2))

    assert dedup.survivors(4, chain).tolist() == [-1, 0, -1, -1]
    assert dedup.clusters(4, chain).tolist() == [0, 0, 0, 3]


def test_first_of_several_that_are_repeated_is_named() -> None:
    assert dedup.survivors(3, edges((1, 2), (0, 2))).tolist() == [-1, -1, 0]


def test_crowd_of_equals_has_one_survivor() -> None:
    near = dedup.compare(pl.Series(["fn same ( ) { 1 }"] * 100), 0.85).edges

    assert dedup.survivors(100, near).tolist() == [-1, *[0] * 99]
    assert dedup.clusters(100, near).tolist() == [0] * 100

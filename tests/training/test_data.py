from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from sentence_transformers import MultiVectorEncoder

from common.errors import ProvenderError
from evaluation.documents import render
from tests.tiny import pair, tiny_recipe, write_corpus
from tests.training.reading import loader, read_batches
from training.data import Example, TokenBatch
from training.model import load_encoder
from training.recipe import Recipe


@pytest.fixture(scope="module")
def encoder(tiny_model: Path) -> MultiVectorEncoder:
    return load_encoder(tiny_recipe(tiny_model))


def _mixed(**changes: Any) -> Recipe:
    """A recipe of batches of four whose documents are plain code, unless changed."""
    return Recipe.model_validate(
        {
            "batch_size": 4,
            "mixture": {"indexed_share": 0.0, **changes.pop("mixture", {})},
            **changes,
        }
    )


def _all(batches: list[list[Example]]) -> list[Example]:
    return [example for batch in batches for example in batch]


def _ids(batch: TokenBatch) -> tuple[Any, ...]:
    chunks = (batch.queries, batch.documents)
    return tuple([each["input_ids"].tolist() for each in some] for some in chunks)


# Batches


def test_same_recipe_and_corpus_give_the_same_batches(corpus: Path) -> None:
    recipe = Recipe(batch_size=4)
    assert read_batches(corpus, recipe) == read_batches(corpus, recipe)


def test_another_seed_gives_other_batches(corpus: Path) -> None:
    one, two = Recipe(batch_size=4, seed=1), Recipe(batch_size=4, seed=2)
    assert read_batches(corpus, one) != read_batches(corpus, two)


def test_an_epoch_holds_every_pair_once(corpus: Path) -> None:
    drawn = _all(read_batches(corpus, _mixed()))
    expected = [(pair(number)["query"], pair(number)["positive"]) for number in range(48)]
    assert sorted((each.query, each.document) for each in drawn) == sorted(expected)


def test_the_next_epoch_has_the_same_pairs_in_another_order(corpus: Path) -> None:
    first, second = read_batches(corpus, _mixed(), 0), read_batches(corpus, _mixed(), 1)
    assert first != second
    assert set(_all(first)) == set(_all(second))


def test_max_pairs_caps_an_epoch(corpus: Path) -> None:
    assert len(read_batches(corpus, _mixed(mixture={"max_pairs": 20}))) == 5


def test_an_incomplete_last_batch_is_left_out(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "c.parquet", [pair(number) for number in range(11)])
    assert [len(batch) for batch in read_batches(corpus, _mixed())] == [4, 4]


def test_no_unit_appears_twice_in_a_batch(tmp_path: Path) -> None:
    rows = [
        pair(n, cluster_id=f"unit{n % 8}", positive=f"fn unit{n % 8}() {{}}") for n in range(32)
    ]
    batches = read_batches(write_corpus(tmp_path / "c.parquet", rows), _mixed())
    assert len(batches) >= 6
    assert all(len({example.document for example in batch}) == 4 for batch in batches)


def test_no_query_appears_twice_in_a_batch_whatever_its_case(tmp_path: Path) -> None:
    forms = (str.lower, str.upper, str.title, str.capitalize)
    rows = [pair(n, query=forms[n // 8](pair(n % 8)["query"])) for n in range(32)]
    batches = read_batches(write_corpus(tmp_path / "c.parquet", rows), _mixed())
    assert len(batches) >= 6
    assert all(len({each.query.casefold() for each in batch}) == 4 for batch in batches)


def test_short_documents_come_first_in_a_batch(corpus: Path) -> None:
    for batch in read_batches(corpus, Recipe(batch_size=8)):
        lengths = [len(example.document) for example in batch]
        assert lengths == sorted(lengths)


def test_a_folder_of_parquet_files_is_one_corpus(tmp_path: Path) -> None:
    write_corpus(tmp_path / "part-0.parquet", [pair(number) for number in range(4)])
    write_corpus(tmp_path / "part-1.parquet", [pair(number) for number in range(4, 8)])
    drawn = _all(read_batches(tmp_path, _mixed()))
    assert {each.query for each in drawn} == {pair(number)["query"] for number in range(8)}


# Weights


def test_pairs_of_zero_weight_are_never_drawn(tmp_path: Path) -> None:
    rows = [pair(number, weight=float(number % 2)) for number in range(16)]
    drawn = _all(read_batches(write_corpus(tmp_path / "c.parquet", rows), _mixed()))
    assert {each.query for each in drawn} == {pair(number)["query"] for number in range(1, 16, 2)}


@pytest.mark.parametrize(
    ("column", "mixture"),
    [
        ("query_kind", {"query_kinds": {"doc": 1.0, "other": 0.0}}),
        ("query_kind", {"query_kinds": {"doc": 1.0}}),
        ("pair_type", {"pair_types": {"doc": 1.0, "other": 0.0}}),
        ("pair_type", {"pair_types": {"doc": 1.0}}),
    ],
)
def test_kinds_that_are_zero_or_not_listed_are_never_drawn(
    column: str, mixture: dict[str, Any], tmp_path: Path
) -> None:
    rows = [pair(number, **{column: "other" if number % 2 else "doc"}) for number in range(16)]
    corpus = write_corpus(tmp_path / "c.parquet", rows)
    drawn = _all(read_batches(corpus, _mixed(mixture=mixture)))
    assert {each.query for each in drawn} == {pair(number)["query"] for number in range(0, 16, 2)}


def test_heavier_pairs_are_drawn_more_often(tmp_path: Path) -> None:
    # Two of three are drawn, weights 8, 1, 1: the heavy one is left out in 2 * 1/10 * 1/9 of the draws.
    rows = [pair(0, weight=8.0), pair(1), pair(2)]
    corpus = write_corpus(tmp_path / "c.parquet", rows)
    recipe = _mixed(batch_size=2, mixture={"max_pairs": 2})
    heavy = pair(0)["query"]
    draws = [_all(read_batches(corpus, recipe, epoch)) for epoch in range(300)]
    absent = sum(heavy not in {each.query for each in drawn} for drawn in draws)
    assert absent == pytest.approx(300 / 45, abs=6)  # by equal weights it would be 100


def test_weights_multiply_corpus_kind_and_type(tmp_path: Path) -> None:
    # 1 * 4 * 2 for the first pair and 1 for the others: the same odds as above.
    rows = [pair(0, query_kind="prose", pair_type="path"), pair(1), pair(2)]
    corpus = write_corpus(tmp_path / "c.parquet", rows)
    equal = write_corpus(tmp_path / "e.parquet", [pair(0, weight=8.0), pair(1), pair(2)])
    kinds = {"query_kinds": {"doc": 1.0, "prose": 4.0}, "pair_types": {"doc": 1.0, "path": 2.0}}
    recipe = _mixed(batch_size=2, mixture={"max_pairs": 2, **kinds})
    for epoch in range(20):
        assert read_batches(corpus, recipe, epoch) == read_batches(equal, recipe, epoch)


# Sources


def _of_two_sources(folder: Path) -> Path:
    rows = [
        pair(number, source=source, positive=f"{source} {number}", doc_rest="")
        for number, source in ((n, "gamma" if n % 2 else "alpha") for n in range(24))
    ]
    return write_corpus(folder / "c.parquet", rows)


def _sources(batch: list[Example]) -> set[str]:
    return {example.document.split()[0] for example in batch}


def test_batches_within_a_source_never_mix_sources(tmp_path: Path) -> None:
    corpus = _of_two_sources(tmp_path)
    batches = read_batches(corpus, _mixed(batches={"within": "source"}))
    assert sorted(map(sorted, map(_sources, batches))) == [["alpha"]] * 3 + [["gamma"]] * 3


def test_batches_within_a_source_come_in_mixed_order(tmp_path: Path) -> None:
    corpus, recipe = _of_two_sources(tmp_path), _mixed(batches={"within": "source"})
    orders = {
        tuple(min(_sources(batch)) for batch in read_batches(corpus, recipe, epoch))
        for epoch in range(8)
    }
    assert len(orders) > 2


def test_batches_mix_sources_by_default(tmp_path: Path) -> None:
    batches = read_batches(_of_two_sources(tmp_path), _mixed())
    assert any(_sources(batch) == {"alpha", "gamma"} for batch in batches)


# Documents


def _documents(folder: Path, rows: list[dict[str, Any]], **mixture: float) -> list[str]:
    """The documents of `rows`, in their order."""
    corpus = write_corpus(folder / "c.parquet", rows)
    drawn = _all(read_batches(corpus, _mixed(batch_size=len(rows), mixture=mixture)))
    by_query = {each.query: each.document for each in drawn}
    return [by_query[row["query"]] for row in rows]


def test_indexed_share_0_gives_code_alone(tmp_path: Path) -> None:
    rows = [pair(number) for number in range(8)]
    assert _documents(tmp_path, rows, indexed_share=0) == [row["positive"] for row in rows]


def test_indexed_share_1_gives_documents_as_search_indexes_them(tmp_path: Path) -> None:
    rows = [pair(number) for number in range(8)]
    expected = [
        render({**row, "code": row["positive"], "prose": row["doc_rest"]}, "indexed")
        for row in rows
    ]
    assert _documents(tmp_path, rows, indexed_share=1) == expected
    assert expected[1] == "alpha/date.rs\nfrom the date\nfn read_date(text) { self.date.read() }"


def test_indexed_share_between_mixes_both_forms(tmp_path: Path) -> None:
    rows = [pair(number) for number in range(48)]
    found = _documents(tmp_path, rows, indexed_share=0.5)
    assert 12 <= sum(each.startswith("alpha/") for each in found) <= 36


def test_own_sentence_share_0_keeps_the_query_out_of_its_document(tmp_path: Path) -> None:
    rows = [pair(number) for number in range(8)]
    found = _documents(tmp_path, rows, indexed_share=1, own_sentence_share=0)
    assert not any(row["query"] in each for row, each in zip(rows, found, strict=True))


def test_own_sentence_share_1_puts_the_query_before_the_rest_of_the_doc(tmp_path: Path) -> None:
    rows = [pair(number) for number in range(8)]
    found = _documents(tmp_path, rows, indexed_share=1, own_sentence_share=1)
    second_lines = [each.splitlines()[1].strip() for each in found]
    assert second_lines == [f"{row['query']}. {row['doc_rest']}".strip() for row in rows]


def test_keyword_queries_never_stand_in_their_document(tmp_path: Path) -> None:
    rows = [pair(number, query_kind="keywords") for number in range(8)]
    found = _documents(tmp_path, rows, indexed_share=1, own_sentence_share=1)
    assert not any(row["query"] in each for row, each in zip(rows, found, strict=True))


# Errors


def test_missing_corpus_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProvenderError, match="no corpus") as caught:
        read_batches(tmp_path / "absent", Recipe())
    assert caught.value.where == str(tmp_path / "absent")


def test_too_small_a_corpus_says_how_many_pairs_it_gives(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "c.parquet", [pair(number) for number in range(3)])
    with pytest.raises(ProvenderError, match="3 pairs, too few for one batch of 4"):
        read_batches(corpus, _mixed())


def test_a_corpus_of_one_query_gives_no_batch(tmp_path: Path) -> None:
    rows = [pair(number, query="the same") for number in range(8)]
    with pytest.raises(ProvenderError, match="too few for one batch"):
        read_batches(write_corpus(tmp_path / "c.parquet", rows), _mixed())


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    path.write_bytes(b"not a table")
    with pytest.raises(ProvenderError) as caught:
        read_batches(path, Recipe())
    assert caught.value.where == str(path)


def test_a_table_without_the_columns_of_a_corpus_is_refused(tmp_path: Path) -> None:
    path = write_corpus(tmp_path / "c.parquet", [{"query": "only", "positive": "two columns"}])
    with pytest.raises(ProvenderError) as caught:
        read_batches(path, Recipe())
    assert caught.value.where == str(path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProvenderError) as caught:
        read_batches(tmp_path, Recipe())
    assert caught.value.where == str(tmp_path)


# Loader


def _first(
    corpus: Path, recipe: Recipe, encoder: MultiVectorEncoder, folder: Path
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Queries and documents of the first batch."""
    batch = next(iter(loader(corpus, recipe, encoder, folder)))
    [queries] = batch.queries
    return queries, batch.documents


def test_loader_gives_the_batches_as_token_ids_of_both_kinds(
    corpus: Path, encoder: MultiVectorEncoder, tmp_path: Path
) -> None:
    recipe = Recipe(batch_size=16)
    batch = read_batches(corpus, recipe)[0]
    queries, documents = _first(corpus, recipe, encoder, tmp_path)
    expected = encoder.preprocess([each.query for each in batch], task="query")
    assert queries["input_ids"].tolist() == expected["input_ids"].tolist()
    assert [len(chunk["input_ids"]) for chunk in documents] == [8, 8]
    second = encoder.preprocess([each.document for each in batch[8:]], task="document")
    assert documents[1]["input_ids"].tolist() == second["input_ids"].tolist()


def test_loader_truncates_to_the_recipe_lengths(
    tmp_path: Path, encoder: MultiVectorEncoder
) -> None:
    rows = [pair(n, query=f"q{n} " * 60, positive=f"x{n} " * 60) for n in range(4)]
    corpus = write_corpus(tmp_path / "c.parquet", rows)
    queries, documents = _first(corpus, _mixed(), encoder, tmp_path)
    assert queries["input_ids"].shape == (4, 12)
    assert documents[0]["input_ids"].shape == (4, 32)


def test_loader_length_is_the_number_of_batches(
    corpus: Path, encoder: MultiVectorEncoder, tmp_path: Path
) -> None:
    batches = loader(corpus, _mixed(), encoder, tmp_path)
    assert len(batches) == len(list(batches)) == 12


def test_loader_gives_another_epoch_each_time(
    corpus: Path, encoder: MultiVectorEncoder, tmp_path: Path
) -> None:
    recipe = _mixed()
    batches = loader(corpus, recipe, encoder, tmp_path)
    for epoch in range(3):
        expected = read_batches(corpus, recipe, epoch)
        queries = [encoder.preprocess([e.query for e in batch], task="query") for batch in expected]
        assert [_ids(batch)[0] for batch in batches] == [[q["input_ids"].tolist()] for q in queries]


def test_next_epoch_begins_although_nothing_is_asked_past_the_last_batch(
    corpus: Path, encoder: MultiVectorEncoder, tmp_path: Path
) -> None:
    # As Lightning does: it takes len(loader) batches and then iterates anew.
    one, whole = (loader(corpus, _mixed(), encoder, tmp_path) for _ in range(2))
    iterator = iter(one)
    first = [_ids(next(iterator)) for _ in range(len(one))]
    assert first == [_ids(batch) for batch in whole]
    assert [_ids(batch) for batch in one] == [_ids(batch) for batch in whole]


@pytest.mark.parametrize("taken", [1, 5, 11, 13, 23, 30])
def test_loader_resumes_at_the_exact_batch_and_epoch(
    taken: int, corpus: Path, encoder: MultiVectorEncoder, tmp_path: Path
) -> None:
    whole, killed, resumed = (loader(corpus, _mixed(), encoder, tmp_path) for _ in range(3))
    batches = [_ids(batch) for _ in range(3) for batch in whole]
    list(islice((batch for _ in range(3) for batch in killed), taken))
    resumed.load_state_dict(killed.state_dict())
    rest = [_ids(batch) for _ in range(3 - taken // 12) for batch in resumed]
    assert rest == batches[taken:]

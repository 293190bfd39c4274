"""What held-out sources give the evaluation: a pool of units to search, and documentation queries."""

from __future__ import annotations

import re
from collections.abc import Iterable

import polars as pl

from common.hashing import digest
from corpus import schema
from corpus.pairs.base import normal
from corpus.text import STOPWORDS, identifier_words

VERSION = "4"

_MIN_QUERY_WORDS = 3


def pool(units: pl.DataFrame) -> pl.DataFrame:
    """The Rust functions that search should find: all but plain tests, which repeat what they test.

    Types and other languages wait for queries that were judged against them: a pool in which nobody
    looked for second right answers counts them as wrong.
    """
    plain_test = pl.col("is_test") & pl.col("dialect").is_null()
    is_function = (pl.col("language") == "rust") & pl.col("kind").is_in(["function", "method"])
    has_body = pl.col("code").str.contains("{", literal=True)
    return units.filter(is_function & has_body & ~plain_test).sort(
        "source", "path", "start_line", "symbol"
    )


_STATING = ["lean", "tlaplus", "smtlib"]
"""Languages in which what has no braces says something all the same."""


def judged_pool(domain: str, units: pl.DataFrame, sources: Iterable[str]) -> pl.DataFrame:
    """What the judged queries of `domain` search: definitions with a body of the `sources` they are about.

    Formal and personal ones are judged against all kinds (specification and proof functions, lemmas,
    structures, code that runs), general ones against functions and methods.
    """
    plain_test = pl.col("is_test") & pl.col("dialect").is_null()
    searched = pl.col("code").str.contains("{", literal=True) | (pl.col("language") == "python")
    if domain in ("formal", "personal"):
        searched |= pl.col("language").is_in(_STATING)
    else:
        searched &= pl.col("kind").is_in(["function", "method"])
    return units.filter(pl.col("source").is_in(list(sources)) & searched & ~plain_test).sort(
        "source", "path", "start_line", "symbol"
    )


def copied(queries: pl.DataFrame, pool: pl.DataFrame) -> dict[str, float]:
    """Judged queries that repeat their answer, with the share of their words that stands in its doc.

    A share of at most `MOST_COPIED` is none of them.
    """
    texts = pool.select("unit_id", pl.concat_str("doc", "prose", separator=" "))
    docs = dict(texts.iter_rows())
    found: dict[str, float] = {}
    for identifier, query, units in queries.select("query_id", "query", "unit_ids").iter_rows():
        share = max(share_of_doc(query, docs[unit]) for unit in units)
        if share > MOST_COPIED:
            found[identifier] = share
    return found


MOST_COPIED = 0.5


def share_of_doc(query: str, doc: str) -> float:
    """The share of the query's words that stand in `doc`, from 0 to 1.

    Words are those with meaning, without their ending: `searches` and `searching` are one.
    """
    words = _meant(query)
    return len(words & _meant(doc)) / max(1, len(words))


def spells_out(query: str, symbol: str) -> bool:
    """Whether `query` has the bare name of `symbol`, as it is or in words; a name of one word is any word."""
    name = identifier_words(re.split(r"::|[.#]", symbol)[-1])
    words = identifier_words(query)
    places = range(len(words) - len(name) + 1)
    return len(name) > 1 and any(words[at : at + len(name)] == name for at in places)


_ENDINGS = ("ing", "ies", "ed", "es", "s", "e")


def _meant(text: str) -> set[str]:
    words = (word for word in re.findall(r"\w+", text.casefold()) if word not in STOPWORDS)
    return {_stem(word) for word in words}


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) >= len(ending) + 3:
            return word.removesuffix(ending)
    return word


def documentation_queries(doc_pairs: pl.DataFrame, units: pl.DataFrame) -> pl.DataFrame:
    """First doc sentences as rows of `schema.QUERIES`.

    Every unit with this first sentence is an acceptable answer, and so is every unit with the same
    code as one of them: a search that finds its copy is not wrong.
    """
    code = units.select("unit_id", key=pl.col("code").map_elements(normal, return_dtype=pl.String))
    copies = code.join(code, on="key", suffix="_copy").select("unit_id", "unit_id_copy")
    first = doc_pairs.filter(
        pl.col("query_kind") == "doc",
        pl.col("query").str.split(" ").list.len() >= _MIN_QUERY_WORDS,
    )
    queries = (
        first.with_columns(key=pl.col("query").map_elements(normal, return_dtype=pl.String))
        .join(copies, on="unit_id")
        .group_by("key")
        .agg(
            query=pl.col("query").sort().first(),
            unit_ids=pl.col("unit_id_copy").unique().sort(),
        )
        .sort("key")
    )
    return queries.select(
        query_id=pl.col("key").map_elements(lambda key: f"doc-{digest(key)[:12]}", pl.String),
        query=pl.col("query"),
        style=pl.lit("doc"),
        dialect=pl.lit(None, pl.String),
        unit_ids=pl.col("unit_ids"),
    ).select(schema.QUERIES.names)


def sample(
    queries: pl.DataFrame, units: pl.DataFrame, *, max_queries: int, max_units: int, also: set[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """At most `max_queries` queries and about `max_units` units, drawn by hash: stable, order-free.

    Units that answer a drawn query, or are in `also`, always stay.
    """
    drawn = queries.sort(pl.col("query_id").map_elements(digest, pl.String)).head(max_queries)
    answers = also | set(drawn["unit_ids"].explode().to_list())
    is_answer = pl.col("unit_id").is_in(sorted(answers))
    others = units.filter(~is_answer).sort("unit_id").head(max(0, max_units - len(answers)))
    kept = pl.concat([units.filter(is_answer), others])
    return drawn.sort("query_id"), kept.sort("source", "path", "start_line", "symbol")

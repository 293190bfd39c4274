from __future__ import annotations

import re
from typing import Any

import pytest

from evaluation.gallery import cut, highlighted, shown, visible, worst


def _rank(query: str, system: str, rank: int, **changes: Any) -> dict[str, Any]:
    mode = "lexical" if system == "bm25" else "semantic"
    row = {"eval_set": "judged_test", "system": system, "mode": mode, "query_id": query}
    return {**row, "query": f"text of {query}", "rank": rank, "top": "t", "gold": "g"} | changes


def _unit(**changes: Any) -> dict[str, Any]:
    row = {"source": "uv", "path": "src/a.rs", "start_line": 7, "symbol": "a::b"}
    row |= {"language": "rust", "prose": "Does it.", "code": "fn b() {}"}
    return {**row, "license": "MIT", "license_tier": "permissive"} | changes


def _plain(markup: str) -> str:
    return re.sub(r"<[^>]*>", "", markup)


# Which


def test_the_worst_come_first_and_equals_by_their_ids() -> None:
    ranks = [
        _rank(query, "tuned", rank) for query, rank in (("c", 4), ("b", 9), ("a", 4), ("d", 1))
    ]
    assert [case["query_id"] for case in worst(ranks)] == ["b", "a", "c"]
    assert worst(ranks[::-1]) == worst(ranks)


def test_a_case_has_the_ranks_of_all_three() -> None:
    ranks = [
        *(_rank("a", "tuned", 4), _rank("a", "base", 2), _rank("a", "bm25", 30)),
        *(_rank("a", "tuned", 8, mode="hybrid"), _rank("a", "base", 9, mode="pooled")),
        _rank("b", "tuned", 3),
    ]
    assert [(case["tuned"], case["base"], case["bm25"]) for case in worst(ranks)] == [
        (4, 2, 30),
        (3, None, None),
    ]


def test_each_set_has_its_share_and_documentation_comes_last() -> None:
    names = ("doc_test", "judged_test", "judged_formal_test")
    ranks = [_rank(f"q{n}", "tuned", n + 2, eval_set=name) for name in names for n in range(9)]
    found = worst(ranks, cases=7)
    assert [(case["eval_set"], case["rank"]) for case in found] == [
        *(("judged_test", 10), ("judged_test", 9)),
        *(("judged_formal_test", 10), ("judged_formal_test", 9)),
        *(("doc_test", 10), ("doc_test", 9)),
    ]
    assert len(worst(ranks)) == 18


def test_a_model_that_is_always_right_has_no_cases() -> None:
    assert worst([_rank("a", "tuned", 1), _rank("a", "base", 5)]) == []
    assert worst([]) == []


# How


def test_both_sides_are_shown_with_place_and_licence() -> None:
    [case] = shown(worst([_rank("a", "tuned", 4)]), {"t": _unit(), "g": _unit(symbol="right")})
    assert case["right"]["symbol"] == "right"
    wrong = case["wrong"]
    assert _plain(wrong.pop("code")) == "fn b() {}\n"
    assert wrong == {
        "source": "uv",
        "license": "MIT",
        "license_tier": "permissive",
        "place": "src/a.rs:7",
        "symbol": "a::b",
        "prose": "Does it.",
        "more": 0,
    }


@pytest.mark.parametrize("gone", [None, "not in the pool"])
def test_a_unit_that_is_not_known_is_said_so(gone: str | None) -> None:
    [case] = shown(worst([_rank("a", "tuned", 4, top=gone)]), {"g": _unit()})
    assert case["wrong"] is None
    assert case["right"] is not None


def test_ranks_of_an_older_table_have_no_units() -> None:
    row = _rank("a", "tuned", 4)
    del row["top"], row["gold"]
    [case] = shown(worst([row]), {"g": _unit()})
    assert (case["wrong"], case["right"]) == (None, None)


def test_an_excerpt_is_bounded() -> None:
    code = "\r\n".join(["x" * 1000] * 1000)
    huge = _unit(code=code, prose="p " * 9999, symbol="s" * 9999, path="a" * 9999)
    asked = {**_rank("a", "tuned", 4), "query": "q" * 9999}
    [case] = shown(worst([asked]), {"t": huge})
    wrong = case["wrong"]
    assert _plain(wrong["code"]) == ("x" * 160 + "…\n") * 24
    assert wrong["more"] == 976
    assert {len(wrong[name]) for name in ("prose", "symbol")} == {281}
    assert wrong["place"] == "a" * 280 + "…:7"
    assert case["query"] == "q" * 280 + "…"


def test_what_nobody_sees_is_written_out() -> None:
    assert visible("a\tb\nc é ∀ 漢") == "a\tb\nc é ∀ 漢"
    assert visible("\x00\x1b\r\x7f\x9b") == "\\u{0}\\u{1b}\\u{d}\\u{7f}\\u{9b}"
    assert visible("\u202e\u2066\u200b\ufeff\u2028") == (
        "\\u{202e}\\u{2066}\\u{200b}\\u{feff}\\u{2028}"
    )


@pytest.mark.parametrize(
    "language", ["rust", "python", "lean", "tlaplus", "smtlib", "java", "typescript", "cpp", "none"]
)
def test_code_of_every_language_is_escaped_and_whole(language: str) -> None:
    code = '\n  a <b> & "c" </code><script>x</script>\n\n'
    found = highlighted(code, language)
    assert set(re.findall(r"<(/?\w+)", found)) <= {"span", "/span"}
    assert _plain(found).replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace(
        "&amp;", "&"
    ) in (code, code.replace('"', "&#39;"))


def test_tokens_have_classes() -> None:
    assert '<span class="k">fn</span>' in highlighted("fn a() {}", "rust")


def test_a_cut_says_that_there_is_more() -> None:
    assert (cut("abc", 3), cut("abcd", 3)) == ("abc", "abc…")

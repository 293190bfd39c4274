from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from assets.metrics import DIFFERENCES, METRICS, RANKS, RUNS
from corpus import schema
from pipeline.cli import app
from pipeline.won_lost import compared
from resources.lake import Lake


def ranks(system: str, mode: str, **found: int) -> pl.DataFrame:
    """Best ranks by query, all of one set."""
    rows = [
        {
            "eval_set": "judged_test",
            "system": system,
            "mode": mode,
            "query_id": query,
            "query": f"text of {query}",
            "style": "what",
            "rank": rank,
        }
        for query, rank in found.items()
    ]
    return pl.DataFrame(rows, schema=schema.empty(schema.RANKS).schema)


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    made = Lake(root=str(tmp_path / "lake"))
    monkeypatch.setenv("PROVENDER_LAKE", str(made.path()))
    last = pl.concat(
        [
            ranks("base", "semantic", a=1, b=4, c=2),
            ranks("base", "hybrid", a=1, b=1, c=1),
            ranks("tuned", "semantic", a=2, b=1, c=2),
            ranks("tuned", "hybrid", a=3, b=1, c=1),
            ranks("bm25", "lexical", a=10, b=10, c=10),
            ranks("stage_rust", "semantic", a=1, b=1, c=1),
        ]
    )
    made.write(last, schema.RANKS, *RANKS, fingerprint="f")
    earlier = ranks("tuned", "semantic", a=1, b=2, c=5)
    made.write(earlier, schema.RANKS, *RUNS, "abc123456789.parquet", fingerprint="f")
    for place, columns in ((METRICS, schema.METRICS), (DIFFERENCES, schema.DIFFERENCES)):
        made.write(schema.empty(columns), columns, *place, fingerprint="f")
    return made


def told(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["report", *arguments])
    return result.exit_code, result.output


def test_the_largest_changes_come_first_with_their_texts(lake: Lake) -> None:
    code, text = told("--diff", "base", "tuned")
    assert code == 0
    lines = [line.split() for line in text.splitlines() if line.strip()]
    assert lines == [
        "judged_test: 3 queries, 1 better, 1 worse, MRR +0.083".split(),
        "better 4 → 1 what text of b".split(),
        "worse 1 → 2 what text of a".split(),
    ]


def test_modes_are_compared_apart(lake: Lake) -> None:
    assert "0 better, 1 worse, MRR -0.222" in told("--diff", "base", "tuned", "--mode", "hybrid")[1]
    assert "3 better, 0 worse" in told("--diff", "bm25", "base")[1]


def test_every_system_of_the_last_evaluation_has_a_name(lake: Lake) -> None:
    assert "2 better, 0 worse" in told("--diff", "tuned", "stage_rust")[1]


def test_an_earlier_checkpoint_is_named_by_its_fingerprint(lake: Lake) -> None:
    assert "2 better, 1 worse" in told("--diff", "abc1", "tuned")[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--diff", "base", "zzz"),
            "0 evaluated checkpoints begin with `zzz`; there are: abc123456789",
        ),
        (("--diff", "base", "tuned", "--mode", "lexical"), "There is no mode `lexical`"),
    ],
)
def test_a_mistake_is_one_line(lake: Lake, arguments: tuple[str, ...], message: str) -> None:
    code, text = told(*arguments)
    assert code == 1
    assert message in text
    assert "Traceback" not in text


def test_a_query_is_only_text_in_the_terminal(lake: Lake) -> None:
    hostile = "[red]not red[/red] \x1b[31mnor this"
    rows = (ranks(name, "semantic", q=rank) for name, rank in (("base", 2), ("tuned", 1)))
    last = pl.concat(rows).with_columns(query=pl.lit(hostile))
    lake.write(last, schema.RANKS, *RANKS, fingerprint="g")
    _, text = told("--diff", "base", "tuned")
    assert "[red]not red[/red]" in text
    assert "\x1b" not in text


def test_only_queries_of_both_are_compared() -> None:
    found = compared(ranks("base", "semantic", a=1, b=2), ranks("tuned", "semantic", b=1, c=1))
    assert found.select("query_id", "gain").rows() == [("b", 0.5)]

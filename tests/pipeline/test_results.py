from __future__ import annotations

import io
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from assets.metrics import METRICS
from corpus import schema
from evaluation.metrics import NAMES
from pipeline.results import print_results
from resources.lake import Lake


@pytest.fixture
def printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What is printed of a system with a long name, on 80 columns."""
    lake = Lake(root=str(tmp_path))
    monkeypatch.setenv("PROVENDER_LAKE", str(tmp_path))
    rows = [
        ("judged_test", system, mode, None, metric, 0.4567, 0.4, 0.5, 20)
        for system, mode in (
            ("bm25", "lexical"),
            ("bm25", "fields"),
            ("a-baseline-of-quite-a-long-name", "semantic"),
            ("[bold]odd", "semantic"),
        )
        for metric in NAMES
    ]
    frame = pl.DataFrame(rows, schema=schema.empty(schema.METRICS).schema, orient="row")
    lake.write(frame, schema.METRICS, *METRICS, fingerprint="f")
    out = io.StringIO()
    monkeypatch.setattr("assets.promotion.read_gates", lambda _: [])
    print_results(Console(file=out, width=80))
    return out.getvalue()


def test_a_table_has_80_columns_at_most(printed: str) -> None:
    table = printed.splitlines()[:-1]  # below it, the path of the report
    assert max(map(len, table)) <= 80
    [long] = [line for line in table if line.startswith("a-baseline")]
    assert long.startswith("a-baseline-of-qu… semantic ")
    assert long.rstrip().endswith("0.457")


def test_what_is_shown_is_what_search_does(printed: str) -> None:
    assert "bm25 lexical" in printed
    assert "bm25 fields" not in printed
    assert "recall@5" in printed
    assert "recall@10" not in printed  # in the report


def test_a_name_is_only_text(printed: str) -> None:
    assert "[bold]odd semantic" in printed

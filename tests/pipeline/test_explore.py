"""`provender pairs`: samples, single pairs, drops and targets, on a lake of a few rows."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from assets.common import of_source
from assets.corpus import DROPS, REMOVED, SPLITS, place_of
from assets.pairs import pairs_of
from common.errors import ProvenderError
from corpus import schema
from pipeline.cli import app
from pipeline.explore import Asked, Filters, draw, explore
from resources.lake import Lake
from tests.corpus.frames import BLOB, corpus, pairs, units

DOC = "a" * 32
PROOF = "b" * 32
HELD_OUT = "c1" + "c" * 30
DROPPED = "d" * 32

ROWS = (
    {
        "pair_id": DOC,
        "query": "Adds [red]two[/] numbers",
        "positive": "fn add() {}",
        "symbol": "add",
        "query_kind": "doc",
    },
    {
        "pair_id": PROOF,
        "query": "adding never overflows",
        "positive": "\n".join(f"line {number}" for number in range(1, 31)),
        "symbol": "check_add",
        "pair_type": "proof",
        "query_kind": "property",
        "dialect": "kani",
        "unit_id": "u2",
        "doc_rest": "It is checked for all inputs.",
        "weight": 5.0,
    },
    {
        "pair_id": HELD_OUT,
        "query": "adds in Lean",
        "positive": "def add := 1",
        "source": "held",
        "language": "lean",
        "query_kind": "doc",
        "split": "test",
    },
)
COUNTED = (
    ("demo", "rust", "doc", "query_too_long", 1_200),
    ("demo", "rust", "path", "query_too_long", 3),
    ("held", "lean", "doc", "query_too_long", 4),
    ("held", "lean", "doc", "plain_test", 5),
)


@pytest.fixture(autouse=True)
def _own_environment(restored_environment: None) -> None:
    """The commands set environment variables."""


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A lake with a corpus of three pairs, one dropped pair, and a unit with a contract."""
    made = Lake(root=str(tmp_path))
    write_corpus(made, *ROWS)
    made.write(
        pairs({"pair_id": DROPPED, "query": "fourth", "start_line": 9}, {"pair_id": DROPPED}),
        schema.PAIRS,
        *pairs_of("doc", "demo"),
        fingerprint="f",
    )
    contract = {"kind": "ensures", "text": "result > 0"}
    unit = units({"unit_id": "u2", "contracts": [contract]})
    made.write(unit, schema.UNITS, *of_source("units", "demo"), fingerprint="f")
    drops = pl.DataFrame(COUNTED, schema.empty(schema.DROPS).schema, orient="row")
    made.write(drops, schema.DROPS, *DROPS, fingerprint="f")
    return tmp_path


def write_corpus(made: Lake, *rows: dict[str, Any]) -> None:
    frame = corpus(*rows)
    for split in SPLITS:
        made.write(frame.filter(split=split), schema.CORPUS, *place_of(split), fingerprint="f")


def note_removed(lake: Path, *rows: dict[str, Any]) -> None:
    """Notes single pairs as dropped; the one of the lake's pairs, as too long, unless they say otherwise."""
    one = {
        "pair_id": DROPPED,
        "source": "demo",
        "language": "rust",
        "pair_type": "doc",
        "reason": "query_too_long",
        "kept": "",
        "share": None,
    }
    columns = schema.empty(schema.REMOVED).schema
    frame = pl.DataFrame([one | row for row in rows], columns)
    Lake(root=str(lake)).write(frame, schema.REMOVED, *REMOVED, fingerprint="f")


def run(lake: Path, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["pairs", "--lake", str(lake), *arguments])
    return done.exit_code, done.output


def drawn(lake: Path, *arguments: str) -> list[str]:
    """The ids that `--json` gives."""
    code, told = run(lake, "--json", *arguments)
    assert code == 0, told
    return [json.loads(line)["pair_id"] for line in told.splitlines()]


def lines(told: str) -> list[str]:
    return [line.rstrip() for line in told.splitlines()]


def test_a_pair_is_shown_with_its_place_and_code_and_brackets_are_no_markup(lake: Path) -> None:
    code, told = run(lake, "--type", "doc", "--split", "train")
    assert (code, lines(told)) == (
        0,
        [
            DOC,
            "Adds [red]two[/] numbers",
            "demo src/lib.rs:1-3  add",
            "rust · doc · doc · MIT · train · weight 1",
            "  fn add() {}",
            "",
            "1 of 1 pairs",
        ],
    )


def test_long_code_is_cut_after_25_lines(lake: Path) -> None:
    _, told = run(lake, "--dialect", "kani")
    assert lines(told)[3:6] == [
        "rust · kani · proof · property · MIT · train · weight 5",
        "  line 1",
        "  line 2",
    ]
    assert lines(told)[28:] == ["  line 25", "  … 5 more lines", "", "1 of 1 pairs"]


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    evil = ROWS[0] | {"query": "wipe \x1b[2J it", "positive": "\x1b]0;title\x07"}
    write_corpus(Lake(root=str(tmp_path)), evil)
    _, told = run(tmp_path)
    assert "\x1b" not in told
    assert lines(told)[1] == "wipe �[2J it"
    assert lines(told)[4] == "  �]0;title�"


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--source", "held", {HELD_OUT}),
        ("--type", "proof", {PROOF}),
        ("--kind", "doc", {DOC, HELD_OUT}),
        ("--language", "rust", {DOC, PROOF}),
        ("--dialect", "kani", {PROOF}),
        ("--tier", "permissive", {DOC, PROOF, HELD_OUT}),
        ("--split", "test", {HELD_OUT}),
        ("--domain", "rust", {DOC, PROOF, HELD_OUT}),
    ],
)
def test_each_filter_keeps_the_pairs_that_fit(
    lake: Path, option: str, value: str, expected: set[str]
) -> None:
    assert set(drawn(lake, option, value)) == expected


def test_filters_that_no_pair_meets_together_give_nothing(lake: Path) -> None:
    both = ("--dialect", "kani", "--language", "lean")
    assert run(lake, *both) == (0, "No pair fits.\n")
    assert drawn(lake, *both) == []


def test_json_has_every_column(lake: Path) -> None:
    _, told = run(lake, "--json", "--source", "held")
    row = json.loads(told)
    assert list(row) == schema.CORPUS.names
    assert (row["query"], row["weight"], row["dialect"]) == ("adds in Lean", 1.0, None)


def test_a_draw_depends_on_the_seed_and_not_on_the_order_of_rows() -> None:
    rows = [{"pair_id": f"{number:032x}"} for number in range(200)]
    shuffled = random.Random(0).sample(rows, len(rows))
    first, total = draw(corpus(*rows).lazy(), 5, 0)
    again, _ = draw(corpus(*shuffled).lazy(), 5, 0)
    other, _ = draw(corpus(*rows).lazy(), 5, 1)
    assert total == 200
    assert first["pair_id"].n_unique() == 5
    assert first["pair_id"].to_list() == again["pair_id"].to_list()
    assert first["pair_id"].to_list() != other["pair_id"].to_list()


def test_a_larger_draw_begins_with_the_smaller_one(lake: Path) -> None:
    assert drawn(lake, "-n", "3")[:2] == drawn(lake, "-n", "2")


def test_a_pair_that_two_splits_hold_is_drawn_once(tmp_path: Path) -> None:
    write_corpus(Lake(root=str(tmp_path)), ROWS[0], ROWS[0] | {"split": "valid"})
    assert drawn(tmp_path) == [DOC]


def test_all_of_a_pair_is_shown_by_the_beginning_of_its_id(lake: Path) -> None:
    code, told = run(lake, "--show", PROOF[:6].upper())
    shown = lines(told)
    fields = dict(line.split(maxsplit=1) for line in shown[: shown.index("")] if line[0] != " ")
    assert code == 0
    assert fields.keys() == {*schema.CORPUS.names, "ensures"} - {"positive"}
    expected = {
        "pair_id": PROOF,
        "doc_rest": "It is checked for all inputs.",
        "ensures": "result > 0",
        "revision": "r1",
        "blob_sha": BLOB,
        "license_tier": "permissive",
        "weight": "5",
    }
    assert {name: fields[name] for name in expected} == expected
    assert shown[-30:] == [f"line {number}" for number in range(1, 31)]


def test_a_pair_that_is_not_in_the_corpus_is_found_with_all_its_places(lake: Path) -> None:
    code, told = run(lake, "--show", DROPPED)
    assert code == 0
    assert lines(told)[0] == "Not in the corpus: it was dropped, or is newer than the corpus."
    assert "also at       demo src/lib.rs:9-3" in lines(told)


def test_an_ambiguous_beginning_lists_the_candidates(tmp_path: Path) -> None:
    twins = [ROWS[0] | {"pair_id": "abcdef" + end * 26} for end in "12"]
    write_corpus(Lake(root=str(tmp_path)), *twins)
    ids = f"abcdef{'1' * 26}, abcdef{'2' * 26}"
    assert run(tmp_path, "--show", "abcdef") == (
        1,
        f"error: provender pairs --show: `abcdef` begins several ids: {ids}. Give more of it.\n",
    )


def test_drops_are_counted_by_reason_type_and_language(lake: Path) -> None:
    code, told = run(lake, "--dropped")
    assert (code, [line.split() for line in lines(told)]) == (
        0,
        [
            "reason pairs by type by language".split(),
            "query_too_long 1,207 doc 1,204 path 3 rust 1,203 lean 4".split(),
            "plain_test 5 doc 5 lean 5".split(),
            "1,212 pairs dropped".split(),
        ],
    )


def test_one_reason_is_counted_by_source(lake: Path) -> None:
    _, told = run(lake, "--dropped", "query_too_long", "--type", "doc")
    assert [line.split() for line in lines(told)] == [
        "source pairs by type by language".split(),
        "demo 1,200 doc 1,200 rust 1,200".split(),
        "held 4 doc 4 lean 4".split(),
        "1,204 pairs dropped".split(),
    ]


def test_drops_that_no_filter_leaves_are_none(lake: Path) -> None:
    assert run(lake, "--dropped", "plain_test", "--source", "demo") == (0, "0 pairs dropped\n")


def test_pairs_that_were_dropped_for_a_reason_are_shown_below_their_counts(lake: Path) -> None:
    note_removed(lake, {"kept": "a query", "share": 0.931}, {"reason": "plain_test"})

    code, told = run(lake, "--dropped", "query_too_long", "--source", "demo")

    assert (code, lines(told)[2:]) == (
        0,
        [
            "1,203 pairs dropped",
            "",
            DROPPED,
            "fourth",
            "demo src/lib.rs:9-3  long_enough",
            "rust · doc · doc · MIT",
            "query_too_long, repeats a query (93%)",
            "  fn long_enough(left: u64, right: u64) -> u64 {",
            "      left.wrapping_add(right)",
            "  }",
            "",
        ],
    )


def test_the_unit_that_a_dropped_pair_repeats_is_shown_by_its_place(lake: Path) -> None:
    note_removed(lake, {"reason": "plain_test", "kept": "u2"})

    _, told = run(lake, "--dropped", "plain_test")

    assert "plain_test, repeats demo src/lib.rs:1-3 long_enough" in lines(told)


def test_some_of_many_dropped_pairs_are_drawn_by_the_seed(lake: Path) -> None:
    ids = [f"{number:032x}" for number in range(30)]
    frame = pairs(*({"pair_id": each} for each in ids))
    Lake(root=str(lake)).write(frame, schema.PAIRS, *pairs_of("doc", "demo"), fingerprint="f")
    note_removed(lake, *({"pair_id": each} for each in ids))

    def shown(*options: str) -> list[str]:
        _, told = run(lake, "--dropped", "query_too_long", *options)
        return [line for line in lines(told) if line in ids]

    assert len(shown()) == 10
    assert len(set(shown("-n", "3"))) == 3
    assert shown("-n", "3") == shown("-n", "3")
    assert shown("-n", "3") != shown("-n", "3", "--seed", "1")


def test_a_dropped_pair_that_left_the_lake_is_only_counted(lake: Path) -> None:
    note_removed(lake, {"source": "held", "language": "lean", "reason": "plain_test"})
    assert lines(run(lake, "--dropped", "plain_test")[1])[-1] == "5 pairs dropped"


def test_of_a_single_dropped_pair_it_is_said_why(lake: Path) -> None:
    note_removed(
        lake,
        {"kept": "u2", "share": 0.9},
        {"source": "twin", "reason": "plain_test"},
        {"pair_id": PROOF, "source": "twin"},
    )

    code, told = run(lake, "--show", DROPPED)

    assert code == 0
    assert lines(told)[0] == f"pair_id       {DROPPED}"
    assert [line for line in lines(told) if line.startswith("dropped")] == [
        "dropped       from demo: query_too_long, repeats demo src/lib.rs:1-3 long_enough (90%)",
        "dropped       from twin: plain_test",
    ]


def test_a_pair_of_the_corpus_says_where_it_was_dropped_as_well(lake: Path) -> None:
    note_removed(lake, {"pair_id": PROOF, "source": "twin"})
    assert "dropped       from twin: query_too_long" in lines(run(lake, "--show", PROOF)[1])


def test_targets_that_are_missed_are_reported_with_exit_code_0(lake: Path) -> None:
    code, told = run(lake, "--targets")
    assert code == 0
    assert [line.split() for line in lines(told)] == [
        "target measured plan unit".split(),
        "✗ pairs 2 100,000 – 200,000 pairs".split(),
        "✗ rust 2 ≥ 50,000 pairs".split(),
        "✗ formal 1 ≥ 5,000 pairs".split(),
        "✗ tlaplus_tooling 0 ≥ 1,000 pairs".split(),
        "✗ verification 1 ≥ 2,000 pairs".split(),
        "✗ languages 1 ≥ 4 languages".split(),
        "✓ mean_query 23.0 20 – 100 characters".split(),
        "✓ mean_code 120.5 100 – 2,000 characters".split(),
        "2 of 8 met, over the train split".split(),
    ]


def test_targets_of_another_profile_are_asked_for_by_name(
    lake: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVENDER_LAKE", str(lake))

    explore(Asked(Filters(), targets=True, profile="quickstart"))

    told = [line.split() for line in lines(capsys.readouterr().out)]
    assert told[0] == "target measured quickstart unit".split()
    assert told[2] == "✗ rust 2 ≥ 15,000 pairs".split()
    assert told[4] == "✓ tlaplus_tooling 0 – pairs".split()
    with pytest.raises(ProvenderError, match="did you mean `plan`"):
        explore(Asked(Filters(), targets=True, profile="plans"))
    with pytest.raises(ProvenderError, match="As `provender pairs --targets --profile plan`"):
        explore(Asked(Filters(), profile="plan"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--language rusty", "no pair has the language `rusty`; did you mean `rust`? Correct it."),
        ("--type prof", "no pair has the type `prof`; did you mean `proof`? Correct it."),
        ("--source xyz", "no pair has the source `xyz`; known ones: demo, held. Correct it."),
        (
            "--dropped plain_tests",
            "no dropped pair has the reason `plain_tests`; did you mean `plain_test`? Correct it.",
        ),
        (
            "plain_test",
            "`plain_test` is a reason without --dropped. As `provender pairs --dropped plain_test`.",
        ),
        ("--targets --dropped", "--dropped and --targets do not go together. Give one of them."),
        (
            "--dropped --kind doc --json",
            "--kind, --json cannot be given with --dropped. Leave it out.",
        ),
    ],
)
def test_a_mistake_is_one_line(lake: Path, arguments: str, message: str) -> None:
    assert run(lake, *arguments.split()) == (1, f"error: provender pairs: {message}\n")


@pytest.mark.parametrize(
    ("prefix", "message"),
    [
        ("aaaaa", "`aaaaa` is too short for an id. Give at least 6 characters."),
        ("123456", "No pair has an id that begins with `123456`. `provender pairs` shows them."),
    ],
)
def test_an_id_that_finds_nothing_is_one_line(lake: Path, prefix: str, message: str) -> None:
    told = f"error: provender pairs --show: {message}\n"
    assert run(lake, "--show", prefix) == (1, told)


@pytest.mark.parametrize("mode", [(), ("--dropped",), ("--targets",), ("--show", DOC)])
def test_without_a_corpus_it_is_said_what_makes_one(tmp_path: Path, mode: tuple[str, ...]) -> None:
    what = (
        "There is no corpus yet. Run `provender refresh` first, or name another lake with --lake."
    )
    assert run(tmp_path, *mode) == (1, f"error: {tmp_path / 'corpus'}: {what}\n")

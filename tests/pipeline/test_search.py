"""`provender search` with the tiny model: a lake of two sources, and folders on disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from assets.common import of_source
from assets.metrics import METRICS
from common import device
from corpus import isolated, schema
from evaluation.documents import render
from evaluation.retrieve import maxsim_scores
from pipeline import search as module
from pipeline.cli import app
from pipeline.model import Model
from resources.lake import Lake
from tests.corpus.frames import units
from tests.corpus.snapshots.repository import Repository
from tests.tiny import NOUNS, VERBS, tiny_recipe, write_checkpoint, write_curriculum, write_recipe

QUERY = "merge the spans"
DRAWN = [f"{verb}_{noun}" for verb in VERBS for noun in NOUNS]


def unit(source: str, symbol: str, line: int, **changes: Any) -> dict[str, Any]:
    return {
        "source": source,
        "unit_id": f"{source}{symbol}{line}",
        "symbol": symbol,
        "name": symbol,
        "path": f"src/{symbol.partition('_')[2]}.rs",
        "start_line": line,
        "end_line": line + 2,
        "code": f"fn {symbol}(text: &str) -> usize {{\n    text.{symbol.partition('_')[0]}()\n}}",
        **changes,
    }


ALPHA = [unit("alpha", symbol, 10 * number) for number, symbol in enumerate(DRAWN[:24], 1)]
BETA = [unit("beta", symbol, 10 * number) for number, symbol in enumerate(DRAWN[24:], 1)]


@pytest.fixture(autouse=True)
def _own_environment(restored_environment: None) -> Iterator[None]:
    """The commands set environment variables, and start a process that parses."""
    yield
    isolated.stop()


@pytest.fixture
def lake(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Two sources with units, a third that was never read, and the tiny model."""
    made = Lake(root=str(tmp_path / "lake"))
    write_units(made, "alpha", *ALPHA)
    write_units(made, "beta", *BETA)
    shutil.copytree(tiny_model, made.path("models", "model"))
    sources = [
        *({"name": name, "kind": "git", "url": "./x"} for name in ("alpha", "beta", "later")),
        {"name": "published", "kind": "dataset", "paths": ["x.jsonl"]},
    ]
    manifest = tmp_path / "sources.yaml"
    manifest.write_text(yaml.safe_dump({"sources": sources}), encoding="utf-8")
    write_recipe(tmp_path / "train.yaml", tiny_recipe(tiny_model))
    monkeypatch.setenv("PROVENDER_CURRICULUM", str(write_curriculum(tmp_path, "rust")))
    monkeypatch.setenv("PROVENDER_STAGES", "tiny")
    monkeypatch.setenv("PROVENDER_SOURCES", str(manifest))
    monkeypatch.setenv("PROVENDER_LAKE", str(made.path()))
    return made


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The documents that are encoded from here on."""
    asked: list[str] = []
    encode = Model.encode

    def counted(model: Model, texts: list[str], task: str) -> Any:
        asked.extend(texts if task == "document" else [])
        return encode(model, texts, task)

    monkeypatch.setattr(Model, "encode", counted)
    return asked


def write_units(lake: Lake, source: str, *rows: dict[str, Any]) -> None:
    frame = units(*rows) if rows else schema.empty(schema.UNITS)
    lake.write(frame, schema.UNITS, *of_source("units", source), fingerprint="f")


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["search", *arguments])
    return done.exit_code, done.output


def found(*arguments: str) -> list[dict[str, Any]]:
    done = CliRunner().invoke(app, ["search", *arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def symbols(*arguments: str) -> list[str]:
    return [row["symbol"] for row in found(*arguments)]


def test_semantic_answers_are_those_of_exact_maxsim(
    lake: Lake, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.model import load_encoder

    monkeypatch.setattr(device, "_cpu_multiplies_bf16", lambda: False)
    frame = units(*ALPHA, *BETA).sort("source", "path", "start_line", "symbol")
    encoder = load_encoder(tiny_recipe(tiny_model), 40)
    documents = encoder.encode_document([render(row, "indexed") for row in frame.to_dicts()])
    query = encoder.encode_query([QUERY])
    scores = maxsim_scores(list(query), [each.half().float() for each in documents])[0]
    best = sorted(range(len(scores)), key=lambda row: -scores[row])[:5]

    rows = found(QUERY, "--mode", "semantic", "-n", "5")
    assert [row["symbol"] for row in rows] == [frame["symbol"][row] for row in best]
    assert [row["score"] for row in rows] == pytest.approx([scores[row] for row in best], abs=1e-5)
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5]


def test_json_has_place_score_and_snippet(lake: Lake) -> None:
    [row] = found("merge_span", "--mode", "lexical", "-n", "1")
    score = row.pop("score")
    assert score > 0
    assert row == {
        "source": "beta",
        "revision": "r1",
        "path": "src/span.rs",
        "start_line": 230,
        "end_line": 232,
        "symbol": "merge_span",
        "language": "rust",
        "rank": 1,
        "snippet": "fn merge_span(text: &str) -> usize {\n    text.merge()\n}",
    }


def test_the_terminal_shows_place_symbol_score_and_code(lake: Lake) -> None:
    code, told = run("merge_span", "--mode", "lexical", "-n", "1")
    assert code == 0
    lines = [line.rstrip() for line in told.splitlines()]
    assert lines[0] == " 1  src/span.rs:230  merge_span"
    assert lines[1].endswith(" · beta · rust")
    assert lines[2:] == [
        "    fn merge_span(text: &str) -> usize {",
        "        text.merge()",
        "    }",
        "",
        "1 of 48 definitions of 2 sources, lexical",
    ]


def test_only_what_has_changed_is_encoded_again(lake: Lake, encoded: list[str]) -> None:
    found(QUERY)
    assert len(encoded) == 48
    encoded.clear()
    found(QUERY)
    assert encoded == []

    moved = ALPHA[0] | {"start_line": 5, "unit_id": "moved"}
    write_units(lake, "alpha", moved, *ALPHA[1:23], ALPHA[23] | {"code": "fn new() {}"})
    rows = found(QUERY, "-n", "50")
    assert encoded == ["alpha/src/path.rs\nfn new() {}"]
    assert len(rows) == 48
    assert 5 in [row["start_line"] for row in rows if row["symbol"] == ALPHA[0]["symbol"]]

    encoded.clear()
    write_units(lake, "alpha")
    assert {row["source"] for row in found(QUERY, "-n", "50")} == {"beta"}
    assert encoded == []
    write_units(lake, "alpha", ALPHA[0])
    found(QUERY)
    assert len(encoded) == 1  # what was gone was deleted


def test_a_source_is_searched_alone_and_its_vectors_serve_all(
    lake: Lake, encoded: list[str]
) -> None:
    assert {row["source"] for row in found(QUERY, "--in", "beta", "-n", "50")} == {"beta"}
    assert len(encoded) == 24
    assert len(found(QUERY, "-n", "50")) == 48
    assert len(encoded) == 48


def test_plain_tests_are_not_searched(lake: Lake) -> None:
    proof = unit("alpha", "proof_span", 2, is_test=True, dialect="kani")
    write_units(lake, "alpha", unit("alpha", "plain_span", 1, is_test=True), proof)
    assert symbols("span", "--in", "alpha") == ["proof_span"]


def test_another_model_has_its_own_index(lake: Lake, tmp_path: Path, encoded: list[str]) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    other = write_checkpoint(tmp_path / "other")
    weights = load_file(other / "model.safetensors")
    name = next(each for each in weights if each.endswith("word_embeddings.weight"))
    weights[name] = torch.flip(weights[name], [0])
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})

    first = symbols(QUERY, "--mode", "semantic", "-n", "48")
    assert symbols(QUERY, "--mode", "semantic", "-n", "48", "--model", str(other)) != first
    assert len(encoded) == 96
    # The base of the recipe is the same model as the lake's here, and so has the same index.
    assert symbols(QUERY, "--mode", "semantic", "-n", "48", "--model", "base") == first
    assert symbols(QUERY, "--mode", "semantic", "-n", "48", "--model", str(other)) != first
    assert len(encoded) == 96
    assert len([each for each in lake.path("index").iterdir() if each.name != "lexical"]) == 2


def test_words_are_found_without_a_model_and_counted_once(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evaluation.bm25 import Bm25

    shutil.rmtree(lake.path("models"))
    counted: list[int] = []
    of = Bm25.of

    def counting(documents: Any) -> Bm25:
        counted.append(len(documents))
        return of(documents)

    monkeypatch.setattr(Bm25, "of", counting)
    first = found("merge span", "--mode", "lexical")
    assert first[0]["symbol"] == "merge_span"
    assert found("merge span", "--mode", "lexical") == first
    assert counted == [48]
    [kept] = lake.path("index", "lexical").iterdir()
    (kept / "indptr.csc.index.npy").write_bytes(b"damaged")
    assert found("merge span", "--mode", "lexical") == first
    write_units(lake, "alpha", *ALPHA[:3])
    found("merge span", "--mode", "lexical")
    assert counted == [48, 48, 27]


def test_nothing_found_is_said(lake: Lake) -> None:
    code, told = run("zebra", "--mode", "lexical")
    assert (code, told) == (0, "No definition of 2 sources has a word of the query.\n")
    assert found("zebra", "--mode", "lexical") == []


def test_the_weight_is_that_of_the_last_evaluation(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert module._alpha(lake) == 0.5
    row = {
        "eval_set": "judged_test",
        "system": "tuned",
        "mode": "hybrid",
        "alpha": 0.85,
        "metric": "MRR",
        "mean": 0.5,
        "low": 0.4,
        "high": 0.6,
        "queries": 3,
    }
    rows = pl.DataFrame(
        [row | {"system": "base", "alpha": 0.1}, row], schema=schema.empty(schema.METRICS).schema
    )
    lake.write(rows, schema.METRICS, *METRICS, fingerprint="f")
    assert module._alpha(lake) == 0.85


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--in", "alpa"), "no source and no folder `alpa`; did you mean `alpha`? Correct it"),
        (("--in", "later"), "later is not in the lake yet. Run `provender refresh` first"),
        (("--in", "published"), "This source is a data set"),
        (("--mode", "fuzzy"), "There is no mode `fuzzy`. Choose hybrid, semantic or lexical."),
        (("--model", "modell"), "There is no model `modell`; did you mean `model`? Correct it"),
        (("--model", "./none"), "There is no model `./none`"),
    ],
)
def test_a_mistake_is_one_line(lake: Lake, arguments: tuple[str, ...], message: str) -> None:
    code, told = run(QUERY, *arguments)
    assert code == 1
    assert told.startswith("error: ")
    assert message in told
    assert told.count("\n") == 1
    assert not lake.path("index").exists()


def test_an_empty_query_is_a_mistake(lake: Lake) -> None:
    code, told = run("  ")
    assert (code, told.count("\n")) == (1, 1)
    assert "The query is empty." in told


def test_without_a_model_the_demo_is_named(lake: Lake) -> None:
    shutil.rmtree(lake.path("models"))
    code, told = run(QUERY)
    assert (code, told.count("\n")) == (1, 1)
    assert "There is no model yet. Run `make demo` first" in told


def test_without_definitions_the_refresh_is_named(lake: Lake) -> None:
    shutil.rmtree(lake.path("units"))
    code, told = run(QUERY)
    assert (code, told.count("\n")) == (1, 1)
    assert "no definition in the lake yet. Run `provender refresh` first, or `make demo`." in told


def test_a_damaged_index_is_one_line(lake: Lake) -> None:
    found(QUERY)
    for file in lake.path("index").rglob("*.lance/data/*"):
        file.write_bytes(b"")
    code, told = run(QUERY)
    assert (code, told.count("\n")) == (1, 1)
    assert "The search index is damaged" in told
    shutil.rmtree(lake.path("index"))
    assert len(found(QUERY)) == 10


HOSTILE = "fn evil() {\r\x1b]0;owned\x07\x1b[2J \x9b31m \u202e [red]markup[/] [/nothing]\n}"


def test_hostile_code_does_not_steer_the_terminal(lake: Lake) -> None:
    evil = unit(
        "alpha", "merge_evil", 1, code=HOSTILE, path="src/\x1b[31m[bold]x.rs", language="rust"
    )
    write_units(
        lake, "alpha", evil, evil | {"symbol": "merge_\x1b[2J[blink]evil\x07", "unit_id": "2"}
    )
    done = CliRunner().invoke(app, ["search", "merge evil", "--in", "alpha", "--mode", "lexical"])
    assert done.exit_code == 0
    assert not set(done.output) & set("\x1b\x07\x9b\r\u202e")
    assert "[red]markup[/] [/nothing]" in done.output
    assert "merge_�[2J[blink]evil�" in done.output
    assert "src/�[31m[bold]x.rs:1" in done.output

    done = CliRunner().invoke(
        app, ["search", "merge evil", "--in", "alpha", "--mode", "lexical", "--json"]
    )
    assert not set(done.output) & set("\x1b\x07\x9b\r\u202e")
    first = json.loads(done.stdout)[0]
    assert first["snippet"].startswith("fn evil() {")
    assert first["path"] == "src/\x1b[31m[bold]x.rs"


def test_long_lines_and_long_code_are_cut(lake: Lake) -> None:
    lines = ["fn long() {", *(f"\tlet x = {'a' * 900};" for _ in range(20)), "}"]
    write_units(lake, "alpha", unit("alpha", "merge_long", 1, code="\n".join(lines)))
    _, told = run("merge long", "--in", "alpha", "--mode", "lexical")
    assert max(map(len, told.splitlines())) <= 80
    assert "    … 16 more lines" in told.splitlines()


RUST = """/// Merges two spans.
pub fn merge_span(left: u32, right: u32) -> u32 {
    left.wrapping_add(right)
}
"""
TESTS = """
#[cfg(test)]
mod tests {
    #[test]
    fn merge_span_works() {
        assert_eq!(super::merge_span(1, 2), 3);
    }
}
"""


@pytest.fixture
def project(tmp_path: Path) -> Repository:
    """A git repository under a licence that no corpus takes, with files that are not to be read."""
    made = Repository(tmp_path / "My Project")
    made.write("COPYING", "SPDX-License-Identifier: GPL-3.0-only\n")
    made.write("src/lib.rs", "// SPDX-License-Identifier: GPL-3.0-only\n" + RUST + TESTS)
    made.write("part/LICENSE", "SPDX-License-Identifier: LicenseRef-Secret\n")
    made.write("part/a.py", "def open_file(path):\n    return read_everything(path)\n")
    made.write("tests/it.rs", "#[test]\nfn merge_span_again() { merge_span(1, 2); }\n")
    made.write(".gitignore", "ignored.rs\n")
    made.commit()
    made.write("ignored.rs", RUST.replace("merge_span", "ignored_span"))
    made.write("src/new.rs", RUST.replace("merge_span", "new_span"))
    secret = made.folder.parent / "outside"
    secret.mkdir()
    (secret / "secret.rs").write_text(RUST.replace("merge_span", "outside_span"), encoding="utf-8")
    (made.folder / "linked").symlink_to(secret)
    (made.folder / "linked.rs").symlink_to(secret / "secret.rs")
    return made


def test_a_folder_is_searched_as_its_files_lie_there(
    lake: Lake, project: Repository, encoded: list[str]
) -> None:
    place = str(project.folder)
    rows = found(QUERY, "--in", place, "-n", "50")
    assert sorted(row["symbol"] for row in rows) == ["merge_span", "new_span", "open_file"]
    [first] = [row for row in rows if row["symbol"] == "merge_span"]
    assert first["source"] == "my-project"
    assert first["revision"].startswith("worktree:")
    assert (first["path"], first["start_line"], first["end_line"]) == ("src/lib.rs", 3, 5)
    assert len(encoded) == 3
    encoded.clear()

    project.write("src/new.rs", RUST.replace("merge_span", "newer_span"))
    (project.folder / "part" / "a.py").unlink()
    assert sorted(symbols(QUERY, "--in", place, "-n", "50")) == ["merge_span", "newer_span"]
    assert [text.splitlines()[0] for text in encoded] == ["my-project/src/new.rs"]
    # The lake's own tables know nothing of it.
    assert not lake.path(*of_source("units", "my-project")).exists()
    assert len(symbols(QUERY, "-n", "50")) == 48


def test_an_unchanged_folder_is_not_parsed_again(
    lake: Lake, project: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    from corpus import extract

    place = str(project.folder)
    first = found("merge span", "--in", place, "--mode", "lexical")

    def refuse(files: Any) -> Iterator[Any]:
        assert list(files) == []
        return iter(())

    monkeypatch.setattr(extract, "extractions", refuse)
    assert found("merge span", "--in", place, "--mode", "lexical") == first


def test_a_place_in_a_folder_can_be_opened(
    lake: Lake, project: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("merge", "--in", str(project.folder), "--mode", "lexical", "-n", "1")
    assert f"{project.folder}/src/lib.rs:3" in run(*arguments)[1].replace("\n", "")
    monkeypatch.chdir(project.folder)
    assert run("merge", "--in", ".", "--mode", "lexical", "-n", "1")[1].startswith(
        " 1  src/lib.rs:3  merge_span\n"
    )


def test_nothing_is_written_into_the_folder_nor_run(lake: Lake, project: Repository) -> None:
    hook = project.write(".git/hooks/post-checkout", f"#!/bin/sh\ntouch {project.folder}/ran\n")
    hook.chmod(0o755)
    project.git("config", "core.fsmonitor", str(hook))
    before = sorted(str(each) for each in project.folder.rglob("*") if ".git/" not in str(each))
    found("merge", "--in", str(project.folder), "--mode", "lexical")
    after = sorted(str(each) for each in project.folder.rglob("*") if ".git/" not in str(each))
    assert after == before


def test_a_folder_without_definitions_is_told(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, told = run(QUERY, "--in", str(tmp_path / "empty"), "--mode", "lexical")
    assert (code, told.count("\n")) == (1, 1)
    assert "There is no definition to search." in told


def test_the_words_of_the_query_that_say_something_are_emphasised() -> None:
    assert module._words("prove that the Ring buffer never overflows") == [
        "overflows",
        "buffer",
        "never",
        "prove",
        "ring",
    ]
    text = module._code(["fn ring_buffer() {}"], "rust", ["ring"])
    assert text.plain == "fn ring_buffer() {}"
    assert [(span.start, span.end) for span in text.spans if "underline" in str(span.style)] == [
        (3, 7)
    ]

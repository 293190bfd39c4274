from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from common.errors import ProvenderError
from tests.tiny import pair, tiny_recipe, write_corpus, write_curriculum, write_recipe
from training.mine import main, mine_stage
from training.recipe import Recipe
from training.run import main as run


@pytest.fixture
def recipe(tiny_model: Path) -> Recipe:
    """Of 48 pairs, 16 are drawn."""
    mining = {"per_pair": 4, "threshold": 1.0, "lexical_threshold": None}
    return tiny_recipe(
        tiny_model,
        mixture={"max_pairs": 16},
        hard_negatives={"per_pair": 2, "mining": mining},
    )


def _mined(folder: Path) -> list[dict]:
    return pq.read_table(folder / "negatives.parquet").to_pylist()


def test_the_pairs_that_a_recipe_draws_are_mined(
    recipe: Recipe, corpus: Path, tmp_path: Path
) -> None:
    result = mine_stage(recipe, corpus, tmp_path / "models" / "stage", tmp_path / "n")
    ranks = pq.read_table(tmp_path / "n" / "consistency.parquet").to_pylist()
    assert result["pairs"] == len(ranks) == 16
    assert all(1 <= row["rank"] <= 16 for row in ranks)
    rows = _mined(tmp_path / "n")
    assert result["negatives"] == len(rows) > 16
    drawn = {row["pair_id"] for row in ranks}
    assert {row["pair_id"] for row in rows} <= drawn
    assert {row["negative_id"] for row in rows} <= drawn
    assert result["kinds"] == {
        kind: sum(row["kind"] == kind for row in rows) for kind in {row["kind"] for row in rows}
    }


def test_who_waits_is_told_how_far_it_is(
    recipe: Recipe, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.progress.EVERY_S", 0)
    told: list[str] = []
    mine_stage(recipe, corpus, tmp_path / "models" / "stage", tmp_path / "n", tell=told.append)
    assert told == [f"{done} of 16 pairs mined for" for done in range(1, 17)]


def test_nothing_is_mined_twice_and_everything_anew_where_the_draw_is_another(
    recipe: Recipe, corpus: Path, tmp_path: Path
) -> None:
    place = (corpus, tmp_path / "models" / "stage", tmp_path / "n")
    assert mine_stage(recipe, *place)["mined"]
    before = _mined(tmp_path / "n")
    assert not mine_stage(recipe, *place)["mined"]
    other = recipe.model_copy(update={"learning_rate": 0.5})
    assert not mine_stage(other, *place)["mined"], "the rate changes no negative"
    assert mine_stage(recipe.model_copy(update={"seed": 8}), *place)["mined"]
    assert _mined(tmp_path / "n") != before


def test_a_recipe_that_asks_for_none_is_told(
    corpus: Path, tiny_model: Path, tmp_path: Path
) -> None:
    with pytest.raises(ProvenderError, match="asks for no hard negatives"):
        mine_stage(tiny_recipe(tiny_model), corpus, tmp_path / "m" / "s", tmp_path / "n")


def test_the_next_stage_mines_with_the_stage_before(
    recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [pair(n, domain=("general", "rust")[n % 2]) for n in range(48)]
    corpus = write_corpus(tmp_path / "c.parquet", rows)
    write_recipe(tmp_path / "train.yaml", recipe)
    curriculum = write_curriculum(tmp_path, "general", "rust")
    options = ["--config", str(curriculum), "--corpus", str(corpus)]
    assert run([*options, "--output", str(tmp_path / "lake" / "models")]) == 0
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines()] == ["trained", "trained"]
    found = {
        name: json.loads((tmp_path / "lake/negatives" / f"stage_{name}/manifest.json").read_text())
        for name in ("general", "rust")
    }
    assert found["general"]["base_model"] == recipe.base_model
    assert found["rust"]["base_model"] == "stage:general"
    # What a run has mined is of today for the command, and the other way round.
    arguments = [*options, "--models", str(tmp_path / "lake" / "models")]
    output = str(tmp_path / "lake" / "negatives" / "stage_rust")
    assert main([*arguments, "--stage", "rust", "--output", output]) == 0
    assert capsys.readouterr().out.startswith("unchanged ")


def test_a_stage_before_that_is_not_there_is_named(
    recipe: Recipe, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "r.yaml"
    settings = recipe.model_dump(mode="json") | {"base_model": "stage:general", "stage": "rust"}
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    arguments = ["--config", str(config), "--corpus", str(corpus), "-o", str(tmp_path / "n")]
    assert main([*arguments, "--models", str(tmp_path / "models")]) == 1
    assert "no checkpoint of the stage before, `stage:general`" in capsys.readouterr().err
    assert not (tmp_path / "n").exists()


def test_several_processes_do_not_mine_at_once(
    recipe: Recipe,
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = write_recipe(tmp_path / "r.yaml", recipe)
    arguments = ["--config", str(config), "--corpus", str(corpus), "--output", str(tmp_path / "ck")]
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "a run")
    assert run(arguments) == 1
    assert "were not mined yet" in capsys.readouterr().err
    assert {each.name for each in tmp_path.iterdir()} == {"r.yaml"}


def test_a_recipe_by_itself_writes_beside_its_checkpoint_only(
    recipe: Recipe, corpus: Path, tmp_path: Path
) -> None:
    config = write_recipe(tmp_path / "r.yaml", recipe)
    arguments = ["--config", str(config), "--corpus", str(corpus)]
    assert run([*arguments, "--output", str(tmp_path / "deep" / "ck")]) == 0
    assert {each.name for each in tmp_path.iterdir()} == {"r.yaml", "deep"}
    assert {each.name for each in (tmp_path / "deep").iterdir()} == {"ck", "ck.negatives"}

"""`provender search --model experts`: who encodes what, and what an adapter that was trained anew costs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from common import device
from common.device import Device
from corpus import isolated
from evaluation.documents import render
from evaluation.retrieve import encode, maxsim_scores
from evaluation.routing import encode_documents
from pipeline.cli import app
from pipeline.experts import RoutedModel
from resources.lake import Lake
from tests.corpus.frames import units
from tests.pipeline.test_search import ALPHA, BETA, write_units
from tests.tiny import tiny_recipe, write_curriculum, write_recipe
from tests.training.test_experts import write_experts, write_route
from training.experts import Experts, found

QUERY = "merge the spans"
FORMAL = [row | {"domain": "formal"} for row in BETA[:6]]
UNKNOWN = [row | {"domain": "personal"} for row in BETA[6:9]]


@pytest.fixture(autouse=True)
def _own_environment(restored_environment: None) -> Iterator[None]:
    yield
    isolated.stop()


@pytest.fixture
def lake(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """24 definitions of Rust, six formal ones and three of a domain without an expert; two experts."""
    made = Lake(root=str(tmp_path / "lake"))
    write_units(made, "alpha", *ALPHA)
    write_units(made, "beta", *FORMAL, *UNKNOWN)
    write_experts(made.path("models"), tiny_model, rust=4, formal=4)
    _route(made, rust=1.0, formal=0.0)
    sources = [{"name": name, "kind": "git", "url": "./x"} for name in ("alpha", "beta")]
    manifest = tmp_path / "sources.yaml"
    manifest.write_text(yaml.safe_dump({"sources": sources}), encoding="utf-8")
    write_recipe(tmp_path / "train.yaml", tiny_recipe(tiny_model))
    monkeypatch.setenv("PROVENDER_CURRICULUM", str(write_curriculum(tmp_path, "rust")))
    monkeypatch.setenv("PROVENDER_STAGES", "tiny")
    monkeypatch.setenv("PROVENDER_SOURCES", str(manifest))
    monkeypatch.setenv("PROVENDER_LAKE", str(made.path()))
    monkeypatch.setattr(device, "_cpu_multiplies_bf16", lambda: False)
    return made


def _route(lake: Lake, threshold: float = 0.0, **scores: float) -> None:
    write_route(lake.path("models"), threshold, **scores)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The domain of each document that is encoded from here on."""
    asked: list[str] = []
    encode_ = RoutedModel.encode_documents

    def counted(model: RoutedModel, texts: list[str], domains: Any) -> Any:
        asked.extend(domains)
        return encode_(model, texts, domains)

    monkeypatch.setattr(RoutedModel, "encode_documents", counted)
    return asked


def _search(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["search", QUERY, "--model", "experts", *arguments])


def _expected(lake: Lake, *adapters: str) -> dict[str, np.ndarray]:
    """By adapter, the scores of all definitions, each encoded by its own domain's."""
    experts, cpu = Experts.load(found(lake.path("models"))), Device("cpu", "fp32")
    frame = units(*ALPHA, *FORMAL, *UNKNOWN).sort("source", "path", "start_line", "symbol")
    texts = [render(row, "indexed") for row in frame.to_dicts()]
    documents = encode_documents(experts, texts, frame["domain"].to_list(), cpu)
    stored = [each.half().float() for each in documents]
    return {
        name: maxsim_scores(
            encode(experts.use(name), [QUERY], "query", autocast=cpu.autocast()), stored
        )[0]
        for name in adapters
    }


def test_a_routed_query_is_scored_against_documents_of_all_adapters(lake: Lake) -> None:
    for rust, formal, name in ((1.0, 0.0, "rust"), (0.0, 1.0, "formal")):
        _route(lake, rust=rust, formal=formal)
        done = _search("--mode", "semantic", "-n", "33", "--json")
        assert done.exit_code == 0, done.output
        found_ = [row["score"] for row in json.loads(done.stdout)]
        assert found_ == pytest.approx(sorted(_expected(lake, name)[name], reverse=True), abs=1e-5)


def test_an_unsure_query_is_scored_by_the_two_best_together(lake: Lake) -> None:
    _route(lake, threshold=1.0, rust=1.0, formal=0.0)
    done = _search("--mode", "semantic", "-n", "33", "--json")
    scores = _expected(lake, "rust", "formal")
    scaled = {name: (each - each.min()) / np.ptp(each) for name, each in scores.items()}
    share = np.exp(1) / (np.exp(1) + 1)
    both = share * scaled["rust"] + (1 - share) * scaled["formal"]
    found_ = [row["score"] for row in json.loads(done.stdout)]
    assert found_ == pytest.approx(sorted(both, reverse=True), abs=1e-4)


def test_an_adapter_that_was_trained_anew_costs_its_own_documents_and_is_named(
    lake: Lake, tiny_model: Path, encoded: list[str]
) -> None:
    assert _search().exit_code == 0
    assert sorted(encoded) == ["formal"] * 6 + ["personal"] * 3 + ["rust"] * 24
    encoded.clear()
    assert "older adapter" not in _search().output
    assert encoded == []

    write_experts(lake.path("models"), tiny_model, formal=2)
    done = _search()
    assert done.exit_code == 1
    assert "The router was made with other adapters: formal changed since." in done.output
    _route(lake, rust=1.0, formal=0.0)
    told = " ".join(_search().output.split())
    assert "an older adapter had encoded, and that are encoded again: 6 by formal" in told
    assert encoded == ["formal"] * 6


def test_without_a_router_or_an_expert_it_says_what_to_do(lake: Lake) -> None:
    shutil.rmtree(lake.path("models", "expert_formal"))
    assert "There is no expert for `formal`." in _search().output
    shutil.rmtree(lake.path("models", "router"))
    done = _search()
    assert done.exit_code == 1
    assert "There is no router." in done.output

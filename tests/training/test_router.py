"""The router is learned from the corpus's queries, calibrated, and belongs to its experts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.device import Device
from common.errors import ProvenderError
from evaluation.routing import WEIGHTS, Router, embed
from tests.tiny import pair, write_corpus
from tests.training.test_experts import write_experts
from training.experts import Experts, identified
from training.router import THRESHOLDS, _read, calibration_error, cheapest, make_router

CPU = Device("cpu", "fp32")
DOMAINS = ("general", "rust", "formal")


def _rows(split: str, *domains: str) -> list[dict[str, Any]]:
    """Pairs whose queries say in their verbs what domain they are of."""
    words = {"general": "parse read", "rust": "write open", "formal": "close merge"}
    rows = []
    for number in range(30):
        for domain in domains:
            verb = words[domain].split()[number % 2]
            noun = "date time file index token".split()[number % 5]
            key = f"{split}-{domain}-{number}"
            rows.append(
                pair(
                    number,
                    pair_id=key,
                    query=f"{verb} {verb} the {noun} {number}",
                    domain=domain,
                    cluster_id=key,
                    positive=f"fn {verb}_{noun}_{number}() {{}}",
                    split=split,
                )
            )
    return rows


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tables")
    return {
        "corpus": write_corpus(folder / "train.parquet", _rows("train", *DOMAINS)),
        "valid": write_corpus(folder / "valid.parquet", _rows("valid", *DOMAINS)),
    }


@pytest.fixture(scope="module")
def places(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_experts(
        tmp_path_factory.mktemp("experts"), tiny_model, general=4, rust=4, formal=4
    )


@pytest.fixture(scope="module")
def made(
    places: dict[str, Path], tables: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    output = tmp_path_factory.mktemp("router") / "router"
    return output, make_router(places, output, **tables)


def test_it_tells_domains_apart_that_can_be_told_apart(
    made: tuple[Path, dict[str, Any]], places: dict[str, Path]
) -> None:
    output, manifest = made
    assert manifest["made"] is True
    assert manifest["queries"] == {name: {"doc": 30} for name in DOMAINS}
    assert manifest["held_out"]["accuracy"] > 0.9
    assert manifest["validation"]["pairs"]["accuracy"] > 0.9
    assert 0 <= manifest["validation"]["pairs"]["calibration_error"] < 0.2
    router, experts = Router.load(output), Experts.load(places)
    queries = ["open open the date 77", "merge merge the file 78"]
    found = router.probabilities(embed(experts, queries, CPU, router.reads))
    assert [router.domains[each] for each in found.argmax(axis=1)] == ["rust", "formal"]
    assert np.allclose(found.sum(axis=1), 1)


def test_it_reads_embeddings_unless_token_vectors_are_worth_another_reading(
    made: tuple[Path, dict[str, Any]],
) -> None:
    assert made[1]["reads"] == "embeddings"  # which tell these domains apart as well
    assert made[1]["tried"].keys() == {"embeddings", "encoder"}

    def figures(held_out: float, pairs: float, judged: float) -> dict[str, Any]:
        validation = {"pairs": {"accuracy": pairs}, "judged queries": {"accuracy": judged}}
        return {"held_out": {"accuracy": held_out}, "validation": validation}

    cheap = figures(0.5, 0.80, 0.60)
    assert _read(cheap, figures(0.9, 0.83, 0.60)) == "embeddings"
    assert _read(cheap, figures(0.9, 0.83, 0.62)) == "encoder"


def test_its_threshold_is_the_cheapest_of_the_best_on_validation_queries(
    made: tuple[Path, dict[str, Any]],
) -> None:
    _, manifest = made
    tried = {row["threshold"]: row for row in manifest["thresholds"]}
    assert list(tried) == list(THRESHOLDS)
    assert manifest["threshold"] == cheapest({each: row["MRR"] for each, row in tried.items()})
    shares = [row["to_two"] for row in tried.values()]
    assert shares == sorted(shares)
    assert shares[0] == 0


@pytest.mark.parametrize(
    ("reached", "threshold"),
    [
        ({0.0: 0.7700, 0.5: 0.7720, 1.0: 0.7749}, 0.0),  # as well as chance may give
        ({0.0: 0.7690, 0.5: 0.7720, 1.0: 0.7749}, 0.5),
        ({0.0: 0.7800, 0.5: 0.7720, 1.0: 0.7749}, 0.0),
    ],
)
def test_a_second_expert_is_asked_only_where_it_is_worth_its_time(
    reached: dict[float, float], threshold: float
) -> None:
    assert cheapest(reached) == threshold


def test_it_is_safetensors_and_a_manifest(made: tuple[Path, dict[str, Any]]) -> None:
    assert {each.name for each in made[0].iterdir()} == {"router.safetensors", "router.json"}


def test_it_is_made_once(
    made: tuple[Path, dict[str, Any]], places: dict[str, Path], tables: dict[str, Path]
) -> None:
    again = make_router(places, made[0], **tables)
    assert again == {**made[1], "made": False}


def test_two_experts_are_routed_as_three_are(
    places: dict[str, Path], tables: dict[str, Path], tmp_path: Path
) -> None:
    two = {name: places[name] for name in ("rust", "formal")}
    manifest = make_router(two, tmp_path / "router", **tables)
    assert manifest["held_out"]["accuracy"] > 0.9
    assert len(Router.load(tmp_path / "router").coefficients) == 2


def test_a_router_made_with_other_adapters_is_refused(
    made: tuple[Path, dict[str, Any]], places: dict[str, Path], tiny_model: Path, tmp_path: Path
) -> None:
    router = Router.load(made[0])
    router.check(identified(places)[1])
    [other] = write_experts(tmp_path, tiny_model, rust=2).values()
    with pytest.raises(ProvenderError, match="made with other adapters: rust changed"):
        router.check(identified(places | {"rust": other})[1])


def test_a_domain_without_queries_is_told(
    places: dict[str, Path], tables: dict[str, Path], tmp_path: Path
) -> None:
    corpus = write_corpus(tmp_path / "train.parquet", _rows("train", "general", "rust"))
    with pytest.raises(ProvenderError, match="0 queries of the domain `formal` are too few"):
        make_router(places, tmp_path / "router", corpus=corpus, valid=tables["valid"])


def test_a_damaged_router_is_told(made: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    with pytest.raises(ProvenderError, match="There is no router"):
        Router.load(tmp_path)
    manifest = json.loads((made[0] / "router.json").read_text(encoding="utf-8"))
    (tmp_path / "router.json").write_text(json.dumps(manifest), encoding="utf-8")
    (tmp_path / WEIGHTS).write_bytes((made[0] / WEIGHTS).read_bytes()[:-8])
    with pytest.raises(ProvenderError, match="The router cannot be read"):
        Router.load(tmp_path)


def test_a_damaged_router_is_made_anew(
    made: tuple[Path, dict[str, Any]],
    places: dict[str, Path],
    tables: dict[str, Path],
    tmp_path: Path,
) -> None:
    output = tmp_path / "router"
    output.mkdir()
    (output / "router.json").write_text("{", encoding="utf-8")
    assert make_router(places, output, **tables) == made[1]
    assert Router.load(output).domains == DOMAINS


def test_calibration_error_is_the_gap_of_confidence_and_truth_by_bin() -> None:
    confidence = np.array([0.95, 0.95, 0.95, 0.95, 0.55, 0.55])
    right = np.array([True, True, True, False, True, False])
    assert calibration_error(confidence, right) == pytest.approx((4 * 0.2 + 2 * 0.05) / 6)
    assert calibration_error(np.array([1.0]), np.array([True])) == 0

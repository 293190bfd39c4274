"""MLflow's registry over real stores: a local database, and a server that hands out the files."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.errors import ProvenderError
from common.hashing import digest_file
from resources.lake import Lake
from resources.registry import CANDIDATE, CHAMPION, PREVIOUS, Registry
from resources.tracking import Tracking

Export = Callable[[str], Path]


@pytest.fixture
def registry(tmp_path: Path, mlflow_database: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    lake = Lake(root=str(tmp_path / "lake"))
    lake.path("mlflow").mkdir(parents=True)
    shutil.copyfile(mlflow_database, lake.path("mlflow", "mlflow.db"))
    return Registry(lake=lake, tracking=Tracking(lake=lake))


@pytest.fixture
def export(tmp_path: Path) -> Export:
    """Writes what `training.merge` does at one place, each time in place of what was there."""
    folder = tmp_path / "lake" / "models" / "model"
    (folder / "1_Dense").mkdir(parents=True)
    (folder / "1_Dense" / "config.json").write_text("{}")

    def write(name: str) -> Path:
        weights = folder / "model.safetensors"
        weights.write_bytes(name.encode())
        manifest = {
            "fingerprint": name * 32,
            "stage": "rust",
            "tracking": {},
            "export": {"parity": 0.0, "sha256": {weights.name: digest_file(weights)}},
        }
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return folder

    return write


def _aliases(registry: Registry) -> dict[str, tuple[str, ...]]:
    return {each.number: each.aliases for each in registry.versions()}


def test_nothing_is_registered_at_first(registry: Registry) -> None:
    assert registry.versions() == []
    assert registry.version(CHAMPION) is None


def test_a_new_model_is_the_candidate(registry: Registry, export: Export) -> None:
    made = registry.register(export("a"), "what the gates said")
    assert (made.number, made.fingerprint, made.decision) == ("1", "a" * 32, "what the gates said")
    assert (made.aliases, made.was_champion) == ((CANDIDATE,), False)
    assert registry.version("1") == registry.version(CANDIDATE) == made


def test_the_same_model_is_registered_once(registry: Registry, export: Export) -> None:
    registry.register(export("a"), "first")
    again = registry.register(export("a"), "second")
    assert (again.number, again.decision) == ("1", "second")
    assert len(registry.versions()) == 1


def test_the_champion_before_is_kept_and_restored(registry: Registry, export: Export) -> None:
    for name in "ab":
        registry.promote(registry.register(export(name), ""))
    assert _aliases(registry) == {"2": (CHAMPION,), "1": (PREVIOUS,)}

    now, before = registry.restore()
    assert (now.number, before.number) == ("1", "2")
    assert _aliases(registry) == {"2": (PREVIOUS,), "1": (CHAMPION,)}

    registry.restore()
    assert _aliases(registry) == {"2": (CHAMPION,), "1": (PREVIOUS,)}


def test_promoting_the_champion_again_keeps_the_one_before(
    registry: Registry, export: Export
) -> None:
    for name in "abb":
        registry.promote(registry.register(export(name), ""))
    assert _aliases(registry) == {"2": (CHAMPION,), "1": (PREVIOUS,)}


def test_a_candidate_that_fails_leaves_the_champion(registry: Registry, export: Export) -> None:
    registry.promote(registry.register(export("a"), ""))
    registry.register(export("b"), "")
    assert _aliases(registry) == {"2": (CANDIDATE,), "1": (CHAMPION,)}


def test_any_earlier_champion_can_be_restored(registry: Registry, export: Export) -> None:
    for name in "abc":
        registry.promote(registry.register(export(name), ""))
    registry.restore("1")
    assert _aliases(registry) == {"3": (PREVIOUS,), "2": (), "1": (CHAMPION,)}


@pytest.mark.parametrize(
    ("champions", "name", "told"),
    [
        (0, PREVIOUS, "There is no champion yet."),
        (1, PREVIOUS, "There is no champion before this one."),
        (1, "7", "There is no version `7`; champions were: 1."),
        (1, "2", "Version 2 has never passed its gates, and is not made champion."),
    ],
)
def test_what_cannot_be_restored_is_told(
    registry: Registry, export: Export, champions: int, name: str, told: str
) -> None:
    for number in range(champions):
        registry.promote(registry.register(export(f"{number}"), ""))
    registry.register(export("x"), "")
    before = _aliases(registry)
    with pytest.raises(ProvenderError) as refused:
        registry.restore(name)
    assert told in str(refused.value)
    assert _aliases(registry) == before


def test_a_version_keeps_its_files_when_the_next_model_is_made(
    registry: Registry, export: Export
) -> None:
    first = registry.register(export("a"), "")
    registry.register(export("b"), "")
    folder = registry.folder(first)
    assert (folder / "model.safetensors").read_bytes() == b"a"
    assert (folder / "1_Dense" / "config.json").is_file()


@pytest.mark.parametrize("name", ["model.safetensors", "manifest.json"])
def test_files_that_are_gone_are_told(registry: Registry, export: Export, name: str) -> None:
    version = registry.register(export("a"), "")
    (registry.folder(version) / name).unlink()
    with pytest.raises(ProvenderError, match="The files of version 1 are gone"):
        registry.folder(version)


def test_files_that_are_others_are_told(registry: Registry, export: Export) -> None:
    version = registry.register(export("a"), "")
    (registry.folder(version) / "model.safetensors").write_bytes(b"tampered")
    with pytest.raises(ProvenderError, match="not those that were registered"):
        registry.folder(version)


def test_a_run_that_trained_the_model_has_its_files(registry: Registry, export: Export) -> None:
    client = registry.tracking.client()
    run = client.create_run(client.create_experiment("trained")).info.run_id
    folder = export("a")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["tracking"] = {"run_id": run}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert registry.register(folder, "").source == f"runs:/{run}/model"


def test_a_run_of_another_store_is_none(registry: Registry, export: Export) -> None:
    folder = export("a")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["tracking"] = {"run_id": "0" * 32}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert registry.register(folder, "").number == "1"


def test_a_store_that_does_not_answer_is_one_message(
    registry: Registry, export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(ProvenderError, match="MLflow does not take the model `provender`") as told:
        registry.register(export("a"), "")
    assert "secret" not in str(told.value)


@pytest.fixture
def served(
    registry: Registry, tmp_path: Path, mlflow_database: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Registry]:
    """The registry of a tracking server that keeps the artifacts itself."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = tmp_path / "server"
    place.mkdir()
    shutil.copyfile(mlflow_database, place / "mlflow.db")
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--backend-store-uri", f"sqlite:///{place}/mlflow.db", "--workers", "1"),
        *("--artifacts-destination", str(place / "artifacts")),
    ]
    uri = f"http://127.0.0.1:{port}"
    with (place / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=place)
        try:
            for _ in range(240):
                try:
                    urllib.request.urlopen(f"{uri}/health", timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.5)
            else:
                pytest.fail((place / "log").read_text()[-2000:])
            monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
            yield registry
        finally:
            process.terminate()
            process.wait(30)


def test_a_server_keeps_the_files_and_gives_them_back(served: Registry, export: Export) -> None:
    version = served.register(export("a"), "")
    served.promote(version)
    folder = served.folder(version)
    assert folder == served.lake.path("models", "registered", "a" * 12)
    assert (folder / "model.safetensors").read_bytes() == b"a"
    assert (folder / "1_Dense" / "config.json").is_file()
    assert sorted(each.name for each in folder.iterdir()) == [
        *("1_Dense", "manifest.json", "model.safetensors")
    ]
    (folder / "1_Dense" / "config.json").write_text("kept")
    served.folder(version)  # a second time it is there already
    assert (folder / "1_Dense" / "config.json").read_text() == "kept"

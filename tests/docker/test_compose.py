"""docker/compose.yaml and its companions: valid, pinned, without root, closed to the outside."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema

from tests.integration.compose import DOCKER, ROOT, example, load, secrets, variables

VALUES = {**example(), **dict.fromkeys(secrets(), "secret")}
SERVICES: dict[str, dict[str, Any]] = load(VALUES)["services"]
ONE_SHOT = {name for name, each in SERVICES.items() if each["restart"] == "no"}


def test_it_is_valid_by_the_compose_specification() -> None:
    schema = get_builtin_schema("vendor.compose-spec")
    jsonschema.validate(load(VALUES), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"services": {"a": {"imago": "b:1"}}}, schema)


def test_every_variable_is_in_the_example_and_nothing_else_is() -> None:
    assert variables() == set(example()) - {"COMPOSE_PROFILES"}


def test_secrets_have_no_value_in_the_example_and_no_default() -> None:
    named = {each for each in variables() if re.search("PASSWORD|KEY", each)}
    assert secrets() == named == {name for name in named if not example()[name]}
    for missing in secrets():
        with pytest.raises(KeyError, match=missing):
            load({**VALUES, missing: ""})


def test_the_folder_of_secrets_is_kept_out_of_git_and_of_images() -> None:
    ignored = subprocess.run(
        ["git", "check-ignore", "docker/.env"], cwd=ROOT, capture_output=True, check=False
    )
    assert ignored.returncode == 0
    kept_out = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert kept_out[1] == "*"
    assert not any(line.startswith("!") and line.endswith((".env", "docker")) for line in kept_out)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_confined_and_looked_after(name: str) -> None:
    service = SERVICES[name]
    image, _, tag = service["image"].rpartition(":")
    assert image
    assert re.match(r"\d+\.\d+", tag)
    user, _, group = service["user"].partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    if name in ONE_SHOT:
        assert service["healthcheck"] == {"disable": True}
    else:
        assert service["healthcheck"]["test"][0] == "CMD"
        assert service["restart"] == "unless-stopped"
    for port in service.get("ports", ()):
        assert port.startswith("127.0.0.1:")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_starts_when_what_it_needs_is_healthy(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        ends = other in ONE_SHOT
        assert how["condition"] == f"service_{'completed_successfully' if ends else 'healthy'}"


def test_database_and_store_reach_nothing_and_are_reached_by_the_stack_only() -> None:
    assert load(VALUES)["networks"]["inside"] == {"internal": True}
    for name in ("postgres", "s3", "bucket", "daemon"):
        assert SERVICES[name]["networks"] == ["inside"]
        assert "ports" not in SERVICES[name]


def test_what_is_mounted_exists_and_every_volume_is_named() -> None:
    named = set(load(VALUES)["volumes"])
    used = set()
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source, _, *mode = volume.split(":")
            if source.startswith("."):
                assert (DOCKER / source).exists()
                assert mode == ["ro"]
            else:
                used.add(source)
    assert used == named


def test_one_of_two_locations_runs_and_the_other_differs_by_its_devices() -> None:
    cpu, gpu = dict(SERVICES["location"]), dict(SERVICES["location-gpu"])
    assert (cpu.pop("profiles"), gpu.pop("profiles")) == (["cpu"], ["gpu"])
    [device] = gpu.pop("deploy")["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    assert cpu.pop("build")["args"] == {"TORCH": "cpu"}
    assert gpu.pop("build")["args"] == {"TORCH": "cu130"}
    assert gpu.pop("image") == f"{cpu.pop('image')}-gpu"
    assert cpu == gpu
    assert example()["COMPOSE_PROFILES"] == "cpu"


def test_dagster_has_every_variable_that_its_files_ask_for() -> None:
    for file, services in {
        "dagster.yaml": ("location", "webserver", "daemon"),
        "workspace.yaml": ("webserver", "daemon"),
    }.items():
        asked = set(re.findall(r"env: (\w+)", (DOCKER / file).read_text(encoding="utf-8")))
        assert asked
        for service in services:
            assert asked <= set(SERVICES[service]["environment"])


def test_runs_are_queued_limited_and_retried_as_on_one_machine() -> None:
    here, alone = (
        yaml.safe_load((ROOT / folder / "dagster.yaml").read_text(encoding="utf-8"))
        for folder in ("docker", "config")
    )
    for name in ("concurrency", "run_retries", "telemetry", "nux"):
        assert here[name] == alone[name]
    assert alone["run_monitoring"].items() <= here["run_monitoring"].items()


def test_nothing_tells_anybody_how_it_is_used() -> None:
    assert yaml.safe_load((DOCKER / "dagster.yaml").read_text())["telemetry"] == {"enabled": False}
    for name in ("location", "location-gpu", "webserver", "daemon"):
        assert SERVICES[name]["environment"]["DAGSTER_DISABLE_TELEMETRY"] == "yes"
    for name in ("location", "location-gpu", "mlflow"):
        assert SERVICES[name]["environment"]["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_the_images_versions_are_the_packages() -> None:
    from importlib.metadata import version

    ours = [each["image"] for each in SERVICES.values() if each["image"].startswith("provender-")]
    assert {each.rpartition(":")[2].removesuffix("-gpu") for each in ours} == {version("provender")}


class TestDockerfile:
    text = (DOCKER / "Dockerfile").read_text(encoding="utf-8")

    def test_it_has_nothing_for_hadolint_to_say(self) -> None:
        program = Path(sys.executable).with_name("hadolint")
        done = subprocess.run(
            [program, DOCKER / "Dockerfile"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout

    def test_its_targets_are_those_of_compose(self) -> None:
        stages = set(re.findall(r"^FROM \S+ AS (\w+)$", self.text, re.MULTILINE)) - {"base"}
        built = {each["build"]["target"] for each in SERVICES.values() if "build" in each}
        assert stages == built

    def test_its_base_is_pinned_and_no_stage_ends_as_root(self) -> None:
        first, *stages = self.text.split("\nFROM ")[1:]
        assert re.match(r"python:\d+\.\d+\.\d+-slim-\w+ AS base\n", first)
        for stage in stages:
            assert stage.startswith("base AS ")
            assert re.findall(r"^USER (\S+)$", stage, re.MULTILINE) == ["1000:1000"]
            assert "\nHEALTHCHECK " in stage

    def test_each_copied_path_is_let_in(self) -> None:
        let_in = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        for line in re.findall(r"^COPY (?!\. )(.+) \S+$", self.text, re.MULTILINE):
            for path in line.split():
                assert (ROOT / path).exists()
                assert f"!{path}" in let_in or f"!{path.split('/')[0]}" in let_in

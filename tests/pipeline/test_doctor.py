"""`provender doctor`: what each check says of an installation that has one thing wrong."""

import json
import re
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline import doctor
from pipeline.cli import app
from pipeline.doctor import Finding, examine
from resources.project import ROOT


@pytest.fixture(autouse=True)
def _clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restored_environment: None) -> None:
    """A lake and an instance that are not there yet, and none of the variables that others set."""
    for name in (*doctor.VARIABLES, "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PROVENDER_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))


def said(*checks: doctor.Said) -> list[tuple[str, str]]:
    return [each for check in checks for each in check]


def test_an_installation_before_its_first_run_is_well_and_stays_untouched(tmp_path: Path) -> None:
    found = CliRunner().invoke(app, ["doctor", "--json"])
    assert found.exit_code == 0, found.output
    lines = [Finding(**each) for each in json.loads(found.output)]
    assert {each.check for each in lines} == {check.__name__ for check in doctor.CHECKS}
    assert not [each for each in lines if each.state == "fix"]
    assert list(tmp_path.iterdir()) == []


def test_a_variable_that_nothing_reads_is_named_with_the_nearest_and_the_exit_code_is_1(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "CHECKS", (doctor.variables,))
    monkeypatch.setenv("PROVENDER_SORCES", "x")
    found = CliRunner().invoke(app, ["doctor"])
    assert found.exit_code == 1
    assert found.output.startswith(
        "fix  variables  PROVENDER_SORCES is read by nothing; did you mean `PROVENDER_SOURCES`?\n"
    )


def test_every_variable_that_the_product_reads_is_known() -> None:
    folders = ("common", "corpus", "training", "evaluation", "resources", "assets", "pipeline")
    texts = [path.read_text("utf-8") for each in folders for path in (ROOT / each).rglob("*.py")]
    texts += [path.read_text("utf-8") for path in (ROOT / "docker").glob("*.yaml")]
    read = {name for text in texts for name in re.findall(r"\b(PROVENDER_[A-Z_]+)\b", text)}
    assert read == doctor.VARIABLES


def test_a_config_file_that_is_wrong_is_told_and_the_others_are_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "automation.yaml").write_text("cron: weekly\n", encoding="utf-8")
    monkeypatch.setenv("PROVENDER_AUTOMATION", str(tmp_path / "automation.yaml"))
    monkeypatch.setenv("PROVENDER_OPTOUT", str(tmp_path / "none.yaml"))
    states, texts = zip(*said(doctor.config()), strict=True)
    assert states == ("fix", "fix")
    assert "There is no such file" in texts[0]
    assert "line 1: `cron`: 'weekly' is no cron schedule, as `0 3 * * 1`" in texts[1]


def test_git_that_is_too_old_or_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(doctor.git())[0][0] == "ok"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert said(doctor.git()) == [("fix", "git is not installed: install it, 2.29 or newer")]
    (tmp_path / "git").write_text("#!/bin/sh\necho git version 2.17.1\n", encoding="utf-8")
    (tmp_path / "git").chmod(0o755)
    assert said(doctor.git()) == [("fix", "git 2.17.1 is too old: install 2.29 or newer")]


def test_packages_that_are_missing_or_not_as_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"polars": "1.0", "dagster": None, "rich": "999"}
    installed = doctor._installed
    monkeypatch.setattr(
        doctor, "_installed", lambda name: versions[name] if name in versions else installed(name)
    )
    (missing, first), (note, second) = said(doctor.packages())
    assert (missing, note) == ("fix", "note")
    assert re.search(r"dagster<1.14,>=1.13.27.* \(missing\), .*polars>=2.1.* \(1.0\)", first)
    assert "rich 999 (tested with " in second


def test_a_lake_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lake").write_text("a file", encoding="utf-8")
    monkeypatch.setattr(doctor, "CHECKS", (doctor.lake,))
    [found] = examine()
    assert found.state == "fix"
    assert "The lake cannot be written" in found.said


def test_what_killed_writes_left_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVENDER_LAKE", str(tmp_path))
    before = said(doctor.disk())
    left = tmp_path / "models" / ".model.abc.tmp"
    left.mkdir(parents=True)
    (left / "weights").write_bytes(bytes(3 << 20))
    [state, told] = said(doctor.disk())[len(before)]
    assert state == "note"
    assert told.endswith("are of killed writes, as .model.abc.tmp: delete them while nothing runs")
    assert told.startswith(f"3.0 MB below {tmp_path} ")


@pytest.mark.parametrize(
    ("free", "state"), [(100 << 20, "fix"), (2 << 30, "note"), (9 << 30, "ok")]
)
def test_room_on_the_disk(monkeypatch: pytest.MonkeyPatch, free: int, state: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), {"free": free}))
    assert {each for each, _ in said(doctor.disk())} == {state}


def test_tables_of_mlflow_that_are_of_another_version(
    tmp_path: Path, mlflow_database: Path
) -> None:
    place = tmp_path / "lake" / "mlflow" / "mlflow.db"
    place.parent.mkdir(parents=True)
    shutil.copy(mlflow_database, place)
    assert said(doctor.mlflow()) == [("ok", f"sqlite:///{place}, tables of this version")]
    set_revision(place, "451aebb31d03")
    [(state, text)] = said(doctor.mlflow())
    assert state == "fix"
    assert text.endswith(f"is older: copy it, then `mlflow db upgrade sqlite:///{place}`")
    set_revision(place, "ffffffffffff")
    [(state, text)] = said(doctor.mlflow())
    assert state == "fix"
    assert "was written by a newer MLflow" in text


def set_revision(database: Path, revision: str) -> None:
    connection = sqlite3.connect(database)
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    connection.close()


@pytest.fixture
def server() -> Iterator[str]:
    """The address of a server that says that it is MLflow 1."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"1.30.0")

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002

    with HTTPServer(("127.0.0.1", 0), Answer) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield f"http://user:secret@127.0.0.1:{made.server_port}"
        made.shutdown()
        thread.join()


def test_mlflow_that_answers_in_another_version_or_not_at_all(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    [(state, text)] = said(doctor.mlflow())
    assert state == "note"
    assert "is MLflow 1.30.0, here is 3." in text
    assert "secret" not in text
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@127.0.0.1:9")
    [(state, text)] = said(doctor.mlflow())
    assert state == "fix"
    assert text.startswith("http://127.0.0.1:9 does not answer (ConnectionError): start the server")


def test_an_instance_with_other_settings_is_noted(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    settings = tmp_path / "home" / "dagster.yaml"
    shutil.copy(ROOT / "config" / "dagster.yaml", settings)
    assert [state for state, _ in said(doctor.dagster())] == ["ok"]
    settings.write_text("telemetry:\n  enabled: false\n", encoding="utf-8")
    assert [state for state, _ in said(doctor.dagster())] == ["ok", "note"]
    settings.write_text("nonsense: true\n", encoding="utf-8")
    [(state, text)] = said(doctor.dagster())
    assert state == "fix"
    assert "cannot be used" in text


def test_a_check_that_breaks_is_a_line_and_the_next_one_looks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def device() -> doctor.Said:
        raise ImportError("libtorch.so")
        yield

    monkeypatch.setattr(doctor, "CHECKS", (device, doctor.python))
    broken, well = examine()
    assert (broken.state, well.state) == ("fix", "ok")
    assert broken.said.startswith("cannot be checked: ImportError: libtorch.so; reinstall: ")

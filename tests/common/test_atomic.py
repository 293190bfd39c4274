import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from common import atomic
from common.errors import ProvenderError

ROOT = Path(__file__).parents[2]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_table(table: pa.Table, path: Path) -> None:
    with atomic.replacing(path) as temporary:
        pq.write_table(table, temporary)


def test_write_replaces_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    atomic.write_text("old", path)
    atomic.write_text("neu ∀", path)

    assert path.read_bytes() == "neu ∀".encode()
    assert names(tmp_path) == ["a.txt"]


def test_write_makes_the_folders_above(tmp_path: Path) -> None:
    atomic.write_text("x", tmp_path / "a" / "b" / "c.txt")

    assert (tmp_path / "a" / "b" / "c.txt").read_text() == "x"


def test_written_file_is_readable_by_others(tmp_path: Path) -> None:
    atomic.write_text("x", tmp_path / "a.txt")

    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o644


def test_json_is_indented_sorted_and_ends_in_a_newline(tmp_path: Path) -> None:
    atomic.write_json({"b": "≤", "a": 1}, tmp_path / "a.json")

    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert text == '{\n  "a": 1,\n  "b": "≤"\n}\n'


def test_failing_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write() -> None:
        with atomic.replacing(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        write()

    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_text_that_cannot_be_encoded_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    with pytest.raises(UnicodeEncodeError):
        atomic.write_text("\ud800", path)

    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_killed_write_leaves_the_old_table(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_table(pa.table({"x": [1]}), path)
    killed_half_way = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from common.atomic import replacing\n"
        "with replacing(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_bytes(b'PAR1 half a table')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", killed_half_way, str(path)], cwd=ROOT, check=False)

    assert done.returncode == -signal.SIGKILL
    assert pq.read_table(path).to_pydict() == {"x": [1]}


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_gives_one_clear_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    path = tmp_path / "t.parquet"
    write_table(pa.table({"x": [1]}), path)

    def full(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ProvenderError, match="The disk is full; nothing was half written") as told:
        write_table(pa.table({"x": [2]}), path)

    assert told.value.where == str(path)
    assert pq.read_table(path).to_pydict() == {"x": [1]}
    assert names(tmp_path) == ["t.parquet"]


def test_other_os_errors_keep_their_type(tmp_path: Path) -> None:
    def write() -> None:
        with atomic.replacing(tmp_path / "a.txt"):
            raise PermissionError(errno.EACCES, "denied")

    with pytest.raises(PermissionError, match="denied"):
        write()
    assert names(tmp_path) == []


def test_folder_appears_whole(tmp_path: Path) -> None:
    with atomic.replacing_folder(tmp_path / "model") as temporary:
        (temporary / "weights").write_text("w")
        assert not (tmp_path / "model").exists()

    assert (tmp_path / "model" / "weights").read_text() == "w"
    assert stat.S_IMODE((tmp_path / "model").stat().st_mode) == 0o755
    assert names(tmp_path) == ["model"]


def test_new_folder_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "stale").write_text("old")

    with atomic.replacing_folder(tmp_path / "model") as temporary:
        (temporary / "weights").write_text("new")

    assert names(tmp_path / "model") == ["weights"]
    assert names(tmp_path) == ["model"]


def test_a_folder_is_there_at_every_moment_while_it_is_replaced(tmp_path: Path) -> None:
    """Whoever is killed before or after the one step leaves a whole folder."""
    killed = (
        "import os, shutil, signal, sys\n"
        "from pathlib import Path\n"
        "from common.atomic import replacing_folder\n"
        "shutil.rmtree = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
        "Path.rename = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "with replacing_folder(Path(sys.argv[1])) as temporary:\n"
        "    (temporary / 'weights').write_text('new')\n"
    )
    path = tmp_path / "model"
    path.mkdir()
    (path / "weights").write_text("old")
    done = subprocess.run([sys.executable, "-c", killed, str(path)], cwd=ROOT, check=False)

    assert done.returncode == -signal.SIGKILL
    assert (path / "weights").read_text() == "new"
    [left] = atomic.leftovers(tmp_path)
    assert (left / "weights").read_text() == "old"


def test_where_folders_cannot_be_exchanged_they_are_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic, "_exchange", lambda *_: False)
    for text in ("old", "new"):
        with atomic.replacing_folder(tmp_path / "model") as temporary:
            (temporary / "weights").write_text(text)

    assert (tmp_path / "model" / "weights").read_text() == "new"
    assert names(tmp_path) == ["model"]


def test_an_exchange_that_fails_says_so(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()

    with pytest.raises(FileNotFoundError):
        atomic._exchange(tmp_path / "new", tmp_path / "gone")


def test_failing_folder_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_text("old")

    def write() -> None:
        with atomic.replacing_folder(tmp_path / "model") as temporary:
            (temporary / "weights").write_text("half")
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        write()
    assert (tmp_path / "model" / "weights").read_text() == "old"
    assert names(tmp_path) == ["model"]


def test_full_disk_in_a_folder_gives_the_same_message(tmp_path: Path) -> None:
    def write() -> None:
        with atomic.replacing_folder(tmp_path / "model"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(ProvenderError, match="The disk is full"):
        write()
    assert names(tmp_path) == []

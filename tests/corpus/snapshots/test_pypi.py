import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tenacity import wait_none

from common.errors import ProvenderError
from corpus.snapshots import pypi
from corpus.snapshots.pypi import current_revision, open_tree
from corpus.sources import PypiSource
from tests.corpus.snapshots.servers import Files, serving


def release(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(f"demo-1.0/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


FILES = {"PKG-INFO": b"Name: demo\n", "src/lib.rs": b"fn f() {}\n"}
ARCHIVE = release(FILES)
SHA = hashlib.sha256(ARCHIVE).hexdigest()
OTHER = "0" * 64
JSON = "application/vnd.pypi.simple.v1+json"


class Index(Files):
    """A package index on this machine."""

    def __init__(self) -> None:
        super().__init__()
        self.index = f"{self.url}/simple/"

    def list_json(self, *filenames: str, **changes: Any) -> None:
        files = [
            {"filename": name, "url": f"/files/{name}", "hashes": {"sha256": SHA}, **changes}
            for name in filenames
        ]
        page = {"meta": {"api-version": "1.1"}, "name": "demo", "versions": [], "files": files}
        self.pages["/simple/demo/"] = (200, JSON, json.dumps(page).encode())

    def serve(self, filename: str, data: bytes = ARCHIVE) -> None:
        self.pages[f"/files/{filename}"] = (200, "application/gzip", data)


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    monkeypatch.setattr(vars(pypi._download)["retry"], "wait", wait_none())
    server = Index()
    monkeypatch.setenv("PIP_INDEX_URL", server.index)
    server.list_json("demo-1.0.tar.gz")
    server.serve("demo-1.0.tar.gz")
    with serving(server):
        yield server


@pytest.fixture
def downloads(tmp_path: Path) -> Path:
    return tmp_path / "downloads"


def demo(**changes: str) -> PypiSource:
    return PypiSource.model_validate({"name": "demo", "version": "1.0", "sha256": SHA, **changes})


def files(source: PypiSource, downloads: Path) -> dict[str, bytes | None]:
    with open_tree(source, downloads) as found:
        contents = dict(found.contents({entry.blob for entry in found.entries}))
        return {entry.path: contents[entry.blob] for entry in found.entries}


def refusal(source: PypiSource, downloads: Path) -> ProvenderError:
    """What `open_tree` says; it leaves nothing behind."""
    with pytest.raises(ProvenderError) as caught, open_tree(source, downloads):
        pass
    assert caught.value.where == "source demo"
    assert list(downloads.iterdir()) == []
    return caught.value


def test_revision_is_the_digest_and_nobody_is_asked(downloads: Path) -> None:
    assert current_revision(demo(), downloads) == SHA


def test_release_of_a_json_index_is_fetched(index: Index, downloads: Path) -> None:
    assert files(demo(), downloads) == FILES


def test_release_of_an_html_index_is_fetched(index: Index, downloads: Path) -> None:
    page = f'<!DOCTYPE html><a href="/files/demo-1.0.tar.gz#sha256={SHA}">demo-1.0.tar.gz</a>'
    index.pages["/simple/demo/"] = (200, "text/html", page.encode())

    assert files(demo(), downloads) == FILES


def test_release_has_its_digest_as_revision(index: Index, downloads: Path) -> None:
    with open_tree(demo(), downloads) as found:
        assert (found.revision, found.origin) == (SHA, "pkg:pypi/demo@1.0")
        assert found.anchor == f"swh:1:dir:{found.tree}"
        assert [entry.path for entry in found.entries] == [*FILES]


def test_project_may_have_another_name_than_the_source(index: Index, downloads: Path) -> None:
    with open_tree(demo(name="alias", project="demo"), downloads) as found:
        assert found.origin == "pkg:pypi/demo@1.0"


def test_archive_is_downloaded_once(index: Index, downloads: Path) -> None:
    for _ in range(2):
        files(demo(), downloads)

    assert index.asked["/files/demo-1.0.tar.gz"] == 1


def test_damaged_archive_of_an_earlier_run_is_downloaded_again(
    index: Index, downloads: Path
) -> None:
    downloads.mkdir()
    (downloads / f"{SHA}.tar.gz").write_bytes(ARCHIVE[:50])

    assert files(demo(), downloads) == FILES
    assert (downloads / f"{SHA}.tar.gz").read_bytes() == ARCHIVE


def test_only_the_archive_stays_in_the_downloads(index: Index, downloads: Path) -> None:
    files(demo(), downloads)

    assert [path.name for path in downloads.iterdir()] == [f"{SHA}.tar.gz"]


def test_other_digest_of_the_index_names_both(index: Index, downloads: Path) -> None:
    told = refusal(demo(sha256=OTHER), downloads)

    assert (
        told.what == f"The release has sha256 {SHA}, not {OTHER} as pinned; nothing of it was used."
    )
    assert index.asked["/files/demo-1.0.tar.gz"] == 0


def test_other_digest_of_the_bytes_names_both(index: Index, downloads: Path) -> None:
    forged = ARCHIVE + b"\0"
    index.serve("demo-1.0.tar.gz", forged)
    told = refusal(demo(), downloads)

    assert hashlib.sha256(forged).hexdigest() in told.what
    assert f"not {SHA} as pinned" in told.what


def test_digest_is_checked_where_the_index_states_none(index: Index, downloads: Path) -> None:
    index.list_json("demo-1.0.tar.gz", hashes={})
    told = refusal(demo(sha256=OTHER), downloads)

    assert f"sha256 {SHA}, not {OTHER}" in told.what


def test_unknown_project_is_named(index: Index, downloads: Path) -> None:
    told = refusal(demo(project="absent"), downloads)

    assert told.what == "The package index has no project 'absent'."


def test_unknown_version_lists_the_newest(index: Index, downloads: Path) -> None:
    index.list_json(*(f"demo-{number}.0.tar.gz" for number in range(1, 6)))
    told = refusal(demo(version="9.9"), downloads)

    assert told.what == "demo has no source release 9.9 (newest: 3.0, 4.0, 5.0)."


def test_wheel_is_no_source_release(index: Index, downloads: Path) -> None:
    index.list_json("demo-1.0-py3-none-any.whl")
    told = refusal(demo(), downloads)

    assert told.what == "demo has no source release 1.0 (newest: none)."


def test_zip_is_no_release_that_can_be_read(index: Index, downloads: Path) -> None:
    index.list_json("demo-1.0.zip")

    assert refusal(demo(), downloads).what.startswith("demo has no source release 1.0")


def test_release_over_the_size_bound_is_not_downloaded(
    index: Index, downloads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pypi, "MAX_ARCHIVE_BYTES", 10)
    index.list_json("demo-1.0.tar.gz", size=11)

    assert refusal(demo(), downloads).what == "The release is 11 bytes, over the limit of 10."
    assert index.asked["/files/demo-1.0.tar.gz"] == 0


def test_passing_fault_of_the_index_is_tried_again(index: Index, downloads: Path) -> None:
    index.failures = 3

    assert files(demo(), downloads) == FILES
    assert index.asked["/simple/demo/"] == 4


def test_lasting_fault_of_the_index_is_told(index: Index, downloads: Path) -> None:
    index.failures = 99
    told = refusal(demo(), downloads)

    assert told.what == "The package index cannot be reached (HTTPError)."
    assert index.asked["/simple/demo/"] == 4


def test_missing_file_is_not_asked_for_again(index: Index, downloads: Path) -> None:
    del index.pages["/files/demo-1.0.tar.gz"]

    assert "cannot be reached (HTTPError)" in refusal(demo(), downloads).what
    assert index.asked["/files/demo-1.0.tar.gz"] == 1


def test_index_that_does_not_answer_is_told(
    index: Index, downloads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Index() as gone:
        closed = gone.index
    monkeypatch.setenv("PIP_INDEX_URL", closed)
    told = refusal(demo(), downloads)

    assert told.what == "The package index cannot be reached (ConnectionError)."
    assert "PIP_INDEX_URL" in told.remedy


def test_file_that_breaks_off_is_fetched_again(index: Index, downloads: Path) -> None:
    files(demo(), downloads)  # the page is small; only the archive is cut below
    (downloads / f"{SHA}.tar.gz").unlink()
    index.truncated = 3

    assert files(demo(), downloads) == FILES
    assert [path.name for path in downloads.iterdir()] == [f"{SHA}.tar.gz"]


def test_index_that_answers_something_else_is_told(index: Index, downloads: Path) -> None:
    index.pages["/simple/demo/"] = (200, "application/pdf", b"%PDF")
    told = refusal(demo(), downloads)

    assert told.what == ("The package index answers something else (UnsupportedContentTypeError).")
    assert told.remedy == "Check PIP_INDEX_URL: it must name a simple index (PEP 503 or 691)."


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"files": 1}'])
def test_index_of_broken_json_is_told(index: Index, downloads: Path, body: bytes) -> None:
    index.pages["/simple/demo/"] = (200, JSON, body)

    assert refusal(demo(), downloads).what.startswith("The package index ")


def test_credentials_of_the_index_are_in_no_message(
    index: Index, downloads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", index.index.replace("://", "://me:s3cret@"))
    index.failures = 99

    assert "s3cret" not in str(refusal(demo(), downloads))


def test_release_that_is_hostile_is_refused(index: Index, downloads: Path) -> None:
    hostile = release({"../../up": b""})
    index.serve("demo-1.0.tar.gz", hostile)
    sha = hashlib.sha256(hostile).hexdigest()
    index.list_json("demo-1.0.tar.gz", hashes={"sha256": sha})

    with (
        pytest.raises(ProvenderError, match="which leaves it; nothing of it was used"),
        open_tree(demo(sha256=sha), downloads),
    ):
        pass

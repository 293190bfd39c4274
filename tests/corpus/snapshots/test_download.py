from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from tenacity import wait_none

from common.errors import ProvenderError
from corpus.snapshots import download as downloading
from corpus.snapshots.download import download, is_transient
from tests.corpus.snapshots.servers import Files, serving

WHERE = "source demo"
BODY = bytes(range(256)) * 100


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Files]:
    monkeypatch.setattr(vars(downloading._fetch)["retry"], "wait", wait_none())
    found = Files()
    found.pages["/demo-1.0.tar.gz"] = (200, "application/gzip", BODY)
    with serving(found):
        yield found


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def refusal(url: str, cache: Path) -> ProvenderError:
    """What `download` says; it leaves nothing behind."""
    with pytest.raises(ProvenderError) as caught:
        download(url, cache, WHERE)
    assert caught.value.where == WHERE
    assert not cache.exists() or list(cache.iterdir()) == []
    return caught.value


def test_file_is_fetched_whole(server: Files, cache: Path) -> None:
    path = download(f"{server.url}/demo-1.0.tar.gz", cache, WHERE)

    assert path.read_bytes() == BODY
    assert path.name.endswith(".tar.gz")
    assert [*cache.iterdir()] == [path]


def test_file_is_fetched_once(server: Files, cache: Path) -> None:
    first = download(f"{server.url}/demo-1.0.tar.gz", cache, WHERE)

    assert download(f"{server.url}/demo-1.0.tar.gz", cache, WHERE) == first
    assert server.asked["/demo-1.0.tar.gz"] == 1


def test_files_of_other_addresses_are_kept_apart(server: Files, cache: Path) -> None:
    server.pages["/b/demo-1.0.tar.gz"] = (200, "application/gzip", b"other")
    first = download(f"{server.url}/demo-1.0.tar.gz", cache, WHERE)
    second = download(f"{server.url}/b/demo-1.0.tar.gz", cache, WHERE)

    assert (first.read_bytes(), second.read_bytes()) == (BODY, b"other")


def test_passing_fault_is_tried_again(server: Files, cache: Path) -> None:
    server.failures = 3

    assert download(f"{server.url}/demo-1.0.tar.gz", cache, WHERE).read_bytes() == BODY
    assert server.asked["/demo-1.0.tar.gz"] == 4


def test_transfer_that_breaks_off_is_tried_again(server: Files, cache: Path) -> None:
    server.truncated = 3

    assert download(f"{server.url}/demo-1.0.tar.gz", cache, WHERE).read_bytes() == BODY
    assert server.asked["/demo-1.0.tar.gz"] == 4


def test_transfer_that_always_breaks_off_leaves_nothing(server: Files, cache: Path) -> None:
    server.truncated = 99

    assert (
        "cannot be fetched (ChunkedEncodingError)"
        in refusal(f"{server.url}/demo-1.0.tar.gz", cache).what
    )
    assert server.asked["/demo-1.0.tar.gz"] == 4


def test_lasting_fault_is_told(server: Files, cache: Path) -> None:
    server.failures = 99
    told = refusal(f"{server.url}/demo-1.0.tar.gz", cache)

    assert told.what == f"{server.url}/demo-1.0.tar.gz cannot be fetched (HTTPError)."
    assert server.asked["/demo-1.0.tar.gz"] == 4


@pytest.mark.parametrize("status", [401, 403, 404])
def test_refusal_of_the_server_is_not_tried_again(server: Files, cache: Path, status: int) -> None:
    server.failures, server.failure = 1, status

    assert "cannot be fetched (HTTPError)" in refusal(f"{server.url}/demo-1.0.tar.gz", cache).what
    assert server.asked["/demo-1.0.tar.gz"] == 1


def test_server_that_is_gone_is_told(server: Files, cache: Path) -> None:
    with Files() as gone:
        url = gone.url

    assert refusal(f"{url}/a", cache).what == f"{url}/a cannot be fetched (ConnectionError)."


@pytest.mark.parametrize("url", ["ftp://example.org/a", "/etc/passwd", "file:///etc/passwd"])
def test_address_of_another_kind_is_refused(cache: Path, url: str) -> None:
    assert "cannot be fetched" in refusal(url, cache).what


def test_file_over_the_bound_is_refused(
    server: Files, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloading, "MAX_BYTES", len(BODY) - 1)
    monkeypatch.setattr(downloading, "_CHUNK", 1000)
    told = refusal(f"{server.url}/demo-1.0.tar.gz", cache)

    assert told.what.endswith(f"is over the limit of {len(BODY) - 1} bytes.")
    assert server.asked["/demo-1.0.tar.gz"] == 1


def test_file_at_the_bound_is_fetched(
    server: Files, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloading, "MAX_BYTES", len(BODY))

    assert download(f"{server.url}/demo-1.0.tar.gz", cache, WHERE).read_bytes() == BODY


def test_credentials_of_an_address_are_in_no_message(server: Files, cache: Path) -> None:
    url = f"http://me:s3cret@{server.host}/absent?token=t0ken"

    assert refusal(url, cache).what == f"{server.url}/absent cannot be fetched (HTTPError)."


def test_fault_without_an_answer_is_transient() -> None:
    assert is_transient(requests.Timeout())
    assert not is_transient(requests.HTTPError())
    assert not is_transient(ValueError())

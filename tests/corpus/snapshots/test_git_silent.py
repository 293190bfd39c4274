"""A remote that never answers: asking it ends by itself, and with whoever asks."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.errors import ProvenderError
from corpus.snapshots import gitcli
from corpus.snapshots.git import current_revision, open_tree
from corpus.sources import GitSource
from tests.corpus.snapshots.servers import Silent, serving

WAIT_S = 30


@pytest.fixture
def remote() -> Iterator[Silent]:
    server = Silent()
    with serving(server):
        yield server


def ask(remote: Silent, cache: Path) -> None:
    current_revision(GitSource(name="demo", url=remote.url, ref="main"), cache)


def fetch(remote: Silent, cache: Path) -> None:
    with open_tree(GitSource(name="demo", url=remote.url, ref="main"), cache):
        pass


@pytest.mark.parametrize(("work", "limit"), [(ask, "ANSWER_S"), (fetch, "FETCH_S")])
def test_it_is_told_once_its_time_is_over(
    remote: Silent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work, limit: str
) -> None:
    monkeypatch.setattr(gitcli, limit, 0.5)
    with pytest.raises(ProvenderError, match=r"cannot be fetched: it takes longer than 0.5 s\."):
        work(remote, tmp_path)
    assert remote.hung_up.wait(WAIT_S)


@pytest.mark.parametrize("work", [ask, fetch])
def test_whoever_asks_can_be_stopped(remote: Silent, tmp_path: Path, work) -> None:
    def stop() -> None:
        remote.asked.wait(WAIT_S)
        os.kill(os.getpid(), signal.SIGINT)

    stopping = threading.Thread(target=stop)
    others = threading.active_count()
    stopping.start()
    with pytest.raises(KeyboardInterrupt):
        work(remote, tmp_path)
    stopping.join()
    assert remote.hung_up.wait(WAIT_S)
    assert threading.active_count() <= others + 1  # the server's answer may end a moment later

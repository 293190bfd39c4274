"""A remote that never answers; whoever asks it can be stopped, too: tests.pipeline.test_ingest."""

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

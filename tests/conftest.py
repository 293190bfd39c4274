"""What tests of several packages share: offline libraries and the tiny model."""

from __future__ import annotations

import gc
import os
import signal
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

# Read when the libraries are imported: nothing here may reach a model hub.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# ranx compiles for 12 s what it then does in milliseconds.
os.environ["NUMBA_DISABLE_JIT"] = "1"
# A script's background command ignores it, as do its children: tests that press Ctrl-C would wait in vain.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers whose threads wait for each other's cores are slower than workers of one thread.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny BERT checkpoint. Do not write into it."""
    from tests.tiny import write_checkpoint

    return write_checkpoint(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="session")
def mlflow_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store to copy: making one takes MLflow seconds."""
    from mlflow import MlflowClient

    place = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{place}").search_experiments()
    return place


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of an S3 server: a process of its own, asked over HTTP."""
    from tests.s3 import s3_server

    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture
def s3_bucket(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """`s3://…` of a bucket of this test's own, with the credentials for it in the environment."""
    from tests.s3 import ENVIRONMENT, make_bucket

    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_endpoint)
    name = f"bucket-{uuid.uuid4().hex}"
    make_bucket(s3_endpoint, name)
    return f"s3://{name}"


@pytest.fixture(autouse=True)
def _no_instance_of_before() -> Iterator[None]:
    """Dagster remembers the storage of the instance entered last, and that of one entered twice for good.

    The next test would ask an instance that is gone.
    """
    _forget_instance()  # of a fixture of a whole module, which was torn down after its last test
    yield
    _forget_instance()


def _forget_instance() -> None:
    if "dagster" in sys.modules:
        from dagster._core.storage.defs_state.base import _current_storage

        if _current_storage.get() is not None:
            # An instance that nobody left puts back what was before it when it is collected: now, and not in
            # the midst of another test.
            gc.collect()
        _current_storage.set(None)


@pytest.fixture
def restored_environment() -> Iterator[None]:
    """Put back environment variables that libraries set while they train."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)

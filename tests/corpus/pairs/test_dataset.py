from __future__ import annotations

import gzip
import json
import threading
import weakref
import zipfile
from collections import Counter
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import permutations
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from common.errors import ProvenderError
from corpus import schema
from corpus.optout import OptOut, OptOuts
from corpus.pairs import dataset
from corpus.pairs.dataset import dataset_pairs
from corpus.sources import DatasetSource
from tests.corpus.frames import POLICY

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CODE = '''def add(left, right):
    """Adds two numbers. Wraps at the end."""
    return (left + right) % 256
'''
BARE = "def add(left, right):\n    return (left + right) % 256\n"


def row(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A row in CodeSearchNet's own columns; each `number` is a function of its own."""
    name = f"add{number or ''}"
    return {
        "repo": "me/calc",
        "path": "calc/add.py",
        "func_name": name,
        "language": "python",
        "code": CODE.replace("add", name),
        "code_tokens": ["def", "add"],
        "docstring": "Adds two numbers. Wraps at the end.",
        "docstring_tokens": ["Adds"],
        "sha": COMMIT,
        "url": f"https://github.com/me/calc/blob/{COMMIT}/calc/add.py#L{number + 1}-L{number + 3}",
        "partition": "train",
        **changes,
    }


def lines(*rows: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in rows)


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def read(
    *paths: Path, wishes: tuple[OptOut, ...] = (), **settings: Any
) -> tuple[pl.DataFrame, Counter[str]]:
    source = DatasetSource(name="csn", paths=list(paths), **{"license": "MIT", **settings})
    frame, counts = dataset_pairs(
        source, Path("/nonexistent"), POLICY, OptOuts(optout=list(wishes))
    )
    assert schema.conform(frame, schema.PAIRS).num_rows == frame.height
    return frame, counts


@pytest.fixture
def made(tmp_path: Path) -> Any:
    """Reads some rows from a JSONL file."""

    def of(*rows: dict[str, Any], **settings: Any) -> tuple[pl.DataFrame, Counter[str]]:
        return read(write(tmp_path / "rows.jsonl", lines(*rows)), **settings)

    return of


def test_row_becomes_a_pair_that_leads_back_to_it(made: Any) -> None:
    frame, counts = made(row())

    pair = frame.row(0, named=True)
    assert len(pair.pop("pair_id")) == len(pair.pop("unit_id")) == 32
    assert pair == {
        "query": "Adds two numbers",
        "positive": BARE,
        "doc_rest": "Wraps at the end.",
        "signature": "def add(left, right):",
        "query_kind": "doc",
        "pair_type": "dataset",
        "builder": dataset.VERSION,
        "source": "csn",
        "revision": COMMIT,
        "path": "calc/add.py",
        "blob_sha": "",
        "start_line": 1,
        "end_line": 3,
        "symbol": "add",
        "swhid": f"swh:1:rev:{COMMIT};origin=https://github.com/me/calc;path=/calc/add.py;lines=1-3",
        "language": "python",
        "dialect": None,
        "category": "code",
        "is_test": False,
        "license": "MIT",
        "license_tier": "permissive",
        "domain": "general",
        "file_context": "calc/calc/add.py",
    }
    assert counts == {}


def test_characters_that_mean_something_in_a_swhid_are_escaped(made: Any) -> None:
    url = f"https://github.com/me/calc/blob/{COMMIT}/50%;.py#L7"
    frame, _ = made(row(path="50%;.py", url=url))

    assert frame["swhid"][0].endswith(";path=/50%25%3B.py;lines=7-7")


def test_row_without_an_address_has_no_swhid(made: Any) -> None:
    frame, _ = made(row(url="", path="a.py"))

    assert frame.select("revision", "swhid", "start_line", "end_line").row(0) == ("", "", 1, 4)


@pytest.mark.parametrize(
    ("license", "tier"), [("MIT", "permissive"), ("GPL-3.0-only", "strong"), (None, "none")]
)
def test_tier_is_that_of_the_manifests_licence(made: Any, license: str | None, tier: str) -> None:  # noqa: A002
    frame, _ = made(row(), license=license)

    assert frame.select("license", "license_tier").row(0) == (license, tier)


def test_row_of_a_test_file_is_a_test(made: Any) -> None:
    assert made(row(path="tests/test_add.py"))[0]["is_test"].to_list() == [True]


# Files


def jsonl(folder: Path, rows: list[dict[str, Any]]) -> Path:
    return write(folder / "a.jsonl", lines(*rows))


def packed(folder: Path, rows: list[dict[str, Any]]) -> Path:
    return write(folder / "a.jsonl.gz", gzip.compress(lines(*rows)))


def archive(folder: Path, rows: list[dict[str, Any]]) -> Path:
    """As CodeSearchNet is published: a zip of gzipped parts, beside files that are none."""
    with zipfile.ZipFile(folder / "python.zip", "w") as made:
        made.writestr("python/licenses.pkl", b"\x80\x04never read")
        for part, each in enumerate(rows):
            made.writestr(f"python/final/{part}.jsonl.gz", gzip.compress(lines(each)))
    return folder / "python.zip"


def parquet(folder: Path, rows: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), folder / "a.parquet")
    return folder / "a.parquet"


def parquet_edition(folder: Path, rows: list[dict[str, Any]]) -> Path:
    names = {
        "docstring": "func_documentation_string",
        "code": "func_code_string",
        "repo": "repository_name",
        "path": "func_path_in_repository",
        "url": "func_code_url",
        "partition": "split_name",
    }
    renamed = [{names.get(name, name): value for name, value in each.items()} for each in rows]
    for each in renamed:
        each["whole_func_string"] = "not this one"
    return parquet(folder, renamed)


@pytest.mark.parametrize("kind", [jsonl, packed, archive, parquet, parquet_edition])
def test_every_kind_of_file_gives_the_same_pairs(tmp_path: Path, kind: Any) -> None:
    rows = [row(1), row(2), row(3)]
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    expected, _ = read(jsonl(tmp_path / "one", rows))
    frame, counts = read(kind(tmp_path / "two", rows))

    assert frame.equals(expected)
    assert set(frame["symbol"]) == {"add1", "add2", "add3"}
    assert counts == {}


def test_broken_lines_are_counted(tmp_path: Path) -> None:
    broken = [
        b"{\n",
        b"[1, 2]\n",
        b'"text"\n',
        b"null\n",
        b"\xff\n",
        b'{"code": "\\ud800"}\n',
        b"[" * 100_000 + b"\n",
    ]
    frame, counts = read(write(tmp_path / "a.jsonl", b"".join(broken) + lines(row())))

    assert (frame.height, counts) == (1, {"broken_line": len(broken)})


def test_line_without_end_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "_MAX_LINE", 2000)
    endless = lines(row(code="x" * 3000))

    frame, counts = read(write(tmp_path / "a.jsonl", endless + lines(row())))

    assert (frame.height, counts) == (1, {"broken_line": 2})


def test_what_unpacks_beyond_reason_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "_MAX_UNPACKED", 1000)
    path = packed(tmp_path, [row(code="x" * 2000)])

    with pytest.raises(ProvenderError, match="unpacks to more than any should"):
        read(path)


def test_values_that_are_no_text_count_as_absent(made: Any) -> None:
    frame, counts = made(row(docstring=None), row(code=["x"]), row(url=7))

    assert counts == {"no_docstring": 2}
    assert frame["revision"].to_list() == [""]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.zip", b"PK\x03\x04 no archive"),
        ("a.jsonl.gz", b"no gzip"),
        ("a.jsonl.gz", gzip.compress(lines(*map(row, range(500))))[:-200]),
        ("a.parquet", b"PAR1 no table"),
    ],
)
def test_damaged_file_is_named(tmp_path: Path, name: str, data: bytes) -> None:
    path = write(tmp_path / name, data)

    with pytest.raises(ProvenderError, match="The data set is damaged") as caught:
        read(path)
    assert caught.value.where == str(path)


@pytest.mark.parametrize("name", ["a.jsonl", "a.zip", "a.parquet"])
def test_missing_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ProvenderError, match="There is no such file") as caught:
        read(tmp_path / name)
    assert caught.value.where == str(tmp_path / name)


# Addresses


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address at which a server of this machine offers its files."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


def test_file_of_an_address_is_fetched_once(
    server: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    folder, address = server
    source = DatasetSource(name="csn", urls=[f"{address}/python.zip?download=true"], license="MIT")
    path = archive(folder, [row(1), row(2)])

    first, _ = dataset_pairs(source, tmp_path / "cache", POLICY, OptOuts())
    path.unlink()
    second, _ = dataset_pairs(source, tmp_path / "cache", POLICY, OptOuts())

    assert set(first["symbol"]) == {"add1", "add2"}
    assert second.equals(first)


def test_address_that_has_nothing_is_named(
    server: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    _, address = server
    source = DatasetSource(name="csn", urls=[f"{address}/none.zip"])

    with pytest.raises(ProvenderError, match=r"none\.zip cannot be fetched") as caught:
        dataset_pairs(source, tmp_path / "cache", POLICY, OptOuts())
    assert caught.value.where == "source csn"
    assert not (tmp_path / "cache").exists() or list((tmp_path / "cache").iterdir()) == []


# What is left out


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"partition": "test"}, "partition"),
        ({"language": "go"}, "language"),
        ({"docstring": ""}, "no_docstring"),
        ({"docstring": " \n"}, "no_docstring"),
        ({"code": ""}, "no_docstring"),
        ({"code": " \n"}, "no_docstring"),
        ({"docstring": "Adds numbers."}, "doc_short"),
        ({"docstring": "# Only a heading"}, "no_prose"),
        ({"path": "calc/vendor/add.py"}, "vendored_or_generated"),
        ({"path": "calc/add_pb2.py"}, "vendored_or_generated"),
        ({"code": '"""Adds two numbers. Wraps at the end."""'}, "doc_in_code"),
    ],
)
def test_unwanted_row_is_counted(made: Any, changes: dict[str, Any], reason: str) -> None:
    frame, counts = made(row(**changes), row(9), languages=["python"])

    assert frame["symbol"].to_list() == ["add9"]
    assert counts == {reason: 1}


def test_partition_is_that_of_the_manifest_and_a_row_without_one_is_in_it(made: Any) -> None:
    rows = [row(1, partition="train"), row(2, partition="valid"), row(3, partition="")]
    frame, counts = made(*rows, partition="valid")

    assert set(frame["symbol"]) == {"add2", "add3"}
    assert counts == {"partition": 1}


def test_every_language_is_kept_unless_some_are_named(made: Any) -> None:
    rows = [row(1), row(2, language="go", code="func add2() {}")]

    assert set(made(*rows)[0]["language"]) == {"python", "go"}
    assert set(made(*rows, languages=["go"])[0]["language"]) == {"go"}


@pytest.mark.parametrize(
    "wish",
    [
        OptOut(owner="me"),
        OptOut(owner="ME", host="github.com"),
        OptOut(repository="me/calc"),
        OptOut(repository="me/calc", path="calc/"),
        OptOut(path="add.py"),
    ],
)
def test_opted_out_row_is_left_out(made: Any, wish: OptOut) -> None:
    other = row(
        9, path="b.py", repo="you/calc", url=f"https://gitlab.com/you/calc/blob/{COMMIT}/b.py#L1"
    )
    frame, counts = made(row(), other, wishes=(wish,))

    assert frame["symbol"].to_list() == ["add9"]
    assert counts == {"opt_out": 1}


@pytest.mark.parametrize(
    "wish",
    [
        OptOut(owner="you"),
        OptOut(owner="me", host="gitlab.com"),
        OptOut(repository="me/calculator"),
        OptOut(repository="me/calc", path="docs/"),
        OptOut(swhid=f"swh:1:cnt:{COMMIT}"),
    ],
)
def test_wish_about_something_else_leaves_a_row_in(made: Any, wish: OptOut) -> None:
    assert made(row(), wishes=(wish,))[0].height == 1


def test_same_row_in_two_files_counts_once(tmp_path: Path) -> None:
    one = write(tmp_path / "one.jsonl", lines(row(1), row(2)))
    two = write(tmp_path / "two.jsonl", lines(row(2), row(1)))
    frame, counts = read(one, two)

    assert frame.height == 2
    assert counts == {"duplicate": 2}


def test_same_pair_from_two_repositories_counts_once(made: Any) -> None:
    fork = row(repo="you/calc", url=f"https://github.com/you/calc/blob/{COMMIT}/calc/add.py#L1-L3")
    frame, counts = made(row(), fork)
    again, _ = made(fork, row())

    assert frame.height == 1
    assert again.equals(frame)
    assert counts == {"duplicate": 1}


# The sample


def test_sample_does_not_depend_on_the_order_of_files_and_rows(tmp_path: Path) -> None:
    rows = [row(number) for number in range(1, 31)]
    expected = None
    for order in permutations(range(3)):
        paths = [
            write(tmp_path / f"{part}.jsonl", lines(*rows[part::3][:: (-1) ** part]))
            for part in order
        ]
        frame, counts = read(*paths, sample=7)
        expected = frame if expected is None else expected
        assert frame.equals(expected)
        assert (frame.height, counts) == (7, {"not_sampled": 23})


def test_rows_of_one_address_are_drawn_whatever_their_order(tmp_path: Path) -> None:
    rows = [row(docstring=f"Adds two numbers in way {number}.", code=BARE) for number in range(9)]
    one = read(write(tmp_path / "one.jsonl", lines(*rows)), sample=3)[0]
    two = read(write(tmp_path / "two.jsonl", lines(*rows[::-1])), sample=3)[0]

    assert one.height == 3
    assert one.equals(two)


def test_copies_of_a_row_take_no_place_in_the_sample(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", lines(*(row(number) for number in range(1, 11))))

    assert read(path, path, sample=5)[0].equals(read(path, sample=5)[0])


def test_seed_draws_another_sample(made: Any) -> None:
    rows = [row(number) for number in range(30)]
    drawn = {tuple(made(*rows, sample=5, seed=seed)[0]["symbol"].sort()) for seed in range(4)}

    assert len(drawn) == 4


def test_larger_sample_holds_the_smaller(made: Any) -> None:
    rows = [row(number) for number in range(30)]
    small, large = (set(made(*rows, sample=size)[0]["symbol"]) for size in (5, 12))

    assert small < large


def test_no_more_rows_are_held_than_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    class Row(dict[str, str]):
        """A dictionary that tells when it goes."""

    alive: set[int] = set()
    most = 0

    def stream(*_: Any) -> Iterator[dict[str, str]]:
        nonlocal most
        for number in range(500):
            found = Row(dataset._named(row(number)))
            alive.add(number)
            weakref.finalize(found, alive.discard, number)
            most = max(most, len(alive))
            yield found

    monkeypatch.setattr(dataset, "_rows", stream)
    frame, counts = read(Path("unread"), sample=10)

    assert (frame.height, counts) == (10, {"not_sampled": 490})
    assert most <= 10 + 2  # the one that is looked at, and the one before it


# Docstrings and secrets


@pytest.mark.parametrize(
    ("code", "left"),
    [
        ('def f():\n    """Adds two numbers."""\n    return 1\n', "def f():\n    return 1\n"),
        ("def f():\n    '''Adds two numbers.'''\n    return 1\n", "def f():\n    return 1\n"),
        ('def f():\n    "Adds two numbers."\n    return 1\n', "def f():\n    return 1\n"),
        ("def f():\n    'Adds two numbers.'\n    return 1\n", "def f():\n    return 1\n"),
        ('def f():\n    r"""Adds two numbers."""\n    return 1\n', "def f():\n    return 1\n"),
        ('def f():\n    Rb"""Adds two numbers."""\n    return 1\n', "def f():\n    return 1\n"),
        (
            'def f():\n    """\n    Adds two numbers.\n    """\n    return 1\n',
            "def f():\n    return 1\n",
        ),
        (
            'def f():\n    """Adds two numbers."""\n\n    return """x"""\n',
            'def f():\n\n    return """x"""\n',
        ),
        ("def f():\n    return 1\n", "def f():\n    return 1\n"),
        ("func f() int { return 1 }", "func f() int { return 1 }"),
    ],
)
def test_docstring_is_taken_out_of_the_code(made: Any, code: str, left: str) -> None:
    frame, _ = made(row(code=code, docstring="Adds two numbers."))

    assert frame["positive"].to_list() == [left]


def test_docstring_of_many_lines_is_taken_out(made: Any) -> None:
    doc = "Adds two numbers.\n\n    :param left: one of them\n    "
    frame, _ = made(row(code=f'def f(left):\n    """{doc}"""\n    return 1\n', docstring=doc))

    assert frame.select("query", "positive").row(0) == (
        "Adds two numbers",
        "def f(left):\n    return 1\n",
    )


@pytest.mark.parametrize(
    "code",
    [
        "def f():\n    # Adds two numbers.\n    return 1\n",
        'def f():\n    """Adds two numbers. And more."""\n    return 1\n',
        'def f():\n    """Well. Adds two numbers."""\n    return 1\n',
    ],
)
def test_row_whose_docstring_cannot_be_taken_out_is_counted(made: Any, code: str) -> None:
    frame, counts = made(row(code=code, docstring="Adds two numbers."))

    assert (frame.height, counts) == (0, {"doc_in_code": 1})


def test_docstring_that_is_indented_otherwise_is_counted(made: Any) -> None:
    code = 'def f():\n    """Adds two numbers.\n\n    Wraps at the end.\n    """\n'
    frame, counts = made(row(code=code, docstring="Adds two numbers.\n\nWraps at the end."))

    assert (frame.height, counts) == (0, {"doc_in_code": 1})


def test_secrets_and_addresses_are_taken_out(made: Any) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    doc = "Logs a.person@company.com into the server. Ask b.person@company.com."
    code = f'def login():\n    """{doc}"""\n    return "{token}"  # c.person@company.com\n'
    frame, _ = made(row(code=code, docstring=doc))

    pair = frame.row(0, named=True)
    assert pair["query"] == "Logs somebody@example.org into the server"
    assert pair["doc_rest"] == "Ask somebody@example.org."
    assert pair["positive"] == ('def login():\n    return "REDACTED"  # somebody@example.org\n')

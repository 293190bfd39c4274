from pathlib import Path

import polars as pl
import pytest
from pydantic import ValidationError

from common.errors import ProvenderError
from common.hashing import git_object
from corpus.optout import OptOut, OptOuts, load_optouts, names_row, wanted_out
from tests.corpus.frames import COMMIT, snapshot

CONFIG = Path(__file__).parents[2] / "config"
FILES = {"src/a.rs": "fn a() {}\n", "src/b.rs": "fn b() {}\n", "legacy/a.py": "a = 1\n", "c.rs": ""}
BLOB = {path: git_object("blob", text.encode()) for path, text in FILES.items()}
"""The snapshot's origin is https://example.org/me/demo.git, its source `demo`."""


def out(wish: OptOut, listing: pl.DataFrame | None = None) -> list[str]:
    """The paths of `FILES` that `wish` leaves out."""
    found = wanted_out(snapshot(FILES) if listing is None else listing, OptOuts(optout=[wish]))
    return [path for path, blob in BLOB.items() if blob in found]


EVERYTHING = ["src/a.rs", "src/b.rs", "legacy/a.py"]


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (OptOut(host="example.org"), EVERYTHING),
        (OptOut(host="Example.ORG"), EVERYTHING),
        (OptOut(host="github.com"), []),
        (OptOut(owner="me"), EVERYTHING),
        (OptOut(owner="m"), []),
        (OptOut(repository="me/demo"), EVERYTHING),
        (OptOut(repository="Me/Demo.git"), EVERYTHING),
        (OptOut(repository="demo"), EVERYTHING),
        (OptOut(repository="you/demo"), []),
        (OptOut(path="legacy/**"), ["legacy/a.py"]),
        (OptOut(path="*.rs"), ["src/a.rs", "src/b.rs"]),
        (OptOut(path="/a.rs"), []),
        (OptOut(swhid=f"swh:1:cnt:{BLOB['src/a.rs']}"), ["src/a.rs"]),
        (OptOut(swhid=f"swh:1:cnt:{'0' * 40}"), []),
        (OptOut(swhid=f"swh:1:rev:{COMMIT}"), EVERYTHING),
        (OptOut(swhid=f"swh:1:rev:{'0' * 40}"), []),
        (OptOut(swhid=f"swh:1:dir:{'0' * 40}"), []),
        (OptOut(host="example.org", path="src/*"), ["src/a.rs", "src/b.rs"]),
        (OptOut(host="github.com", path="src/*"), []),
        (OptOut(owner="me", repository="me/demo", path="a.*"), ["src/a.rs", "legacy/a.py"]),
        (OptOut(path="src/b.rs", swhid=f"swh:1:cnt:{BLOB['src/a.rs']}"), []),
        (OptOut(path="src/b.rs", swhid=f"swh:1:rev:{COMMIT}"), ["src/b.rs"]),
    ],
)
def test_wish_is_about_what_all_its_fields_match(wish: OptOut, expected: list[str]) -> None:
    assert out(wish) == expected


def test_folder_is_named_by_the_tree_of_the_whole() -> None:
    tree = snapshot(FILES)["tree"][0]

    assert out(OptOut(swhid=f"swh:1:dir:{tree}")) == EVERYTHING


def test_every_wish_counts() -> None:
    wishes = OptOuts(optout=[OptOut(path="src/a.rs"), OptOut(path="src/b.rs")])

    assert wanted_out(snapshot(FILES), wishes) == {BLOB["src/a.rs"], BLOB["src/b.rs"]}


def test_empty_file_gets_no_tombstone() -> None:
    empty = git_object("blob", b"")

    assert OptOut(path="c.rs").blobs(snapshot(FILES)).to_list() == [empty]
    assert wanted_out(snapshot(FILES), OptOuts(optout=[OptOut(path="c.rs")])) == set()


def test_links_and_submodules_are_no_files() -> None:
    modes = ["120000", "160000", "100755", "100644"]
    listing = snapshot(FILES).with_columns(mode=pl.Series(modes))

    assert out(OptOut(host="example.org"), listing) == ["src/a.rs", "src/b.rs"]


def test_empty_listing_has_nothing_to_leave_out() -> None:
    assert wanted_out(snapshot({}), OptOuts(optout=[OptOut(path="*")])) == set()


@pytest.mark.parametrize(
    "origin",
    [
        "https://github.com/ann/demo.git",
        "https://github.com/Ann/Demo",
        "https://github.com/ann/demo/",
        "https://user:pass@github.com:443/ann/demo.git",
        "git@github.com:ann/demo.git",
        "ssh://git@github.com:22/ann/demo",
        "git://github.com/ann/demo",
    ],
)
def test_address_is_understood_in_every_form(origin: str) -> None:
    wish = OptOut(host="github.com", owner="ann", repository="ann/demo")

    assert wish.is_about("some-source", origin)
    assert not wish.is_about("demo", origin.replace("hub", "lab"))


@pytest.mark.parametrize(
    "origin", ["pkg:pypi/demo@1.0", "/srv/git/ann/demo", "file:///srv/ann/demo"]
)
def test_source_without_a_host_is_known_by_its_name(origin: str) -> None:
    assert OptOut(repository="demo").is_about("demo", origin)
    assert not OptOut(host="github.com").is_about("demo", origin)
    assert not OptOut(owner="ann").is_about("demo", origin)


def test_row_of_a_data_set_is_matched_by_address_and_path() -> None:
    origin = "https://github.com/ann/demo"
    wishes = OptOuts(optout=[OptOut(owner="ann", path="src/**")])

    assert names_row(wishes, origin, "src/a.py")
    assert not names_row(wishes, origin, "lib/a.py")
    assert not names_row(wishes, "https://github.com/bob/demo", "src/a.py")


def test_row_of_a_data_set_has_no_swhid_to_match() -> None:
    wish = OptOut(owner="ann", swhid=f"swh:1:cnt:{'0' * 40}")

    assert not names_row(OptOuts(optout=[wish]), "https://github.com/ann/demo", "src/a.py")


@pytest.mark.parametrize(
    "swhid",
    [
        "",
        "swh:1:cnt:abc",
        f"swh:1:snp:{'0' * 40}",
        f"swh:2:cnt:{'0' * 40}",
        f"swh:1:cnt:{'A' * 40}",
    ],
)
def test_swhid_must_be_the_one_of_a_file_folder_or_commit(swhid: str) -> None:
    with pytest.raises(ValidationError):
        OptOut(swhid=swhid)


def loaded(tmp_path: Path, text: str) -> OptOuts:
    path = tmp_path / "optout.yaml"
    path.write_text(text)
    return load_optouts(path)


def test_wishes_are_read_from_a_file(tmp_path: Path) -> None:
    found = loaded(tmp_path, "optout:\n  - {host: a.org, since: 2026-11-22, note: mail}\n")

    assert found.optout == [OptOut(host="a.org", since="2026-11-22", note="mail")]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{}", "line 2: `optout.0`: give at least one of host, owner, repository, path, swhid"),
        ("{note: mail}", "give at least one of host"),
        ("{hots: a.org}", "unknown key `optout.0.hots`; did you mean `host`?"),
        ("{swhid: swh:1:cnt:1}", "`optout.0.swhid`: String should match pattern"),
    ],
)
def test_wish_that_says_nothing_is_refused(tmp_path: Path, entry: str, message: str) -> None:
    with pytest.raises(ProvenderError) as caught:
        loaded(tmp_path, f"optout:\n  - {entry}\n")
    assert message in str(caught.value)


def test_no_file_means_no_wishes(tmp_path: Path) -> None:
    assert load_optouts(tmp_path / "none.yaml") == OptOuts()


def test_shipped_file_has_no_wishes() -> None:
    assert load_optouts(CONFIG / "optout.yaml") == OptOuts()


def test_wish_leaves_no_tombstone_on_what_others_have_too() -> None:
    """A licence text's tombstone would take the licence from every project with the same text."""
    texts = {
        "LICENSE": "MIT License\n",
        "a/Cargo.toml": "[package]\n",
        "a/src/lib.rs": "fn a() {}\n",
    }
    found = wanted_out(snapshot(texts), OptOuts(optout=[OptOut(repository="demo")]))
    assert found == {git_object("blob", texts["a/src/lib.rs"].encode())}

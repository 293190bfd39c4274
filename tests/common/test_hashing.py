import hashlib
import subprocess
from pathlib import Path

from common.hashing import digest, digest_file, git_object


def test_digest_is_32_hex_digits() -> None:
    assert len(digest("a")) == 32
    assert set(digest("a")) <= set("0123456789abcdef")


def test_digest_does_not_depend_on_key_order() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


def test_digest_depends_on_value_boundaries() -> None:
    assert digest("ab", "c") != digest("a", "bc")


def test_digest_tells_types_apart() -> None:
    assert digest("1") != digest(1)


def test_digest_is_stable_across_releases() -> None:
    expected = hashlib.blake2b('["∀",{"a":null}]'.encode(), digest_size=16).hexdigest()

    assert digest("∀", {"a": None}) == expected


def test_digest_file_is_sha256(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")

    assert digest_file(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_blob_id_equals_git_hash_object(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes("fn f() { ∀ }\n".encode())
    told = subprocess.run(
        ["git", "hash-object", "--no-filters", str(path)], check=True, capture_output=True
    )

    assert git_object("blob", path.read_bytes()) == told.stdout.decode().strip()


def test_empty_blob_has_gits_well_known_id() -> None:
    assert git_object("blob", b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"

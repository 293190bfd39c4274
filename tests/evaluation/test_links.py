from __future__ import annotations

import pytest

from evaluation.links import commit_page

COMMIT = "0123456789abcdef" * 2 + "01234567"


@pytest.mark.parametrize(
    ("origin", "page"),
    [
        ("https://github.com/me/it.git", f"https://github.com/me/it/commit/{COMMIT}"),
        ("https://codeberg.org/me/it/", f"https://codeberg.org/me/it/commit/{COMMIT}"),
        ("http://git.example.org:8080/it", f"http://git.example.org:8080/it/commit/{COMMIT}"),
        ("https://example.org/a b", f"https://example.org/a%20b/commit/{COMMIT}"),
    ],
)
def test_a_public_address_has_a_page_for_its_commit(origin: str, page: str) -> None:
    assert commit_page(origin, COMMIT) == page


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "pkg:pypi/uv@0.9.9",
        "git@github.com:me/it.git",
        "ssh://git@example.org/it",
        "file:///home/me/it",
        "/home/me/it",
        "javascript:alert(1)",
        "https://me:hush@example.org/it",
        "https://example.org/it?token=hush",
        "http://localhost/it",
        "http://build.local/it",
        "http://git.internal/it",
        "http://127.0.0.1/it",
        "http://10.1.2.3/it",
        "http://[::1]/it",
        "http://[broken/it",
        'https://example.org"onclick="x/it',
    ],
)
def test_what_nobody_else_can_open_has_none(origin: str) -> None:
    assert commit_page(origin, COMMIT) is None


@pytest.mark.parametrize(
    "revision", ["", "0.9.9", "main", COMMIT[:12], COMMIT + "/../..", "A" * 40]
)
def test_what_is_no_commit_has_none(revision: str) -> None:
    assert commit_page("https://github.com/me/it", revision) is None

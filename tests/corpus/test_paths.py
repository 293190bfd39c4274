from time import monotonic

import pytest

from corpus import paths
from corpus.paths import Patterns


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("a.rs", "rust"),
        ("A.RS", "rust"),
        ("a.py", "python"),
        ("a.pyi", "python"),
        ("A.java", "java"),
        ("a.tsx", "typescript"),
        ("a.js", "javascript"),
        ("a.hpp", "cpp"),
        ("A.lean", "lean"),
        ("A.tla", "tlaplus"),
        ("a.smt2", "smtlib"),
        ("README.md", "markdown"),
        ("LICENSE", None),
        (".rs", None),
        ("a.pdf", None),
        ("a.rs.bak", None),
        ("src.rs/README", None),
    ],
)
def test_language_is_told_by_the_suffix(path: str, language: str | None) -> None:
    assert paths.language(path) == language


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("Cargo.toml", "cargo"),
        ("a/b/Cargo.toml", "cargo"),
        ("cargo.toml", None),
        ("pyproject.toml", "pyproject"),
        ("package.json", "package_json"),
        ("package-lock.json", None),
        ("pom.xml", "pom"),
        ("PKG-INFO", "pkg_info"),
        ("REUSE.toml", "reuse"),
        (".gitattributes", "attributes"),
        ("a.rs.license", "sidecar"),
        ("LICENSE", "text"),
        ("a/COPYING", "text"),
        ("a.rs", None),
    ],
)
def test_role_is_told_by_the_name(path: str, role: str | None) -> None:
    assert paths.role(path) == role


@pytest.mark.parametrize(
    "name",
    [
        "LICENSE",
        "licence",
        "UNLICENSE",
        "LICENSE.md",
        "LICENSE.txt",
        "LICENSE.rst",
        "LICENSE-MIT",
        "LICENSE-Apache-2.0",
        "LICENSE.APACHE",
        "LICENSE_MIT.txt",
        "COPYING",
        "COPYING.LESSER",
        "gson-LICENSE",
        "asm-license.txt",
        "MIT-LICENSE",
    ],
)
def test_name_of_a_licence_text(name: str) -> None:
    assert paths.is_licence_text(name)


@pytest.mark.parametrize(
    "name",
    [
        "LICENSE-THIRD-PARTY",
        "LICENSE-3rdparty.txt",
        "LICENSE-dependencies",
        "license.rs",
        "license.py",
        "licenses.json",
        "LICENSE.html",
        "license.go",
        "license.svg",
        "LICENSES",
        "licensed",
        "copyingthings",
        "README.md",
        "LICENSE.license",
    ],
)
def test_name_that_only_looks_like_a_licence_text(name: str) -> None:
    assert not paths.is_licence_text(name)


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("gson-LICENSE", "gson"),
        ("asm_license.txt", "asm"),
        ("my.lib-COPYING", "my.lib"),
        ("mitten-LICENSE", "mitten"),
        ("LICENSE", ""),
        ("LICENSE-MIT", ""),
        ("MIT-LICENSE", ""),
        ("GPL-LICENSE.txt", ""),
        ("LGPL-2.1-LICENSE", ""),
        ("Apache-2.0-LICENSE", ""),
    ],
)
def test_prefix_names_the_files_that_a_text_is_of(name: str, prefix: str) -> None:
    assert paths.licence_prefix(name) == prefix


def test_code_and_what_speaks_of_it_are_read() -> None:
    names = ["a.rs", "LICENSE", "Cargo.toml", "a.pdf", "a.png", "Makefile", "a.tar.gz"]

    assert [paths.is_read(name) for name in names] == [True, True, True, False, False, False, False]


@pytest.mark.parametrize(
    "path",
    [
        "vendor/x/lib.rs",
        "a/vendor/x.rs",
        "Vendored/a.rs",
        "src/third_party/lib.rs",
        "third-party/lib.rs",
        "thirdparty/a.c",
        "3rdparty/a.c",
        "3rd-party/a.c",
        "js/node_modules/a.js",
        "venv/lib/a.py",
        ".venv/lib/a.py",
        "lib/python3/site-packages/a.py",
        "pkg/_vendor/a.py",
        "bower_components/a.js",
    ],
)
def test_folder_of_other_peoples_code_is_vendored(path: str) -> None:
    assert paths.is_vendored(path)


@pytest.mark.parametrize(
    "path", ["src/vendor.rs", "vendors/a.rs", "myvendor/a.rs", "venv.py", "a.rs"]
)
def test_name_that_only_looks_vendored(path: str) -> None:
    assert not paths.is_vendored(path)


@pytest.mark.parametrize(
    "path",
    [
        "api.pb.cc",
        "api_pb2.py",
        "api_pb2_grpc.pyi",
        "ast.g.ts",
        "a.generated.rs",
        "src/generated/a.rs",
        "src/generated.rs",
        "jquery.min.js",
        "Cargo.lock",
        "a/package-lock.json",
        "poetry.lock",
        "uv.lock",
        "yarn.lock",
        "verif/sort.coma",
        "verif/sort/proof.json",
        "verif/why3session.xml",
        "lake-manifest.json",
    ],
)
def test_name_that_only_tools_give_is_generated(path: str) -> None:
    assert paths.is_generated(path)


@pytest.mark.parametrize(
    "path", ["src/degenerated.rs", "generate.rs", "a.min.rs", "proof.rs", "lock.rs"]
)
def test_name_that_only_looks_generated(path: str) -> None:
    assert not paths.is_generated(path)


@pytest.mark.parametrize(
    "path",
    [
        "tests/it.rs",
        "crates/a/tests/it.rs",
        "test/a.py",
        "testing/a.py",
        "testdata/a.rs",
        "benches/b.rs",
        "benchmarks/b.py",
        "src/parse_test.rs",
        "src/parse_tests.rs",
        "src/tests.rs",
        "pkg/test_parse.py",
        "conftest.py",
        "src/ParserTest.java",
        "a.test.ts",
        "a.spec.tsx",
    ],
)
def test_test_is_told_by_its_path(path: str) -> None:
    assert paths.is_test(path)


@pytest.mark.parametrize(
    "path",
    ["src/latest.rs", "src/attestation/a.rs", "src/contest_a.rs", "Testament.java", "spec.ts"],
)
def test_name_that_only_looks_like_a_test(path: str) -> None:
    assert not paths.is_test(path)


def test_example_is_told_by_its_folder() -> None:
    found = [
        paths.is_example(path) for path in ["examples/e.rs", "a/example/e.rs", "src/example.rs"]
    ]

    assert found == [True, True, False]


@pytest.mark.parametrize(
    "path",
    [
        "a\nb.rs",
        "a\x1b[31m.rs",
        "a\u202eb.rs",
        "a\0.rs",
        "caf\udce9.rs",
        "a/../b.rs",
        "./a.rs",
        "a//b.rs",
        "/a.rs",
        "",
        "a" * 1025,
        "a/" * 64 + "a.rs",
    ],
)
def test_odd_path_is_not_nameable(path: str) -> None:
    assert not paths.is_nameable(path)


@pytest.mark.parametrize("path", ["a.rs", "src/été 1.rs", "...", "a" * 1024, "a/" * 63 + "a.rs"])
def test_plain_path_is_nameable_and_shown_as_it_is(path: str) -> None:
    assert paths.is_nameable(path)
    assert paths.shown(path) == path


def test_odd_path_is_shown_escaped_and_cut() -> None:
    assert paths.shown("a\nb\x1b.rs") == "a\\nb\\x1b.rs"
    assert paths.shown("caf\udce9.rs") == "caf\\xe9.rs"
    assert paths.shown("\n" * 2000) == "\\n" * 512 + "…"


def test_patterns_are_those_of_gitignore() -> None:
    found = Patterns(["src/**", "!src/old/**"], default=True)

    assert [found.match(path) for path in ["src/a.rs", "src/old/a.rs", "b.rs"]] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("default", [True, False])
def test_no_patterns_leave_it_to_the_default(default: bool) -> None:
    assert Patterns([], default=default).match("a.rs") is default


@pytest.mark.parametrize(
    ("glob", "folder", "path", "exact", "below"),
    [
        ("*.c", "", "a.c", True, True),
        ("*.c", "", "x/y/a.c", True, True),
        ("*.c", "", "a.cc", False, False),
        ("/*.c", "", "a.c", True, True),
        ("/*.c", "", "x/a.c", False, False),
        ("lib/*", "", "lib/a.c", True, True),
        ("lib/*", "", "lib/x/a.c", False, True),
        ("lib/*", "", "x/lib/a.c", False, False),
        ("lib/**", "", "lib/x/y/a.c", True, True),
        ("**/lib/*.c", "", "lib/a.c", True, True),
        ("**/lib/*.c", "", "x/y/lib/a.c", True, True),
        ("**/lib/*.c", "", "xlib/a.c", False, False),
        ("a/**/z.c", "", "a/z.c", True, True),
        ("a/**/z.c", "", "a/b/c/z.c", True, True),
        ("lib", "", "lib/x/a.c", False, True),
        ("lib", "", "x/lib/a.c", False, True),
        ("lib/", "", "lib/x/a.c", False, True),
        ("lib/", "", "library/a.c", False, False),
        ("*.c", "sub", "sub/x/a.c", True, True),
        ("*.c", "sub", "a.c", False, False),
        ("/a.c", "sub", "sub/a.c", True, True),
        ("x/a.c", "sub", "sub/x/a.c", True, True),
        ("x/a.c", "sub", "sub/y/x/a.c", False, False),
        ("*", "app/[id]", "app/[id]/a.ts", True, True),
        ("*", "app/[id]", "app/i/a.ts", False, False),
        ("a?.c", "", "ab.c", True, True),
        ("a?b", "", "a/b", False, False),
        ("[ab].c", "", "b.c", True, True),
        ("[!ab].c", "", "b.c", False, False),
        ("[!ab].c", "", "c.c", True, True),
        ("a[!x]b", "", "a/b", False, False),
        (r"\*.c", "", "*.c", True, True),
        (r"\*.c", "", "a.c", False, False),
        ("!*.c", "", "a.c", False, False),
        ("[z-a].c", "", "b.c", False, False),
        ("[ab.c", "", "a.c", False, False),
    ],
)
def test_pattern_of_gitattributes(
    glob: str, folder: str, path: str, exact: bool, below: bool
) -> None:
    found = [paths.attribute_pattern(glob, folder, below=each) for each in (False, True)]

    assert [each is not None and each.match(f"/{path}") is not None for each in found] == [
        exact,
        below,
    ]


@pytest.mark.parametrize("glob", ["*a" * 300 + "b", "**/a/" * 200 + "b", "?*" * 300 + "b"])
def test_hostile_pattern_is_matched_in_no_time(glob: str) -> None:
    pattern = paths.attribute_pattern(glob, "", below=True)
    began = monotonic()

    assert pattern is not None
    assert pattern.match("/" + "a" * 1000) is None
    assert pattern.match("/" + "a/" * 500 + "c") is None
    assert monotonic() - began < 5

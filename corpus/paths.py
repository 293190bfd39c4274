"""What a file's path alone says: its language, whether its bytes are read, and what it is part of.

Pure functions of one path. What the bytes say is `corpus.facts`' business.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from pathspec import GitIgnoreSpec

VERSION = "4"
"""Raise it when another set of files is read: snapshots made by another version are made again."""

MAX_PATH_BYTES = 1024
MAX_DEPTH = 64

LANGUAGES = {
    ".rs": "rust",
    ".py": "python",
    ".pyi": "python",
    ".java": "java",
    ".ts": "typescript",
    ".tsx": "typescript",
    ".mts": "typescript",
    ".cts": "typescript",
    ".js": "javascript",
    ".jsx": "javascript",
    ".mjs": "javascript",
    ".cjs": "javascript",
    ".cpp": "cpp",
    ".cc": "cpp",
    ".cxx": "cpp",
    ".hpp": "cpp",
    ".hh": "cpp",
    ".hxx": "cpp",
    ".h": "cpp",
    ".lean": "lean",
    ".tla": "tlaplus",
    ".smt2": "smtlib",
    ".smt": "smtlib",
    ".md": "markdown",
    ".rst": "restructuredtext",
    ".adoc": "asciidoc",
    ".asciidoc": "asciidoc",
}

DOCUMENTATION = frozenset({"markdown", "restructuredtext", "asciidoc"})
"""Languages of prose: their files give sections, not definitions."""

Role = Literal[
    "text",
    "cargo",
    "pyproject",
    "package_json",
    "pom",
    "pkg_info",
    "reuse",
    "sidecar",
    "attributes",
]
"""What a file that is read for others' sake is: a licence text, a manifest, REUSE.toml …"""

_ROLES: dict[str, Role] = {
    "Cargo.toml": "cargo",
    "pyproject.toml": "pyproject",
    "package.json": "package_json",
    "pom.xml": "pom",
    "PKG-INFO": "pkg_info",
    "REUSE.toml": "reuse",
    ".gitattributes": "attributes",
}
_TEXT = re.compile(
    r"""^(?:
        (?:un)?licen[cs]e(?:[-_.](?!third|3rd|dep)[\w.+-]*)?     # LICENSE, LICENSE-MIT, LICENSE.md
      | copying(?:[-_.][\w.+-]*)?                                # COPYING, COPYING.LESSER
      | (?P<of>[\w.+-]+?)[-_.](?:licen[cs]e|copying)(?:\.(?:md|txt))?   # gson-LICENSE: of gson only
    )$""",
    re.IGNORECASE | re.VERBOSE,
)
_LICENCE_NAME = re.compile(
    r"(?:mit|x11|apache|bsd|isc|[al]?gpl|gnu|mpl|mozilla|epl|eclipse|cc|cc0|boost|bsl|zlib|unicode)(?![a-z])",
    re.IGNORECASE,
)
_NOT_A_TEXT = re.compile(
    r"\.(json|ya?ml|toml|xml|html?|[ch]|go|rb|sh|snap|png|svg|lock|in|license|kt|swift|scala|coma)$",
    re.IGNORECASE,
)

_VENDORED = re.compile(
    r"(^|/)(vendor|vendored|third[_-]party|3rd[_-]?party|thirdparty|node_modules|site-packages"
    r"|bower_components|\.?venv|virtualenv|_vendor)/",
    re.IGNORECASE,
)
_GENERATED = re.compile(
    r"(\.pb\.|_pb2(_grpc)?\.pyi?$|\.g\.|\.generated\.|(^|/)generated(/|\.)|\.min\.js$"
    # what the TLA+ Toolbox makes of a model, copies of its specifications included
    r"|\.toolbox/.*\.tla$|_TTrace(_\d+)?\.tla$"
    # what verifiers and their builds write
    r"|\.coma$|(^|/)proof\.json$|(^|/)why3session\.xml$|(^|/)lake-manifest\.json$"
    r"|(^|/)(Cargo\.lock|package-lock\.json|poetry\.lock|uv\.lock|yarn\.lock)$)",
    re.IGNORECASE,
)
_TEST = re.compile(
    r"(^|/)(tests?|testing|testdata|benches|benchmarks?|fuzz_targets)/|(^|/)(test_|conftest\.)"
    r"|(^|/)tests?-(model|resources|concurrent|benchmark)s?/|\.(ui)?test/|(^|/|_)tests?\."
    r"|Tests?\.java$|[._](test|spec)\.[jt]sx?$",
    re.IGNORECASE,
)
_EXAMPLE = re.compile(r"(^|/)examples?/", re.IGNORECASE)


def language(path: str) -> str | None:
    """The language of a file, by its suffix."""
    return LANGUAGES.get(_suffix(path))


def _suffix(path: str) -> str:
    """As PurePosixPath's, which takes ten times as long."""
    name = path[path.rfind("/") + 1 :]
    dot = name.rfind(".")
    return name[dot:].lower() if 0 < dot < len(name) - 1 else ""


def role(path: str) -> Role | None:
    """What a file says of other files, if anything."""
    name = path[path.rfind("/") + 1 :]
    if name in _ROLES:
        return _ROLES[name]
    if name.endswith(".license"):
        return "sidecar"
    return "text" if is_licence_text(name) else None


def is_licence_text(name: str) -> bool:
    """True for a file name such as LICENSE, LICENSE-MIT, COPYING.LESSER or gson-LICENSE.

    `LICENSE-THIRD-PARTY`, `license.rs` and `licenses.json` are none.
    """
    if _NOT_A_TEXT.search(name) or LANGUAGES.get(_suffix(name)) not in (
        None,
        *DOCUMENTATION,
    ):
        return False
    return _TEXT.match(name) is not None


def licence_prefix(name: str) -> str:
    """`gson` of `gson-LICENSE`, which speaks for the files of that name only; else empty.

    `MIT-LICENSE` is the text of that licence, and of no file in particular.
    """
    match = _TEXT.match(name)
    prefix = (match["of"] if match else "") or ""
    return "" if _LICENCE_NAME.match(prefix) else prefix


def is_read(path: str) -> bool:
    """True where the pipeline reads the bytes of such a file."""
    return language(path) is not None or role(path) is not None


def is_nameable(path: str) -> bool:
    """False for a path that no table, card or terminal should show: control characters, no UTF-8."""
    try:
        length = len(path.encode())
    except UnicodeEncodeError:
        return False
    parts = path.split("/")
    return (
        path.isprintable()
        and length <= MAX_PATH_BYTES
        and len(parts) <= MAX_DEPTH
        and not {"", ".", ".."} & set(parts)
    )


def shown(path: str) -> str:
    """`path` in a form that every table can hold: what is not printable is escaped, the end cut."""
    if is_nameable(path):
        return path
    raw = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in raw)
    return text if len(text) <= MAX_PATH_BYTES else f"{text[:MAX_PATH_BYTES]}…"


def is_vendored(path: str) -> bool:
    """True for a folder that holds other projects' code by convention."""
    return _VENDORED.search(path) is not None


def is_generated(path: str) -> bool:
    """True for a name that only tools give, lockfiles and the verifiers' own files included."""
    return _GENERATED.search(path) is not None


def is_test(path: str) -> bool:
    """True for tests and benchmarks."""
    return _TEST.search(path) is not None


def is_example(path: str) -> bool:
    """True for a file of an `examples` folder."""
    return _EXAMPLE.search(path) is not None


class Patterns:
    """Gitignore-style patterns; `default` is the answer where there are none."""

    def __init__(self, patterns: Sequence[str], *, default: bool) -> None:
        self._spec = GitIgnoreSpec.from_lines(patterns) if patterns else None
        self._default = default

    def match(self, path: str) -> bool:
        return self._default if self._spec is None else self._spec.match_file(path)


def glob_pattern(pieces: Sequence[str], end: str = "") -> re.Pattern[str]:
    """The expression for a glob that a stranger wrote; it takes no more than quadratic time.

    Args:
        pieces: `*` for what stays in a folder, `**` for what does not, else an expression that matches
            one character or none.
        end: an expression for what may follow.
    """
    # What stands between two wildcards is sought once, where it first occurs: a later place could
    # only leave less to the rest. Naive expressions would try them all, for each wildcard anew.
    *folders, last = _split(pieces, "**")
    parts = []
    for number, each in enumerate(folders):
        first, *others = _split(each, "*")
        inner = "".join(first) + "".join(f"(?>[^/]*?{''.join(text)})" for text in others)
        parts.append(f"(?>{'.*?' if number else ''}{inner})")
    first, *others = _split(last, "*")
    parts += [".*?" if folders else "", *first]
    for number, text in enumerate(others, 1):
        inner = "".join(text)
        parts.append(f"[^/]*{inner}" if number == len(others) else f"(?>[^/]*?{inner})")
    return re.compile("".join([*parts, end, r"\Z"]), re.DOTALL)


def _split(pieces: Sequence[str], at: str) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for each in pieces:
        if each == at:
            found.append([])
        else:
            found[-1].append(each)
    return found


_ATTRIBUTE_TOKEN = re.compile(
    r"(?P<any_folders>(?<![^/])\*\*/)|(?P<below>(?<=/)\*\*$)|(?P<star>\*+)|(?P<one>\?)"
    r"|\[(?P<none_of>[!^]?)(?P<set>\]?[^\]]*)\]|\\?(?P<char>.)",
    re.DOTALL,
)


def attribute_pattern(glob: str, folder: str, *, below: bool) -> re.Pattern[str] | None:
    """The expression for the paths, after a slash, that a line of `folder`/.gitattributes is about.

    Null for a pattern that git refuses. With `below`, what lies in a folder that matches matches too,
    as many a line means and git does not do.
    """
    if glob.startswith("!") or (glob.endswith("/") and not below):
        return None
    glob = glob.rstrip("/")
    pieces = [re.escape(char) for char in (f"/{folder}/" if folder else "/")]
    if "/" not in glob:
        pieces += ["**", "(?<=/)"]
    for token in _ATTRIBUTE_TOKEN.finditer(glob.removeprefix("/")):
        pieces += _attribute_pieces(token)
    try:
        return glob_pattern(pieces, "(?:/.*)?" if below else "")
    except re.error:
        return None


def _attribute_pieces(token: re.Match[str]) -> list[str]:
    if token["any_folders"]:
        return ["**", "(?<=/)"]
    if token["below"] or token["star"]:
        return ["**" if token["below"] else "*"]
    if token["one"]:
        return ["[^/]"]
    if token["set"] is not None:
        inside = re.sub(r"([\\\[&~|^])", r"\\\1", token["set"])
        return [f"(?!/)[{'^' if token['none_of'] else ''}{inside}]"]
    return [re.escape(token["char"])]

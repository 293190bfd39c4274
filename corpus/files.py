"""Which files of a snapshot are source code worth reading: language, role, licence, kept or why not."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from enum import StrEnum

import polars as pl

from common.errors import ProvenderError
from common.hashing import digest
from corpus import facts, paths, schema
from corpus.facts import Facts
from corpus.licences import Licence, LicencePolicy, Scopes, Statement
from corpus.provenance import swhids
from corpus.sources import Repository

VERSION = f"2/facts-{facts.VERSION}"
"""Raise it when the rules below change: tables made by another version are made again."""


class Drop(StrEnum):
    """Why a file goes no further. The order is the order of the checks."""

    LINK = "link"
    SUBMODULE = "submodule"
    ODD_PATH = "odd_path"
    NO_CODE = "no_code"
    EXCLUDED = "excluded"
    OPT_OUT = "opt_out"
    TOO_LARGE = "too_large"
    BINARY = "binary"
    VENDORED = "vendored"
    BOUNDARY = "licence_boundary"
    GENERATED = "generated"
    EMPTY = "empty"
    NOT_UTF8 = "not_utf8"
    MINIFIED = "minified"
    LICENCE = "licence_tier"
    TEST_CAP = "test_cap"


FORMAL_LANGUAGES = frozenset({"lean", "tlaplus", "smtlib"})
"""Languages in which everything is specification or proof."""

_CATEGORIES = {
    "lean": "verification",
    "tlaplus": "spec",
    "smtlib": "spec",
    **dict.fromkeys(paths.DOCUMENTATION, "documentation"),
}
_STATES = {
    "link": Drop.LINK,
    "submodule": Drop.SUBMODULE,
    "odd_path": Drop.ODD_PATH,
    "no_code": Drop.NO_CODE,
    "excluded": Drop.EXCLUDED,
    "opted_out": Drop.OPT_OUT,
    "too_large": Drop.TOO_LARGE,
    "binary": Drop.BINARY,
}
_NO_FACTS = Facts((), None, None)

Contents = Callable[[Collection[str]], Iterable[tuple[str, bytes]]]
"""Gives the bytes of blobs, as `BlobStore.read` does."""


def classify(
    snapshot: pl.DataFrame,
    contents: Contents,
    policy: LicencePolicy,
    source: Repository,
    previous: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Every file of a snapshot with its licence and what becomes of it.

    Args:
        snapshot: rows of `schema.SNAPSHOT`.
        contents: where the bytes are; only those that `previous` does not know are read.
        policy: the licence policy.
        source: the manifest's entry.
        previous: rows of `schema.FILES` of an earlier revision.

    Returns:
        Rows of `schema.FILES` in the order of `snapshot`.

    Raises:
        ProvenderError: `contents` lacks bytes that the snapshot says are stored.
    """
    known = _facts(snapshot, contents, previous)
    # By path, whatever was read first: evidence is listed in this order.
    said = [each for path in sorted(known) for each in known[path].states]
    rules = _Rules(policy, source, Scopes(said, policy, snapshot["path"]), said)
    rows = [
        rules.row(path, state, known.get(path, _NO_FACTS))
        for path, state in snapshot.select("path", "state").iter_rows()
    ]
    kinds = schema.empty(schema.FILES).schema
    made = pl.DataFrame(rows, schema={name: kinds[name] for name in _MADE}, orient="row")
    frame = snapshot.select("source", "revision", "path", "blob_sha", "size").with_columns(
        pl.Series("swhid", swhids(snapshot), pl.String), *made
    )
    most = policy.max_test_files if source.max_test_files is None else source.max_test_files
    return _capped(frame, most).select(schema.FILES.names)


_MADE = (
    *("language", "dialect", "category", "is_test", "license", "license_tier"),
    *("license_evidence", "kept", "drop_reason", "states", "content_drop", "rules"),
)


def _facts(
    snapshot: pl.DataFrame, contents: Contents, previous: pl.DataFrame | None
) -> dict[str, Facts]:
    """The facts of every stored file, by path: carried over, or read."""
    stored = snapshot.filter(state="stored").select("path", "blob_sha")
    known: dict[str, Facts] = {}
    if previous is not None:
        carried = stored.join(
            previous.filter(rules=facts.VERSION).select(
                "path", "blob_sha", "states", "dialect", "content_drop"
            ),
            on=["path", "blob_sha"],
        )
        for path, _, states, dialect, drop in carried.iter_rows():
            known[path] = Facts(tuple(Statement(**each) for each in states), dialect, drop)
    places: dict[str, list[str]] = defaultdict(list)
    for path, blob in stored.iter_rows():
        if path not in known:
            places[blob].append(path)
    for blob, content in contents(places) if places else ():
        for path in places.pop(blob):
            known[path] = facts.inspect(path, content)
    if places:
        raise bytes_missing(snapshot["source"][0], len(places))
    return known


def bytes_missing(source: str, count: int) -> ProvenderError:
    """The message for a lake whose blob store has lost something."""
    return ProvenderError(
        f"The bytes of {count} files are not in the lake.",
        where=f"source {source}",
        remedy=f"Delete repos/source={source} in the lake and materialize `repos` again.",
    )


class _Rules:
    """Everything that decides about a file, set up once for a source."""

    def __init__(
        self,
        policy: LicencePolicy,
        source: Repository,
        scopes: Scopes,
        said: list[Statement],
    ) -> None:
        self._policy, self._source, self._scopes = policy, source, scopes
        self._attributes = list(_attributes(said))
        self._is_formal = source.domain == "formal"

    def row(self, path: str, state: str, found: Facts) -> tuple:
        """The values of `_MADE` for one file."""
        # A licence text in Markdown documents nothing.
        language = None if paths.role(path) == "text" else paths.language(path)
        own = [each for each in found.states if each.by in ("spdx", "header", "notice")]
        licence = self._scopes.of(path, own)
        # What lies behind a licence boundary is not the owner's. Where the owner states no licence
        # at all, a folder with a licence of its own may be anybody's.
        stands_alone = licence.boundary is None and not licence.nested
        owned = self._source.domain == "personal" and stands_alone
        tier = "owned" if owned else self._policy.tier(licence.expression)
        drop = _STATES.get(state) or self._drop(path, language, found.drop, licence)
        if drop is None and tier not in self._policy.keep:
            drop = Drop.LICENCE
        is_example = paths.is_example(path) and not self._is_formal
        return (
            language,
            found.dialect,
            "verification" if found.dialect else _CATEGORIES.get(language or "", "code"),
            paths.is_test(path) or is_example,
            licence.expression,
            tier,
            [_struct(each) for each in licence.evidence],
            drop is None,
            drop.value if drop else None,
            [_struct(each) for each in found.states],
            found.drop,
            facts.VERSION if state == "stored" else "",
        )

    def _drop(
        self, path: str, language: str | None, unfit: str | None, licence: Licence
    ) -> Drop | None:
        if language is None:
            return Drop.NO_CODE
        if paths.is_vendored(path) or self._says(path, "linguist-vendored"):
            return Drop.VENDORED
        if licence.boundary is not None and self._source.nested_licences == "drop":
            return Drop.BOUNDARY
        if paths.is_generated(path) or self._says(path, "linguist-generated"):
            return Drop.GENERATED
        return Drop(unfit) if unfit else None

    def _says(self, path: str, attribute: str) -> bool:
        """What .gitattributes files say of `path`; the last line that matches counts."""
        said = False
        for name, value, pattern in self._attributes:
            if name == attribute and pattern.match(f"/{path}"):
                said = value
        return said


def _struct(said: Statement) -> dict[str, str]:
    return {"by": said.by, "place": said.place, "expression": said.expression}


def _attributes(said: Iterable[Statement]) -> Iterator[tuple[str, bool, re.Pattern[str]]]:
    """The attributes of .gitattributes lines, those of deeper folders last, as git ranks them."""
    lines = [each for each in said if each.by == "attribute"]
    for each in sorted(lines, key=lambda each: each.place.count("/")):
        glob, *attributes = each.expression.split()
        folder = each.place.rpartition("/")[0]
        for attribute in attributes:
            name, _, value = attribute.lstrip("-!").partition("=")
            is_set = attribute[0] not in "-!" and value.lower() not in ("false", "0", "no")
            pattern = paths.attribute_pattern(glob, folder, below=is_set)
            if pattern is not None:
                yield name, is_set, pattern


def _capped(frame: pl.DataFrame, most: int) -> pl.DataFrame:
    """`frame` with at most `most` test files kept, proofs not counted, drawn by the hash of their path."""
    proof = pl.col("dialect").is_not_null() | pl.col("language").is_in(sorted(FORMAL_LANGUAGES))
    tests = frame.filter("kept", "is_test", ~proof)["path"].to_list()
    over = sorted(tests, key=digest)[most:]
    if not over:
        return frame
    hit = pl.col("path").is_in(over) & pl.col("kept")
    return frame.with_columns(
        kept=pl.col("kept") & ~hit,
        drop_reason=pl.when(hit).then(pl.lit(Drop.TEST_CAP.value)).otherwise("drop_reason"),
    )

"""Which statement counts for which file: its own, then the nearest folder's, a manifest's, the repository's.

Where statements of equal standing contradict each other the strictest counts. All that speaks for a
file is kept as its evidence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from corpus.licences.policy import LicencePolicy, binds, family, names, normal
from corpus.licences.statements import Annotation, Statement, annotation, without_base
from corpus.licences.words import UNKNOWN
from corpus.paths import DOCUMENTATION, language, licence_prefix, role

_MANIFESTS = ("pkg_info", "cargo", "pyproject", "package_json", "pom")
"""In the order in which equals are believed."""
_DUAL = "Apache-2.0 OR MIT"


@dataclass(frozen=True)
class Licence:
    """The licence of one file.

    `expression` is null where nothing was proven. `boundary` names the folder with a licence text of
    its own, other than the repository's, in which the file lies. `nested` says that there is such a
    folder, and the repository states nothing to compare it with.
    """

    expression: str | None
    evidence: tuple[Statement, ...]
    boundary: str | None
    nested: bool = False


class Scopes:
    """All that a source states about licences beyond single files.

    Args:
        stated: the statements of licence texts, manifests, sidecars and REUSE.toml files.
        policy: decides which of two statements is the stricter.
        paths: all files of the source.
    """

    def __init__(
        self,
        stated: Iterable[Statement],
        policy: LicencePolicy,
        paths: Iterable[str] = (),
    ) -> None:
        self._policy = policy
        self._annotations: dict[str, list[Annotation]] = defaultdict(list)
        self._texts: dict[str, list[Statement]] = defaultdict(list)
        self._manifests: dict[str, list[Statement]] = defaultdict(list)
        self._workspaces: dict[str, Statement] = {}
        self._of_one: dict[str, list[Statement]] = defaultdict(list)
        self._prefixed: dict[str, list[tuple[str, Statement]]] = defaultdict(list)
        for each in stated:
            self._sort_in(each)
        self._unprefix(paths)
        self._folders: dict[tuple[str, bool], Licence] = {}

    def of(self, path: str, own: Sequence[Statement]) -> Licence:
        """The licence of the file at `path`, which states `own` itself."""
        around = self._of_folder(_folder(path), code=language(path) not in DOCUMENTATION)
        specific = self._specific(path, [each for each in own if each.by != "notice"])
        # A notice speaks for a part of the file, and takes nothing from what holds for the whole.
        notices = [each for each in own if each.by == "notice"]
        said = [*specific, *notices]
        if not said:
            return around
        whole = [each.expression for each in specific] or [around.expression]
        bound = [each for each in whole if each is not None]
        return Licence(
            _both([*bound, *(each.expression for each in notices)]) if bound else None,
            (*said, *(each for each in around.evidence if each not in said)),
            around.boundary,
            around.nested,
        )

    @property
    def repository(self) -> Licence:
        """What the source states for itself as a whole."""
        return self._of_folder("", code=True)

    def _sort_in(self, each: Statement) -> None:
        folder, name = _folder(each.place), PurePosixPath(each.place).name
        if each.by == "sidecar":
            self._of_one[each.place.removesuffix(".license")].append(each)
        elif each.by == "text":
            if prefix := licence_prefix(name):
                self._prefixed[folder].append((prefix.lower(), each))
            else:
                self._texts[folder].append(each)
        elif each.by == "cargo_workspace":
            self._workspaces[folder] = each
        elif each.by == "annotation":
            self._annotations[folder].append(annotation(each))
        elif each.by == "cargo_inherits" or each.by in _MANIFESTS:
            self._manifests[folder].append(each)

    def _unprefix(self, paths: Iterable[str]) -> None:
        """Give to its whole folder the text of a name that no file there has: `CommonsMath-LICENSE`."""
        if not self._prefixed:
            return
        of_folder: dict[str, list[str]] = {folder: [] for folder in self._prefixed}
        for path in paths:
            folder, _, name = path.rpartition("/")
            if folder in of_folder and role(path) is None:
                of_folder[folder].append(name.lower())
        for folder, listed in self._prefixed.items():
            for prefix, each in listed:
                # With no other file beside it, it is not known whose text it is.
                if of_folder[folder] and not any(n.startswith(prefix) for n in of_folder[folder]):
                    self._texts[folder].append(each)

    def _specific(self, path: str, own: Sequence[Statement]) -> list[Statement]:
        """What is said of this one file, after REUSE's rules of precedence."""
        own = [*own, *self._of_one.get(path, [])]
        annotated = self._annotation(path)
        if annotated is not None:
            place, found = annotated
            said = Statement("reuse", place, found.expression)
            if found.precedence == "override" or not own:
                return [said]
            if found.precedence == "aggregate":
                return [*own, said]
        if own:
            return own
        name = PurePosixPath(path).name.lower()
        listed = self._prefixed.get(_folder(path), [])
        return [each for prefix, each in listed if name.startswith(prefix)]

    def _annotation(self, path: str) -> tuple[str, Annotation] | None:
        if not self._annotations:
            return None
        nearest = None
        for folder in _upwards(_folder(path)):
            inside = path.removeprefix(f"{folder}/") if folder else path
            # Within a file the last match counts; of two files the nearer, but for an override.
            for each in reversed(self._annotations.get(folder, ())):
                if each.pattern.fullmatch(inside):
                    found = (f"{folder}/REUSE.toml".lstrip("/"), each)
                    if nearest is None or each.precedence == "override":
                        nearest = found
                    break
        return nearest

    def _of_folder(self, folder: str, *, code: bool) -> Licence:
        if (folder, code) not in self._folders:
            self._folders[folder, code] = self._decide(folder, code=code)
        return self._folders[folder, code]

    def _decide(self, folder: str, *, code: bool) -> Licence:
        text_at = next((each for each in _upwards(folder) if self._texts.get(each)), None)
        stated_at = next((each for each in _upwards(folder) if self._manifest(each)), None)
        texts = self._texts[text_at] if text_at is not None else []
        fields = self._manifest(stated_at) if stated_at is not None else []
        evidence = (*texts, *fields)
        boundary, nested = None, False
        if text_at:
            whole = self._of_folder("", code=True).expression
            boundary = text_at if self._is_boundary(text_at, whole) else None
            nested = whole is None
        if folder:
            root = self._of_folder("", code=code)
            evidence += tuple(each for each in root.evidence if each not in evidence)
        texts = _for_code(texts) if code else texts
        if text_at is None or stated_at is None:
            found = self._combined(texts, fields)
        elif len(stated_at) < len(text_at):  # the text lies nearer
            found = self._combined(texts, [])
        elif len(stated_at) > len(text_at) and not text_at and not _same_family(texts, fields):
            found = self._combined([], fields)  # the text is the repository's, the field nearer
        else:
            found = self._combined(texts, fields)
        return Licence(found, evidence, boundary, nested)

    def _manifest(self, folder: str) -> list[Statement]:
        """What the manifests in `folder` state, an inherited licence looked up in its workspace."""
        found = []
        for each in self._manifests.get(folder, []):
            if each.by != "cargo_inherits":
                found.append(each)
                continue
            above = (self._workspaces[up] for up in _upwards(folder) if up in self._workspaces)
            if workspace := next(above, None):
                found.append(Statement("cargo", workspace.place, workspace.expression))
        if not found and folder in self._workspaces:
            workspace = self._workspaces[folder]
            found = [Statement("cargo", workspace.place, workspace.expression)]
        return sorted(found, key=lambda each: _MANIFESTS.index(each.by))

    def _combined(self, texts: Sequence[Statement], fields: Sequence[Statement]) -> str | None:
        """Texts and fields that speak for the same folder."""
        stated = without_base([each.expression for each in texts])
        if not fields:
            # A text that nobody knows may say anything, whatever lies beside it.
            return (_DUAL if _is_dual(texts) else _both(stated)) if stated else None
        field = self._policy.strictest([each.expression for each in fields])
        known = [each for each in stated if each != UNKNOWN]
        if not known:
            return field
        text = _DUAL if _is_dual(texts) else _both(known)
        # A field that names every text says how they combine; else they contradict each other.
        if names(text) <= names(field):
            return field
        # So does one that says `-or-later`, which no text can. Of one licence alone the text counts.
        if len(names(field)) > 1 and _families([text]) <= _families([field]):
            return field
        return self._policy.strictest([text, field])

    def _is_boundary(self, text_at: str, whole: str | None) -> bool:
        """True where the text in `text_at` names a licence that `whole`, the repository's, does not."""
        inside = self._combined(_for_code(self._texts[text_at]), [])
        if whole is None or inside is None or _families([inside]) <= _families([whole]):
            return False
        # Unless a part of the project says: the repository's licence, and this one too.
        return not any(binds(each.expression, whole) for each in self._manifest(text_at))


def _for_code(texts: Sequence[Statement]) -> list[Statement]:
    """`texts` without the Creative Commons', where another one is there: those are of docs and logos."""
    others = [each for each in texts if not each.expression.startswith("CC-BY")]
    return others or list(texts)


def _is_dual(texts: Sequence[Statement]) -> bool:
    """True for LICENSE-MIT beside LICENSE-APACHE and no other: Rust's way to say that one may choose."""
    named = {(PurePosixPath(each.place).stem.upper(), each.expression) for each in texts}
    return named == {("LICENSE-MIT", "MIT"), ("LICENSE-APACHE", "Apache-2.0")}


def _same_family(texts: Sequence[Statement], fields: Sequence[Statement]) -> bool:
    """True where both name the same licences but for `-only` and `-or-later`."""
    stated = _families([each.expression for each in texts])
    return stated == _families([each.expression for each in fields])


def _families(expressions: Sequence[str]) -> set[str]:
    return {family(name) for each in expressions for name in names(each)}


def _both(expressions: Iterable[str]) -> str:
    """All of `expressions` bind."""
    return normal(" AND ".join(f"({each})" for each in sorted(set(expressions)))) or UNKNOWN


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _upwards(folder: str) -> Iterator[str]:
    """`a/b`, `a` and the empty string for `a/b`."""
    yield folder
    while folder:
        folder = _folder(folder)
        yield folder

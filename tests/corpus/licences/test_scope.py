from collections.abc import Mapping

import pytest

from corpus import paths
from corpus.licences import Licence, LicencePolicy, Scopes, Statement, header, stated
from tests.corpus.licences.texts import text

TAG = "SPDX-License-" + "Identifier: "  # a scanner of this repository is not to find these tags
UNKNOWN = "LicenseRef-unknown"
MIT, APACHE, BSD = text("MIT"), text("Apache-2.0"), text("BSD-3-Clause")
GPL, LGPL3, LGPL = text("GPL-3.0"), text("LGPL-3.0"), text("LGPL-2.1")
CC_BY = text("CC-BY-4.0")

POLICY = LicencePolicy(
    tiers={
        "permissive": ["MIT", "Apache-2.0", "BSD-3-Clause", "Unicode-3.0"],
        "weak_file": ["MPL-2.0"],
        "weak_lib": ["LGPL-2.1-only", "LGPL-2.1-or-later", "LGPL-3.0-only"],
        "strong": ["GPL-3.0-only", "GPL-3.0-or-later", "GPL-2.0-only"],
    },
    keep=["permissive"],
)


def licence(files: Mapping[str, str], path: str = "src/lib.rs") -> Licence:
    """The licence of `path` in a source that holds `files`."""
    said = []
    for place in sorted(files):
        role = paths.role(place)
        if role is not None:
            said += stated(role, place, files[place].encode())
    return Scopes(said, POLICY).of(path, header(path, files.get(path, "").encode()))


def expression(files: Mapping[str, str], path: str = "src/lib.rs") -> str | None:
    return licence(files, path).expression


def cargo(license_field: str) -> str:
    return f'[package]\nname = "demo"\nlicense = "{license_field}"\n'


# What goes before what


def test_source_without_a_licence_has_none() -> None:
    assert licence({}) == Licence(None, (), None)


def test_header_goes_before_the_folder() -> None:
    files = {"LICENSE": MIT, "src/lib.rs": f"// {TAG}MPL-2.0\n"}

    assert expression(files) == "MPL-2.0"
    assert expression(files, "src/other.rs") == "MIT"


def test_nearest_folder_goes_before_a_manifest_further_up() -> None:
    files = {"Cargo.toml": cargo("MPL-2.0"), "sub/LICENSE": APACHE}

    assert expression(files, "sub/src/a.rs") == "Apache-2.0"
    assert expression(files, "src/a.rs") == "MPL-2.0"


def test_manifest_goes_before_the_text_of_the_repository() -> None:
    files = {"LICENSE": MIT, "sub/Cargo.toml": cargo("MPL-2.0")}

    assert expression(files, "sub/src/a.rs") == "MPL-2.0"


def test_repository_speaks_for_what_nothing_else_speaks_for() -> None:
    assert expression({"LICENSE": MIT}, "a/b/c/d.rs") == "MIT"


def test_nearest_text_counts() -> None:
    files = {"LICENSE": MIT, "a/LICENSE": APACHE, "a/b/COPYING": BSD}

    assert [
        expression(files, f"{folder}x.rs") for folder in ("", "a/", "a/b/", "a/b/c/", "ab/")
    ] == [
        "MIT",
        "Apache-2.0",
        "BSD-3-Clause",
        "BSD-3-Clause",
        "MIT",
    ]


def test_all_that_speaks_for_a_file_is_its_evidence_most_specific_first() -> None:
    files = {
        "LICENSE": MIT,
        "Cargo.toml": cargo("MIT"),
        "sub/LICENSE": APACHE,
        "sub/Cargo.toml": cargo("Apache-2.0"),
        "sub/a.rs": f"// {TAG}MPL-2.0\n",
        "other/LICENSE": GPL,
    }

    assert licence(files, "sub/a.rs").evidence == (
        Statement("spdx", "sub/a.rs", "MPL-2.0"),
        Statement("text", "sub/LICENSE", "Apache-2.0"),
        Statement("cargo", "sub/Cargo.toml", "Apache-2.0"),
        Statement("text", "LICENSE", "MIT"),
        Statement("cargo", "Cargo.toml", "MIT"),
    )


def test_tags_of_one_file_bind_together() -> None:
    files = {"LICENSE": MIT, "src/lib.rs": f"// {TAG}MIT\n// {TAG}GPL-3.0-only\n"}

    assert expression(files) == "GPL-3.0-only AND MIT"


# Texts and fields that contradict each other


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("MIT", "MIT"),
        ("MIT OR Apache-2.0", "Apache-2.0 OR MIT"),
        ("MIT AND BSD-3-Clause", "BSD-3-Clause AND MIT"),
        ("GPL-3.0-only", "GPL-3.0-only"),
        ("MPL-2.0", "MPL-2.0"),
        ("Custom", UNKNOWN),
    ],
)
def test_field_beside_an_mit_text(field: str, expected: str) -> None:
    assert expression({"LICENSE": MIT, "Cargo.toml": cargo(field)}) == expected


def test_text_that_is_stricter_than_the_field_counts() -> None:
    assert expression({"LICENSE": GPL, "Cargo.toml": cargo("MIT")}) == "GPL-3.0-only"


def test_field_decides_over_a_text_that_nobody_knows() -> None:
    assert expression({"LICENSE": "See the wiki.", "Cargo.toml": cargo("MIT")}) == "MIT"


def test_text_that_nobody_knows_binds_where_no_field_speaks() -> None:
    assert expression({"LICENSE": "Ask me first."}) == UNKNOWN
    assert expression({"LICENSE": "Ask me first.", "LICENSE-MIT": MIT}) == f"{UNKNOWN} AND MIT"


def test_strictest_of_two_manifests_counts() -> None:
    files = {"Cargo.toml": cargo("MIT"), "pyproject.toml": '[project]\nlicense = "GPL-3.0-only"\n'}

    assert expression(files) == "GPL-3.0-only"


def test_text_cannot_say_or_later() -> None:
    # As in Creusot: the text in the root, the fields in the crates.
    files = {"LICENSE": LGPL, "crate/Cargo.toml": cargo("LGPL-2.1-or-later")}

    assert expression(files, "crate/src/lib.rs") == "LGPL-2.1-only"
    assert licence(files, "crate/src/lib.rs").boundary is None
    assert POLICY.tier("LGPL-2.1-only") == "weak_lib"


def test_choice_with_an_or_later_licence_is_named_by_its_texts() -> None:
    files = {"LICENSE-MIT": MIT, "COPYING": GPL, "Cargo.toml": cargo("MIT OR GPL-3.0-or-later")}

    assert expression(files) == "GPL-3.0-or-later OR MIT"


def test_gpl_text_beside_the_lgpl_text_is_a_part_of_it() -> None:
    files = {"COPYING": GPL, "COPYING.LESSER": LGPL3}

    assert licence(files).expression == "LGPL-3.0-only"
    assert [each.expression for each in licence(files).evidence] == [
        "GPL-3.0-only",
        "LGPL-3.0-only",
    ]


@pytest.mark.parametrize(
    "names", [("LICENSE-MIT", "LICENSE-APACHE"), ("license-mit.md", "LICENSE-APACHE.txt")]
)
def test_mit_and_apache_texts_alone_are_a_choice(names: tuple[str, str]) -> None:
    assert expression({names[0]: MIT, names[1]: APACHE}) == "Apache-2.0 OR MIT"


def test_other_texts_beside_each_other_bind_together() -> None:
    assert expression({"LICENSE-MIT": MIT, "LICENSE-BSD": BSD}) == "BSD-3-Clause AND MIT"
    assert expression({"LICENSE-MIT": MIT, "LICENSE-APACHE": APACHE, "COPYING": GPL}) == (
        "Apache-2.0 AND GPL-3.0-only AND MIT"
    )


def test_more_in_a_file_of_the_pair_is_no_choice() -> None:
    assert expression({"LICENSE-MIT": MIT, "LICENSE-APACHE": GPL + APACHE}) == (
        "Apache-2.0 AND GPL-3.0-only AND MIT"
    )


@pytest.mark.parametrize("name", ["MIT-LICENSE", "MIT-LICENSE.txt", "apache_license"])
def test_text_named_after_its_licence_speaks_for_all(name: str) -> None:
    assert expression({name: MIT}) == "MIT"
    assert expression({name: MIT, "GPL-LICENSE.txt": GPL}) == "GPL-3.0-only AND MIT"


def test_creative_commons_beside_a_code_licence_does_not_bind_code() -> None:
    files = {"LICENSE": MIT, "LICENSE-docs": CC_BY}

    assert expression(files, "src/lib.rs") == "MIT"
    assert expression(files, "docs/guide.md") == "CC-BY-4.0 AND MIT"


def test_creative_commons_alone_binds_code() -> None:
    assert expression({"LICENSE": CC_BY}) == "CC-BY-4.0"


def test_text_for_files_of_one_name_speaks_for_these_only() -> None:
    files = {"LICENSE": MIT, "lib/gson-LICENSE": APACHE}

    assert expression(files, "lib/Gson-2.0.java") == "Apache-2.0"
    assert expression(files, "lib/other.java") == "MIT"
    assert expression(files, "gson.java") == "MIT"
    assert licence(files, "lib/gson.java").boundary is None


# Cargo's workspaces


def test_member_has_the_licence_that_it_inherits() -> None:
    files = {
        "Cargo.toml": '[workspace.package]\nlicense = "MIT"\n',
        "a/Cargo.toml": "[package]\nlicense.workspace = true\n",
    }

    assert licence(files, "a/src/lib.rs") == Licence(
        "MIT", (Statement("cargo", "Cargo.toml", "MIT"),), None
    )


def test_member_inherits_from_the_nearest_workspace() -> None:
    files = {
        "Cargo.toml": '[workspace.package]\nlicense = "MIT"\n',
        "sub/Cargo.toml": '[workspace.package]\nlicense = "MPL-2.0"\n',
        "sub/a/Cargo.toml": "[package]\nlicense = {workspace = true}\n",
    }

    assert expression(files, "sub/a/src/lib.rs") == "MPL-2.0"


def test_member_that_inherits_from_nowhere_states_nothing() -> None:
    files = {"LICENSE": MIT, "a/Cargo.toml": "[package]\nlicense.workspace = true\n"}

    assert expression(files, "a/src/lib.rs") == "MIT"


def test_member_may_state_its_own() -> None:
    files = {
        "Cargo.toml": '[workspace.package]\nlicense = "MIT"\n',
        "a/Cargo.toml": cargo("GPL-3.0-only"),
    }

    assert expression(files, "a/src/lib.rs") == "GPL-3.0-only"
    assert expression(files, "b/src/lib.rs") == "MIT"


# Boundaries


@pytest.mark.parametrize(
    ("inside", "boundary"),
    [(APACHE, "dep"), (GPL, "dep"), (CC_BY, "dep"), ("Ask me first.", "dep"), (MIT, None)],
)
def test_folder_with_another_licence_is_a_boundary(inside: str, boundary: str | None) -> None:
    files = {"LICENSE": MIT, "dep/LICENSE": inside}

    assert licence(files, "dep/src/lib.rs").boundary == boundary
    assert licence(files, "src/lib.rs").boundary is None


def test_folder_with_a_part_of_the_choice_is_no_boundary() -> None:
    files = {"LICENSE-MIT": MIT, "LICENSE-APACHE": APACHE, "a/LICENSE": MIT}

    assert licence(files, "a/lib.rs") == Licence(
        "MIT",
        (
            Statement("text", "a/LICENSE", "MIT"),
            Statement("text", "LICENSE-APACHE", "Apache-2.0"),
            Statement("text", "LICENSE-MIT", "MIT"),
        ),
        None,
    )


def test_text_of_the_licence_that_the_root_states_or_later_is_no_boundary() -> None:
    files = {"Cargo.toml": cargo("LGPL-2.1-or-later"), "crate/LICENSE": LGPL}

    assert licence(files, "crate/src/lib.rs").boundary is None


@pytest.mark.parametrize(
    ("root", "field", "boundary"),
    [
        ("MIT", "MIT AND BSD-3-Clause", None),
        ("MIT OR Apache-2.0", "(MIT OR Apache-2.0) AND BSD-3-Clause", None),
        ("MIT", "BSD-3-Clause", "part"),
        ("MIT", "MIT OR BSD-3-Clause", "part"),
        ("MIT OR Apache-2.0", "MIT AND BSD-3-Clause", "part"),
    ],
)
def test_part_under_the_licence_of_the_repository_and_another_is_no_boundary(
    root: str, field: str, boundary: str | None
) -> None:
    files = {"Cargo.toml": cargo(root), "part/Cargo.toml": cargo(field), "part/LICENSE": BSD}

    assert licence(files, "part/src/lib.rs").boundary == boundary


def test_part_behind_a_boundary_that_says_less_is_as_strict_as_its_text() -> None:
    files = {"LICENSE": MIT, "part/LICENSE": GPL, "part/Cargo.toml": cargo("MIT")}

    assert expression(files, "part/lib.rs") == "GPL-3.0-only"
    assert licence(files, "part/lib.rs").boundary == "part"


def test_header_does_not_lift_a_boundary() -> None:
    files = {"LICENSE": MIT, "dep/LICENSE": GPL, "dep/a.rs": f"// {TAG}MIT\n"}

    assert licence(files, "dep/a.rs").boundary == "dep"


def test_manifest_alone_is_no_boundary() -> None:
    files = {"LICENSE": MIT, "a/Cargo.toml": cargo("Apache-2.0")}

    assert licence(files, "a/lib.rs").boundary is None


def test_folder_of_a_repository_without_a_licence_is_only_nested() -> None:
    found = licence({"a/LICENSE": MIT}, "a/lib.rs")

    assert (found.expression, found.boundary, found.nested) == ("MIT", None, True)
    assert licence({"a/LICENSE": MIT}, "b/lib.rs") == Licence(None, (), None)


# REUSE


def annotations(*tables: tuple[str, str, str]) -> str:
    lines = ["version = 1"]
    for path, precedence, spdx in tables:
        lines += ["[[annotations]]", f'path = "{path}"', f'precedence = "{precedence}"']
        lines += ["SPDX-" + f'License-Identifier = "{spdx}"']
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("precedence", "with_header", "without"),
    [
        ("closest", "MPL-2.0", "Apache-2.0"),
        ("aggregate", "Apache-2.0 AND MPL-2.0", "Apache-2.0"),
        ("override", "Apache-2.0", "Apache-2.0"),
    ],
)
def test_precedence_of_an_annotation(precedence: str, with_header: str, without: str) -> None:
    files = {
        "LICENSE": MIT,
        "REUSE.toml": annotations(("**", precedence, "Apache-2.0")),
        "a.rs": f"// {TAG}MPL-2.0\n",
    }

    assert expression(files, "a.rs") == with_header
    assert expression(files, "b.rs") == without


def test_annotation_is_evidence_with_its_place() -> None:
    files = {"sub/REUSE.toml": annotations(("*.rs", "closest", "Apache-2.0"))}

    assert licence(files, "sub/a.rs").evidence == (
        Statement("reuse", "sub/REUSE.toml", "Apache-2.0"),
    )
    assert expression(files, "sub/deep/a.rs") is None
    assert expression(files, "a.rs") is None


def test_last_annotation_that_matches_counts() -> None:
    toml = annotations(("**", "closest", "MIT"), ("src/**", "closest", "Apache-2.0"))

    assert expression({"REUSE.toml": toml}, "src/a.rs") == "Apache-2.0"
    assert expression({"REUSE.toml": toml}, "a.rs") == "MIT"


def test_nearer_file_counts() -> None:
    files = {
        "REUSE.toml": annotations(("**", "closest", "MIT")),
        "sub/REUSE.toml": annotations(("**", "closest", "Apache-2.0")),
    }

    assert expression(files, "sub/a.rs") == "Apache-2.0"


def test_override_further_up_goes_before_the_nearer_file() -> None:
    files = {
        "REUSE.toml": annotations(("**", "override", "GPL-3.0-only")),
        "sub/REUSE.toml": annotations(("**", "closest", "MIT")),
        "sub/a.rs": f"// {TAG}MIT\n",
    }

    assert expression(files, "sub/a.rs") == "GPL-3.0-only"


def test_sidecar_speaks_for_its_file() -> None:
    files = {"LICENSE": MIT, "a.rs.license": f"{TAG}MPL-2.0\n"}

    assert expression(files, "a.rs") == "MPL-2.0"
    assert expression(files, "b.rs") == "MIT"


def test_header_and_sidecar_of_one_file_bind_together() -> None:
    files = {"a.rs": f"// {TAG}MIT\n", "a.rs.license": f"{TAG}MPL-2.0\n"}

    assert expression(files, "a.rs") == "MIT AND MPL-2.0"


def test_more_licences_than_an_expression_holds_are_unknown() -> None:
    tags = "".join(f"// {TAG}LicenseRef-{number:09}\n" for number in range(50))

    assert expression({"LICENSE": MIT, "src/lib.rs": tags}) == UNKNOWN


def notice(spdx: str) -> list[Statement]:
    return [Statement("notice", "a.rs", spdx)]


def test_notice_binds_beside_what_holds_for_the_whole_file() -> None:
    whole = Statement("text", "LICENSE", "MPL-2.0")

    assert Scopes([whole], POLICY).of("a.rs", notice("BSD-3-Clause")) == Licence(
        "BSD-3-Clause AND MPL-2.0", (*notice("BSD-3-Clause"), whole), None
    )


def test_notice_binds_beside_the_header() -> None:
    own = Statement("spdx", "a.rs", "MIT")

    found = Scopes([Statement("text", "LICENSE", "MPL-2.0")], POLICY).of(
        "a.rs", [own, *notice("GPL-2.0-only")]
    )
    assert found.expression == "GPL-2.0-only AND MIT"


def test_notice_binds_beside_an_annotation() -> None:
    said = stated("reuse", "REUSE.toml", annotations(("**", "closest", "MPL-2.0")).encode())

    assert Scopes(said, POLICY).of("a.rs", notice("MIT")).expression == "MIT AND MPL-2.0"


def test_notice_proves_nothing_for_the_whole_file() -> None:
    assert Scopes([], POLICY).of("a.rs", notice("MIT")) == Licence(None, (*notice("MIT"),), None)


def test_text_of_a_name_that_no_file_beside_it_has_speaks_for_all() -> None:
    said = [Statement("text", "CommonsMath-LICENSE", "Apache-2.0")]

    assert Scopes(said, POLICY, ["a.java"]).repository.expression == "Apache-2.0"
    assert Scopes(said, POLICY, ["commonsmath.java"]).repository.expression is None
    assert Scopes(said, POLICY, ["src/a.java", "LICENSE"]).repository.expression is None


def test_repository_is_what_the_root_states() -> None:
    said = [Statement("text", "LICENSE", "MIT"), Statement("text", "a/LICENSE", "Apache-2.0")]

    assert Scopes(said, POLICY).repository == Licence("MIT", (said[0],), None)

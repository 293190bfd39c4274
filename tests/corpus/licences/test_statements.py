import json
from time import monotonic

import pytest

from corpus.licences import Statement, header, header_text, stated
from corpus.licences.statements import annotation
from corpus.paths import Role
from tests.corpus.licences.texts import text

TAG = "SPDX-License-" + "Identifier: "  # a scanner of this repository is not to find these tags
UNKNOWN = "LicenseRef-unknown"


def of_header(content: str | bytes, path: str = "src/lib.rs") -> list[str]:
    raw = content.encode() if isinstance(content, str) else content
    return [each.expression for each in header(path, raw)]


def of(role: Role, content: str | bytes, path: str = "x") -> list[str]:
    raw = content.encode() if isinstance(content, str) else content
    return [each.expression for each in stated(role, path, raw)]


def commented(content: str, mark: str = "//") -> str:
    lines = (f"{mark} {line}".rstrip() for line in content.strip().splitlines())
    return "\n".join(lines) + "\n\nfn f() {}\n"


# Headers


def test_tag_is_taken_with_its_place() -> None:
    found = header("src/lib.rs", f"// {TAG}MIT OR Apache-2.0\nfn f() {{}}\n".encode())

    assert found == [Statement("spdx", "src/lib.rs", "Apache-2.0 OR MIT")]


@pytest.mark.parametrize(
    "line",
    [
        f"// {TAG}MIT",
        f"# {TAG}MIT",
        f"/* {TAG}MIT */",
        f"<!-- {TAG}MIT -->",
        f"<!--{TAG}MIT-->",
        f"\\* {TAG}MIT",
        f"(* {TAG}MIT *)",
        f"/- {TAG}MIT -/",
        f"; {TAG}MIT",
        f"-- {TAG}mit",
        f"// {TAG}(MIT)",
        f"// {TAG}MIT\r",
        f"\ufeff// {TAG}MIT",
    ],
)
def test_tag_is_found_in_a_comment_of_any_language(line: str) -> None:
    assert of_header(f"{line}\n") == ["MIT"]


@pytest.mark.parametrize(
    ("said", "expression"),
    [
        ("GPL-2.0", "GPL-2.0-only"),
        ("GPL-2.0+", "GPL-2.0-or-later"),
        ("Apache-2.0 WITH LLVM-exception", "Apache-2.0 WITH LLVM-exception"),
        ("MIT and GPL-2.0-only", "GPL-2.0-only AND MIT"),
        ("(MIT OR Apache-2.0) AND BSD-3-Clause", "BSD-3-Clause AND (Apache-2.0 OR MIT)"),
        ("MIT/Apache-2.0", "Apache-2.0 OR MIT"),
        ("MIT, GPL-2.0-only", UNKNOWN),
        ("MIT & GPL-2.0-only", UNKNOWN),
        ("Custom", UNKNOWN),
        ("MIT OR " * 500 + "MIT", UNKNOWN),
    ],
)
def test_expression_of_a_tag(said: str, expression: str) -> None:
    assert of_header(f"// {TAG}{said}\n") == [expression]


def test_every_tag_counts() -> None:
    assert of_header(f"// {TAG}MIT\n// {TAG}ISC\n// {TAG}MIT\n") == ["MIT", "ISC"]


def test_tag_between_reuse_marks_is_an_example() -> None:
    marked = f"// REUSE-IgnoreStart\n// {TAG}GPL-3.0-only\n// REUSE-IgnoreEnd\n// {TAG}MIT\n"

    assert of_header(marked) == ["MIT"]


def test_tag_goes_before_the_words_of_the_header() -> None:
    assert of_header(f"// {TAG}MIT\n// Licensed under the ISC license.\n") == ["MIT"]


def test_notice_beside_a_tag_that_does_not_name_it_counts_too() -> None:
    content = f"// {TAG}MIT\n\n// Licensed under the terms of the GNU General Public License v3\n"

    assert [(each.by, each.expression) for each in header("a.rs", content.encode())] == [
        ("spdx", "MIT"),
        ("notice", "GPL-3.0-only"),
    ]


def test_notice_over_a_part_of_a_file_is_found_further_down() -> None:
    content = f"fn f() {{}}\n\n{commented(text('BSD-3-Clause'))}fn g() {{}}\n"

    assert header("a.rs", content.encode()) == [Statement("notice", "a.rs", "BSD-3-Clause")]


def test_notice_of_the_licence_that_the_head_states_says_nothing_new() -> None:
    notice = commented(text("BSD-3-Clause"))

    assert of_header(f"// {TAG}BSD-3-Clause\nfn f() {{}}\n\n{notice}") == ["BSD-3-Clause"]


@pytest.mark.parametrize("name", ["MIT", "ISC", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause"])
@pytest.mark.parametrize("mark", ["//", "#", " *", "--"])
def test_licence_text_in_a_header_is_recognised(name: str, mark: str) -> None:
    assert of_header(commented(text(name), mark)) == [name]


@pytest.mark.parametrize("frame", [("/*", "*/"), ("(*", "*)"), ("/-", "-/"), ('"""', '"""')])
def test_licence_text_in_a_block_comment_is_recognised(frame: tuple[str, str]) -> None:
    assert of_header(f"{frame[0]}\n{text('BSD-3-Clause')}\n{frame[1]}\ncode\n") == ["BSD-3-Clause"]


@pytest.mark.parametrize(
    ("words", "expression"),
    [
        ("Licensed under the MIT license.", "MIT"),
        ("Released under Apache 2.0 license as described in the file LICENSE.", "Apache-2.0"),
        ("Licensed under the Apache License, Version 2.0 (the License)", "Apache-2.0"),
        (
            ("Licensed under the Apache License, Version 2.0 <LICENSE-APACHE or\n// "
            "http://www.apache.org/licenses/LICENSE-2.0> or the MIT license\n// "
            "<LICENSE-MIT or http://opensource.org/licenses/MIT>, at your option."),
            "Apache-2.0 OR MIT",
        ),
        ("Licensed under the MIT license or the Mozilla Public License 2.0", "MIT OR MPL-2.0"),
        ("License: MPL-2.0", "MPL-2.0"),
        ("License: Apache-2.0", "Apache-2.0"),
        ("Distributed under the Boost Software License, Version 1.0.", "BSL-1.0"),
        (
            ("This Source Code Form is subject to the terms of the Mozilla Public\n"
            "// License, v. 2.0. If a copy of the MPL was not distributed with this\n"
            "// file, You can obtain one at https://mozilla.org/MPL/2.0/."),
            "MPL-2.0",
        ),
        (
            ("it under the terms of the GNU General Public License as published by\n"
            "// the Free Software Foundation; either version 2 of the License, or\n"
            "// (at your option) any later version."),
            "GPL-2.0-or-later",
        ),
        ("Licensed under the GNU Lesser General Public License version 3", "LGPL-3.0-only"),
        ("Licensed under GPLv3", "GPL-3.0-only"),
        ("License: GPL v2", "GPL-2.0-only"),
        ("This file is licensed under the LGPL 2.1", "LGPL-2.1-only"),
        ("Licensed under the AGPL", "AGPL-3.0-only"),
        ("Dual licensed under the MIT license and GPL-2.0", "GPL-2.0-only AND MIT"),
        ("Licensed under the Elastic License 2.0", "Elastic-2.0"),
        ("governed by the Business Source License 1.1", "BUSL-1.1"),
        ("Proprietary and confidential. All rights reserved.", UNKNOWN),
        ("Unauthorized copying is prohibited without a license.", UNKNOWN),
        ("License: CC BY-NC 4.0", UNKNOWN),
        ("Dedicated to the public domain under CC0", "CC0-1.0"),
    ],
)  # fmt: skip
def test_phrase_of_a_header(words: str, expression: str) -> None:
    assert of_header(f"// {words}\nfn f() {{}}\n") == [expression]


def test_commons_clause_takes_away_what_the_licence_gave() -> None:
    words = (
        "Licensed under the Apache License, Version 2.0, with the Commons Clause or another license"
    )

    assert of_header(f"// {words}\n") == ["Apache-2.0 AND LicenseRef-unknown"]


def test_licence_on_the_line_of_the_copyright_counts() -> None:
    line = "// Copyright (c) 2019 Ann. Licensed under the GNU General Public License v3.\n"

    assert of_header(line) == ["GPL-3.0-only"]


@pytest.mark.parametrize(
    "content",
    [
        "// Copyright (c) 2019 Ann\n// All rights reserved.\n",
        "// Use of this source code is governed by a licence found in the LICENSE file.\n",
        "// Adds two numbers.\n",
        "",
    ],
)
def test_header_that_names_no_licence_states_nothing(content: str) -> None:
    assert of_header(content) == []


def test_words_below_the_first_code_state_nothing() -> None:
    assert of_header("fn f() {}\n// Licensed under the MIT license.\n") == []


def test_attributes_and_shebang_do_not_end_the_header() -> None:
    content = "#!/usr/bin/env python\n#![allow(x)]\n\n// Licensed under the MIT license.\n"

    assert of_header(content) == ["MIT"]


def test_markdown_speaks_of_the_project_unless_tagged() -> None:
    assert of_header("# Demo\n\nLicensed under the MIT license.\n", "README.md") == []
    assert of_header(f"<!-- {TAG}MIT -->\n", "README.md") == ["MIT"]


def test_header_text_is_the_comment_as_it_stands() -> None:
    content = (
        b"// Copyright 2020 Ann\n//\n// Licensed under the MIT license.\n\n// Adds.\n\nfn f() {}\n"
    )

    assert header_text(content) == "Copyright 2020 Ann\n\nLicensed under the MIT license."


# Licence texts


@pytest.mark.parametrize(
    ("name", "expression"),
    [
        ("MIT", "MIT"),
        ("ISC", "ISC"),
        ("BSD-2-Clause", "BSD-2-Clause"),
        ("BSD-3-Clause", "BSD-3-Clause"),
        ("Apache-2.0", "Apache-2.0"),
        ("MPL-2.0", "MPL-2.0"),
        ("EPL-2.0", "EPL-2.0"),
        ("GPL-2.0", "GPL-2.0-only"),
        ("GPL-3.0", "GPL-3.0-only"),
        ("LGPL-2.1", "LGPL-2.1-only"),
        ("LGPL-3.0", "LGPL-3.0-only"),
        ("AGPL-3.0", "AGPL-3.0-only"),
        ("CC-BY-4.0", "CC-BY-4.0"),
        ("Unlicense", "Unlicense"),
    ],
)
def test_full_text_is_recognised(name: str, expression: str) -> None:
    assert stated("text", "LICENSE", text(name).encode()) == [
        Statement("text", "LICENSE", expression)
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_text_in_another_encoding_is_recognised(encoding: str) -> None:
    content = text("MIT").replace("Copyright", "© Jürgen").encode(encoding)

    assert of("text", content) == ["MIT"]


def test_text_with_windows_line_ends_is_recognised() -> None:
    assert of("text", text("MIT").replace("\n", "\r\n")) == ["MIT"]


def test_two_texts_in_one_file_are_two_statements() -> None:
    assert of("text", text("MIT") + "\n\n" + text("Apache-2.0")) == ["MIT", "Apache-2.0"]


def test_lgpl_3_with_the_gpl_3_that_it_adds_to_is_one_licence() -> None:
    assert of("text", text("GPL-3.0") + text("LGPL-3.0")) == ["LGPL-3.0-only"]


def test_short_text_may_state_a_choice() -> None:
    short = "Licensed under either of Apache License, Version 2.0 or MIT license at your option.\n"

    assert of("text", short) == ["Apache-2.0 OR MIT"]


def test_tag_in_a_text_says_what_the_text_cannot() -> None:
    assert of("text", f"{TAG}LGPL-2.1-or-later\n\n{text('LGPL-2.1')}") == ["LGPL-2.1-or-later"]


def test_text_that_its_tag_does_not_name_counts_too() -> None:
    assert of("text", f"{TAG}MIT\n\n{text('GPL-3.0')}") == ["MIT", "GPL-3.0-only"]


@pytest.mark.parametrize("content", ["Ask me first.", "", "\0" * 100, "MIT " * 250_000])
def test_text_that_nobody_knows_is_unknown(content: str) -> None:
    assert of("text", content) == [UNKNOWN]


def test_sidecar_states_by_tag() -> None:
    found = stated("sidecar", "a.rs.license", f"{TAG}MIT\n".encode())

    assert found == [Statement("sidecar", "a.rs.license", "MIT")]


def test_sidecar_without_a_licence_states_nothing() -> None:
    assert of("sidecar", "SPDX-FileCopyrightText: 2020 Ann\n") == []


# Cargo.toml


@pytest.mark.parametrize(
    ("field", "expression"),
    [
        ("MIT", "MIT"),
        ("MIT OR Apache-2.0", "Apache-2.0 OR MIT"),
        ("MIT/Apache-2.0", "Apache-2.0 OR MIT"),
        ("MIT / GPL-3.0", "GPL-3.0-only OR MIT"),
        ("LGPL-2.1-or-later", "LGPL-2.1-or-later"),
        ("Custom", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_license_of_cargo(field: str, expression: str) -> None:
    assert stated("cargo", "Cargo.toml", f'[package]\nlicense = "{field}"\n'.encode()) == [
        Statement("cargo", "Cargo.toml", expression)
    ]


@pytest.mark.parametrize("start", ["\ufeff", "\r\n"])
def test_cargo_may_come_from_windows(start: str) -> None:
    assert of("cargo", f'{start}[package]\r\nlicense = "MIT"\r\n') == ["MIT"]


@pytest.mark.parametrize("member", ["license.workspace = true", "license = { workspace = true }"])
def test_member_inherits_the_license_of_its_workspace(member: str) -> None:
    cargo = f'[package]\n{member}\n[workspace.package]\nlicense = "MIT"\n'

    assert [
        (each.by, each.expression) for each in stated("cargo", "Cargo.toml", cargo.encode())
    ] == [
        ("cargo_inherits", UNKNOWN),
        ("cargo_workspace", "MIT"),
    ]


@pytest.mark.parametrize(
    "cargo",
    [
        "[package]\nname = 'a'\n",
        "[package]\nlicense-file = 'X'\n",
        "[package]\nlicense = 3\n",
        "[package]\nlicense.workspace = false\n",
        'package = "x"\n',
        "workspace = []\n",
        "",
    ],
)
def test_cargo_of_another_shape_states_nothing(cargo: str) -> None:
    assert of("cargo", cargo) == []


# pyproject.toml


@pytest.mark.parametrize(
    ("pyproject", "expression"),
    [
        ('[project]\nlicense = "MIT"\n', "MIT"),
        ('[project]\nlicense = "GPL-3.0-or-later AND MIT"\n', "GPL-3.0-or-later AND MIT"),
        ('[project]\nlicense = {text = "MIT License"}\n', "MIT"),
        ('[project]\nlicense = {text = "BSD 3-Clause License"}\n', "BSD-3-Clause"),
        ('[project]\nlicense = {text = "GPLv3"}\n', "GPL-3.0-only"),
        ('[project]\nlicense = "Proprietary"\n', UNKNOWN),
        ('[tool.poetry]\nlicense = "Apache-2.0"\n', "Apache-2.0"),
    ],
)
def test_license_of_pyproject(pyproject: str, expression: str) -> None:
    assert stated("pyproject", "pyproject.toml", pyproject.encode()) == [
        Statement("pyproject", "pyproject.toml", expression)
    ]


def test_whole_text_in_pyproject_is_recognised() -> None:
    assert of("pyproject", f'[project]\nlicense = {{text = """{text("MIT")}"""}}\n') == ["MIT"]


@pytest.mark.parametrize(
    "pyproject",
    ["[project]\n", '[project]\nlicense = {file = "LICENSE"}\n', "project = 1\n", "tool = []\n"],
)
def test_pyproject_of_another_shape_states_nothing(pyproject: str) -> None:
    assert of("pyproject", pyproject) == []


# package.json


@pytest.mark.parametrize(
    ("license_field", "expression"),
    [
        ("MIT", "MIT"),
        ("(MIT OR Apache-2.0)", "Apache-2.0 OR MIT"),
        ("Apache 2.0", "Apache-2.0"),
        ({"type": "MIT", "url": "https://example.org"}, "MIT"),
        ("UNLICENSED", UNKNOWN),
        ("Unlicense", "Unlicense"),
        ("Commercial", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_license_of_package_json(license_field: object, expression: str) -> None:
    content = json.dumps({"name": "a", "license": license_field})

    assert stated("package_json", "package.json", content.encode()) == [
        Statement("package_json", "package.json", expression)
    ]


def test_package_json_may_begin_with_a_mark() -> None:
    assert of("package_json", '\ufeff{"license": "GPL-3.0-only"}') == ["GPL-3.0-only"]


@pytest.mark.parametrize(
    "content",
    ["{}", "[]", "null", '{"license": ["MIT"]}', '{"license": "SEE LICENSE IN license.txt"}', "{"],
)
def test_package_json_of_another_shape_states_nothing(content: str) -> None:
    assert of("package_json", content) == []


# pom.xml


def pom(*names: str, start: str = "") -> str:
    licences = "".join(f"<license><name>{name}</name></license>" for name in names)
    place = 'xmlns="http://maven.apache.org/POM/4.0.0"'
    return f"{start}<project {place}><licenses>{licences}</licenses></project>"


@pytest.mark.parametrize(
    ("names", "expression"),
    [
        (["Apache-2.0"], "Apache-2.0"),
        (["The Apache Software License, Version 2.0"], "Apache-2.0"),
        (["Apache License, Version 2.0"], "Apache-2.0"),
        (["The MIT License (MIT)"], "MIT"),
        (["Eclipse Public License - v 1.0"], "EPL-1.0"),
        (["EPL-2.0", "GPL-2.0-only"], "EPL-2.0 OR GPL-2.0-only"),
        (["House rules"], UNKNOWN),
        ([""], UNKNOWN),
    ],
)
def test_licences_of_a_pom(names: list[str], expression: str) -> None:
    assert of("pom", pom(*names)) == [expression]


def test_more_licences_than_an_expression_holds_are_unknown() -> None:
    assert of("pom", pom(*(f"LicenseRef-{number:09}" for number in range(50)))) == [UNKNOWN]


@pytest.mark.parametrize(
    "content", ["<project/>", pom(), "<project><licenses><license/></licenses></project>", "<a"]
)
def test_pom_without_a_name_states_nothing(content: str) -> None:
    assert of("pom", content) == []


# PKG-INFO


def metadata(*fields: str) -> str:
    return "\n".join(["Metadata-Version: 2.4", "Name: demo", *fields, "", "License: ISC", ""])


@pytest.mark.parametrize(
    ("fields", "expression"),
    [
        (["License-Expression: MIT OR Apache-2.0"], "Apache-2.0 OR MIT"),
        (["License-Expression: mit", "License: GPL-3.0-only"], "MIT"),
        (["License-Expression: Custom"], UNKNOWN),
        (["License: Apache License 2.0"], "Apache-2.0"),
        (["License: GPLv3"], "GPL-3.0-only"),
        (["License: Proprietary"], UNKNOWN),
        (["Classifier: License :: OSI Approved :: MIT License"], "MIT"),
        (
            [
                "License: UNKNOWN",
                "Classifier: Programming Language :: Rust",
                "Classifier: License :: OSI Approved :: MIT License",
                "Classifier: License :: OSI Approved :: Apache Software License",
            ],
            "Apache-2.0 AND MIT",
        ),
        (
            [
                "Classifier: License :: OSI Approved",
                "Classifier: License :: OSI Approved :: MIT License",
            ],
            "MIT",
        ),
        (
            ["Classifier: License :: OSI Approved :: GNU General Public License v3 or later (GPLv3+)"],
            "GPL-3.0-or-later",
        ),
        (
            [
                "Classifier: License :: OSI Approved :: MIT License",
                "Classifier: License :: Other/Proprietary License",
            ],
            "LicenseRef-unknown AND MIT",
        ),
    ],
)  # fmt: skip
def test_licence_of_pkg_info(fields: list[str], expression: str) -> None:
    assert of("pkg_info", metadata(*fields)) == [expression]


@pytest.mark.parametrize("fields", [[], ["License: UNKNOWN"], ["Classifier: Topic :: Text"]])
def test_pkg_info_without_a_licence_states_nothing(fields: list[str]) -> None:
    assert of("pkg_info", metadata(*fields)) == []


# REUSE.toml and .gitattributes

REUSE = """version = 1
[[annotations]]
path = ["src/**", "docs/*.md"]
precedence = "override"
SPDX-FileCopyrightText = "2020 Ann"
SPDX-License-Identifier = ["MIT", "GPL-3.0"]
"""


def test_annotation_is_one_statement_a_pattern() -> None:
    found = stated("reuse", "REUSE.toml", REUSE.encode())

    assert [(each.by, json.loads(each.expression)) for each in found] == [
        ("annotation", ["src/**", "GPL-3.0-only AND MIT", "override"]),
        ("annotation", ["docs/*.md", "GPL-3.0-only AND MIT", "override"]),
    ]


def test_annotation_is_closest_unless_it_says_else() -> None:
    toml = '[[annotations]]\npath = "**"\nSPDX-License-Identifier = "House"\n'

    [found] = stated("reuse", "REUSE.toml", toml.encode())
    assert json.loads(found.expression) == ["**", UNKNOWN, "closest"]


def test_more_licences_than_an_expression_holds_make_an_unknown_annotation() -> None:
    ids = [f"LicenseRef-{number:09}" for number in range(50)]
    toml = f'[[annotations]]\npath = "**"\nSPDX-License-Identifier = {json.dumps(ids)}\n'

    [found] = stated("reuse", "REUSE.toml", toml.encode())
    assert annotation(found).expression == UNKNOWN


@pytest.mark.parametrize(
    ("glob", "path", "expected"),
    [
        ("a.rs", "a.rs", True),
        ("a.rs", "src/a.rs", False),
        ("a.rs", "aXrs", False),
        ("*.rs", "a.rs", True),
        ("*.rs", "src/a.rs", False),
        ("**/*.rs", "src/deep/a.rs", True),
        ("**", "src/a.rs", True),
        ("src/**", "src/deep/a.rs", True),
        ("src/*", "src/deep/a.rs", False),
        ("src/**/test_*.py", "src/a/b/test_x.py", True),
        ("src/**/test_*.py", "src/a/b/x.py", False),
        (r"\*.rs", "*.rs", True),
        (r"\*.rs", "a.rs", False),
        ("a*b*c", "axxbxbxc", True),
        ("**a/*b", "a/x/a/xb", True),
        ("", "a.rs", False),
    ],
)
def test_pattern_of_an_annotation(glob: str, path: str, expected: bool) -> None:
    said = Statement("annotation", "REUSE.toml", json.dumps([glob, "MIT", "closest"]))

    assert (annotation(said).pattern.fullmatch(path) is not None) is expected


@pytest.mark.parametrize("glob", ["**a" * 300 + "b", "*a" * 300 + "b", "**" * 500 + "b"])
def test_hostile_pattern_is_matched_in_no_time(glob: str) -> None:
    said = Statement("annotation", "REUSE.toml", json.dumps([glob, "MIT", "closest"]))
    began = monotonic()

    assert annotation(said).pattern.fullmatch("a" * 1000) is None
    assert monotonic() - began < 5


@pytest.mark.parametrize(
    "toml", ["annotations = 3\n", "[[annotations]]\npath = 1\n", "[annotations"]
)
def test_reuse_toml_of_another_shape_states_nothing(toml: str) -> None:
    assert of("reuse", toml) == []


def test_lines_about_vendored_and_generated_files_are_kept() -> None:
    content = (
        "*.rs text\n# a linguist-vendored\nlib/*  linguist-vendored\n*.c\t-linguist-generated\n\n"
    )

    assert stated("attributes", ".gitattributes", content.encode()) == [
        Statement("attribute", ".gitattributes", "lib/* linguist-vendored"),
        Statement("attribute", ".gitattributes", "*.c -linguist-generated"),
    ]


# Hostile files

BOMB = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "MIT"><!ENTITY b "&a;&a;">]>'
    "<project><licenses><license><name>&b;</name></license></licenses></project>"
)
HOSTILE: list[tuple[Role, str]] = [
    ("cargo", "[package\n"),
    ("cargo", '[package]\nlicense = "MIT"\0\n'),
    ("cargo", "x = " + "1" * 5000),
    ("cargo", "x = " + "[" * 100_000),
    ("cargo", ".".join(["a"] * 100_000) + " = 1"),
    ("cargo", "x" * 1_000_000),
    ("pyproject", "[project]\nlicense = "),
    ("package_json", "[" * 200_000),
    ("package_json", '{"license":' * 100_000),
    ("package_json", "1" * 100_000),
    ("pom", BOMB),
    ("pom", '<!DOCTYPE p SYSTEM "file:///etc/passwd"><project/>'),
    ("pom", '<?xml version="1.0" encoding="nonsense"?><project/>'),
    ("pom", '<?xml version="1.0" encoding="rot13"?><project/>'),
    ("pom", "<a>" * 100_000),
    ("pkg_info", "Content-Type: message/rfc822\n\n" * 3000),
    ("reuse", "[[annotations]]\npath = " + "[" * 100_000),
    ("attributes", "\0" * 1000),
    ("sidecar", "x" * 1_000_000),
]


@pytest.mark.parametrize(
    ("role", "content"), HOSTILE, ids=[f"{role}-{at}" for at, (role, _) in enumerate(HOSTILE)]
)
def test_hostile_file_states_nothing(role: Role, content: str) -> None:
    assert stated(role, "x", content.encode()) == []


ROLES: list[Role] = ["cargo", "pyproject", "package_json", "pom", "reuse", "attributes", "sidecar"]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\xff", b"\xfe\xff\0", b"\0\x80\xff", b"\xef\xbb\xbf"]
)
def test_bytes_in_no_encoding_state_nothing(role: Role, content: bytes) -> None:
    assert of(role, content) == []


def test_absurd_field_is_unknown() -> None:
    assert of("cargo", f'[package]\nlicense = "{"(" * 100_000}MIT"\n') == [UNKNOWN]


def test_no_more_statements_are_taken_than_a_person_writes() -> None:
    assert len(stated("attributes", "x", b"* linguist-vendored\n" * 5000)) == 2000


@pytest.mark.parametrize(
    "content",
    [b"\0" * 6000, b"/*" + b"a" * 1_000_000, b"// licence " + b"(" * 5000, b"\xff// licence\xfe\n"],
)
def test_hostile_header_states_nothing(content: bytes) -> None:
    assert of_header(content) == []

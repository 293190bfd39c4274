from pathlib import Path

import pytest

from common.errors import ProvenderError
from corpus.licences import Finding, find_licence, load_policy
from tests.corpus.frames import POLICY, snapshot

CONFIG = Path(__file__).parents[2] / "config"

MIT = """MIT License

Copyright (c) 2024 The authors

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and \
associated documentation files (the "Software"), to deal in the Software without restriction, \
including without limitation the rights to use, copy, modify, merge, publish, distribute, \
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is \
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or \
substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT \
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND \
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, \
DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT \
OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""
ISC = """ISC License

Copyright (c) 2024 The authors

Permission to use, copy, modify, and/or distribute this software for any purpose with or without \
fee is hereby granted, provided that the above copyright notice and this permission notice appear \
in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS \
SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE \
AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES \
WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, \
NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE \
OF THIS SOFTWARE.
"""
CLASSIFIERS = """Metadata-Version: 2.1
Name: demo
License: UNKNOWN
Classifier: Programming Language :: Rust
Classifier: License :: OSI Approved :: MIT License
Classifier: License :: OSI Approved :: Apache Software License
"""


def metadata(*fields: str) -> str:
    return "\n".join(["Metadata-Version: 2.4", "Name: demo", *fields, "", "Text.", ""])


def test_license_expression_of_the_metadata_is_taken() -> None:
    found = find_licence(snapshot({"PKG-INFO": metadata("License-Expression: MIT OR Apache-2.0")}))

    assert found == Finding("MIT OR Apache-2.0", "PKG-INFO")


def test_expression_is_written_in_spdx_spelling() -> None:
    found = find_licence(snapshot({"PKG-INFO": metadata("License-Expression: mit or apache-2.0")}))

    assert found == Finding("MIT OR Apache-2.0", "PKG-INFO")


def test_license_expression_goes_before_cargo() -> None:
    files = {
        "PKG-INFO": metadata("License-Expression: MIT"),
        "Cargo.toml": '[package]\nlicense = "MPL-2.0"\n',
    }

    assert find_licence(snapshot(files)) == Finding("MIT", "PKG-INFO")


def test_cargo_goes_before_legacy_metadata() -> None:
    files = {"PKG-INFO": metadata("License: MIT"), "Cargo.toml": '[package]\nlicense = "MPL-2.0"\n'}

    assert find_licence(snapshot(files)) == Finding("MPL-2.0", "Cargo.toml")


def test_slash_in_cargo_means_or() -> None:
    files = {"Cargo.toml": '[package]\nlicense = "MIT/Apache-2.0"\n'}

    assert find_licence(snapshot(files)) == Finding("MIT OR Apache-2.0", "Cargo.toml")


def test_licence_of_a_cargo_workspace_is_taken() -> None:
    files = {"Cargo.toml": '[workspace.package]\nlicense = "MIT"\n'}

    assert find_licence(snapshot(files)) == Finding("MIT", "Cargo.toml")


@pytest.mark.parametrize(
    "cargo", ["[package\n", "[package]\nname = 'a'\n", "[package]\nlicense-file = 'X'\n"]
)
def test_cargo_without_a_licence_proves_nothing(cargo: str) -> None:
    assert find_licence(snapshot({"Cargo.toml": cargo})) == Finding(None, None)


def test_license_field_that_names_one_licence_is_taken() -> None:
    found = find_licence(snapshot({"PKG-INFO": metadata("License: Apache License 2.0")}))

    assert found == Finding("Apache-2.0", "PKG-INFO")


def test_classifiers_bind_together() -> None:
    found = find_licence(snapshot({"PKG-INFO": CLASSIFIERS}))

    assert found == Finding("Apache-2.0 AND MIT", "PKG-INFO")


def test_metadata_without_a_licence_leaves_it_to_the_texts() -> None:
    found = find_licence(snapshot({"PKG-INFO": metadata(), "LICENSE": MIT}))

    assert found == Finding("MIT", "LICENSE")


@pytest.mark.parametrize("name", ["LICENSE", "licence.md", "COPYING", "LICENSE-MIT"])
def test_licence_text_is_recognised(name: str) -> None:
    assert find_licence(snapshot({name: MIT})) == Finding("MIT", name)


def test_several_licence_texts_bind_together() -> None:
    found = find_licence(snapshot({"LICENSE-MIT": MIT, "LICENSE-ISC": ISC}))

    assert found == Finding("ISC AND MIT", "LICENSE-ISC, LICENSE-MIT")


def test_licence_of_a_nested_folder_says_nothing_of_the_whole() -> None:
    files = {"vendor/LICENSE": MIT, "sub/Cargo.toml": '[package]\nlicense = "MIT"\n'}

    assert find_licence(snapshot(files)) == Finding(None, None)


@pytest.mark.parametrize(
    "stated", ["Custom", "MIT OR", "LicenseRef-secret", "MIT" + " OR MIT" * 60]
)
def test_expression_that_is_not_valid_proves_nothing(stated: str) -> None:
    found = find_licence(snapshot({"PKG-INFO": metadata(f"License-Expression: {stated}")}))

    assert found == Finding(None, None)


def test_text_that_is_no_licence_proves_nothing() -> None:
    assert find_licence(snapshot({"LICENSE": "Ask me first."})) == Finding(None, None)


def test_binary_licence_file_proves_nothing() -> None:
    assert find_licence(snapshot({"LICENSE": MIT.encode() + b"\0"})) == Finding(None, None)


@pytest.mark.parametrize(
    ("expression", "tier"),
    [
        ("MIT", "permissive"),
        ("MPL-2.0", "weak_file"),
        ("LGPL-3.0-only", "weak_lib"),
        ("GPL-3.0-only", "strong"),
        ("Zlib", "none"),
        (None, "none"),
        ("MIT OR GPL-3.0-only", "permissive"),
        ("GPL-3.0-only OR Zlib", "strong"),
        ("MIT AND MPL-2.0", "weak_file"),
        ("MIT AND Zlib", "none"),
        ("(MIT OR GPL-3.0-only) AND MPL-2.0", "weak_file"),
        ("MIT OR (GPL-3.0-only AND MPL-2.0)", "permissive"),
        ("Apache-2.0 WITH LLVM-exception", "permissive"),
        ("GPL-2.0-only WITH Classpath-exception-2.0", "strong"),
        ("GPL-2.0-only WITH Classpath-exception-2.0 OR MPL-2.0", "weak_file"),
    ],
)
def test_tier_of_an_expression(expression: str | None, tier: str) -> None:
    assert POLICY.tier(expression) == tier


def test_shipped_policy_trains_on_permissive_and_file_level_licences() -> None:
    policy = load_policy(CONFIG / "licenses.yaml")

    assert policy.keep == ["permissive", "weak_file"]
    assert policy.tier("MIT OR Apache-2.0") == "permissive"
    assert policy.tier("AGPL-3.0-only") == "strong"


def test_policy_with_an_unknown_tier_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "licenses.yaml"
    path.write_text("tiers: {free: [MIT]}\nkeep: [permissive]\n")

    with pytest.raises(ProvenderError, match=r"tiers\.free"):
        load_policy(path)


def test_policy_must_keep_something(tmp_path: Path) -> None:
    path = tmp_path / "licenses.yaml"
    path.write_text("tiers: {permissive: [MIT]}\nkeep: []\n")

    with pytest.raises(ProvenderError, match="`keep`: List should have at least 1 item"):
        load_policy(path)


def test_licence_inherited_from_the_workspace_is_taken() -> None:
    cargo = '[package]\nlicense.workspace = true\n[workspace.package]\nlicense = "MIT"\n'

    assert find_licence(snapshot({"Cargo.toml": cargo})) == Finding("MIT", "Cargo.toml")


@pytest.mark.parametrize(
    "cargo", ['package = "x"\n', "workspace = []\n", "[package]\nlicense = 3\n"]
)
def test_cargo_of_another_shape_proves_nothing(cargo: str) -> None:
    assert find_licence(snapshot({"Cargo.toml": cargo})) == Finding(None, None)


def test_empty_expression_proves_nothing() -> None:
    assert find_licence(snapshot({"PKG-INFO": metadata("License-Expression: ()")})) == Finding(
        None, None
    )

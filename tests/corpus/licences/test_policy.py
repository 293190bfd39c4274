from pathlib import Path

import pytest

from common.errors import ProvenderError
from corpus.licences import LicencePolicy, load_policy
from corpus.licences.policy import binds, family, names, normal

CONFIG = Path(__file__).parents[3] / "config"

POLICY = LicencePolicy(
    tiers={
        "permissive": ["MIT", "Apache-2.0"],
        "weak_file": ["MPL-2.0"],
        "weak_lib": ["LGPL-2.1-only", "LGPL-2.1-or-later"],
        "strong": ["GPL-2.0-only", "GPL-3.0-only"],
    },
    keep=["permissive"],
)


@pytest.mark.parametrize(
    ("expression", "tier"),
    [
        ("MIT", "permissive"),
        ("MPL-2.0", "weak_file"),
        ("LGPL-2.1-or-later", "weak_lib"),
        ("GPL-3.0-only", "strong"),
        ("Zlib", "none"),
        ("LicenseRef-unknown", "none"),
        (None, "none"),
        ("MIT OR Apache-2.0", "permissive"),
        ("MIT OR GPL-3.0-only", "permissive"),
        ("MIT AND GPL-3.0-only", "strong"),
        ("GPL-3.0-only OR Zlib", "strong"),
        ("MIT AND MPL-2.0", "weak_file"),
        ("MIT AND Zlib", "none"),
        ("MIT AND LicenseRef-unknown", "none"),
        ("(MIT OR GPL-3.0-only) AND MPL-2.0", "weak_file"),
        ("MIT OR (GPL-3.0-only AND MPL-2.0)", "permissive"),
        ("Apache-2.0 WITH LLVM-exception", "permissive"),
        ("GPL-2.0-only WITH Classpath-exception-2.0", "strong"),
        ("GPL-2.0-only WITH Classpath-exception-2.0 OR MPL-2.0", "weak_file"),
    ],
)
def test_tier_of_an_expression(expression: str | None, tier: str) -> None:
    assert POLICY.tier(expression) == tier


@pytest.mark.parametrize(
    "expression",
    [
        "Apache-2.0 WITH LicenseRef-commons-clause",
        "Apache-2.0 WITH LicenseRef-scancode-commons-clause",
        "MIT WITH GPL-3.0-only",
    ],
)
def test_licence_with_an_addition_that_spdx_does_not_know_has_no_tier(expression: str) -> None:
    assert POLICY.tier(expression) == "none"


@pytest.mark.parametrize(
    ("expressions", "strictest"),
    [
        (["MIT", "GPL-3.0-only", "MPL-2.0"], "GPL-3.0-only"),
        (["GPL-3.0-only", "LicenseRef-unknown"], "LicenseRef-unknown"),
        (["Apache-2.0", "MIT"], "Apache-2.0"),
        (["LGPL-2.1-only", "LGPL-2.1-or-later"], "LGPL-2.1-only"),
    ],
)
def test_strictest_of_equals_is_the_first(expressions: list[str], strictest: str) -> None:
    assert POLICY.strictest(expressions) == strictest


@pytest.mark.parametrize(
    ("written", "spelled"),
    [
        ("mit", "MIT"),
        ("mit or apache-2.0", "Apache-2.0 OR MIT"),
        ("GPL-2.0", "GPL-2.0-only"),
        ("GPL-2.0+", "GPL-2.0-or-later"),
        ("(((MIT)))", "MIT"),
        ("MIT OR " * 50 + "MIT", "MIT"),
        ("LicenseRef-mine", "LicenseRef-mine"),
        ("Apache-2.0 WITH LLVM-exception", "Apache-2.0 WITH LLVM-exception"),
    ],
)
def test_expression_gets_spdx_spelling(written: str, spelled: str) -> None:
    assert normal(written) == spelled


@pytest.mark.parametrize(
    "written",
    [
        None,
        "",
        " ",
        "()",
        "Custom",
        "MIT OR",
        "OR",
        "MIT Apache-2.0",
        "MIT/GPL-2.0-only",
        "MIT, GPL-2.0-only",
        "MIT\nGPL-2.0-only",
        "MIT\0",
        "NOASSERTION",
        "(" * 150 + "MIT",
        "(" * 10_000 + "MIT" + ")" * 10_000,
        "MIT OR " * 100 + "MIT",
    ],
)
def test_what_is_no_expression_of_known_ids_is_null(written: str | None) -> None:
    assert normal(written) is None


def test_names_are_the_ids_without_exceptions() -> None:
    expression = "MIT OR (GPL-2.0-only WITH Classpath-exception-2.0 AND LicenseRef-x)"

    assert names(expression) == {"MIT", "GPL-2.0-only", "LicenseRef-x"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("GPL-2.0-only", "GPL-2.0"), ("LGPL-2.1-or-later", "LGPL-2.1"), ("MIT", "MIT")],
)
def test_family_leaves_out_what_no_text_says(name: str, expected: str) -> None:
    assert family(name) == expected


@pytest.mark.parametrize(
    ("expression", "whole", "expected"),
    [
        ("MIT AND ISC", "MIT", True),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", "Apache-2.0 OR MIT", True),
        ("MIT AND ISC AND Zlib", "MIT AND ISC", True),
        ("MIT", "MIT", False),
        ("MIT OR ISC", "MIT", False),
        ("(MIT OR GPL-2.0-only) AND ISC", "MIT", False),
        ("MIT AND ISC", "MIT AND Zlib", False),
    ],
)
def test_binds_where_all_of_the_whole_and_more_is_demanded(
    expression: str, whole: str, expected: bool
) -> None:
    assert binds(expression, whole) is expected


def test_shipped_policy_keeps_what_is_owned_permissive_or_weak() -> None:
    policy = load_policy(CONFIG / "licenses.yaml")

    assert policy.keep == ["owned", "permissive", "weak_file", "weak_lib"]
    assert policy.max_test_files == 300


@pytest.mark.parametrize(
    ("expression", "tier"),
    [
        ("MIT OR Apache-2.0", "permissive"),
        ("BlueOak-1.0.0", "permissive"),
        ("MIT-Modern-Variant", "permissive"),
        ("CNRI-Python-GPL-Compatible", "permissive"),
        ("MPL-2.0", "weak_file"),
        ("EPL-2.0", "weak_file"),
        ("LGPL-2.1-only", "weak_lib"),
        ("LGPL-3.0-or-later", "weak_lib"),
        ("GPL-2.0-only", "strong"),
        ("AGPL-3.0-or-later", "strong"),
        ("GPL-2.0-only WITH Classpath-exception-2.0", "strong"),
        ("CC-BY-4.0", "none"),
        ("CC-BY-NC-4.0", "none"),
        ("BUSL-1.1", "none"),
        ("Elastic-2.0", "none"),
        ("SSPL-1.0", "none"),
        ("LicenseRef-unknown", "none"),
    ],
)
def test_shipped_policy_puts_a_licence_into_its_tier(expression: str, tier: str) -> None:
    assert load_policy(CONFIG / "licenses.yaml").tier(expression) == tier


def refused(tmp_path: Path, text: str) -> str:
    path = tmp_path / "licenses.yaml"
    path.write_text(text)
    with pytest.raises(ProvenderError) as caught:
        load_policy(path)
    return str(caught.value)


def test_policy_with_an_unknown_tier_is_refused(tmp_path: Path) -> None:
    assert "tiers.free" in refused(tmp_path, "tiers: {free: [MIT]}\nkeep: [permissive]\n")


def test_policy_must_keep_something(tmp_path: Path) -> None:
    text = "tiers: {permissive: [MIT]}\nkeep: []\n"

    assert "`keep`: List should have at least 1 item" in refused(tmp_path, text)


def test_policy_with_a_misspelt_id_is_refused(tmp_path: Path) -> None:
    # As YAML folds a list that is broken at a hyphen.
    text = "tiers:\n  permissive: [MIT, IJG-\n    short]\nkeep: [permissive]\n"

    assert "'IJG- short' is no SPDX licence id" in refused(tmp_path, text)


def test_policy_with_an_id_in_two_tiers_is_refused(tmp_path: Path) -> None:
    text = "tiers: {permissive: [MIT], strong: [MIT]}\nkeep: [permissive]\n"

    assert "'MIT' is in two tiers, permissive and strong" in refused(tmp_path, text)


def test_policy_may_name_an_id_that_spdx_has_renamed() -> None:
    policy = LicencePolicy(tiers={"permissive": ["BSD-2-Clause-FreeBSD"]}, keep=["permissive"])

    assert normal("BSD-2-Clause-FreeBSD") == "BSD-2-Clause-Views"
    assert policy.tier("BSD-2-Clause-Views") == "permissive"

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import ProvenderError
from evaluation.settings import load_evaluation, short_name
from resources.project import ROOT


def _load(folder: Path, text: str) -> str:
    """What is said of a file with `text`."""
    path = folder / "evaluation.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ProvenderError) as caught:
        load_evaluation(path)
    return caught.value.what


def test_what_ships_asks_no_other_model() -> None:
    shipped = load_evaluation(ROOT / "config" / "evaluation.yaml")
    assert (shipped.baselines, shipped.stages, shipped.xtr_retrieved) == ([], False, 0)


@pytest.mark.parametrize(
    ("baseline", "name"),
    [
        ("google/xtr-base-en", "xtr-base-en"),
        ("~/models/mine/", "mine"),
        ("embedded:minilm", "embedded:minilm"),
    ],
)
def test_a_baseline_is_called_by_the_last_part_of_its_name(baseline: str, name: str) -> None:
    assert short_name(baseline) == name


@pytest.mark.parametrize(
    ("baselines", "said"),
    [
        ("[a/x, b/x]", "`b/x` would be called `x`, as another system is"),
        ("[models/base]", "`models/base` would be called `base`"),
        ("[lake/models/stage_rust]", "would be called `stage_rust`"),
        ("['']", "a name is empty"),
        ("[/]", "a name is empty"),
        ("mine", "valid list"),
    ],
)
def test_a_name_that_says_nothing_or_two_things_is_refused(
    baselines: str, said: str, tmp_path: Path
) -> None:
    assert said in _load(tmp_path, f"baselines: {baselines}\n")


@pytest.mark.parametrize("setting", ["xtr_retrieved: -1", "xtr_retrieved: many", "baseline: []"])
def test_a_wrong_setting_is_refused(setting: str, tmp_path: Path) -> None:
    assert setting.partition(":")[0] in _load(tmp_path, f"{setting}\n")

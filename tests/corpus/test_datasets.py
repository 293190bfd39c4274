import json
import random
from pathlib import Path
from typing import Any

import mlcroissant
import polars as pl
import pytest
import yaml

from assets.pairs import DATASET, TYPES
from common.atomic import write_json
from common.errors import ProvenderError
from common.hashing import digest, digest_file
from corpus import cards, facts, schema
from corpus.datasets import (
    DIALECTS,
    PAIR_TYPES,
    DataSet,
    Filter,
    copies,
    load_datasets,
    out_of_reach,
    select,
    write_jsonl,
)
from corpus.sources import GitSource, Manifest
from tests.corpus.frames import COMMIT, ORIGIN, pairs

CONFIG = Path(__file__).parents[2] / "config" / "datasets.yaml"
TLA = {"language": "tlaplus", "category": "spec", "domain": "formal"}
VERUS = {"dialect": "verus", "category": "verification", "domain": "formal"}


def corpus(*rows: dict[str, Any]) -> pl.DataFrame:
    """Rows of the corpus, in training unless they say otherwise."""
    splits = pl.Series("split", [row.get("split", "train") for row in rows], dtype=pl.String)
    made = pairs(*({key: value for key, value in row.items() if key != "split"} for row in rows))
    return made.with_columns(
        splits, cluster_id=pl.col("pair_id"), weight=pl.lit(1.0, dtype=pl.Float32)
    ).select(schema.CORPUS.names)


def pair(name: str, **changes: Any) -> dict[str, Any]:
    return {"pair_id": name, "path": f"src/{name}.rs", **changes}


def chosen(*rows: dict[str, Any], **settings: Any) -> list[str]:
    return select(corpus(*rows), Filter(**settings))["pair_id"].to_list()


def fault(tmp_path: Path, settings: dict[str, Any], name: str = "mine") -> str:
    """What is said of a data set with `settings`."""
    place = tmp_path / "datasets.yaml"
    place.write_text(
        yaml.safe_dump({"datasets": {name: {"title": "Mine", **settings}}}), encoding="utf-8"
    )
    with pytest.raises(ProvenderError) as caught:
        load_datasets(place)
    return caught.value.what


# --- Configuration --------------------------------------------------------------------------------


def test_the_file_that_ships_names_the_planned_data_sets() -> None:
    assert list(load_datasets(CONFIG).datasets) == [
        "training_data_full",
        "training_data_200k",
        "lean_java_training",
        "rust_training_100k",
        "apache_mit_training",
        "readme_pairs_all",
        "verification_training",
        "rust_specialist",
        "rust_eval",
        "personal",
    ]


def test_what_may_be_named_is_what_the_pipeline_gives() -> None:
    assert set(DIALECTS) == set(facts._DIALECTS)
    assert set(PAIR_TYPES) == {*TYPES, DATASET}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"langages": ["rust"]}, "unknown key `datasets.mine.langages`; did you mean `languages`?"),
        ({"languages": ["rsut"]}, "unknown language `rsut`; did you mean `rust`?"),
        ({"exclude_languages": ["jav"]}, "unknown language `jav`; did you mean `java`?"),
        ({"dialects": ["krusti"]}, "unknown dialect `krusti`; did you mean `prusti`?"),
        ({"domains": ["formel"]}, "unknown domain `formel`; did you mean `formal`?"),
        ({"categories": ["specs"]}, "unknown category `specs`; did you mean `spec`?"),
        ({"pair_types": ["docs"]}, "unknown pair type `docs`; did you mean `doc`?"),
        ({"tiers": ["permisive"]}, "unknown licence tier `permisive`; did you mean `permissive`?"),
        ({"splits": ["dev"]}, "unknown split `dev`; known ones: test, train, valid"),
        ({"languages": []}, "List should have at least 1 item"),
        ({"languages": None}, "`datasets.mine.languages`: Input should be a valid list"),
        ({"max_pairs": 0}, "Input should be greater than or equal to 1"),
        ({"max_pairs": True}, "`datasets.mine.max_pairs`: Input should be a valid integer"),
        (
            {"repeat_by_weight": "yes"},
            "`datasets.mine.repeat_by_weight`: Input should be a valid bool",
        ),
        ({"publication": {"url": "u", "creator": "c"}}, "`datasets.mine.publication.date`: Field"),
        ({"splits": ["train", "test"]}, "pairs to train on or held-out ones, not both"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    assert said in fault(tmp_path, settings)


@pytest.mark.parametrize("name", ["Mine", "../mine", "a.b", "corpus", ""])
def test_a_name_that_cannot_be_a_file_of_its_own_is_refused(tmp_path: Path, name: str) -> None:
    assert f"`datasets.{name}.[key]`" in fault(tmp_path, {}, name)


def test_an_unknown_data_set_is_told_with_the_nearest() -> None:
    with pytest.raises(ProvenderError, match=r"did you mean `rust_eval`"):
        load_datasets(CONFIG).named("rust_evil")


def test_what_is_held_out_is_not_to_be_trained_on() -> None:
    known = load_datasets(CONFIG)
    assert known.to_train("rust_specialist") == known.datasets["rust_specialist"]
    with pytest.raises(ProvenderError, match="It is held out") as caught:
        known.to_train("rust_eval")
    assert caught.value.where == "config/datasets.yaml: rust_eval"


def test_nothing_that_ships_is_repeated_by_weight() -> None:
    assert not any(each.repeat_by_weight for each in load_datasets(CONFIG).datasets.values())


# --- Selection ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("training_data_full", ["java", "lean", "python", "readme", "rust", "tla", "verus"]),
        ("training_data_200k", ["python", "readme", "rust", "verus"]),
        ("lean_java_training", ["java", "lean"]),
        ("rust_training_100k", ["readme", "rust", "verus"]),
        ("apache_mit_training", ["java", "python", "readme", "rust", "tla", "verus"]),
        ("readme_pairs_all", ["readme"]),
        ("verification_training", ["verus"]),
        ("rust_specialist", ["readme", "rust", "verus"]),
        ("rust_eval", ["test", "valid"]),
        ("personal", ["python"]),
    ],
)
def test_each_data_set_that_ships_holds_what_it_says(name: str, expected: list[str]) -> None:
    frame = corpus(
        pair("rust"),
        pair("verus", **VERUS),
        pair("tla", **TLA),
        pair("readme", pair_type="readme"),
        pair("lean", language="lean", category="verification", license_tier="weak_file"),
        pair("java", language="java"),
        pair("python", language="python", domain="personal"),
        pair("valid", split="valid"),
        pair("test", split="test"),
        pair("test_tla", split="test", **TLA),
    )

    assert select(frame, load_datasets(CONFIG).named(name))["pair_id"].to_list() == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"dialects": ["verus"]}, ["b"]),
        ({"exclude_dialects": ["verus"]}, ["a", "c"]),
        ({"exclude_categories": ["spec"]}, ["a", "b"]),
        ({"domains": ["formal"], "exclude_languages": ["tlaplus"]}, ["b"]),
        ({"sources": ["demo"]}, ["a", "b"]),
        ({"exclude_sources": ["demo"]}, ["c"]),
        ({}, ["a", "b", "c"]),
    ],
)
def test_a_pair_meets_every_setting(settings: dict[str, Any], expected: list[str]) -> None:
    assert chosen(pair("a"), pair("b", **VERUS), pair("c", source="specs", **TLA), **settings) == (
        expected
    )


def test_the_order_is_by_place_whatever_the_order_of_the_corpus() -> None:
    rows = [
        pair("z", source="a", path="a.rs", start_line=9),
        pair("y", source="a", path="a.rs", start_line=10),
        pair("b", source="a", path="b.rs"),
        pair("c", source="a", path="b.rs"),
        pair("a", source="b"),
    ]
    for _ in range(5):
        assert chosen(*random.sample(rows, len(rows))) == ["z", "y", "b", "c", "a"]


def test_at_most_so_many_pairs_are_drawn_by_the_hash_of_each() -> None:
    rows = [pair(f"p{number:02}") for number in range(40)]
    names = sorted([row["pair_id"] for row in rows], key=digest)

    for _ in range(3):
        assert chosen(*random.sample(rows, 40), max_pairs=7) == sorted(names[:7])
    assert set(chosen(*rows, max_pairs=7)) < set(chosen(*rows, max_pairs=8))
    assert len(chosen(*rows, max_pairs=41)) == 40


def test_the_setting_that_leaves_nothing_is_named() -> None:
    wanted = Filter(languages=["rust"], dialects=["kani"])
    with pytest.raises(ProvenderError) as caught:
        select(corpus(pair("a"), pair("b"), pair("c", **TLA)), wanted, name="mine")

    assert caught.value.what == "No pair is left: of 2, none meets `dialects: ['kani']`."
    assert caught.value.where == "config/datasets.yaml: mine"


# --- Sources --------------------------------------------------------------------------------------

MANIFEST = Manifest(sources=[GitSource(name="demo", url=ORIGIN, domain="rust")])


def test_a_domain_that_no_source_is_in_is_out_of_reach() -> None:
    personal = Filter(domains=["personal"])
    reason = "no source of the manifest is in domain personal"
    assert out_of_reach(personal, MANIFEST) == reason
    assert out_of_reach(Filter(domains=["personal", "rust"]), MANIFEST) is None
    assert out_of_reach(Filter(languages=["lean"]), MANIFEST) is None


@pytest.mark.parametrize("setting", ["sources", "exclude_sources"])
def test_a_source_that_is_not_in_the_manifest_is_told_with_the_nearest(setting: str) -> None:
    with pytest.raises(ProvenderError, match="unknown source `dmo`; did you mean `demo`"):
        out_of_reach(Filter.model_validate({setting: ["dmo"]}), MANIFEST)


# --- Files ----------------------------------------------------------------------------------------


def test_a_line_of_jsonl_has_exactly_the_planned_keys_and_keeps_its_letters(tmp_path: Path) -> None:
    rows = corpus(
        pair("a", query="∀ x, x ≤ x", positive='fn a() {\n\t"é\u2028"\n}'), pair("b", **TLA)
    )
    place = tmp_path / "new" / "a.jsonl"
    write_jsonl(rows, place)

    lines = place.read_text(encoding="utf-8").split("\n")
    assert lines.pop() == ""
    assert [list(json.loads(line).items()) for line in lines] == [
        [
            ("query", query),
            ("positive", positive),
            ("language", language),
            ("category", category),
            ("file_path", f"src/{name}.rs"),
            ("file_context", f"demo/src/{name}.rs"),
            ("source", "demo"),
        ]
        for name, query, positive, language, category in [
            ("a", "∀ x, x ≤ x", 'fn a() {\n\t"é\u2028"\n}', "rust", "code"),
            ("b", "Adds two numbers", rows["positive"][1], "tlaplus", "spec"),
        ]
    ]
    assert "∀ x, x ≤ x" in lines[0]
    assert [each.name for each in place.parent.iterdir()] == ["a.jsonl"]


CHOSEN = DataSet(title="Mine", description="All of it.", languages=["rust", "tlaplus"], max_pairs=9)
ROWS = (
    pair("a", query="four", positive="12345678"),
    pair("b", query="eight ab", positive="1234", **VERUS),
    pair("c", query="nine abcd", positive="123456", license=None, license_tier="none", **TLA),
    pair("d", source="many", license="MIT OR LicenseRef-x", swhid="", query="x", positive="y"),
    pair("e", source="many", swhid=f"swh:1:rev:{COMMIT};origin=https://b", query="x", positive="y"),
)


def test_a_card_counts_what_is_in_the_data_set() -> None:
    lines = cards.card("mine", CHOSEN, corpus(*ROWS)).splitlines()

    assert lines[:3] == ["# Mine", "", "All of it."]
    assert (
        "`mine`: 5 pairs of a query and the code that answers it."
        " A query has 4.6 characters in the mean, its code 4.0."
    ) in lines
    assert [line for line in lines if line.startswith("- `")] == [
        "- `splits`: train",
        "- `languages`: rust, tlaplus",
        "- `max_pairs`: 9",
    ]
    tables = [line for line in lines if line.startswith("| ") and "`" not in line]
    assert tables[1:] == [
        *("| language | pairs |", "| rust | 4 |", "| tlaplus | 1 |"),
        *("| dialect | pairs |", "| none | 4 |", "| verus | 1 |"),
        *("| category | pairs |", "| code | 3 |", "| spec | 1 |", "| verification | 1 |"),
        *("| pair type | pairs |", "| doc | 5 |"),
        *("| split | pairs |", "| train | 5 |"),
        "| source | origin | revision | pairs |",
        *("| licence | tier | pairs |", "| MIT | permissive | 3 |"),
        *("| MIT OR LicenseRef-x | permissive | 1 |", "| none | none | 1 |"),
    ]
    assert f"| demo | {ORIGIN} | `r1` | 3 |" in lines
    assert "| many | many | `many` | 2 |" in lines


def weighted(*weights: float) -> pl.DataFrame:
    rows = corpus(*(pair(f"p{number}") for number in range(len(weights))))
    return rows.with_columns(weight=pl.Series(weights, dtype=pl.Float32))


def test_a_weight_is_a_number_of_copies_and_a_chance_of_one_more() -> None:
    assert copies(weighted(1, 3, 0, 5)).to_list() == [1, 3, 0, 5]

    frame = weighted(*[2.25] * 2000)
    found = copies(frame)
    assert set(found) == {2, 3}
    assert found.sum() == 4535  # 4,500 are expected; the hashes decide
    assert copies(frame).to_list() == found.to_list()
    # Whoever has one more keeps it at a higher weight, and in any order.
    more = copies(weighted(*[2.5] * 2000))
    assert (more >= found).all()
    assert copies(frame.reverse()).to_list() == found.to_list()[::-1]


def test_the_copies_of_drawn_pairs_are_as_many_as_of_any() -> None:
    frame = weighted(*[1.5] * 2000)
    drawn = select(frame, Filter(max_pairs=500))
    assert 700 < copies(drawn).sum() < 800


def test_pairs_are_repeated_in_their_place(tmp_path: Path) -> None:
    place = tmp_path / "a.jsonl"
    write_jsonl(weighted(2, 0, 1), place, repeat=True)
    lines = place.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["file_path"] for line in lines] == ["src/p0.rs"] * 2 + ["src/p2.rs"]
    write_jsonl(weighted(2, 0, 1), place)
    assert len(place.read_text(encoding="utf-8").splitlines()) == 3


def test_a_card_says_that_pairs_are_repeated() -> None:
    frame = weighted(2, 1)
    repeated = DataSet(title="Mine", repeat_by_weight=True)
    text = cards.card("mine", repeated, frame)
    assert (
        "In the JSONL a pair stands as often as its weight says, next to itself: 3 lines." in text
    )
    assert "`mine.parquet` holds each pair once, with all columns" in text
    assert "- `splits`: train\n\n|" in text, "it is no filter"
    plain = cards.card("mine", DataSet(title="Mine"), frame)
    assert "stands as often" not in plain
    assert "`mine.parquet` holds the same pairs with all columns" in plain


def croissant(folder: Path, chosen: DataSet, frame: pl.DataFrame) -> dict[str, Any]:
    """The metadata of `frame`, written with its JSONL to `folder`."""
    jsonl = folder / "mine.jsonl"
    write_jsonl(frame, jsonl, repeat=chosen.repeat_by_weight)
    made = cards.croissant("mine", chosen, frame, jsonl)
    write_json(made, folder / "mine.croissant.json")
    return made


def test_croissant_metadata_name_the_file_its_hash_its_fields_and_licences(tmp_path: Path) -> None:
    made = croissant(tmp_path, CHOSEN, corpus(*ROWS))
    sha256 = digest_file(tmp_path / "mine.jsonl")

    assert made["conformsTo"] == "http://mlcommons.org/croissant/1.1"
    assert made["license"] == ["LicenseRef-x", "https://spdx.org/licenses/MIT.html"]
    assert made["version"] == f"1.0.0+{sha256[:16]}"
    assert made["citeAs"] == (
        f"@misc{{mine, title = {{Mine}}, note = {{Made by Provender, version {made['version']}}}}}"
    )
    assert made["usageInfo"]["url"] == "mine.NOTICE.md"
    assert not {"url", "creator", "datePublished"} & made.keys()
    [file] = made["distribution"]
    assert file["sha256"] == sha256
    assert (file["contentUrl"], file["encodingFormat"]) == ("mine.jsonl", "application/jsonlines")
    [records] = made["recordSet"]
    lines = (tmp_path / "mine.jsonl").read_text(encoding="utf-8").splitlines()
    assert [field["name"] for field in records["field"]] == list(json.loads(lines[0]))
    assert {field["source"]["fileObject"]["@id"] for field in records["field"]} == {file["@id"]}


def test_croissant_metadata_say_what_each_source_is_derived_from(tmp_path: Path) -> None:
    escaped = pair("f", source="paid", swhid=f"swh:1:cnt:{COMMIT};origin=https://c/a%3Bb%2520")
    made = croissant(tmp_path, CHOSEN, corpus(*ROWS, escaped))

    mit = "https://spdx.org/licenses/MIT.html"
    assert made["prov:wasDerivedFrom"] == [
        {
            "@type": "prov:Entity",
            "@id": f"swh:1:rev:{COMMIT}",
            "name": "demo",
            "url": ORIGIN,
            "version": "r1",
            "license": [mit],
        },
        {
            "@type": "prov:Entity",
            "name": "many",
            "description": "many repositories",
            "license": ["LicenseRef-x", mit],
        },
        {
            "@type": "prov:Entity",
            "name": "paid",
            "url": "https://c/a;b%20",
            "version": "r1",
            "license": [mit],
        },
    ]


PUBLISHED = {
    "url": "https://example.org/mine",
    "creator": "Somebody",
    "creator_type": "Person",
    "date": "2026-11-27",
}


# mlcroissant 1.1's rdflib 7.6 uses an old name of its own.
@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")
@pytest.mark.parametrize("settings", [{}, {"publication": PUBLISHED}, {"repeat_by_weight": True}])
def test_mlcroissant_finds_no_fault_and_loads_the_records(
    tmp_path: Path, settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    frame = corpus(*ROWS).with_columns(weight=pl.lit(2.0, dtype=pl.Float32))
    chosen = DataSet.model_validate({"title": "Mine", **settings})
    croissant(tmp_path, chosen, frame)

    loaded = mlcroissant.Dataset(jsonld=tmp_path / "mine.croissant.json")

    assert loaded.metadata.ctx.is_v1_1()
    assert not loaded.metadata.ctx.issues.errors
    missing = {warning.split('"')[1] for warning in loaded.metadata.ctx.issues.warnings}
    assert missing == (set() if "publication" in settings else {"https://schema.org/datePublished"})
    assert "`@context` is not standard" not in caplog.text
    lines = (tmp_path / "mine.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == (10 if chosen.repeat_by_weight else 5)
    assert [
        {key.removeprefix("pairs/"): value.decode() for key, value in record.items()}
        for record in loaded.records("pairs")
    ] == [json.loads(line) for line in lines]


def test_what_only_a_publisher_knows_is_told_by_them(tmp_path: Path) -> None:
    chosen = DataSet.model_validate({"title": "Mine", "publication": PUBLISHED})
    made = croissant(tmp_path, chosen, corpus(*ROWS))

    assert made["url"] == "https://example.org/mine"
    assert made["creator"] == {"@type": "sc:Person", "name": "Somebody"}
    assert made["datePublished"] == "2026-11-27"
    assert (
        "author = {{Somebody}}, year = {2026}, url = {https://example.org/mine}" in (made["citeAs"])
    )
